//! What a write that replaces a record does to make room: the record must not be in the way.

use core::cell::Cell;
use core::time::Duration;

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::error::Result;
use crate::heap::append::Author;
use crate::layout::thread::OPERATION_HAZARDS;
use crate::layout::word::{Location, SegmentState};
use crate::region::mapped::Mapped;
use crate::region::write::{Condition, Writer};
use crate::sync::{Relaxed, Release, SeqCst};

/// Of one attempt.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// The hazard on the record that is to be replaced was given up.
    lost: Cell<bool>,
    /// A record of several segments that is replaced in any case, in an evicting region: the first
    /// that goes.
    old: Cell<Option<Location>>,
    /// There is no room for the record of a destroy, which can do without; stays for all attempts.
    none: Cell<bool>,
    /// Until when it waits for somebody who builds a larger index, or cleans.
    waits_until: Cell<Option<Instant>>,
    /// The state of affairs in which it waits for room.
    waits_at: Cell<Option<u64>>,
    /// How often it began to wait anew because that had changed.
    renewals: Cell<u32>,
}

/// To build the largest table takes about as long.
const WAITS: Duration = Duration::from_millis(500);
const WAIT: Duration = Duration::from_micros(100);
/// What changes may be this write's own doing, which cleans in between, so this has an end.
const RENEWALS: u32 = 8;

impl Way {
    pub(super) fn begin(&self) {
        self.lost.set(false);
        self.old.set(None);
    }

    pub(super) fn find_none(&self) {
        self.none.set(true);
    }

    pub(super) fn has_none(&self) -> bool {
        self.none.get()
    }

    /// Lets others go on for a moment; false if it waited long enough.
    pub(super) fn wait(&self) -> bool {
        let now = Instant::now();
        let until = self.waits_until.get().unwrap_or(now + WAITS);
        self.waits_until.set(Some(until));
        if now < until {
            std::thread::sleep(WAIT);
        }
        now < until
    }

    /// Waits from now on for something else; whether it has not done so too often.
    fn renew(&self) -> bool {
        let renewals = self.renewals.get();
        if renewals < RENEWALS {
            self.renewals.set(renewals + 1);
            self.waits_until.set(None);
        }
        renewals < RENEWALS
    }

    /// Whether the entry has to be found again.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get()
    }
}

impl Mapped {
    /// There is no room, and nothing to clean: whether others are about to make some. If so, lets
    /// them go on for a moment. Not for long: they may be stopped; and not again before anything
    /// has changed, so that a region that is full says so at once.
    pub(super) fn is_waited_for(&self, way: &Way) -> bool {
        let (frees, recoveries) = self.log.progress();
        let now = frees.wrapping_add(recoveries);
        if self.waited_in_vain.load(Ordering::Relaxed) == now || !self.is_making_room() {
            return false;
        }
        if way.waits_at.replace(Some(now)) != Some(now)
            && way.renew()
            // What somebody was about to do who died is never done.
            && crate::recover::recover_region(self).is_ok_and(|freed| freed > 0)
        {
            return true;
        }
        let goes_on = way.wait();
        if !goes_on {
            self.waited_in_vain.store(now, Ordering::Relaxed);
        }
        goes_on
    }

    /// Whether somebody empties a segment, claims several side by side, or a running operation
    /// looks at one that is empty. For what guards keep nobody waits.
    fn is_making_room(&self) -> bool {
        let log = &self.log;
        let is = |segment: u32, state| log.state(segment).state() == Some(state);
        let worked_on = |segment: u32| {
            let Some(header) = log.header(segment) else {
                return false;
            };
            let fresh = header.committed.load(Relaxed) == 0 && header.run.load(Relaxed) == 0;
            is(segment, SegmentState::Sealed) && header.cleaner.load(Relaxed) != 0
                || is(segment, SegmentState::Active) && fresh
        };
        let used = self.words().threads_used.load(SeqCst) as usize;
        let hazards = self.threads.iter().take(used);
        let mut looked_at = hazards
            .flat_map(|thread| &thread.hazards[..OPERATION_HAZARDS])
            .filter_map(|hazard| u32::try_from(hazard.load(SeqCst).checked_sub(1)?).ok());
        (0..log.segments()).any(worked_on)
            || looked_at.any(|segment| is(segment, SegmentState::Quarantine))
    }
}

impl Writer<'_> {
    /// Notes what is replaced, if it is large and no condition needs it.
    pub(super) fn let_give_way(&self, old: Location) {
        let log = &self.region.log;
        let large = log.run(old.segment(), log.state(old.segment())).is_some();
        let replaced = matches!(self.change.condition, Condition::Always);
        self.way.old.set((large && replaced).then_some(old));
    }

    /// Stops protecting the record that is to be replaced: it may be what room is made of, and an
    /// evicting region would give up everything else before it. The attempt begins again.
    pub(super) fn let_go(&self) {
        self.region.hazard(self.context, 0).clear();
        self.way.lost.set(true);
    }

    /// Makes room for a record of several segments.
    pub(super) fn make_way(&self, segments: u32) -> Result<bool> {
        let evicted = match self.way.old.take() {
            Some(old) => self.region.evict_entry(self.context, self.hash as u32, old)?,
            None => false,
        };
        self.let_go();
        if evicted {
            self.reclaim(false)?;
            return Ok(true);
        }
        self.region.make_room_for(self.context, segments)
    }

    /// Lets go of the record, so that the intent can be used to make room; the next attempt appends
    /// another one. False: there was none.
    pub(super) fn give_up(&mut self) -> bool {
        let given_up = self.appended.take();
        if let Some((location, _)) = given_up {
            self.abandon_own(location);
        }
        self.thread.intent.record.store(0, Release);
        given_up.is_some()
    }
}
