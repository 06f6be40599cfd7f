//! The reserve: free segments that keep cleaning possible.
//!
//! A cleaner copies before it frees, so it needs a free segment first; without one, a region that
//! is half dead would be full. What it needs, and who leaves it:
//!
//! * A process that cleans fills one segment with copies at a time, its threads together. The gain
//!   of a victim is at least what its copies take, so from the first victim that becomes free on it
//!   gives back what it takes. Until then it holds one segment more than it found.
//! * A victim that was emptied while somebody looked at it becomes free when that ends. Victims
//!   that somebody looks at when they are chosen are not worth a copy and left out; one that is
//!   looked at afterwards is one segment that is missing for a moment.
//!
//! So while k processes clean, k segments and one to spare suffice. Writes of applications leave
//! that many ([`Log::reserve`]) and look again after they have taken one, since two that look at
//! the same time may both find it there; who took one too many gives it back. A process that is
//! stopped between the two holds its segment for as long; those who go on clean until the reserve
//! is whole again, so it is short only while several stop before any of the others has finished.
//!
//! A writer that finds nothing to clean while others clean, or look at what was emptied, waits for
//! them, a bounded time and not twice for the same state of affairs, before it says that there is
//! no space: `OutOfSpace` means that what lives fills the region, or that more processes than the
//! reserve is for were stopped in the middle of cleaning.
//!
//! Of a small region the reserve is a sixteenth at most, and two segments at least: there more
//! processes than that which clean at the same time wait for each other.
//!
//! # A full file system
//!
//! What a full file system refuses cannot be cleaned with, so the reserve has memory before any
//! write of an application gets some ([`Log::back_reserve`]), and free segments with memory go to
//! such writes only as far as the reserve is left. So where nothing more is to be had the region
//! cleans what it has, as one that is full does, and asks again for each segment it needs: a
//! process remembers that it was refused ([`Log::is_starved`]) and counts no segment without memory
//! as free until it is given some. A small region does not pay for that: one free segment has
//! memory for every eight in use.

use std::sync::atomic::Ordering;

use crate::error::Result;
use crate::heap::{Log, run};
use crate::layout::word::SegmentState;
use crate::sync::Relaxed;

/// Segments in use for each free one that has memory, up to the reserve.
const USED_PER_BACKED: i64 = 8;

impl Log {
    /// Low mark: free segments that writes of applications leave to cleaners and tombstones. As few
    /// as may be: in a full region each one more makes the segments fuller that are cleaned.
    pub(crate) fn reserve(&self) -> u32 {
        self.processes().saturating_add(1).min(self.segments() / 16).max(self.least_reserve())
    }

    /// The reserve of a region that few processes have open; windows leave no more.
    pub(crate) fn least_reserve(&self) -> u32 {
        (self.segments() / 128).clamp(2, 8)
    }

    /// High mark: free segments that maintenance aims at.
    pub(crate) fn high_mark(&self) -> u32 {
        self.reserve() + (self.segments() / 32).clamp(1, 64)
    }

    /// Processes that have the region open for writing.
    fn processes(&self) -> u32 {
        let used = self.words().members_used.load(Relaxed) as usize;
        let rows = self.members.iter().take(used);
        rows.filter(|row| row.owner.load(Relaxed) != 0).count() as u32
    }

    /// Whether more than `leaving` segments may be taken, with or without memory.
    pub(crate) fn has_free(&self, leaving: u32) -> bool {
        let wanted = leaving as usize + 1;
        self.count_free(wanted) == wanted
    }

    /// How many may be taken, up to `wanted`.
    pub(crate) fn count_free(&self, wanted: usize) -> usize {
        let start = self.words().unbacked_hint.load(Relaxed).min(u64::from(self.segments())) as u32;
        let all = (start..self.segments()).chain(0..start);
        all.filter(|&segment| self.may_be_taken(segment)).take(wanted).count()
    }

    /// Whether a segment is free, and has memory or may get some.
    pub(crate) fn may_be_taken(&self, segment: u32) -> bool {
        match self.state(segment).state() {
            Some(SegmentState::Free) => true,
            Some(SegmentState::Unbacked) => !self.is_starved(),
            _ => false,
        }
    }

    /// Free segments that have memory.
    pub(crate) fn free_with_memory(&self) -> u32 {
        let free = |&segment: &u32| self.state(segment).state() == Some(SegmentState::Free);
        (0..self.segments()).filter(free).count() as u32
    }

    /// Free segments with memory beyond those that whoever leaves `reserve` segments leaves with
    /// memory; below 0: so many lack it.
    pub(crate) fn spare_memory(&self, reserve: u32) -> i64 {
        let (mut free, mut used) = (0, 0);
        for segment in 0..self.segments() {
            match self.state(segment).state() {
                Some(SegmentState::Free) => free += 1,
                Some(SegmentState::Unbacked | SegmentState::Releasing | SegmentState::Index) => {}
                _ => used += 1,
            }
        }
        free - i64::from(reserve).min(used / USED_PER_BACKED)
    }

    /// Gives memory to free segments, in the name of `thread`, until the reserve has some. Whoever
    /// dies here leaves an empty segment that recovery seals.
    pub(crate) fn back_reserve(&self, thread: u32, reserve: u32) -> Result<()> {
        let mut lacking = self.spare_memory(reserve).min(0);
        for segment in 0..self.segments() {
            if lacking == 0 {
                break;
            }
            let word = self.state(segment);
            if word.state() != Some(SegmentState::Unbacked) {
                continue;
            }
            self.back(segment)?;
            if self.claim(segment, word, thread, 0).is_some() {
                run::give_back(self, thread, segment, 1);
                lacking += 1;
            }
        }
        Ok(())
    }

    /// Whether the file system had no memory when this process asked last.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }

    /// What the file system said; false also makes the process ask again.
    pub(crate) fn set_starved(&self, starved: bool) {
        if self.is_starved() != starved {
            self.starved.store(starved, Ordering::Relaxed);
        }
    }

    /// Whether one who has just taken a segment left at least `leaves` of them.
    pub(crate) fn has_left(&self, leaves: u32) -> bool {
        leaves.checked_sub(1).is_none_or(|more_than| self.has_free(more_than))
    }
}
