//! Appending: which segment a thread writes to, and taking new ones.
//!
//! A process keeps a few *lanes*, each with an active segment and a process-private mutex. A write
//! takes the first lane that nobody uses at the moment, so threads neither wait for each other nor
//! reserve a segment each. The mutex is private to the process and dies with it; other processes
//! never wait for it. The first lane has none: one thread holds it, see `lane`.
//!
//! Records with a deadline go through lanes of their own, one for each of a few classes of time
//! left ([`class_of`]), so that a segment holds what expires in about the same time and is free
//! again as a whole. In small regions, and where no segment is to be had for such a lane, they go
//! with the others. The segment header keeps the latest deadline, and the newest version among
//! records without one, as hints for sweeps.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | Free -> Active | active, owner dead; `committed` may be of the last use | recovery: Active -> Sealed |
//! | Active -> Free, of a segment too many | - | - |
//! | intent stored | record not covered by `committed` | recovery ignores it |
//! | `committed` stored | record covered, not published | recovery marks it abandoned |
//! | Active -> Sealed | - | - |
//!
//! # Reserve
//!
//! Cleaning needs room for what it copies before it frees anything, and tombstones of distributed
//! regions must get a record also when the region is full. So the last free segments are not for
//! everybody ([`Room`]): ordinary writes leave [`Log::reserve`] of them, tombstones leave one, and
//! only cleaners take the last. How many that are, and why they suffice:
//! [`reserve`](super::reserve). Both have lanes of their own, so that no other write fills those
//! segments. The reserve belongs to the region, not to each process; a cleaner that stops for now
//! leaves its segment open (class 1) for the next one, in whatever process.
//!
//! # Order
//!
//! Single segments are taken from the lowest number up, those with memory first; windows of several
//! segments from the highest down (see [`run`]). Hints in the region say where to
//! begin and what is not worth a search; any value of them is right, since whoever finds nothing
//! by them looks at every segment before it says so.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::Log;
use crate::heap::lane::OwnLane;
use crate::heap::record::Record;
use crate::heap::record::copy::Content;
use crate::heap::run;
use crate::layout::segment::{Birth, SegmentHeader};
use crate::layout::word::{Location, SegmentState, SegmentWord};
use crate::os::clock;
use crate::sync::{AtomicU64, Relaxed, Release, fence};

/// An active segment of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Active {
    pub(super) segment: u32,
    pub(super) word: SegmentWord,
    pub(super) offset: usize,
}

/// The lanes of one process in one region.
#[derive(Debug)]
pub(crate) struct Appender {
    /// Of the thread that writes most.
    pub(crate) own: OwnLane,
    lanes: Box<[CachePadded<Mutex<Option<Active>>>]>,
    /// For records with a deadline, by class.
    classes: [CachePadded<Mutex<Option<Active>>>; CLASSES],
    /// For tombstones when there is no room for other writes.
    reserve: CachePadded<Mutex<Option<Active>>>,
    /// For records of entries that come back after they were evicted.
    main: CachePadded<Mutex<Option<Active>>>,
    /// For copies of records that lived long.
    cold: CachePadded<Mutex<Option<Active>>>,
}

/// How many of the last free segments a kind of write leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Writes of applications leave the reserve.
    Ordinary,
    /// The same among what lives long.
    Main,
    /// Windows of several segments leave the least reserve.
    Window,
    /// Tombstones of distributed regions leave one for a cleaner.
    Tombstone,
    /// Copies by a cleaner, which frees more than it takes.
    Copy,
}

impl Room {
    /// Free segments that stay.
    pub(crate) fn leaves(self, log: &Log) -> u32 {
        match self {
            Self::Ordinary | Self::Main => log.reserve(),
            Self::Window => log.least_reserve(),
            Self::Tombstone => 1,
            Self::Copy => 0,
        }
    }

    /// `SegmentHeader::class` of the segments it is appended to.
    fn class(self) -> u64 {
        u64::from(matches!(self, Self::Copy | Self::Main))
    }
}

