//! Mapped pages of a file, at an address that lets the kernel use huge ones.
//!
//! A huge page needs a file offset and an address that are equal modulo its size, and the kernel
//! does not care for that unless the file system gives huge pages by itself, which shared memory
//! hardly ever does. So the address is chosen here, and [`Pages::make_huge`] asks the kernel to put
//! small pages together (`MADV_COLLAPSE`, Linux 6.1), which needs no setting and no privilege.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

/// Bytes of a huge page on the processors that have them at this size; on others nothing is made
/// huge, which costs speed only.
pub(crate) const HUGE: usize = 2 << 20;

/// The first bytes of a file, mapped `MAP_SHARED`; unmapped on drop.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: nothing but an address range, which any thread may use; who accesses it says how.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `len` bytes, more than none. Takes addresses, no memory.
    pub(crate) fn map(file: &File, len: usize, writable: bool) -> io::Result<Self> {
        let protection = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        if len < HUGE {
            return map_at(ptr::null_mut(), len, protection, flags, file.as_raw_fd());
        }
        let room =
            len.checked_add(HUGE).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let reserved = map_at(ptr::null_mut(), room, libc::PROT_NONE, anonymous, -1)?;
        let start = reserved.start.as_ptr();
        let before = start.align_offset(HUGE);
        let aligned = start.wrapping_add(before);
        let pages =
            map_at(aligned.cast(), len, protection, flags | libc::MAP_FIXED, file.as_raw_fd())?;
        // What is left of the reservation on both sides; the middle now belongs to `pages`.
        std::mem::forget(reserved);
        let rest = len.next_multiple_of(page_size());
        drop(Self::part(aligned.wrapping_add(rest), room.saturating_sub(before + rest)));
        drop(Self::part(start, before));
        Ok(pages)
    }

    /// A piece of a reservation, to be dropped; `None` if there is nothing.
    fn part(start: *mut u8, len: usize) -> Option<Self> {
        NonNull::new(start).filter(|_| len > 0).map(|start| Self { start, len })
    }

    /// First byte; valid for `len()` bytes while `self` lives.
    #[inline(always)]
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Says that huge pages are welcome. A wish: a file system that gives none, or a kernel
    /// without them, refuses.
    pub(crate) fn welcome_huge(&self) {
        self.advise(0, self.len, libc::MADV_HUGEPAGE);
    }

    /// Makes huge pages of small ones in a range, which has memory throughout: what has none would
    /// get it. A wish, too.
    pub(crate) fn make_huge(&self, from: usize, len: usize) {
        self.advise(from, len, libc::MADV_COLLAPSE);
    }

    fn advise(&self, from: usize, len: usize, advice: libc::c_int) {
        if from.checked_add(len).is_none_or(|end| end > self.len) {
            return;
        }
        // SAFETY: inside the range that is mapped; neither advice changes what the pages hold.
        unsafe { libc::madvise(self.start.as_ptr().wrapping_add(from).cast(), len, advice) };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range is this value's own, and nobody uses it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// `at`: null, or with `MAP_FIXED` a range that is the caller's.
fn map_at(
    at: *mut libc::c_void,
    len: usize,
    protection: libc::c_int,
    flags: libc::c_int,
    fd: libc::c_int,
) -> io::Result<Pages> {
    // SAFETY: a new range, or one that the caller reserved and nobody uses.
    let start = unsafe { libc::mmap(at, len, protection, flags, fd, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
    Ok(Pages { start, len })
}

fn page_size() -> usize {
    // SAFETY: asks for a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_mappings_begin_where_a_huge_page_may() {
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        for len in [1, 4096, HUGE - 1, HUGE, HUGE + 1, 3 * HUGE + 4096] {
            file.set_len(len as u64).unwrap();
            let pages = Pages::map(&file, len, false).unwrap();
            assert_eq!(pages.len(), len);
            assert!(len < HUGE || pages.start().as_ptr().addr().is_multiple_of(HUGE));
            pages.make_huge(0, len);
            pages.make_huge(len, HUGE);
            // SAFETY: the last byte of the mapping.
            let last = unsafe { pages.start().add(len - 1) };
            // SAFETY: mapped readable; the file is as long.
            assert_eq!(unsafe { last.read_volatile() }, 0);
        }
    }
}
