//! The index of a region: which table and chain a key is in, and how the index grows.
//!
//! A table is replaced by one of twice the size when most of its overflow buckets are in use, or
//! one of its chains cannot be made longer. While both exist, operations begin at the smaller one
//! and go on in the larger one where a chain is moved; each insert moves a few chains.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | each segment for the new table | active, owner dead | recovery: Active -> Sealed |
//! | it is empty, and says so in its `RunWord` | the same | the same |
//! | a piece of it is zero (see [`build`]) | the same | the same |
//! | directory names the table | it grows; its segments are active, owner dead | recovery: Active -> Index |
//! | a segment becomes Index | the same | the same |
//! | steps of a chain | see [`grow`] | whoever inserts |
//! | `migrated` raised | - | - |
//! | `table` names the new one | the old table waits to be freed | who wants memory |
//! | a segment of the old table is freed | the others wait | the same |
//! | directory forgets the old table | done | - |
//!
//! The directory word of a table goes 0 -> first segment + 1 -> 0, each once: whoever builds table
//! n has pinned table n - 1 at most, so table n cannot go before the builder is done, and a builder
//! that comes late finds the word taken.
//!
//! Segments of an old table are free one by one, and in use again, while the directory still names
//! it: whoever frees them may be stopped. So to be in a range that the directory names proves
//! nothing; an active segment is part of the table only if its `RunWord` says so of this very
//! generation of it.

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::record::Record;
use crate::layout::bucket::MAX_OVERFLOW;
use crate::layout::region::{Geometry, MAX_TABLE};
use crate::layout::thread::{InsertDescriptor, MOVER_HAZARD, ThreadDescriptor};
use crate::layout::word::{HeaderWord, Location, SegmentState, SegmentWord, SlotRef, SlotWord};
use crate::reclaim::hazard::Hazard;
use crate::region::mapped::Mapped;
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst, fence, raise};
use crate::table::grow::{self, Contents, Mover, Stuck};
use crate::table::pin::{TablePin, pin};
use crate::table::{Chain, View, tables};

/// Chains that an insert moves beside its own.
const MOVED_PER_INSERT: u64 = 4;

/// A chain that is in force, or was a moment ago: its header was idle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'m> {
    pub(crate) table: View<'m>,
    pub(crate) primary: u32,
    pub(crate) header: HeaderWord,
}

/// A slot that names a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<'m> {
    pub(crate) slot: &'m AtomicU64,
    pub(crate) place: SlotRef,
    pub(crate) word: SlotWord,
}

impl Contents for Mapped {
    type Error = Error;

    fn descriptor(&self, thread: u32) -> Option<&InsertDescriptor> {
        self.threads.get(thread as usize).map(|thread| &thread.insert)
    }

    fn note_set_aside(&self) {
        self.words().set_aside.fetch_add(1, Relaxed);
    }

    unsafe fn hash_of(&self, location: Location) -> Result<u32> {
        // SAFETY: the caller's hazard protects the record.
        unsafe { Record::read(&self.log, location) }.map(|record| record.head().hash)
    }
}

/// What a thread needs to move chains.
pub(crate) fn mover(thread: &ThreadDescriptor) -> Mover<'_> {
    Mover { hazard: Hazard::new(&thread.hazards[MOVER_HAZARD]), claim: &thread.overflow_claim }
}

impl Mapped {
    /// Pins the tables of the running operation of a thread.
    #[inline(always)]
    pub(crate) fn pin_table<'m>(&'m self, thread: &'m ThreadDescriptor) -> TablePin<'m> {
        pin(&thread.table_pin, &self.words().table)
    }

