//! Following the changes of a region.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::error::Result;
use crate::heap::record::Record;
use crate::journal::Cell;
use crate::layout::counters::Counter;
use crate::layout::word::{CellWord, RingOp};
use crate::reclaim::hazard::Hazard;
use crate::region::cursor::Cursor;
use crate::region::mapped::Mapped;
use crate::region::parker::Registration;
use crate::region::wait::Alarm;
use crate::region::{Kind, Token};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Position in the event ring.
    pub position: u64,
    /// Key that changed.
    pub key: Vec<u8>,
    /// Its new value; `None` if it has none (destroyed, invalidated).
    pub value: Option<Vec<u8>>,
    /// Its new state. Two changes of one key may be announced in the other order than they took
    /// place: the higher version is the later one.
    pub token: Token,
    /// Whether another node made the change.
    pub remote: bool,
    /// Whether it was made because the entry had expired.
    pub expiration: bool,
}

/// What a subscription finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A change.
    Event(Event),
    /// The announcements from `from` up to, not including, `to` cannot be read any more: they
    /// were overwritten, or their memory was reused. Iterate over the region to resynchronise.
    Lapped {
        /// First position that was missed.
        from: u64,
        /// Where the subscription goes on.
        to: u64,
    },
}

/// Follows the changes of a region from the moment it was made. Has a private cursor, so it slows
/// nobody down; a subscription that falls behind is told so.
#[derive(Debug)]
pub struct Subscription {
    region: Arc<Mapped>,
    cursor: u64,
    /// Shows the cursor to others.
    listed: Cursor,
    /// The task that polled last and found nothing.
    registration: Option<Registration>,
}

impl Subscription {
    pub(crate) fn new(region: Arc<Mapped>) -> Self {
        region.want_journal();
        let cursor = region.journal().tail();
        let listed = Cursor::list(&region, cursor);
        Self { region, cursor, listed, registration: None }
    }

    /// Next notice, if there is one. Lock-free.
    ///
    /// # Errors
    /// `Damaged`, `ForkedChild`, `TooManyThreads`.
    pub fn poll(&mut self) -> Result<Option<Notice>> {
        self.region.members.check_process()?;
        let position = self.cursor;
        let event = match self.region.journal().read(position) {
            Cell::Empty => return Ok(None),
            Cell::Lapped => {
                let missed = self.region.journal().oldest().saturating_sub(position).max(1);
                self.region.count(Counter::EventsLapped, missed)?;
                None
            }
            Cell::Written(cell) => self.event(position, cell)?,
        };
        Ok(Some(match event {
            Some(event) => {
                self.go_to(position.wrapping_add(1));
                Notice::Event(event)
            }
            None => self.lapped(position),
        }))
    }

    /// Next notice, waiting for it until the deadline. `None` at the deadline.
    ///
    /// # Errors
    /// As [`Subscription::poll`].
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<Notice>> {
        let region = Arc::clone(&self.region);
        region.sleep_until(Alarm::Announcement, deadline, || self.poll())
    }

    /// Next notice, for any runtime: dropping the future ends the wait and loses nothing. See
    /// [`Region::changed_async`](crate::Region::changed_async) for what sleeps meanwhile.
    ///
    /// # Errors
    /// As [`Subscription::poll`]; `System` if the waiting thread cannot be started.
    pub async fn next(&mut self) -> Result<Notice> {
        let region = Arc::clone(&self.region);
        let mut registration = None;
        std::future::poll_fn(|context| {
            let look = || self.poll();
            region.poll_until(Alarm::Announcement, &mut registration, context, look)
        })
        .await
    }

    /// The same for whoever implements a stream: the task of the last call is woken when there may
    /// be a notice, until then or until the subscription is dropped.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Notice>> {
        let region = Arc::clone(&self.region);
        let mut registration = self.registration.take();
        let look = || self.poll();
        let found = region.poll_until(Alarm::Announcement, &mut registration, context, look);
        self.registration = registration;
        found
    }

    fn lapped(&mut self, from: u64) -> Notice {
        let to = self.region.journal().oldest().max(from.saturating_add(1));
        self.go_to(to);
        Notice::Lapped { from, to }
    }

    fn go_to(&mut self, position: u64) {
        self.cursor = position;
        self.listed.set(position);
    }

    /// Copies the change a cell names; `None` if its memory was reused.
    fn event(&self, position: u64, cell: CellWord) -> Result<Option<Event>> {
        let remote = cell.op() == RingOp::Remote;
        // Only copies, so an operation's hazard does: guards of the thread are not in the way.
        let context = self.region.context()?;
        let hazard = self.region.hazard(&context, 0);
        let event = self.region.announced(cell, hazard, |record, token| Event {
            position,
            key: record.key().to_vec(),
            value: (token.kind == Kind::Value).then(|| record.value().to_vec()),
            token,
            remote,
            expiration: record.is_expiration(),
        });
        hazard.clear();
        let delivered = matches!(event, Ok(Some(_)));
        let counter = if delivered { Counter::EventsDelivered } else { Counter::EventsMissed };
        self.region.descriptor(&context).count(counter, 1);
        event
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
        let location = cell.location();
        if cell.op() == RingOp::Region || !self.log.may_hold_records(location.segment()) {
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
