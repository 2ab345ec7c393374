//! Ed25519 keys in OpenSSH's forms, derived from a seed.

use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};

use super::SecretError;

/// A key pair. It has no `Debug`: its private half must not reach a log.
#[derive(Clone)]
pub struct SshIdentity {
    /// The private half, as `ssh -i` and sshd's `HostKey` read it.
    pub private_pem: String,
    /// The public half, one line `ssh-ed25519 AAAA… comment` without its end.
    pub public_line: String,
}

impl SshIdentity {
    /// The key pair of a seed: the same seed gives the same bytes.
    pub fn from_seed(seed: &[u8; 32], comment: &str) -> Result<Self, SecretError> {
        let failed = |error: ssh_key::Error| SecretError::Ssh(error.to_string());
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(seed));
        let key = PrivateKey::new(pair, comment).map_err(failed)?;
        let private_pem = key.to_openssh(LineEnding::LF).map_err(failed)?.to_string();
        let public_line = key.public_key().to_openssh().map_err(failed)?;
        Ok(Self { private_pem, public_line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::cloud::host_key::public_line;

    #[test]
    fn a_seed_gives_one_key_and_its_public_half_can_be_read_back() {
        let one = SshIdentity::from_seed(&[7; 32], "dayfly r1").unwrap();
        let two = SshIdentity::from_seed(&[7; 32], "dayfly r1").unwrap();
        assert_eq!((&one.private_pem, &one.public_line), (&two.private_pem, &two.public_line));
        assert!(one.public_line.starts_with("ssh-ed25519 ") && one.public_line.ends_with(" dayfly r1"));
        assert_eq!(public_line(&one.private_pem).unwrap(), one.public_line);
        assert_ne!(SshIdentity::from_seed(&[8; 32], "dayfly r1").unwrap().public_line, one.public_line);
    }
}
