//! One random key per run; every other secret of the run is derived from it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{SecretError, SshIdentity};
use crate::core::ids::RunId;
use crate::core::records::FORMAT_VERSION;
use crate::core::world::World;
use crate::platform::store::layout::secret_key;
use crate::platform::store::{Created, Store};

const NONCE_BYTES: usize = 12;
/// What every sealed value begins with.
const SEALED: &str = "sealed1:";

/// The key of a run. It has no `Debug`, and nothing writes it anywhere but under `secret/` in the store.
#[derive(Clone)]
pub struct RunKey {
    run: RunId,
    key: [u8; 32],
    world: Arc<dyn World>,
}

/// How it stands in the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRecord {
    v: u32,
    run: RunId,
    key: String,
}

impl RunKey {
    /// Draws and stores the key of a run, or loads the one that an earlier try stored.
    pub async fn create(store: &dyn Store, run: &RunId, world: Arc<dyn World>) -> Result<Self, SecretError> {
        let mut key = [0; 32];
        world.random(&mut key);
        let record = KeyRecord { v: FORMAT_VERSION, run: run.clone(), key: STANDARD.encode(key) };
        let bytes = serde_json::to_vec(&record).map_err(|error| bad_record(run, &error))?;
        match store.create(&secret_key(run), bytes.into()).await? {
            Created::New => Ok(Self { run: run.clone(), key, world }),
            Created::Exists => Self::load(store, run, world).await,
        }
    }

    /// Loads the key of a run.
    pub async fn load(store: &dyn Store, run: &RunId, world: Arc<dyn World>) -> Result<Self, SecretError> {
        let at = secret_key(run);
        let bytes = store.get(&at).await?.ok_or_else(|| SecretError::Missing(at.clone()))?;
        // The parser's own message could quote a part of the key.
        let record: KeyRecord = serde_json::from_slice(&bytes).map_err(|_| bad_record(run, &"it is not its JSON"))?;
        if record.v != FORMAT_VERSION {
            return Err(bad_record(run, &format_args!("it has format version {}", record.v)));
        }
        if record.run != *run {
            return Err(bad_record(run, &"it belongs to another run"));
        }
        let key = STANDARD.decode(&record.key).ok().and_then(|key| key.try_into().ok());
        let key = key.ok_or_else(|| bad_record(run, &"it does not hold 32 bytes"))?;
        Ok(Self { run: run.clone(), key, world })
    }

    /// The run's own SSH key, by which the master logs in to its workers.
    pub fn ssh_identity(&self) -> Result<SshIdentity, SecretError> {
        SshIdentity::from_seed(&self.derive(&["ssh identity"])?, &format!("dayfly {}", self.run))
    }

    /// The bootstrap host key of a launch, by the launch's token.
    pub fn host_key(&self, token: &str) -> Result<SshIdentity, SecretError> {
        SshIdentity::from_seed(&self.derive(&["host key", token])?, &format!("dayfly {} host", self.run))
    }

