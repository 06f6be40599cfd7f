//! Cleaning: what still lives in a mostly dead segment is copied elsewhere, and the segment becomes
//! free as a whole.
//!
//! Any thread may clean, alone or beside others, also the same segment: each record is moved by one
//! CAS of its slot, which one cleaner wins. Nobody waits for a cleaner. `SegmentHeader::cleaner`
//! only keeps cleaners apart; a segment whose cleaner is stopped is cleaned by the next one.
//!
//! # Moving a record, and what a death leaves
//!
//! Under a hazard on the victim, which was sealed after the hazard was visible. (One that was open
//! is sealed first; see `reclaim`.) The record is
//! neither dead nor of a running destroy, and a slot refers to it: found by its location, so that
//! no key is compared. To recovery a move is a replacement that nobody announces.
//!
//! | step | killed after it | recovery |
//! |---|---|---|
//! | 1 `intent.slot` = 0, `announce` = 0 | nothing happened | clears them |
//! | 2 the record is marked published | true already | - |
//! | 3 copy written, `intent.record` set | bytes beyond `committed` | nothing to do |
//! | 4 `committed` covers the copy | copy unpublished | marks it abandoned |
//! | 5 `old`, `new`, then `slot` set | copy unpublished | slot != new: marks it abandoned |
//! | 6 slot CAS | the copy is the entry | marks the old record dead |
//! | 6a time of the last access stored in the copy, if it is later | an access forgotten | - |
//! | 7 old record marked dead (CAS failed: copy abandoned) | done | finds the marks |
//! | 8 `intent.record` = 0, `intent.slot` = 0 | done | - |
//! | 9 cold segment left open | done | before it: sealed |
//!
//! * The copy has the same version, so a compare-and-swap, an event, or another node cannot tell
//!   that the record was moved. The CAS starts from the exact word that refers to it; only a
//!   change of the frequency bits is tried again, any other means that the entry changed.
//! * No ABA: the hazard keeps the location from meaning another record.
//! * A record that is neither dead nor in the index belongs to a running write, or to somebody who
//!   has not marked it yet. It is left alone and keeps its segment.
//! * The writer of a moved record may not have announced it yet; then the cleaner does, before step
//!   6 (see `announce`). `intent.record` of every thread protects its segment in the reclaim scan.
//!   If the writer is dead, recovery finds another location in the slot and, if the
//!   cleaner was stopped before step 7, no dead mark: the mark of step 2 tells that the record was
//!   in the index.
//! * Tombstones of local regions are never moved: the thread that destroys takes exactly that word
//!   out of the slot.
//!
//! A write that has to make room cleans before it has appended anything, so its intent is free for
//! this; it gets it back as it was.

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::append::Author;
use crate::heap::record::Record;
use crate::heap::victim::{self, Victim, Wanted};
use crate::layout::counters::Counter;
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{Location, SlotRef, SlotWord};
use crate::reclaim::{self, abandon, retire_replaced};
use crate::region::clean::batch::Emptied;
use crate::region::index::{Located, mover};
use crate::region::mapped::Mapped;
use crate::region::thread::Context;
use crate::region::write::NO_RECORD;
use crate::sync::{AtomicU64, Relaxed, Release, SeqCst};
use crate::table::pin::TablePin;

/// Victims per look at all segments.
const BATCH: usize = 4;

/// When cleaning may stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// More than this many segments are free.
    pub(crate) free: u32,
    /// A segment is not cleaned for less than this.
    pub(crate) worth: u64,
    /// So many bytes were copied.
    pub(crate) bytes: u64,
    /// Whether what others look at is cleaned, too: it does not become free at once, so it is of no
    /// use to a write that waits for room, and takes some.
    pub(crate) held: bool,
}

/// What a cleaning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cleaned {
    /// Victims of which nothing lives any more.
    pub(crate) segments: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Segments that became free.
    pub(crate) freed: u64,
}

/// What became of one record.
pub(crate) enum Moved {
    /// Dead: it was already, or its copy took its place.
    Dead { bytes: u64 },
    /// It stays for now.
    Left,
    /// There is no room for its copy.
    NoRoom,
}

/// A cleaning thread.
pub(crate) struct Cleaner<'m> {
    pub(crate) region: &'m Mapped,
    pub(crate) thread: &'m ThreadDescriptor,
    pub(crate) context: &'m Context,
    /// `intent.announce` of the write that waits for room.
    announce: u64,
    /// Of the tables.
    pin: TablePin<'m>,
}

impl Author for Cleaner<'_> {
    fn thread(&self) -> u32 {
        self.context.index
    }

    fn announce(&self, location: Location) {
        self.thread.intent.record.store(location.0 + 1, Release);
    }

    fn reclaim(&self, _all: bool) -> Result<bool> {
        Ok(false)
    }

    fn make_room(&self) -> Result<bool> {
        Ok(false)
    }

    fn may_use_reserve(&self) -> bool {
        false
    }

    fn lives_long(&self) -> bool {
        false
    }
}

