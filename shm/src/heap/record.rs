//! Records in mapped memory: bounds-checked access for readers, writing for the owner of a
//! segment. The only file that turns shared bytes into `&[u8]`.
//!
//! # Why plain references are sound here
//!
//! A [`Record`] exists only while its segment cannot be reused: the caller holds a hazard or pin
//! word that names the segment, set before it proved (by re-reading the slot word or the segment
//! state after a `SeqCst` fence) that the segment still had the generation of the location; or it
//! owns the active segment. Bytes of a record are written before its offset is covered by
//! `committed` (release) or its slot word is published (`SeqCst`), and never again, except `state`
//! and `access`, which are only accessed atomically. So within that time nothing writes what a
//! `Record` lends out. Records are written in relaxed words ([`words`]), because handles and
//! read-only processes copy them without protection and look afterwards. A live process that
//! scribbles over the file is outside the guarantee.

pub(crate) mod copied;
pub(crate) mod copy;
mod marks;
pub(crate) mod probe;

pub(crate) use marks::Mark;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::heap::{Log, words};
use crate::layout::record::{
    ACCESS_OFFSET, DEADLINE_BYTES, EXTENSION_OFFSET, Extent, FLAG_BULK, FLAG_DEADLINE,
    FLAG_EXPIRATION, FLAG_PREVIOUS, FLAG_REMOTE, FLAG_VALUELESS, MEMBER_OFFSET, PREVIOUS_BYTES,
    RECORD_HEADER, STATE_OFFSET, padded,
};
use crate::layout::word::Location;

/// The parts of a record header that never change after publication.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) version: u64,
    pub(crate) hash: u32,
    pub(crate) origin: u16,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    value_len: u32,
    key_len: u32,
}

impl Head {
    /// From the first three words of a header.
    #[inline(always)]
    fn decode([version, lengths, rest]: [u64; 3]) -> Self {
        Self {
            version,
            hash: lengths as u32,
            value_len: (lengths >> 32) as u32,
            key_len: u32::from(rest as u16) + 1,
            origin: (rest >> 16) as u16,
            kind: (rest >> 32) as u8,
            flags: (rest >> 40) as u8,
        }
    }

    /// Where the parts of the record are.
    #[inline(always)]
    fn extent(&self, extension_bytes: u16, alignment: usize) -> Option<Extent> {
        let extensions = usize::from(extension_bytes);
        Extent::of(self.key_len as usize, self.value_len as usize, extensions, alignment)
    }

    /// Reads the header at `start`; also returns the bytes of extensions.
    ///
    /// # Safety
    /// `start` is 8-aligned and a header lies there, protected as described at the top.
    #[inline(always)]
    unsafe fn read(start: NonNull<u8>) -> (Self, u16) {
        // SAFETY: first word of the header. Atomic, because a walk may meet a record whose writer
        // still changes the version of its draft.
        let version = unsafe { AtomicU64::from_ptr(start.cast().as_ptr()) }.load(Ordering::Relaxed);
        // SAFETY: byte 8 of the header.
        let lengths_at = unsafe { start.add(8) };
        // SAFETY: 16 bytes inside the header, 8-aligned; the caller's protection says that nobody
        // writes them.
        let [lengths, rest] = unsafe { lengths_at.cast::<[u64; 2]>().read() };
        // SAFETY: byte 24 of the same header.
        let extension_at = unsafe { start.add(EXTENSION_OFFSET) };
        // SAFETY: as for the lengths; 24 is 2-aligned.
        let extension_bytes = unsafe { extension_at.cast::<u16>().read() };
        (Self::decode([version, lengths, rest]), extension_bytes)
    }
}

/// A record as a guard keeps it: small, because it is moved about before it is looked at, and the
/// rest is in the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent<'m> {
    start: NonNull<u8>,
    value_at: u32,
    value_len: u32,
    _log: core::marker::PhantomData<&'m Log>,
}

