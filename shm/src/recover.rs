//! Recovery of dead members in a region, by any survivor at the moment somebody needs it.
//!
//! A descriptor or attachment whose owner is proved dead is claimed by one CAS of its owner word
//! (dead id -> recovering, id of the recoverer), cleaned, and freed. Every step can be repeated: a
//! recoverer that dies leaves an owner word with its own, now dead, id, and the next one starts
//! again. Nothing on a data path waits for recovery: a pending insert is finished by whoever meets
//! it, and a recoverer that is stopped keeps only memory (the dead thread's segments and hazards).
//!
//! Steps for a thread descriptor:
//! 1. finish the insert that its descriptor describes, if a bucket header still names it;
//! 2. finish or undo the claim of an overflow bucket;
//! 3. the intent (see `region::write`): mark the replaced record dead; announce the new one if it
//!    is in the index and the ring does not have it (see `region::announce`; what left the index
//!    since was announced before); mark it if it is not; take an announced tombstone of a local
//!    region out of the index;
//! 4. clear hazards and closed time; 5. its active segments are sealed; 6. free the descriptor.
//!
//! Sealed, not opened for adoption: another dead thread of the same process may have an intent that
//! names a place beyond `committed` in the segment. Nobody must write there in this generation, or
//! the recovery of that thread would take the new record for the dead one's.
//!
//! Published means: in its slot, or marked published by a cleaner that found it in the index, or
//! marked dead without being marked abandoned. A survivor may have replaced the record long before
//! the recovery, and its mark says that it was in the index; what recovery itself marks was never
//! there, and gets both marks, so that the next recoverer does not announce it should this one die.
//!
//! A dead cleaner (`region::clean`) is a dead writer that has nothing to announce.
//!
//! What a descriptor says may make no sense: the file was damaged at rest. Then that step is *set
//! aside*: left out, counted in the region words, where the audit finds it, and the rest goes on,
//! so that the descriptor and the segments of its thread are of use again. A record that only such
//! an intent named keeps its segment.
//!
//! Hazards are cleared after step 3, because until then they keep the old record's segment, and
//! that of the new one if a survivor retired it, from being reused while recovery looks at them.
//! The stamp counter never goes back.

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::record::Record;
use crate::heap::{release, run};
use crate::layout::counters::Counter;
use crate::layout::thread::{Attachment, OwnerWord, ThreadDescriptor};
use crate::layout::word::{
    HeaderWord, Location, RegionOp, RingOp, SegmentState, SlotRef, SlotWord,
};
use crate::member::MemberId;
use crate::reclaim::hazard::Hazard;
use crate::reclaim::{abandon, recount_dead, retire};
use crate::region::Kind;
use crate::region::attributes::DataPolicy;
use crate::region::index::mover;
use crate::region::mapped::Mapped;
use crate::region::write::{NO_RECORD, PROMISE_EVICTION, PROMISE_REGION};
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, SeqCst, fence};
use crate::table::grow::Contents;
use crate::table::{View, overflow, tables};

/// What a recovery found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Dead members removed from the node.
    pub members: u32,
    /// Thread descriptors and attachments of dead members freed.
    pub threads: u32,
    /// Inserts finished for them.
    pub inserts_finished: u32,
    /// Changes announced for them.
    pub events_announced: u32,
    /// Log segments that dead members were filling, sealed.
    pub segments_released: u32,
    /// Unfinished operations of theirs that made no sense, and were given up: the file is damaged.
    pub set_aside: u32,
}

impl Recovery {
    pub(crate) fn add(&mut self, other: Self) {
        self.members += other.members;
        self.threads += other.threads;
        self.inserts_finished += other.inserts_finished;
        self.events_announced += other.events_announced;
        self.segments_released += other.segments_released;
        self.set_aside += other.set_aside;
    }
}

/// Recovers all dead owners in a region; returns how many descriptors became free.
pub(crate) fn recover_region(region: &Mapped) -> Result<u32> {
    Ok(recover_all(region)?.threads)
}

