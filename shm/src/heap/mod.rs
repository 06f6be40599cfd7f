//! Layer 2: the log. Memory of a region is an array of segments to which records are appended.
//!
//! There is no free list and no per-record allocation: a thread appends to an active segment that
//! its process owns, and a record becomes visible by the CAS that publishes it in the index. A
//! process that dies leaves bytes that nobody refers to, never a broken structure.
//!
//! # Life of a segment
//!
//! ```text
//! Unbacked -> Active(owner) -> Sealed -> Quarantine -> Free(generation + 1) -> Active(owner) ...
//!                 |   ^
//!                 v   |
//!                 Open ---------> Sealed   left by an owner that detached; may be adopted
//! ```
//!
//! An owner seals a segment when it is full. What a dead owner was filling is sealed by recovery,
//! not opened: an intent of another dead thread may name a place beyond `committed`, where nobody
//! may write in this generation. An open segment that seems all dead, or is to be cleaned, is
//! sealed by whoever looks for memory.
//!
//! Every transition is one CAS of the segment's word in the state array, so it either happened or
//! it did not; the owner is named by its thread descriptor, which cannot be given away before its
//! segments are released. Words beside it: `committed` (owner, release, after the record is
//! complete) and `dead` (anybody, a hint). Records larger than a segment: see [`run`].

pub(crate) mod append;
pub(crate) mod lane;
pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod run;
pub(crate) mod victim;
pub(crate) mod words;

use core::ops::Range;
use core::ptr::NonNull;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::error::{Error, Result};
use crate::layout::region::{Geometry, RegionWords};
use crate::layout::segment::{Birth, SegmentHeader};
use crate::layout::thread::Attachment;
use crate::layout::word::{Location, SegmentState, SegmentWord};
use crate::os::file;
use crate::os::mapping::{Mapping, Single, Window};
use crate::os::pages::HUGE;
use crate::sync::prefetch::prefetch;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, SeqCst, lower};

/// The segments of one region as this process sees them.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    mapping: Arc<Mapping>,
    geometry: Geometry,
    words: Single<RegionWords>,
    /// First byte of segment 0; all segments are inside the mapping.
    first: NonNull<u8>,
    states: Window<AtomicU64>,
    headers: Window<SegmentHeader>,
    /// Rows of the processes that have the region open.
    members: Window<Attachment>,
    /// Values lie at multiples of it.
    alignment: usize,
    /// Binary logarithm of the bytes of a segment.
    segment_shift: u32,
    /// One bit per segment, private to the process: it held records when this process looked.
    seen: Box<[AtomicU64]>,
    /// The file system had no memory when this process asked last.
    starved: AtomicBool,
}

// SAFETY: `first` points into the mapping, which is shared by all threads and lives as long.
unsafe impl Send for Log {}
// SAFETY: as above; what is reached through it is accessed as `record` says.
unsafe impl Sync for Log {}

