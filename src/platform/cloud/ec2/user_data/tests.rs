use super::*;
use crate::platform::cloud::ec2::request::tests::order;

/// Of a made-up launch: it opens nothing.
const HOST_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCzPq7zfqLffKoBDe/eo04kH2XxtSmk9D7RQyf1xUqrYgAAAJgAIAxdACAM
XQAAAAtzc2gtZWQyNTUxOQAAACCzPq7zfqLffKoBDe/eo04kH2XxtSmk9D7RQyf1xUqrYg
AAAEC2BsIi0QwW2uFscKTUUXNHLsYX4FxlaSDSblbAj7WR7bM+rvN+ot98qgEN796jTiQf
ZfG1KaT0PtFDJ/XFSqtiAAAAEHVzZXJAZXhhbXBsZS5jb20BAgMEBQ==
-----END OPENSSH PRIVATE KEY-----
";

#[test]
fn a_worker_gets_its_keys_and_its_two_timers() {
    let text = user_data(&order(), "ec2-user", HOST_KEY).unwrap();
    insta::assert_snapshot!(text);
    assert_eq!(text, user_data(&order(), "ec2-user", HOST_KEY).unwrap());
    assert!(text.len() < LARGEST / 2, "{} bytes", text.len());
}

#[test]
fn whoever_logs_in_gets_the_key() {
    let mut order = order();
    order.spec.ssh.user = Some("root".to_owned());
    assert!(user_data(&order, "ec2-user", HOST_KEY).unwrap().contains("\"disable_root\": false"));
    order.spec.ssh.user = Some("ec2-user".to_owned());
    assert!(!user_data(&order, "ec2-user", HOST_KEY).unwrap().contains("\"users\""));
    order.spec.ssh.user = Some("worker".to_owned());
    let text = user_data(&order, "ec2-user", HOST_KEY).unwrap();
    assert!(text.contains("\"name\": \"worker\"") && text.contains("\"disable_root\": true"), "{text}");
}

#[test]
fn user_data_that_ec2_would_not_take_is_refused_here() {
    let mut order = order();
    order.authorized_key = "x".repeat(LARGEST);
    assert!(user_data(&order, "ec2-user", HOST_KEY).unwrap_err().contains("more than EC2 takes"));
    assert!(user_data(&super::super::request::tests::order(), "ec2-user", "no key").unwrap_err().contains("host key"));
}

/// The scripts in a folder of files as a machine has them; `poweroff` answers by its exit code.
mod scripts {
    use std::path::Path;
    use std::process::Command;

    const BOOT: &str = "0b7f2f3e-0000-4000-8000-000000000001";

    /// Whether the script powers off.
    fn powers_off(root: &Path, script: &str) -> bool {
        let at = root.display();
        let script = script
            .replace("@RUN@", "run1")
            .replace("/var/lib", &format!("{at}/var/lib"))
            .replace("/root/", &format!("{at}/root/"))
            .replace("/home/", &format!("{at}/home/"))
            .replace("/run/dayfly", &format!("{at}/run"))
            .replace("/proc/uptime", &format!("{at}/uptime"))
            .replace("/proc/sys/kernel/random/boot_id", &format!("{at}/boot_id"))
            .replace("/dev/kmsg", "/dev/null")
            .replace("systemctl poweroff --force || poweroff -f", "exit 77");
        let path = root.join("script.sh");
        std::fs::write(&path, script).unwrap();
        let status = Command::new("/bin/sh").arg(&path).status().unwrap();
        assert!(matches!(status.code(), Some(0 | 77)), "{status}");
        status.code() == Some(77)
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_machine_lives_as_long_as_its_first_lease_or_one_of_this_boot() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let lease = include_str!("lease.sh");
        // It begins at 100 seconds of the clock, and is not begun anew by a second look.
        let first = include_str!("first.sh").replace("@LEASE_MS@", "800000").replace(" $units", "");
        for uptime in ["100.73 1.00\n", "300.00 1.00\n"] {
            write(root, "uptime", uptime);
            assert!(!powers_off(root, &first));
        }
        let at = |uptime: &str| {
            write(root, "uptime", &format!("{uptime} 1.00\n"));
            powers_off(root, lease)
        };
        write(root, "boot_id", &format!("{BOOT}\n"));
        assert!(!at("899.99"));
        assert!(at("900.00"));
        let until = |boot: &str, ms: &str| format!("{{\"v\":1,\"boot_id\":\"{boot}\",\"boottime_ms\":{ms}}}");
        write(root, "home/ec2-user/.dayfly/run1/work-0.1/until", &until(BOOT, "2000000"));
        assert!(!at("1999.99"));
        assert!(at("2000.00"));
        write(root, "var/lib/dayfly/run1/work-0.1/until", &until(BOOT, "3000000"));
        assert!(!at("2999.00"));
        // Of another boot, of another run, and what is no lease.
        write(root, "var/lib/dayfly/run1/a.1/until", &until("other", "9000000"));
        write(root, "var/lib/dayfly/run2/a.1/until", &until(BOOT, "9000000"));
        write(root, "var/lib/dayfly/run1/b.1/until", "{\"boottime_ms\"");
        write(root, "var/lib/dayfly/run1/c.1/until", &until(BOOT, "99999999999999999999999"));
        write(root, "var/lib/dayfly/run1/d.1/until", &until(BOOT, "-5"));
        assert!(at("3000.00"));
        // Weeks of milliseconds are more than 32 bits hold.
        write(root, "var/lib/dayfly/run1/work-0.1/until", &until(BOOT, "2592000000"));
        assert!(!at("2591999.99"));
        assert!(at("2592000.00"));
    }

    #[test]
    fn a_deadline_is_moved_later_only() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let at = |end: u64| powers_off(root, &include_str!("deadline.sh").replace("@DEADLINE@", &end.to_string()));
        assert!(!at(now + 100));
        assert!(at(now - 1));
        let deadline = |end: u64| format!("{{\"v\":1,\"unix_ms\":{}}}", end * 1000 + 5);
        write(root, "root/.dayfly/run1/work-0.1/deadline", &deadline(now + 100));
        assert!(!at(now - 1));
        write(root, "root/.dayfly/run1/work-0.1/deadline", &deadline(now - 50));
        assert!(!at(now + 100));
        assert!(at(now - 1));
        write(root, "home/x/.dayfly/run1/work-0.1/deadline", "{\"unix_ms\":");
        assert!(at(now - 1));
    }
}
