//! What is written: the frozen order of a run, its journal, what was collected, its last words. docs/formats.md
//! describes each; every record carries its version `v`, and an unknown one is refused.

mod ending;
mod journal;
mod spec;
mod step;

pub use ending::{Closed, Collected, Gone, Loss, Manifest, ManifestFile, Outcome, Receipt, Resource, Sweep};
pub use journal::{Entry, Record, SealedMember, SegmentHeader, Verdict};
pub use spec::{
    Beat, Binaries, CloudKind, ClusterSpec, GroupSpec, Market, MasterSpec, OnLoss, Options, ResultSpec, Spec, SshSpec,
    Start, VolumeSpec,
};
pub use step::{Become, End, StepOrder, StepOutcome};

/// The version of every record of this release.
pub const FORMAT_VERSION: u32 = 1;
