//! Eviction: what is used least makes room, in regions that allow it.
//!
//! S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023), with
//! segments as the links of its queues. New entries go to segments of class 0, the small queue;
//! what proved its worth lies in segments of class 1, the main queue. The oldest segment of the
//! small queue is emptied while it holds more than a tenth of all bytes, else the oldest of the
//! main queue. From the small queue an entry that was used since goes to the main queue, and the
//! others are evicted and remembered as *ghosts*; a ghost that is inserted again goes to the main
//! queue at once. From the main queue an entry that was used goes round once more with its
//! frequency lowered by one, and the others are evicted. The frequency is two bits in the slot
//! word, raised by reads with a relaxed CAS until it is 3, which then costs nothing any more.
//!
//! To move an entry is what cleaning does (see `region::clean`). To evict one:
//!
//! | step | killed after it | recovery |
//! |---|---|---|
//! | 1 the region's floor is raised to its version | nothing happened | - |
//! | 2 `intent.slot` = 0; `record` = none; `old`, `new`, then `slot` | nothing happened | clears them |
//! | 3 slot CAS to an empty word | evicted | marks the record dead |
//! | 4 record marked dead | evicted, perhaps not counted | - |
//! | 5 `intent.record` = 0, `intent.slot` = 0 | done | - |
//!
//! A record that an intent names is left alone: its insert or its announcement is not finished.
//! Intents are read after `committed`, which covers a record only when its intent is set, so none
//! is missed. Tombstones are never evicted.
//!
//! Evictions are announced after step 4 by a cell that names the evicted record, if anybody
//! listens. Nobody keeps the record for listeners: one that comes when the segment is in use again
//! counts the event as missed. An eviction that its evictor did not live to announce is announced
//! by recovery, unless the slot has another entry by then; that is counted (`events_dropped`).
//!
//! Ghosts are one word each, in a table that is indexed by the hash: the upper half of the hash and
//! the count of evictions when it was made. They are hints; any value is right.

use crate::crash;
use crate::error::Result;
use crate::heap::record::Record;
use crate::heap::victim::{self, Oldest};
use crate::layout::counters::Counter;
use crate::layout::word::{HIDDEN_TAG, Location, SlotRef, SlotWord};
use crate::reclaim::{self, retire};
use crate::region::Kind;
use crate::region::clean::{Cleaned, Cleaner, Goal, Moved};
use crate::region::index::{Located, Place};
use crate::region::mapped::Mapped;
use crate::region::thread::Context;
use crate::region::write::{NO_RECORD, PROMISE_EVICTION, stamped};
use crate::sync::{AtomicU64, Relaxed, Release, SeqCst, raise};
use crate::table::Chain;

/// An entry of the small queue that was used so often goes to the main queue.
const PROMOTED: u64 = 1;
/// Segments that are emptied by copying before anything is evicted: those that are half dead.
const WORTH: u64 = 2;
/// How often entries of several segments are passed over: they are used until 3, and then once
/// more while that is counted down. Readers that are faster do not keep a writer busy for ever.
const ROUNDS: u32 = 5;
/// Entries above the bound that are believed without counting them.
const GROSS: u64 = 1024;

fn raise_frequency(slot: &AtomicU64, word: SlotWord) {
    let used = word.used_once_more();
    // What is frozen never changes again.
    if used != word && !word.is_frozen() {
        // Lost to another reader or to a change of the entry: as good as any.
        let _ = slot.compare_exchange(word.0, used.0, Relaxed, Relaxed);
    }
}

impl Mapped {
    /// Whether entries are evicted when there is no room.
    #[inline]
    pub(crate) fn evicts(&self) -> bool {
        !self.ghosts.is_empty()
    }

    /// Notes that an entry was used.
    #[inline]
    pub(crate) fn touch(&self, slot: &AtomicU64, word: SlotWord) {
        if self.evicts() {
            raise_frequency(slot, word);
        }
    }

