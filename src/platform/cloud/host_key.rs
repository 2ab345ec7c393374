//! Host keys as clouds hand them out: pinned before the first byte is exchanged.

use ssh_key::PrivateKey;

/// The public line (`ssh-ed25519 AAAA… comment`) of a private key in OpenSSH's form.
pub fn public_line(private_pem: &str) -> Result<String, ssh_key::Error> {
    PrivateKey::from_openssh(private_pem)?.public_key().to_openssh()
}

/// The line of a `known_hosts` file that pins a host key to an address.
pub fn known_hosts_line(public_line: &str, address: &str, port: u16) -> String {
    let key = public_line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    if port == 22 { format!("{address} {key}") } else { format!("[{address}]:{port} {key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_pinned_with_their_port() {
        assert_eq!(known_hosts_line("ssh-ed25519 AA x", "127.0.0.1", 2200), "[127.0.0.1]:2200 ssh-ed25519 AA");
        assert_eq!(known_hosts_line("ssh-ed25519 AA", "h", 22), "h ssh-ed25519 AA");
    }
}
