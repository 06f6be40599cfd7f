//! Windows: segments that lie side by side, for what one segment cannot hold.
//!
//! A window is claimed segment by segment, each by the CAS that takes a single one, so that every
//! moment of it is a state that recovery knows: segments that are active in the name of a thread.
//! Whoever finds one of them taken gives back what it has and looks further down. All claim from
//! the highest segment of a window to the lowest, and search from the highest window to the
//! lowest, so of two that collide the one that was first goes on.
//!
//! # Runs
//!
//! A record that is larger than a segment lies in a window of its own, a *run*. The first segment
//! is its head and stands for all of it: the record is at offset 0 of the head, a hazard or pin on
//! the head protects it, `committed` of the head is the length of the record, and only the head
//! goes through the states of a segment with records. The others are in state Run and name the head
//! and its generation ([`RunWord`]), so that they are free as soon as the head is about to be.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | each claim | active, owner dead | recovery: Active -> Sealed, empty, reclaimed |
//! | a segment given back | the others are active, owner dead | the same |
//! | the head was told its length | the same | the same |
//! | a segment was joined | Run; its head active, owner dead, `committed` 0 | recovery frees it |
//! | the record was written, the intent set | the same | the same |
//! | `committed` stored | one record, not published | recovery seals the head, marks the record |
//! | Active -> Sealed | the same | recovery marks the record abandoned |
//! | a continuation was freed | head in Quarantine | the next thread that needs space |
//!
//! A continuation is freed by one CAS from a state word that was read before its `RunWord`, so a
//! thread that was stopped in between frees nothing that was used again. The head is freed last:
//! as long as a continuation is left, the head says where.

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::Log;
use crate::heap::append::{self, Author, Room};
use crate::heap::record::copy::Content;
use crate::heap::release;
use crate::layout::word::{Location, RunWord, SegmentState, SegmentWord};
use crate::sync::{Acquire, Release};

/// Appends a record that is larger than a segment and that nobody refers to yet. `None`: there is
/// no window for it.
pub(crate) fn append(
    log: &Log,
    author: &impl Author,
    content: &impl Content,
) -> Result<Option<Location>> {
    let Ok(count) = u32::try_from(content.bytes().div_ceil(log.segment_bytes())) else {
        return Ok(None);
    };
    let head = loop {
        match claim_or_make_window(log, author, count) {
            Ok(Some(head)) => break head,
            // Perhaps of two that collided neither has it.
            none if is_none(&none) && author.wait_for_room() => {}
            none => return none.map(|_| None),
        }
    };
    let word = log.state(head);
    join(log, head, word, count);
    let location = Location::new(head, word.generation(), 0);
    // SAFETY: all segments of the window were active in the author's name until `join` made them
    // part of this run, whose head still is; `committed` of the head is 0; the record begins where
    // the window does and is not longer.
    let written = unsafe { content.write_to(log, location) };
    if let Err(error) = written {
        free_continuations(log, head, word);
        if let Some(header) = log.header(head) {
            header.run.store(0, Release);
        }
        give_back(log, author.thread(), head, 1);
        return Err(error);
    }
    author.announce(location);
    crash::point("run.announced");
    if let Some(header) = log.header(head) {
        append::note(header, content);
        header.committed.store(content.bytes() as u64, Release);
    }
    crash::point("run.committed");
    log.transition(head, word, word.becomes(SegmentState::Sealed, 0));
    crash::point("run.sealed");
    Ok(Some(location))
}

/// Attempts to empty a window before it is said that there is none.
const COMPACTIONS: u32 = 4;

/// A window, if need be one that is emptied for it: that in which the least lives. Whoever cleans
/// one segment by segment may find that others, or its own copies, have filled another one
/// meanwhile; so it tries a few times, each time with more to spare.
///
/// Where entries are evicted, room for a window is made first, and if that leaves none side by
/// side, ever more.
fn claim_or_make_window(log: &Log, author: &impl Author, count: u32) -> Result<Option<u32>> {
    let mut found = claim_window(log, author, count);
    if is_none(&found) && author.make_room_for(count)? {
        found = claim_window(log, author, count);
    }
    // Where the file system is full, memory need not lie side by side: it can go back and come
    // again.
    if matches!(found, Err(Error::FileSystemFull { .. })) && author.clean_for(count)? {
        found = claim_window(log, author, count);
    }
    found = compact(log, author, count, found);
    let mut room = count / 2;
    while is_none(&found) && room < log.segments() {
        room = room.saturating_mul(2).clamp(1, log.segments());
        if !author.make_room_for(room)? {
            break;
        }
        found = claim_window(log, author, count);
    }
    found
}

/// A window for what is not evicted for: [`claim_window`], if need be after what lives in one was
/// copied elsewhere, as far as the author does that.
pub(crate) fn claim_or_compact(log: &Log, author: &impl Author, count: u32) -> Result<Option<u32>> {
    let found = claim_window(log, author, count);
    compact(log, author, count, found)
}

