//! What lives in a victim, moved several records at a time.
//!
//! A record is found in the index by its hash: a cache miss for each, and nothing else to do
//! meanwhile. So the buckets of a batch are asked for while the segment is read on, which is in
//! order; then the records are moved one by one as [`clean`](super) says. The lane of copies is
//! locked once for a batch, and its dead bytes are counted once.

use crate::error::{Error, Result};
use crate::heap::record::Record;
use crate::layout::word::{Location, SlotRef, SlotWord};
use crate::reclaim;
use crate::region::Kind;
use crate::region::clean::{Cleaned, Cleaner};
use crate::region::index::Located;
use crate::sync::AtomicU64;

/// Records of a batch: as many cache misses as a processor has under way at a time.
const BATCH: usize = 16;

/// What is known of a victim so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Emptied {
    /// Nothing lives there any more.
    pub(super) all_dead: bool,
    /// There was room for all copies.
    pub(super) has_room: bool,
}

/// A record that may be in the index, and where.
struct Live<'m> {
    location: Location,
    record: Record<'m>,
    found: Option<Located<'m>>,
}

/// The running batch.
struct Batch<'c, 'm> {
    cleaner: &'c Cleaner<'m>,
    records: Vec<Live<'m>>,
    emptied: Emptied,
}

impl<'m> Cleaner<'m> {
    /// Moves everything in a segment that is sealed and under the cleaner's hazard.
    ///
    /// # Safety
    /// The hazard was announced before the state was read as sealed.
    pub(super) unsafe fn empty(&self, segment: u32, done: &mut Cleaned) -> Result<Emptied> {
        let emptied = Emptied { all_dead: true, has_room: true };
        let mut batch = Batch { cleaner: self, records: Vec::with_capacity(BATCH), emptied };
        let mut failed = None;
        // SAFETY: as the caller says.
        let walked = unsafe {
            self.region.log.walk(segment, |location, record| {
                let taken = batch.take(location, record, done);
                let go_on = matches!(taken, Ok(true));
                failed = taken.err();
                go_on
            })
        };
        if let Some(error) = failed {
            return Err(error);
        }
        batch.finish(done)?;
        // A damaged segment is left alone; the audit tells about it.
        batch.emptied.all_dead &= walked.is_ok();
        Ok(batch.emptied)
    }
}

impl<'m> Batch<'_, 'm> {
    /// Adds a record. False: there is no use in going on.
    fn take(&mut self, location: Location, record: Record<'m>, done: &mut Cleaned) -> Result<bool> {
        if record.is_dead() {
            return Ok(true);
        }
        let (region, head) = (self.cleaner.region, record.head());
        if head.kind == Kind::Tombstone as u8 && !region.is_distributed() {
            self.emptied.all_dead = false;
            return Ok(true);
        }
        region.prefetch_bucket(self.cleaner.pin.log2, u64::from(head.hash));
        self.records.push(Live { location, record, found: None });
        if self.records.len() == BATCH {
            self.finish(done)?;
        }
        Ok(self.emptied.has_room)
    }

    /// Moves the records of the batch.
    fn finish(&mut self, done: &mut Cleaned) -> Result<()> {
        for live in &mut self.records {
            live.found = self.cleaner.locate(live.record.head().hash, live.location)?;
        }
        let (mut segment, mut dead) = (None, 0);
        let moved = self.move_located(|live| {
            segment = Some(live.location.segment());
            dead += live.record.len() as u64;
        });
        if let Some(segment) = segment {
            reclaim::count_retired(&self.cleaner.region.log, segment, dead);
        }
        self.records.clear();
        let (records, bytes) = moved?;
        done.records += records;
        done.bytes += bytes;
        Ok(())
    }

    /// Steps 1 to 8 for each. `retired` is told of every record that was marked dead. How many
    /// were moved, and their bytes.
    fn move_located(&mut self, mut retired: impl FnMut(&Live<'m>)) -> Result<(u64, u64)> {
        let Self { cleaner, records, emptied } = self;
        let log = &cleaner.region.log;
        let mut cold = cleaner.region.appender.cold();
        let (mut count, mut bytes) = (0, 0);
        for live in records.iter() {
            let Some((slot, place, word)) = live.found.as_ref().map(parts) else {
                emptied.all_dead = false;
                continue;
            };
            cleaner.announce_as_found(live.location, &live.record);
            let copy = match cold.append(log, *cleaner, &live.record) {
                Ok(Some(copy)) => copy,
                Ok(None) | Err(Error::FileSystemFull { .. }) => {
                    emptied.has_room = false;
                    break;
                }
                Err(error) => return Err(error),
            };
            if cleaner.put_in_place(slot, place, word, copy, &live.record, None) {
                if live.record.mark_replaced() {
                    retired(live);
                }
                crate::crash::point("clean.retired");
                count += 1;
                bytes += live.record.len() as u64;
            } else {
                emptied.all_dead = false;
            }
            cleaner.clear_intent();
        }
        Ok((count, bytes))
    }
}

fn parts<'m>(located: &Located<'m>) -> (&'m AtomicU64, SlotRef, SlotWord) {
    (located.slot, located.place, located.word)
}