impl Mapped {
    /// Cleans until `goal` is reached or nothing is left to gain. The calling thread has no record
    /// of its own that is not finished; its first hazard and the rest of its intent stay.
    pub(crate) fn clean(&self, context: &Context, goal: Goal) -> Result<Cleaned> {
        self.as_cleaner(context, |cleaner, done| cleaner.run(goal, done))
    }

    /// Empties one segment so that a window may contain it. False: it cannot be emptied now.
    pub(crate) fn vacate(&self, context: &Context, segment: u32) -> Result<bool> {
        let Some(victim) = Victim::at(&self.log, segment) else {
            return Ok(false);
        };
        let work = |cleaner: &Cleaner<'_>, done: &mut Cleaned| {
            cleaner.clean_segment(victim, done).map(|_| ())
        };
        Ok(self.as_cleaner(context, work)?.freed > 0)
    }

    fn as_cleaner(
        &self,
        context: &Context,
        work: impl FnOnce(&Cleaner<'_>, &mut Cleaned) -> Result<()>,
    ) -> Result<Cleaned> {
        let cleaner = Cleaner::begin(self, context);
        let mut done = Cleaned::default();
        let result = work(&cleaner, &mut done);
        cleaner.end(&done);
        result.map(|()| done)
    }

    /// Cleans, or evicts, for a write that finds no more than the reserve.
    pub(crate) fn make_room(&self, context: &Context) -> Result<bool> {
        // What that frees may be the reserve, or somebody else's already.
        if self.builder.give_up(&self.log) && self.log.has_free(self.log.reserve()) {
            return Ok(true);
        }
        if self.evicts() {
            return self.evict_for_write(context, 0);
        }
        let goal = Goal { free: self.log.reserve(), worth: 0, bytes: u64::MAX, held: false };
        let done = self.clean(context, goal)?;
        if done.records > 0 {
            self.descriptor(context).count(Counter::ForegroundCleans, 1);
        }
        Ok(done.freed > 0)
    }
}

impl<'m> Cleaner<'m> {
    /// The calling thread has no record of its own that is not finished.
    pub(crate) fn begin(region: &'m Mapped, context: &'m Context) -> Self {
        let thread = region.descriptor(context);
        let record = thread.intent.record.load(Relaxed);
        debug_assert!(record == 0 || record == NO_RECORD, "a record would lose its intent");
        let announce = thread.intent.announce.load(Relaxed);
        thread.intent.slot.store(0, Release);
        thread.intent.announce.store(0, Release);
        let pin = region.pin_table(thread);
        Self { region, thread, context, announce, pin }
    }

    /// Gives the intent back as it was.
    pub(crate) fn end(self, done: &Cleaned) {
        self.region.appender.release_cold(&self.region.log);
        self.thread.intent.record.store(0, Release);
        self.thread.intent.announce.store(self.announce, Release);
        self.pin.release();
        if done.records > 0 || done.segments > 0 {
            let words = self.region.words();
            words.segments_cleaned.fetch_add(done.segments, Relaxed);
            words.records_moved.fetch_add(done.records, Relaxed);
            words.bytes_moved.fetch_add(done.bytes, Relaxed);
        }
    }

