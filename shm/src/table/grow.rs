//! Moving a chain to the next table, by any number of threads at once, each of which may stop or
//! die anywhere.
//!
//! Steps, every one of them repeatable by anybody:
//! 1. finish a pending insert and CAS the header from idle to *frozen*: no insert is claimed;
//! 2. set the frozen bit in every link and every slot of the chain: all its words are final, since
//!    each change is a CAS from a word without that bit;
//! 3. copy each occupied word, without the bit, into one of the two chains that hash bit `log2`
//!    tells apart, by a CAS from 0. The place follows from the words alone: the n-th word of a
//!    child goes to its n-th slot;
//! 4. CAS the header from frozen to *moved*: from now on the children are in force.
//!
//! | killed after | seen by others | who repairs |
//! |---|---|---|
//! | header frozen | readers read on, writers move the chain | the next writer, or its next mover |
//! | a link or slot frozen | the same | the same |
//! | a word copied | the same; nobody looks at the children | the same |
//! | header moved | the chain is in the next table | - |
//!
//! Why stale helpers are harmless: a slot of the next table is 0 only before its first use, and
//! never again. All places of copies were filled before the chain was moved, so a later CAS from 0
//! fails, and so does the one of the header. Overflow buckets for the copies are linked by the CAS
//! that everybody uses, and were linked before the chain was moved as well.
//!
//! Why a frozen word may be followed: while the chain is not moved, nobody changes anything in
//! force for its keys, so every record that a frozen word names is in the index. Whoever has
//! announced its hazard and then finds the header not moved has announced it before the record can
//! be unlinked. All of these accesses are `SeqCst`.

use crate::crash;
use crate::layout::bucket::{Bucket, MAX_OVERFLOW, SLOTS};
use crate::layout::thread::InsertDescriptor;
use crate::layout::word::{HeaderWord, LINK_FROZEN, Location, SlotWord};
use crate::reclaim::hazard::Hazard;
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst};
use crate::table::overflow::{self, Extended};
use crate::table::{BrokenChain, View, insert, linked};

/// What moving a chain needs to know of its region.
pub(crate) trait Contents {
    type Error;

    /// Where helpers find the insert of a thread.
    fn descriptor(&self, thread: u32) -> Option<&InsertDescriptor>;

    /// Counts an insert that was set aside, since nothing describes it.
    fn note_set_aside(&self);

    /// Finishes the insert that a pending header names, or sets it aside.
    fn help_or_set_aside(&self, buckets: &[Bucket], primary: u32, seen: HeaderWord) {
        let descriptor = self.descriptor(seen.thread());
        let helped = descriptor.map(|it| insert::help(buckets, primary, seen, it));
        if helped != Some(Ok(())) && insert::set_aside(buckets, primary, seen) {
            self.note_set_aside();
        }
    }

    /// Low half of the hash of a record's key.
    ///
    /// # Safety
    /// A hazard of the caller protects the record.
    unsafe fn hash_of(&self, location: Location) -> Result<u32, Self::Error>;
}

/// Words of the calling thread that moving uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mover<'t> {
    /// Clear before and after.
    pub(crate) hazard: Hazard<'t>,
    /// Its `overflow_claim` word.
    pub(crate) claim: &'t AtomicU64,
}

/// Why a chain was not moved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stuck<E> {
    /// A word that nobody writes: the file is damaged.
    Broken,
    /// The next table has no overflow bucket left.
    Full,
    /// A record could not be read.
    Record(E),
}

impl<E> From<BrokenChain> for Stuck<E> {
    fn from(_: BrokenChain) -> Self {
        Self::Broken
    }
}

/// Longest chain in slots.
const MOST: usize = SLOTS * (1 + MAX_OVERFLOW);

/// Moves the chain of bucket `primary` to the table `new` of twice the size. When this returns, it
/// is moved, by this thread or by others. Lock-free.
pub(crate) fn move_chain<C: Contents>(
    contents: &C,
    old: View<'_>,
    new: View<'_>,
    primary: u32,
    mover: Mover<'_>,
) -> Result<(), Stuck<C::Error>> {
    let Some(frozen) = freeze_header(contents, old, primary)? else {
        return Ok(());
    };
    let mut words = [SlotWord(0); MOST];
    freeze(old, primary, &mut words)?;
    let copied = copy(contents, old, new, primary, frozen, &words, mover);
    mover.hazard.clear();
    if copied? {
        let header = &old.buckets[primary as usize].header;
        let _ = header.compare_exchange(frozen.0, frozen.moved().0, SeqCst, Relaxed);
        crash::point("grow.moved");
    }
    Ok(())
}

