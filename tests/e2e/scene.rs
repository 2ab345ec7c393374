//! A temporary folder with a store, a state folder, a HOME, and the programs that run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ended::Ended;
use crate::going::Going;
use crate::processes;

/// The stage of one scenario. When it goes, everything that it started goes with it.
pub struct Scene {
    top: tempfile::TempDir,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
}

impl Scene {
    /// An empty one. The name is short: control sockets below it must fit into an address.
    pub fn new() -> Self {
        let top = tempfile::Builder::new().prefix("dfly").tempdir_in("/tmp").expect("a temporary folder");
        for name in ["home", "state", "run", "tmp", "play"] {
            std::fs::create_dir(top.path().join(name)).expect("a folder");
        }
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(top.path().join("run"), std::fs::Permissions::from_mode(0o700))
            .expect("a private folder");
        Self { top, environment: vec![("DAYFLY_TIME_SCALE".into(), "0.25".into())], wrapper: Vec::new() }
    }

    /// The folder of everything.
    pub fn top(&self) -> &Path {
        self.top.path()
    }
    /// Where commands are run: playbooks stand here.
    pub fn play(&self) -> PathBuf {
        self.top().join("play")
    }
    /// The store.
    pub fn store(&self) -> PathBuf {
        self.top().join("store")
    }
    /// A path below the scene's folder, as text.
    pub fn path(&self, name: &str) -> String {
        self.top().join(name).display().to_string()
    }

    /// Writes a file beside the playbooks.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.play().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
        self
    }
    /// Sets a variable for every command.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }
    /// Factor of every duration.
    pub fn time_scale(self, factor: &str) -> Self {
        self.env("DAYFLY_TIME_SCALE", factor)
    }
    /// Runs every command inside another: `sh -c 'prepare; exec "$@"' sh dayfly …`.
    pub fn inside(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
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

    fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_dayfly");
        let mut words = self.wrapper.clone();
        words.push(program.to_owned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(arguments)
            .current_dir(self.play())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.top().join("home"))
            .env("USER", std::env::var("USER").unwrap_or_else(|_| "root".to_owned()))
            .env("XDG_STATE_HOME", self.top().join("state"))
            .env("XDG_RUNTIME_DIR", self.top().join("run"))
            .env("TMPDIR", self.top().join("tmp"))
            .env("DAYFLY_STORE", self.store())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Asserts that no process of this scene lives and no worker's folder is left. What ends a moment later is given it.
    pub fn nothing_left(&self) {
        let mut living = Vec::new();
        for _ in 0..50 {
            living = processes::of(self.top());
            if living.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(living.is_empty(), "still alive:\n{}", processes::describe(&living));
        let homes = self.top().join("state/dayfly/local");
        let left: Vec<PathBuf> = walk(&homes).into_iter().filter(|path| path.is_file()).collect();
        assert!(left.is_empty(), "workers' files are left: {left:?}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        processes::end(self.top());
    }
}

/// Every path below a folder; empty where there is none.
pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}
