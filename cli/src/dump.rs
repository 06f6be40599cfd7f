//! The binary dump: entries as `vug export` writes and `vug import` reads them, between any two
//! versions of this program and any two machines. `DUMP.md` specifies it.

mod read;
mod write;

use xxhash_rust::xxh3::xxh3_64;

pub(crate) use self::read::{DumpReader, Item, Trouble};
pub(crate) use self::write::DumpWriter;

/// Begins every dump. Bytes that text tools mangle show a file that went through one.
pub(crate) const MAGIC: [u8; 8] = *b"\x89VUG\r\n\x1a\n";
/// Version that is written; others are refused.
pub(crate) const VERSION: u16 = 1;
/// The entries carry version and origin, and a deadline where they have one.
pub(crate) const FLAG_META: u16 = 1;
/// The entries are in ascending order of their keys.
pub(crate) const FLAG_SORTED: u16 = 2;

const HEADER: usize = 32;
const BLOCK_HEAD: usize = 24;
const BLOCK: [u8; 4] = *b"VBLK";
const END: [u8; 4] = *b"VEND";
const END_PAYLOAD: usize = 24;
/// A block is closed when it has this many bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// No block is longer: the longest value and key, and one block before them.
const BLOCK_MAX: u64 = (1 << 30) + (1 << 20);

const ENTRY_HEAD: usize = 8;
const ENTRY_META: u8 = 1;
const ENTRY_DEADLINE: u8 = 2;

/// One entry of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DumpEntry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// 1: a value; 2 and 3: invalid, of the whole region or of the node.
    pub(crate) kind: u8,
    /// Version and origin.
    pub(crate) token: Option<(u64, u16)>,
    /// When it expires by itself, in milliseconds since 1970.
    pub(crate) deadline: Option<u64>,
}

/// Checksum of a block: of its head without the checksum, and its payload.
fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    xxh3_64(payload) ^ xxh3_64(head).rotate_left(1)
}

/// Checksum of a dump, block by block.
fn chained(before: u64, block: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&before.to_le_bytes());
    bytes[8..].copy_from_slice(&block.to_le_bytes());
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests;
