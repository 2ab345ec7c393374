//! A strict S3 on the loopback: the rules of the pocket cloud without its hosts, and what meddles with their answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use dayfly::core::ids::sha256_hex;
use dayfly::platform::store::s3::S3Store;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

/// A server that ends with its owner.
pub struct Pocket {
    server: Child,
    pub ready: Value,
}

impl Drop for Pocket {
    fn drop(&mut self) {
        // Whatever kills this process closes the server's standard input, which ends it too.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Pocket {
    pub fn start() -> Self {
        Self::with_arguments(&[])
    }

    /// Speaks TLS, with certificates in this folder.
    pub fn start_with_tls(folder: &Path) -> Self {
        Self::with_arguments(&[folder.to_str().unwrap()])
    }

    fn with_arguments(arguments: &[&str]) -> Self {
        let python = venv().join("bin/python");
        assert!(
            python.exists(),
            "the pocket cloud's Python is not at {}: run '.ci/install pocket', or set DAYFLY_POCKET_VENV",
            python.display()
        );
        let mut server = Command::new(python)
            .args(["-m", "pocket.serve_without_hosts"])
            .args(arguments)
            .current_dir(cloud_folder())
            .env("PYTHONPATH", cloud_folder())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_ENDPOINT_URL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the pocket cloud did not start: {line:?}"));
        Self { server, ready }
    }

    pub fn text(&self, path: &str) -> String {
        self.ready.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no {path}")).to_owned()
    }

    pub fn endpoint(&self) -> String {
        self.text("/endpoint")
    }

    pub fn address(&self) -> SocketAddr {
        self.endpoint().rsplit_once('/').unwrap().1.parse().unwrap()
    }

    /// What a caller with these keys is configured with.
    pub async fn config(&self, who: &str, endpoint: &str) -> SdkConfig {
        let (id, secret) =
            (self.text(&format!("/keys/{who}/access_key_id")), self.text(&format!("/keys/{who}/secret_access_key")));
        config(&id, &secret, endpoint).await
    }

    /// A store of the account's master, in a place of its own.
    pub async fn store(&self, place: &str) -> S3Store {
        self.store_by(place, &self.endpoint()).await
    }

    /// The same by another way.
    pub async fn store_by(&self, place: &str, endpoint: &str) -> S3Store {
        let location = format!("{}/{place}", self.text("/store"));
        S3Store::with_config(&location, &self.config("admin", endpoint).await).await.unwrap()
    }

    pub fn fault(&self, fault: &Value) {
        self.control("POST", "/faults", &fault.to_string());
    }

    pub fn end_faults(&self) {
        self.fault(&json!({"clear": {}}));
    }

    /// The calls so far whose action is one of these.
    pub fn calls(&self, actions: &[&str]) -> Vec<Value> {
        let ledger: Vec<Value> = serde_json::from_str(&self.control("GET", "/ledger", "")).unwrap();
        ledger.into_iter().filter(|call| actions.contains(&call["action"].as_str().unwrap_or_default())).collect()
    }

    fn control(&self, method: &str, path: &str, body: &str) -> String {
        let address = self.text("/control").replace("http://", "");
        let mut stream = TcpStream::connect(&address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        body.to_owned()
    }
}

/// Keys and an endpoint, whatever this machine's own configuration says.
pub async fn config(id: &str, secret: &str, endpoint: &str) -> SdkConfig {
    let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(client)
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .load()
        .await
}

fn cloud_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud")
}

/// Where `.ci/install pocket` leaves it (tests/cloud/cache.sh).
fn venv() -> PathBuf {
    if let Some(path) = std::env::var_os("DAYFLY_POCKET_VENV") {
        return path.into();
    }
    let text = std::fs::read(cloud_folder().join("requirements.txt")).unwrap();
    let digest = sha256_hex(&text);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from);
    cache.join("dayfly").join(format!("pocket-venv-{}", &digest[..12]))
}

/// A way to the server on which some long answers break off in the middle.
pub struct Breaking {
    pub endpoint: String,
    pub broken: Arc<AtomicUsize>,
}

impl Breaking {
    /// Each of the first `times` connections that bring more than `after` bytes ends there. Before that, both sides meet
    /// twice, if they have a place to meet.
    pub async fn start(to: SocketAddr, after: u64, times: usize, meeting: Option<Arc<Barrier>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let broken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&broken);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = tokio::net::TcpStream::connect(to).await.unwrap();
                tokio::spawn(carry(near, far, after, times, Arc::clone(&count), meeting.clone()));
            }
        });
        Self { endpoint, broken }
    }
}

async fn carry(
    near: tokio::net::TcpStream,
    far: tokio::net::TcpStream,
    after: u64,
    times: usize,
    count: Arc<AtomicUsize>,
    meeting: Option<Arc<Barrier>>,
) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_near, &mut to_far).await });
    let _ = tokio::io::copy(&mut (&mut from_far).take(after), &mut to_near).await;
    let goes_on = from_far.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0);
    if goes_on && count.fetch_add(1, Ordering::SeqCst) < times {
        if let Some(meeting) = meeting {
            meeting.wait().await;
            meeting.wait().await;
        }
        return;
    }
    let _ = tokio::io::copy(&mut from_far, &mut to_near).await;
}

/// A server that gives one answer to everything.
pub async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                while stream.read(&mut head).await.is_ok_and(|bytes| bytes > 0) {}
            });
        }
    });
    endpoint
}
