//! What comes home: the output of every step while it runs, each worker's logs as one zip at its end, its result files,
//! and the manifest that says what that was.

mod archive;
mod log_book;
mod log_line;
mod results;

pub use archive::archive_logs;
pub use log_book::LogBook;
pub use log_line::LogLine;
pub use results::{Brought, Wanted, collect_results, sha256_of};
