//! Records: one change of one key, in live streams and in images.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::WireError;

/// What a record says about its key. The numbers are those of the region format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Has a value.
    Value = 1,
    /// Was invalidated everywhere: the key is there, its value is not.
    Invalid = 2,
    /// Was invalidated on one node only. In an image it says "this key is here", nothing else.
    LocalInvalid = 3,
    /// Was destroyed.
    Tombstone = 4,
    /// Passes through a node that stores no values. Never sent.
    Transit = 5,
}

impl Kind {
    /// From its number.
    pub fn from_u8(n: u8) -> Option<Self> {
        Some(match n {
            1 => Self::Value,
            2 => Self::Invalid,
            3 => Self::LocalInvalid,
            4 => Self::Tombstone,
            5 => Self::Transit,
            _ => return None,
        })
    }
}

/// One change of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Position in the ring of the node that made it; 0 in images.
    pub position: u64,
    /// 1 to 65,536 bytes.
    pub key: &'a [u8],
    /// Empty unless the kind is `Value`.
    pub value: &'a [u8],
    /// What it says.
    pub kind: Kind,
    /// Hybrid time; decides together with `origin`.
    pub version: u64,
    /// The node that made it; 0 means "the node that holds it" and never goes over the wire.
    pub origin: u16,
    /// When the entry expires by itself, in microseconds since 1970; `None`: the region decides.
    pub deadline: Option<u64>,
    /// Whether the change was made because the entry before it had expired.
    pub expiration: bool,
    /// Whether the key was absent on the node that made it. Live changes only.
    pub created: bool,
    /// Whether it was part of an operation on many keys.
    pub bulk: bool,
}

/// Flag: eight bytes between header and key are the deadline.
pub const DEADLINE: u8 = 0x01;
/// Flag: see [`Change::expiration`].
pub const EXPIRATION: u8 = 0x02;

/// Flag: see [`Change::bulk`].
pub const BULK: u8 = 0x20;
/// Flag: see [`Change::created`].
pub const CREATED: u8 = 0x40;

/// Before each record's key and value.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct RecordHeader {
    /// See [`Change::version`].
    pub version: U64,
    /// See [`Change::position`].
    pub position: U64,
    /// Bytes of the value.
    pub value_len: U32,
    /// Bytes of the key, less one.
    pub key_len_less_one: U16,
    /// See [`Change::origin`].
    pub origin: U16,
    /// See [`Kind`].
    pub kind: u8,
    /// [`DEADLINE`], [`EXPIRATION`], [`BULK`], [`CREATED`]; others are refused.
    pub flags: u8,
    /// 0.
    pub reserved: U16,
}

/// Bytes the change takes on the wire.
pub fn encoded_len(change: &Change<'_>) -> usize {
    size_of::<RecordHeader>()
        + deadline_len(change.deadline)
        + change.key.len()
        + change.value.len()
}

fn deadline_len(deadline: Option<u64>) -> usize {
    if deadline.is_some() { size_of::<U64>() } else { 0 }
}

/// Appends a record. The key must have 1 to 65,536 bytes; other changes are not sent (false).
pub fn push(out: &mut Vec<u8>, change: &Change<'_>) -> bool {
    let Some(Ok(key_len)) = change.key.len().checked_sub(1).map(u16::try_from) else {
        return false;
    };
    let Ok(value_len) = u32::try_from(change.value.len()) else {
        return false;
    };
    let header = RecordHeader {
        version: U64::new(change.version),
        position: U64::new(change.position),
        value_len: U32::new(value_len),
        key_len_less_one: U16::new(key_len),
        origin: U16::new(change.origin),
        kind: change.kind as u8,
        flags: if change.deadline.is_some() { DEADLINE } else { 0 }
            | if change.expiration { EXPIRATION } else { 0 }
            | if change.bulk { BULK } else { 0 }
            | if change.created { CREATED } else { 0 },
        reserved: U16::new(0),
    };
    out.extend_from_slice(header.as_bytes());
    if let Some(deadline) = change.deadline {
        out.extend_from_slice(&deadline.to_le_bytes());
    }
    out.extend_from_slice(change.key);
    out.extend_from_slice(change.value);
    true
}

/// Reads the records of one frame.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Records<'a> {
    /// `count` records in `body`.
    pub fn new(body: &'a [u8], count: u32) -> Self {
        Self { rest: body, left: count }
    }

    /// What has not been read: bytes and number of records.
    pub fn raw(&self) -> (&'a [u8], u32) {
        (self.rest, self.left)
    }

    /// The next record and its bytes as sent.
    ///
    /// # Errors
    /// [`WireError`]; reading on makes no sense then.
    pub fn next_record(&mut self) -> Result<Option<(Change<'a>, &'a [u8])>, WireError> {
        if self.left == 0 {
            return match self.rest.len() {
                0 => Ok(None),
                bytes => Err(WireError::Trailing { what: "records", bytes }),
            };
        }
        let all = self.rest;
        let truncated = |need| WireError::Truncated { what: "record", need, have: all.len() };
        let (header, body) = RecordHeader::read_from_prefix(all)
            .map_err(|_| truncated(size_of::<RecordHeader>()))?;
        let key_len = usize::from(header.key_len_less_one.get()) + 1;
        let value_len = header.value_len.get() as usize;
        let (kind, flags) = (header.kind, header.flags);
        let deadline_len = if flags & DEADLINE == 0 { 0 } else { size_of::<U64>() };
        let need = size_of::<RecordHeader>() + deadline_len + key_len + value_len;
        if all.len() < need {
            return Err(truncated(need));
        }
        let kind = Kind::from_u8(kind)
            .filter(|k| {
                flags & !(DEADLINE | EXPIRATION | BULK | CREATED) == 0
                    && *k != Kind::Transit
                    && header.origin.get() != 0
            })
            .ok_or(WireError::UnknownRecord { kind, flags })?;
        let (bytes, rest) = all.split_at(need);
        self.rest = rest;
        self.left -= 1;
        let (deadline, body) = body[..deadline_len + key_len + value_len].split_at(deadline_len);
        let (key, value) = body.split_at(key_len);
        let change = Change {
            position: header.position.get(),
            key,
            value,
            kind,
            version: header.version.get(),
            origin: header.origin.get(),
            deadline: deadline.try_into().ok().map(u64::from_le_bytes),
            expiration: flags & EXPIRATION != 0,
            created: flags & CREATED != 0,
            bulk: flags & BULK != 0,
        };
        Ok(Some((change, bytes)))
    }
}