impl<'m> Lent<'m> {
    /// No record; an empty value.
    pub(crate) fn none() -> Self {
        let start = NonNull::dangling();
        Self { start, value_at: 0, value_len: 0, _log: core::marker::PhantomData }
    }

    #[inline]
    pub(crate) fn value(&self) -> &'m [u8] {
        // SAFETY: `Record::read` checked that the value ends inside the segment.
        let start = unsafe { self.start.add(self.value_at as usize) };
        // SAFETY: initialised, immutable while protected.
        unsafe { core::slice::from_raw_parts(start.as_ptr(), self.value_len as usize) }
    }

    pub(crate) fn head(&self) -> Head {
        // SAFETY: `Record::read` found a header here, and it is still protected.
        unsafe { Head::read(self.start) }.0
    }

    pub(crate) fn key(&self) -> &'m [u8] {
        // SAFETY: as above.
        let (head, extension_bytes) = unsafe { Head::read(self.start) };
        let at = RECORD_HEADER + padded(usize::from(extension_bytes));
        // SAFETY: `Record::read` checked these immutable lengths.
        let start = unsafe { self.start.add(at) };
        // SAFETY: initialised, immutable while protected.
        unsafe { core::slice::from_raw_parts(start.as_ptr(), head.key_len as usize) }
    }

    /// The same record without the lifetime of its log.
    ///
    /// # Safety
    /// The caller keeps the log mapped and the segment protected for as long as it is used.
    pub(crate) unsafe fn detach(self) -> Lent<'static> {
        let Self { start, value_at, value_len, .. } = self;
        Lent { start, value_at, value_len, _log: core::marker::PhantomData }
    }
}

/// A record whose bounds were checked, borrowed for as long as its segment is protected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'m> {
    start: NonNull<u8>,
    head: Head,
    key_at: u32,
    value_at: u32,
    end: u32,
    _log: core::marker::PhantomData<&'m Log>,
}

impl<'m> Record<'m> {
    /// Reads the record at `location`.
    ///
    /// # Safety
    /// The segment of `location` is protected as described at the top of the module for `'m`.
    #[inline]
    pub(crate) unsafe fn read(log: &'m Log, location: Location) -> Result<Self> {
        // SAFETY: as the caller says.
        unsafe { Self::try_read(log, location) }.ok_or_else(|| log.damaged_record(location))
    }

    /// The same; `None` if the file is damaged.
    ///
    /// # Safety
    /// As for [`Record::read`].
    #[inline(always)]
    pub(crate) unsafe fn try_read(log: &'m Log, location: Location) -> Option<Self> {
        let offset = location.offset();
        let segment_bytes = log.segment_bytes();
        if !log.may_hold_records(location.segment()) || offset + RECORD_HEADER > segment_bytes {
            return None;
        }
        let start = log.segment_start(location.segment())?;
        // SAFETY: the segment is `segment_bytes` long inside the mapping and `offset` plus the
        // header ends before its end.
        let start = unsafe { start.add(offset) };
        // SAFETY: a whole header, 8-aligned because offsets are multiples of 8; the caller protects
        // it.
        let (head, extension_bytes) = unsafe { Head::read(start) };
        let extent = head.extent(extension_bytes, log.alignment()).filter(|extent| {
            offset + extent.end <= segment_bytes || is_in_run(log, location, extent.end)
        })?;
        // Longer records than 4 GiB are refused above; small, because guards carry them.
        let [key_at, value_at, end] = [extent.key, extent.value, extent.end].map(|at| at as u32);
        Some(Self { start, head, key_at, value_at, end, _log: core::marker::PhantomData })
    }

    /// A record that was copied whole into private words. `None` if it is shorter than it says.
    pub(crate) fn in_copy(copy: &'m [u64], alignment: usize) -> Option<Self> {
        if copy.len() * 8 < RECORD_HEADER {
            return None;
        }
        let start = NonNull::from(copy).cast::<u8>();
        // SAFETY: a whole header in private words, which are 8-aligned.
        let (head, extension_bytes) = unsafe { Head::read(start) };
        let extent = head.extent(extension_bytes, alignment)?;
        if extent.end > copy.len() * 8 {
            return None;
        }
        let [key_at, value_at, end] = [extent.key, extent.value, extent.end].map(|at| at as u32);
        Some(Self { start, head, key_at, value_at, end, _log: core::marker::PhantomData })
    }

