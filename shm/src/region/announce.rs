//! Announcing: each change of a key goes into the event ring once, in the order in which the
//! changes took place, whoever dies.
//!
//! # Protocol
//!
//! A writer *decides* whether it announces after its search and before its CAS of the slot: always
//! in distributed regions, else if `journal_wanted` is 1. `intent.announce` says what it decided.
//! If it announces, it first *settles* the record it is about to replace: one that is not marked
//! `announced`, and that the intent of its writer promises to announce, is announced for that
//! writer. So does everybody else who takes a record out of the index. Hence:
//!
//! * A record that is not in the index any more is announced, if it was to be. So the order of the
//!   ring is that of the CASes, and recovery only has to look at what is in the index.
//! * Once a change of a key is to be announced, all later ones are: their writers found its record
//!   in the slot, or what followed it, before they read `journal_wanted`.
//!
//! Exactly once. Who announces for another marks the record `helped`, then scans the ring from
//! where that write began (`ring_start`), and appends with a CAS that succeeds only if the ring
//! still ends where the scan did. A writer announces without a scan as long as its record is not
//! marked `helped`, which it asks between its look at the tail and its CAS of the cell: whatever a
//! helper appended before that cell, it had marked the record earlier. `announced` is a hint that
//! spares the look at the intents; it is set before the intent is cleared.
//!
//! Linearization point of an announcement: the CAS of the ring cell.
//!
//! | word | written by |
//! |---|---|
//! | `intent.announce`, `ring_start` | the writer, before its intent says which slot |
//! | `helped` of a record | whoever announces for its writer, before the scan |
//! | `announced` of a record | whoever announced it or found it in the ring |
//! | `created` of a record | its writer, before the CAS of the slot |
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | `announce.helped` | nothing is announced | the writer, its recovery, or the next helper: all scan |
//! | `journal.written` (by anybody) | announced, not marked | these find it by their scan |
//! | `announce.marked` | done | - |
//! | slot CAS of a writer that decided not to announce | perhaps somebody listens by now | its recovery says "look again" |
//!
//! If the ring went round since the write began, because a process was stopped in the middle of
//! one, nobody can tell from the ring whether it was announced. Then listeners are told to look
//! again, and the change is announced unless its record is marked `announced`, which is asked at
//! the same place as `helped`: who takes a record out of the index marks it before, so a change
//! that is announced as late as that is still in the index, and in order. It may be announced
//! twice in a row, if the one who did it first was stopped before its mark.
//!
//! # The first listener of a region of local scope
//!
//! Writers that decided before somebody subscribed do not announce, and others do not for them.
//! Such a writer reads `journal_wanted` once more after its CAS: 0 means that a look at the region
//! after the subscription finds the change; 1 means that such a look may have come too early, and
//! the writer tells listeners to look again. A first subscription waits a moment for writers that
//! are at it, so that this is rare; nothing depends on it.
//!
//! # Clear
//!
//! A change whose version is below `clear_stamp` is gone already, and is not announced; asked at
//! the same place as `helped`, so no change that a clear removed is announced behind the clear.
//!
//! The exhaustive model is `tests/models/announce.rs`.

use core::sync::atomic::AtomicU16;
use std::time::{Duration, Instant};

use crate::crash;
use crate::heap::record::Record;
use crate::journal::Once;
use crate::layout::record::{STATE_ANNOUNCED, STATE_HELPED};
use crate::layout::word::{Doer, Location, RegionOp, RingOp};
use crate::region::mapped::Mapped;
use crate::sync::{Acquire, SeqCst};

/// How long a first subscription waits for writers that are at it.
const PATIENCE: Duration = Duration::from_millis(2);

/// A change to be announced: what, where its record is, and which version it made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcement {
    pub(crate) op: RingOp,
    pub(crate) location: Location,
    pub(crate) version: u64,
}

