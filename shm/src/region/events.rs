//! Following the changes of a region.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::heap::record::Record;
use crate::journal::Cell;
use crate::layout::word::{CellWord, RingOp};
use crate::os::futex;
use crate::reclaim::hazard::Hazard;
use crate::region::mapped::Mapped;
use crate::region::{Kind, Token};
use crate::sync::{AtomicU32, SeqCst};

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
}

impl Subscription {
    pub(crate) fn new(region: Arc<Mapped>) -> Self {
        // From here on writers announce. One that did not see it yet has its change in the index
        // already, where a look at the region after this call finds it.
        region.words().journal_wanted.store(1, SeqCst);
        let cursor = region.journal().tail();
        Self { region, cursor }
    }

    /// Next notice, if there is one. Lock-free.
    ///
    /// # Errors
    /// `Damaged`, `ForkedChild`, `TooManyThreads`.
    pub fn poll(&mut self) -> Result<Option<Notice>> {
        let position = self.cursor;
        let event = match self.region.journal().read(position) {
            Cell::Empty => return Ok(None),
            Cell::Lapped => None,
            Cell::Written(cell) => self.event(position, cell)?,
        };
        Ok(Some(match event {
            Some(event) => {
                self.cursor = position.wrapping_add(1);
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
        loop {
            if let Some(notice) = self.poll()? {
                return Ok(Some(notice));
            }
            let region = Arc::clone(&self.region);
            let words = region.words();
            let seen = words.event_word.load(SeqCst);
            arm(&words.event_sleepers);
            // The last look: a producer that came before saw no sleeper.
            if let Some(notice) = self.poll()? {
                return Ok(Some(notice));
            }
            let slice = Instant::now() + RECHECK;
            let until = deadline.map_or(slice, |deadline| deadline.min(slice));
            let woken = futex::wait(&words.event_word, seen, u32::MAX, Some(until));
            if woken == futex::Wait::TimedOut && deadline.is_some_and(|d| Instant::now() >= d) {
                return self.poll();
            }
        }
    }

    fn lapped(&mut self, from: u64) -> Notice {
        let to = self.region.journal().oldest().max(from.saturating_add(1));
        self.cursor = to;
        Notice::Lapped { from, to }
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
        });
        hazard.clear();
        event
    }
}

/// How long a sleeper trusts that it will be woken. A producer that is killed between its
/// announcement and the wake leaves the sleeper asleep until the next announcement or recovery;
/// looking again now and then makes that a delay.
const RECHECK: Duration = Duration::from_millis(500);

/// Bit 0 of `event_sleepers`: somebody sleeps. The bits above count, so that a producer clears
/// only what it has woken.
const ASLEEP: u32 = 1;

fn arm(sleepers: &AtomicU32) {
    let mut seen = sleepers.load(SeqCst);
    loop {
        let next = (seen | ASLEEP).wrapping_add(2);
        match sleepers.compare_exchange(seen, next, SeqCst, SeqCst) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

impl Mapped {
    /// Wakes everybody who waits for an announcement. The announcement's CAS was `SeqCst`, and so
    /// are these loads: either this thread sees the sleeper, or the sleeper's last look at the
    /// ring sees the cell. The flag is cleared after the wake, so dying in between costs nothing.
    pub(crate) fn wake_listeners(&self) {
        let words = self.words();
        let seen = words.event_sleepers.load(SeqCst);
        if seen & ASLEEP != 0 {
            words.event_word.fetch_add(1, SeqCst);
            futex::wake(&words.event_word, u32::MAX >> 1, u32::MAX);
            crate::crash::point("listeners.woken");
            let _ = words.event_sleepers.compare_exchange(seen, seen & !ASLEEP, SeqCst, SeqCst);
        }
    }

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
        let token = self.token(&record)?;
        Ok(Some(f(&record, token)))
    }
}