/// Who appends, and how it tells recovery about it.
pub(crate) trait Author {
    /// Its thread descriptor.
    fn thread(&self) -> u32;
    /// Names the record before `committed` covers it.
    fn announce(&self, location: Location);
    /// Frees dead segments; true if there may be free ones now.
    fn reclaim(&self, all: bool) -> Result<bool>;
    /// Frees dead segments that `reclaim` leaves to subscriptions which have not read them; true if
    /// there may be free ones now.
    fn forget_unread(&self) -> Result<bool> {
        Ok(false)
    }
    /// Makes dead segments and frees them; true if there may be free ones now.
    fn make_room(&self) -> Result<bool>;
    /// The same until so many segments more than the reserve are free, where entries are evicted.
    /// False: they are not, so that there is no use in asking for more.
    fn make_room_for(&self, _segments: u32) -> Result<bool> {
        Ok(false)
    }
    /// Waits a moment for others who clean, or look at what was emptied; false if nobody does, or
    /// it was in vain for long enough.
    fn wait_for_room(&self) -> bool {
        false
    }
    /// Cleans until so many segments more than the reserve are free, wherever they lie; true if
    /// some became free. Only while the author has appended nothing.
    fn clean_for(&self, _segments: u32) -> Result<bool> {
        Ok(false)
    }
    /// Copies what lives in a segment elsewhere and frees it; true if that was done. Only while
    /// the author has appended nothing.
    fn vacate(&self, _segment: u32) -> Result<bool> {
        Ok(false)
    }
    /// Whether it may take from the reserve: a full region must still take destroys.
    fn may_use_reserve(&self) -> bool;
    /// Whether the record is of an entry that will be used again: it goes where copies go.
    fn lives_long(&self) -> bool;
}

/// Classes of time that is left to a record with a deadline.
const CLASSES: usize = 4;

/// Regions of fewer segments do without classes: too much of them would be half-filled segments.
const CLASSED_SEGMENTS: u32 = 64;

/// A process has no more lanes than one for so many segments.
const SEGMENTS_PER_LANE: usize = 32;

/// Up to 17 seconds, 4 minutes, 72 minutes, more: each class lasts 16 times as long as the one
/// before it. What a segment of a class holds has expired when the class has lasted twice.
fn class_of(deadline: u64) -> usize {
    let left = deadline.saturating_sub(clock::coarse_micros());
    match left.checked_ilog2().unwrap_or(0) {
        0..24 => 0,
        24..28 => 1,
        28..32 => 2,
        _ => 3,
    }
}

/// Free segments that the author of a window leaves to others.
pub(crate) fn kept(log: &Log, author: &impl Author) -> usize {
    let room = if author.may_use_reserve() { Room::Tombstone } else { Room::Window };
    room.leaves(log) as usize
}

