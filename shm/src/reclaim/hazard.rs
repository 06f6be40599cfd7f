//! Hazard words: a thread names the segment it looks at, and proves afterwards that the segment
//! still was what it took it for.
//!
//! Reader: store the segment in its hazard word; read the slot word again. Equal means protected.
//! Reclaimer: make sure that no slot refers to the segment; move it to Quarantine; read all hazard
//! words, then all pin words. Not named means free.
//!
//! *By a swap.* The swap, the second read of the slot, the CAS that unlinks a record, the
//! transition to Quarantine and the reads of the hazards are all `SeqCst`, so one total order holds
//! them. If the reader's second read comes before the unlinking CAS, its swap comes before the
//! reclaimer's look at the hazard, which therefore sees it. If it comes after, the reader sees the
//! changed slot and gives up. This is Michael's hazard pointer argument (IEEE TPDS 15(6), 2004)
//! with a segment in place of a node. A swap, because on x86 it is cheaper than a store and a full
//! fence. Movers and cleaners do it so, and who is not registered.
//!
//! *By a plain store*, if the process is registered for barriers from outside (`os::barrier`): so
//! that the processor may run ahead of a cache miss, which neither a swap nor a fence lets it. The
//! reclaimer makes a barrier everywhere after the transition to Quarantine and before it looks at
//! the hazards. In the reader's program that barrier lies before the store or after it. Before:
//! then the second read of the slot comes after the barrier too, hence after the unlinking CAS, and
//! sees the changed slot. After: then the store is visible to the look. The row of each member says
//! which way its threads go, from before its first hazard until after its last; a reclaimer that
//! can make no barrier takes everything for protected while one goes this way. The exhaustive model
//! is `tests/models/fence.rs`. Reads and writes do it so.

use crate::layout::word::SlotWord;
use crate::sync::{AtomicU64, Relaxed, Release, SeqCst};

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
        if now.is_entry_of(seen) { Ok(()) } else { Err(now) }
    }

    /// Names a segment, by a plain store if `plainly`; the caller must then look again.
    #[inline(always)]
    pub(crate) fn announce_as(self, plainly: bool, segment: u32) {
        if plainly { self.announce_plainly(segment) } else { self.announce(segment) }
    }

    /// Names a segment by a plain store, for threads of a member whose row says so.
    #[inline(always)]
    fn announce_plainly(self, segment: u32) {
        self.0.store(u64::from(segment) + 1, Relaxed);
        // Keeps the compiler from exchanging them; the reclaimer's barrier binds the processor.
        #[cfg(not(vug_loom))]
        core::sync::atomic::compiler_fence(SeqCst);
        #[cfg(vug_loom)]
        crate::sync::fence(SeqCst);
    }

    /// [`Hazard::protect`] by a plain store.
    #[inline]
    pub(crate) fn protect_plainly(self, slot: &AtomicU64, seen: SlotWord) -> Result<(), SlotWord> {
        self.announce_plainly(seen.location().segment());
        let now = SlotWord(slot.load(SeqCst));
        if now.is_entry_of(seen) { Ok(()) } else { Err(now) }
    }

    /// Ends the protection; reads of the record happened before.
    #[inline]
    pub(crate) fn clear(self) {
        self.0.store(0, Release);
    }
}

#[cfg(all(test, vug_loom))]
mod loom_tests;
