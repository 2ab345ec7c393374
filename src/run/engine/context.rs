//! What every executor of a run shares; nothing in it changes but through the journal.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc, watch};

use super::history::History;
use super::launches::Launches;
use super::variables::{HostScope, PlayScopes, Snapshot};
use super::watch::Watch;
use super::{EngineError, Stop};
use crate::core::event::{Event, EventKind};
use crate::core::ids::{Epoch, HostName, HostSlot, Incarnation, InstanceId, StepKey};
use crate::core::records::{FORMAT_VERSION, Spec};
use crate::core::redact::Redactor;
use crate::core::source::{Files, SourceMap};
use crate::core::values::{Var, Vars};
use crate::core::world::World;
use crate::language::plan::{PlanTask, TagFilter};
use crate::language::playbook::{Play, Playbook};
use crate::language::template::{Doors, Scope, Templar};
use crate::platform::cloud::{Cloud, Reach};
use crate::platform::remote::{Connector, Link, LinkOrder};
use crate::platform::secrets::RunKey;
use crate::platform::store::journal::Journal;
use crate::platform::store::{Store, layout};
use crate::run::actions::{FETCHED_MODE, Finder, read_vars};
use crate::run::collect::LogBook;
use crate::run::lookups::{EnvAccess, Lookups};

/// A host that can be reached.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) slot: HostSlot,
    pub(super) instance: Option<InstanceId>,
    pub(super) link: Arc<dyn Link>,
    /// Address by which other workers reach it.
    pub(super) address: String,
}

/// The hosts that can be reached at one moment.
pub(super) type Members = Arc<HashMap<HostName, Member>>;

/// Shared by all executors of one master.
pub(super) struct Context {
    pub(super) spec: Spec,
    pub(super) epoch: Epoch,
    pub(super) store: Arc<dyn Store>,
    pub(super) cloud: Arc<dyn Cloud>,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) world: Arc<dyn World>,
    pub(super) journal: Journal,
    pub(super) history: History,
    pub(super) launches: Launches,
    /// The hard end, UNIX milliseconds; people may move it.
    pub(super) deadline: watch::Receiver<i64>,
    pub(super) run_key: RunKey,
    pub(super) logs: LogBook,
    pub(super) redactor: Redactor,
    pub(super) playbook: Playbook,
    pub(super) sources: SourceMap,
    pub(super) tags: TagFilter,
    pub(super) workspace: PathBuf,
    /// The folder of the playbook inside the workspace.
    pub(super) playbook_dir: PathBuf,
    /// Where `fetch` and other steps on the master write.
    pub(super) output_dir: PathBuf,
    pub(super) scratch: PathBuf,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) stop: watch::Receiver<Stop>,
    /// Asks for the end from inside.
    pub(super) watch: Watch,
    /// Agents that end with the master and not with a group: on its own machine and on hosts of an inventory.
    pub(super) children: Mutex<HashMap<HostName, Member>>,
    /// `--forks`: as many tasks run at once; none means no limit.
    pub(super) forks: Option<Arc<Semaphore>>,
    /// Hosts on which this master did something new: from then on nothing of theirs was told before.
    pub(super) fresh: Mutex<HashSet<HostName>>,
}