impl Appender {
    /// For a region of so many segments: what its lanes have begun is not for others.
    pub(crate) fn new(segments: u32) -> Self {
        let threads = std::thread::available_parallelism().map_or(4, usize::from);
        let lanes = (2 * threads).clamp(4, 32).min(segments as usize / SEGMENTS_PER_LANE).max(1);
        Self {
            own: OwnLane::new(),
            lanes: (0..lanes).map(|_| CachePadded::default()).collect(),
            classes: Default::default(),
            reserve: CachePadded::default(),
            main: CachePadded::default(),
            cold: CachePadded::default(),
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
        content: &impl Content,
    ) -> Result<Option<Location>> {
        if content.bytes() > log.segment_bytes() {
            return run::append(log, author, content);
        }
        if author.lives_long() {
            let appended = append_to(&mut locked(&self.main), log, author, content, Room::Main);
            if !run::is_none(&appended) {
                return appended;
            }
        }
        if let (Some(deadline), true) = (content.deadline(), log.segments() >= CLASSED_SEGMENTS) {
            let lane = &self.classes[class_of(deadline)];
            let appended = append_to(&mut locked(lane), log, author, content, Room::Ordinary);
            if !run::is_none(&appended) {
                return appended;
            }
        }
        let appended = self.append_ordinary(log, author, content);
        if !run::is_none(&appended) {
            return appended;
        }
        if let Some(location) = self.append_to_rest(log, author, content)? {
            return Ok(Some(location));
        }
        if !author.may_use_reserve() {
            return appended;
        }
        // A lane of its own, so that other writes do not fill the segment that was kept for this.
        match append_to(&mut locked(&self.reserve), log, author, content, Room::Tombstone) {
            Ok(None) => appended,
            other => other,
        }
    }

    fn append_ordinary(
        &self,
        log: &Log,
        author: &impl Author,
        content: &impl Content,
    ) -> Result<Option<Location>> {
        if !self.own.hold(author.thread()) {
            let mut lane = self.lane(author.thread() as usize);
            return append_to(&mut lane, log, author, content, Room::Ordinary);
        }
        // Out of the lane meanwhile: making room may append, too.
        let mut active = self.own.take();
        let appended = append_to(&mut active, log, author, content, Room::Ordinary);
        if let Some(active) = active
            && !self.own.put(active)
        {
            give_up(&mut Some(active), log);
        }
        appended
    }

    /// No segment is to be had: what other lanes of the process have left in theirs.
    #[cold]
    fn append_to_rest(
        &self,
        log: &Log,
        author: &impl Author,
        content: &impl Content,
    ) -> Result<Option<Location>> {
        let bytes = content.bytes();
        for lane in self.lanes.iter().chain(&self.classes).chain([&self.main]) {
            if let Ok(mut lane) = lane.try_lock()
                && lane.is_some_and(|active| active.offset + bytes <= log.segment_bytes())
            {
                return append_to(&mut lane, log, author, content, Room::Ordinary);
            }
        }
        Ok(None)
    }

    /// Appends a copy of a record among those that lived long. Never reclaims: the caller may look
    /// at a segment. `None`: there is no room for it now.
    pub(crate) fn append_copy(
        &self,
        log: &Log,
        author: &impl Author,
        record: &Record<'_>,
    ) -> Result<Option<Location>> {
        self.cold().append(log, author, record)
    }

    /// The lane of copies, for several of them.
    pub(crate) fn cold(&self) -> Cold<'_> {
        Cold { lane: locked(&self.cold) }
    }

    /// Leaves what cleaning has not filled to the next cleaner, in whatever process.
    pub(crate) fn release_cold(&self, log: &Log) {
        give_up(&mut locked(&self.cold), log);
    }

    /// Gives all segments of this process up for adoption.
    pub(crate) fn release(&self, log: &Log) {
        give_up(&mut self.own.take(), log);
        let own = [&self.reserve, &self.main, &self.cold];
        for lane in self.lanes.iter().chain(&self.classes).chain(own) {
            give_up(&mut locked(lane), log);
        }
        log.words().open_hint.store(1, Relaxed);
        log.words().dead_hint.store(1, Relaxed);
    }
}

/// The lane of copies, locked among the threads of this process.
#[derive(Debug)]
pub(crate) struct Cold<'a> {
    lane: MutexGuard<'a, Option<Active>>,
}

impl Cold<'_> {
    /// See [`Appender::append_copy`].
    pub(crate) fn append(
        &mut self,
        log: &Log,
        author: &impl Author,
        record: &Record<'_>,
    ) -> Result<Option<Location>> {
        append_to(&mut self.lane, log, author, record, Room::Copy)
    }
}

fn locked(lane: &Mutex<Option<Active>>) -> MutexGuard<'_, Option<Active>> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves the segment of a lane for adoption.
fn give_up(lane: &mut Option<Active>, log: &Log) {
    if let Some(active) = lane.take() {
        log.transition(active.segment, active.word, active.word.becomes(SegmentState::Open, 0));
        crash::point("append.released");
    }
}

fn append_to(
    lane: &mut Option<Active>,
    log: &Log,
    author: &impl Author,
    content: &impl Content,
    room: Room,
) -> Result<Option<Location>> {
    let bytes = content.bytes();
    let active = loop {
        match lane {
            Some(active) if active.offset + bytes <= log.segment_bytes() => break active,
            Some(full) => {
                let sealed = full.word.becomes(SegmentState::Sealed, 0);
                log.transition(full.segment, full.word, sealed);
                crash::point("append.sealed");
                log.note_if_dead(full.segment);
                *lane = None;
            }
            None => match take(log, author, bytes, room)? {
                Some(active) => *lane = Some(active),
                None => return Ok(None),
            },
        }
    };
    let location = Location::new(active.segment, active.word.generation(), active.offset);
    // SAFETY: the lane is locked and its segment active in this process' name; the record starts
    // at `offset`, which is where `committed` ends, and fits.
    unsafe { content.write_to(log, location) }?;
    author.announce(location);
    crash::point("append.announced");
    active.offset += bytes;
    if let Some(header) = log.header(active.segment) {
        note(header, content);
        header.committed.store(active.offset as u64, Release);
    }
    crash::point("append.committed");
    Ok(Some(location))
}