    /// Whether the current table can be opened, asked by who attaches.
    pub(crate) fn check_table(&self) -> Result<()> {
        loop {
            let log2 = self.words().table.load(SeqCst);
            match self.table(u32::try_from(log2).unwrap_or(u32::MAX)) {
                Ok(_) => return Ok(()),
                // It was replaced and freed meanwhile.
                Err(_) if self.words().table.load(SeqCst) != log2 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A table that the caller has pinned.
    #[inline]
    pub(crate) fn table(&self, log2: u32) -> Result<View<'_>> {
        self.tables.view(&self.log, log2).ok_or_else(|| self.damaged_table(log2))
    }

    /// Starts to load the bucket of a hash in a table that the caller has pinned.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, log2: u32, hash: u64) {
        if let Some(table) = self.tables.view(&self.log, log2) {
            table.prefetch(table.primary(hash));
        }
    }

    /// Why there is no such table.
    #[cold]
    pub(crate) fn damaged_table(&self, log2: u32) -> Error {
        if self.is_destroyed() {
            return Error::RegionDestroyed { region: self.name.clone() };
        }
        Error::Damaged { path: self.path().into(), place: format!("index table {log2}") }
    }

    /// Whether a table of twice the size is there.
    pub(crate) fn grows_from(&self, log2: u32) -> bool {
        let next = self.words().tables.get(log2 as usize + 1);
        next.is_some_and(|word| word.load(Acquire) != 0)
    }

    /// The chain in which a writer finds or puts a key. Moves a frozen chain and finishes a pending
    /// insert on the way. `log2` is the table of the caller's pin.
    #[inline]
    pub(crate) fn place_for<'m>(
        &'m self,
        mover: Mover<'_>,
        mut log2: u32,
        hash: u64,
    ) -> Result<Place<'m>> {
        loop {
            let table = self.table(log2)?;
            let primary = table.primary(hash);
            let header = HeaderWord(table.buckets[primary as usize].header.load(SeqCst));
            if header.is_moved() {
                log2 += 1;
            } else if header.is_frozen() {
                self.move_chain(mover, log2, primary)?;
                log2 += 1;
            } else if header.is_pending() {
                self.help_or_set_aside(table.buckets, primary, header);
            } else {
                return Ok(Place { table, primary, header });
            }
        }
    }

    /// Moves a chain to the next table, if it is not moved.
    pub(crate) fn move_chain(&self, mover: Mover<'_>, log2: u32, primary: u32) -> Result<()> {
        let (old, new) = (self.table(log2)?, self.table(log2 + 1)?);
        grow::move_chain(self, old, new, primary, mover).map_err(|stuck| match stuck {
            Stuck::Broken => self.damaged_bucket(primary),
            Stuck::Full => self.out_of_space("index"),
            Stuck::Record(error) => error,
        })
    }

    /// The slot in force that names a record, by the low half of its key's hash. `None`: it is not
    /// in the index. Frozen chains are moved on the way, so the slot can be changed unless others
    /// are faster. `log2` is the table of the caller's pin.
    pub(crate) fn locate(
        &self,
        mover: Mover<'_>,
        log2: u32,
        hash: u32,
        location: Location,
    ) -> Result<Option<Located<'_>>> {
        let mut log2 = log2;
        'tables: loop {
            let table = self.table(log2)?;
            let primary = table.primary(u64::from(hash));
            let header = &table.buckets[primary as usize].header;
            let seen = HeaderWord(header.load(SeqCst));
            if seen.is_frozen() {
                self.move_chain(mover, log2, primary)?;
                log2 += 1;
                continue;
            }
            let chain =
                Chain::walk(table.buckets, primary).map_err(|_| self.damaged_bucket(primary))?;
            for place in chain.slots() {
                let slot = &table.buckets[place.bucket()].slots[place.slot()];
                let word = SlotWord(slot.load(SeqCst));
                if word.is_empty() || word.location() != location {
                    continue;
                }
                if word.is_frozen() {
                    if HeaderWord(header.load(SeqCst)).is_frozen() {
                        continue 'tables;
                    }
                    return Err(self.damaged_bucket(primary));
                }
                let place = place.in_table(log2);
                return Ok(Some(Located { slot, place, word }));
            }
            return Ok(None);
        }
    }

    /// Counts an overflow bucket that was linked in a table.
    pub(crate) fn count_overflow(&self, log2: u32) {
        let used = &self.words().overflow_used;
        let seen = used.load(Relaxed);
        if seen >> 32 == u64::from(log2) {
            used.fetch_add(1, Relaxed);
        } else if seen >> 32 < u64::from(log2) {
            // A hint: one that is lost here is not missed.
            let _ = used.compare_exchange(seen, u64::from(log2) << 32 | 1, Relaxed, Relaxed);
        }
    }

    /// Overflow buckets in use in a table, roughly, in parts of 1024.
    pub(crate) fn overflow_load(&self, table: View<'_>) -> u64 {
        let used = self.words().overflow_used.load(Relaxed);
        if used >> 32 != u64::from(table.log2) {
            return 0;
        }
        let arena = (table.buckets.len() - table.primaries()) as u64;
        (used & 0xffff_ffff) * 1024 / arena.max(1)
    }

    /// After an insert: moves some chains if the index grows.
    pub(crate) fn help_growth(&self, mover: Mover<'_>) -> Result<()> {
        let log2 = self.words().table.load(Acquire) as u32;
        if self.grows_from(log2) { self.move_some(mover, log2, MOVED_PER_INSERT) } else { Ok(()) }
    }

    /// Finishes a growth that was begun, for maintenance.
    pub(crate) fn finish_growth(&self, thread: &ThreadDescriptor) -> Result<()> {
        let pin = self.pin_table(thread);
        let built = self.finish_build(pin.log2);
        let moved = self.move_all(mover(thread), pin.log2);
        pin.release();
        built.and(moved)
    }

    /// Moves chains of table `log2` until all are moved.
    pub(crate) fn move_all(&self, mover: Mover<'_>, log2: u32) -> Result<()> {
        while self.words().table.load(Acquire) == u64::from(log2) && self.grows_from(log2) {
            self.move_some(mover, log2, 256)?;
        }
        Ok(())
    }

    /// Moves about `count` chains of the current table and, if they were the last ones, makes the
    /// next table the current one. The caller's pin is not above `log2`.
    fn move_some(&self, mover: Mover<'_>, log2: u32, count: u64) -> Result<()> {
        let words = self.words();
        // Chain c is number 2^log2 + c, so that neither word ever has to go back.
        let (base, end) = (1u64 << log2, 2u64 << log2);
        if words.migrate_hint.load(Relaxed) < base {
            raise(&words.migrate_hint, base);
        }
        if words.migrate_hint.load(Relaxed) < end {
            let from = words.migrate_hint.fetch_add(count, Relaxed).max(base);
            for number in from..from.saturating_add(count).min(end) {
                self.move_chain(mover, log2, (number - base) as u32)?;
            }
        }
        // What was handed out before is moved, unless its helper was stopped.
        let given_out = words.migrate_hint.load(Relaxed) >= end;
        let old = self.table(log2)?;
        let mut done = words.migrated.load(Acquire).max(base);
        let (mut looked, mut moved) = (0, 0);
        while done < end && looked < 8 * count {
            let primary = (done - base) as u32;
            let header = &old.buckets[primary as usize].header;
            if !HeaderWord(header.load(SeqCst)).is_moved() {
                if !given_out || moved == count {
                    break;
                }
                self.move_chain(mover, log2, primary)?;
                moved += 1;
            }
            (done, looked) = (done + 1, looked + 1);
        }
        raise(&words.migrated, done);
        crash::point("grow.raised");
        if done == end {
            let (from, to) = (u64::from(log2), u64::from(log2) + 1);
            if words.table.compare_exchange(from, to, SeqCst, Relaxed).is_ok() {
                words.growths.fetch_add(1, Relaxed);
                crash::point("grow.switched");
                // Who takes a segment next frees the old table.
                words.dead_hint.store(1, Relaxed);
            }
        }
        Ok(())
    }

    /// Frees the tables that nobody looks at any more; the number of segments.
    pub(crate) fn retire_tables(&self) -> u64 {
        let words = self.words();
        // That of a destroyed region is beyond all of them, and frees nothing.
        let current = words.table.load(SeqCst) as u32;
        if current > MAX_TABLE {
            return 0;
        }
        let exists = |log2: &u32| words.tables[*log2 as usize].load(SeqCst) != 0;
        let Some(oldest) = (0..current).find(exists) else {
            return 0;
        };
        // The first look saves the system call; it proves nothing.
        if self.lowest_pin() <= oldest || !self.barrier_of_all() {
            // Somebody looks at it: once more when memory is taken next.
            words.dead_hint.store(1, Relaxed);
            return 0;
        }
        let pinned = self.lowest_pin();
        let gone = (oldest..current.min(pinned)).filter(exists);
        gone.map(|log2| self.free_table(log2)).sum()
    }

    /// A barrier in every thread that pins tables. Members that registered are interrupted, which
    /// takes microseconds; one that did not, or attaches at this moment and has not said yet, needs
    /// the barrier of the whole system, which takes milliseconds. Who attaches later reads the
    /// current table after its own fence.
    fn barrier_of_all(&self) -> bool {
        fence(SeqCst);
        let used = self.words().members_used.load(SeqCst) as usize;
        let mut rows = self.attachments.iter().take(used);
        let registered =
            rows.all(|row| row.owner.load(SeqCst) == 0 || row.plain_hazards.load(SeqCst) != 0);
        registered && crate::os::barrier::everywhere() || crate::os::barrier::of_all()
    }

    /// The earliest table that somebody may look at.
    fn lowest_pin(&self) -> u32 {
        let used = self.words().threads_used.load(SeqCst) as usize;
        let pins = self.threads.iter().take(used);
        let pins = pins.filter_map(|thread| thread.table_pin.load(SeqCst).checked_sub(1));
        pins.min().map_or(u32::MAX, |log2| log2 as u32)
    }

    /// Frees the segments of a table that is not the current one and that nobody has pinned.
    fn free_table(&self, log2: u32) -> u64 {
        let directory = &self.words().tables[log2 as usize];
        let name = directory.load(SeqCst);
        let Some((first, count)) = tables::place(&self.log, log2).filter(|_| name != 0) else {
            return 0;
        };
        self.settle_table(log2);
        let mut freed = 0;
        for segment in first..first + count {
            let word = self.log.state(segment);
            let free = SegmentWord::new(SegmentState::Free, 0, word.generation() + 1);
            if word.state() == Some(SegmentState::Index)
                && word.owner() == log2
                && self.log.transition(segment, word, free)
            {
                crash::point("grow.freed");
                self.log.note_free(segment);
                freed += 1;
            }
        }
        let _ = directory.compare_exchange(name, 0, SeqCst, Relaxed);
        crash::point("grow.retired");
        freed
    }

    /// Calls `f` for every word in force, and for some of a chain that is moved meanwhile twice.
    pub(crate) fn each_word(&self, log2: u32, mut f: impl FnMut(SlotWord)) -> Result<()> {
        let table = self.table(log2)?;
        if !self.grows_from(log2) {
            let slots = table.buckets.iter().flat_map(|bucket| &bucket.slots);
            slots.for_each(|slot| f(SlotWord(slot.load(Relaxed))));
            return Ok(());
        }
        for primary in 0..table.primaries() as u32 {
            self.words_of_chain(table, primary, &mut f);
        }
        Ok(())
    }

    fn words_of_chain(&self, table: View<'_>, primary: u32, f: &mut impl FnMut(SlotWord)) {
        let header = HeaderWord(table.buckets[primary as usize].header.load(Acquire));
        if header.is_moved() {
            let children = [primary, primary + table.primaries() as u32];
            if let Ok(next) = self.table(table.log2 + 1) {
                children.into_iter().for_each(|child| self.words_of_chain(next, child, f));
            }
            return;
        }
        if let Ok(chain) = Chain::walk(table.buckets, primary) {
            for place in chain.slots() {
                let slot = &table.buckets[place.bucket()].slots[place.slot()];
                f(SlotWord(slot.load(Relaxed)));
            }
        }
    }
}

pub(crate) mod build;

const _: () = assert!(MAX_OVERFLOW > 0 && Geometry::table_buckets(MAX_TABLE) <= u32::MAX as u64);

#[cfg(test)]
mod tests;
