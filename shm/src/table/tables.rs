//! The tables of a region as one process sees them: a window for each, opened when it is needed.
//!
//! The directory of the region names the first segment of every table that exists. It is believed
//! only after a look at the states of all segments of the table: what is not memory of the index
//! must not be touched. A table that has gone leaves its window behind, which nobody uses any more;
//! its number never comes back.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use crate::heap::Log;
use crate::layout::bucket::Bucket;
use crate::layout::region::{Geometry, MAX_TABLE, TABLES};
use crate::layout::word::{RunWord, SegmentState, SegmentWord};
use crate::os::mapping::{Mapping, Window};
use crate::sync::Acquire;
use crate::table::View;

#[derive(Debug)]
pub(crate) struct Tables {
    mapping: Arc<Mapping>,
    open: [OnceLock<Window<Bucket>>; TABLES],
}

impl Tables {
    pub(crate) fn new(mapping: &Arc<Mapping>) -> Self {
        Self { mapping: Arc::clone(mapping), open: [const { OnceLock::new() }; TABLES] }
    }

    /// A table that the caller has pinned, by its name. `None`: the file is damaged.
    #[inline(always)]
    pub(crate) fn view(&self, log: &Log, log2: u32) -> Option<View<'_>> {
        let window = match self.open.get(log2 as usize)?.get() {
            Some(window) => window,
            None => self.open(log, log2)?,
        };
        Some(View { log2, buckets: window })
    }

    #[cold]
    fn open(&self, log: &Log, log2: u32) -> Option<&Window<Bucket>> {
        let (first, count) = place(log, log2)?;
        for segment in first..first + count {
            let word = log.state(segment);
            match word.state() {
                Some(SegmentState::Index) if word.owner() == log2 => {}
                // Its builder was stopped after it had named the table.
                Some(SegmentState::Active) => {}
                _ => return None,
            }
        }
        let buckets = usize::try_from(Geometry::table_buckets(log2)).ok()?;
        let window = self.mapping.window(log.geometry().segment_at(first), buckets)?;
        let cell = self.open.get(log2 as usize)?;
        // Another thread may have been faster, with the same window.
        let _ = cell.set(window);
        cell.get()
    }
}

/// The table that a thread saw last, so that it finds it again without the directory.
#[derive(Debug)]
pub(crate) struct KnownTable {
    log2: Cell<u64>,
    /// Of the bits of a hash that number its primary bucket.
    mask: Cell<u64>,
    buckets: Cell<NonNull<[Bucket]>>,
}

impl Default for KnownTable {
    fn default() -> Self {
        let none: &[Bucket] = &[];
        let (log2, mask) = (Cell::new(u64::MAX), Cell::new(0));
        Self { log2, mask, buckets: Cell::new(NonNull::from(none)) }
    }
}

impl KnownTable {
    /// Its name; one that no table has if none is known.
    #[inline(always)]
    pub(crate) fn log2(&self) -> u64 {
        self.log2.get()
    }

    /// Remembers a table.
    pub(crate) fn set(&self, table: View<'_>) {
        self.log2.set(u64::from(table.log2));
        self.mask.set(table.primaries() as u64 - 1);
        self.buckets.set(NonNull::from(table.buckets));
    }

    /// Primary bucket of a hash.
    #[inline(always)]
    pub(crate) fn primary(&self, hash: u64) -> u32 {
        (hash & self.mask.get()) as u32
    }

    /// The table.
    ///
    /// # Safety
    /// The region of the table that was set is mapped for `'t`.
    #[inline(always)]
    pub(crate) unsafe fn view<'t>(&self) -> View<'t> {
        // SAFETY: it was a slice of shared words of that mapping.
        let buckets = unsafe { self.buckets.get().as_ref() };
        View { log2: self.log2.get() as u32, buckets }
    }
}

/// First segment and number of segments of a table that the directory names.
pub(crate) fn place(log: &Log, log2: u32) -> Option<(u32, u32)> {
    let word = log.words().tables.get(log2 as usize).filter(|_| log2 <= MAX_TABLE)?;
    let first = u32::try_from(word.load(Acquire).checked_sub(1)?).ok()?;
    let count = u32::try_from(log.geometry().table_segments(log2)).ok()?;
    (first.checked_add(count)? <= log.segments()).then_some((first, count))
}

/// The table whose memory a segment is, if any; `word` is its state word.
pub(crate) fn holder(log: &Log, segment: u32, word: SegmentWord) -> Option<u32> {
    (0..=MAX_TABLE).find(|&log2| is_part(log, log2, segment, word))
}

/// Whether a segment with this state word was built as a part of the table that the directory
/// names. The word that says so is of one generation of the segment: what the directory forgets
/// too late is not taken for a part of the table again.
pub(crate) fn is_part(log: &Log, log2: u32, segment: u32, word: SegmentWord) -> bool {
    let built = RunWord::table(log2, word.generation()).0;
    place(log, log2).is_some_and(|(first, count)| (first..first + count).contains(&segment))
        && log.header(segment).is_some_and(|header| header.run.load(Acquire) == built)
}
