//! Which tables an operation may look at.
//!
//! Every operation names the current table in its thread's `table_pin` word: it may look at that
//! table and at all later ones. The store is a plain one, so that reads do not pay for a fence
//! each: whoever wants the memory of an old table pays instead, with a system call that makes
//! every running thread of the system pass a full barrier, and reads the pins afterwards.
//!
//! A thread whose store came before its barrier is seen. One whose store came after it reads the
//! `table` word after the barrier, too, finds that the table is not the current one any more, and
//! names the new one before it has touched anything.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | store of the pin | the table and later ones stay | recovery clears the word |

use crate::sync::{Acquire, AtomicU64, Relaxed, Release};

/// The pin of the running operation of a thread. To be released; one that is not, by a panic, keeps
/// memory until the thread ends.
#[must_use]
#[derive(Debug, Clone, Copy)]
pub(crate) struct TablePin<'t> {
    word: &'t AtomicU64,
    /// An operation inside another one, as from a visitor, leaves the pin to that one.
    outermost: bool,
    /// The current table, a moment ago. Not checked.
    pub(crate) log2: u32,
}

/// Pins the table that `table` names.
#[inline(always)]
pub(crate) fn pin<'t>(word: &'t AtomicU64, table: &AtomicU64) -> TablePin<'t> {
    if word.load(Relaxed) != 0 {
        return TablePin { word, outermost: false, log2: table.load(Acquire) as u32 };
    }
    let mut current = table.load(Relaxed);
    loop {
        word.store(current.wrapping_add(1), Relaxed);
        barrier();
        let now = table.load(Acquire);
        if now == current {
            return TablePin { word, outermost: true, log2: now as u32 };
        }
        current = now;
    }
}

/// Pins the table `known` if it is still the current one and no other operation of the thread runs.
/// Else nothing is pinned. [`unpin`] ends it.
#[inline(always)]
pub(crate) fn pin_known(word: &AtomicU64, table: &AtomicU64, known: u64) -> bool {
    if word.load(Relaxed) != 0 {
        return false;
    }
    word.store(known.wrapping_add(1), Relaxed);
    barrier();
    let current = table.load(Acquire) == known;
    if !current {
        unpin(word);
    }
    current
}

impl<'t> TablePin<'t> {
    /// What [`pin_known`] has pinned.
    pub(crate) fn of_known(word: &'t AtomicU64, known: u64) -> Self {
        Self { word, outermost: true, log2: known as u32 }
    }
}

/// Ends what [`pin_known`] began.
#[inline(always)]
pub(crate) fn unpin(word: &AtomicU64) {
    word.store(0, Release);
}

impl TablePin<'_> {
    /// The operation looks at no table any more.
    #[inline(always)]
    pub(crate) fn release(self) {
        if self.outermost {
            self.word.store(0, Release);
        }
    }
}

/// Keeps the compiler from moving the load before the store; the processor is dealt with by
/// whoever wants the memory.
#[inline(always)]
fn barrier() {
    #[cfg(not(vug_loom))]
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    // loom knows no barrier on behalf of others.
    #[cfg(vug_loom)]
    crate::sync::fence(crate::sync::SeqCst);
}

#[cfg(all(test, vug_loom))]
mod loom_tests;
