//! Writing a record to a place in a segment: a new one, or a copy of another.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use crate::error::Result;
use crate::heap::record::{Draft, Head, Record};
use crate::heap::{Log, words};
use crate::layout::record::{ACCESS_OFFSET, EXTENSION_OFFSET, Extent, RECORD_HEADER, STATE_OFFSET};
use crate::layout::word::Location;

/// What can be appended to a segment.
pub(crate) trait Content {
    /// Bytes it takes, a multiple of 8.
    fn bytes(&self) -> usize;

    /// When the entry expires by itself.
    fn deadline(&self) -> Option<u64>;

    /// Version of the entry.
    fn version(&self) -> u64;

    /// Writes the record at `location`.
    ///
    /// # Safety
    /// The caller owns the active segment, the record ends inside it, or inside the run of which it
    /// is the head, and lies wholly beyond what `committed` covers, so nobody else reads or writes
    /// these bytes.
    unsafe fn write_to(&self, log: &Log, location: Location) -> Result<()>;
}

/// A new record.
impl Content for (&Draft<'_>, Extent) {
    fn bytes(&self) -> usize {
        self.1.end
    }

    fn deadline(&self) -> Option<u64> {
        self.0.deadline
    }

    fn version(&self) -> u64 {
        self.0.version
    }

    unsafe fn write_to(&self, log: &Log, location: Location) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { self.0.write(log, location, self.1) }.map(|_| ())
    }
}

/// A copy of a record: the same but for its state, which starts anew.
impl Content for Record<'_> {
    fn bytes(&self) -> usize {
        self.len()
    }

    fn deadline(&self) -> Option<u64> {
        Record::deadline(self)
    }

    fn version(&self) -> u64 {
        self.head().version
    }

    unsafe fn write_to(&self, log: &Log, location: Location) -> Result<()> {
        let to =
            log.segment_start(location.segment()).ok_or_else(|| log.damaged_record(location))?;
        // SAFETY: the caller says that the copy lies inside the segment.
        let to = unsafe { to.add(location.offset()) };
        let words = self.part(0, EXTENSION_OFFSET);
        // SAFETY: the first three words of a header that is the caller's.
        unsafe { words::store(to, words) };
        let access = self.access().load(Ordering::Relaxed);
        // SAFETY: the fourth word of the same header.
        unsafe { write_state_word(to, self.extension_bytes(), access) };
        // SAFETY: inside the copy, as long as the record.
        let rest_to = unsafe { to.add(RECORD_HEADER) };
        let rest = self.part(RECORD_HEADER, self.len() - RECORD_HEADER);
        // SAFETY: exclusive, 8-aligned; records are padded.
        unsafe { words::store(rest_to, rest) };
        Ok(())
    }
}

/// Writes the fourth word of a header in its fields, two of which go on changing, with no state.
///
/// # Safety
/// A record header that belongs to the caller lies at `start`, 8-aligned.
#[inline(always)]
pub(super) unsafe fn write_state_word(start: NonNull<u8>, extension_bytes: u16, access: u32) {
    let start = start.as_ptr();
    // SAFETY: inside the header.
    let place = unsafe { start.add(EXTENSION_OFFSET) };
    // SAFETY: 2-aligned; accessed atomically while others may look.
    unsafe { AtomicU16::from_ptr(place.cast()) }.store(extension_bytes, Ordering::Relaxed);
    // SAFETY: inside the header.
    let place = unsafe { start.add(STATE_OFFSET) };
    // SAFETY: as above.
    unsafe { AtomicU16::from_ptr(place.cast()) }.store(0, Ordering::Relaxed);
    // SAFETY: inside the header.
    let place = unsafe { start.add(ACCESS_OFFSET) };
    // SAFETY: 4-aligned; accessed atomically while others may look.
    unsafe { AtomicU32::from_ptr(place.cast()) }.store(access, Ordering::Relaxed);
}

impl Record<'_> {
    fn extension_bytes(&self) -> u16 {
        // SAFETY: `read` found a header here, and it is still protected.
        unsafe { Head::read(self.start) }.1
    }
}
