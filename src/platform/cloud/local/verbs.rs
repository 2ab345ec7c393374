//! The cloud's verbs on this machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use async_trait::async_trait;
use nix::sys::signal::Signal;

use super::LocalCloud;
use super::ending::{end_without_warden, settle};
use super::machine::{Machine, instance, machines, run_folder};
use crate::core::ids::{InstanceId, RunId};
use crate::core::records::CloudKind;
use crate::platform::cloud::{Cloud, CloudError, Instance, InstanceState, LaunchError, LaunchOrder};

const CONSOLE_BYTES: u64 = 8 * 1024;

impl LocalCloud {
    /// Runs work on folders and processes where it may block.
    pub(super) async fn blocking<T, F>(&self, work: F) -> Result<T, CloudError>
    where
        T: Send + 'static,
        F: FnOnce(&Path) -> io::Result<T> + Send + 'static,
    {
        let state = self.settings.state.clone();
        let joined = tokio::task::spawn_blocking(move || work(&state)).await;
        joined.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| CloudError(error.to_string()))
    }
}

#[async_trait]
impl Cloud for LocalCloud {
    fn kind(&self) -> CloudKind {
        CloudKind::Local
    }

    async fn launch(&self, order: &LaunchOrder, host_key: &str) -> Result<Vec<Instance>, LaunchError> {
        self.launch_all(order, host_key).await
    }

    async fn describe(&self, run: &RunId, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        let (run, ids) = (run.clone(), ids.to_vec());
        self.blocking(move |state| {
            let mut found = Vec::new();
            for id in &ids {
                found.extend(look(&Machine::of(state, &run, id))?);
            }
            Ok(found)
        })
        .await
    }

    async fn terminate(&self, run: &RunId, ids: &[InstanceId]) -> Result<(), CloudError> {
        let (run, ids) = (run.clone(), ids.to_vec());
        self.blocking(move |state| {
            ids.iter().map(|id| Machine::of(state, &run, id)).try_for_each(|machine| ask_to_end(&machine))
        })
        .await
    }

    async fn sweep(&self, run: &RunId) -> Result<Vec<Instance>, CloudError> {
        let run = run.clone();
        self.blocking(move |state| {
            let mut found = Vec::new();
            for machine in machines(state, &run)? {
                found.extend(look(&machine)?.filter(|instance| instance.state != InstanceState::Terminated));
            }
            Ok(found)
        })
        .await
    }

    async fn console(&self, run: &RunId, id: &InstanceId) -> Option<String> {
        let (run, id) = (run.clone(), id.clone());
        let said = self.blocking(move |state| {
            let machine = Machine::of(state, &run, &id);
            let why = machine.state()?.map(|state| state.why).unwrap_or_default();
            let texts = [tail(&machine.path("sshd.log"))?, tail(&machine.path("warden.log"))?, why];
            let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
            Ok(texts.join("\n"))
        });
        said.await.ok().filter(|text| !text.is_empty())
    }

    async fn forget(&self, run: &RunId) -> Result<(), CloudError> {
        let run = run.clone();
        self.blocking(move |state| {
            let living: BTreeSet<_> = machines(state, &run)?
                .iter()
                .map(look)
                .filter_map(Result::transpose)
                .filter(|instance| !matches!(instance, Ok(Instance { state: InstanceState::Terminated, .. })))
                .map(|instance| instance.map(|instance| instance.id))
                .collect::<io::Result<_>>()?;
            if !living.is_empty() {
                return Err(io::Error::other(format!("workers of this run still live: {living:?}")));
            }
            match fs::remove_dir_all(run_folder(state, &run)) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }
}

/// The worker of a folder; none where the folder is not one.
fn look(machine: &Machine) -> io::Result<Option<Instance>> {
    let Some(order) = machine.order()? else { return Ok(None) };
    Ok(Some(instance(&order, &settle(machine)?)))
}

/// Tells the warden to end its worker, or ends it where there is no warden.
fn ask_to_end(machine: &Machine) -> io::Result<()> {
    if machine.order()?.is_none() || end_without_warden(machine)? {
        return Ok(());
    }
    // The file is what counts: a warden that has just started looks for it, too.
    File::create(machine.path("terminate"))?;
    if let Some(warden) = machine.state()?.and_then(|state| state.warden) {
        warden.signal(Signal::SIGTERM);
    }
    Ok(())
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}
