//! `dayfly version`.

use super::{Ended, screen};
use crate::entry::exit;

/// Prints the version.
#[expect(clippy::unnecessary_wraps, reason = "every command ends in the same way")]
pub fn run() -> Ended {
    screen::say(concat!("dayfly ", env!("CARGO_PKG_VERSION"), "\n"));
    Ok(exit::SUCCESS)
}
