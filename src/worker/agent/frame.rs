//! A piece of output as it stands in a spool file and in the pipe of `exec`: stream, time, length, bytes.

/// Bytes before the data of a frame.
pub const HEAD: usize = 13;
/// No frame is longer: a longer one is not ours.
pub const LONGEST: usize = 1 << 20;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Eight bytes: how many could not be kept here.
    Gap,
    /// A part of the return values of a module that ran in `exec`.
    Result,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::Gap => 3,
            Self::Result => 4,
        }
    }
    fn of(code: u8) -> Option<Self> {
        [Self::Stdout, Self::Stderr, Self::Gap, Self::Result].into_iter().find(|kind| kind.code() == code)
    }
}

/// The part of a frame that stands before its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it holds.
    pub kind: Kind,
    /// UNIX milliseconds.
    pub time_ms: i64,
    /// Bytes of data.
    pub length: usize,
}

impl Head {
    /// As it is written.
    pub fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[0] = self.kind.code();
        bytes[1..9].copy_from_slice(&self.time_ms.to_le_bytes());
        bytes[9..13].copy_from_slice(&u32::try_from(self.length).unwrap_or(u32::MAX).to_le_bytes());
        bytes
    }
    /// Reads it; none where this cannot be a frame.
    pub fn read(bytes: &[u8; HEAD]) -> Option<Self> {
        let mut time = [0; 8];
        time.copy_from_slice(&bytes[1..9]);
        let length = u32::from_le_bytes([bytes[9], bytes[10], bytes[11], bytes[12]]) as usize;
        let kind = Kind::of(bytes[0])?;
        (length <= LONGEST).then_some(Self { kind, time_ms: i64::from_le_bytes(time), length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let head = Head { kind: Kind::Stderr, time_ms: -5, length: 70_000 };
        assert_eq!(Head::read(&head.bytes()), Some(head));
        assert_eq!(Head::read(&[9; HEAD]), None);
    }
}
