//! Opens the way to one agent: ssh, the agent's binary, the agent, and its first words.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder};
use tonic::transport::{Channel, Endpoint};

use super::settings::{file_name, own};
use super::transport::{Transport, Words};
use super::{Greeting, LinkError, LinkOrder, SshSettings, failure, ssh_config};
use crate::core::ids::sha256_hex;
use crate::core::timing::ms;
use crate::core::wire::agent_client::AgentClient;
use crate::core::wire::{HelloRequest, WIRE_VERSION};
use crate::platform::cloud::Reach;

/// One stream's credit; the connection's is that of all streams together, so that one which nobody reads holds up none.
const STREAM_WINDOW: u32 = 512 << 10;
const STREAMS: u32 = 128;
const MESSAGE: usize = 64 << 20;
/// After a kill of this process, ssh goes when it has been idle this many seconds.
const IDLE_S: usize = 5;
/// Shorter makes no sense however tests scale time: key exchange costs what it costs.
const LEAST_PATIENCE: Duration = Duration::from_secs(10);
/// ssh gives up by itself after the connect timeout and says why; this is for what it does besides.
const LOGIN: Duration = Duration::from_secs(5);
const UPLOAD_PATIENCE: Duration = Duration::from_mins(15);

/// An agent that answers.
pub struct Connection {
    /// Its calls.
    pub client: AgentClient<Channel>,
    /// Its first words.
    pub greeting: Greeting,
    session: Option<Arc<Session>>,
    _files: Files,
}

/// The files of a connection that ssh reads; they go with it, also where it is never opened.
#[derive(Default)]
struct Files(Vec<PathBuf>);

