//! Beats, deadlines, sweeps, and the proof that nothing is left.
//!
//! Only what stands in `closed.json` is called proven, and only who looked after the master was gone writes it.

mod close;
mod reaper;
mod uncollected;
mod verdict;

pub use close::close_after_receipt;
pub use reaper::{Reaped, reap};
