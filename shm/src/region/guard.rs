//! Guards: borrowed values that stay valid until they are dropped.

use std::ops::Deref;
use std::sync::Arc;

use crate::heap::record::Lent;
use crate::region::Token;
use crate::region::mapped::Mapped;
use crate::region::thread::HeldHazard;

/// What keeps the segment of a guard from being reused.
#[derive(Debug)]
pub(crate) enum Protection {
    /// A hazard word of the reading thread.
    Hazard(HeldHazard),
    /// A pin of the member on this segment.
    Pin(u32),
}

/// A value read in place: no copy, no lock.
///
/// Dereferences to the bytes of the value. The value is the one that [`Region::get`] found; later
/// writes to the key make new records and never change it. While the guard lives, the log segment
/// that holds the value is not reused; other memory of the region is. The guard stays on its
/// thread; for one that may move see [`OwnedGuard`].
///
/// A guard must not outlive the region:
///
/// ```compile_fail
/// # fn f(node: &vug::Node) -> vug::Result<()> {
/// let guard = {
///     let region = node.region("quotes").open()?;
///     region.get(b"key")?
/// }; // the region is gone here, so this does not compile
/// drop(guard);
/// # Ok(()) }
/// ```
///
/// [`Region::get`]: crate::Region::get
#[derive(Debug)]
pub struct Guard<'r> {
    record: Lent<'r>,
    region: &'r Mapped,
    protection: Protection,
}

impl<'r> Guard<'r> {
    /// `protection` protects the segment of `record`, a value, and now belongs to the guard.
    #[inline]
    pub(crate) fn new(record: Lent<'r>, region: &'r Mapped, protection: Protection) -> Self {
        Self { record, region, protection }
    }

    /// Version of the entry, for [`Region::compare_and_swap`](crate::Region::compare_and_swap).
    pub fn token(&self) -> Token {
        self.region.token_of_value(&self.record.head())
    }

    /// Key of the entry.
    pub fn key(&self) -> &[u8] {
        self.record.key()
    }
}

impl Deref for Guard<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.record.value()
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        match &self.protection {
            Protection::Hazard(held) => held.release(self.region),
            Protection::Pin(segment) => self.region.unpin(*segment),
        }
    }
}

/// A value read in place through a pin word of the process: may move to other threads and keeps
/// its region open.
///
/// A process has 254 pin words per region; guards in one segment share one. When they are used up
/// [`Region::get_owned`](crate::Region::get_owned) fails with `TooManyPins`, it never waits.
#[derive(Debug)]
pub struct OwnedGuard {
    record: Lent<'static>,
    region: Arc<Mapped>,
    segment: u32,
}

// SAFETY: the record is immutable while pinned, the pin belongs to the process and not to a
// thread, and releasing it takes a mutex.
unsafe impl Send for OwnedGuard {}
// SAFETY: shared access only reads immutable bytes.
unsafe impl Sync for OwnedGuard {}

impl OwnedGuard {
    /// `record` was detached under a pin on `segment` that this guard now owns.
    pub(crate) fn new(record: Lent<'static>, region: Arc<Mapped>, segment: u32) -> Self {
        Self { record, region, segment }
    }

    /// Version of the entry.
    pub fn token(&self) -> Token {
        self.region.token_of_value(&self.record.head())
    }

    /// Key of the entry.
    pub fn key(&self) -> &[u8] {
        self.record.key()
    }
}

impl Deref for OwnedGuard {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.record.value()
    }
}

impl Drop for OwnedGuard {
    fn drop(&mut self) {
        self.region.unpin(self.segment);
    }
}

impl Mapped {
    #[cold]
    fn unpin(&self, segment: u32) {
        if !self.is_forked_child() {
            self.pins.unpin(self.row(), segment);
        }
    }
}
