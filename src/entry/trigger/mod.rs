//! From an event to a spec and a master.
//!
//! `read` refuses a bad playbook before anything exists; `create` writes the frozen order once; `work` is the master in
//! this process, `launch` one that lives on without it.

mod binaries;
mod clock;
mod create;
mod find;
mod hosts;
mod launch;
mod lock;
mod master_machine;
mod order;
mod places;
mod pulse;
mod read;
mod signals;
mod state;
mod work;

pub use binaries::Executables;
pub use clock::SystemWorld;
pub use create::{create, new_run_id};
pub use find::{find_run, load_receipt, load_spec, refuse_reaped, store_failed};
pub use launch::launch;
pub use lock::MasterLock;
pub use master_machine::{MasterCall, MasterClaim, launch_master, load_claim, next_epoch};
pub use order::{Order, Place, Purpose};
pub use places::cloud_of;
pub use pulse::has_master;
pub use read::{Reading, read};
pub use state::StateFolder;
pub use work::{Sight, living, work};