    /// The slot that refers to a record.
    pub(crate) fn locate(&self, hash: u32, location: Location) -> Result<Option<Located<'m>>> {
        self.region.locate(mover(self.thread), self.pin.log2, hash, location)
    }

    /// Frees what is dead.
    pub(crate) fn collect(&self) -> Result<u64> {
        let mine = self.region.hazard(self.context, 1);
        let freed = reclaim::collect(&self.region.log, self.region.protectors(), mine, false)?;
        Ok(u64::from(freed))
    }

    fn run(&self, goal: Goal, done: &mut Cleaned) -> Result<()> {
        let log = &self.region.log;
        let mut tried: Vec<u32> = Vec::new();
        while !log.has_free(goal.free) {
            let looked_at = reclaim::looked_at(log, self.region.protectors());
            let Goal { worth, held, .. } = goal;
            let wanted = Wanted { worth, looked_at: &looked_at, held, tried: &tried };
            let victims = victim::choose(log, BATCH, wanted);
            if victims.is_empty() {
                return Ok(());
            }
            for victim in victims {
                tried.push(victim.segment);
                if !self.clean_segment(victim, done)? {
                    return Ok(());
                }
                if log.has_free(goal.free) || done.bytes >= goal.bytes {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Moves what lives in one segment and frees it. False: there is no room to go on.
    fn clean_segment(&self, mut victim: Victim, done: &mut Cleaned) -> Result<bool> {
        let region = self.region;
        let log = &region.log;
        if !victim.seal(log) {
            return Ok(true);
        }
        let (segment, mine) = (victim.segment, region.hazard(self.context, 1));
        mine.announce(segment);
        let header = log.header(segment);
        let (Some(header), true) = (header, log.state(segment) == victim.word) else {
            mine.clear();
            return Ok(true);
        };
        if !victim.claim(header, self.context.index) {
            mine.clear();
            return Ok(true);
        }
        crash::point("clean.claimed");
        // SAFETY: the hazard was announced before the state was read as sealed.
        let emptied = unsafe { self.empty(segment, done) };
        header.cleaner.store(0, Relaxed);
        mine.clear();
        let Emptied { all_dead, has_room } = emptied?;
        if has_room && all_dead {
            done.segments += 1;
            reclaim::quarantine(log, segment, mine, true)?;
        }
        done.freed += self.collect()?;
        Ok(has_room)
    }

    /// Steps 2 to 8. `frequency`: a new one for the entry.
    pub(crate) fn move_to(
        &self,
        slot: &AtomicU64,
        place: SlotRef,
        word: SlotWord,
        location: Location,
        record: &Record<'m>,
        frequency: Option<u64>,
    ) -> Result<Moved> {
        let region = self.region;
        self.announce_as_found(location, record);
        let copy = match region.appender.append_copy(&region.log, self, record) {
            Ok(Some(copy)) => copy,
            Ok(None) | Err(Error::FileSystemFull { .. }) => return Ok(Moved::NoRoom),
            Err(error) => return Err(error),
        };
        let moved = self.put_in_place(slot, place, word, copy, record, frequency);
        if moved {
            retire_replaced(&region.log, location, record);
            crash::point("clean.retired");
        }
        self.clear_intent();
        // If the CAS failed the entry changed; who changed it marks the record.
        let bytes = record.len() as u64;
        Ok(if moved { Moved::Dead { bytes } } else { Moved::Left })
    }

    /// Step 2, and the announcement of a record that was found in a slot: nobody looks for that of
    /// a copy.
    fn announce_as_found(&self, location: Location, record: &Record<'m>) {
        record.mark_published();
        crash::point("clean.marked");
        if self.region.is_wanted() {
            self.region.settle(location, record);
        }
    }

    /// Step 8.
    fn clear_intent(&self) {
        self.thread.intent.record.store(0, Release);
        crash::point("clean.cleared");
        self.thread.intent.slot.store(0, Release);
    }

    /// Steps 5 and 6. False: the entry changed, and the copy is given up.
    fn put_in_place(
        &self,
        slot: &AtomicU64,
        place: SlotRef,
        word: SlotWord,
        copy: Location,
        record: &Record<'m>,
        frequency: Option<u64>,
    ) -> bool {
        let moved = self.swap(slot, place, word, copy, frequency);
        if moved {
            self.keep_access(copy, record);
        } else {
            self.abandon_copy(copy);
        }
        moved
    }

    /// Steps 5 and 6. False: the entry changed.
    fn swap(
        &self,
        slot: &AtomicU64,
        place: SlotRef,
        mut word: SlotWord,
        to: Location,
        frequency: Option<u64>,
    ) -> bool {
        let (from, intent) = (word.location(), &self.thread.intent);
        loop {
            let new = word.moved_to(to);
            let new = frequency.map_or(new, |frequency| new.with_frequency(frequency));
            intent.slot.store(0, Release);
            intent.old.store(word.0, Release);
            intent.new.store(new.0, Release);
            intent.slot.store(place.to_word(), Release);
            crash::point("clean.intended");
            match slot.compare_exchange(word.0, new.0, SeqCst, SeqCst) {
                Ok(_) => {
                    crash::point("clean.moved");
                    return true;
                }
                Err(now) if is_of(SlotWord(now), from) => word = SlotWord(now),
                Err(_) => return false,
            }
        }
    }

    /// Who read the entry between the copy and the CAS left the time in the old record. A death
    /// before this loses that time.
    fn keep_access(&self, copy: Location, record: &Record<'m>) {
        let last = record.access().load(Relaxed);
        if last == 0 {
            return;
        }
        // SAFETY: this thread's intent names the copy, so its segment is not reused.
        if let Ok(copy) = unsafe { Record::read(&self.region.log, copy) } {
            let known = copy.access().load(Relaxed);
            if known == 0 || last.wrapping_sub(known) as i32 > 0 {
                copy.access().store(last, Relaxed);
                crash::point("clean.accessed");
            }
        }
    }

    /// Marks a copy that did not get its slot.
    fn abandon_copy(&self, copy: Location) {
        let log = &self.region.log;
        // SAFETY: no other thread marks a record that was never published, and while it is not
        // marked its segment is not reused; afterwards the intent protects it.
        if let Ok(record) = unsafe { Record::read(log, copy) } {
            abandon(log, copy, &record);
        }
        crash::point("clean.abandoned");
    }
}

/// Whether a word still refers to a record and may be changed: then only its frequency did. What is
/// frozen is moved to the next table, and is left for another time.
fn is_of(word: SlotWord, location: Location) -> bool {
    !word.is_empty() && !word.is_frozen() && word.location() == location
}

mod batch;
