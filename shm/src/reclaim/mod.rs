//! Layer 2: giving segments back. A segment is reused when every record in it is dead and no
//! hazard or pin word names it.
//!
//! # Steps, each of them repeatable by anybody
//!
//! 0. *Open -> Sealed*, if the hint says that all of it is dead, or it is nearly full: what a
//!    process left with little room may never be adopted. Not straight to Quarantine: an open
//!    segment may be adopted, filled and opened again between the walk and the CAS. Sealing one
//!    that lives costs its room only; cleaners do that, too.
//! 1. *Sealed -> Quarantine*, after a walk (under a hazard of the walker) that found the dead mark
//!    on every record. Nobody appends to a sealed segment, so `committed` is final. Marks are set
//!    once, by whoever unlinked the record or failed to publish it, always after that, or by
//!    recovery for it; so no slot refers to the segment, and none will: what could publish one of
//!    its records, a pending insert, expects an empty word that is gone.
//! 2. *Quarantine -> Free(generation + 1)*, after a look at all hazards and running intents, then
//!    all pins. An intent protects the segment of its own record, which a cleaner may have moved
//!    before its writer announced it; it was set before the record was published, so whoever finds
//!    that record dead also finds the intent or what came after it. The CAS
//!    starts from the word that was read before the look: a look says nothing about a later use of
//!    the segment. Readers that come later find the slot changed or the state not holding the
//!    location.
//!
//! | killed | effect | who repairs |
//! |---|---|---|
//! | during the walk | the dead walker's hazard holds the segment | recovery clears it |
//! | after an open segment was sealed | it is sealed | - |
//! | after 1 | the segment waits in Quarantine | the next thread that needs space |
//! | after 2 | the segment is free | - |
//! | after unlinking, before the mark | one record keeps the segment | recovery sets the mark |
//! | between mark and count | the hint stays too low | see `recount_dead` |
//!
//! `SegmentHeader::dead` is only a hint and never decides reuse. It is too low after a death, and
//! too high when a count comes after a walk that saw its mark already; a walk that finds another
//! sum corrects it.

pub(crate) mod hazard;
pub(crate) mod pin;

use crate::crash;
use crate::error::Result;
use crate::heap::Log;
use crate::heap::record::Record;
use crate::heap::run;
use crate::layout::thread::{Attachment, ThreadDescriptor};
use crate::layout::word::{Location, SegmentState, SegmentWord};
use crate::reclaim::hazard::Hazard;
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst, fence};

/// An open segment with less than this part of its bytes left is sealed when memory is short.
const NEARLY_FULL: usize = 16;

/// Marks a record as dead and counts it. The record's segment is protected by the caller.
pub(crate) fn retire(log: &Log, location: Location, record: &Record<'_>) {
    if record.mark_dead() {
        count_dead(log, location, record);
    }
}

/// The same for a record that the caller has taken out of the index by its own CAS.
#[inline]
pub(crate) fn retire_replaced(log: &Log, location: Location, record: &Record<'_>) {
    if record.mark_replaced() {
        count_dead(log, location, record);
    }
}

/// The same for a record that never was in the index.
pub(crate) fn abandon(log: &Log, location: Location, record: &Record<'_>) {
    if record.mark_abandoned() {
        count_dead(log, location, record);
    }
}

#[inline]
fn count_dead(log: &Log, location: Location, record: &Record<'_>) {
    count_retired(log, location.segment(), record.len() as u64);
}

/// Counts bytes of records that the caller has marked as dead.
#[inline]
pub(crate) fn count_retired(log: &Log, segment: u32, bytes: u64) {
    crash::point("retire.marked");
    if let Some(header) = log.header(segment) {
        header.dead.fetch_add(bytes, Relaxed);
        log.note_if_dead(segment);
    }
}

