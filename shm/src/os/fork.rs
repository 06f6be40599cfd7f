//! Noticing that this process is a forked child of the one that opened a handle.
//!
//! A child inherits the mapping and every handle, but it is not the member that they name: using
//! them would mean two processes writing one member's words. Two mechanisms prevent that.
//!
//! * One private page with `MADV_WIPEONFORK` holds a nonzero word; in a child the kernel has
//!   zeroed it. Handles keep a [`Stamp`] of the word: checking it is one relaxed load. A child that
//!   opens a node itself writes a new, higher number, so the parent's handles stay stale for ever.
//! * A `pthread_atfork` handler closes the descriptors that hold locks, because a copy in the child
//!   would keep the lock after the parent's death. That would be safe (the parent's memory would
//!   merely not be recovered through this proof) but last as long as the child.
//!
//! Not covered: children made by a bare `clone` system call run no handlers. The page works for
//! them unless they share the memory (`CLONE_VM`), the lock then waits for their end. The same
//! happens if another thread forks exactly between the opening of a lock file and its entry in
//! [`close_in_child`]. In both cases the process identity is still a proof of death.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering::*};

use memmap2::MmapOptions;

/// Lock descriptors remembered for closing; further ones are kept by children (safe, see above).
const DESCRIPTORS: usize = 64;

/// The word on the page, once there is one. Never given back.
static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// Last number written to the word. A child inherits it, so its numbers are higher.
static LAST: AtomicU64 = AtomicU64::new(0);
/// Descriptors to close in a child; -1 = free.
static TO_CLOSE: [AtomicI32; DESCRIPTORS] = [const { AtomicI32::new(-1) }; DESCRIPTORS];

/// Names the process that took it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    word: &'static AtomicU64,
    value: u64,
}

impl Stamp {
    /// The stamp of the calling process; the same for all handles it opens.
    pub(crate) fn take() -> io::Result<Self> {
        let word = word()?;
        let mut value = word.load(Acquire);
        while value == 0 {
            // First stamp of this process. Threads may race: one number wins.
            let next = LAST.fetch_add(1, Relaxed) + 1;
            value = match word.compare_exchange(0, next, AcqRel, Acquire) {
                Ok(_) => next,
                Err(seen) => seen,
            };
        }
        Ok(Self { word, value })
    }

    /// Whether this process is a forked child of the one that took the stamp. One relaxed load:
    /// the kernel wiped the page before the child ran its first instruction.
    #[inline(always)]
    pub(crate) fn is_stale(&self) -> bool {
        self.word.load(Relaxed) != self.value
    }
}

/// Remembers a descriptor whose copy a forked child has to close.
pub(crate) fn close_in_child(fd: RawFd) {
    for entry in &TO_CLOSE {
        if entry.compare_exchange(-1, fd, AcqRel, Relaxed).is_ok() {
            return;
        }
    }
}

/// Forgets a descriptor; to be called before it is closed.
pub(crate) fn keep_in_child(fd: RawFd) {
    for entry in &TO_CLOSE {
        if entry.compare_exchange(fd, -1, AcqRel, Relaxed).is_ok() {
            return;
        }
    }
}

/// Runs in every forked child. Only atomics and `close`: nothing else is allowed between a fork of
/// a threaded process and exec.
extern "C" fn in_child() {
    for entry in &TO_CLOSE {
        let fd = entry.swap(-1, AcqRel);
        if fd >= 0 {
            // SAFETY: the number was entered by a `LockFile` of the parent, and entries are removed
            // before their descriptor is closed, so in this child it is still that file's copy.
            // The child's own `LockFile` value is stale and never touches the number again.
            unsafe { libc::close(fd) };
        }
    }
}

fn word() -> io::Result<&'static AtomicU64> {
    let seen = WORD.load(Acquire);
    let word = if seen.is_null() { publish_word()? } else { seen };
    // SAFETY: `WORD` only ever receives the address of a leaked, readable and writable page, which
    // is aligned and zero-initialised, hence a valid `AtomicU64` for the rest of the process.
    Ok(unsafe { &*word })
}

/// Makes the page. No `Once`: a fork in the middle of one would block the child for ever, while
/// here the loser of a race gives its page back and a repeated handler finds nothing to do.
fn publish_word() -> io::Result<*mut AtomicU64> {
    // SAFETY: `in_child` is a plain function that lives as long as the program.
    let failed = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    let mut page = MmapOptions::new().len(4096).map_anon()?;
    let start = page.as_mut_ptr();
    // SAFETY: the range is exactly the private anonymous mapping that `page` owns.
    if unsafe { libc::madvise(start.cast(), page.len(), libc::MADV_WIPEONFORK) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let word = start.cast::<AtomicU64>();
    match WORD.compare_exchange(ptr::null_mut(), word, AcqRel, Acquire) {
        Ok(_) => {
            std::mem::forget(page);
            Ok(word)
        }
        Err(winner) => Ok(winner),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Forks, runs `child`, which may only do what is safe after a fork of a threaded process,
    /// and returns its exit status.
    pub(crate) fn status_of_child(child: impl FnOnce() -> i32) -> i32 {
        // SAFETY: the child runs only the closure of the test and `_exit`.
        match unsafe { libc::fork() } {
            0 => {
                let status = child();
                // SAFETY: ends the child without running the test harness's exit handlers.
                unsafe { libc::_exit(status) }
            }
            pid => wait_for(pid),
        }
    }

    pub(crate) fn wait_for(pid: i32) -> i32 {
        assert!(pid > 0, "fork failed");
        let mut status = 0;
        // SAFETY: `status` is a valid place for the result.
        let got = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!(got, pid);
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
    }

    #[test]
    fn a_child_sees_the_stamp_stale_and_takes_its_own() {
        let stamp = Stamp::take().unwrap();
        assert!(!stamp.is_stale());
        let status = status_of_child(|| {
            if !stamp.is_stale() {
                return 1;
            }
            match Stamp::take() {
                Ok(own) if !own.is_stale() && stamp.is_stale() => 0,
                _ => 2,
            }
        });
        assert_eq!(status, 0);
        assert!(!stamp.is_stale(), "the parent's page is untouched");
    }
}