    /// Seals a value for one place: it opens under the same run and context only.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<String, SecretError> {
        let mut nonce = [0; NONCE_BYTES];
        self.world.random(&mut nonce);
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = self.cipher()?.encrypt(Nonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| SecretError::Sealed("it is too large"))?;
        Ok(format!("{SEALED}{}", STANDARD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens what [`RunKey::seal`] made.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, SecretError> {
        let text = sealed.strip_prefix(SEALED).ok_or(SecretError::Sealed("it is not in a known form"))?;
        let bytes = STANDARD.decode(text).map_err(|_| SecretError::Sealed("it is not base64"))?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(SecretError::Sealed("it was cut"))?;
        let payload = Payload { msg: sealed, aad: context.as_bytes() };
        let opened = self.cipher()?.decrypt(Nonce::from_slice(nonce), payload);
        opened.map_err(|_| SecretError::Sealed("it was changed, or sealed for another place or run"))
    }

    fn cipher(&self) -> Result<ChaCha20Poly1305, SecretError> {
        Ok(ChaCha20Poly1305::new(Key::from_slice(&self.derive(&["seal"])?)))
    }

    /// HKDF-SHA256 with the run as salt; the parts of the purpose cannot run into each other.
    fn derive(&self, purpose: &[&str]) -> Result<[u8; 32], SecretError> {
        let info = format!("dayfly v1 {}", purpose.join("\0"));
        let mut derived = [0; 32];
        let hkdf = Hkdf::<Sha256>::new(Some(self.run.as_str().as_bytes()), &self.key);
        hkdf.expand(info.as_bytes(), &mut derived).map_err(|error| SecretError::Ssh(error.to_string()))?;
        Ok(derived)
    }
}

fn bad_record(run: &RunId, why: &dyn std::fmt::Display) -> SecretError {
    SecretError::BadRecord { key: secret_key(run), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;
    use crate::platform::store::MemoryStore;

    #[derive(Default)]
    struct Counting(AtomicU8);

    impl World for Counting {
        fn unix_ms(&self) -> i64 {
            0
        }
        fn random(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    async fn keys(count: usize) -> (MemoryStore, Vec<RunKey>) {
        let world: Arc<dyn World> = Arc::new(Counting::default());
        let store = MemoryStore::new(world.clone());
        let mut keys = Vec::new();
        for number in 0..count {
            keys.push(RunKey::create(&store, &RunId::new(format!("r{number}")), world.clone()).await.unwrap());
        }
        (store, keys)
    }

    #[tokio::test]
    async fn a_second_try_finds_the_first_key() {
        let (store, keys) = keys(1).await;
        let again = RunKey::create(&store, &keys[0].run, keys[0].world.clone()).await.unwrap();
        assert_eq!(again.ssh_identity().unwrap().private_pem, keys[0].ssh_identity().unwrap().private_pem);
        let loaded = RunKey::load(&store, &keys[0].run, keys[0].world.clone()).await.unwrap();
        assert_eq!(loaded.key, keys[0].key);
    }

    #[tokio::test]
    async fn every_run_and_purpose_has_its_own_secret() {
        let (_, keys) = keys(2).await;
        let mut lines: Vec<String> = Vec::new();
        for key in &keys {
            lines.push(key.ssh_identity().unwrap().private_pem);
            lines.push(key.host_key("a/b").unwrap().private_pem);
            lines.push(key.host_key("a/c").unwrap().private_pem);
        }
        lines.sort();
        lines.dedup();
        assert_eq!(lines.len(), 6);
    }

    #[tokio::test]
    async fn sealed_values_open_in_their_place_only_and_unchanged_only() {
        let (_, keys) = keys(2).await;
        let sealed = keys[0].seal("step/1", b"hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(keys[0].open("step/1", &sealed).unwrap(), b"hunter2");
        assert_ne!(keys[0].seal("step/1", b"hunter2").unwrap(), sealed);
        assert!(keys[0].open("step/2", &sealed).is_err());
        assert!(keys[1].open("step/1", &sealed).is_err());
        let mut bytes = STANDARD.decode(&sealed[SEALED.len()..]).unwrap();
        for position in 0..bytes.len() {
            bytes[position] ^= 1;
            assert!(keys[0].open("step/1", &format!("{SEALED}{}", STANDARD.encode(&bytes))).is_err());
            bytes[position] ^= 1;
        }
        for bad in ["", "sealed1:", "sealed1:AAAA", "sealed1:!", "hunter2"] {
            assert!(keys[0].open("step/1", bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_bad_record_is_refused_without_quoting_it() {
        let (store, keys) = keys(1).await;
        let (run, at) = (&keys[0].run, "secret/r0");
        let good = store.get(at).await.unwrap().unwrap();
        let text = String::from_utf8(good.to_vec()).unwrap();
        for bad in [text.replace("\"v\":1", "\"v\":2"), text.replace("r0", "r9"), text.replace("AA", "A"), "{".into()] {
            store.put(at, bad.into()).await.unwrap();
            let Err(error) = RunKey::load(&store, run, keys[0].world.clone()).await else { panic!("accepted") };
            assert!(error.to_string().contains(at) && !error.to_string().contains("AAAA"), "{error}");
        }
        store.delete(at).await.unwrap();
        let missing = RunKey::load(&store, run, keys[0].world.clone()).await;
        assert!(matches!(missing, Err(SecretError::Missing(_))));
    }
}