/// The same with the full report.
pub(crate) fn recover_all(region: &Mapped) -> Result<Recovery> {
    region.members.check_process()?;
    let mut report = Recovery::default();
    let mut failed = None;
    let mut verdicts: Vec<(u64, bool)> = Vec::new();
    let mut is_dead = |member: u64| match verdicts.iter().find(|(known, _)| *known == member) {
        Some((_, dead)) => *dead,
        None => {
            let dead = MemberId::from_word(member).is_none_or(|id| !region.members.is_alive(id));
            verdicts.push((member, dead));
            dead
        }
    };
    let threads = region.words().threads_used.load(SeqCst) as usize;
    for (index, thread) in region.threads.iter().enumerate().take(threads) {
        if let Some(dead) = claim(region, &thread.owner, &mut is_dead) {
            if let Err(error) = recover_thread(region, index as u32, thread, &mut report) {
                // Left to the next one who tries, as it was; the others are recovered.
                thread.owner.store(dead.0, Release);
                failed = failed.or(Some(error));
                continue;
            }
            region.words().recoveries.fetch_add(1, SeqCst);
            thread.owner.store(0, Release);
            crash::point("recover.freed");
            report.threads += 1;
        }
    }
    let members = region.words().members_used.load(SeqCst) as usize;
    for row in region.attachments.iter().take(members) {
        if claim(region, &row.owner, &mut is_dead).is_some() {
            recover_attachment(row);
            report.threads += 1;
        }
    }
    failed.map_or(Ok(report), Err)
}

/// Takes a dead owner's place. Some(its word): this caller now has to clean up.
fn claim(
    region: &Mapped,
    owner: &AtomicU64,
    is_dead: &mut impl FnMut(u64) -> bool,
) -> Option<OwnerWord> {
    let word = OwnerWord(owner.load(Acquire));
    if word.0 == 0 || !is_dead(word.member()) {
        return None;
    }
    let mine = OwnerWord::recovering(region.me);
    let claimed = owner.compare_exchange(word.0, mine.0, SeqCst, Acquire).is_ok();
    crash::point("recover.claimed");
    claimed.then_some(word)
}

fn recover_attachment(row: &Attachment) {
    for pin in &row.pins {
        pin.store(0, Release);
    }
    crash::point("recover.pins");
    row.plain_hazards.store(0, Release);
    for cursor in &row.cursors {
        cursor.store(0, Release);
    }
    crash::point("recover.cursors");
    row.owner.store(0, Release);
}

/// Pins a table in the name of a dead thread. Who attaches recovers before barriers of others reach
/// it, so it makes its own: whoever frees a table after that sees the pin, and who did it before is
/// seen by the second look at which table is the current one.
fn pin_for_recovery(region: &Mapped, thread: &ThreadDescriptor) {
    loop {
        let pin = region.pin_table(thread);
        fence(SeqCst);
        if region.words().table.load(SeqCst) == u64::from(pin.log2) {
            return;
        }
        // One that the dead thread had before has no business to be dropped, and is not.
        pin.release();
        if thread.table_pin.load(Relaxed) != 0 {
            return;
        }
    }
}

fn recover_thread(
    region: &Mapped,
    index: u32,
    thread: &ThreadDescriptor,
    report: &mut Recovery,
) -> Result<()> {
    // The pin of the dead thread is its recoverer's now. It has one unless it died between two
    // operations.
    pin_for_recovery(region, thread);
    let before = region.words().set_aside.load(Relaxed);
    let mut makes_sense = unless_damaged(finish_insert(region, index, thread, report))?;
    crash::point("recover.insert");
    makes_sense &= unless_damaged(finish_overflow(region, thread))?;
    makes_sense &= unless_damaged(finish_intent(region, index, thread, report))?;
    if !makes_sense {
        // Before the intent goes: whoever dies here has it counted once more by the next one.
        region.words().set_aside.fetch_add(1, Relaxed);
    }
    let after = region.words().set_aside.load(Relaxed);
    report.set_aside += u32::try_from(after.wrapping_sub(before)).unwrap_or(u32::MAX);
    if thread.intent.record.load(Acquire) != 0 {
        // Whose key it was is not asked: they look again.
        region.wake_all_keys();
    }
    thread.intent.record.store(0, Release);
    thread.intent.slot.store(0, Release);
    crash::point("recover.intent");
    if region.is_stamped() {
        // It may have published what was cleared already, and not said so.
        region.words().late.fetch_add(1, SeqCst);
    }
    thread.active_since.store(0, Release);
    thread.waiting_since.store(0, Release);
    for hazard in &thread.hazards {
        hazard.store(0, Release);
    }
    thread.table_pin.store(0, Release);
    crash::point("recover.hazards");
    for segment in 0..region.log.segments() {
        let word = region.log.state(segment);
        if let Some(header) = region.log.header(segment) {
            // Only a hint; if the number has a new owner, it finds its claim gone.
            let _ = header.cleaner.compare_exchange(u64::from(index), 0, Relaxed, Relaxed);
        }
        if word.state() == Some(SegmentState::Releasing) && word.owner() == index {
            release::recover(&region.log, segment, word);
        }
        if word.state() != Some(SegmentState::Active) || word.owner() != index {
            continue;
        }
        // It may have died after it had named the table it built.
        let becomes = match tables::holder(&region.log, segment, word) {
            Some(log2) => word.becomes(SegmentState::Index, log2),
            None => {
                run::recover(&region.log, segment, word);
                word.becomes(SegmentState::Sealed, 0)
            }
        };
        if region.log.transition(segment, word, becomes) {
            report.segments_released += u32::from(becomes.owner() == 0);
            crash::point("recover.segment");
            region.log.words().dead_hint.store(1, SeqCst);
        }
    }
    Ok(())
}

