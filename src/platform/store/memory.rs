//! A store in memory, for the simulation and for tests: the same verbs, gone with the process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::layout::check_key;
use super::{Created, Listed, Store, StoreError};
use crate::core::world::World;

/// Objects in memory; cheap to clone, all clones are one store.
#[derive(Clone)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
    world: Arc<dyn World>,
}

struct Object {
    bytes: Bytes,
    modified_ms: i64,
}

impl MemoryStore {
    /// An empty store whose clock is the world's.
    pub fn new(world: Arc<dyn World>) -> Self {
        Self { objects: Arc::default(), world }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, bytes: Bytes) -> Object {
        Object { bytes, modified_ms: self.world.unix_ms() }
    }
}

fn failed(operation: &'static str, key: &str, error: &std::io::Error) -> StoreError {
    StoreError::Failed { operation, key: key.to_owned(), why: error.to_string(), retry: false }
}

#[async_trait]
impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        check_key(key)?;
        let object = self.object(bytes);
        let mut objects = self.objects();
        if objects.contains_key(key) {
            return Ok(Created::Exists);
        }
        objects.insert(key.to_owned(), object);
        Ok(Created::New)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        check_key(key)?;
        let object = self.object(bytes);
        self.objects().insert(key.to_owned(), object);
        Ok(())
    }

    async fn put_file(&self, key: &str, path: &Path) -> Result<(), StoreError> {
        let bytes = tokio::fs::read(path).await.map_err(|error| failed("put", key, &error))?;
        self.put(key, bytes.into()).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        check_key(key)?;
        Ok(self.objects().get(key).map(|object| object.bytes.clone()))
    }

    async fn get_file(&self, key: &str, path: &Path) -> Result<bool, StoreError> {
        let Some(bytes) = self.get(key).await? else { return Ok(false) };
        tokio::fs::write(path, bytes).await.map_err(|error| failed("get", key, &error))?;
        Ok(true)
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        let objects = self.objects();
        Ok(objects
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
            .map(|(key, object)| Listed {
                key: key.clone(),
                size: object.bytes.len() as u64,
                modified_ms: object.modified_ms,
            })
            .collect())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        check_key(key)?;
        self.objects().remove(key);
        Ok(())
    }
}
