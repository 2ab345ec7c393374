//! The playbook, pure: from bytes to a typed model, from the model to what runs next. No I/O but through
//! `core::source::Files`.

pub mod args;
#[cfg(feature = "master")]
pub mod check;
#[cfg(feature = "master")]
pub mod plan;
#[cfg(feature = "master")]
pub mod playbook;
#[cfg(feature = "master")]
pub mod template;
#[cfg(feature = "master")]
pub mod yaml;