/// Empties windows until one can be claimed, a few times, if none was found.
fn compact(
    log: &Log,
    author: &impl Author,
    count: u32,
    mut found: Result<Option<u32>>,
) -> Result<Option<u32>> {
    for round in 1..=COMPACTIONS {
        if !is_none(&found) {
            break;
        }
        let wide = count.saturating_add(round * (1 + count / 8));
        let window = cheapest(log, wide).map(|first| (first, wide));
        let Some((first, width)) = window.or_else(|| Some((cheapest(log, count)?, count))) else {
            break;
        };
        let mut vacated = false;
        for segment in (first..first + width).rev().filter(|&segment| !is_free(log, segment)) {
            vacated |= author.vacate(segment)?;
        }
        if !vacated {
            break;
        }
        found = claim_window(log, author, count);
    }
    found
}

/// Whether there is nothing to be had, for whatever reason.
pub(super) fn is_none<T>(found: &Result<Option<T>>) -> bool {
    matches!(found, Ok(None) | Err(Error::FileSystemFull { .. }))
}

/// The window in which the least lives, of those that hold nothing but records of full segments;
/// the highest of several.
fn cheapest(log: &Log, count: u32) -> Option<u32> {
    let costs: Vec<Option<u64>> = (0..log.segments()).map(|segment| cost(log, segment)).collect();
    let windows = costs.windows(count as usize).enumerate().rev();
    let priced = windows.filter_map(|(first, window)| {
        Some((window.iter().copied().sum::<Option<u64>>()?, first as u32))
    });
    priced.min_by_key(|&(cost, _)| cost).map(|(_, first)| first)
}

/// Bytes to copy before a segment is free; `None` if it cannot be emptied by that.
fn cost(log: &Log, segment: u32) -> Option<u64> {
    let word = log.state(segment);
    match word.state()? {
        SegmentState::Free => Some(0),
        SegmentState::Unbacked => (!log.is_starved()).then_some(0),
        SegmentState::Sealed | SegmentState::Open if log.run(segment, word).is_none() => {
            let dead = log.header(segment)?.dead.load(Acquire);
            Some((log.committed(segment) as u64).saturating_sub(dead))
        }
        _ => None,
    }
}

/// Makes one run of a window that is active in the caller's name.
fn join(log: &Log, head: u32, word: SegmentWord, count: u32) {
    if let Some(header) = log.header(head) {
        header.run.store(RunWord::head(count, word.generation()).0, Release);
    }
    crash::point("run.named");
    for steps in 1..count {
        let segment = head + steps;
        if let Some(header) = log.header(segment) {
            header.run.store(RunWord::continuation(steps, word.generation()).0, Release);
        }
        let active = log.state(segment);
        log.transition(segment, active, active.becomes(SegmentState::Run, 0));
        crash::point("run.joined");
    }
}

/// Frees the segments behind the head of a run whose record nobody can look at any more: `word`
/// is that of the head, in Quarantine and unprotected, or active and never filled. Repeatable, by
/// anybody.
pub(crate) fn free_continuations(log: &Log, head: u32, word: SegmentWord) {
    let Some(count) = log.run(head, word) else {
        return;
    };
    for steps in 1..count {
        let segment = head.saturating_add(steps);
        let seen = log.state(segment);
        let mine = RunWord::continuation(steps, word.generation());
        let named = log.header(segment).map(|header| RunWord(header.run.load(Acquire)));
        if seen.state() == Some(SegmentState::Run)
            && named == Some(mine)
            && log.transition(
                segment,
                seen,
                SegmentWord::new(SegmentState::Free, 0, seen.generation() + 1),
            )
        {
            crash::point("run.freed");
            log.note_free(segment);
        }
    }
}

/// What recovery does with a segment that was active in the name of a dead thread, before it is
/// sealed. Only the one recovery that has the thread's descriptor comes here.
pub(crate) fn recover(log: &Log, segment: u32, word: SegmentWord) {
    let Some(header) = log.header(segment) else {
        return;
    };
    let committed = header.committed.load(Acquire);
    if log.run(segment, word).is_some() {
        if committed == 0 {
            free_continuations(log, segment, word);
        }
    } else if committed > log.segment_bytes() as u64 {
        // Of a run that began here in an earlier generation: the thread died between its claim and
        // the store that empties the segment.
        header.committed.store(0, Release);
        crash::point("run.emptied");
    }
}

impl Log {
    /// Segments of the run that begins here, if one does; `word` is the state word of the segment.
    pub(crate) fn run(&self, segment: u32, word: SegmentWord) -> Option<u32> {
        let run = RunWord(self.header(segment)?.run.load(Acquire));
        let count = run.segments(word.generation())?;
        (count <= self.segments() - segment).then_some(count)
    }

    /// Bytes that a record at the start of a segment which the caller protects may take: more
    /// than a segment if a whole run begins here.
    #[cold]
    pub(crate) fn room(&self, segment: u32) -> usize {
        let count = self.run(segment, self.state(segment)).unwrap_or(1);
        // The states are what says that there is memory; a damaged file may say anything else.
        let whole = (1..count).all(|steps| {
            self.state(segment.saturating_add(steps)).state() == Some(SegmentState::Run)
        });
        self.segment_bytes().saturating_mul(if whole { count as usize } else { 1 })
    }
}

