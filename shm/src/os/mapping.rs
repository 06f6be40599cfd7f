//! The mapping of a shared file and checked, typed windows onto it.
//!
//! Only atomics are ever referenced through a [`Window`]; bytes that are plain data (records) are
//! reached through [`Mapping::at`] under the protection that `heap::record` proves.

use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::os::pages::Pages;

/// A type that may be referenced inside shared memory.
///
/// # Safety
/// The type is `repr(C)`, consists of atomics (and arrays of such types) only, so every bit
/// pattern is valid, other processes may change it at any time, and it has no destructor.
pub(crate) unsafe trait Shared {}

/// A whole file mapped `MAP_SHARED`, readable and most often writable, until the last user is gone.
#[derive(Debug)]
pub(crate) struct Mapping {
    pages: Pages,
}

impl Mapping {
    /// Maps the first `len` bytes. The address range is taken once; memory only as it is backed.
    pub(crate) fn map(file: &File, len: u64, path: &Path) -> Result<Arc<Self>> {
        let too_large = || Error::Truncated { path: path.into(), expected: len, found: 0 };
        let len = usize::try_from(len).map_err(|_| too_large())?;
        let pages = Pages::map(file, len, true).map_err(|source| Error::Io {
            op: "map",
            path: path.into(),
            source,
        })?;
        pages.welcome_huge();
        Ok(Arc::new(Self { pages }))
    }

    /// Bytes of the mapping that this process sees through huge pages now; `None` if the kernel
    /// does not tell.
    pub(crate) fn huge_bytes(&self) -> Option<u64> {
        let smaps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let start = format!("{:x}-", self.pages.start().as_ptr().addr());
        let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&start)).skip(1);
        // Of a file in memory the kernel counts them as shmem.
        let line = lines
            .by_ref()
            .take_while(|line| line.split(' ').next().is_some_and(|name| name.ends_with(':')))
            .find_map(|line| line.strip_prefix("ShmemPmdMapped:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib << 10)
    }

    /// The same without the right to write: whoever stores through it gets SIGSEGV. Atomic loads of
    /// a word are single load instructions on the processors this library is made for, whatever
    /// their order, so they work.
    pub(crate) fn map_read_only(file: &File, len: u64, path: &Path) -> Result<Arc<Self>> {
        let too_large = || Error::Truncated { path: path.into(), expected: len, found: 0 };
        let len = usize::try_from(len).map_err(|_| too_large())?;
        let pages = Pages::map(file, len, false).map_err(|source| Error::Io {
            op: "map",
            path: path.into(),
            source,
        })?;
        Ok(Arc::new(Self { pages }))
    }

    /// Length of the mapping in bytes.
    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }

    /// First byte; valid for `len()` bytes while `self` lives.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.pages.start()
    }

    /// Makes huge pages of small ones in a range that has memory throughout.
    pub(crate) fn make_huge(&self, from: u64, len: usize) {
        if let Ok(from) = usize::try_from(from) {
            self.pages.make_huge(from, len);
        }
    }

    /// Address of `offset`, if `len` bytes from there are inside.
    pub(crate) fn at(&self, offset: usize, len: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(len)?;
        if end > self.len() {
            return None;
        }
        // SAFETY: `offset <= end <= len()`, so the result stays inside the one mapped object.
        Some(unsafe { self.base().add(offset) })
    }

    /// A typed view of `count` values at `offset`; `None` if outside or misaligned.
    pub(crate) fn window<T: Shared>(
        self: &Arc<Self>,
        offset: u64,
        count: usize,
    ) -> Option<Window<T>> {
        let offset = usize::try_from(offset).ok()?;
        let start = self.at(offset, count.checked_mul(size_of::<T>())?)?.cast::<T>();
        if !start.is_aligned() {
            return None;
        }
        Some(Window { start, count, _map: Arc::clone(self), _type: PhantomData })
    }

    /// A typed view of one value at `offset`; `None` if outside or misaligned.
    pub(crate) fn single<T: Shared>(self: &Arc<Self>, offset: u64) -> Option<Single<T>> {
        self.window(offset, 1).map(Single)
    }

    /// Copies bytes in; only for a file that nobody else can see yet.
    pub(crate) fn copy_in(&self, offset: usize, bytes: &[u8]) -> Option<()> {
        let to = self.at(offset, bytes.len())?;
        // SAFETY: `at` proved the target range; the file is not linked, so no one else looks at it.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
        Some(())
    }
}

/// A slice of shared words that keeps its mapping alive.
#[derive(Debug)]
pub(crate) struct Window<T> {
    start: NonNull<T>,
    count: usize,
    _map: Arc<Mapping>,
    _type: PhantomData<T>,
}

impl<T> Clone for Window<T> {
    fn clone(&self) -> Self {
        Self {
            start: self.start,
            count: self.count,
            _map: Arc::clone(&self._map),
            _type: PhantomData,
        }
    }
}

// SAFETY: a window hands out `&T` only, and `T: Shared` is made of atomics, which are `Sync`.
unsafe impl<T: Shared> Send for Window<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Window<T> {}

impl<T: Shared> Deref for Window<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `window` checked bounds and alignment of `count` values, the `Arc` keeps them
        // mapped, and `Shared` says that every bit pattern is a valid `T`.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

/// One value of shared words that keeps its mapping alive.
#[derive(Debug)]
pub(crate) struct Single<T>(Window<T>);

impl<T: Shared> Single<T> {
    /// The same as a slice.
    pub(crate) fn window(&self) -> Window<T> {
        self.0.clone()
    }
}

impl<T: Shared> Deref for Single<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: as for `Window`; `single` made it of one value.
        unsafe { self.0.start.as_ref() }
    }
}
