//! From an event to a spec and a master.
//!
//! `read` refuses a bad playbook before anything exists; `create` writes the frozen order once; `work` is the master in
//! this process, `launch` one that lives on without it.

mod binaries;
mod clock;
mod create;
mod find;
mod ground;
mod hosts;
mod launch;
mod lock;
mod machine;
mod order;
mod places;
mod provision;
mod pulse;
mod read;
mod recent;
mod signals;
mod state;
mod upload;
mod withdraw;
mod work;

pub use binaries::Executables;
pub use clock::SystemWorld;
pub use create::{create, new_run_id, timing};
pub use find::{find_run, load_closed, load_receipt, load_spec, refuse_reaped, store_failed};
pub use ground::Ground;
pub use launch::{first_beat, launch};
pub use lock::MasterLock;
pub use machine::{
    Blueprint, MasterCall, MasterClaim, MasterLaunchError, OwnLease, Printed, launch_master, load_claim, next_epoch,
};
pub use order::{Order, Place, Purpose};
pub use places::{cloud_of, master_cloud_of};
pub use pulse::{asked_for, has_master, is_over, superseded, watched_elsewhere};
pub use read::{Reading, read};
pub use recent::recent_runs;
pub use signals::Terminated;
pub use state::StateFolder;
pub use withdraw::{NEVER_LAUNCHED, withdraw};
pub use work::{Sight, Turn, fenced, living, work};