/// Claims `count` segments side by side in the author's name; the number of the first. All have
/// memory, of any content, and are active and empty. `None`: there is no such window, and nobody
/// freed a segment during the search.
pub(crate) fn claim_window(log: &Log, author: &impl Author, count: u32) -> Result<Option<u32>> {
    let mut moved = false;
    log.set_starved(false);
    loop {
        let before = log.progress();
        let found = search(log, author, count);
        if let Ok(Some(_)) = found {
            return found;
        }
        if matches!(found, Err(Error::FileSystemFull { .. })) && !moved {
            // There may be memory in segments that are free but not side by side. Only once: what
            // this search had to give back would be moved again and again.
            moved = true;
            author.reclaim(false)?;
            author.forget_unread()?;
            // Only if that is enough for all of the window: others may be faster to take it.
            let kept = append::kept(log, author) as u32;
            if log.free_with_memory().saturating_sub(kept) >= count
                && release::release(log, author.thread(), kept, count)? > 0
            {
                log.set_starved(false);
                continue;
            }
        }
        let reclaimed = author.reclaim(false)? | author.reclaim(true)? | author.forget_unread()?;
        let again = match found {
            Ok(_) | Err(Error::FileSystemFull { .. }) => reclaimed || log.progress() != before,
            Err(_) => false,
        };
        if !again {
            return found;
        }
    }
}

/// The window that [`claim_window`] would begin with, of which nothing is claimed.
pub(crate) fn find_window(log: &Log, author: &impl Author, count: u32) -> Result<Option<u32>> {
    author.reclaim(false)?;
    let mut end = log.segments();
    while let Some(first) = end.checked_sub(count).filter(|_| count > 0) {
        match (first..end).rev().find(|&segment| !is_free(log, segment)) {
            Some(taken) => end = taken,
            None => return Ok(leaves_enough(log, author, count).then_some(first)),
        }
    }
    Ok(None)
}

/// Claims one segment of a window that was found, of which `left` are not claimed; false if it is
/// not free any more, or others have taken so many meanwhile that it is what they must have.
pub(crate) fn claim_one(log: &Log, thread: u32, segment: u32, left: u32) -> Result<bool> {
    if !leaves(log, Room::Window.leaves(log) as usize, left) {
        return Ok(false);
    }
    claim_all(log, thread, segment, segment + 1)
        .map(|taken| taken.is_none())
        .map_err(|(_, error)| error)
}

/// Gives a window back that `thread` claimed and nothing in the region refers to.
pub(crate) fn give_back(log: &Log, thread: u32, first: u32, count: u32) {
    for segment in first..first.saturating_add(count).min(log.segments()) {
        let word = log.state(segment);
        if word.state() == Some(SegmentState::Active) && word.owner() == thread {
            // Of the same generation: no location names it, and who waits for segments to become
            // free must not take this for progress.
            log.transition(segment, word, word.becomes(SegmentState::Free, 0));
            crash::point("run.given_back");
            log.note_free(segment);
        }
    }
}

/// One pass over all windows, the highest first. An error only if no window could be had.
fn search(log: &Log, author: &impl Author, count: u32) -> Result<Option<u32>> {
    let mut full = None;
    let mut end = log.segments();
    while let Some(first) = end.checked_sub(count).filter(|_| count > 0) {
        if let Some(taken) = (first..end).rev().find(|&segment| !is_free(log, segment)) {
            end = taken;
            continue;
        }
        if !leaves_enough(log, author, count) {
            break;
        }
        match claim_all(log, author.thread(), first, end) {
            Ok(None) => return Ok(Some(first)),
            Ok(Some(taken)) => end = taken,
            Err((segment, error)) => {
                full = Some(error);
                end = segment;
            }
        }
    }
    full.map_or(Ok(None), Err)
}

fn is_free(log: &Log, segment: u32) -> bool {
    log.may_be_taken(segment)
}

/// Whether enough segments stay free for those who must have one.
fn leaves_enough(log: &Log, author: &impl Author, count: u32) -> bool {
    leaves(log, append::kept(log, author), count)
}

fn leaves(log: &Log, kept: usize, count: u32) -> bool {
    let wanted = count as usize + kept;
    kept == 0 || (0..log.segments()).filter(|&s| is_free(log, s)).take(wanted).count() == wanted
}

/// Claims a window. Some = this segment was taken by somebody else, and the window was given back.
fn claim_all(
    log: &Log,
    thread: u32,
    first: u32,
    end: u32,
) -> std::result::Result<Option<u32>, (u32, Error)> {
    for segment in (first..end).rev() {
        let word = log.state(segment);
        let backed = match word.state() {
            Some(SegmentState::Free) => Ok(true),
            Some(SegmentState::Unbacked) => log.back(segment).map(|()| true),
            _ => Ok(false),
        };
        let claimed = backed.map(|free| free && log.claim(segment, word, thread, 0).is_some());
        if !matches!(claimed, Ok(true)) {
            give_back(log, thread, segment + 1, end - segment - 1);
            return claimed.map(|_| Some(segment)).map_err(|error| (segment, error));
        }
        crash::point("run.claimed");
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
