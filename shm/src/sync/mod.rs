//! Layer 0: the one door to atomics.
//!
//! Everything that touches shared words imports its atomics from here, so that a build with
//! `--cfg vug_loom` runs the same algorithms under the loom model checker. Under loom the shared
//! structures live on the heap and have other sizes; the layout assertions are switched off there.

pub(crate) mod prefetch;

#[cfg(not(vug_loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(vug_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

pub(crate) use Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Raises `word` to `value` if it is lower. Lock-free; a lost race means another raised it further.
pub(crate) fn raise(word: &AtomicU64, value: u64) {
    let mut seen = word.load(Acquire);
    while seen < value {
        match word.compare_exchange_weak(seen, value, SeqCst, Acquire) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// Lowers `word` to `value` if it is higher.
pub(crate) fn lower(word: &AtomicU64, value: u64) {
    let mut seen = word.load(Acquire);
    while seen > value {
        match word.compare_exchange_weak(seen, value, SeqCst, Acquire) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// Adds to a statistic that only the calling thread writes: no locked instruction.
pub(crate) fn bump(word: &AtomicU64, by: u64) {
    word.store(word.load(Relaxed).wrapping_add(by), Relaxed);
}
