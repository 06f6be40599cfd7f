//! Following the changes of a region: by polling, blocking, as an iterator, or as a stream.
//!
//! A subscription reads the event ring with a cursor of its own and writes nothing that others wait
//! for: it slows nobody down, and what becomes of it, dead or stopped, concerns nobody.
//!
//! # From when on
//!
//! The cursor is the end of the ring when the subscription is made. A change that is announced
//! later is told, unless the subscription is lapped. In regions of local scope writers announce
//! since the first subscription: see `region::announce`. So a look at the region *after* the
//! subscription was made, and the notices from then on, miss no change; the first of these may be
//! in both.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::error::Result;
use crate::heap::record::{Mark, Record};
use crate::journal::Cell;
use crate::layout::counters::Counter;
use crate::layout::word::{CellWord, Location, RegionOp};
use crate::reclaim::hazard::Hazard;
use crate::region::attributes::{Attributes, DataPolicy, Interest};
use crate::region::cursor::Cursor;
use crate::region::event::{Event, EventKind, Told};
use crate::region::mapped::Mapped;
use crate::region::parker::Registration;
use crate::region::wait::Alarm;
use crate::region::{Region, Token};

/// What a subscription finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A change.
    Event(Event),
    /// The announcements from `from` up to, not including, `to` cannot be read any more: they
    /// were overwritten, or their memory was reused, or something happened that no event tells.
    /// Look at the region again to resynchronise, or let the subscription do it
    /// ([`ListenOptions::resynchronise`]).
    Lapped {
        /// First position that was missed.
        from: u64,
        /// Where the subscription goes on.
        to: u64,
    },
    /// All entries were told as `Resync` events: what was not among them is gone.
    InSync {
        /// Where the subscription goes on.
        position: u64,
    },
}

/// What a listener wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct ListenOptions {
    prefix: Vec<u8>,
    /// `None`: all.
    interest: Option<Interest>,
    resynchronise: bool,
    content: bool,
}

impl ListenOptions {
    /// All events from now on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only events of keys that begin with `prefix`, and those of the region.
    pub fn prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// About which changes: all that this node learns, unless one says else, or those of entries
    /// that are on this node, which leaves out new keys of other nodes. That is the same for what
    /// members of this node do, and where the node has all entries (data policies `replicate` and
    /// `persistent-replicate`).
    pub fn interest(mut self, interest: Interest) -> Self {
        self.interest = Some(interest);
        self
    }

    /// After each `Lapped` notice all entries are told as `Resync` events, then comes `InSync`.
    /// Changes made meanwhile are told behind that; one that `Resync` told already has no higher
    /// version than it had there.
    pub fn resynchronise(mut self, on: bool) -> Self {
        self.resynchronise = on;
        self
    }

    /// All entries that are there now are told first, as `Resync` events and `InSync`.
    pub fn content(mut self, on: bool) -> Self {
        self.content = on;
        self
    }

    fn wants(&self, attributes: &Attributes, record: &Record<'_>) -> bool {
        let has_all = matches!(
            attributes.data_policy,
            DataPolicy::Replicate | DataPolicy::PersistentReplicate
        );
        let foreign = record.is_remote() && record.mark() == Mark::Created;
        let interesting = self.interest != Some(Interest::CacheContent) || has_all || !foreign;
        interesting && record.key().starts_with(&self.prefix)
    }
}

/// Entries that a resynchronisation has still to tell.
#[derive(Debug)]
struct Replay {
    /// Where the walk goes on.
    next: Option<u64>,
    copied: VecDeque<Event>,
}

impl Replay {
    fn new() -> Self {
        Self { next: Some(0), copied: VecDeque::new() }
    }
}

/// Follows the changes of a region from the moment it was made. Has a private cursor, so it slows
/// nobody down; a subscription that falls behind is told so.
///
/// Changes of one key are told in the order in which they took place, each once. Changes of
/// different keys are told in an order that all subscriptions of all members share.
///
/// It is an iterator that blocks: it ends behind the end of the region, or after an error.
#[derive(Debug)]
pub struct Subscription {
    region: Arc<Mapped>,
    options: ListenOptions,
    cursor: u64,
    /// Shows the cursor to others.
    listed: Cursor,
    replay: Option<Replay>,
    /// The last event of the region was told, or an error by the iterator or the stream.
    ended: bool,
    /// Evictions of which only the fact is known.
    missed: u64,
    /// The task that polled last and found nothing.
    registration: Option<Registration>,
}

