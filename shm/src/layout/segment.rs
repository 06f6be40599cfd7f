//! The per-segment words beside the packed state array.

use crate::layout::word::SegmentWord;
use crate::os::mapping::Shared;
use crate::sync::AtomicU64;

/// One cache line per segment.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct SegmentHeader {
    /// Bytes from the start that hold complete records. Written by the owner only, release.
    pub(crate) committed: AtomicU64,
    /// Bytes of records known to be dead: a hint that says when looking is worth it. The truth is
    /// the dead mark of each record.
    pub(crate) dead: AtomicU64,
    /// Latest deadline of a record in the segment, 0 if none has one. Hint for sweeps.
    pub(crate) latest_deadline: AtomicU64,
    /// Highest version of the records in the segment that have no deadline, 0 if there are none.
    /// Hint for sweeps.
    pub(crate) newest_version: AtomicU64,
    /// [`Birth`].
    pub(crate) birth: AtomicU64,
    /// 0 = new records, 1 = records that were copied.
    pub(crate) class: AtomicU64,
    /// `RunWord`, of this use of the segment or of an earlier one.
    pub(crate) run: AtomicU64,
    /// Thread descriptor that empties the segment at the moment: a hint that spreads cleaners.
    pub(crate) cleaner: AtomicU64,
}

/// When a segment was taken: low 16 bits of its generation, then `births` of the region in 48 bits.
/// The generation tells whether the header is of this use of the segment already.
pub(crate) struct Birth;

impl Birth {
    const BITS: u32 = 48;

    /// The word for a segment that was taken as number `births`.
    pub(crate) fn word(births: u64, taken: SegmentWord) -> u64 {
        (taken.generation() << Self::BITS) | Self::number(births)
    }

    /// `births` in a birth.
    pub(crate) fn number(birth: u64) -> u64 {
        birth & ((1 << Self::BITS) - 1)
    }

    /// Whether a header with this birth is of the use that the state word tells.
    pub(crate) fn is_of(birth: u64, state: SegmentWord) -> bool {
        birth >> Self::BITS == state.generation() & 0xffff
    }
}

// SAFETY: repr(C), atomics only.
unsafe impl Shared for SegmentHeader {}
// SAFETY: a plain atomic (segment state words, ring cells).
unsafe impl Shared for AtomicU64 {}

#[cfg(not(vug_loom))]
const _: () = assert!(size_of::<SegmentHeader>() == 64);
