//! A step's environment: a short list from the login, then what the playbook says. Nothing else leaks in from the SSH
//! session or from the master.

use std::collections::BTreeMap;

use super::step_folder::StepFolder;
use super::tree::MARK;
use super::user::Account;

/// The environment variable that marks every process of a worker with its folder: whoever ends a worker whole finds what
/// steps left behind, whichever user it became.
pub const WORKER: &str = "DAYFLY_WORKER";

/// What a step takes over from the login.
const ALLOWED: [&str; 9] = ["HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"];
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment of a step that stays the login user.
pub fn of_login(ordered: &BTreeMap<String, String>, step: &StepFolder) -> BTreeMap<String, String> {
    let allowed = |name: &str| ALLOWED.contains(&name) || name.starts_with("LC_");
    let mut environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| allowed(name))
        .collect();
    environment.entry("PATH".into()).or_insert_with(|| USUAL_PATH.into());
    if let Some(account) = Account::own() {
        environment.entry("USER".into()).or_insert_with(|| account.name.clone());
        environment.entry("LOGNAME".into()).or_insert(account.name);
        environment.entry("SHELL".into()).or_insert_with(|| account.shell.to_string_lossy().into_owned());
        environment.entry("HOME".into()).or_insert_with(|| account.home.to_string_lossy().into_owned());
    }
    finish(environment, ordered, step)
}

/// The environment of a step that becomes another user.
pub fn of_other(
    login: &BTreeMap<String, String>,
    account: &Account,
    ordered: &BTreeMap<String, String>,
    step: &StepFolder,
) -> BTreeMap<String, String> {
    let mut environment = login.clone();
    environment.remove("TMPDIR");
    environment.insert("USER".into(), account.name.clone());
    environment.insert("LOGNAME".into(), account.name.clone());
    environment.insert("HOME".into(), account.home.to_string_lossy().into_owned());
    environment.insert("SHELL".into(), account.shell.to_string_lossy().into_owned());
    finish(environment, ordered, step)
}

fn finish(
    mut environment: BTreeMap<String, String>,
    ordered: &BTreeMap<String, String>,
    step: &StepFolder,
) -> BTreeMap<String, String> {
    environment.extend(ordered.iter().map(|(name, value)| (name.clone(), value.clone())));
    environment.insert(MARK.into(), step.mark());
    environment.insert(WORKER.into(), step.worker().to_string_lossy().into_owned());
    environment
}