impl Context {
    /// Tells the views; a closed receiver does not matter.
    pub(super) fn emit(&self, kind: EventKind) {
        self.tell(kind, false);
    }
    /// The same, marked where it is only told again.
    pub(super) fn tell(&self, kind: EventKind, replayed: bool) {
        let event = Event { v: FORMAT_VERSION, at_ms: self.world.unix_ms(), replayed, kind };
        // The receiver may be gone: nobody looks.
        drop(self.events.send(event));
    }
    /// A link to a machine.
    pub(super) fn link(&self, slot: &HostSlot, reach: crate::platform::cloud::Reach) -> Arc<dyn Link> {
        self.connector.link(LinkOrder {
            run: self.spec.run.clone(),
            epoch: self.epoch,
            slot: slot.clone(),
            reach,
            timing: self.spec.timing.clone(),
        })
    }
    /// Whether somebody asked for the end.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow() != Stop::No
    }
    /// Why the run is being stopped.
    pub(super) fn stop_reason(&self) -> String {
        match &*self.stop.borrow() {
            Stop::No => String::new(),
            Stop::Cancel { by } => format!("cancelled by {by}"),
            Stop::Expired => "the deadline came".to_owned(),
            Stop::Broken { why } => why.clone(),
        }
    }
    /// The first part of every key.
    pub(super) fn key_prefix(&self) -> &str {
        self.spec.run.as_str()
    }
    /// When the first master began, UNIX milliseconds.
    pub(super) fn started_ms(&self) -> i64 {
        if self.history.started_ms > 0 { self.history.started_ms } else { self.spec.created_ms }
    }
    /// The hard end, UNIX milliseconds.
    pub(super) fn deadline_ms(&self) -> i64 {
        *self.deadline.borrow()
    }
    /// Whether the journal has an outcome for a key.
    pub(super) fn knows(&self, key: &StepKey) -> bool {
        self.history.steps.contains_key(key) || self.history.judged.contains_key(key)
    }
    /// Where people have a file of the bundle: beside their playbook, in a run in the foreground.
    pub(super) fn real(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.playbook_dir).map_or_else(|_| path.to_owned(), |below| self.output_dir.join(below))
    }
    /// Whether what a task did on a host was told by an earlier master: its steps were all answered by the journal, or it
    /// had none and nothing new has happened there yet.
    pub(super) fn is_told_again(&self, host: &HostName, did_something: bool, has_steps: bool) -> bool {
        if !self.history.is_resumed {
            return false;
        }
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if did_something {
            fresh.insert(host.clone());
        }
        !did_something && (has_steps || !fresh.contains(host))
    }
    /// The lookups of this run.
    pub(super) fn lookups(&self) -> Lookups {
        Lookups { playbook_dir: self.playbook_dir.clone(), workspace: self.output_dir.clone(), env: self.env_access() }
    }
    fn env_access(&self) -> EnvAccess {
        if self.spec.options.env_open { EnvAccess::Process } else { EnvAccess::Only(self.spec.options.env.clone()) }
    }

    /// An agent that runs on the master's own machine, for `localhost` and `connection: local`.
    pub(super) fn master_member(&self, host: &HostName) -> Member {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children
            .entry(host.clone())
            .or_insert_with(|| {
                let slot = HostSlot { host: host.clone(), incarnation: Incarnation(1) };
                let link = self.link(&slot, Reach::Child);
                self.logs.begin(&slot, link.clone());
                Member { slot, instance: None, link, address: "127.0.0.1".to_owned() }
            })
            .clone()
    }
    /// The hosts that this run used and that outlive it: this machine and those of the inventory.
    pub(super) fn standing(&self) -> Vec<Member> {
        let mut members: Vec<Member> =
            self.children.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        members.sort_by(|a, b| a.slot.cmp(&b.slot));
        members
    }
    /// Ends the links to hosts that outlive the run. Where the run itself is over, what it left there is removed.
    pub(super) async fn close_children(&self, is_over: bool) {
        let close = |child: Member| async move {
            self.logs.end(&child.slot).await;
            if is_over {
                // A host that cannot be reached keeps it; its agent prunes old runs by itself.
                let limit = crate::core::timing::ms(self.spec.timing.connect_ms);
                drop(tokio::time::timeout(limit, child.link.forget()).await);
            }
            child.link.close().await;
        };
        futures::future::join_all(self.standing().into_iter().map(close)).await;
    }
    /// A host of the inventory, or localhost; `user` is the play's `remote_user`, which the inventory's own beats.
    pub(super) async fn inventory_member(&self, host: &HostName, user: Option<String>) -> Option<Member> {
        let id = InstanceId::new(host.as_str());
        let found = self.cloud.describe(&self.spec.run, std::slice::from_ref(&id)).await.ok();
        let instance = found.into_iter().flatten().find(|instance| instance.id == id);
        let mut reach = match instance.and_then(|instance| instance.reach) {
            Some(reach) => reach,
            None if host.as_str() == "localhost" => return Some(self.master_member(host)),
            None => return None,
        };
        if let (Reach::Ssh { user: login @ None, .. }, Some(_)) = (&mut reach, &user) {
            *login = user;
        }
        if reach == Reach::Child {
            return Some(self.master_member(host));
        }
        let address = match &reach {
            Reach::Ssh { address, .. } => address.clone(),
            Reach::Child => "127.0.0.1".to_owned(),
        };
        let slot = HostSlot { host: host.clone(), incarnation: Incarnation(1) };
        let link = self.link(&slot, reach);
        self.logs.begin(&slot, link.clone());
        let member = Member { slot, instance: None, link, address };
        self.children.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), member.clone());
        Some(member)
    }

    /// The variables of a play's `vars_files` for a host; of an entry that is a list the first file that exists.
    pub(super) fn vars_files(
        &self,
        play: &Play,
        snapshot: &Arc<Snapshot>,
        host: &HostName,
        scopes: &PlayScopes,
    ) -> Result<Vars, String> {
        let mut vars = Vars::new();
        let finder = Finder::new([self.playbook_dir.clone(), self.output_dir.clone(), self.workspace.clone()]);
        for entry in &play.vars_files {
            let names = match entry.to_value() {
                Value::Array(names) => names,
                name => vec![name],
            };
            let mut found = None;
            let mut tried = Vec::new();
            for name in names {
                let name = render_plain(snapshot, host, scopes, &name)?;
                let name = crate::language::args::text_of(&name);
                match finder.find("vars", &name) {
                    Ok(path) => {
                        found = Some(path);
                        break;
                    }
                    Err(why) => tried.push(why),
                }
            }
            let path = found.ok_or_else(|| tried.join("; "))?;
            vars.extend(read_vars(&path)?.into_iter().map(|(name, value)| (name, Var::written(value))));
        }
        Ok(vars)
    }

    /// Puts a file that a step on the master wrote into the store, so that another master has it too.
    pub(super) async fn keep(&self, sha256: &str, file: &Path) -> Engine<()> {
        Ok(self.store.put_file(&layout::blob_key(&self.spec.run, sha256), file).await?)
    }
    /// Brings such a file back where this master does not have it.
    pub(super) async fn restore(&self, sha256: &str, dest: &Path) -> Engine<()> {
        for root in self.fetch_roots() {
            self.restore_below(root, sha256, dest).await?;
        }
        Ok(())
    }
    /// Where `fetch` writes: for a plain playbook in the foreground its own folder, and always the workspace, where later
    /// steps look.
    pub(super) fn fetch_roots(&self) -> Vec<&Path> {
        let mut roots = vec![self.output_dir.as_path()];
        if self.output_dir != self.playbook_dir {
            roots.push(self.playbook_dir.as_path());
        }
        roots
    }
    async fn restore_below(&self, root: &Path, sha256: &str, dest: &Path) -> Engine<()> {
        let path = root.join(dest);
        if crate::run::collect::sha256_of(&path).is_ok_and(|(_, known)| known == sha256) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            let made = std::fs::create_dir_all(parent);
            made.map_err(|error| EngineError::Internal(format!("{}: {error}", parent.display())))?;
        }
        self.store.get_file(&layout::blob_key(&self.spec.run, sha256), &path).await?;
        let set = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(FETCHED_MODE));
        set.map_err(|error| EngineError::Internal(format!("{}: {error}", path.display())))
    }
}