    fn ghost(&self, hash: u64) -> &AtomicU64 {
        &self.ghosts[hash as usize & (self.ghosts.len() - 1)]
    }

    /// The upper half of a hash; never 0.
    fn print_of(hash: u64) -> u64 {
        (hash >> 32) | 1
    }

    /// Whether the key was evicted from the small queue not long ago. Forgets it.
    pub(crate) fn was_ghost(&self, hash: u64) -> bool {
        if !self.evicts() {
            return false;
        }
        let ghost = self.ghost(hash);
        let (word, now) = (ghost.load(Relaxed), self.words().evicted.load(Relaxed));
        let age = (now as u32).wrapping_sub(word as u32);
        let bound = match self.words().max_entries.load(Relaxed) {
            0 => self.ghosts.len() as u64,
            most => most,
        };
        let known = word >> 32 == Self::print_of(hash) && u64::from(age) <= bound;
        if known {
            ghost.store(0, Relaxed);
        }
        known
    }

    /// Counts an entry that appeared in a slot or went; where a bound on entries asks for it.
    #[inline]
    pub(crate) fn count_change(&self, old: SlotWord, new: SlotWord) {
        if self.attributes.max_entries == 0 {
            return;
        }
        let visible = |word: SlotWord| word.tag() > HIDDEN_TAG;
        let by = match (visible(old), visible(new)) {
            (false, true) => 1,
            (true, false) => u64::MAX,
            _ => return,
        };
        self.words().entries.fetch_add(by, Relaxed);
    }

    /// Evicts what is above the bound on entries, and a few more, so that it is not every insert
    /// that has to.
    pub(crate) fn keep_bound(&self, context: &Context) -> Result<()> {
        let bound = self.words().max_entries.load(Relaxed);
        let mut surplus = self.surplus(bound);
        // As every insert keeps the bound, that many more are a wrong count or a new bound.
        if surplus > GROSS + bound / 16 {
            self.recount(context)?;
            surplus = self.surplus(bound);
        }
        if surplus == 0 {
            return Ok(());
        }
        let cleaner = Cleaner::begin(self, context);
        let before = cleaner.thread.counted()[Counter::Evicted as usize];
        let spare = (bound / 128).clamp(0, 64);
        let mut evictor = Evictor {
            cleaner: &cleaner,
            limit: surplus + spare,
            keeps: Some(bound - spare),
            spared: false,
        };
        let result = evictor.run();
        let in_vain = result.is_ok() && evictor.has_to();
        let evicted = cleaner.thread.counted()[Counter::Evicted as usize] - before;
        cleaner.thread.count(Counter::EvictedByBound, evicted);
        cleaner.end(&Cleaned::default());
        // Nothing is left to evict, and yet there are too many: the count is wrong.
        if in_vain { self.recount(context).map(|_| ()) } else { result }
    }

    /// Entries above a bound; 0 is none.
    fn surplus(&self, bound: u64) -> u64 {
        // Uncounted deaths may take it below 0.
        let entries = self.words().entries.load(Relaxed) as i64;
        let surplus = entries.checked_sub_unsigned(bound).filter(|&more| more > 0 && bound > 0);
        surplus.map_or(0, i64::unsigned_abs)
    }

    /// Evicts an entry of a chain that is full when there is no memory for a larger index. The
    /// calling thread has no record of its own. True if there was one to evict.
    pub(crate) fn evict_from_chain(&self, context: &Context, place: &Place<'_>) -> Result<bool> {
        let cleaner = Cleaner::begin(self, context);
        let evicted = Evictor { cleaner: &cleaner, limit: 1, keeps: None, spared: false };
        let evicted = evicted.take_one(place);
        cleaner.end(&Cleaned::default());
        evicted
    }

    /// Evicts one entry, which the caller's write replaces, by its record, which the caller's first
    /// hazard protects. False: it is not there any more, or not finished.
    pub(crate) fn evict_entry(&self, context: &Context, hash: u32, at: Location) -> Result<bool> {
        let cleaner = Cleaner::begin(self, context);
        let evicted = self.evict_located(&cleaner, hash, at);
        cleaner.end(&Cleaned::default());
        evicted
    }

