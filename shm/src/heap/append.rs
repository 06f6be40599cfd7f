//! Appending: which segment a thread writes to, and taking new ones.
//!
//! A process keeps a few *lanes*, each with an active segment and a process-private mutex. A write
//! takes the first lane that nobody uses at the moment, so threads neither wait for each other nor
//! reserve a segment each. The mutex is private to the process and dies with it; other processes
//! never wait for it.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | Free -> Active | active, owner dead; `committed` may be of the last use | recovery: Active -> Sealed |
//! | intent stored | record not covered by `committed` | recovery ignores it |
//! | `committed` stored | record covered, not published | recovery marks it abandoned |
//! | Active -> Sealed | - | - |
//!
//! The last free segment is left to tombstones of distributed regions, which must get a record also
//! when the region is full. They go through a lane of their own, so that no other write fills that
//! segment. One segment, not one per process: while one process fills it, others have none.
//!
//! Single segments are taken from the lowest number up, those with memory first; windows of several
//! segments from the highest down (see [`run`](super::run)). Hints in the region say where to
//! begin and what is not worth a search; any value of them is right, since whoever finds nothing
//! by them looks at every segment before it says so.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::Log;
use crate::heap::record::Draft;
use crate::layout::record::Extent;
use crate::layout::word::{Location, SegmentState, SegmentWord};
use crate::sync::{AtomicU64, Relaxed, Release};

/// An active segment of this process.
#[derive(Debug, Clone, Copy)]
struct Active {
    segment: u32,
    word: SegmentWord,
    offset: usize,
}

/// The lanes of one process in one region.
#[derive(Debug)]
pub(crate) struct Appender {
    lanes: Box<[CachePadded<Mutex<Option<Active>>>]>,
    /// For writes that may take the last segment.
    reserve: CachePadded<Mutex<Option<Active>>>,
}

/// Who appends, and how it tells recovery about it.
pub(crate) trait Author {
    /// Its thread descriptor.
    fn thread(&self) -> u32;
    /// Names the record before `committed` covers it.
    fn announce(&self, location: Location);
    /// Frees dead segments; true if there may be free ones now.
    fn reclaim(&self, all: bool) -> Result<bool>;
    /// Whether the region keeps its last segment for destroys, because they need a record.
    fn keeps_reserve(&self) -> bool;
    /// Whether it may take the last segment: a full region must still take destroys.
    fn may_use_reserve(&self) -> bool;
}

/// Segments that only destroys may take.
const RESERVE: usize = 1;

/// Free segments that the author leaves to others.
pub(crate) fn kept(author: &impl Author) -> usize {
    if author.keeps_reserve() && !author.may_use_reserve() { RESERVE } else { 0 }
}

impl Appender {
    pub(crate) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(4, usize::from);
        let lanes = (2 * threads).clamp(4, 32);
        Self {
            lanes: (0..lanes).map(|_| CachePadded::default()).collect(),
            reserve: CachePadded::default(),
        }
    }

    fn lane(&self, hint: usize) -> MutexGuard<'_, Option<Active>> {
        // The first lane is preferred by everybody, so that a process with one writer, or writers
        // that do not overlap, fills one segment at a time.
        for lane in &self.lanes {
            if let Ok(free) = lane.try_lock() {
                return free;
            }
        }
        let lane = &self.lanes[hint % self.lanes.len()];
        lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a record that nobody refers to yet. `None`: no segment is to be had.
    pub(crate) fn append(
        &self,
        log: &Log,
        author: &impl Author,
        draft: &Draft<'_>,
        extent: Extent,
    ) -> Result<Option<Location>> {
        let mut lane = self.lane(author.thread() as usize);
        let appended = append_to(&mut lane, log, author, draft, extent, !author.keeps_reserve())?;
        if appended.is_some() || !author.may_use_reserve() {
            return Ok(appended);
        }
        drop(lane);
        // A lane of its own, so that other writes do not fill the segment that was kept for this.
        let mut lane = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        append_to(&mut lane, log, author, draft, extent, true)
    }

    /// Gives all segments of this process up for adoption.
    pub(crate) fn release(&self, log: &Log) {
        for lane in self.lanes.iter().chain([&self.reserve]) {
            let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(active) = lane.take() {
                let open = active.word.becomes(SegmentState::Open, 0);
                log.transition(active.segment, active.word, open);
                crash::point("append.released");
                log.words().open_hint.store(1, Relaxed);
                log.words().dead_hint.store(1, Relaxed);
            }
        }
    }
}

