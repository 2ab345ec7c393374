//! `file`: what a path is, and whose. One file for each state that it can be asked to have.

mod absent;
mod directory;
mod link;
mod request;
#[cfg(test)]
mod tests;
mod times;

pub use request::run;
