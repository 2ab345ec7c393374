//! `copy` and `template` on the worker: the master has brought the content, or it is here already (`remote_src`).

mod destination;
mod placing;
mod request;
#[cfg(test)]
mod tests;
mod tree;

pub use request::run;