/// Keeps the hints of a segment that its owner fills.
pub(super) fn note(header: &SegmentHeader, content: &impl Content) {
    let (word, value) = match content.deadline() {
        Some(deadline) => (&header.latest_deadline, deadline),
        None => (&header.newest_version, content.version()),
    };
    if word.load(Relaxed) < value {
        word.store(value, Relaxed);
        crash::point("append.noted");
    }
}

/// Finds a segment with room for `need` bytes and makes it active in the author's name. `None`
/// only if nobody freed anything during the whole search, nor is about to: each round more means
/// that somebody made progress, or could have.
fn take(log: &Log, author: &impl Author, need: usize, room: Room) -> Result<Option<Active>> {
    if room == Room::Copy {
        return match take_existing(log, author, need, room) {
            Some(active) => Ok(Some(active)),
            None => match take_unbacked(log, author.thread(), 0, room) {
                Ok(None) | Err(Error::FileSystemFull { .. }) => {
                    Ok(take_open(log, author.thread(), need, None))
                }
                other => other,
            },
        };
    }
    // Led by the hints, so that filling a region does not look at all segments for each one.
    if let Some(active) = take_by_hints(log, author, need, room)? {
        return Ok(Some(active));
    }
    loop {
        let before = log.progress();
        match try_take(log, author, need, room) {
            Ok(None) | Err(Error::FileSystemFull { .. })
                if log.progress() != before || author.wait_for_room() => {}
            other => return other,
        }
    }
}

fn take_by_hints(
    log: &Log,
    author: &impl Author,
    need: usize,
    room: Room,
) -> Result<Option<Active>> {
    let words = log.words();
    if words.open_hint.load(Relaxed) != 0 {
        words.open_hint.store(0, Relaxed);
        if let Some(active) = take_open(log, author.thread(), need, Some(room.class())) {
            // There may be more of them.
            words.open_hint.store(1, Relaxed);
            return Ok(Some(active));
        }
    }
    if let Some(active) = take_free(log, author.thread(), hint(&words.segment_hint), room) {
        return Ok(Some(active));
    }
    if words.dead_hint.load(Relaxed) != 0 {
        words.dead_hint.store(0, Relaxed);
        if author.reclaim(false)?
            && let Some(active) = take_free(log, author.thread(), 0, room)
        {
            return Ok(Some(active));
        }
    }
    match take_unbacked(log, author.thread(), hint(&words.unbacked_hint), room) {
        // There may be memory of dead records.
        Err(Error::FileSystemFull { .. }) => Ok(None),
        other => other,
    }
}

/// The search that trusts no hint and ends only when there is nothing.
fn try_take(log: &Log, author: &impl Author, need: usize, room: Room) -> Result<Option<Active>> {
    if let Some(active) = take_existing(log, author, need, room) {
        return Ok(Some(active));
    }
    if author.reclaim(false)?
        && let Some(active) = take_existing(log, author, need, room)
    {
        return Ok(Some(active));
    }
    let unbacked = take_unbacked(log, author.thread(), 0, room);
    if let Ok(Some(active)) = unbacked {
        return Ok(Some(active));
    }
    if author.forget_unread()?
        && let Some(active) = take_existing(log, author, need, room)
    {
        return Ok(Some(active));
    }
    if author.make_room()?
        && let Some(active) = take_existing(log, author, need, room)
    {
        return Ok(Some(active));
    }
    if author.reclaim(true)?
        && let Some(active) = take_existing(log, author, need, room)
    {
        return Ok(Some(active));
    }
    match take_open(log, author.thread(), need, None) {
        Some(active) => Ok(Some(active)),
        None => unbacked,
    }
}

fn hint(word: &AtomicU64) -> u32 {
    u32::try_from(word.load(Relaxed)).unwrap_or(0)
}

/// An open segment with enough room, else a free one.
fn take_existing(log: &Log, author: &impl Author, need: usize, room: Room) -> Option<Active> {
    take_open(log, author.thread(), need, Some(room.class()))
        .or_else(|| take_free(log, author.thread(), 0, room))
}

