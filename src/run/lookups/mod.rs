//! What templates may ask of the world: files, environment, programs, passwords.
/*STUB*/
use crate::language::template::{Doors, Scope};
pub enum EnvAccess {
    Process,
    Only(std::collections::BTreeMap<String, String>),
}
pub struct Lookups;
impl Lookups {
    pub fn new(_: &std::path::Path, _: &std::path::Path, _: EnvAccess) -> Self {
        Self
    }
    pub fn run(
        &self,
        _: &str,
        _: &[serde_json::Value],
        _: &serde_json::Map<String, serde_json::Value>,
        _: &std::sync::Arc<dyn Scope>,
        _: &dyn Doors,
    ) -> Result<Vec<serde_json::Value>, String> {
        Ok(vec![])
    }
}
