//! Exit codes, and the problems that lead to them. Both are documented (docs/operations.md) and never change meaning.

/// Everything went well.
pub const SUCCESS: u8 = 0;
/// dayfly itself failed, or the store or the machine did.
pub const FAILURE: u8 = 1;
/// A host failed.
pub const HOST_FAILED: u8 = 2;
/// The playbook was refused before anything was launched.
pub const REFUSED: u8 = 3;
/// A host could not be reached.
pub const UNREACHABLE: u8 = 4;
/// The command line is wrong.
pub const USAGE: u8 = 5;
/// The run ended, but something is not proven gone.
pub const UNPROVEN: u8 = 7;
/// Somebody cancelled the run.
pub const CANCELLED: u8 = 130;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// The playbook is refused; the text holds every problem, rendered with its place.
    #[error("{0}")]
    Refused(String),
    /// Something went wrong on the way.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

impl Problem {
    /// The exit code of the process.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Refused(_) => REFUSED,
            Self::Failed(_) => FAILURE,
        }
    }
    /// A problem in one sentence.
    pub fn failed(message: impl std::fmt::Display + std::fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Failed(anyhow::Error::msg(message))
    }
}

/// A run's exit code as the process's own.
pub fn code_of_run(exit: i32) -> u8 {
    u8::try_from(exit).unwrap_or(FAILURE)
}
