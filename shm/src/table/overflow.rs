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
use crate::layout::bucket::Bucket;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, SeqCst};

/// Adds an overflow bucket behind `parent` unless one is there. False: the arena is used up.
/// `claim` is the calling thread's `overflow_claim` word.
pub(crate) fn extend(
    buckets: &[Bucket],
    primaries: usize,
    hint: &AtomicU64,
    claim: &AtomicU64,
    parent: u32,
) -> bool {
    let link = &buckets[parent as usize].link;
    let arena = buckets.len() - primaries;
    let start = hint.load(Relaxed) as usize;
    for step in 0..arena {
        if link.load(Acquire) != 0 {
            return true;
        }
        let position = (start % arena + step) % arena;
        let number = primaries + position;
        let header = &buckets[number].header;
        if header.load(Acquire) != 0 {
            continue;
        }
        claim.store(number as u64 + 1, Release);
        crash::point("overflow.described");
        if header.compare_exchange(0, u64::from(parent) + 1, SeqCst, Relaxed).is_ok() {
            crash::point("overflow.claimed");
            attach(buckets, number, parent);
            hint.store(position as u64 + 1, Relaxed);
            claim.store(0, Release);
            return true;
        }
        claim.store(0, Release);
    }
    link.load(Acquire) != 0
}

/// Links a claimed bucket to its parent, or gives it back if the parent got another meanwhile.
fn attach(buckets: &[Bucket], number: usize, parent: u32) {
    let link = &buckets[parent as usize].link;
    let mine = number as u64 + 1;
    let linked = link.compare_exchange(0, mine, SeqCst, Acquire);
    crash::point("overflow.linked");
    if linked.is_err_and(|found| found != mine) {
        // Fails harmlessly if recovery released it and somebody claimed it again for another
        // parent; for the same parent nobody can, its link is set.
        let header = &buckets[number].header;
        let _ = header.compare_exchange(u64::from(parent) + 1, 0, SeqCst, Relaxed);
    }
}

/// Ends the claim that a dead thread left in its `overflow_claim` word.
pub(crate) fn recover(buckets: &[Bucket], primaries: usize, claim: &AtomicU64) {
    let number = claim.load(Acquire);
    if let Some(number) = number.checked_sub(1).map(|n| n as usize)
        && (primaries..buckets.len()).contains(&number)
    {
        let parent = buckets[number].header.load(Acquire);
        if let Some(parent) = parent.checked_sub(1)
            && (parent as usize) < buckets.len()
        {
            attach(buckets, number, parent as u32);
        }
    }
    claim.store(0, Release);
}

#[cfg(all(test, vug_loom))]
mod loom_tests;
