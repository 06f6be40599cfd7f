//! Hazard words: a thread names the segment it looks at, and proves afterwards that the segment
//! still was what it took it for.
//!
//! Reader: swap the segment into its hazard word; read the slot word again. Equal means
//! protected. Reclaimer: make sure that no slot refers to the segment; move it to Quarantine; read
//! all hazard words, then all pin words. Not named means free.
//!
//! The swap, the second read of the slot, the CAS that unlinks a record, the transition to
//! Quarantine and the reads of the hazards are all `SeqCst`, so one total order holds them. If the
//! reader's second read comes before the unlinking CAS, its swap comes before the reclaimer's look
//! at the hazard, which therefore sees it. If it comes after, the reader sees the changed slot and
//! gives up. This is Michael's hazard pointer argument (IEEE TPDS 15(6), 2004) with a segment in
//! place of a node. A swap, because on x86 it is cheaper than a store and a full fence: later
//! loads of the same thread need not wait for earlier ones.

use crate::layout::word::SlotWord;
use crate::sync::{AtomicU64, Release, SeqCst};

/// One hazard word of the calling thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hazard<'t>(&'t AtomicU64);

impl<'t> Hazard<'t> {
    pub(crate) fn new(word: &'t AtomicU64) -> Self {
        Self(word)
    }

    /// Names a segment; the caller must then prove that it still is what it was.
    #[inline]
    pub(crate) fn announce(self, segment: u32) {
        self.0.swap(u64::from(segment) + 1, SeqCst);
        // loom takes SeqCst accesses for AcqRel ones and knows a total order of fences only.
        #[cfg(vug_loom)]
        crate::sync::fence(SeqCst);
    }

    /// Protects what `seen` refers to. Err = the slot changed; look at the new word instead.
    #[inline]
    pub(crate) fn protect(self, slot: &AtomicU64, seen: SlotWord) -> Result<(), SlotWord> {
        self.announce(seen.location().segment());
        let now = SlotWord(slot.load(SeqCst));
        if now.identity() == seen.identity() { Ok(()) } else { Err(now) }
    }

    /// Ends the protection; reads of the record happened before.
    #[inline]
    pub(crate) fn clear(self) {
        self.0.store(0, Release);
    }
}

#[cfg(all(test, vug_loom))]
mod loom_tests;