fn append_to(
    lane: &mut Option<Active>,
    log: &Log,
    author: &impl Author,
    draft: &Draft<'_>,
    extent: Extent,
    reserve: bool,
) -> Result<Option<Location>> {
    let active = loop {
        match lane {
            Some(active) if active.offset + extent.end <= log.segment_bytes() => break active,
            Some(full) => {
                let sealed = full.word.becomes(SegmentState::Sealed, 0);
                log.transition(full.segment, full.word, sealed);
                crash::point("append.sealed");
                log.note_if_dead(full.segment);
                *lane = None;
            }
            None => match take(log, author, extent.end, reserve)? {
                Some(active) => *lane = Some(active),
                None => return Ok(None),
            },
        }
    };
    let location = Location::new(active.segment, active.word.generation(), active.offset);
    // SAFETY: the lane is locked and its segment active in this process' name; the record starts
    // at `offset`, which is where `committed` ends, and fits.
    unsafe { draft.write(log, location, extent) }?;
    author.announce(location);
    crash::point("append.announced");
    active.offset += extent.end;
    if let Some(header) = log.header(active.segment) {
        header.committed.store(active.offset as u64, Release);
    }
    crash::point("append.committed");
    Ok(Some(location))
}

/// Finds a segment with room for `need` bytes and makes it active in the author's name. `None`
/// only if nobody freed anything during the whole search: lock-free, since each round more means
/// that another thread made progress.
fn take(log: &Log, author: &impl Author, need: usize, reserve: bool) -> Result<Option<Active>> {
    // Led by the hints, so that filling a region does not look at all segments for each one.
    if let Some(active) = take_by_hints(log, author, need, reserve)? {
        return Ok(Some(active));
    }
    loop {
        let before = log.progress();
        match try_take(log, author, need, reserve) {
            Ok(None) if log.progress() != before => {}
            other => return other,
        }
    }
}

fn take_by_hints(
    log: &Log,
    author: &impl Author,
    need: usize,
    reserve: bool,
) -> Result<Option<Active>> {
    let words = log.words();
    if words.open_hint.load(Relaxed) != 0 {
        words.open_hint.store(0, Relaxed);
        if let Some(active) = take_open(log, author.thread(), need) {
            // There may be more of them.
            words.open_hint.store(1, Relaxed);
            return Ok(Some(active));
        }
    }
    if let Some(active) = take_free(log, author.thread(), hint(&words.segment_hint), reserve) {
        return Ok(Some(active));
    }
    if words.dead_hint.load(Relaxed) != 0 {
        words.dead_hint.store(0, Relaxed);
        if author.reclaim(false)?
            && let Some(active) = take_free(log, author.thread(), 0, reserve)
        {
            return Ok(Some(active));
        }
    }
    match take_unbacked(log, author.thread(), hint(&words.unbacked_hint), reserve) {
        // There may be memory of dead records.
        Err(Error::FileSystemFull { .. }) => Ok(None),
        other => other,
    }
}

/// The search that trusts no hint and ends only when there is nothing.
fn try_take(log: &Log, author: &impl Author, need: usize, reserve: bool) -> Result<Option<Active>> {
    if let Some(active) = take_existing(log, author, need, reserve) {
        return Ok(Some(active));
    }
    if author.reclaim(false)?
        && let Some(active) = take_existing(log, author, need, reserve)
    {
        return Ok(Some(active));
    }
    let unbacked = take_unbacked(log, author.thread(), 0, reserve);
    if let Ok(Some(active)) = unbacked {
        return Ok(Some(active));
    }
    if author.reclaim(true)?
        && let Some(active) = take_existing(log, author, need, reserve)
    {
        return Ok(Some(active));
    }
    unbacked
}

