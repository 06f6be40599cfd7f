//! The record: 32-byte header, extensions, key, value; each part padded to 8 bytes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Fixed part of a record as it is written.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct RecordHeader {
    /// Version of the entry: monotone per key.
    pub(crate) version: u64,
    /// Low half of the key's hash, so that a table can grow without hashing keys again.
    pub(crate) hash: u32,
    pub(crate) value_len: u32,
    /// Key length - 1: keys have 1 to 65,536 bytes.
    pub(crate) key_len_less_one: u16,
    /// Node that made the change; 0 = this node before it got a number.
    pub(crate) origin: u16,
    /// `Kind`.
    pub(crate) kind: u8,
    /// `FLAG_*`. Bits 0 to 2 say which extensions follow, in this order: deadline, fence
    /// (reserved), previous record.
    pub(crate) flags: u8,
    /// Low 16 bits of the member that wrote it.
    pub(crate) member: u16,
    /// Bytes of extension words between header and key; unknown ones are skipped.
    pub(crate) extension_bytes: u16,
    /// `STATE_*` bits. Atomic after publication.
    pub(crate) state: u16,
    /// Last read or write in ticks of 2^16 microseconds, modulo 2^32; 0 = not known. Only kept
    /// while the region has an idle time. Atomic after publication.
    pub(crate) access: u32,
}

/// Size of [`RecordHeader`].
pub(crate) const RECORD_HEADER: usize = 32;
/// Offset of `extension_bytes`.
pub(crate) const EXTENSION_OFFSET: usize = 24;
/// Offset of `member`.
pub(crate) const MEMBER_OFFSET: usize = 22;
/// Offset of `access`.
pub(crate) const ACCESS_OFFSET: usize = 28;
/// Offset of `state`.
pub(crate) const STATE_OFFSET: usize = 26;
/// The record is not in the index (any more); set once, after the unlinking CAS.
pub(crate) const STATE_DEAD: u16 = 1;
/// Set together with `STATE_DEAD` on a record that never was in the index.
pub(crate) const STATE_ABANDONED: u16 = 2;
/// A cleaner saw the record in the index. Set before the CAS that puts a copy in its place, so that
/// recovery of its writer knows that it was published, whatever happened since.
pub(crate) const STATE_PUBLISHED: u16 = 4;
/// The change is in the event ring. Clear, the intent of its writer tells whether it has to be.
pub(crate) const STATE_ANNOUNCED: u16 = 8;
/// Somebody other than its writer may have announced the change. Set before that one looks at the
/// ring, so that the writer looks, too.
pub(crate) const STATE_HELPED: u16 = 16;
/// The key was absent before. Stored before publication, if the change is to be announced.
pub(crate) const STATE_CREATED: u16 = 32;
/// Nothing that a listener could see has changed, such as a destroy of an unknown key by another
/// node. Stored before publication.
pub(crate) const STATE_SILENT: u16 = 64;
/// An extension of 8 bytes says when the entry expires, in microseconds since 1970.
pub(crate) const FLAG_DEADLINE: u8 = 0x01;
/// An extension of 8 bytes has the location + 1 of the record that this one replaced; 0 = none.
pub(crate) const FLAG_PREVIOUS: u8 = 0x04;
/// The change was part of an operation on many keys.
pub(crate) const FLAG_BULK: u8 = 0x08;
/// Of kind `TRANSIT`: the entry has no value.
pub(crate) const FLAG_VALUELESS: u8 = 0x10;
/// The record was made because the entry before it had expired.
pub(crate) const FLAG_EXPIRATION: u8 = 0x40;
/// The change came from another node.
pub(crate) const FLAG_REMOTE: u8 = 0x80;

/// Size of the deadline, which is the first extension.
pub(crate) const DEADLINE_BYTES: usize = 8;
/// Size of the location of the previous record, which is the last extension.
pub(crate) const PREVIOUS_BYTES: usize = 8;

/// Largest key.
pub(crate) const MAX_KEY: usize = 65_536;
/// Largest value.
pub(crate) const MAX_VALUE: usize = 1 << 30;
/// Smallest and largest alignment of values.
pub(crate) const MIN_ALIGNMENT: usize = 8;
pub(crate) const MAX_ALIGNMENT: usize = 4096;

const _: () = {
    assert!(size_of::<RecordHeader>() == RECORD_HEADER);
    assert!(core::mem::offset_of!(RecordHeader, extension_bytes) == EXTENSION_OFFSET);
    assert!(core::mem::offset_of!(RecordHeader, access) == ACCESS_OFFSET);
    assert!(core::mem::offset_of!(RecordHeader, member) == MEMBER_OFFSET);
    assert!(core::mem::offset_of!(RecordHeader, state) == STATE_OFFSET);
};

/// Rounds up to the next multiple of 8.
pub(crate) const fn padded(len: usize) -> usize {
    (len + 7) & !7
}

/// Offsets of the parts of a record, relative to its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) key: usize,
    pub(crate) value: usize,
    /// Where the next record starts.
    pub(crate) end: usize,
}

impl Extent {
    /// `alignment` is a power of two, at least 8: value and end lie at multiples of it, and so
    /// does every record that follows another. `None` if the sum does not fit.
    #[inline]
    pub(crate) fn of(
        key_len: usize,
        value_len: usize,
        extension_bytes: usize,
        alignment: usize,
    ) -> Option<Self> {
        // The mask says to the compiler that sums of shorter numbers cannot overflow.
        let rest = alignment.wrapping_sub(1) & (MAX_ALIGNMENT - 1);
        let key = RECORD_HEADER.checked_add(padded(extension_bytes))?;
        let value = key.checked_add(key_len)?.checked_add(rest)? & !rest;
        let end = value.checked_add(value_len)?.checked_add(rest)? & !rest;
        Some(Self { key, value, end })
    }
}