    #[inline]
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// As a guard keeps it.
    pub(crate) fn lend(&self) -> Lent<'m> {
        let (start, value_at, value_len) = (self.start, self.value_at, self.head.value_len);
        Lent { start, value_at, value_len, _log: core::marker::PhantomData }
    }

    /// Bytes the record takes in its segment.
    pub(crate) fn len(&self) -> usize {
        self.end as usize
    }

    #[inline]
    pub(crate) fn key(&self) -> &'m [u8] {
        self.part(self.key_at as usize, self.head.key_len as usize)
    }

    /// Whether the record is of this key. Keys of 8 to 16 bytes are compared as two words that may
    /// overlap: a call costs more.
    #[inline(always)]
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        let mine = self.key();
        if mine.len() != key.len() || !(8..=16).contains(&key.len()) {
            return mine == key;
        }
        mine.first_chunk::<8>() == key.first_chunk() && mine.last_chunk::<8>() == key.last_chunk()
    }

    #[inline]
    pub(crate) fn value(&self) -> &'m [u8] {
        self.part(self.value_at as usize, self.head.value_len as usize)
    }

    /// When the entry expires by itself, whatever the region says. A deadline flag without room
    /// for a deadline is damage, which the audit reports; it reads as none.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<u64> {
        if self.head.flags & FLAG_DEADLINE == 0
            || (self.key_at as usize) < RECORD_HEADER + DEADLINE_BYTES
        {
            return None;
        }
        // SAFETY: the extensions lie between header and key, inside the record that `read` checked.
        let at = unsafe { self.start.add(RECORD_HEADER) };
        // SAFETY: 8-aligned as the record is; immutable while protected.
        Some(unsafe { at.cast::<u64>().read() })
    }

    /// Whether it was made because the entry before it had expired.
    pub(crate) fn is_expiration(&self) -> bool {
        self.head.flags & FLAG_EXPIRATION != 0
    }

    /// Whether it was part of an operation on many keys.
    pub(crate) fn is_bulk(&self) -> bool {
        self.head.flags & FLAG_BULK != 0
    }

    /// Of kind `Transit`: whether the entry has no value.
    pub(crate) fn is_valueless(&self) -> bool {
        self.head.flags & FLAG_VALUELESS != 0
    }

    /// Whether the change came from another node.
    pub(crate) fn is_remote(&self) -> bool {
        self.head.flags & FLAG_REMOTE != 0
    }

    /// Location + 1 of the record that it replaced, 0 = none; `None` if it does not say.
    pub(crate) fn previous(&self) -> Option<u64> {
        let at = (self.key_at as usize).checked_sub(PREVIOUS_BYTES)?;
        if self.head.flags & FLAG_PREVIOUS == 0 || at < RECORD_HEADER {
            return None;
        }
        let bytes = self.part(at, PREVIOUS_BYTES);
        bytes.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
    }

    /// Last access in ticks; see `RecordHeader::access`.
    pub(crate) fn access(&self) -> &'m AtomicU32 {
        // SAFETY: inside the header that `read` checked.
        let access = unsafe { self.start.add(ACCESS_OFFSET) }.cast::<AtomicU32>();
        // SAFETY: 4-aligned, valid for 'm, only ever accessed atomically after publication.
        unsafe { access.as_ref() }
    }

    #[inline]
    fn part(&self, at: usize, len: usize) -> &'m [u8] {
        // SAFETY: `read` checked that key and value end inside the segment or run, and a run
        // inside the mapping.
        let start = unsafe { self.start.add(at) };
        // SAFETY: initialised by the writer (fresh pages are zero), immutable while protected.
        unsafe { core::slice::from_raw_parts(start.as_ptr(), len) }
    }

    /// Slot of the member that wrote it.
    pub(crate) fn member(&self) -> u16 {
        let bytes = self.part(MEMBER_OFFSET, 2);
        bytes.first_chunk().map_or(0, |bytes| u16::from_ne_bytes(*bytes))
    }

    fn state(&self) -> &'m AtomicU16 {
        // SAFETY: inside the header that `read` checked.
        let state = unsafe { self.start.add(STATE_OFFSET) }.cast::<AtomicU16>();
        // SAFETY: 2-aligned, valid for 'm, only ever accessed atomically after publication.
        unsafe { state.as_ref() }
    }
}