/// An open segment with enough room. `class`: only one of that class.
fn take_open(log: &Log, thread: u32, need: usize, class: Option<u64>) -> Option<Active> {
    (0..log.segments()).find_map(|segment| {
        let word = log.state(segment);
        let fits = word.state() == Some(SegmentState::Open)
            && class.is_none_or(|class| log.class(segment) == class)
            && log.segment_bytes() - log.committed(segment) >= need;
        if fits { claim(log, segment, word, thread, 0) } else { None }
    })
}

/// The first free segment that has memory. Windows are searched from the other end.
fn take_free(log: &Log, thread: u32, from: u32, room: Room) -> Option<Active> {
    let hint = &log.words().segment_hint;
    for segment in from..log.segments() {
        let word = log.state(segment);
        if word.state() != Some(SegmentState::Free) {
            continue;
        }
        // What is left has memory: see `reserve`.
        let leaves = room.leaves(log);
        if !log.has_free(leaves) || log.spare_memory(leaves) <= 0 {
            return None;
        }
        if let Some(active) = claim(log, segment, word, thread, room.class()) {
            hint.store(u64::from(segment) + 1, Relaxed);
            return keep(log, active, room);
        }
    }
    hint.store(u64::from(log.segments()), Relaxed);
    None
}

/// What was taken, unless others who looked at the same time took what this one had to leave: then
/// it is given back, in the generation it had, since nothing was made of it.
fn keep(log: &Log, active: Active, room: Room) -> Option<Active> {
    if log.has_left(room.leaves(log)) {
        return Some(active);
    }
    run::give_back(log, active.word.owner(), active.segment, 1);
    None
}

/// The first segment that has no memory yet, once those that stay have some.
fn take_unbacked(log: &Log, thread: u32, from: u32, room: Room) -> Result<Option<Active>> {
    let hint = &log.words().unbacked_hint;
    log.back_reserve(thread, room.leaves(log))?;
    for segment in from..log.segments() {
        let word = log.state(segment);
        if word.state() != Some(SegmentState::Unbacked) {
            continue;
        }
        // It may have none, and others as well.
        log.set_starved(false);
        if !log.has_free(room.leaves(log)) {
            return Ok(None);
        }
        log.back(segment)?;
        if let Some(active) = claim(log, segment, word, thread, room.class()) {
            hint.store(u64::from(segment) + 1, Relaxed);
            return Ok(keep(log, active, room));
        }
    }
    hint.store(u64::from(log.segments()), Relaxed);
    Ok(None)
}

/// Open or Free or Unbacked with memory -> Active. Only the winner of the CAS touches the header.
fn claim(log: &Log, segment: u32, seen: SegmentWord, thread: u32, class: u64) -> Option<Active> {
    let word = log.claim(segment, seen, thread, class)?;
    let open = seen.state() == Some(SegmentState::Open);
    let offset = if open { log.committed(segment) } else { 0 };
    Some(Active { segment, word, offset })
}

impl Log {
    /// Takes a segment in the name of a thread; its new word. What is not open begins empty, as
    /// one of `class`.
    pub(crate) fn claim(
        &self,
        segment: u32,
        seen: SegmentWord,
        thread: u32,
        class: u64,
    ) -> Option<SegmentWord> {
        let header = self.header(segment)?;
        let word = seen.becomes(SegmentState::Active, thread);
        if !self.transition(segment, seen, word) {
            return None;
        }
        crash::point("append.claimed");
        if seen.state() != Some(SegmentState::Open) {
            header.dead.store(0, Relaxed);
            header.cleaner.store(0, Relaxed);
            header.latest_deadline.store(0, Relaxed);
            header.newest_version.store(0, Relaxed);
            header.class.store(class, Relaxed);
            header.run.store(0, Relaxed);
            header.committed.store(0, Release);
            // Last: whoever finds the generation in it knows that `committed` is of this use.
            header
                .birth
                .store(Birth::word(self.words().births.fetch_add(1, Relaxed), word), Release);
            crash::point("append.reset");
        }
        // Before any record: whoever copied bytes of it without protection finds the state changed.
        fence(Release);
        Some(word)
    }
}
