//! What `register` keeps of a stream: all of it, or its head and its tail.

use std::collections::VecDeque;

/// Bytes of one stream that are kept.
pub const KEPT: usize = 1 << 20;

/// Keeps the first and the last half of [`KEPT`] bytes.
#[derive(Debug, Default)]
pub struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Capture {
    /// Takes what the stream said next.
    pub fn push(&mut self, data: &[u8]) {
        self.total += data.len() as u64;
        let room = (KEPT / 2).saturating_sub(self.head.len()).min(data.len());
        let (first, rest) = data.split_at(room);
        self.head.extend_from_slice(first);
        let rest = &rest[rest.len().saturating_sub(KEPT / 2)..];
        let over = (self.tail.len() + rest.len()).saturating_sub(KEPT / 2);
        self.tail.drain(..over);
        self.tail.extend(rest);
    }

    /// Whether something is missing in the middle.
    pub fn is_cut(&self) -> bool {
        self.total > (self.head.len() + self.tail.len()) as u64
    }

    /// The text, invalid UTF-8 replaced; a line says what is missing.
    pub fn text(self) -> String {
        let missing = self.total - (self.head.len() + self.tail.len()) as u64;
        let mut bytes = self.head;
        if missing > 0 {
            bytes.extend_from_slice(format!("\n[dayfly: {missing} bytes left out]\n").as_bytes());
        }
        bytes.extend(self.tail);
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_stream_is_kept_whole() {
        let mut capture = Capture::default();
        capture.push(b"one ");
        capture.push(b"two\xff");
        assert!(!capture.is_cut());
        assert_eq!(capture.text(), "one two\u{fffd}");
    }

    #[test]
    fn a_long_stream_keeps_head_and_tail() {
        let mut capture = Capture::default();
        capture.push(b"head");
        for _ in 0..40 {
            capture.push(&vec![b'x'; 100_000]);
        }
        capture.push(b"tail");
        assert!(capture.is_cut());
        let text = capture.text();
        assert!(text.starts_with("headxx") && text.ends_with("xtail"), "{}", text.len());
        assert!(text.contains("[dayfly: 2951432 bytes left out]"), "{}", text.len());
    }
}
