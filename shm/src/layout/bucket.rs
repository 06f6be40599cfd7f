//! The 64-byte bucket of the index.

use crate::os::mapping::Shared;
use crate::sync::AtomicU64;

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
    /// Each word is read once, as by an acquire load.
    #[inline(always)]
    pub(crate) fn slots_with_tag(&self, tag: u64) -> u32 {
        #[cfg(all(target_arch = "x86_64", not(miri), not(vug_loom)))]
        return self.words_with_tag(tag) >> 1 & ((1 << SLOTS) - 1);
        #[cfg(not(all(target_arch = "x86_64", not(miri), not(vug_loom))))]
        self.each_slot_with_tag(tag)
    }

    #[cfg(any(test, miri, vug_loom, not(target_arch = "x86_64")))]
    fn each_slot_with_tag(&self, tag: u64) -> u32 {
        let mut found = 0;
        for (number, slot) in self.slots.iter().enumerate() {
            let word = crate::layout::word::SlotWord(slot.load(crate::sync::Acquire));
            found |= u32::from(word.tag() == tag) << number;
        }
        found
    }

    /// Bit n, below eight, = the upper nine bits of word n of the bucket were this tag: all words
    /// at once, by instructions that every x86-64 has.
    ///
    /// In assembly, since other processes may write the words: to Rust a load of two would be a
    /// race. The processor reads each aligned word whole (where it has AVX, aligned vectors) and
    /// keeps the order of loads, and the compiler moves no access across.
    #[cfg(all(target_arch = "x86_64", not(miri), not(vug_loom)))]
    #[inline(always)]
    fn words_with_tag(&self, tag: u64) -> u32 {
        let found: u32;
        // SAFETY: reads the 64 bytes of `self`, which are 64-aligned, and writes registers only.
        unsafe {
            core::arch::asm!(
                "movd {wanted}, {tag:e}",
                "pshufd {wanted}, {wanted}, 0",
                "movdqa {low}, [{at}]",
                "movdqa {high}, [{at} + 32]",
                // The upper halves of four words each, of which the tags are the upper nine bits.
                "shufps {low}, [{at} + 16], 0xdd",
                "shufps {high}, [{at} + 48], 0xdd",
                "psrld {low}, 23",
                "psrld {high}, 23",
                "pcmpeqd {low}, {wanted}",
                "pcmpeqd {high}, {wanted}",
                "packssdw {low}, {high}",
                "packsswb {low}, {low}",
                "pmovmskb {found:e}, {low}",
                at = in(reg) core::ptr::from_ref(self),
                tag = in(reg) tag,
                found = lateout(reg) found,
                wanted = out(xmm_reg) _,
                low = out(xmm_reg) _,
                high = out(xmm_reg) _,
                options(nostack, preserves_flags),
            );
        }
        found
    }
}

// SAFETY: repr(C), atomics only.
unsafe impl Shared for Bucket {}

#[cfg(not(vug_loom))]
const _: () = assert!(size_of::<Bucket>() == 64);

#[cfg(all(test, not(vug_loom)))]
mod tests {
    use super::*;
    use crate::layout::word::{Location, SlotWord};

    #[test]
    fn tags_are_found_in_every_slot_and_nowhere_else() {
        let words: Vec<u64> = (0..8u64)
            .map(|n| SlotWord::occupied(2 + n % 3, Location::new(n as u32, n, 8 * n as usize)).0)
            .chain([0, u64::MAX, 511 << 55, 1 << 54, 2 << 55])
            .collect();
        for first in 0..words.len() {
            let word = |n: usize| AtomicU64::new(words[(first + n * 5) % words.len()]);
            let bucket = Bucket {
                header: word(0),
                slots: std::array::from_fn(|n| word(n + 1)),
                link: word(7),
            };
            for tag in 0..512 {
                assert_eq!(bucket.slots_with_tag(tag), bucket.each_slot_with_tag(tag), "{tag}");
            }
        }
    }
}