/// Whether a record of `len` bytes is the one of a run.
#[cold]
fn is_in_run(log: &Log, location: Location, len: usize) -> bool {
    location.offset() == 0 && len <= log.room(location.segment()) && u32::try_from(len).is_ok()
}

/// What goes into a new record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) version: u64,
    pub(crate) hash: u64,
    pub(crate) origin: u16,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) member: u16,
    /// When the entry expires by itself.
    pub(crate) deadline: Option<u64>,
    pub(crate) access: u32,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl Draft<'_> {
    /// Where its parts lie. `None` if the sum does not fit.
    pub(crate) fn extent(&self, alignment: usize) -> Option<Extent> {
        Extent::of(self.key.len(), self.value.len(), self.extension_bytes(), alignment)
    }

    fn extension_bytes(&self) -> usize {
        let deadline = if self.deadline.is_some() { DEADLINE_BYTES } else { 0 };
        deadline + if self.flags & FLAG_PREVIOUS != 0 { PREVIOUS_BYTES } else { 0 }
    }

    /// The first three words of the header, as [`Head::decode`] reads them.
    #[inline(always)]
    fn words(&self) -> [u64; 3] {
        let flags = self.flags | if self.deadline.is_some() { FLAG_DEADLINE } else { 0 };
        let lengths = u64::from(self.hash as u32) | (self.value.len() as u64) << 32;
        let rest = (self.key.len() as u64).wrapping_sub(1) & 0xffff
            | u64::from(self.origin) << 16
            | u64::from(self.kind) << 32
            | u64::from(flags) << 40
            | u64::from(self.member) << 48;
        [self.version, lengths, rest]
    }

    /// Writes the record at `location`, in words; the fourth of the header in its fields, two of
    /// which go on changing.
    ///
    /// # Safety
    /// The caller owns the active segment, the record ends inside it, or inside the run of which it
    /// is the head, and lies wholly beyond what `committed` covers, so nobody else reads or writes
    /// these bytes.
    #[inline(always)]
    pub(crate) unsafe fn write<'m>(
        &self,
        log: &'m Log,
        location: Location,
        extent: Extent,
    ) -> Result<Unpublished<'m>> {
        let start =
            log.segment_start(location.segment()).ok_or_else(|| log.damaged_record(location))?;
        // SAFETY: the caller says that the record lies inside the segment or run.
        let start = unsafe { start.add(location.offset()) };
        let [version, lengths, rest] = self.words();
        // SAFETY: the first word of the record, 8-aligned, mapped as long as the log.
        let version_word = unsafe { AtomicU64::from_ptr(start.cast().as_ptr()) };
        version_word.store(version, Ordering::Relaxed);
        // SAFETY: the second and third word of the header, exclusive.
        unsafe { words::store_words(start, 1, &[lengths, rest]) };
        // SAFETY: the fourth word of the same header.
        unsafe { copy::write_state_word(start, self.extension_bytes() as u16, self.access) };
        if let Some(deadline) = self.deadline {
            // SAFETY: inside the record: `extent` left room for it behind the header.
            unsafe { words::store_words(start, RECORD_HEADER / 8, &[deadline]) };
        }
        if self.flags & FLAG_PREVIOUS != 0 {
            // SAFETY: inside the record: `extent` left room for it before the key.
            unsafe { words::store_words(start, extent.key / 8 - 1, &[0]) };
        }
        // SAFETY: inside the record.
        let key = unsafe { start.add(extent.key) };
        // SAFETY: exclusive, parts of a record are 8-aligned and padded.
        unsafe { words::store(key, self.key) };
        // SAFETY: inside the record.
        let value = unsafe { start.add(extent.value) };
        // SAFETY: as for the key. The source is private, or a guard of another record at most.
        unsafe { words::store(value, self.value) };
        Ok(Unpublished { location, version: version_word })
    }
}

