//! Sleeping on a shared word until another process wakes, without a lock.
//!
//! The futexes are shared ones (not `FUTEX_PRIVATE`): the kernel finds the sleepers by the page of
//! the file, so it does not matter at which address each process has mapped it.

use core::ptr;
use std::time::Instant;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

use crate::sync::AtomicU32;

/// How a wait ended. None of them says that the awaited thing is there: look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Woken by `wake`, by a signal or for no reason.
    Woken,
    /// The word did not have the expected value, so there was no sleep.
    Changed,
    /// The deadline passed.
    TimedOut,
}

/// Sleeps while `*word == expected`, until a wake whose mask shares a bit with `mask`.
///
/// The kernel compares and goes to sleep in one step with respect to [`wake`]: a waker that changes
/// the word first and wakes second is never missed. A mask of 0 is taken as "any".
pub(crate) fn wait(word: &AtomicU32, expected: u32, mask: u32, deadline: Option<Instant>) -> Wait {
    let until = match deadline.map(monotonic) {
        None | Some(None) => None,
        Some(Some(until)) => Some(until),
    };
    let timeout =
        until.as_ref().map_or(ptr::null(), |t| ptr::from_ref::<libc::timespec>(t.as_ref()));
    // SAFETY: `word` is a live, aligned 32-bit word for the whole call; `timeout` is null or points
    // to `until`, which outlives the call; the kernel reads both and writes neither.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            ptr::from_ref(word).cast::<u32>(),
            libc::FUTEX_WAIT_BITSET,
            expected,
            timeout,
            ptr::null::<u32>(),
            any_if_empty(mask),
        )
    };
    if result == 0 {
        return Wait::Woken;
    }
    match nix::errno::Errno::last() {
        nix::errno::Errno::EAGAIN => Wait::Changed,
        nix::errno::Errno::ETIMEDOUT => Wait::TimedOut,
        _ => Wait::Woken,
    }
}

/// Longest list [`wait_any`] takes.
pub(crate) const MOST_WORDS: usize = libc::FUTEX_WAITV_MAX as usize;

/// Sleeps while every word has the value beside it, until a wake of one of them. `None`: this
/// kernel cannot wait for several words (before Linux 5.16, and some sandboxes).
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], deadline: Instant) -> Option<Wait> {
    let entry = |&(word, expected): &(&AtomicU32, u32)| Entry {
        expected: u64::from(expected),
        address: ptr::from_ref(word) as u64,
        flags: SIZE_U32,
        reserved: 0,
    };
    let entries: Vec<Entry> = words.iter().take(MOST_WORDS).map(entry).collect();
    let until = monotonic(deadline);
    let timeout =
        until.as_ref().map_or(ptr::null(), |t| ptr::from_ref::<libc::timespec>(t.as_ref()));
    // SAFETY: the list and what it points to, live and aligned 32-bit words, outlive the call;
    // `timeout` is null or points to `until`; the kernel reads all of them and writes none.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            entries.as_ptr(),
            entries.len(),
            0,
            timeout,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result >= 0 {
        return Some(Wait::Woken);
    }
    match nix::errno::Errno::last() {
        nix::errno::Errno::ENOSYS | nix::errno::Errno::EPERM => None,
        nix::errno::Errno::EAGAIN => Some(Wait::Changed),
        nix::errno::Errno::ETIMEDOUT => Some(Wait::TimedOut),
        _ => Some(Wait::Woken),
    }
}

/// `struct futex_waitv` of the kernel.
#[repr(C)]
struct Entry {
    expected: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// `FUTEX2_SIZE_U32`: shared, four bytes.
const SIZE_U32: u32 = 2;

/// Wakes at most `count` sleepers whose mask shares a bit with `mask`; returns how many.
///
/// Costs a system call even when nobody sleeps: keep a word that says whether somebody does.
pub(crate) fn wake(word: &AtomicU32, count: u32, mask: u32) -> u32 {
    let count = count.min(i32::MAX as u32);
    // SAFETY: `word` is a live, aligned 32-bit word; waking only uses its address.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            ptr::from_ref(word).cast::<u32>(),
            libc::FUTEX_WAKE_BITSET,
            count,
            ptr::null::<libc::timespec>(),
            ptr::null::<u32>(),
            any_if_empty(mask),
        )
    };
    u32::try_from(result).unwrap_or(0)
}

/// The kernel refuses an empty mask.
fn any_if_empty(mask: u32) -> u32 {
    if mask == 0 { u32::MAX } else { mask }
}

/// The deadline on the clock that `FUTEX_WAIT_BITSET` uses; `None` if it is too far to count.
fn monotonic(deadline: Instant) -> Option<TimeSpec> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?;
    let left = deadline.saturating_duration_since(Instant::now());
    let nanos = i64::from(left.subsec_nanos()) + now.tv_nsec();
    let seconds = i64::try_from(left.as_secs()).ok()?.checked_add(now.tv_sec())?;
    let seconds = seconds.checked_add(nanos / 1_000_000_000)?;
    Some(TimeSpec::new(seconds, nanos % 1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Ordering::{Acquire, SeqCst};
    use std::time::Duration;

    #[test]
    fn a_changed_word_does_not_sleep_and_a_past_deadline_ends_the_wait() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, 0, None), Wait::Changed);
        assert_eq!(wait(&word, 1, 0, Some(Instant::now())), Wait::TimedOut);
        assert_eq!(wake(&word, u32::MAX, 0), 0);
    }

    #[test]
    fn a_wake_of_any_word_ends_the_wait() {
        let words = [AtomicU32::new(1), AtomicU32::new(2)];
        let list = |a, b| [(&words[0], a), (&words[1], b)];
        let Some(wait) = wait_any(&list(1, 2), Instant::now()) else {
            println!("skipped: this kernel has no futex_waitv");
            return;
        };
        assert_eq!(wait, Wait::TimedOut);
        let later = || Instant::now() + Duration::from_secs(60);
        assert_eq!(wait_any(&list(1, 3), later()), Some(Wait::Changed));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while words[1].load(Acquire) == 2 {
                    assert_ne!(wait_any(&list(1, 2), later()), Some(Wait::TimedOut));
                }
            });
            words[1].store(3, SeqCst);
            wake(&words[1], u32::MAX, 0b100);
        });
    }

    #[test]
    fn the_waker_reaches_the_sleeper() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Acquire) == 0 {
                    let deadline = Instant::now() + Duration::from_secs(60);
                    assert_ne!(wait(&word, 0, 0b10, Some(deadline)), Wait::TimedOut);
                }
            });
            word.store(1, SeqCst);
            wake(&word, u32::MAX, 0b10);
        });
    }
}
