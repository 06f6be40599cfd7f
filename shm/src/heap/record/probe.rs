//! A record as a read sees it first: whether it is the one of a key, and where its value is.
//!
//! The same checks as in [`Record::try_read`], in the order in which a read needs them and once
//! each; what a read does not need (version, hash, end) is not looked at.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::heap::Log;
use crate::heap::record::{Head, Lent, Record, is_in_run};
use crate::layout::record::{EXTENSION_OFFSET, FLAG_DEADLINE, RECORD_HEADER, padded};
use crate::layout::word::Location;

/// A record that has the key that was asked for; its bounds were checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe<'m> {
    start: NonNull<u8>,
    /// Second and third word of the header.
    lengths: u64,
    rest: u64,
    value_at: u32,
    _log: core::marker::PhantomData<&'m Log>,
}

/// What a look at a record found.
#[derive(Debug)]
pub(crate) enum Probed<'m> {
    /// It has the key.
    Found(Probe<'m>),
    /// It has another one.
    OtherKey,
    /// There can be no record: the file is damaged.
    Broken,
}

impl<'m> Probe<'m> {
    /// Looks whether the record at `location` has this key. `USUAL`: without what takes more than
    /// comparisons: a segment that the process did not look at before, and a record of several
    /// segments, are `Broken` then.
    ///
    /// # Safety
    /// The segment of `location` is protected as described in `heap::record` for `'m`.
    #[inline(always)]
    pub(crate) unsafe fn look<const USUAL: bool>(
        log: &'m Log,
        location: Location,
        key: &[u8],
    ) -> Probed<'m> {
        let (segment, offset) = (location.segment(), location.offset());
        let segment_bytes = log.segment_bytes();
        if !USUAL && !log.may_hold_records(segment) || offset + RECORD_HEADER > segment_bytes {
            return Probed::Broken;
        }
        let Some(segment) = log.start_of_seen(segment) else {
            return Probed::Broken;
        };
        // SAFETY: the segment is `segment_bytes` long inside the mapping and `offset` plus the
        // header ends before its end.
        let start = unsafe { segment.add(offset) };
        // SAFETY: byte 8 of the header.
        let lengths_at = unsafe { start.add(8) };
        // SAFETY: 16 bytes inside the header, 8-aligned because offsets are multiples of 8; the
        // caller's protection says that nobody writes them.
        let [lengths, rest] = unsafe { lengths_at.cast::<[u64; 2]>().read() };
        // SAFETY: byte 24 of the same header.
        let extension_at = unsafe { start.add(EXTENSION_OFFSET) };
        // SAFETY: as for the lengths; 24 is 2-aligned.
        let extension_bytes = unsafe { extension_at.cast::<u16>().read() };
        // None of the sums can overflow: all but the length of the value, which has 32 bits, are
        // shorter than 2^18.
        let align = log.alignment() - 1;
        let key_at = RECORD_HEADER + padded(usize::from(extension_bytes));
        let key_len = usize::from(rest as u16) + 1;
        let value_at = (key_at + key_len + align) & !align;
        let value_end = value_at as u64 + (lengths >> 32);
        // Records begin at multiples of the alignment, and segments end there: the padding behind a
        // value is where the value is.
        if offset as u64 + value_end > segment_bytes as u64 {
            let end = (value_end + align as u64) & !(align as u64);
            if USUAL || !is_in_run(log, location, end as usize) {
                return Probed::Broken;
            }
        }
        // SAFETY: the key lies before the end of the record, which was checked.
        let mine = unsafe { start.add(key_at) };
        // SAFETY: initialised by the writer (fresh pages are zero), immutable while protected.
        let mine = unsafe { core::slice::from_raw_parts(mine.as_ptr(), key_len) };
        if !same(mine, key) {
            return Probed::OtherKey;
        }
        let value_at = value_at as u32;
        Probed::Found(Self { start, lengths, rest, value_at, _log: core::marker::PhantomData })
    }

    /// Whether it has a value of which the record itself does not say when it expires.
    #[inline(always)]
    pub(crate) fn is_of(&self, kind: u8) -> bool {
        let mask = u64::from(FLAG_DEADLINE) << 8 | 0xff;
        (self.rest >> 32) & mask == u64::from(kind)
    }

    /// Version of the entry.
    #[inline(always)]
    pub(crate) fn version(&self) -> u64 {
        // SAFETY: first word of the header that was checked, 8-aligned; it may still change while
        // the record is a draft, hence atomic.
        unsafe { AtomicU64::from_ptr(self.start.cast().as_ptr()) }.load(Ordering::Relaxed)
    }

    /// Node that made the change; 0 = this one.
    #[inline(always)]
    pub(crate) fn origin(&self) -> u16 {
        (self.rest >> 16) as u16
    }

    /// The value.
    #[inline(always)]
    pub(crate) fn value(&self) -> &'m [u8] {
        self.lend().value()
    }

    /// What a guard keeps of it.
    #[inline(always)]
    pub(crate) fn lend(&self) -> Lent<'m> {
        Lent {
            start: self.start,
            value_at: self.value_at,
            value_len: (self.lengths >> 32) as u32,
            _log: core::marker::PhantomData,
        }
    }

    /// With everything that a header says.
    #[inline]
    pub(crate) fn record(&self, log: &'m Log) -> Record<'m> {
        let head = Head::decode([self.version(), self.lengths, self.rest]);
        let align = log.alignment() - 1;
        // SAFETY: byte 24 of the header that was checked.
        let extension_at = unsafe { self.start.add(EXTENSION_OFFSET) };
        // SAFETY: 2-aligned, immutable while protected.
        let extension_bytes = unsafe { extension_at.cast::<u16>().read() };
        let key_at = (RECORD_HEADER + padded(usize::from(extension_bytes))) as u32;
        let end = (self.value_at as usize + head.value_len as usize + align) & !align;
        Record {
            start: self.start,
            head,
            key_at,
            value_at: self.value_at,
            end: end as u32,
            _log: core::marker::PhantomData,
        }
    }
}

/// Whether two keys are equal. Those of up to 32 bytes are compared in words that may overlap: a
/// call costs more.
#[inline(always)]
fn same(mine: &[u8], key: &[u8]) -> bool {
    let len = key.len();
    if mine.len() != len {
        return false;
    }
    if !(8..=32).contains(&len) {
        return mine == key;
    }
    let ends =
        mine.first_chunk::<8>() == key.first_chunk() && mine.last_chunk::<8>() == key.last_chunk();
    if len <= 16 || !ends {
        return ends;
    }
    mine[8..16] == key[8..16] && mine[len - 16..len - 8] == key[len - 16..len - 8]
}