/// A record that its writer has appended and not published yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unpublished<'m> {
    pub(crate) location: Location,
    version: &'m AtomicU64,
}

impl Unpublished<'_> {
    /// Gives it another version, when that of the entry turns out to be higher. At most a walk
    /// looks at it meanwhile, atomically. Not after the record was published.
    #[inline]
    pub(crate) fn set_version(&self, version: u64) {
        self.version.store(version, Ordering::Relaxed);
    }
}

/// Gives an unpublished record another version, when the entry changed under its writer.
///
/// # Safety
/// The caller wrote the record at `location` and has not published it.
pub(crate) unsafe fn set_version(log: &Log, location: Location, version: u64) -> Result<()> {
    let start =
        log.segment_start(location.segment()).ok_or_else(|| log.damaged_record(location))?;
    // SAFETY: the caller wrote a record here.
    let start = unsafe { start.add(location.offset()) };
    // SAFETY: first word of that record; not published, so at most a walk looks at it, atomically.
    unsafe { AtomicU64::from_ptr(start.cast().as_ptr()) }.store(version, Ordering::Relaxed);
    Ok(())
}

/// Says in an unpublished record which one it is going to replace: location + 1, 0 = none. Does
/// nothing if the record was written without a place for it.
///
/// # Safety
/// As for [`set_version`].
pub(crate) unsafe fn set_previous(log: &Log, location: Location, previous: u64) -> Result<()> {
    let start =
        log.segment_start(location.segment()).ok_or_else(|| log.damaged_record(location))?;
    // SAFETY: the caller wrote a record here.
    let start = unsafe { start.add(location.offset()) };
    // SAFETY: a header that the caller wrote, 8-aligned.
    let (head, extension_bytes) = unsafe { Head::read(start) };
    if head.flags & FLAG_PREVIOUS == 0 || usize::from(extension_bytes) < PREVIOUS_BYTES {
        return Ok(());
    }
    let at = RECORD_HEADER + padded(usize::from(extension_bytes)) - PREVIOUS_BYTES;
    // SAFETY: inside the record, whose extensions end before its key.
    let word = unsafe { start.add(at) };
    // SAFETY: 8-aligned; not published, so nobody reads it.
    unsafe { AtomicU64::from_ptr(word.cast().as_ptr()) }.store(previous, Ordering::Relaxed);
    Ok(())
}

/// The state of a record that its writer has not published.
///
/// # Safety
/// The caller wrote the record at `location`, and its intent keeps the segment.
#[inline]
pub(crate) unsafe fn own_state(log: &Log, location: Location) -> Result<&AtomicU16> {
    let start =
        log.segment_start(location.segment()).ok_or_else(|| log.damaged_record(location))?;
    // SAFETY: the caller wrote a record here.
    let state = unsafe { start.add(location.offset() + STATE_OFFSET) }.cast::<AtomicU16>();
    // SAFETY: 2-aligned, inside the mapping, which lives as long as the log; only ever accessed
    // atomically.
    Ok(unsafe { state.as_ref() })
}

impl Log {
    /// A location that no writer makes.
    #[cold]
    pub(crate) fn damaged_record(&self, location: Location) -> Error {
        Error::Damaged {
            path: self.path().into(),
            place: format!("segment {} offset {}", location.segment(), location.offset()),
        }
    }
}
