//! Records copied without protection, by a process that may not even set a hazard word.
//!
//! # Why a copy that passes is whole
//!
//! 1. The caller reads a slot word, then the state of the segment it names: generation `g`, in
//!    which the segment can hold the record. Then it reads the slot word again and finds it the
//!    same. A slot never names a record of a segment that went on to another generation, so at
//!    that instant the segment was in a generation that equals `g` in the bits that the slot word
//!    has, and since generations only grow and the state is read once more below, it was in `g`.
//!    The record was therefore complete: it was written before the slot named it.
//! 2. It copies, in relaxed words, and after an acquire fence finds the segment in generation `g`
//!    and in use. Who takes a segment makes a release fence between the change of its state and
//!    its first record; so none of the words that were copied is of a later generation. (This is
//!    the reader of a sequence lock, after H.-J. Boehm, MSPC 2012.)
//!
//! A run is given back from its end, but its head leaves the states in which it is in use before,
//! so the state of the head stands for all of it.

use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use crate::error::Result;
use crate::heap::record::{Head, Record};
use crate::heap::{Log, words};
use crate::layout::record::{ACCESS_OFFSET, EXTENSION_OFFSET, RECORD_HEADER};
use crate::layout::word::{Location, SegmentState};
use crate::sync::{Acquire, fence};

/// What became of copying a record.
#[derive(Debug)]
pub(crate) enum Copied<'b> {
    /// It is whole.
    Whole(Record<'b>),
    /// It is not the one that is looked for.
    Unwanted,
    /// The segment went on meanwhile.
    Changed,
}

/// Words of a header.
const HEADER_WORDS: usize = RECORD_HEADER / 8;

impl Log {
    /// Full generation of the segment of a location, if it can hold now what the location names.
    pub(crate) fn generation_of(&self, location: Location) -> Option<u64> {
        use SegmentState as S;
        let word = self.state(location.segment());
        let used = matches!(word.state(), Some(S::Active | S::Open | S::Sealed));
        let generation = word.generation();
        let same = Location::new(0, generation, 0).generation() == location.generation();
        (used && same).then_some(generation)
    }

    /// Copies a record into `buffer`. See the module for what the caller has done before.
    /// `generation` is what [`Log::generation_of`] said.
    pub(crate) fn copy_record<'b>(
        &self,
        location: Location,
        generation: u64,
        buffer: &'b mut Vec<u64>,
        wanted: impl FnOnce(&Head) -> bool,
    ) -> Result<Copied<'b>> {
        let damaged = || self.damaged_record(location);
        let (offset, room) = (location.offset(), self.room(location.segment()));
        if offset + RECORD_HEADER > self.segment_bytes() {
            return Err(damaged());
        }
        let start = self.segment_start(location.segment()).ok_or_else(damaged)?;
        // SAFETY: the segment is inside the mapping and the header inside the segment.
        let start = unsafe { start.add(offset) };
        buffer.clear();
        buffer.resize(HEADER_WORDS, 0);
        // SAFETY: the first three words of the place of a header, 8-aligned; records are written
        // in words.
        unsafe { words::load(start, &mut buffer[..EXTENSION_OFFSET / 8]) };
        // SAFETY: inside the header.
        let extensions = unsafe { start.add(EXTENSION_OFFSET) }.cast::<u16>();
        // SAFETY: 2-aligned; the fourth word is written in its fields.
        let extension_bytes =
            unsafe { AtomicU16::from_ptr(extensions.as_ptr()) }.load(Ordering::Relaxed);
        // SAFETY: inside the header.
        let access = unsafe { start.add(ACCESS_OFFSET) }.cast::<u32>();
        // SAFETY: as above, 4-aligned.
        let access = unsafe { AtomicU32::from_ptr(access.as_ptr()) }.load(Ordering::Relaxed);
        let ([a, b], [c, d, e, f]) = (extension_bytes.to_ne_bytes(), access.to_ne_bytes());
        buffer[HEADER_WORDS - 1] = u64::from_ne_bytes([a, b, 0, 0, c, d, e, f]);
        fence(Acquire);
        if self.generation_of(location) != Some(generation) {
            return Ok(Copied::Changed);
        }
        let head = Head::decode([buffer[0], buffer[1], buffer[2]]);
        if !wanted(&head) {
            return Ok(Copied::Unwanted);
        }
        let extent = head.extent(extension_bytes, self.alignment());
        let end = extent.map(|extent| extent.end).filter(|end| offset + end <= room);
        let end = end.ok_or_else(damaged)?;
        buffer.resize(end / 8, 0);
        // SAFETY: inside the record.
        let rest = unsafe { start.add(RECORD_HEADER) };
        // SAFETY: the rest of the record, inside the segment or run; records are written in words.
        unsafe { words::load(rest, &mut buffer[HEADER_WORDS..]) };
        fence(Acquire);
        if self.generation_of(location) != Some(generation) {
            return Ok(Copied::Changed);
        }
        Record::in_copy(buffer, self.alignment()).map(Copied::Whole).ok_or_else(damaged)
    }
}
