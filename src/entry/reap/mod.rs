//! Beats, deadlines, sweeps, and the proof that nothing is left.
//!
//! `reaper` looks at every open run once. Where master and workers are processes of this machine, `close` ends what is
//! left. Elsewhere `facts` reads what the store tells, `verdict` decides, `detached` does it, `remains` ends and proves.
//! `expired` needs no store: the deadline in a machine's tags is enough. Only what stands in `closed.json` is called
//! proven, and only who looked after the master was gone writes it.

mod clock;
mod close;
mod detached;
mod expired;
mod facts;
mod reaper;
mod remains;
mod uncollected;
mod verdict;

#[cfg(test)]
mod tests;

pub use clock::StoreClock;
pub use close::{Left, close_after_receipt};
pub use expired::{Swept, end_expired};
pub use facts::present_deadline;
pub use reaper::{Reaped, Reaper};
