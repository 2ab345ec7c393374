//! The local cloud for real: sshd processes, logins, leases, killed wardens, and nothing left at the end.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure is told")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dayfly::core::ids::{GroupName, HostName, HostSlot, Incarnation, InstanceId, RunId};
use dayfly::core::records::GroupSpec;
use dayfly::core::timing::Timing;
use dayfly::platform::cloud::host_key::known_hosts_line;
use dayfly::platform::cloud::local::{LocalCloud, LocalSettings};
use dayfly::platform::cloud::{Cloud, Instance, InstanceState, LaunchError, LaunchOrder, Pick, Reach};
use dayfly::platform::secrets::SshIdentity;

/// One run in a folder of its own. Dropped, it ends what a failed test left, by the numbers in its folder.
struct Desk {
    folder: tempfile::TempDir,
    cloud: LocalCloud,
    run: RunId,
    login: SshIdentity,
    host_key: SshIdentity,
}

impl Desk {
    fn new(run: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("local");
        let dayfly = std::env::var_os("DAYFLY_COPY").map_or(env!("CARGO_BIN_EXE_dayfly").into(), PathBuf::from);
        let cloud = LocalCloud::new(LocalSettings { state, dayfly, timing: Timing::default() });
        let login = SshIdentity::from_seed(&[1; 32], "login").unwrap();
        let host_key = SshIdentity::from_seed(&[2; 32], "host").unwrap();
        let desk = Self { folder, cloud, run: RunId::new(run), login, host_key };
        desk.write("login", &desk.login.private_pem);
        desk
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn order(&self, token: &str, count: u32) -> LaunchOrder {
        let slot = |number| HostSlot { host: HostName::new(format!("work-{number}")), incarnation: Incarnation(1) };
        LaunchOrder {
            run: self.run.clone(),
            group: GroupName::new("work"),
            token: token.to_owned(),
            slots: (0..count).map(slot).collect(),
            spec: GroupSpec::default(),
            pick: Pick::only(),
            authorized_key: self.login.public_line.clone(),
            deadline_ms: i64::MAX,
            lease_ms: 600_000,
        }
    }

    async fn launch(&self, order: &LaunchOrder) -> Vec<Instance> {
        let launched = self.cloud.launch(order, &self.host_key.private_pem).await.unwrap();
        for instance in &launched {
            assert_eq!(
                instance.state,
                InstanceState::Running,
                "{:?}",
                self.cloud.console(&self.run, &instance.id).await
            );
        }
        launched
    }

    async fn state(&self, id: &InstanceId) -> Option<InstanceState> {
        let found = self.cloud.describe(&self.run, std::slice::from_ref(id)).await.unwrap();
        found.first().map(|instance| instance.state)
    }

    async fn until_gone(&self, id: &InstanceId) {
        let patience = Instant::now() + Duration::from_secs(20);
        while self.state(id).await != Some(InstanceState::Terminated) {
            assert!(Instant::now() < patience, "{id} is still {:?}", self.state(id).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn ssh(&self, instance: &Instance, script: &str) -> Output {
        let Some(Reach::Ssh { address, port, user, host_keys, .. }) = &instance.reach else { panic!("{instance:?}") };
        let known = self.write(&format!("known-{port}"), &(host_keys.join("\n") + "\n"));
        Command::new("ssh")
            .args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"])
            .args(["-o", "GlobalKnownHostsFile=none", "-o", &format!("UserKnownHostsFile={}", known.display())])
            .args(["-i", &self.folder.path().join("login").display().to_string()])
            .args(["-p", &port.to_string(), &format!("{}@{address}", user.as_ref().unwrap()), script])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn says(&self, instance: &Instance, script: &str) -> String {
        let output = self.ssh(instance, script);
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn machine(&self, instance: &Instance) -> PathBuf {
        self.folder.path().join("local").join(self.run.as_str()).join(instance.id.as_str())
    }

    /// A number from the machine's state: `warden` or `sshd`.
    fn pid(&self, instance: &Instance, who: &str) -> u32 {
        let state = fs::read(self.machine(instance).join("state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        u32::try_from(state[who]["pid"].as_u64().unwrap()).unwrap()
    }

    fn nothing_is_left(&self, instance: &Instance, pids: &[u32]) {
        for pid in pids {
            assert!(!lives(*pid), "process {pid} still lives");
        }
        assert!(!self.machine(instance).join("home").exists());
        assert_eq!(below(self.folder.path()), Vec::<String>::new());
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for who in below(self.folder.path()) {
            let pid = who.split(' ').next().unwrap_or_default().to_owned();
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
    }
}

fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Living processes that name the folder in their arguments or their environment: wardens, sshds, sessions, steps.
fn below(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let text = |name: &str| {
            let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let (arguments, environment) = (text("cmdline"), text("environ"));
        if pid != std::process::id() && lives(pid) && (arguments.contains(&folder) || environment.contains(&folder)) {
            found.push(format!("{pid} {arguments}"));
        }
    }
    found
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// A child that leaves its session, its parent and its output behind; prints its number.
const LEAVE_BEHIND: &str = "setsid sh -c 'echo $$ > pid; exec sleep 1000' >/dev/null 2>&1 </dev/null & \
                            while [ ! -s pid ]; do sleep 0.01; done; cat pid";

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_machines_of_their_own_and_end_with_all_that_they_started() {
    let desk = Desk::new("r-life");
    let launched = desk.launch(&desk.order("r/work/0/0", 2)).await;
    assert_eq!(launched.iter().map(|i| i.slot.to_string()).collect::<Vec<_>>(), ["work-0.1", "work-1.1"]);
    let mut pids = Vec::new();
    for instance in &launched {
        let home = desk.machine(instance).join("home").display().to_string();
        assert_eq!(
            desk.says(instance, "pwd; echo \"$HOME\"; echo \"$DAYFLY_BASE\""),
            format!("{home}\n{home}\n{home}/.dayfly")
        );
        assert_eq!(desk.says(instance, "id -u"), nix::unistd::geteuid().to_string());
        assert_eq!(desk.ssh(instance, "exit 7").status.code(), Some(7));
        pids.push(desk.says(instance, LEAVE_BEHIND).parse().unwrap());
        pids.extend([desk.pid(instance, "warden"), desk.pid(instance, "sshd")]);
    }
    assert!(pids.iter().all(|pid| lives(*pid)));
    assert_eq!(desk.cloud.sweep(&desk.run).await.unwrap(), launched);

    desk.cloud.terminate(&desk.run, &[launched[0].id.clone()]).await.unwrap();
    desk.until_gone(&launched[0].id).await;
    assert_eq!(desk.cloud.sweep(&desk.run).await.unwrap(), launched[1..]);
    assert!(desk.cloud.forget(&desk.run).await.unwrap_err().to_string().contains("still live"));
    desk.says(&launched[1], "true");

    desk.cloud.terminate(&desk.run, &[launched[1].id.clone()]).await.unwrap();
    desk.until_gone(&launched[1].id).await;
    // Its last word is written before the warden itself ends.
    tokio::time::sleep(Duration::from_millis(200)).await;
    for instance in &launched {
        desk.nothing_is_left(instance, &pids);
    }
    assert_eq!(desk.cloud.sweep(&desk.run).await.unwrap(), []);
    assert!(desk.cloud.console(&desk.run, &launched[0].id).await.unwrap().contains("Accepted publickey"));
    desk.cloud.forget(&desk.run).await.unwrap();
    assert_eq!(desk.state(&launched[0].id).await, None);
    assert_eq!(fs::read_dir(desk.folder.path().join("local")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_cannot_log_in_and_another_host_is_not_trusted() {
    let desk = Desk::new("r-keys");
    let mut launched = desk.launch(&desk.order("r/work/0/0", 1)).await.remove(0);
    desk.write("login", &SshIdentity::from_seed(&[9; 32], "stranger").unwrap().private_pem);
    let refused = desk.ssh(&launched, "true");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Permission denied"), "{refused:?}");
    desk.write("login", &desk.login.private_pem);
    desk.says(&launched, "true");
    if let Some(Reach::Ssh { host_keys, port, .. }) = &mut launched.reach {
        let stranger = SshIdentity::from_seed(&[8; 32], "").unwrap().public_line;
        *host_keys = vec![known_hosts_line(&stranger, "127.0.0.1", *port)];
    }
    let refused = desk.ssh(&launched, "true");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("verification failed"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_launches_once_also_after_the_end() {
    let desk = Desk::new("r-once");
    let order = desk.order("r/work/0/0", 2);
    let (one, two) = tokio::join!(desk.launch(&order), desk.launch(&order));
    assert_eq!(one, two);
    assert_eq!(desk.launch(&order).await, one);
    assert_eq!(desk.cloud.sweep(&desk.run).await.unwrap().len(), 2);
    let other = desk.launch(&desk.order("r/work/1/0", 1)).await;
    assert!(one.iter().all(|instance| instance.id != other[0].id));

    desk.cloud.terminate(&desk.run, &[one[0].id.clone()]).await.unwrap();
    desk.until_gone(&one[0].id).await;
    let again = desk.cloud.launch(&order, &desk.host_key.private_pem).await.unwrap();
    assert_eq!((again[0].state, again[0].reach.clone()), (InstanceState::Terminated, None));
    assert_eq!(again[1], one[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_warden_leaves_is_ended_by_the_next_look() {
    let desk = Desk::new("r-warden");
    let launched = desk.launch(&desk.order("r/work/0/0", 3)).await;
    for (number, instance) in launched.iter().enumerate() {
        let left_behind: u32 = desk.says(instance, LEAVE_BEHIND).parse().unwrap();
        let (warden, sshd) = (desk.pid(instance, "warden"), desk.pid(instance, "sshd"));
        // One without the worker's HOME that its parent outlives, and an orphan that only the mark of its step tells.
        let strange = format!(
            "mkdir -p .dayfly/r/w/steps/abc{number}; rm pid; (HOME=/ {LEAVE_BEHIND}; sleep 1000) >o 2>&1 <o & while [ ! -s pid ]; do sleep 0.01; done; cat pid"
        );
        let strange: u32 = desk.says(instance, &strange).parse().unwrap();
        let orphan = format!("rm pid; HOME=/ DAYFLY_STEP=abc{number}; export HOME DAYFLY_STEP; {LEAVE_BEHIND}");
        let orphan: u32 = desk.says(instance, &orphan).parse().unwrap();
        kill(warden);
        while lives(warden) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let pids = [left_behind, sshd, strange, orphan];
        assert!(pids.iter().all(|pid| lives(*pid)), "they outlive their warden");
        match number {
            0 => assert_eq!(desk.state(&instance.id).await, Some(InstanceState::Terminated)),
            1 => assert_eq!(desk.cloud.sweep(&desk.run).await.unwrap().len(), 1),
            _ => desk.cloud.terminate(&desk.run, std::slice::from_ref(&instance.id)).await.unwrap(),
        }
        assert!(!pids.iter().any(|pid| lives(*pid)), "{number}: {:?}", pids.map(lives));
        assert!(!desk.machine(instance).join("home").exists());
    }
    for instance in &launched {
        assert_eq!(desk.state(&instance.id).await, Some(InstanceState::Terminated));
        desk.nothing_is_left(instance, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_by_itself_with_its_sshd() {
    let desk = Desk::new("r-sshd");
    let launched = desk.launch(&desk.order("r/work/0/0", 1)).await.remove(0);
    let pids = [desk.says(&launched, LEAVE_BEHIND).parse().unwrap(), desk.pid(&launched, "warden")];
    kill(desk.pid(&launched, "sshd"));
    desk.until_gone(&launched.id).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    desk.nothing_is_left(&launched, &pids);
    assert!(desk.cloud.console(&desk.run, &launched.id).await.unwrap().contains("its sshd ended"));
}

/// What the agent writes when the master renews a lease.
fn renew(desk: &Desk, instance: &Instance, from_now_ms: i64) {
    let folder = desk.machine(instance).join("home/.dayfly").join(desk.run.as_str()).join(instance.slot.to_string());
    fs::create_dir_all(&folder).unwrap();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let clock = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
    let until = clock.tv_sec() * 1000 + clock.tv_nsec() / 1_000_000 + from_now_ms;
    let text = serde_json::json!({"v": 1, "boot_id": boot_id.trim(), "boottime_ms": until}).to_string();
    fs::write(folder.join("draft"), text).unwrap();
    fs::rename(folder.join("draft"), folder.join("until")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_by_itself_when_nobody_renews_its_lease() {
    let desk = Desk::new("r-lease");
    let mut order = desk.order("r/work/0/0", 2);
    order.lease_ms = 2_500;
    let began = Instant::now();
    let launched = desk.launch(&order).await;
    let left_behind: u32 = desk.says(&launched[0], LEAVE_BEHIND).parse().unwrap();
    renew(&desk, &launched[1], 60_000);
    desk.until_gone(&launched[0].id).await;
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!lives(left_behind));
    assert_eq!(desk.state(&launched[1].id).await, Some(InstanceState::Running));
    desk.says(&launched[1], "true");
    renew(&desk, &launched[1], 100);
    desk.until_gone(&launched[1].id).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    for instance in &launched {
        desk.nothing_is_left(instance, &[]);
        assert!(desk.cloud.console(&desk.run, &instance.id).await.unwrap().contains("lease ran out"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_ends_a_worker_although_its_lease_goes_on() {
    let desk = Desk::new("r-deadline");
    let mut order = desk.order("r/work/0/0", 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    order.deadline_ms = i64::try_from(now.as_millis()).unwrap() + 2_000;
    let launched = desk.launch(&order).await.remove(0);
    renew(&desk, &launched, 600_000);
    desk.until_gone(&launched.id).await;
    assert!(desk.cloud.console(&desk.run, &launched.id).await.unwrap().contains("deadline"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_without_permissions_is_removed_too() {
    let desk = Desk::new("r-home");
    let launched = desk.launch(&desk.order("r/work/0/0", 1)).await.remove(0);
    desk.says(&launched, "mkdir -p a/b; echo x > a/b/c; chmod 0 a/b a .");
    desk.cloud.terminate(&desk.run, std::slice::from_ref(&launched.id)).await.unwrap();
    desk.until_gone(&launched.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dayfly_that_cannot_be_started_is_said_and_a_worker_that_never_was_is_gone() {
    let desk = Desk::new("r-none");
    let state = desk.folder.path().join("local");
    let timing = Timing { boot_ms: 300, ..Timing::default() };
    let absent = LocalSettings { state: state.clone(), dayfly: "/nowhere/dayfly".into(), timing: timing.clone() };
    let order = desk.order("r/work/0/0", 1);
    let error = LocalCloud::new(absent).launch(&order, &desk.host_key.private_pem).await.unwrap_err();
    assert!(matches!(&error, LaunchError::Impossible(why) if why.contains("/nowhere/dayfly")), "{error}");
    let silent = LocalSettings { state, dayfly: "/bin/true".into(), timing };
    let launched = LocalCloud::new(silent).launch(&order, &desk.host_key.private_pem).await.unwrap().remove(0);
    assert_eq!(launched.state, InstanceState::Pending);
    desk.cloud.terminate(&desk.run, std::slice::from_ref(&launched.id)).await.unwrap();
    assert_eq!(desk.state(&launched.id).await, Some(InstanceState::Terminated));
    let again = desk.cloud.launch(&order, &desk.host_key.private_pem).await;
    assert!(matches!(again, Err(LaunchError::Impossible(why)) if why.contains("before its warden started")));
}

/// A server that fails as sshd does when its port was taken, then as where its folder is missing, then listens.
#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_missing_folder_are_no_end() {
    let desk = Desk::new("r-port");
    let launched = desk.launch(&desk.order("r/work/0/0", 1)).await.remove(0);
    desk.cloud.terminate(&desk.run, std::slice::from_ref(&launched.id)).await.unwrap();
    desk.until_gone(&launched.id).await;
    let (machine, folder) = (desk.machine(&launched), desk.folder.path().display().to_string());
    // The same folder as before its warden's first word, with another server in its order.
    let mut order: serde_json::Value = serde_json::from_slice(&fs::read(machine.join("order.json")).unwrap()).unwrap();
    order["sshd"] = format!("{folder}/server").into();
    fs::write(machine.join("order.json"), order.to_string()).unwrap();
    for file in ["state.json", "terminate"] {
        fs::remove_file(machine.join(file)).unwrap();
    }
    fs::create_dir(machine.join("home")).unwrap();
    let server = format!(
        "#!/bin/sh\necho x >> {folder}/calls\ncase $(wc -l < {folder}/calls) in\n\
         1) echo 'Bind to port 1 on 127.0.0.1 failed: Address already in use.' >&2; exit 255;;\n\
         2) echo 'Missing privilege separation directory: {folder}/a/b' >&2; exit 255;;\n\
         *) echo 'Server listening on 127.0.0.1 port 1.' >&2; exec sleep 100;;\nesac\n"
    );
    let path = desk.write("server", &server);
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let again = desk.launch(&desk.order("r/work/0/0", 1)).await.remove(0);
    assert!(again.reach.is_some());
    assert!(Path::new(&folder).join("a/b").is_dir());
    desk.cloud.terminate(&desk.run, std::slice::from_ref(&again.id)).await.unwrap();
    desk.until_gone(&again.id).await;
}

#[tokio::test]
async fn a_machine_without_sshd_is_told_how_to_get_it() {
    const NAME: &str = "a_machine_without_sshd_is_told_how_to_get_it";
    let desk = Desk::new("r-sshless");
    if std::env::var_os("WITHOUT_SSHD").is_none() {
        // In a mount namespace of its own, where every sshd is hidden.
        let hide = "for at in /usr/sbin /usr/local/sbin /sbin /usr/libexec /usr/lib/ssh /usr/bin; do \
                    if [ -e $at/sshd ]; then mount --bind /dev/null $at/sshd; fi; done; exec \"$@\"";
        let output = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", hide, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("WITHOUT_SSHD", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let error = desk.cloud.launch(&desk.order("r/work/0/0", 1), &desk.host_key.private_pem).await.unwrap_err();
    assert!(
        matches!(&error, LaunchError::Impossible(why) if why.contains("openssh") && why.contains("/usr/sbin")),
        "{error}"
    );
    assert!(!desk.folder.path().join("local").exists(), "nothing was made");
}

/// Ordinary users have no sshd of their own in PATH, cannot read /etc/shadow and can log in as themselves only. The user
/// exists in a mount namespace only; where the tests do not run as root, the other tests show the same.
#[test]
fn an_ordinary_user_can_do_the_same() {
    use std::os::unix::fs::PermissionsExt;
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_dayfly"), at("dayfly")).unwrap();
    fs::copy(std::env::current_exe().unwrap(), at("test")).unwrap();
    fs::create_dir(at("tmp")).unwrap();
    std::os::unix::fs::chown(at("tmp"), Some(54_321), Some(54_321)).unwrap();
    let known = fs::read_to_string("/etc/passwd").unwrap();
    fs::write(at("passwd"), known + "ordinary:x:54321:54321::/nonexistent:/bin/sh\n").unwrap();
    fs::set_permissions(at("passwd"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind passwd /etc/passwd && exec setpriv --reuid 54321 --regid 54321 --clear-groups ./test --exact \"$@\"")
        .args(["sh", "workers_are_machines_of_their_own_and_end_with_all_that_they_started", "--nocapture"])
        .env("DAYFLY_COPY", at("dayfly"))
        .env("TMPDIR", at("tmp"))
        .env("PATH", "/usr/bin:/bin")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