/// Step 1. The frozen header, or `None` if the chain is moved.
fn freeze_header<C: Contents>(
    contents: &C,
    old: View<'_>,
    primary: u32,
) -> Result<Option<HeaderWord>, Stuck<C::Error>> {
    let word = &old.buckets[primary as usize].header;
    loop {
        let header = HeaderWord(word.load(SeqCst));
        if header.is_moved() {
            return Ok(None);
        }
        if header.is_frozen() {
            return Ok(Some(header));
        }
        if header.is_pending() {
            contents.help_or_set_aside(old.buckets, primary, header);
        } else if word.compare_exchange(header.0, header.frozen().0, SeqCst, Relaxed).is_ok() {
            crash::point("grow.frozen");
            return Ok(Some(header.frozen()));
        }
    }
}

/// Step 2. Fills `words` with the final words of the slots in scan order.
fn freeze(old: View<'_>, primary: u32, words: &mut [SlotWord; MOST]) -> Result<(), BrokenChain> {
    let mut number = u64::from(primary);
    for words in words.chunks_exact_mut(SLOTS) {
        let bucket = old.buckets.get(number as usize).ok_or(BrokenChain)?;
        for (slot, word) in bucket.slots.iter().zip(words) {
            // Most chains are frozen once: whoever comes second need not write.
            let mut seen = SlotWord(slot.load(Acquire));
            if !seen.is_frozen() {
                seen = SlotWord(slot.fetch_or(SlotWord(0).frozen().0, SeqCst));
                crash::point("grow.slot");
            }
            *word = seen.thawed();
        }
        let mut link = bucket.link.load(Acquire);
        if link & LINK_FROZEN == 0 {
            link = bucket.link.fetch_or(LINK_FROZEN, SeqCst);
            crash::point("grow.link");
        }
        match linked(link) {
            Some(next) => number = next,
            None => return Ok(()),
        }
    }
    Err(BrokenChain)
}

/// Step 3. False if the chain was moved by others meanwhile.
fn copy<C: Contents>(
    contents: &C,
    old: View<'_>,
    new: View<'_>,
    primary: u32,
    frozen: HeaderWord,
    words: &[SlotWord; MOST],
    mover: Mover<'_>,
) -> Result<bool, Stuck<C::Error>> {
    let header = &old.buckets[primary as usize].header;
    let second = primary as usize + old.primaries();
    let mut children = [primary as usize, second].map(|bucket| Child { bucket, filled: 0 });
    for word in words.iter().filter(|word| !word.is_empty()) {
        mover.hazard.announce(word.location().segment());
        if header.load(SeqCst) != frozen.0 {
            return Ok(false);
        }
        // SAFETY: the hazard was announced before the header was found not moved, and until it is
        // moved nobody takes the record out of the index.
        let hash = unsafe { contents.hash_of(word.location()) }.map_err(Stuck::Record)?;
        if old.primary(u64::from(hash)) != primary {
            return Err(Stuck::Broken);
        }
        children[(hash >> old.log2 & 1) as usize].add(new, *word, mover.claim)?;
    }
    Ok(true)
}

/// How far one of the two new chains is filled.
struct Child {
    /// Bucket of the last word.
    bucket: usize,
    filled: usize,
}

impl Child {
    fn add<E>(&mut self, new: View<'_>, word: SlotWord, claim: &AtomicU64) -> Result<(), Stuck<E>> {
        if self.filled > 0 && self.filled.is_multiple_of(SLOTS) {
            self.bucket = next(new, self.bucket, claim)?;
        }
        let slot = &new.buckets[self.bucket].slots[self.filled % SLOTS];
        self.filled += 1;
        if slot.compare_exchange(0, word.0, SeqCst, Relaxed).is_ok() {
            crash::point("grow.copied");
        }
        Ok(())
    }
}

/// The bucket behind `bucket` in the next table, which needs one.
fn next<E>(new: View<'_>, bucket: usize, claim: &AtomicU64) -> Result<usize, Stuck<E>> {
    let link = &new.buckets[bucket].link;
    if linked(link.load(Acquire)).is_none()
        && overflow::extend(new, claim, bucket as u32, usize::MAX) == Extended::Full
    {
        return Err(Stuck::Full);
    }
    let next = linked(link.load(Acquire)).ok_or(Stuck::Broken)?;
    usize::try_from(next).ok().filter(|&next| next < new.buckets.len()).ok_or(Stuck::Broken)
}

#[cfg(all(test, vug_loom))]
mod loom_tests;