/// A task's name for people: rendered in the scope of its first host where that works, else as written.
pub(super) fn task_name(task: &PlanTask, snapshot: &Arc<Snapshot>, host: &HostName, scopes: &PlayScopes) -> String {
    let Some(name) = &task.task.name else { return task.task.action.name.clone() };
    let rendered = render_plain(snapshot, host, scopes, &Value::String(name.value.clone()));
    rendered.map_or_else(|_| name.value.clone(), |value| crate::language::args::text_of(&value))
}

/// A handler's name, rendered with the variables that are the same for all hosts where it is a template.
pub(super) fn plain_text(text: &str, snapshot: &Arc<Snapshot>, play: &Arc<Vars>) -> String {
    if !crate::language::playbook::is_template(text) {
        return text.to_owned();
    }
    let localhost = HostName::new("localhost");
    let scopes = PlayScopes { play: vec![play.clone()], ..PlayScopes::default() };
    let rendered = render_plain(snapshot, &localhost, &scopes, &Value::String(text.to_owned()));
    rendered.map_or_else(|_| text.to_owned(), |value| crate::language::args::text_of(&value))
}

/// Renders a value outside of any task: keywords of plays. Time, chance and lookups are not there.
pub(super) fn render_plain(
    snapshot: &Arc<Snapshot>,
    host: &HostName,
    scopes: &PlayScopes,
    value: &Value,
) -> Result<Value, String> {
    let layers = snapshot.layers(host, scopes, Vec::new());
    let scope = HostScope::new(layers, snapshot.clone(), host.clone());
    Templar::new(Arc::new(scope), Arc::new(NoDoors)).value(value).map_err(|error| error.message)
}

/// Keywords of plays are rendered without the outside world: nothing there could be pinned under a step's key.
struct NoDoors;

impl Doors for NoDoors {
    fn lookup(
        &self,
        name: &str,
        _terms: &[Value],
        _options: &Map<String, Value>,
        _scope: &Arc<dyn Scope>,
    ) -> Result<Vec<Value>, String> {
        Err(format!("lookup('{name}') cannot be used here; set a variable by set_fact first"))
    }
    fn path_is(&self, test: &str, _: &str, _: Option<&str>) -> Result<bool, String> {
        Err(format!("the test '{test}' cannot be used here; set a variable by set_fact first"))
    }
    fn now_ms(&self) -> Result<i64, String> {
        Err("the time cannot be used here; set a variable by set_fact first".to_owned())
    }
    fn random(&self) -> Result<u64, String> {
        Err("chance cannot be used here; set a variable by set_fact first".to_owned())
    }
}

/// The playbook's files, as `language` reads them.
#[derive(Clone, Debug)]
pub struct Workspace;

impl Files for Workspace {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// The result of everything that may end the run itself.
pub(super) type Engine<T> = Result<T, EngineError>;
