//! The 64-byte bucket of the index.

use crate::layout::word::SlotWord;
use crate::os::mapping::Shared;
use crate::sync::{Acquire, AtomicU64};

/// Slots in a bucket.
pub(crate) const SLOTS: usize = 6;
/// Longest chain: one primary bucket and this many overflow buckets.
pub(crate) const MAX_OVERFLOW: usize = 4;

/// One cache line of the index. In a primary bucket `header` governs inserts into the whole chain;
/// in an overflow bucket it names the bucket it was claimed for (number + 1), 0 while unused.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Bucket {
    /// `HeaderWord`, or the claim of an overflow bucket.
    pub(crate) header: AtomicU64,
    /// `SlotWord`s.
    pub(crate) slots: [AtomicU64; SLOTS],
    /// Number of the overflow bucket + 1; written once, 0 -> n, in the life of a table.
    pub(crate) link: AtomicU64,
}

impl Bucket {
    /// Bit n = the word in slot n had this tag. Without a branch for each slot: where a key lies is
    /// not to be predicted, and a wrong guess ends whatever the processor had begun beyond it.
    #[inline(always)]
    pub(crate) fn slots_with_tag(&self, tag: u64) -> u32 {
        let mut found = 0;
        for (number, slot) in self.slots.iter().enumerate() {
            found |= u32::from(SlotWord(slot.load(Acquire)).tag() == tag) << number;
        }
        found
    }
}

// SAFETY: repr(C), atomics only.
unsafe impl Shared for Bucket {}

#[cfg(not(vug_loom))]
const _: () = assert!(size_of::<Bucket>() == 64);
