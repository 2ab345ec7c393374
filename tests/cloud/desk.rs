//! A laptop inside the cloud's network: a folder with playbooks, a user's keys, and dayfly.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::cloud::Cloud;
use crate::ended::Ended;
use crate::going::Going;

/// Two workers say hello, leave marks outside at the begin and end of a step, and bring a file home.
pub const PIPELINE: &str = r#"
name: pocket
cluster:
  region: eu-west-1
  ttl: 15m
  master: {instance_type: t3.small, subnets: [SUBNET_A], iam_instance_profile: MASTER_PROFILE, ami: AMI}
  groups:
    work:
      count: 2
      instance_type: [c7i.large]
      subnets: [SUBNET_A, SUBNET_B]
      ami: AMI
plays:
  - name: Work
    hosts: work
    gather_facts: false
    tasks:
      - name: Say hello
        shell: |
          curl -sS -m 5 -d "{{ dayfly.run_id }} {{ inventory_hostname }} begin hello" http://10.77.0.1:5001/marks
          echo "hello from {{ inventory_hostname }}, {{ dayfly.rank }} of {{ dayfly.world_size }}"
      - name: Take a while
        shell: |
          curl -sS -m 5 -d "{{ dayfly.run_id }} {{ inventory_hostname }} begin while" http://10.77.0.1:5001/marks
          sleep {{ seconds | default(1) }}
          curl -sS -m 5 -d "{{ dayfly.run_id }} {{ inventory_hostname }} end while" http://10.77.0.1:5001/marks
          echo done > done.txt
results:
  - {from: work, paths: [done.txt]}
"#;

/// Where a person works. Its state folder is its own: two desks are two laptops.
pub struct Desk<'a> {
    cloud: &'a Cloud,
    top: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// Seconds that a scenario waits for the end of a run.
const PATIENCE: Duration = Duration::from_mins(4);