/// Adds to the count of a segment that is not sealed what its records say beyond it: the mark of a
/// dead thread came, its count did not. The segment is protected by the caller. Sealed ones are
/// walked anyway after a recovery.
pub(crate) fn recount_dead(log: &Log, segment: u32) {
    let filled =
        matches!(log.state(segment).state(), Some(SegmentState::Active | SegmentState::Open));
    let Some(header) = log.header(segment).filter(|_| filled) else {
        return;
    };
    let counted = header.dead.load(Acquire);
    let mut marked = 0;
    // SAFETY: the caller protects the segment.
    let walked = unsafe {
        log.walk(segment, |_, record| {
            marked += if record.is_dead() { record.len() as u64 } else { 0 };
            true
        })
    };
    // Too high by what others have marked and are about to count: a later walk corrects that.
    if walked.is_ok() && marked > counted {
        let _ = header.dead.compare_exchange(counted, marked, Relaxed, Relaxed);
        crash::point("retire.recounted");
    }
}

/// Everybody who can protect a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protectors<'a> {
    pub(crate) threads: &'a [ThreadDescriptor],
    pub(crate) members: &'a [Attachment],
    /// Makes a barrier in all of them; false if it cannot. See [`hazard`].
    pub(crate) barrier: fn() -> bool,
}

/// Frees what can be freed; returns the number of segments. `all`: look at every sealed segment,
/// not only at those whose hint says that they are dead.
pub(crate) fn collect(
    log: &Log,
    protectors: Protectors<'_>,
    mine: Hazard<'_>,
    all: bool,
) -> Result<u32> {
    collect_but(log, protectors, mine, all, &[])
}

/// The same, sparing some segments.
pub(crate) fn collect_but(
    log: &Log,
    protectors: Protectors<'_>,
    mine: Hazard<'_>,
    all: bool,
    spared: &[u32],
) -> Result<u32> {
    let quarantined = quarantined(log, mine, all, spared)?;
    if quarantined.is_empty() {
        return Ok(0);
    }
    let protected = protected(log, protectors);
    Ok(free(log, &quarantined, &protected))
}

/// Steps 0 and 1 for every segment but those that are spared. Returns those in Quarantine with
/// their words.
fn quarantined(
    log: &Log,
    mine: Hazard<'_>,
    all: bool,
    spared: &[u32],
) -> Result<Vec<(u32, SegmentWord)>> {
    let mut is_spared = vec![false; if spared.is_empty() { 0 } else { log.segments() as usize }];
    for &segment in spared {
        is_spared[segment as usize] = true;
    }
    let mut quarantined = Vec::new();
    for segment in 0..log.segments() {
        let word = log.state(segment);
        if word.state() == Some(SegmentState::Open) {
            seal_if_of_no_use(log, segment, word);
        }
        let word = log.state(segment);
        match word.state() {
            Some(SegmentState::Sealed) if is_spared.get(segment as usize) == Some(&true) => {
                // Dead ones are to be looked at again.
                log.note_if_dead(segment);
            }
            Some(SegmentState::Sealed) => {
                quarantined
                    .extend(quarantine(log, segment, mine, all)?.map(|word| (segment, word)));
            }
            Some(SegmentState::Quarantine) => quarantined.push((segment, word)),
            _ => {}
        }
    }
    Ok(quarantined)
}

/// Step 2, from the words as they were before the look at the hazards: a segment that was freed,
/// reused and quarantined again meanwhile has another generation, and another look is due.
fn free(log: &Log, quarantined: &[(u32, SegmentWord)], protected: &[bool]) -> u32 {
    let mut freed = 0;
    for &(segment, word) in quarantined {
        let free = SegmentWord::new(SegmentState::Free, 0, word.generation() + 1);
        if protected[segment as usize] {
            continue;
        }
        run::free_continuations(log, segment, word);
        if log.transition(segment, word, free) {
            crash::point("reclaim.freed");
            log.note_free(segment);
            freed += 1;
        }
    }
    if freed < quarantined.len() as u32 {
        // Somebody protects the others: look again when memory is taken next.
        log.words().dead_hint.store(1, Relaxed);
    }
    freed
}

/// Step 0: seals an open segment that is dead or nearly full, so that it can be reclaimed.
fn seal_if_of_no_use(log: &Log, segment: u32, word: SegmentWord) {
    let committed = log.committed(segment);
    let dead = log.header(segment).map_or(0, |header| header.dead.load(Acquire));
    let is_dead = committed > 0 && dead >= committed as u64;
    let is_full = log.segment_bytes() - committed < log.segment_bytes() / NEARLY_FULL;
    if is_dead || is_full {
        log.seal(segment, word);
    }
}