impl Mapped {
    /// Whether changes are announced. To be read between the search and the CAS of a change.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_distributed() || self.words().journal_wanted.load(SeqCst) != 0
    }

    /// From now on writers of a region of local scope announce.
    pub(crate) fn want_journal(&self) {
        let wanted = &self.words().journal_wanted;
        if self.is_distributed() || wanted.load(SeqCst) != 0 || self.members.is_forked_child() {
            return;
        }
        wanted.store(1, SeqCst);
        crash::point("journal.wanted");
        // Those that decided before tell listeners to look again if they are through later.
        let patient_until = Instant::now() + PATIENCE;
        let used = self.words().threads_used.load(SeqCst) as usize;
        for thread in self.threads.iter().take(used) {
            let running = thread.intent.record.load(SeqCst);
            while running != 0
                && thread.intent.record.load(SeqCst) == running
                && Instant::now() < patient_until
            {
                std::thread::yield_now();
            }
        }
    }

    /// Sees to it that a record is announced, if it has to be. To be called before its slot gets
    /// another word, by a caller that found it there, and then that changes are announced, and that
    /// protects its segment.
    #[inline]
    pub(crate) fn settle(&self, location: Location, record: &Record<'_>) {
        if !record.is_announced() {
            self.help_announce(location, record);
        }
    }

    /// Announces for the writer of a record, if its intent promises that.
    #[cold]
    fn help_announce(&self, location: Location, record: &Record<'_>) {
        let named = location.0 + 1;
        let used = self.words().threads_used.load(SeqCst) as usize;
        for thread in self.threads.iter().take(used) {
            if thread.intent.record.load(SeqCst) != named {
                continue;
            }
            let from = thread.ring_start.load(Acquire);
            let promised = RingOp::promised(thread.intent.announce.load(Acquire));
            // Cleared meanwhile, so these words may be of another write: then it is announced.
            if let (Some(op), true) = (promised, thread.intent.record.load(SeqCst) == named) {
                self.announce_for(from, op, location, record);
            }
            return;
        }
    }

    /// Announces the record of another thread, which is in the index, unless the ring has it at
    /// `from` or behind. Whether this call did it.
    pub(crate) fn announce_for(
        &self,
        from: u64,
        op: RingOp,
        location: Location,
        record: &Record<'_>,
    ) -> bool {
        record.mark_helped();
        crash::point("announce.helped");
        let version = record.head().version;
        let change = Announcement { op, location, version };
        let (_, appended) = self.announce_once(from, change, || record.is_announced());
        record.mark_announced();
        crash::point("announce.marked");
        appended
    }

    /// Announces the calling thread's own change, of which `state` is that of the record, and wakes
    /// who waits for it. Position behind the announcement.
    pub(crate) fn announce_own(&self, own: Announcement, state: &AtomicU16, from: u64) -> u64 {
        let helped = || state.load(Acquire) & STATE_HELPED != 0;
        let announced = || state.load(Acquire) & STATE_ANNOUNCED != 0;
        let refuses = || helped() || self.is_cleared(own.version);
        let appended = self.journal().append_unless(own.op, own.location, refuses);
        let position = match appended {
            Some(position) => {
                self.wake_for(own.op);
                position.wrapping_add(1)
            }
            None => self.announce_once(from, own, announced).0,
        };
        state.fetch_or(STATE_ANNOUNCED, core::sync::atomic::Ordering::AcqRel);
        crash::point("announce.own");
        position
    }

    /// Position behind the announcement, and whether this call made it. `announced`: whether the
    /// record is marked so.
    #[cold]
    fn announce_once(
        &self,
        from: u64,
        change: Announcement,
        announced: impl Fn() -> bool,
    ) -> (u64, bool) {
        let Announcement { op, location, version } = change;
        let refuses = || self.is_cleared(version);
        let journal = self.journal();
        let mut once = journal.append_once(from, op, location, refuses);
        if once == Once::Unknown {
            journal.append(RingOp::Region, RegionOp::LookAgain.location(Doer::Member(0)));
            crash::point("announce.unknown");
            while once == Once::Unknown {
                let recent = journal.tail().saturating_sub(journal.len() / 2);
                once = journal.append_once(recent, op, location, || announced() || refuses());
            }
        }
        // Who found it may have found the announcement of one that was stopped or killed.
        self.wake_for(op);
        match once {
            Once::Appended(position) => (position.wrapping_add(1), true),
            Once::Found(position) => (position.wrapping_add(1), false),
            Once::Refused | Once::Unknown => (journal.tail(), false),
        }
    }

    /// Whether a clear removed what has this version.
    #[inline]
    fn is_cleared(&self, version: u64) -> bool {
        version < self.words().clear_stamp.load(Acquire)
    }

    /// Puts what happened to the region into the ring. 0 if nobody listens.
    pub(crate) fn announce_region(&self, op: RegionOp) -> u64 {
        self.announce_by(op, Doer::Member(self.me as u16))
    }

    /// The same, for whoever did it.
    pub(crate) fn announce_by(&self, op: RegionOp, by: Doer) -> u64 {
        self.announce_loose(op.location(by))
    }

    /// Puts the eviction of a record into the ring. 0 if nobody listens.
    pub(crate) fn announce_evicted(&self, location: Location) -> u64 {
        self.announce_loose(location)
    }

    /// The same for an evictor that died, unless it did so at `from` or behind.
    pub(crate) fn recover_evicted(&self, from: u64, location: Location) -> bool {
        let eviction = Announcement { op: RingOp::Region, location, version: u64::MAX };
        // If nobody can tell any more, the key may be there again: listeners look, and that is all.
        self.is_wanted() && self.announce_once(from, eviction, || true).1
    }

    fn announce_loose(&self, location: Location) -> u64 {
        if !self.is_wanted() {
            return 0;
        }
        let position = self.journal().append(RingOp::Region, location).wrapping_add(1);
        crash::point("announce.region");
        self.wake_for(RingOp::Region);
        position
    }

    fn wake_for(&self, op: RingOp) {
        self.wake_listeners();
        if self.is_distributed() && matches!(op, RingOp::Change | RingOp::Region) {
            self.members.ring_bell_if_asleep();
        }
    }
}

#[cfg(all(test, not(vug_loom)))]
mod tests;