impl<'a> Desk<'a> {
    /// One with the keys of a person who launches, watches and reaps.
    pub fn new(cloud: &'a Cloud) -> Self {
        let top = tempfile::Builder::new().prefix("dfly").tempdir_in("/tmp").expect("a temporary folder");
        for name in ["home", "state", "run", "tmp", "play"] {
            std::fs::create_dir(top.path().join(name)).expect("a folder");
        }
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(top.path().join("run"), std::fs::Permissions::from_mode(0o700))
            .expect("a private folder");
        let desk = Self { cloud, top, environment: Vec::new() };
        desk.with_keys_of("operator")
            .env("DAYFLY_TIME_SCALE", "0.1")
            .env("DAYFLY_TIMING", r#"{"closing_wait_ms": 4000}"#)
    }

    /// The keys of another user of the cloud.
    pub fn with_keys_of(self, user: &str) -> Self {
        let key = self.cloud.fact(&format!("/credentials/{user}/access"));
        let secret = self.cloud.fact(&format!("/credentials/{user}/secret"));
        self.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret)
    }
    /// The cloud that it stands in.
    pub fn cloud(&self) -> &'a Cloud {
        self.cloud
    }
    /// Sets a variable for every command.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }
    /// The store, as a person writes it.
    pub fn store(&self) -> String {
        self.cloud.fact("/store")
    }
    /// The folder of playbooks.
    pub fn play(&self) -> PathBuf {
        self.top.path().join("play")
    }
    /// Writes a file beside the playbooks.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.play().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
        self
    }
    /// A playbook of `cluster`, `plays` and what else is given, with the cloud's subnets and names put in for
    /// `SUBNET_A`, `SUBNET_B`, `SUBNET_TINY`, `GROUP`, `AMI`, `MASTER_PROFILE` and `WORKER_PROFILE`.
    pub fn playbook(&self, name: &str, text: &str) -> &Self {
        let mut text = text.to_owned();
        for (word, pointer) in [
            ("SUBNET_A", "/subnets/a/id"),
            ("SUBNET_B", "/subnets/b/id"),
            ("SUBNET_TINY", "/subnets/tiny/id"),
            ("GROUP", "/security_group"),
            ("AMI", "/ami"),
            ("MASTER_PROFILE", "/profiles/master"),
            ("WORKER_PROFILE", "/profiles/worker"),
        ] {
            if text.contains(word) {
                text = text.replace(word, &self.cloud.fact(pointer));
            }
        }
        self.file(name, text)
    }

    /// Runs dayfly to its end.
    pub fn dayfly(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().expect("dayfly can be started");
        Ended::new(arguments, output)
    }
    /// Starts dayfly and returns.
    pub fn start(&self, arguments: &[&str]) -> Going {
        Going::start(arguments, self.command(arguments))
    }
    /// Launches a playbook and returns the run.
    pub fn launch(&self, playbook: &str) -> String {
        let launched = self.dayfly(&["launch", playbook]).exits(0);
        launched.stdout.lines().next().expect("a run id").to_owned()
    }
    /// Follows a run to its end, and returns what was said.
    pub fn attach(&self, run: &str) -> Ended {
        self.dayfly(&["attach", run])
    }
    /// Waits for the receipt.
    pub fn receipt(&self, run: &str) -> Value {
        self.cloud.until(&format!("a receipt of {run}"), PATIENCE, || {
            let said = self.dayfly(&["receipt", run]);
            serde_json::from_str(&said.stdout).ok()
        })
    }
    /// Lets the reaper look until the run is closed.
    pub fn close(&self, run: &str) {
        let key = format!("runs/{run}/closed.json");
        self.cloud.until(&key, PATIENCE, || {
            let reaped = self.dayfly(&["reap"]);
            // Shown where the test fails.
            println!("{}", reaped.whole());
            self.object(&key)
        });
    }
    /// An object of the store.
    pub fn object(&self, key: &str) -> Option<String> {
        let mut command = self.cloud.inside("curl");
        let url = format!("{}/{}/{key}", self.cloud.fact("/endpoint"), self.store().trim_start_matches("s3://"));
        let (user, secret) =
            (self.cloud.fact("/credentials/admin/access"), self.cloud.fact("/credentials/admin/secret"));
        command.args(["-sSf", "--aws-sigv4", "aws:amz:eu-west-1:s3", "--user", &format!("{user}:{secret}"), &url]);
        let output = command.output().expect("curl can be started");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Writes an object into the store, as nobody of this version would.
    pub fn put_object(&self, key: &str, content: &str) {
        let mut command = self.cloud.inside("curl");
        let url = format!("{}/{}/{key}", self.cloud.fact("/endpoint"), self.store().trim_start_matches("s3://"));
        let (user, secret) =
            (self.cloud.fact("/credentials/admin/access"), self.cloud.fact("/credentials/admin/secret"));
        command.args(["-sSf", "--aws-sigv4", "aws:amz:eu-west-1:s3", "--user", &format!("{user}:{secret}")]);
        let output = command
            .args(["-X", "PUT", "-H", "content-type: application/json", "--data-binary", content, &url])
            .output()
            .expect("curl can be started");
        assert!(output.status.success(), "{key}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.cloud.inside(&crate::programs::dayfly().to_string_lossy());
        command
            .args(arguments)
            .current_dir(self.play())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.top.path().join("home"))
            .env("USER", "founder")
            .env("XDG_STATE_HOME", self.top.path().join("state"))
            .env("XDG_RUNTIME_DIR", self.top.path().join("run"))
            .env("TMPDIR", self.top.path().join("tmp"))
            .env("DAYFLY_STORE", self.store())
            .env("AWS_ENDPOINT_URL", self.cloud.fact("/endpoint"))
            .env("AWS_REGION", self.cloud.fact("/region"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What a person would ask next.
            for arguments in [&["show", "last"][..], &["logs", "last", "--master"]] {
                if let Ok(output) = self.command(arguments).output() {
                    eprintln!("{}", Ended::new(arguments, output).whole());
                }
            }
            eprintln!("{}", crate::oracle::told(self.cloud, 200));
        }
        crate::processes::end(self.top.path());
    }
}