impl Subscription {
    pub(crate) fn new(region: Arc<Mapped>, options: ListenOptions) -> Self {
        region.want_journal();
        let cursor = region.journal().tail();
        let listed = Cursor::list(&region, cursor);
        let ended = region.is_destroyed();
        let replay = (options.content && !ended).then(Replay::new);
        Self { region, options, cursor, listed, replay, ended, missed: 0, registration: None }
    }

    /// Next notice, if there is one. Lock-free.
    ///
    /// # Errors
    /// `Damaged`, `ForkedChild`, `TooManyThreads`.
    pub fn poll(&mut self) -> Result<Option<Notice>> {
        self.region.members.check_process()?;
        if let Some(notice) = self.replayed()? {
            return Ok(Some(notice));
        }
        while !self.ended {
            let position = self.cursor;
            let destroyed = self.region.is_destroyed();
            let cell = match self.region.journal().read(position) {
                Cell::Empty if destroyed => return Ok(Some(self.end(position))),
                Cell::Empty => return Ok(None),
                Cell::Lapped => {
                    let missed = self.region.journal().oldest().saturating_sub(position).max(1);
                    self.region.count(Counter::EventsLapped, missed)?;
                    return Ok(Some(self.lapped(position)));
                }
                Cell::Written(cell) => cell,
            };
            if let Some(notice) = self.take(position, cell)? {
                return Ok(Some(notice));
            }
        }
        Ok(None)
    }

    /// What the cell at the cursor tells this subscription.
    fn take(&mut self, position: u64, cell: CellWord) -> Result<Option<Notice>> {
        let region = Arc::clone(&self.region);
        let context = region.context()?;
        let thread = region.descriptor(&context);
        let (options, attributes) = (&self.options, &region.attributes);
        let wants = |record: &Record<'_>| options.wants(attributes, record);
        match region.told(&context, position, cell, wants)? {
            Told::Event(event) => {
                thread.count(Counter::EventsDelivered, 1);
                self.ended = event.kind.is_end();
                self.go_to(position.wrapping_add(1));
                Ok(Some(Notice::Event(event)))
            }
            Told::Nothing => {
                self.go_to(position.wrapping_add(1));
                Ok(None)
            }
            Told::EvictionGone => {
                thread.count(Counter::EventsMissed, 1);
                self.missed += 1;
                self.go_to(position.wrapping_add(1));
                Ok(None)
            }
            Told::Gone | Told::LookAgain => {
                thread.count(Counter::EventsMissed, 1);
                Ok(Some(self.lapped(position)))
            }
        }
    }

