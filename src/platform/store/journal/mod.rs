//! The journal: numbered segments, one sequence for all masters of a run, each created once. Whoever cannot create the
//! next segment is no longer the master: that is the fence, and there is no other.

mod handle;
mod reading;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

pub use handle::Journal;

use crate::core::ids::Epoch;
use crate::platform::store::StoreError;

/// Why a journal does not take or give records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another master has written the next segment: this one must not begin anything any more.
    #[error("a newer master (epoch {by}) has taken over this run")]
    Fenced {
        /// The other master.
        by: Epoch,
    },
    /// The store did not take or give a segment, for longer than may be waited.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A segment is not what was written.
    #[error("segment {segment} of the journal cannot be used: {why}")]
    Corrupt {
        /// Its key.
        segment: String,
        /// What is wrong.
        why: String,
    },
    /// The journal was closed by this master itself.
    #[error("the journal is closed")]
    Closed,
}
