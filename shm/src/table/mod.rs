//! Layer 3: the index. Buckets of one cache line, chained through overflow buckets.
//!
//! # Words and who may write them
//!
//! | word | written by | how |
//! |---|---|---|
//! | slot, empty -> occupied | whoever finishes the pending insert of the bucket | CAS from the exact stamped empty word |
//! | slot, occupied -> occupied | any writer of that key | CAS, the old record's segment under hazard |
//! | slot, occupied -> empty | any writer of that key | CAS to a stamp that never repeats |
//! | header of a primary bucket | any inserter (claim), anybody (finish, freeze, move) | CAS |
//! | link | any inserter | CAS 0 -> n, once in the life of a table |
//! | slot and link of a frozen chain | whoever moves it | set the frozen bit, once; then never |
//! | slot of the next table, 0 -> occupied | whoever moves a chain | CAS from 0 |
//!
//! # Invariants
//!
//! * I1: a key is in at most one slot of its chain. Replace and delete keep the slot; an insert is
//!   decided by the claim of the header, and the claim fails if another insert was claimed after
//!   the scan that found the key absent.
//! * I2: a key never moves between slots of a table, so a scan that misses it proves that it was
//!   absent at some instant of the scan. What moves to the next table leaves its word behind.
//! * I3: an empty word is unique for ever (thread number and counter), so a helper that was
//!   stopped for any time cannot insert a second time.
//!
//! # Linearization points
//!
//! Replace, delete: the CAS of the slot. Insert: the CAS of the slot by owner or helper. A miss:
//! some instant of the scan (I2).
//!
//! # Death
//!
//! Before the claim: nothing is visible. Between claim and slot CAS, or between slot CAS and the
//! end of the claim: the next inserter of the bucket, or recovery, finishes it ([`insert`]).
//!
//! # Growth
//!
//! A table has 2^n primary buckets and is named by n. When it is nearly full, a table of twice the
//! size is built beside it, and the chains are moved one by one, by whoever inserts ([`grow`]).
//! Operations say which table they may look at, and so when the old one may go ([`pin`]).
//!
//! The protocols are the exhaustive models `tests/models/insert.rs` and `tests/models/growth.rs`;
//! `loom` runs the code itself.

pub(crate) mod grow;
pub(crate) mod insert;
pub(crate) mod overflow;
pub(crate) mod pin;
pub(crate) mod tables;

use crate::layout::bucket::{Bucket, MAX_OVERFLOW, SLOTS};
use crate::layout::word::{LINK_FROZEN, SlotRef};
use crate::sync::prefetch::prefetch;

pub(crate) use tables::KnownTable;

/// Hash of a key: the index uses the low bits, the tag the high ones.
#[inline]
pub(crate) fn hash_key(key: &[u8], seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(key, seed)
}

/// The chain is longer than any writer makes it or leaves the table: the file is damaged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BrokenChain;

/// One table, as long as its user has it pinned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'t> {
    /// Binary logarithm of the number of primary buckets, which names the table.
    pub(crate) log2: u32,
    /// Primary buckets, then the arena of overflow buckets.
    pub(crate) buckets: &'t [Bucket],
}

impl View<'_> {
    pub(crate) fn primaries(self) -> usize {
        1 << self.log2
    }

    /// Starts to load a bucket.
    #[inline(always)]
    pub(crate) fn prefetch(self, number: u32) {
        prefetch(self.buckets.as_ptr().wrapping_add(number as usize).cast());
    }

    /// Primary bucket of a hash.
    #[inline]
    pub(crate) fn primary(self, hash: u64) -> u32 {
        (hash & ((1 << self.log2) - 1)) as u32
    }
}

/// Number of the bucket that a link word names.
#[inline]
pub(crate) fn linked(link: u64) -> Option<u64> {
    (link & !LINK_FROZEN).checked_sub(1)
}

/// Numbers of the buckets of one chain, primary first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) buckets: [u32; 1 + MAX_OVERFLOW],
    pub(crate) len: usize,
}

impl Chain {
    /// Follows the links from a primary bucket as they are now. Links only ever appear, so a
    /// longer chain may exist afterwards, never another one.
    #[inline]
    pub(crate) fn walk(buckets: &[Bucket], primary: u32) -> Result<Self, BrokenChain> {
        let mut chain = Self { buckets: [primary; 1 + MAX_OVERFLOW], len: 1 };
        let mut link = buckets[primary as usize].link.load(crate::sync::Acquire);
        while let Some(number) = linked(link) {
            if chain.len > MAX_OVERFLOW || number >= buckets.len() as u64 {
                return Err(BrokenChain);
            }
            chain.buckets[chain.len] = number as u32;
            chain.len += 1;
            link = buckets[number as usize].link.load(crate::sync::Acquire);
        }
        Ok(chain)
    }

    /// All slots in scan order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = SlotRef> + use<'_> {
        self.buckets[..self.len]
            .iter()
            .flat_map(|&bucket| (0..SLOTS).map(move |slot| SlotRef::new(bucket, slot)))
    }
}
