//! The lane of one thread: the segment that the process' steady writer fills, without a mutex.
//!
//! Most processes have one thread that writes most of the time. It *holds* this lane from its first
//! write until it ends, and appends there with plain stores; the other threads share the lanes with
//! mutexes. A process keeps no more segments than before: it is the first lane that is held.
//!
//! Everything here is private to the process and goes with it. Only the holder reads or writes the
//! words beside `holder`, which is acquired by one CAS and given up with release.

use std::sync::atomic::{AtomicU64, Ordering::*};

use crate::crash;
use crate::heap::Log;
use crate::heap::append::{Active, note};
use crate::heap::record::{Draft, Unpublished};
use crate::layout::record::Extent;
use crate::layout::word::{Location, SegmentWord};

/// `holder` of nobody; descriptor 0 is never given to a thread.
const NOBODY: u64 = 0;
/// `segment` when there is none.
const NONE: u64 = u64::MAX;

/// See the module.
#[derive(Debug)]
pub(crate) struct OwnLane {
    /// Descriptor of the thread that holds the lane; [`NOBODY`].
    holder: AtomicU64,
    segment: AtomicU64,
    /// State word of the segment.
    word: AtomicU64,
    offset: AtomicU64,
}

impl OwnLane {
    pub(crate) fn new() -> Self {
        let [holder, word, offset] = [const { AtomicU64::new(0) }; 3];
        Self { holder, segment: AtomicU64::new(NONE), word, offset }
    }

    /// Whether the calling thread, by its descriptor, holds the lane now.
    #[inline]
    pub(crate) fn hold(&self, thread: u32) -> bool {
        let mine = u64::from(thread);
        let holder = self.holder.load(Relaxed);
        holder == mine
            || holder == NOBODY
                && self.holder.compare_exchange(NOBODY, mine, Acquire, Relaxed).is_ok()
    }

    /// The thread that had this descriptor is gone; what it was filling goes on.
    pub(crate) fn leave(&self, thread: u32) {
        let _ = self.holder.compare_exchange(u64::from(thread), NOBODY, Release, Relaxed);
    }

    /// The active segment, taken out of the lane. For the holder, or who is alone.
    pub(super) fn take(&self) -> Option<Active> {
        let segment = u32::try_from(self.segment.load(Relaxed)).ok()?;
        self.segment.store(NONE, Relaxed);
        let word = SegmentWord(self.word.load(Relaxed));
        Some(Active { segment, word, offset: self.offset.load(Relaxed) as usize })
    }

    /// Puts an active segment into the empty lane. False: there is one. For the holder.
    pub(super) fn put(&self, active: Active) -> bool {
        if self.segment.load(Relaxed) != NONE {
            return false;
        }
        self.word.store(active.word.0, Relaxed);
        self.offset.store(active.offset as u64, Relaxed);
        self.segment.store(u64::from(active.segment), Relaxed);
        true
    }

    /// Appends a record without a deadline if the calling thread holds the lane and the record fits
    /// into its segment; the same steps as every append. `announce` names it before `committed`
    /// covers it.
    #[inline(always)]
    pub(crate) fn append<'m>(
        &self,
        log: &'m Log,
        thread: u32,
        draft: &Draft<'_>,
        extent: Extent,
        announce: impl FnOnce(Location),
    ) -> Option<Unpublished<'m>> {
        let segment = self.segment.load(Relaxed);
        let offset = self.offset.load(Relaxed) as usize;
        let end = offset + extent.end;
        if self.holder.load(Relaxed) != u64::from(thread)
            || segment == NONE
            || end > log.segment_bytes()
        {
            return None;
        }
        let segment = segment as u32;
        let generation = SegmentWord(self.word.load(Relaxed)).generation();
        let location = Location::new(segment, generation, offset);
        let header = log.header(segment)?;
        // SAFETY: the segment is active in this process' name, and nobody but the holder of the
        // lane, the calling thread, appends to it; the record begins where `committed` ends, and
        // fits.
        let written = unsafe { draft.write(log, location, extent) }.ok()?;
        announce(location);
        crash::point("append.announced");
        self.offset.store(end as u64, Relaxed);
        note(header, &(draft, extent));
        header.committed.store(end as u64, crate::sync::Release);
        crash::point("append.committed");
        Some(written)
    }
}
