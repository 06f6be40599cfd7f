//! What the child processes tell their parent through a pipe.
//!
//! A pipe keeps what a killed process has written, and a write this short is never split: the
//! parent sees whole frames only, up to the last one before the kill.

use std::io::{self, Read, Write};

pub(super) const FRAME: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// A put while loading was acknowledged.
    Loaded = 1,
    /// A put to the shared region was acknowledged by all nodes.
    Acknowledged = 2,
    /// A put to the local region is done.
    Local = 3,
    /// `number` gets took `nanos` each.
    Gets = 4,
    /// A get found nothing.
    Missing = 5,
    /// A get found a value that is not whole.
    Torn = 6,
    /// Nobody acknowledged the put in time.
    Unacknowledged = 7,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) key: u32,
    pub(super) version: u64,
    pub(super) origin: u64,
    pub(super) nanos: u64,
    pub(super) number: u64,
}

impl Frame {
    pub(super) fn new(kind: Kind, key: usize) -> Self {
        Self { kind, key: key as u32, version: 0, origin: 0, nanos: 0, number: 1 }
    }

    pub(super) fn bytes(&self) -> [u8; FRAME] {
        let mut bytes = [0; FRAME];
        bytes[..4].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.key.to_le_bytes());
        let words = [self.version, self.origin, self.nanos, self.number];
        for (place, word) in bytes[8..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; FRAME]) -> Option<Self> {
        let half = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let word = |at: usize| u64::from(half(at)) | u64::from(half(at + 4)) << 32;
        let kind = match half(0) {
            1 => Kind::Loaded,
            2 => Kind::Acknowledged,
            3 => Kind::Local,
            4 => Kind::Gets,
            5 => Kind::Missing,
            6 => Kind::Torn,
            7 => Kind::Unacknowledged,
            _ => return None,
        };
        let [version, origin, nanos, number] = [8, 16, 24, 32].map(word);
        Some(Self { kind, key: half(4), version, origin, nanos, number })
    }

    /// The next frame; `None` when the writer is gone.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = [0; FRAME];
        match input.read_exact(&mut bytes) {
            Ok(()) => Self::from_bytes(&bytes).map(Some).ok_or(io::ErrorKind::InvalidData.into()),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(cause) => Err(cause),
        }
    }
}

/// Sends frames with one write each time.
#[derive(Debug)]
pub(super) struct Sender {
    out: io::Stdout,
    bytes: Vec<u8>,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self { out: io::stdout(), bytes: Vec::new() }
    }

    pub(super) fn push(&mut self, frame: &Frame) {
        self.bytes.extend_from_slice(&frame.bytes());
    }

    /// Hands everything pushed to the pipe.
    pub(super) fn send(&mut self) -> io::Result<()> {
        // Standard output looks for line ends; whole frames must leave at once all the same.
        let mut out = self.out.lock();
        out.write_all(&self.bytes)?;
        self.bytes.clear();
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_a_cut_one_is_the_end() {
        let frame = Frame {
            kind: Kind::Acknowledged,
            key: 7,
            version: u64::MAX - 1,
            origin: 2,
            nanos: 3,
            number: 1,
        };
        let mut bytes = frame.bytes().to_vec();
        bytes.extend_from_slice(&frame.bytes()[..20]);
        let mut input = &bytes[..];
        assert_eq!(Frame::read(&mut input).unwrap(), Some(frame));
        assert_eq!(Frame::read(&mut input).unwrap(), None);
    }
}