impl Log {
    /// `None` if a part lies outside the mapping.
    pub(crate) fn new(
        path: PathBuf,
        file: File,
        mapping: &Arc<Mapping>,
        geometry: Geometry,
        alignment: usize,
    ) -> Option<Self> {
        let segments = usize::try_from(geometry.segments).ok()?;
        let bytes = usize::try_from(geometry.segment_bytes).ok()?;
        let all = segments.checked_mul(bytes)?;
        let segment_shift = bytes.is_power_of_two().then(|| bytes.trailing_zeros())?;
        Some(Self {
            path,
            file,
            words: mapping.single(geometry.words_at)?,
            first: mapping.at(usize::try_from(geometry.segments_at).ok()?, all)?,
            states: mapping.window(geometry.states_at, segments)?,
            headers: mapping.window(geometry.headers_at, segments)?,
            members: mapping.window(geometry.attachments_at, geometry.members as usize)?,
            mapping: Arc::clone(mapping),
            geometry,
            alignment,
            segment_shift,
            starved: AtomicBool::new(false),
            seen: (0..segments.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file of this log is the one that has this name now.
    pub(crate) fn is_file_at(&self, path: &Path) -> bool {
        let mine = self.file_id();
        mine.is_some() && file::id_of(std::fs::symlink_metadata(path)) == mine
    }

    /// What tells the file from all others; `None` if the system does not say.
    pub(crate) fn file_id(&self) -> Option<file::FileId> {
        file::id_of(self.file.metadata())
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Bytes of the file that this process sees through huge pages.
    pub(crate) fn huge_bytes(&self) -> Option<u64> {
        self.mapping.huge_bytes()
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> &RegionWords {
        &self.words
    }

    /// The words for somebody who may outlive the region handle.
    pub(crate) fn shared_words(&self) -> Window<RegionWords> {
        self.words.window()
    }

    pub(crate) fn segments(&self) -> u32 {
        self.geometry.segments as u32
    }

    #[inline]
    pub(crate) fn segment_bytes(&self) -> usize {
        self.geometry.segment_bytes as usize
    }

    /// Values lie at multiples of it; a power of two, at least 8.
    #[inline]
    pub(crate) fn alignment(&self) -> usize {
        self.alignment
    }

    /// Whether a record may begin in the segment: it is not part of the index and has memory, so
    /// that touching it cannot fault. Who protects the record needs no more than this, which is a
    /// check of the file: a slot word that was damaged at rest may name any segment.
    #[inline]
    pub(crate) fn may_hold_records(&self, segment: u32) -> bool {
        let Some(seen) = self.seen.get(segment as usize / 64) else {
            return false;
        };
        seen.load(Relaxed) & (1 << (segment % 64)) != 0 || self.look(segment, seen)
    }

    /// First byte of a segment of which the process has seen that it may hold records.
    #[inline(always)]
    pub(crate) fn start_of_seen(&self, segment: u32) -> Option<NonNull<u8>> {
        let seen = self.seen.get(segment as usize / 64)?.load(Relaxed);
        if seen & (1 << (segment % 64)) == 0 {
            return None;
        }
        // SAFETY: only segments that there are were seen, and all of them are inside the mapping.
        Some(unsafe { self.first.add((segment as usize) << self.segment_shift) })
    }

    /// What the process has not seen yet, the state word tells.
    #[cold]
    fn look(&self, segment: u32, seen: &AtomicU64) -> bool {
        let holds = matches!(
            self.state(segment).state(),
            Some(
                SegmentState::Active
                    | SegmentState::Open
                    | SegmentState::Sealed
                    | SegmentState::Quarantine
            )
        );
        if holds {
            seen.fetch_or(1 << (segment % 64), Relaxed);
        }
        holds
    }

    /// First byte of a segment; the whole segment is inside the mapping.
    #[inline]
    pub(crate) fn segment_start(&self, segment: u32) -> Option<NonNull<u8>> {
        if segment >= self.segments() {
            return None;
        }
        // SAFETY: `new` found all segments inside the mapping, and this is one of them.
        Some(unsafe { self.first.add((segment as usize) << self.segment_shift) })
    }

    /// Asks for the lines of a record of usual size before it is looked at: behind the header come
    /// key and value, whose place is known only when the header is there.
    #[inline(always)]
    pub(crate) fn prefetch_record(&self, location: Location) {
        prefetch(self.line_of(location));
        self.prefetch_behind_header(location);
    }

    /// The same for who is going to load the header at once.
    #[inline(always)]
    pub(crate) fn prefetch_behind_header(&self, location: Location) {
        let start = self.line_of(location);
        prefetch(start.wrapping_add(64));
        prefetch(start.wrapping_add(120));
    }

    /// The same for header and key, if it is not long, and for the words of the segment that
    /// change when the record dies.
    #[inline(always)]
    pub(crate) fn prefetch_to_replace(&self, location: Location) {
        let start = self.line_of(location);
        prefetch(start);
        prefetch(start.wrapping_add(56));
        if let Some(header) = self.headers.get(location.segment() as usize) {
            prefetch(std::ptr::from_ref(header).cast());
        }
    }

    /// Address of a location, valid or not.
    #[inline(always)]
    fn line_of(&self, location: Location) -> *const u8 {
        let at = ((location.segment() as usize) << self.segment_shift) + location.offset();
        self.first.as_ptr().wrapping_add(at)
    }

    /// State word of a segment; `None` for a number out of range.
    pub(crate) fn state_word(&self, segment: u32) -> Option<&AtomicU64> {
        self.states.get(segment as usize)
    }

    pub(crate) fn state(&self, segment: u32) -> SegmentWord {
        self.states.get(segment as usize).map_or(SegmentWord(0), |w| SegmentWord(w.load(SeqCst)))
    }

    /// One CAS of the state word. True if this caller made the transition.
    pub(crate) fn transition(&self, segment: u32, from: SegmentWord, to: SegmentWord) -> bool {
        self.state_word(segment)
            .is_some_and(|word| word.compare_exchange(from.0, to.0, SeqCst, Relaxed).is_ok())
    }

    /// Seals an open segment, `word`, before anything is made of it: while it is open somebody may
    /// adopt it, append, and leave it open again. Its new word, if it still was open.
    pub(crate) fn seal(&self, segment: u32, word: SegmentWord) -> Option<SegmentWord> {
        let sealed = word.becomes(SegmentState::Sealed, 0);
        self.transition(segment, word, sealed).then(|| {
            crate::crash::point("reclaim.sealed");
            sealed
        })
    }

    /// Changes whenever a segment is freed or a dead thread recovered, by anybody.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let frees = (0..self.segments())
            .map(|segment| self.state(segment).generation())
            .fold(0, u64::wrapping_add);
        (frees, self.words().recoveries.load(SeqCst))
    }

    pub(crate) fn header(&self, segment: u32) -> Option<&SegmentHeader> {
        self.headers.get(segment as usize)
    }

    /// Bytes of complete records in a segment, never beyond its end.
    pub(crate) fn committed(&self, segment: u32) -> usize {
        let committed = self.header(segment).map_or(0, |h| h.committed.load(Acquire));
        (committed as usize & !7).min(self.segment_bytes())
    }

    /// Takes the memory from a segment that is releasing. Whoever holds the lock on
    /// `READERS_LOCK` may.
    fn punch(&self, segment: u32) -> Result<()> {
        if let Some(seen) = self.seen.get(segment as usize / 64) {
            seen.fetch_and(!(1 << (segment % 64)), Relaxed);
        }
        let (from, bytes) = (self.geometry.segment_at(segment), self.geometry.segment_bytes);
        crate::os::file::punch(&self.file, from, bytes, &self.path)
    }

    /// Whether the file has more memory than the states of the segments say.
    fn has_stray_memory(&self) -> Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let io = |source| Error::Io { op: "examine", path: self.path.clone(), source };
        let has = self.file.metadata().map_err(io)?.blocks() * 512;
        let without = [Some(SegmentState::Unbacked), Some(SegmentState::Releasing)];
        let backed = (0..self.segments()).filter(|&s| !without.contains(&self.state(s).state()));
        let should =
            self.geometry.segments_at + backed.count() as u64 * self.geometry.segment_bytes;
        Ok(has >= should + self.geometry.segment_bytes)
    }

    fn file(&self) -> &File {
        &self.file
    }

    /// Makes takers look for dead segments if this one seems to be.
    #[inline]
    pub(crate) fn note_if_dead(&self, segment: u32) {
        let hint = &self.words().dead_hint;
        if self.seems_dead(segment) && hint.load(Relaxed) == 0 {
            hint.store(1, Relaxed);
        }
    }

    /// Whether all that was written to a segment is counted as dead.
    #[inline]
    pub(crate) fn seems_dead(&self, segment: u32) -> bool {
        let header = self.header(segment);
        header.is_some_and(|h| h.dead.load(Relaxed) >= h.committed.load(Relaxed))
    }

    /// Says that a segment may be taken again; hints only.
    pub(crate) fn note_free(&self, segment: u32) {
        lower(&self.words().segment_hint, u64::from(segment));
    }

    /// Whether the segment of a location can still hold what the location named. The caller has
    /// set a hazard on it before; then it stays so until the hazard is cleared.
    pub(crate) fn holds(&self, location: Location) -> bool {
        let word = self.state(location.segment());
        let holds = matches!(
            word.state(),
            Some(SegmentState::Active | SegmentState::Open | SegmentState::Sealed)
        );
        holds
            && Location::new(location.segment(), word.generation(), 0).generation()
                == location.generation()
            && location.offset() < self.committed(location.segment())
    }

    /// Class of a segment, without the cursor.
    pub(crate) fn class(&self, segment: u32) -> u64 {
        self.header(segment).map_or(0, |header| header.class.load(Relaxed) & 0xff)
    }

    /// Where eviction goes on in a segment: a hint, never behind the first live record.
    pub(crate) fn cursor(&self, segment: u32) -> usize {
        let cursor = self.header(segment).map_or(0, |header| header.class.load(Relaxed) >> 32);
        (cursor as usize & !7).min(self.segment_bytes())
    }

    /// Stores the cursor. The caller protects the segment. What is judged of a run is all of it,
    /// so its end, which may be beyond 32 bits, is as good as that of its head.
    pub(crate) fn set_cursor(&self, segment: u32, cursor: usize) {
        if let Some(header) = self.header(segment) {
            let class = header.class.load(Relaxed) & 0xff;
            let cursor = cursor.min(self.segment_bytes()) as u64;
            header.class.store((cursor << 32) | class, Relaxed);
        }
    }

    /// Makes a segment that the caller protects the youngest of the main queue.
    pub(crate) fn renew(&self, segment: u32) {
        if let Some(header) = self.header(segment) {
            let births = self.words().births.fetch_add(1, Relaxed);
            header.class.store(1, Relaxed);
            header.birth.store(Birth::word(births, self.state(segment)), Release);
        }
    }

    /// Fills a part of a segment with zeros. It is active in the name of `thread`, of this process,
    /// and holds nothing.
    pub(crate) fn wipe(&self, segment: u32, thread: u32, part: Range<usize>) {
        let word = self.state(segment);
        let mine = word.state() == Some(SegmentState::Active) && word.owner() == thread;
        let Some(start) = self.segment_start(segment).filter(|_| mine) else {
            return;
        };
        let end = part.end.min(self.segment_bytes());
        for at in (part.start.next_multiple_of(size_of::<u64>())..end).step_by(size_of::<u64>()) {
            // SAFETY: `segment_start` proved that the whole segment is inside the mapping.
            let word = unsafe { start.add(at) }.cast::<u64>();
            // SAFETY: aligned, since segments are; memory of the file may be changed by others at
            // any time, which an atomic allows.
            let word = unsafe { core::sync::atomic::AtomicU64::from_ptr(word.as_ptr()) };
            if word.load(core::sync::atomic::Ordering::Relaxed) != 0 {
                word.store(0, core::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    /// Gives memory to a segment, before its state says that it has. Idempotent; a full file
    /// system is an error.
    pub(crate) fn back(&self, segment: u32) -> Result<()> {
        let (from, bytes) = (self.geometry.segment_at(segment), self.geometry.segment_bytes);
        let backed = crate::os::file::back(&self.file, from, bytes, &self.path);
        self.set_starved(matches!(backed, Err(Error::FileSystemFull { .. })));
        backed?;
        crate::crash::point("segment.backed");
        self.make_huge(segment);
        Ok(())
    }

    /// Makes huge pages of the small ones of a segment that just got memory, where all that lies in
    /// the same one has it, too.
    fn make_huge(&self, segment: u32) {
        let (bytes, huge) = (self.geometry.segment_bytes, HUGE as u64);
        let from = self.geometry.segment_at(segment);
        let has_memory = |other: u64| {
            let without = [Some(SegmentState::Unbacked), Some(SegmentState::Releasing)];
            other == u64::from(segment) || !without.contains(&self.state(other as u32).state())
        };
        for page in from / huge..(from + bytes).div_ceil(huge) {
            let Some(start) = (page * huge).checked_sub(self.geometry.segments_at) else {
                continue;
            };
            let (first, last) = (start / bytes, (start + huge - 1) / bytes);
            if last < self.geometry.segments && (first..=last).all(has_memory) {
                self.mapping.make_huge(page * huge, HUGE);
            }
        }
    }

    /// Visits the records of a segment from its start, `f(offset, record)`, until `f` says stop.
    ///
    /// # Safety
    /// The segment is protected by a hazard or pin of the caller, or the caller owns it, or no
    /// process changes the region (audit).
    pub(crate) unsafe fn walk<'m>(
        &'m self,
        segment: u32,
        f: impl FnMut(Location, record::Record<'m>) -> bool,
    ) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { self.walk_from(segment, 0, f) }
    }

    /// The same from a record in the middle.
    ///
    /// # Safety
    /// As for `walk`; a record begins at `offset`.
    pub(crate) unsafe fn walk_from<'m>(
        &'m self,
        segment: u32,
        mut offset: usize,
        mut f: impl FnMut(Location, record::Record<'m>) -> bool,
    ) -> Result<()> {
        let generation = self.state(segment).generation();
        let committed = self.committed(segment);
        while offset < committed {
            let location = Location::new(segment, generation, offset);
            // SAFETY: the caller protects the segment.
            let record = unsafe { record::Record::read(self, location) }?;
            offset += record.len();
            if !f(location, record) {
                break;
            }
        }
        Ok(())
    }
}
