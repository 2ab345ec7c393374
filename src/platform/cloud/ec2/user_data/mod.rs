//! What a worker does at its boot: constant bytes per launch. It takes the launch's host key and the run's key before its
//! sshd listens, and arms two timers that end it by themselves.

mod timers;

use std::fmt::Write as _;

use serde_json::json;

pub use timers::timers;

use crate::platform::cloud::LaunchOrder;
use crate::platform::cloud::host_key::public_line;

/// The most bytes that EC2 takes, before base64 (EC2 User Guide, instance user data).
pub(super) const LARGEST: usize = 16 * 1024;
/// Stands in none of the parts.
const BOUNDARY: &str = "==dayfly-worker==";

/// The user data of a launch. `image_user` is who the image's own cloud-init makes. The error is for people.
pub(super) fn user_data(order: &LaunchOrder, image_user: &str, host_key: &str) -> Result<String, String> {
    let parts = [
        ("cloud-config", cloud_config(order, image_user, host_key)?),
        ("cloud-boothook", timers(&order.run, order.lease_ms, order.deadline_ms)),
    ];
    let mut text = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n");
    for (kind, part) in parts {
        let _ = write!(text, "\n--{BOUNDARY}\nContent-Type: text/{kind}; charset=\"utf-8\"\n\n{}\n", part.trim_end());
    }
    let _ = writeln!(text, "\n--{BOUNDARY}--");
    if text.len() > LARGEST {
        return Err(format!("the user data has {} bytes, more than EC2 takes ({LARGEST})", text.len()));
    }
    Ok(text)
}

/// Keys are in place before sshd listens (cloud-init: its network stage comes before `sshd.service`). JSON is YAML, and
/// needs no thought about quotes.
fn cloud_config(order: &LaunchOrder, image_user: &str, host_key: &str) -> Result<String, String> {
    let public = public_line(host_key).map_err(|error| format!("the host key cannot be read: {error}"))?;
    let keys = [&order.authorized_key];
    let wanted = order.spec.ssh.user.as_deref().unwrap_or(image_user);
    let mut config = json!({
        // The run's key goes to the image's own user; root takes no logins unless it is the one that logs in.
        "ssh_authorized_keys": keys,
        "disable_root": wanted != "root",
        "ssh_pwauth": false,
        // A given key of one type means that no other is made, and the image's own are deleted.
        "ssh_deletekeys": true,
        "ssh_keys": {"ed25519_private": host_key, "ed25519_public": public},
    });
    if wanted != image_user && wanted != "root" {
        // A user that exists only gets the key.
        config["users"] = json!([
            "default",
            {"name": wanted, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL", "ssh_authorized_keys": keys},
        ]);
    }
    let text = serde_json::to_string_pretty(&config).map_err(|error| error.to_string())?;
    Ok(format!("#cloud-config\n{text}"))
}

#[cfg(test)]
mod tests;
