//! Overflow buckets: claimed from an arena behind the primary buckets and linked for good.
//!
//! A claim is a CAS of the bucket's `header` from 0 to (parent + 1); then the parent's `link` goes
//! from 0 to (number + 1). Links are never taken back while the table lives, so:
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | descriptor store | nothing | recovery clears the word |
//! | claim | claimed, not linked | recovery links it, or releases it if the parent has another |
//! | link | usable | - |
//!
//! A live claimer that recovery of *another* thread cannot see is never touched: recovery looks
//! only at the bucket that the dead thread's `overflow_claim` word names, and at it only if its
//! claim is for a parent that still needs it.

use crate::crash;
use crate::layout::word::SlotRef;
use crate::sync::{Acquire, AtomicU64, Release, SeqCst};
use crate::table::{View, linked};

/// What became of the wish for one more bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extended {
    /// One was added.
    Added,
    /// The link is set, or frozen: look again.
    Changed,
    /// No bucket was found.
    Full,
}

/// Adds an overflow bucket behind `parent` unless one is there. Looks at `probes` buckets at most.
/// `claim` is the calling thread's `overflow_claim` word.
pub(crate) fn extend(table: View<'_>, claim: &AtomicU64, parent: u32, probes: usize) -> Extended {
    let link = &table.buckets[parent as usize].link;
    let primaries = table.primaries();
    let arena = table.buckets.len() - primaries;
    // Spread over the arena as the parents are over the table, so nobody needs a shared hint.
    let start = match (parent as usize).checked_sub(primaries) {
        None => parent as usize * arena / primaries,
        Some(position) => position + 1,
    };
    for step in 0..arena.min(probes) {
        if link.load(Acquire) != 0 {
            return Extended::Changed;
        }
        let number = primaries + (start + step) % arena;
        let header = &table.buckets[number].header;
        if header.load(Acquire) != 0 {
            continue;
        }
        claim.store(SlotRef::new(number as u32, 0).in_table(table.log2).to_word(), Release);
        crash::point("overflow.described");
        if header.compare_exchange(0, u64::from(parent) + 1, SeqCst, Acquire).is_ok() {
            crash::point("overflow.claimed");
            let linked = attach(table, number, parent);
            claim.store(0, Release);
            return if linked { Extended::Added } else { Extended::Changed };
        }
        claim.store(0, Release);
    }
    if link.load(Acquire) == 0 { Extended::Full } else { Extended::Changed }
}

/// Links a claimed bucket to its parent, or gives it back if the parent got another meanwhile, or
/// is frozen. True if it is linked.
fn attach(table: View<'_>, number: usize, parent: u32) -> bool {
    let link = &table.buckets[parent as usize].link;
    let result = link.compare_exchange(0, number as u64 + 1, SeqCst, Acquire);
    crash::point("overflow.linked");
    match result {
        Ok(_) => true,
        Err(found) if linked(found) == Some(number as u64) => true,
        Err(_) => {
            // Fails harmlessly if recovery released it and somebody claimed it again for another
            // parent; for the same parent nobody can, its link is set.
            let header = &table.buckets[number].header;
            let _ = header.compare_exchange(u64::from(parent) + 1, 0, SeqCst, Acquire);
            false
        }
    }
}

/// The bucket and table that an `overflow_claim` word names.
pub(crate) fn claimed(claim: &AtomicU64) -> Option<SlotRef> {
    SlotRef::from_word(claim.load(Acquire))
}

/// Ends the claim that a dead thread left in its `overflow_claim` word, which names this table.
pub(crate) fn recover(table: View<'_>, claim: SlotRef) {
    let number = claim.bucket();
    if !(table.primaries()..table.buckets.len()).contains(&number) {
        return;
    }
    let parent = table.buckets[number].header.load(Acquire);
    if let Some(parent) = parent.checked_sub(1)
        && (parent as usize) < table.buckets.len()
    {
        attach(table, number, parent as u32);
    }
}

#[cfg(all(test, vug_loom))]
mod loom_tests;