    fn evict_located(&self, cleaner: &Cleaner<'_>, hash: u32, at: Location) -> Result<bool> {
        let evictor = Evictor { cleaner, limit: 1, keeps: None, spared: false };
        // SAFETY: the caller's hazard protects the record.
        let record = unsafe { Record::read(&self.log, at) }?;
        while let Some(Located { slot, place, word }) = cleaner.locate(hash, at)? {
            if self.intended().contains(&at) {
                return Ok(false);
            }
            if evictor.evict(slot, place, word, at, &record) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Evicts until so many segments more than the reserve are free, or nothing is left to evict.
    /// False: the region does not evict.
    pub(crate) fn make_room_for(&self, context: &Context, segments: u32) -> Result<bool> {
        let given_up = self.builder.give_up(&self.log);
        if self.evicts() {
            self.evict_for_write(context, segments)?;
        }
        Ok(given_up || self.evicts())
    }

    /// Makes room for a write in an evicting region: `more` segments than the one that any needs.
    pub(crate) fn evict_for_write(&self, context: &Context, more: u32) -> Result<bool> {
        let free = self.log.reserve().saturating_add(more);
        let worth = self.log.segment_bytes() as u64 / WORTH;
        let cleaned = self.clean(context, Goal { free, worth, bytes: u64::MAX, held: false })?;
        let cleaner = Cleaner::begin(self, context);
        let mut evictor =
            Evictor { cleaner: &cleaner, limit: u64::MAX, keeps: None, spared: false };
        let mut done = Cleaned::default();
        let result = evictor.make_room(free, &mut done);
        cleaner.end(&done);
        result?;
        self.descriptor(context).count(Counter::ForegroundCleans, 1);
        Ok(cleaned.freed + done.freed > 0)
    }
}

/// A thread that evicts.
struct Evictor<'c, 'm> {
    cleaner: &'c Cleaner<'m>,
    /// Entries it still has to evict.
    limit: u64,
    /// Entries at which it is done, whoever evicted the others: of several threads that met the
    /// same surplus none evicts it once more.
    keeps: Option<u64>,
    /// It lowered the frequency of an entry that was not copied.
    spared: bool,
}

/// A segment that is emptied.
struct Queue<'a> {
    main: bool,
    /// Records that running writes have not finished with.
    intended: &'a [Location],
}

impl<'m> Evictor<'_, 'm> {
    fn region(&self) -> &'m Mapped {
        self.cleaner.region
    }

    /// Empties the oldest segments until more than `free` are free.
    fn make_room(&mut self, free: u32, done: &mut Cleaned) -> Result<()> {
        let log = &self.region().log;
        let (mut tried, mut rounds) = (Vec::new(), ROUNDS);
        while !log.has_free(free) {
            // What somebody looks at would be lost and make no room.
            let looked_at = reclaim::looked_at(log, self.region().protectors());
            let Some(oldest) = victim::oldest(log, &tried, &looked_at, false) else {
                if !std::mem::take(&mut self.spared) || rounds == 0 {
                    return Ok(());
                }
                // What was spared is older now, and there is nothing else.
                rounds -= 1;
                tried.clear();
                continue;
            };
            tried.push(oldest.segment);
            if self.empty(oldest, done)? {
                let mine = self.region().hazard(self.cleaner.context, 1);
                reclaim::quarantine(log, oldest.segment, mine, true)?;
            }
            done.freed += self.cleaner.collect()?;
        }
        Ok(())
    }

    /// Whether there is anything left to evict for its purpose.
    fn has_to(&self) -> bool {
        let entries = || self.region().words().entries.load(Relaxed) as i64;
        let enough = |keeps: u64| i64::try_from(keeps).is_ok_and(|keeps| entries() <= keeps);
        self.limit > 0 && !self.keeps.is_some_and(enough)
    }

    /// Evicts entries from the oldest segments, full or not.
    fn run(&mut self) -> Result<()> {
        let log = &self.region().log;
        let (mut tried, mut done) = (Vec::new(), Cleaned::default());
        while self.has_to() {
            let Some(oldest) = victim::oldest(log, &tried, &[], true) else {
                return Ok(());
            };
            if self.empty(oldest, &mut done)? || self.has_to() {
                tried.push(oldest.segment);
            }
        }
        Ok(())
    }

    /// Evicts the entry of a chain that was used least.
    fn take_one(&self, place: &Place<'_>) -> Result<bool> {
        let region = self.region();
        let (table, mine) = (place.table, region.hazard(self.cleaner.context, 1));
        let chain = Chain::walk(table.buckets, place.primary)
            .map_err(|_| region.damaged_bucket(place.primary))?;
        let slot_at = |at: SlotRef| &table.buckets[at.bucket()].slots[at.slot()];
        let word_at = |at: SlotRef| SlotWord(slot_at(at).load(SeqCst));
        let mut slots: Vec<SlotRef> = chain.slots().collect();
        slots.sort_by_key(|&at| word_at(at).frequency());
        let mut evicted = false;
        for at in slots {
            let (slot, word) = (slot_at(at), word_at(at));
            let visible = word.tag() > HIDDEN_TAG && !word.is_frozen();
            if !visible || region.protect(mine, slot, word).is_err() {
                continue;
            }
            // SAFETY: `protect` proved that the slot still referred to the record after the hazard
            // was visible; it stays until the hazard is set anew.
            let record = unsafe { Record::read(&region.log, word.location()) };
            let Ok(record) = record else {
                mine.clear();
                return record.map(|_| false);
            };
            // Intents after the record was found: who published it has named it before.
            let running = region.intended().contains(&word.location());
            let at = at.in_table(table.log2);
            if !running && self.evict(slot, at, word, word.location(), &record) {
                evicted = true;
                break;
            }
        }
        mine.clear();
        Ok(evicted)
    }

    /// Evicts or moves the entries of a segment, from where the last one stopped, until the limit
    /// is reached. True if nothing lives in it any more.
    fn empty(&mut self, oldest: Oldest, done: &mut Cleaned) -> Result<bool> {
        let region = self.region();
        let log = &region.log;
        let (segment, mine) = (oldest.segment, region.hazard(self.cleaner.context, 1));
        mine.announce(segment);
        let header = log.header(segment);
        let (Some(header), true) = (header, log.state(segment) == oldest.word) else {
            mine.clear();
            return Ok(false);
        };
        header.cleaner.store(u64::from(self.cleaner.context.index), Relaxed);
        crash::point("evict.claimed");
        let end = log.committed(segment);
        let intended = region.intended();
        let queue = Queue { main: oldest.main, intended: &intended };
        let (mut from, mut left, mut failed) = (log.cursor(segment), false, None);
        // SAFETY: the hazard was announced before the state was found to be what it was; records
        // below `committed` are complete.
        let walked = unsafe {
            log.walk_from(segment, from, |location, record| {
                if !self.has_to() || location.offset() >= end {
                    return false;
                }
                match self.judge(&queue, location, &record) {
                    Ok(Moved::Dead { bytes }) => done.bytes += bytes,
                    Ok(_) => left = true,
                    Err(error) => failed = Some(error),
                }
                if !left {
                    from = location.offset() + record.len();
                }
                failed.is_none()
            })
        };
        log.set_cursor(segment, from);
        header.cleaner.store(0, Relaxed);
        mine.clear();
        match failed {
            Some(error) => Err(error),
            None => Ok(!left && walked.is_ok() && from >= end),
        }
    }

    /// What becomes of one record.
    fn judge(
        &mut self,
        queue: &Queue<'_>,
        location: Location,
        record: &Record<'m>,
    ) -> Result<Moved> {
        if record.is_dead() {
            return Ok(Moved::Dead { bytes: 0 });
        }
        let head = record.head();
        if head.kind == Kind::Tombstone as u8 || queue.intended.contains(&location) {
            return Ok(Moved::Left);
        }
        loop {
            let found = self.cleaner.locate(head.hash, location)?;
            let Some(Located { slot, place, word }) = found else {
                return Ok(Moved::Left);
            };
            let frequency = word.frequency();
            let kept = match queue.main {
                true => frequency.checked_sub(1),
                false => (frequency >= PROMOTED).then_some(0),
            };
            if let Some(frequency) = kept {
                if record.len() > self.region().log.segment_bytes() {
                    return Ok(self.spare(slot, word, location.segment(), frequency));
                }
                match self.cleaner.move_to(slot, place, word, location, record, Some(frequency))? {
                    // No room for what is used: it goes as well.
                    Moved::NoRoom => {}
                    other => return Ok(other),
                }
            }
            if self.evict(slot, place, word, location, record) {
                self.limit -= 1;
                if !queue.main {
                    self.remember(record);
                }
                return Ok(Moved::Dead { bytes: 0 });
            }
            // Used at this moment, or changed: look again.
        }
    }

    /// A record of several segments goes round without being copied: its run becomes the youngest.
    fn spare(&mut self, slot: &AtomicU64, word: SlotWord, head: u32, frequency: u64) -> Moved {
        let log = &self.region().log;
        self.spared = true;
        let spared = word.with_frequency(frequency);
        let _ = slot.compare_exchange(word.0, spared.0, SeqCst, Relaxed);
        log.renew(head);
        Moved::Left
    }

    /// Steps 1 to 5. False: the slot changed.
    fn evict(
        &self,
        slot: &AtomicU64,
        place: SlotRef,
        word: SlotWord,
        location: Location,
        record: &Record<'m>,
    ) -> bool {
        let region = self.region();
        let (thread, intent) = (self.cleaner.thread, &self.cleaner.thread.intent);
        if region.is_wanted() {
            region.settle(location, record);
        }
        raise(&region.words().floor, record.head().version);
        crash::point("evict.floor");
        let empty = stamped(thread, self.cleaner.context.index);
        intent.slot.store(0, Release);
        intent.record.store(NO_RECORD, Release);
        intent.announce.store(PROMISE_EVICTION, Release);
        intent.old.store(word.0, Release);
        intent.new.store(empty.0, Release);
        intent.slot.store(place.to_word(), Release);
        crash::point("evict.intended");
        let evicted = slot.compare_exchange(word.0, empty.0, SeqCst, Relaxed).is_ok();
        if evicted {
            crash::point("evict.unlinked");
            retire(&region.log, location, record);
            crash::point("evict.retired");
            region.words().evicted.fetch_add(1, Relaxed);
            thread.count(Counter::Evicted, 1);
            region.count_change(word, empty);
            region.announce_evicted(location);
            crash::point("evict.announced");
            region.wake_key(record.head().hash);
        }
        intent.record.store(0, Release);
        crash::point("evict.cleared");
        intent.announce.store(0, Release);
        intent.slot.store(0, Release);
        evicted
    }

    fn remember(&self, record: &Record<'m>) {
        let region = self.region();
        let hash = region.hash(record.key());
        let now = region.words().evicted.load(Relaxed);
        let word = (Mapped::print_of(hash) << 32) | (now & 0xffff_ffff);
        region.ghost(hash).store(word, Relaxed);
    }
}

impl Mapped {
    /// Records that running writes name as theirs.
    pub(super) fn intended(&self) -> Vec<Location> {
        let used = self.words().threads_used.load(SeqCst) as usize;
        let threads = self.threads.iter().take(used);
        threads
            .filter_map(|thread| thread.intent.record.load(SeqCst).checked_sub(1))
            .map(Location::from_word)
            .collect()
    }
}
