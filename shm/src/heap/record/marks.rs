//! What happens to a record after it was written: the bits of its state, each set once.

use core::sync::atomic::Ordering;

use crate::heap::record::Record;
use crate::layout::record::{
    STATE_ABANDONED, STATE_ANNOUNCED, STATE_CREATED, STATE_DEAD, STATE_HELPED, STATE_PUBLISHED,
    STATE_SILENT,
};

impl Record<'_> {
    pub(crate) fn is_dead(&self) -> bool {
        self.state().load(Ordering::Acquire) & STATE_DEAD != 0
    }

    /// Whether it is known to have been in the index: it left it, or a cleaner saw it there.
    pub(crate) fn was_published(&self) -> bool {
        let state = self.state().load(Ordering::Acquire);
        state & STATE_PUBLISHED != 0 || state & (STATE_DEAD | STATE_ABANDONED) == STATE_DEAD
    }

    /// Says that the record is in the index, before a copy takes its place there.
    pub(crate) fn mark_published(&self) {
        let state = self.state();
        if state.load(Ordering::Relaxed) & STATE_PUBLISHED == 0 {
            state.fetch_or(STATE_PUBLISHED, Ordering::AcqRel);
        }
    }

    /// Marks a record that never was in the index as dead. True for the one caller that did it.
    pub(crate) fn mark_abandoned(&self) -> bool {
        let abandoned = STATE_DEAD | STATE_ABANDONED;
        self.state().fetch_or(abandoned, Ordering::AcqRel) & STATE_DEAD == 0
    }

    /// Marks a record that the caller, who is alive, took out of the index by its own CAS: nobody
    /// else has that right, so a plain store will do. True unless it was marked already.
    ///
    /// What the store may overwrite is of no use any more: a cleaner's *published*, which *dead*
    /// alone implies, and *abandoned*, by which a recovery has not said the truth (it found the
    /// record out of the index and not marked yet). That recovery, or one of another dead thread
    /// that meant to replace the same record, may count its bytes a second time; counts are hints.
    ///
    /// Where changes are announced the caller has settled the record before
    /// (`region::announce`), so both marks of that are in what it read, if they are of use to
    /// anybody.
    #[inline]
    pub(crate) fn mark_replaced(&self) -> bool {
        let state = self.state();
        let seen = state.load(Ordering::Relaxed);
        state.store(seen | STATE_DEAD, Ordering::Release);
        seen & STATE_DEAD == 0
    }

    /// Marks the record as not in the index any more. True for the one caller that did it.
    pub(crate) fn mark_dead(&self) -> bool {
        self.state().fetch_or(STATE_DEAD, Ordering::AcqRel) & STATE_DEAD == 0
    }

    /// Whether the change is known to be in the event ring.
    #[inline]
    pub(crate) fn is_announced(&self) -> bool {
        self.state().load(Ordering::Acquire) & STATE_ANNOUNCED != 0
    }

    /// Says that it is.
    pub(crate) fn mark_announced(&self) {
        self.state().fetch_or(STATE_ANNOUNCED, Ordering::AcqRel);
    }

    /// Says that somebody other than its writer is about to announce it.
    pub(crate) fn mark_helped(&self) {
        self.state().fetch_or(STATE_HELPED, Ordering::SeqCst);
    }

    /// What the change means to listeners; told of records that were to be announced.
    pub(crate) fn mark(&self) -> Mark {
        match self.state().load(Ordering::Acquire) {
            state if state & STATE_SILENT != 0 => Mark::Silent,
            state if state & STATE_CREATED != 0 => Mark::Created,
            _ => Mark::Changed,
        }
    }
}

/// What a change means to listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The key was there before.
    Changed,
    /// It was absent.
    Created,
    /// Nothing that can be seen has changed.
    Silent,
}

impl Mark {
    /// The state of a new record.
    pub(crate) fn state(self) -> u16 {
        match self {
            Self::Changed => 0,
            Self::Created => STATE_CREATED,
            Self::Silent => STATE_SILENT,
        }
    }
}