/// False: the step made no sense. What failed for another reason is tried again.
fn unless_damaged(step: Result<()>) -> Result<bool> {
    match step {
        Ok(()) => Ok(true),
        Err(Error::Damaged { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A table that the dead thread had pinned, which its recoverer has, too: it is there. `None`: a
/// table of an earlier operation.
fn pinned_table<'m>(
    region: &'m Mapped,
    thread: &ThreadDescriptor,
    log2: u32,
) -> Result<Option<View<'m>>> {
    let pin = thread.table_pin.load(Acquire);
    let exists = pin != 0 && u64::from(log2) + 1 >= pin;
    exists.then(|| region.table(log2)).transpose()
}

/// Primary bucket of the chain that a bucket belongs to: overflow buckets name their parent.
fn primary_of(table: View<'_>, bucket: usize) -> Option<u32> {
    let mut bucket = bucket;
    for _ in 0..=crate::layout::bucket::MAX_OVERFLOW {
        if bucket < table.primaries() {
            return Some(bucket as u32);
        }
        bucket = table.buckets.get(bucket)?.header.load(Acquire).checked_sub(1)? as usize;
    }
    None
}

fn finish_overflow(region: &Mapped, thread: &ThreadDescriptor) -> Result<()> {
    if let Some(claim) = overflow::claimed(&thread.overflow_claim)
        && let Some(table) = pinned_table(region, thread, claim.table())?
    {
        overflow::recover(table, claim);
    }
    thread.overflow_claim.store(0, Release);
    Ok(())
}

fn finish_insert(
    region: &Mapped,
    index: u32,
    thread: &ThreadDescriptor,
    report: &mut Recovery,
) -> Result<()> {
    let Some(slot) = SlotRef::from_word(thread.insert.slot.load(Acquire)) else {
        return Ok(());
    };
    let Some(table) = pinned_table(region, thread, slot.table())? else {
        return Ok(());
    };
    let Some(primary) = primary_of(table, slot.bucket()) else {
        return Ok(());
    };
    let header = HeaderWord(table.buckets[primary as usize].header.load(SeqCst));
    if header.is_pending() && header.thread() == index {
        region.help_or_set_aside(table.buckets, primary, header);
        report.inserts_finished += 1;
    }
    Ok(())
}

fn finish_intent(
    region: &Mapped,
    index: u32,
    thread: &ThreadDescriptor,
    report: &mut Recovery,
) -> Result<()> {
    let record = thread.intent.record.load(Acquire);
    if record == 0 {
        return Ok(());
    }
    let own = (record != NO_RECORD).then(|| Location::from_word(record - 1));
    let old = SlotWord(thread.intent.old.load(Acquire));
    let new = SlotWord(thread.intent.new.load(Acquire));
    // Frozen, the word is what it was when the chain was moved, and nothing has happened to it here
    // since: it tells what the dead thread did as well as if it were in force.
    let current = intended_word(region, thread)?;
    let published = current.is_some_and(|current| current.identity() == new.identity());
    let replaced = current.is_some_and(|current| current.identity() != old.identity());

    // The dead thread's hazard still names the old record's segment, unless it died in the search
    // of its next attempt: then the segment may be gone, and must not go while we look at it.
    if replaced && !old.is_empty() {
        Hazard::new(&thread.hazards[0]).announce(old.location().segment());
        retire_at(region, thread, old.location())?;
        crash::point("recover.retired");
    }
    let Some(own) = own else {
        let is_whole = thread.intent.announce.load(Acquire) == PROMISE_REGION;
        if published || replaced || is_whole {
            announce_recordless(region, thread, old, published, report);
        }
        return Ok(());
    };
    // Published and retired by a survivor, the record's segment could be reused while it is
    // looked at: the dead thread's second hazard, which is ours now, keeps it.
    Hazard::new(&thread.hazards[1]).announce(own.segment());
    if !region.log.holds(own) {
        return Ok(());
    }
    // SAFETY: the hazard was announced before `holds` found the segment in use.
    let record = unsafe { Record::read(&region.log, own) }?;
    let hash = record.head().hash;
    let log2 = region.words().table.load(SeqCst) as u32;
    let found = region.locate(mover(thread), log2, hash, own)?;
    // A region that stores nothing has its changes nowhere else.
    let passed_on = region.attributes.data_policy == DataPolicy::Empty && record.was_published();
    announce_once(region, thread, found.is_some() || passed_on, own, &record, report);
    match found {
        // A tombstone of a local region stays in the index only until it is announced.
        Some(_) if !region.is_distributed() && record.head().kind == Kind::Tombstone as u8 => {
            region.drop_tombstone(index, log2, hash, own)?;
        }
        Some(_) => {}
        None if published || record.was_published() => retire_once(region, own, &record),
        None => abandon(&region.log, own, &record),
    }
    crash::point("recover.own");
    Ok(())
}

/// Announces what left the index without a record. `emptied`: the slot still is as it was left.
fn announce_recordless(
    region: &Mapped,
    thread: &ThreadDescriptor,
    old: SlotWord,
    emptied: bool,
    report: &mut Recovery,
) {
    match thread.intent.announce.load(Acquire) {
        PROMISE_EVICTION if emptied => {
            let since = thread.ring_start.load(Acquire);
            report.events_announced += u32::from(region.recover_evicted(since, old.location()));
        }
        PROMISE_EVICTION => {
            thread.count(Counter::EventsDropped, 1);
        }
        // Destroyed, or cleared as a whole: who listens has to look again.
        promise if promise == RingOp::Region.promise() || promise == PROMISE_REGION => {
            let position = region.announce_region(RegionOp::LookAgain);
            report.events_announced += u32::from(position > 0);
        }
        _ => return,
    }
    crash::point("recover.recordless");
}

/// The word in the slot that the dead thread was about to change, as if it were not frozen.
fn intended_word(region: &Mapped, thread: &ThreadDescriptor) -> Result<Option<SlotWord>> {
    let Some(slot) = SlotRef::from_word(thread.intent.slot.load(Acquire)) else {
        return Ok(None);
    };
    let Some(table) = pinned_table(region, thread, slot.table())? else {
        return Ok(None);
    };
    let slot = table.buckets.get(slot.bucket()).and_then(|bucket| bucket.slots.get(slot.slot()));
    Ok(slot.map(|slot| SlotWord(slot.load(SeqCst)).thawed()))
}

/// Announces a change that is in the index unless the ring has it, and wakes who its thread may
/// have left asleep. A writer that saw no listener says that there may be some by now.
fn announce_once(
    region: &Mapped,
    thread: &ThreadDescriptor,
    indexed: bool,
    own: Location,
    record: &Record<'_>,
    report: &mut Recovery,
) {
    let promise = thread.intent.announce.load(Acquire);
    let since = thread.ring_start.load(Acquire);
    let announced = match RingOp::promised(promise) {
        Some(op) => indexed && region.announce_for(since, op, own, record),
        None => {
            let may_be_published = thread.intent.slot.load(Acquire) != 0;
            may_be_published
                && promise == RingOp::Region.promise()
                && region.announce_region(RegionOp::LookAgain) > 0
        }
    };
    report.events_announced += u32::from(announced);
    crash::point("recover.announced");
    region.wake_listeners();
    region.members.ring_bell_if_asleep();
}

fn retire_at(region: &Mapped, thread: &ThreadDescriptor, location: Location) -> Result<()> {
    if !region.log.holds(location) {
        return Ok(());
    }
    // SAFETY: a hazard word of the dead thread, which nobody but this recovery clears, named the
    // segment before `holds` found it in use.
    let record = unsafe { Record::read(&region.log, location) }?;
    let log2 = region.words().table.load(SeqCst) as u32;
    if region.locate(mover(thread), log2, record.head().hash, location)?.is_some() {
        // Nothing took its place: the intent never was about it.
        return Err(region.log.damaged_record(location));
    }
    retire_once(region, location, &record);
    Ok(())
}

/// Marks a record as dead and counts it. If it is marked already, the dead thread may have died
/// between the mark and the count; in a segment that is filled yet nobody would find that out.
fn retire_once(region: &Mapped, location: Location, record: &Record<'_>) {
    if record.is_dead() {
        recount_dead(&region.log, location.segment());
    } else {
        retire(&region.log, location, record);
    }
}

#[cfg(test)]
mod tests;