/// Moves a sealed segment to Quarantine if all of it is dead, and returns its new word.
///
/// `all`: walk it even if the hint says that something lives.
pub(crate) fn quarantine(
    log: &Log,
    segment: u32,
    mine: Hazard<'_>,
    all: bool,
) -> Result<Option<SegmentWord>> {
    let dead = log.header(segment).map_or(0, |header| header.dead.load(Acquire));
    if !all && dead < log.committed(segment) as u64 {
        return Ok(None);
    }
    let word = log.state(segment);
    mine.announce(segment);
    let sealed = log.state(segment) == word && word.state() == Some(SegmentState::Sealed);
    let (mut found, mut all_dead) = (0, sealed);
    if sealed {
        // SAFETY: the hazard was announced before the state was read as Sealed, so the segment
        // cannot become Free, let alone be written, before it is cleared.
        let walked = unsafe {
            log.walk(segment, |_, record| {
                if record.is_dead() {
                    found += record.len() as u64;
                } else {
                    all_dead = false;
                }
                true
            })
        };
        // A damaged segment is left alone; the audit tells about it.
        if walked.is_err() {
            mine.clear();
            return Ok(None);
        }
    }
    if let (true, false, Some(header)) = (sealed, all_dead, log.header(segment)) {
        // Whoever died between a mark and its count left the hint too low for good, and a count
        // that comes after this walk makes it too high: the next walk corrects that.
        let _ = header.dead.compare_exchange(dead, found, Relaxed, Relaxed);
    }
    mine.clear();
    let quarantined = word.becomes(SegmentState::Quarantine, 0);
    if !all_dead || !log.transition(segment, word, quarantined) {
        return Ok(None);
    }
    crash::point("reclaim.quarantined");
    Ok(Some(quarantined))
}

/// Which segments somebody looks at, for certain. Hazards are read before pins: see [`pin`].
fn protected(log: &Log, protectors: Protectors<'_>) -> Vec<bool> {
    if crash::skips_hazard_scan() {
        return vec![false; log.segments() as usize];
    }
    let members = log.words().members_used.load(SeqCst) as usize;
    let mut rows = protectors.members.iter().take(members);
    if rows.any(|row| row.plain_hazards.load(SeqCst) != 0) && !(protectors.barrier)() {
        return vec![true; log.segments() as usize];
    }
    looked_at(log, protectors)
}

/// The same without a barrier: of those that began to look a moment ago some may be missing. What
/// a stopped process looks at is there. A hint, for who may choose another segment.
pub(crate) fn looked_at(log: &Log, protectors: Protectors<'_>) -> Vec<bool> {
    let mut protected = vec![false; log.segments() as usize];
    let mut protect = |word: u64| {
        if let Some(segment) = word.checked_sub(1)
            && let Some(flag) = protected.get_mut(segment as usize)
        {
            *flag = true;
        }
    };
    let members = log.words().members_used.load(SeqCst) as usize;
    scan_hazards(protectors.threads, &log.words().threads_used, &mut protect);
    for member in protectors.members.iter().take(members) {
        let pins = member.pins_used.load(SeqCst) as usize;
        for pin in member.pins.iter().take(pins) {
            protect(pin.load(SeqCst));
        }
    }
    protected
}

/// Shows `protect` all hazard words as they are after everything the caller has done before.
fn scan_hazards(threads: &[ThreadDescriptor], used: &AtomicU64, mut protect: impl FnMut(u64)) {
    fence(SeqCst);
    let used = used.load(SeqCst) as usize;
    for thread in threads.iter().take(used) {
        for hazard in &thread.hazards {
            protect(hazard.load(SeqCst));
        }
        let record = thread.intent.record.load(SeqCst);
        if let Some(location) = record.checked_sub(1) {
            // Of a write without record this is a segment that does not exist.
            protect(u64::from(Location::from_word(location).segment()) + 1);
        }
    }
}

#[cfg(test)]
mod tests;