fn hint(word: &AtomicU64) -> u32 {
    u32::try_from(word.load(Relaxed)).unwrap_or(0)
}

/// Whether a free segment may be taken, or has to be left to destroys.
fn may_take(log: &Log, reserve: bool) -> bool {
    let start = hint(&log.words().unbacked_hint).min(log.segments());
    let free = |segment: &u32| {
        matches!(log.state(*segment).state(), Some(SegmentState::Free | SegmentState::Unbacked))
    };
    let all = (start..log.segments()).chain(0..start);
    reserve || all.filter(free).take(RESERVE + 1).count() > RESERVE
}

/// An open segment with enough room, else a free one.
fn take_existing(log: &Log, author: &impl Author, need: usize, reserve: bool) -> Option<Active> {
    take_open(log, author.thread(), need).or_else(|| take_free(log, author.thread(), 0, reserve))
}

/// An open segment with enough room.
fn take_open(log: &Log, thread: u32, need: usize) -> Option<Active> {
    (0..log.segments()).find_map(|segment| {
        let word = log.state(segment);
        let open = word.state() == Some(SegmentState::Open);
        let fits = open && log.segment_bytes() - log.committed(segment) >= need;
        if fits { claim(log, segment, word, thread) } else { None }
    })
}

/// The first free segment that has memory. Windows are searched from the other end.
fn take_free(log: &Log, thread: u32, from: u32, reserve: bool) -> Option<Active> {
    let hint = &log.words().segment_hint;
    for segment in from..log.segments() {
        let word = log.state(segment);
        if word.state() != Some(SegmentState::Free) {
            continue;
        }
        if !may_take(log, reserve) {
            return None;
        }
        if let Some(active) = claim(log, segment, word, thread) {
            hint.store(u64::from(segment) + 1, Relaxed);
            return Some(active);
        }
    }
    hint.store(u64::from(log.segments()), Relaxed);
    None
}

/// The first segment that has no memory yet.
fn take_unbacked(log: &Log, thread: u32, from: u32, reserve: bool) -> Result<Option<Active>> {
    let hint = &log.words().unbacked_hint;
    for segment in from..log.segments() {
        let word = log.state(segment);
        if word.state() != Some(SegmentState::Unbacked) {
            continue;
        }
        if !may_take(log, reserve) {
            return Ok(None);
        }
        log.back(segment)?;
        if let Some(active) = claim(log, segment, word, thread) {
            hint.store(u64::from(segment) + 1, Relaxed);
            return Ok(Some(active));
        }
    }
    hint.store(u64::from(log.segments()), Relaxed);
    Ok(None)
}

/// Open or Free or Unbacked with memory -> Active. Only the winner of the CAS touches the header.
fn claim(log: &Log, segment: u32, seen: SegmentWord, thread: u32) -> Option<Active> {
    let word = log.claim(segment, seen, thread)?;
    let open = seen.state() == Some(SegmentState::Open);
    let offset = if open { log.committed(segment) } else { 0 };
    Some(Active { segment, word, offset })
}

impl Log {
    /// Takes a segment in the name of a thread; its new word. What is not open begins empty.
    pub(crate) fn claim(
        &self,
        segment: u32,
        seen: SegmentWord,
        thread: u32,
    ) -> Option<SegmentWord> {
        let header = self.header(segment)?;
        let word = seen.becomes(SegmentState::Active, thread);
        if !self.transition(segment, seen, word) {
            return None;
        }
        crash::point("append.claimed");
        if seen.state() != Some(SegmentState::Open) {
            header.dead.store(0, Relaxed);
            header.committed.store(0, Release);
            crash::point("append.reset");
        }
        Some(word)
    }
}
