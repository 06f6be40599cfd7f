//! Writing a record to a place in a segment: a new one, or a copy of another.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::error::Result;
use crate::heap::Log;
use crate::heap::record::{Draft, Record};
use crate::layout::record::{ACCESS_OFFSET, Extent, STATE_OFFSET};
use crate::layout::word::Location;

/// What can be appended to a segment.
pub(crate) trait Content {
    /// Bytes it takes, a multiple of 8.
    fn bytes(&self) -> usize;

    /// Writes the record at `location`.
    ///
    /// # Safety
    /// The caller owns the active segment, the record ends inside it and lies wholly beyond what
    /// `committed` covers, so nobody else reads or writes these bytes.
    unsafe fn write_to(&self, log: &Log, location: Location) -> Result<()>;
}

/// A new record.
impl Content for (&Draft<'_>, Extent) {
    fn bytes(&self) -> usize {
        self.1.end
    }

    unsafe fn write_to(&self, log: &Log, location: Location) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { self.0.write(log, location, self.1) }
    }
}

/// A copy of a record: the same but for its state, which starts anew.
impl Content for Record<'_> {
    fn bytes(&self) -> usize {
        self.len()
    }

    unsafe fn write_to(&self, log: &Log, location: Location) -> Result<()> {
        /// The word of the header that holds `state` and `access`.
        const STATE_WORD: usize = STATE_OFFSET / 8;
        let to =
            log.segment_start(location.segment()).ok_or_else(|| log.damaged_record(location))?;
        // SAFETY: the caller says that the copy lies inside the segment.
        let to = unsafe { to.add(location.offset()) }.cast::<u64>();
        let from = self.start.cast::<u64>();
        for word in 0..self.len() / 8 {
            let value = if word == STATE_WORD {
                self.fresh_state()
            } else {
                // SAFETY: `read` checked that `len` bytes lie inside the segment.
                let from = unsafe { from.add(word) };
                // SAFETY: 8-aligned, immutable while the record is protected.
                unsafe { from.read() }
            };
            // SAFETY: inside the copy.
            let to = unsafe { to.add(word) };
            // SAFETY: 8-aligned and exclusive; atomic for those who copy words without protection
            // and compare the slot afterwards.
            unsafe { AtomicU64::from_ptr(to.as_ptr()) }.store(value, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Record<'_> {
    /// The header word of `state` and `access` with no state.
    fn fresh_state(&self) -> u64 {
        // SAFETY: inside the header that `read` checked.
        let extensions = unsafe { self.start.add(STATE_OFFSET & !7) }.cast::<u16>();
        // SAFETY: inside the same header.
        let access = unsafe { self.start.add(ACCESS_OFFSET) }.cast::<u32>();
        // SAFETY: 2-aligned, immutable while the record is protected.
        let extensions = unsafe { extensions.read() }.to_ne_bytes();
        // SAFETY: 4-aligned, only ever accessed atomically after publication.
        let access = unsafe { AtomicU32::from_ptr(access.as_ptr()) };
        let access = access.load(Ordering::Relaxed).to_ne_bytes();
        let [a, b] = extensions;
        let [c, d, e, f] = access;
        u64::from_ne_bytes([a, b, 0, 0, c, d, e, f])
    }
}
