//! Questions to the bridge of the node, over a Unix socket in the home directory.
//!
//! A read that finds nothing here may ask other nodes. That is a matter of milliseconds and of a
//! process that may not be there, so it does not go through shared memory: the kernel closes a
//! connection when either end dies, whatever it was doing, and nothing has to be recovered. What
//! comes back is how it ended; a value that was found is in the region by then.
//!
//! ```text
//! question   0  length of what follows   u32, little-endian as all here
//!            4  version                  u8, 1
//!            5  what                     u8: 1 = the value, 2 = whether there is an entry
//!            6  0                        u16
//!            8  number                   u64, comes back with the answer
//!           16  incarnation              u64, of the region
//!           24  key
//! answer     0  number                   u64
//!            8  outcome                  u8, see `Outcome`
//!            9  0                        7 bytes
//! ```
//!
//! Questions may follow each other before the answers come, which may come in any order. Who
//! closes the connection does not want the answers any more.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Name of the socket in the home directory.
pub const SOCKET: &str = "ask.sock";
/// Version of the messages.
pub const VERSION: u8 = 1;
/// Bytes of a question before the key.
pub const QUESTION: usize = 24;
/// Bytes of an answer.
pub const ANSWER: usize = 16;
/// Questions that are written before answers are read.
const AT_ONCE: usize = 256;
/// Connections that are kept.
const KEPT: usize = 16;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum What {
    /// The value of a key.
    Value = 1,
    /// Whether a node that has all entries has the key.
    Presence = 2,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// There is one; a value is in the region now.
    Found = 1,
    /// There is none.
    None = 2,
    /// The bridge does not distribute the region.
    NotDistributed = 3,
    /// A value was found, and the region had no room for it.
    NoRoom = 4,
    /// The bridge stopped to ask, because it stops.
    Stopped = 5,
}

impl Outcome {
    /// From its number.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Found,
            2 => Self::None,
            3 => Self::NotDistributed,
            4 => Self::NoRoom,
            5 => Self::Stopped,
            _ => return None,
        })
    }
}

/// Longest question after its length.
pub const LARGEST: usize = QUESTION - 4 + crate::layout::record::MAX_KEY;

/// A question as a bridge reads it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is asked.
    pub what: What,
    /// Comes back with the answer.
    pub number: u64,
    /// Incarnation of the region.
    pub incarnation: u64,
    /// The key.
    pub key: &'a [u8],
}

/// Reads a question behind its length; `None` if it is none.
pub fn parse(bytes: &[u8]) -> Option<Asked<'_>> {
    let (head, key) = bytes.split_at_checked(QUESTION - 4)?;
    let what = match head.get(..2)? {
        [VERSION, 1] => What::Value,
        [VERSION, 2] => What::Presence,
        _ => return None,
    };
    let word = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
    let (number, incarnation) = (word(4)?, word(12)?);
    (!key.is_empty()).then_some(Asked { what, number, incarnation, key })
}

/// The bytes of an answer.
pub fn answer(number: u64, outcome: Outcome) -> [u8; ANSWER] {
    let mut bytes = [0; ANSWER];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8] = outcome as u8;
    bytes
}

/// Connections to the bridge that no thread of the process uses at the moment.
#[derive(Debug)]
pub(crate) struct Asks {
    path: PathBuf,
    idle: Mutex<Vec<UnixStream>>,
}

impl Asks {
    pub(crate) fn new(home: &Path) -> Self {
        Self { path: home.join(SOCKET), idle: Mutex::new(Vec::new()) }
    }

    /// Asks the same about many keys of a region; the outcomes in the order of the keys.
    ///
    /// `ConnectionRefused`, `NotFound` and the like: no bridge listens, or it went away.
    /// `WouldBlock` or `TimedOut`: it did not answer until then.
    pub(crate) fn ask(
        &self,
        what: What,
        incarnation: u64,
        keys: &[&[u8]],
        until: Instant,
    ) -> io::Result<Vec<Outcome>> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut outcomes = Vec::with_capacity(keys.len());
        let stream = match kept {
            Some(mut stream) => match exchange(&mut stream, what, incarnation, keys, until) {
                Ok(answers) => {
                    outcomes = answers;
                    Some(stream)
                }
                Err(error) if is_late(&error) => return Err(error),
                // The bridge that it led to is gone; there may be another.
                Err(_) => None,
            },
            None => None,
        };
        let stream = match stream {
            Some(stream) => stream,
            None => {
                let mut stream = UnixStream::connect(&self.path)?;
                outcomes = exchange(&mut stream, what, incarnation, keys, until)?;
                stream
            }
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(stream);
        }
        Ok(outcomes)
    }
}

/// Whether an error says that there was no answer in time.
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn exchange(
    stream: &mut UnixStream,
    what: What,
    incarnation: u64,
    keys: &[&[u8]],
    until: Instant,
) -> io::Result<Vec<Outcome>> {
    let mut outcomes = vec![Outcome::None; keys.len()];
    for (batch, some) in keys.chunks(AT_ONCE).enumerate() {
        let first = batch * AT_ONCE;
        let mut questions = Vec::new();
        for (number, key) in (first as u64..).zip(some) {
            push(&mut questions, what, number, incarnation, key);
        }
        stream.set_write_timeout(Some(left(until)?))?;
        stream.write_all(&questions)?;
        for _ in some {
            let mut answer = [0; ANSWER];
            read_until(stream, &mut answer, until)?;
            let number = u64::from_le_bytes(std::array::from_fn(|byte| answer[byte]));
            let known = usize::try_from(number).ok().and_then(|number| outcomes.get_mut(number));
            match (known, Outcome::from_byte(answer[8])) {
                (Some(place), Some(outcome)) => *place = outcome,
                _ => return Err(ErrorKind::InvalidData.into()),
            }
        }
    }
    Ok(outcomes)
}

fn push(out: &mut Vec<u8>, what: What, number: u64, incarnation: u64, key: &[u8]) {
    let length = (QUESTION - 4 + key.len()) as u32;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[VERSION, what as u8, 0, 0]);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&incarnation.to_le_bytes());
    out.extend_from_slice(key);
}

fn read_until(stream: &mut UnixStream, bytes: &mut [u8], until: Instant) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(rest) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Time that is left; never zero, which would mean for ever.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}