    /// Next notice, waiting for it until the deadline. `None` at the deadline.
    ///
    /// # Errors
    /// As [`Subscription::poll`]; `RegionDestroyed` behind the last event of the region.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<Notice>> {
        let region = Arc::clone(&self.region);
        region.sleep_until(Alarm::Announcement, deadline, || self.poll())
    }

    /// Notices until the deadline, blocking; the iterator ends there, and may be asked for again.
    pub fn until(&mut self, deadline: Instant) -> impl Iterator<Item = Result<Notice>> + '_ {
        std::iter::from_fn(move || self.next_until(Some(deadline)))
    }

    /// Whether the last event of the region was told: it was destroyed.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Evictions so far of which the subscription cannot tell the key any more: the memory of the
    /// entry was used again before it got there.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Next position to be read.
    pub fn position(&self) -> u64 {
        self.cursor
    }

    /// Next notice, for any runtime: dropping the future ends the wait and loses nothing. `None`
    /// behind the end of the region. See [`Region::changed_async`](crate::Region::changed_async)
    /// for what sleeps meanwhile.
    ///
    /// # Errors
    /// As [`Subscription::poll`]; `System` if the waiting thread cannot be started.
    pub async fn next_async(&mut self) -> Result<Option<Notice>> {
        let region = Arc::clone(&self.region);
        let mut registration = None;
        std::future::poll_fn(|context| {
            let look = || self.poll_or_end().transpose();
            region.poll_until(Alarm::Announcement, &mut registration, context, look)
        })
        .await
    }

    /// The same by hand: the task of the last call is woken when there may be a notice, until then
    /// or until the subscription is dropped. Ends behind the end of the region, or after an error.
    ///
    /// With the feature `stream` a subscription is a `futures_core::Stream` that does this.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Notice>>> {
        let region = Arc::clone(&self.region);
        let mut registration = self.registration.take();
        let look = || self.poll_or_end().transpose();
        let found = region.poll_until(Alarm::Announcement, &mut registration, context, look);
        self.registration = registration;
        // The same error would come for ever.
        self.ended |= matches!(found, Poll::Ready(Err(_)));
        found.map(Result::transpose)
    }

    /// `Ok(Some(None))`: the region has ended. `Ok(None)`: nothing yet.
    fn poll_or_end(&mut self) -> Option<Result<Option<Notice>>> {
        match self.poll() {
            Ok(None) if !self.ended => None,
            other => Some(other),
        }
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Option<Result<Notice>> {
        if self.ended {
            return None;
        }
        let next = self.wait(deadline).transpose();
        // The same error would come for ever.
        self.ended |= matches!(next, Some(Err(_)));
        next
    }

    /// The region was destroyed, and who did it is not so far as to announce it, or died.
    fn end(&mut self, position: u64) -> Notice {
        self.ended = true;
        Notice::Event(self.region.region_event(EventKind::RegionDestroy, position, None))
    }

    fn lapped(&mut self, from: u64) -> Notice {
        let journal = self.region.journal();
        let mut to = journal.oldest().max(from.saturating_add(1));
        if self.options.resynchronise {
            // The entries tell all that was announced so far.
            to = to.max(journal.tail());
            self.replay = Some(Replay::new());
        }
        // What cannot be read either belongs to the same gap.
        while let Cell::Written(cell) = journal.read(to)
            && self.region.is_gone(cell.location())
        {
            to += 1;
        }
        self.go_to(to);
        Notice::Lapped { from, to }
    }

    fn go_to(&mut self, position: u64) {
        self.cursor = position;
        self.listed.set(position);
    }

    /// The next entry of a resynchronisation that is not over.
    fn replayed(&mut self) -> Result<Option<Notice>> {
        let (region, position) = (&self.region, self.cursor);
        let Some(replay) = &mut self.replay else { return Ok(None) };
        while let (Some(from), true) = (replay.next, replay.copied.is_empty()) {
            let copied = &mut replay.copied;
            replay.next = region.copy_chains(from, &mut |view| {
                if let Some(token) = region.seen(&view.record, view.token)
                    && view.key.starts_with(&self.options.prefix)
                {
                    copied.push_back(region.resync_event(position, &view.record, token));
                }
                ControlFlow::Continue(())
            })?;
        }
        if let Some(event) = replay.copied.pop_front() {
            return Ok(Some(Notice::Event(event)));
        }
        self.replay = None;
        Ok(Some(Notice::InSync { position }))
    }
}

impl Iterator for Subscription {
    type Item = Result<Notice>;

    /// Waits for the next notice.
    fn next(&mut self) -> Option<Result<Notice>> {
        self.next_until(None)
    }
}

impl Mapped {
    /// Lets `f` see the record that a ring cell names, if its memory was not reused. The record
    /// is protected by `hazard`, which the caller clears.
    pub(crate) fn announced<T>(
        &self,
        cell: CellWord,
        hazard: Hazard<'_>,
        f: impl FnOnce(&Record<'_>, Token) -> T,
    ) -> Result<Option<T>> {
        self.recorded(cell.location(), hazard, f)
    }

    /// Whether the memory of a record that was announced is used again.
    fn is_gone(&self, location: Location) -> bool {
        RegionOp::of(location).is_none()
            && !(self.log.may_hold_records(location.segment()) && self.log.holds(location))
    }

    /// The same for any location that named a record once.
    pub(crate) fn recorded<T>(
        &self,
        location: Location,
        hazard: Hazard<'_>,
        f: impl FnOnce(&Record<'_>, Token) -> T,
    ) -> Result<Option<T>> {
        if !self.log.may_hold_records(location.segment()) {
            return Ok(None);
        }
        hazard.announce(location.segment());
        if !self.log.holds(location) {
            return Ok(None);
        }
        // SAFETY: the hazard was visible before `holds` found the segment in use with the
        // generation of the location.
        let record = unsafe { Record::read(&self.log, location) }?;
        let token = self.token(&record).map_err(|broken| self.damaged(broken))?;
        Ok(Some(f(&record, token)))
    }
}

impl Region {
    /// Follows the changes of the region from now on.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_with(ListenOptions::new())
    }

    /// [`Region::subscribe`] with options.
    pub fn subscribe_with(&self, options: ListenOptions) -> Subscription {
        Subscription::new(Arc::clone(&self.mapped), options)
    }
}
