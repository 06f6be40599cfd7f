//! Sweeping: taking expired entries out, by any member that has time or needs room.
//!
//! Reads and writes judge expiry by themselves, so a sweep changes nothing but memory, `len`, and
//! who is told. It looks in two places:
//!
//! 1. *Segments whose hints say that everything in them has expired.* Records with a deadline are
//!    appended beside others that expire in about the same time (see `heap::append`), so they go
//!    together. Their records are walked under a guard's hazard; afterwards the segment is dead and
//!    is reclaimed as a whole.
//! 2. *The index*, from a shared hint on: also what the hints do not tell, such as idle times.
//!
//! What has expired is then destroyed or invalidated by an ordinary write under the condition that
//! it still is so. Of several sweepers one succeeds, a write that comes in between wins, and the
//! steps at which a sweeper may die are those of `region::write`. The rest is hints:
//!
//! | killed after | effect |
//! |---|---|
//! | `sweep.found` (entry copied, nothing written) | the next sweep finds it again |
//! | the ordinary write | as for any write; the statistic `expired` misses it |
//! | `sweep.segment` (hint of a walked segment lowered) | the walk is not repeated |
//! | `sweep.index` (cursor stored) | the next sweep goes on there |

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::crash;
use crate::error::{Error, Result};
use crate::layout::word::SegmentState;
use crate::os::clock;
use crate::region::Region;
use crate::region::expiry::{ExpiryAction, Policy};
use crate::region::lifetime::kind_after;
use crate::region::mapped::Mapped;
use crate::region::write::{Change, Condition, Written};
use crate::sync::{Acquire, Relaxed};

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Entries looked at.
    pub seen: u64,
    /// Entries destroyed or invalidated.
    pub expired: u64,
    /// Expired entries that are still there, because there was no memory for the record that
    /// takes their place.
    pub stuck: u64,
    /// Whether the sweep came to the end of the index; the next one begins at its start.
    pub end: bool,
}

impl Swept {
    pub(crate) fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.expired += other.expired;
        self.stuck += other.stuck;
        self.end |= other.end;
    }
}

/// Expired entries found at a time, before the first of them is written.
const BATCH: usize = 64;

/// A region that is full is not swept in vain more often than this, in microseconds.
const PAUSE: u64 = 20_000;

/// An expired entry, found and let go of.
struct Found {
    key: Vec<u8>,
    action: ExpiryAction,
}

impl Region {
    /// Looks at up to `budget` entries and takes out those that have expired. Any number of
    /// members may sweep at the same time. Returns at once if nothing in the region can expire.
    ///
    /// # Errors
    /// As [`Region::put`]; a lack of memory is no error, see [`Swept::stuck`].
    pub fn sweep(&self, budget: usize) -> Result<Swept> {
        self.mapped.sweep(budget as u64)
    }
}

impl Mapped {
    /// Whether anything in the region can expire.
    pub(crate) fn has_expiry(&self) -> bool {
        let words = self.words();
        words.entry_ttl.load(Relaxed)
            | words.entry_idle.load(Relaxed)
            | words.deadlines.load(Relaxed)
            != 0
    }

    /// [`Region::sweep`].
    pub(crate) fn sweep(self: &Arc<Self>, budget: u64) -> Result<Swept> {
        let mut swept = Swept::default();
        if !self.has_expiry() {
            swept.end = true;
            return Ok(swept);
        }
        let result = self.sweep_segments(budget, &mut swept);
        result.and_then(|()| self.sweep_index(budget, &mut swept)).map(|()| swept)
    }

    /// Sweeps all of a region that is full. Whether it is worth trying again.
    pub(crate) fn sweep_for_room(self: &Arc<Self>) -> Result<bool> {
        if !self.has_expiry() {
            return Ok(false);
        }
        let now = clock::coarse_micros();
        let last = self.swept_in_vain.load(Ordering::Relaxed);
        if (last..last.saturating_add(PAUSE)).contains(&now) {
            return Ok(false);
        }
        let expired = match self.sweep(u64::MAX) {
            // The thread holds as many guards as it can. That is no reason to fail in another way.
            Err(Error::TooManyPins { .. }) => return Ok(false),
            swept => swept?.expired,
        };
        if expired == 0 {
            self.swept_in_vain.store(now, Ordering::Relaxed);
        }
        Ok(expired > 0)
    }

    fn sweep_segments(self: &Arc<Self>, budget: u64, swept: &mut Swept) -> Result<()> {
        let (policy, now) = (Policy::read(self.words()), clock::coarse_micros());
        for segment in 0..self.log.segments() {
            if swept.seen >= budget {
                break;
            }
            if self.is_due(segment, policy, now) {
                self.sweep_segment(segment, policy, now, swept)?;
            }
        }
        Ok(())
    }

