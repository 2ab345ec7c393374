//! Stands where the engine will.
use crate::core::records::Receipt;
use crate::run::engine::Master;

/// Nothing works on runs yet.
#[derive(Debug, thiserror::Error)]
#[error("there is no engine")]
pub struct EngineError;

/// Refuses.
pub async fn run(_master: Master) -> Result<Receipt, EngineError> {
    Err(EngineError)
}
