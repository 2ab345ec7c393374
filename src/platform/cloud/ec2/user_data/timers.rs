//! Two timers by which a machine of a run ends itself, each independent of the other and of everybody else.
//!
//! They are systemd units, written and started by a boothook, so at every boot. `shutdown +N` would not do: so early in a
//! boot nothing answers it, and where it cannot reach logind it powers off at once. The units have no default
//! dependencies and are started without waiting, for systemd would wait for the boot that waits for the boothook.

use std::fmt::Write as _;
use std::time::Duration;

use crate::core::ids::RunId;
use crate::core::timing::ms;
use crate::platform::cloud::ec2::deadline_tag;

const FIRST: &str = include_str!("first.sh");
const LEASE: &str = include_str!("lease.sh");
const DEADLINE: &str = include_str!("deadline.sh");

/// The text of a boothook that arms a machine of a run: it powers off a lease after this boot unless an agent (or master)
/// renewed it, and at the deadline unless an agent was told a later one. Both look for the files `until` and
/// `deadline` in the folders of the run's agents, and in `/var/lib/dayfly/RUN/*/`.
pub fn timers(run: &RunId, lease_ms: u64, deadline_ms: i64) -> String {
    let lease = LEASE.replace("@RUN@", run.as_str());
    let end = deadline_tag::seconds(deadline_ms).to_string();
    let deadline = DEADLINE.replace("@DEADLINE@", &end).replace("@RUN@", run.as_str());
    let period = period(lease_ms).as_millis();
    let mut text = FIRST.replace("@LEASE_MS@", &lease_ms.to_string());
    for (name, script, what) in [
        ("dayfly-lease", lease, "power off once nobody renews the lease"),
        ("dayfly-deadline", deadline, "power off at the hard end"),
    ] {
        let _ = write!(
            text,
            "cat >/run/dayfly/{name}.sh <<'END_OF_FILE'\n{script}END_OF_FILE\n\
             cat >$units/{name}.service <<'END_OF_FILE'\n\
             [Unit]\nDescription=dayfly: {what}\nDefaultDependencies=no\n\
             [Service]\nType=oneshot\nTimeoutStartSec=60\nLogLevelMax=notice\nExecStart=/bin/sh /run/dayfly/{name}.sh\nEND_OF_FILE\n\
             cat >$units/{name}.timer <<'END_OF_FILE'\n\
             [Unit]\nDescription=dayfly: {what}\nDefaultDependencies=no\n\
             [Timer]\nOnActiveSec={period}ms\nOnUnitInactiveSec={period}ms\nAccuracySec=100ms\nEND_OF_FILE\n"
        );
    }
    text + "systemctl daemon-reload\nsystemctl start --no-block dayfly-lease.timer dayfly-deadline.timer\n"
}

/// How often the timers look: often enough that a lease of minutes ends within seconds.
fn period(lease_ms: u64) -> Duration {
    ms((lease_ms / 60).clamp(1_000, 15_000))
}