    /// Whether the hints say that all records of the segment have expired.
    fn is_due(&self, segment: u32, policy: Policy, now: u64) -> bool {
        let full = matches!(
            self.log.state(segment).state(),
            Some(SegmentState::Sealed | SegmentState::Open)
        );
        let Some(header) = self.log.header(segment).filter(|_| full) else {
            return false;
        };
        let (latest, newest) =
            (header.latest_deadline.load(Acquire), header.newest_version.load(Acquire));
        // Records without a deadline never expire where the region has no time to live; then those
        // with one are worth a walk, after which the hint says that there are none.
        let plain = match policy.ttl {
            Some(ttl) => newest == 0 || self.written(newest).saturating_add(ttl) <= now,
            None => latest != 0,
        };
        let lives = header.dead.load(Relaxed) < self.log.committed(segment) as u64;
        plain && latest <= now && latest | newest != 0 && lives
    }

    /// Takes out what has expired in a segment, by its records.
    fn sweep_segment(
        self: &Arc<Self>,
        segment: u32,
        policy: Policy,
        now: u64,
        swept: &mut Swept,
    ) -> Result<()> {
        let mut found = Vec::new();
        {
            let held = self.held()?;
            held.hazard().announce(segment);
            let word = self.log.state(segment);
            if !matches!(word.state(), Some(SegmentState::Sealed | SegmentState::Open)) {
                return Ok(());
            }
            // SAFETY: the hazard was announced before the state was found to hold records, so the
            // segment is not reused before `held` is dropped.
            let walked = unsafe {
                self.log.walk(segment, |_, record| {
                    swept.seen += 1;
                    if let (false, Ok(token)) = (record.is_dead(), self.token(&record))
                        && let Some(action) = self.verdict(&record, token.kind, policy, now)
                    {
                        found.push(Found { key: record.key().to_vec(), action });
                    }
                    true
                })
            };
            // A damaged segment is left alone; the audit tells about it.
            if walked.is_err() {
                return Ok(());
            }
        }
        self.expire(&mut found, swept)?;
        if let Some(header) = self.log.header(segment) {
            // Whatever is left has no deadline that is over, so another walk is of no use. A hint:
            // who adopts the segment may overwrite it with a later deadline.
            let latest = header.latest_deadline.load(Acquire);
            if latest <= now && swept.stuck == 0 {
                let _ = header.latest_deadline.compare_exchange(latest, 0, Relaxed, Relaxed);
            }
            crash::point("sweep.segment");
        }
        Ok(())
    }

    fn sweep_index(self: &Arc<Self>, budget: u64, swept: &mut Swept) -> Result<()> {
        let hint = &self.words().sweep_hint;
        // A cursor is only good for going on with: growth of the index changes their order.
        let mut cursor = if budget == u64::MAX { 0 } else { hint.load(Relaxed) };
        while swept.seen < budget && swept.stuck == 0 {
            let mut found = Vec::new();
            let next = self.find_expired(cursor, budget, &mut found, swept)?;
            let before = swept.expired;
            self.expire(&mut found, swept)?;
            // The chain in which a batch was full is visited again, unless nothing came of it.
            let stands = next == Some(cursor) && swept.expired == before;
            swept.end = next.is_none();
            cursor = next.unwrap_or(0);
            if stands || swept.end {
                break;
            }
        }
        hint.store(cursor, Relaxed);
        crash::point("sweep.index");
        Ok(())
    }

    /// Collects a batch of expired entries from chain `cursor` on. Where to go on, `None` at the
    /// end of the index.
    fn find_expired(
        self: &Arc<Self>,
        cursor: u64,
        budget: u64,
        found: &mut Vec<Found>,
        swept: &mut Swept,
    ) -> Result<Option<u64>> {
        let (policy, now) = (Policy::read(self.words()), clock::coarse_micros());
        self.scan(cursor, |view| {
            swept.seen += 1;
            if let Some(action) = self.verdict(&view.record, view.token.kind, policy, now) {
                found.push(Found { key: view.key.to_vec(), action });
            }
            if found.len() < BATCH && swept.seen < budget {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })
    }

    /// Does to each what is to be done, if it still is.
    fn expire(self: &Arc<Self>, found: &mut Vec<Found>, swept: &mut Swept) -> Result<()> {
        for Found { key, action } in found.drain(..) {
            crash::point("sweep.found");
            let condition = Condition::Expired(action);
            let change = Change::new(&key, &[], kind_after(action), condition);
            match self.write_as_is(&change) {
                Ok(Written::Done { .. }) => swept.expired += 1,
                Ok(Written::Refused(_)) => {}
                Err(Error::OutOfSpace { .. } | Error::FileSystemFull { .. }) => swept.stuck += 1,
                Err(error) => return Err(error),
            }
            crash::point("sweep.expired");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
