//! The key of a launch as EC2 takes it.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// `ClientToken`: SHA-256 of the readable key in base32 (RFC 4648, lower case, unpadded): 52 characters, where EC2 takes
/// 64 (EC2 API Reference, `RunInstances`).
pub(super) fn client_token(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let mut text = String::with_capacity(52);
    let (mut held, mut bits) = (0u32, 0);
    for byte in digest {
        held = held << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_short_and_differ_by_a_letter() {
        // SHA-256 of nothing, as every base32 writes it.
        assert_eq!(client_token(""), "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq");
        let long = format!("run/{}/12/3", "g".repeat(300));
        let token = client_token(&long);
        assert!(token.len() <= 64 && token.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
        assert_ne!(token, client_token(&format!("{long}4")));
    }
}