impl Drop for Files {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Connection {
    /// Opens it all.
    pub async fn open(settings: &SshSettings, order: &LinkOrder) -> Result<Self, LinkError> {
        let patience = ms(order.timing.connect_ms).max(LEAST_PATIENCE);
        let words = Words::default();
        let (transport, session, files) = match &order.reach {
            Reach::Child => (child(settings, order, &words)?, None, Files::default()),
            Reach::Ssh { address, .. } => {
                let (session, files) = within(patience + LOGIN, address, connect(settings, order, address)).await?;
                let transport = agent(settings, order, address, &session, &words, patience).await?;
                (transport, Some(session), files)
            }
        };
        let mut transport = Some(transport);
        let connector = tower::service_fn(move |_| {
            let once = transport.take().map(TokioIo::new);
            async move { once.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected)) }
        });
        let channel = Endpoint::from_static("http://agent")
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW * STREAMS)
            .connect_with_connector_lazy(connector);
        let mut client =
            AgentClient::new(channel).max_decoding_message_size(MESSAGE).max_encoding_message_size(MESSAGE);
        let name = order.slot.to_string();
        let greeting = within(patience, &name, async { hello(&mut client, order).await }).await;
        let greeting = match greeting {
            Ok(greeting) => greeting,
            Err(LinkError::Unknown(lost)) => {
                // What the shell or the agent said on stderr explains it better than the broken stream.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let said = words.text();
                return Err(if said.is_empty() { LinkError::Unknown(lost) } else { failure::of_shell(&said, &name) });
            }
            Err(error) => return Err(error),
        };
        Ok(Self { client, greeting, session, _files: files })
    }

    /// Ends it; ssh's own process goes too. Steps go on.
    pub async fn close(self) {
        let Self { client, session, .. } = self;
        drop(client);
        let Some(mut session) = session else { return };
        // The HTTP/2 task lets go of its channel in a moment.
        for _ in 0..200 {
            match Arc::try_unwrap(session) {
                Ok(session) => {
                    let _ = session.close().await;
                    return;
                }
                Err(shared) => session = shared,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // A session that is dropped asks its ssh to end, and waits for the answer: never on a thread that others need.
        drop(tokio::task::spawn_blocking(move || drop(session)).await);
    }
}

/// Says hello, and claims the epoch.
pub async fn hello(client: &mut AgentClient<Channel>, order: &LinkOrder) -> Result<Greeting, LinkError> {
    let request = HelloRequest {
        version: WIRE_VERSION,
        run: order.run.to_string(),
        host: order.slot.host.to_string(),
        incarnation: order.slot.incarnation.0,
        epoch: order.epoch.0,
    };
    let reply = client.hello(request).await.map_err(|status| failure::of_status(&status))?.into_inner();
    Ok(Greeting {
        boot_id: reply.boot_id,
        root: reply.root,
        user: reply.user,
        home: reply.home,
        known_steps: reply.known_steps,
    })
}

async fn within<T>(
    patience: Duration,
    whom: &str,
    work: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    let late = || LinkError::Unknown(format!("{whom} did not answer for {} s", patience.as_secs()));
    tokio::time::timeout(patience, work).await.map_err(|_| late())?
}

fn child(settings: &SshSettings, order: &LinkOrder, words: &Words) -> Result<Transport, LinkError> {
    let told = |why: String| LinkError::Unreachable(format!("{}: {why}", settings.agent.display()));
    let mut child = tokio::process::Command::new(&settings.agent)
        .args(["connect", "--run", order.run.as_str(), "--host", order.slot.host.as_str(), "--incarnation"])
        .arg(order.slot.incarnation.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for the master; the agent ends with its stdin.
        .process_group(0)
        .spawn()
        .map_err(|error| told(error.to_string()))?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(told("no pipes".into()));
    };
    words.listen(stderr);
    Ok(Transport::new(stdout, stdin, child))
}

async fn connect(settings: &SshSettings, order: &LinkOrder, address: &str) -> Result<(Arc<Session>, Files), LinkError> {
    // A connection that is being closed still owns its files when the next one is opened.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = &sha256_hex(order.slot.to_string().as_bytes())[..16];
    let file = |kind: &str| settings.control_dir.join(file_name(name, count, kind));
    let (config, known_hosts) = (file("config"), file("hosts"));
    let connect_s = ms(order.timing.connect_ms).max(LEAST_PATIENCE).as_secs();
    let text = ssh_config::text(&order.reach, &settings.identity, &known_hosts, connect_s);
    let Reach::Ssh { host_keys, port, .. } = &order.reach else {
        return Err(LinkError::Unreachable("not reached by ssh".into()));
    };
    let pins: String = host_keys.iter().map(|line| ssh_config::pin(line, address, *port) + "\n").collect();
    let files = Files(vec![config.clone(), known_hosts.clone()]);
    // The last connection that was closed took the folder with it; one that is closed at this moment may take it again.
    let write = || {
        if !settings.control_dir.exists() {
            own(&settings.control_dir)?;
        }
        std::fs::write(&config, &text)?;
        std::fs::write(&known_hosts, &pins)
    };
    write()
        .or_else(|_| write())
        .map_err(|error| LinkError::Unreachable(format!("{}: {error}", settings.control_dir.display())))?;
    let check = if host_keys.is_empty() { users_check(&config, address).await } else { KnownHosts::Strict };
    let mut builder = SessionBuilder::default();
    builder.config_file(&config).known_hosts_check(check).control_directory(&settings.control_dir);
    builder.control_persist(
        std::num::NonZeroUsize::new(IDLE_S).map_or_else(ControlPersist::default, ControlPersist::IdleFor),
    );
    let session = builder
        .connect_mux(ssh_config::destination(&order.reach))
        .await
        .map_err(|error| failure::of_ssh(&error, address))?;
    Ok((Arc::new(session), files))
}

/// What the user's own configuration says of unknown host keys. Nobody can be asked, so `ask` is a no.
async fn users_check(config: &Path, address: &str) -> KnownHosts {
    let asked = tokio::process::Command::new("ssh").arg("-F").arg(config).args(["-G", address]).output().await;
    let text = asked.map(|asked| String::from_utf8_lossy(&asked.stdout).into_owned()).unwrap_or_default();
    match text.lines().find_map(|line| line.strip_prefix("stricthostkeychecking ")) {
        Some("accept-new") => KnownHosts::Add,
        Some("no" | "off" | "false") => KnownHosts::Accept,
        _ => KnownHosts::Strict,
    }
}

/// Finds the agent's folder, as the agent itself does; then runs it, or says that it is missing.
const RUN: &str = r#"b="$DAYFLY_BASE"; if [ -z "$b" ]; then if [ "$(id -u)" = 0 ]; then b=/var/lib/dayfly; else b="$HOME/.dayfly"; fi; fi; a="$b/bin/$1/dayfly-agent"; if [ -x "$a" ]; then echo dayfly:ready; exec "$a" connect --run "$2" --host "$3" --incarnation "$4" --base "$b"; fi; echo dayfly:missing"#;
/// Takes the agent from stdin; it gets its name only when it is whole.
const STORE: &str = r#"umask 077; b="$DAYFLY_BASE"; if [ -z "$b" ]; then if [ "$(id -u)" = 0 ]; then b=/var/lib/dayfly; else b="$HOME/.dayfly"; fi; fi; d="$b/bin/$1"; t="$d/.new.$$"; mkdir -p "$d" && cat > "$t" && [ "$(wc -c < "$t")" -eq "$2" ] && chmod 700 "$t" && mv -f "$t" "$d/dayfly-agent" && echo dayfly:stored || { rm -f "$t"; exit 1; }"#;

async fn agent(
    settings: &SshSettings,
    order: &LinkOrder,
    address: &str,
    session: &Arc<Session>,
    words: &Words,
    patience: Duration,
) -> Result<Transport, LinkError> {
    let (host, incarnation) = (order.slot.host.as_str(), order.slot.incarnation.to_string());
    let run = command(RUN, &[&settings.agent_sha256, order.run.as_str(), host, &incarnation]);
    for is_first in [true, false] {
        let mut transport = within(patience, address, channel(session, &run, address, words)).await?;
        match within(patience, address, answer(&mut transport, words)).await?.as_str() {
            "ready" => return Ok(transport),
            _ if is_first => within(UPLOAD_PATIENCE, address, upload(settings, address, session)).await?,
            _ => break,
        }
    }
    Err(LinkError::Unreachable(format!("the agent was brought to {address} but cannot run there: {}", words.text())))
}

async fn upload(settings: &SshSettings, address: &str, session: &Arc<Session>) -> Result<(), LinkError> {
    let local = |error: std::io::Error| LinkError::Unreachable(format!("{}: {error}", settings.agent.display()));
    let mut agent = tokio::fs::File::open(&settings.agent).await.map_err(local)?;
    let size = agent.metadata().await.map_err(local)?.len();
    let words = Words::default();
    let store = command(STORE, &[&settings.agent_sha256, &size.to_string()]);
    let mut transport = channel(session, &store, address, &words).await?;
    let lost = |error: std::io::Error| LinkError::Unknown(format!("the agent's way to {address}: {error}"));
    let copied = tokio::io::copy(&mut agent, &mut transport).await;
    // Where the shell has given up, its own words say more than the broken pipe.
    let _ = tokio::io::AsyncWriteExt::shutdown(&mut transport).await;
    transport.finish_writing();
    match answer(&mut transport, &words).await {
        Ok(said) if said == "stored" => Ok(()),
        Ok(said) => Err(LinkError::Unreachable(format!("the agent cannot be stored on {address}: {said}"))),
        Err(error @ LinkError::Unreachable(_)) => Err(error),
        Err(error) => Err(copied.err().map_or(error, lost)),
    }
}

/// The shell's one line; a login that prints something first is put up with.
async fn answer(transport: &mut Transport, words: &Words) -> Result<String, LinkError> {
    for _ in 0..200 {
        match transport.line().await {
            Ok(Some(line)) => {
                if let Some(said) = line.trim_end().strip_prefix("dayfly:") {
                    return Ok(said.to_owned());
                }
            }
            Ok(None) => break,
            Err(error) => return Err(LinkError::Unknown(error.to_string())),
        }
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let said = words.text();
    Err(if said.is_empty() {
        LinkError::Unknown("the worker's shell ended without a word".into())
    } else {
        failure::of_shell(&said, "the worker")
    })
}

async fn channel(session: &Arc<Session>, command: &str, address: &str, words: &Words) -> Result<Transport, LinkError> {
    let mut child = Arc::clone(session)
        .arc_raw_command(command)
        .stdin(openssh::Stdio::piped())
        .stdout(openssh::Stdio::piped())
        .stderr(openssh::Stdio::piped())
        .spawn()
        .await
        .map_err(|error| failure::of_ssh(&error, address))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin().take(), child.stdout().take(), child.stderr().take())
    else {
        return Err(LinkError::Unknown(format!("no pipes to {address}")));
    };
    words.listen(stderr);
    Ok(Transport::new(stdout, stdin, child))
}

/// A script and its arguments for whatever shell the login has.
fn command(script: &str, arguments: &[&str]) -> String {
    let mut command = format!("exec /bin/sh -c {} dayfly", quoted(script));
    for argument in arguments {
        command.push(' ');
        command.push_str(&quoted(argument));
    }
    command
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
