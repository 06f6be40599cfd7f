//! Insert of a key that is not there: claim the bucket's header, fill the slot, end the claim.
//!
//! A pending header names the inserting thread and its insert number. The thread's descriptor
//! says which slot, which empty word is expected there, and which word goes in. Whoever meets a
//! pending header finishes it: after a claim no inserter waits for its owner.
//!
//! | killed after | seen by others | who repairs |
//! |---|---|---|
//! | descriptor stores | nothing | nobody has to; the next insert overwrites them |
//! | claim | bucket pending, key absent | next inserter or recovery: both CAS |
//! | slot CAS | bucket pending, key present | next inserter or recovery: ends the claim |
//! | end of claim | done | - |
//!
//! A descriptor that does not describe the insert its header names, while the header stays as it
//! is, was damaged: its owner changes it only after the insert has ended. Then the claim is *set
//! aside*: it ends without the slot, once, by one CAS of the header, so that the chain is of use to
//! everybody else. Whether the key is there then is what the slots say.
//!
//! Orderings. Descriptor stores are `Release` and helper loads `Acquire`, so a helper that read
//! any field of a *later* insert also sees that the header has moved on and gives up. The claim is
//! `SeqCst` (it is the decision); the slot CAS is `SeqCst` because readers validate hazards
//! against it (see `reclaim`).

use crate::crash;
use crate::layout::bucket::Bucket;
use crate::layout::thread::InsertDescriptor;
use crate::layout::word::{HeaderWord, SlotRef, SlotWord};
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, SeqCst};
use crate::table::BrokenChain;

/// One insert as the owner wants it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Insert {
    /// Primary bucket of the chain.
    pub(crate) primary: u32,
    /// Idle header word read before the scan that found the key absent.
    pub(crate) header: HeaderWord,
    pub(crate) slot: SlotRef,
    /// Empty word that the scan saw there.
    pub(crate) expected: SlotWord,
    pub(crate) new: SlotWord,
}

fn slot_of(buckets: &[Bucket], slot: SlotRef) -> Option<&AtomicU64> {
    buckets.get(slot.bucket())?.slots.get(slot.slot())
}

/// Tries to insert as `thread`. False: another insert was claimed since the scan; scan again.
/// Lock-free; the calling thread owns `descriptor`.
pub(crate) fn insert(
    buckets: &[Bucket],
    thread: u32,
    descriptor: &InsertDescriptor,
    insert: &Insert,
) -> bool {
    let Some(slot) = slot_of(buckets, insert.slot) else {
        return false;
    };
    let sequence = descriptor.sequence.load(Relaxed).wrapping_add(1);
    descriptor.slot.store(insert.slot.to_word(), Release);
    descriptor.expected.store(insert.expected.0, Release);
    descriptor.new.store(insert.new.0, Release);
    descriptor.sequence.store(sequence, Release);
    crash::point("insert.described");

    let header = &buckets[insert.primary as usize].header;
    let pending = insert.header.claim(thread, sequence);
    if header.compare_exchange(insert.header.0, pending.0, SeqCst, Relaxed).is_err() {
        return false;
    }
    crash::point("insert.claimed");
    // A helper may have been faster with either step; both results are the same.
    let _ = slot.compare_exchange(insert.expected.0, insert.new.0, SeqCst, Relaxed);
    crash::point("insert.published");
    let _ = header.compare_exchange(pending.0, pending.finished().0, SeqCst, Relaxed);
    crash::point("insert.finished");
    true
}

/// Finishes the insert that `seen` announces in the header of bucket `primary`.
/// `descriptor` is that of `seen.thread()`. Wait-free.
pub(crate) fn help(
    buckets: &[Bucket],
    primary: u32,
    seen: HeaderWord,
    descriptor: &InsertDescriptor,
) -> Result<(), BrokenChain> {
    let sequence = descriptor.sequence.load(Acquire);
    let slot = descriptor.slot.load(Acquire);
    let expected = descriptor.expected.load(Acquire);
    let new = descriptor.new.load(Acquire);
    let header = &buckets[primary as usize].header;
    if header.load(Acquire) != seen.0 {
        // Finished by another; what was read may belong to the owner's next insert.
        return Ok(());
    }
    if sequence & HeaderWord::SEQUENCE_MASK != seen.sequence() {
        return Err(BrokenChain);
    }
    let slot = SlotRef::from_word(slot).and_then(|slot| slot_of(buckets, slot));
    let slot = slot.ok_or(BrokenChain)?;
    if !SlotWord(expected).is_empty() || SlotWord(new).is_empty() {
        return Err(BrokenChain);
    }
    crash::point("help.read");
    let _ = slot.compare_exchange(expected, new, SeqCst, Relaxed);
    crash::point("help.published");
    let _ = header.compare_exchange(seen.0, seen.finished().0, SeqCst, Relaxed);
    crash::point("help.finished");
    Ok(())
}

/// Ends a claim that its descriptor does not describe. True for the one who did.
#[cold]
pub(crate) fn set_aside(buckets: &[Bucket], primary: u32, seen: HeaderWord) -> bool {
    let header = &buckets[primary as usize].header;
    let ended = header.compare_exchange(seen.0, seen.finished().0, SeqCst, Relaxed).is_ok();
    crash::point("insert.set_aside");
    ended
}

#[cfg(all(test, vug_loom))]
mod loom_tests;
