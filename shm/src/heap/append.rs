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

use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;

use crate::crash;
use crate::error::Result;
use crate::heap::Log;
use crate::heap::record::Draft;
use crate::layout::record::Extent;
use crate::layout::word::{Location, SegmentState, SegmentWord};
use crate::sync::{Acquire, Relaxed, Release};

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
    loop {
        let before = log.progress();
        match try_take(log, author, need, reserve) {
            Ok(None) if log.progress() != before => {}
            other => return other,
        }
    }
}

fn try_take(log: &Log, author: &impl Author, need: usize, reserve: bool) -> Result<Option<Active>> {
    if let Some(active) = take_existing(log, author, need, reserve) {
        return Ok(Some(active));
    }
    if author.reclaim(false)?
        && let Some(active) = take_existing(log, author, need, reserve)
    {
        return Ok(Some(active));
    }
    let unbacked = take_unbacked(log, author, reserve);
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

/// Whether a free segment may be taken, or has to be left to destroys.
fn may_take(log: &Log, reserve: bool) -> bool {
    let free = |segment: &u32| {
        matches!(log.state(*segment).state(), Some(SegmentState::Free | SegmentState::Unbacked))
    };
    reserve || (0..log.segments()).filter(free).take(RESERVE + 1).count() > RESERVE
}

/// An open segment with enough room, else a free one.
fn take_existing(log: &Log, author: &impl Author, need: usize, reserve: bool) -> Option<Active> {
    let thread = author.thread();
    let backed = log.words().backed.load(Acquire).min(u64::from(log.segments())) as u32;
    let hint = log.words().segment_hint.load(Relaxed) as u32;
    let order = (0..backed).map(|step| (hint.wrapping_add(step)) % backed);
    let mut free = None;
    for segment in order.clone() {
        let word = log.state(segment);
        match word.state() {
            Some(SegmentState::Open) => {
                let room = log.segment_bytes() - log.committed(segment);
                if room >= need
                    && let Some(active) = claim(log, segment, word, thread)
                {
                    return Some(active);
                }
            }
            Some(SegmentState::Free) if free.is_none() => free = Some(segment),
            _ => {}
        }
    }
    let from = free.filter(|_| may_take(log, reserve))?;
    for segment in order.skip_while(|&segment| segment != from) {
        let word = log.state(segment);
        if word.state() == Some(SegmentState::Free)
            && let Some(active) = claim(log, segment, word, thread)
        {
            log.words().segment_hint.store(u64::from(segment) + 1, Relaxed);
            return Some(active);
        }
    }
    None
}

/// Open or Free or Unbacked -> Active. Only the winner of the CAS touches the header.
fn claim(log: &Log, segment: u32, seen: SegmentWord, thread: u32) -> Option<Active> {
    let word = seen.becomes(SegmentState::Active, thread);
    if !log.transition(segment, seen, word) {
        return None;
    }
    crash::point("append.claimed");
    let header = log.header(segment)?;
    if seen.state() == Some(SegmentState::Open) {
        return Some(Active { segment, word, offset: log.committed(segment) });
    }
    header.dead.store(0, Relaxed);
    header.committed.store(0, Release);
    crash::point("append.reset");
    Some(Active { segment, word, offset: 0 })
}

/// The next segment that has no memory yet.
fn take_unbacked(log: &Log, author: &impl Author, reserve: bool) -> Result<Option<Active>> {
    if !may_take(log, reserve) {
        return Ok(None);
    }
    for segment in 0..log.segments() {
        let word = log.state(segment);
        if word.state() != Some(SegmentState::Unbacked) {
            continue;
        }
        log.back(u64::from(segment) + 1)?;
        if let Some(active) = claim(log, segment, word, author.thread()) {
            return Ok(Some(active));
        }
    }
    Ok(None)
}
