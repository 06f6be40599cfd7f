//! Finding the slot of a record whose place is known: cleaning and eviction come from the records.
//!
//! No key is compared and no record is read. The caller protects the segment of the location, so
//! that the location cannot come to mean another record meanwhile.

use crate::layout::bucket::Bucket;
use crate::layout::word::{Location, SlotRef, SlotWord};
use crate::sync::Acquire;
use crate::table::{BrokenChain, Chain};

/// The slot that refers to the record at `location`, and its word. None: no slot did at some
/// instant of the search, because the record is not published yet or not in the index any more.
/// `hash` is the low half of the key's hash.
pub(crate) fn locate(
    buckets: &[Bucket],
    primaries: usize,
    hash: u32,
    location: Location,
) -> Result<Option<(SlotRef, SlotWord)>, BrokenChain> {
    let primary = hash as usize & (primaries - 1);
    let chain = Chain::walk(buckets, primary as u32)?;
    for place in chain.slots() {
        let word = SlotWord(buckets[place.bucket()].slots[place.slot()].load(Acquire));
        if !word.is_empty() && word.location() == location {
            return Ok(Some((place, word)));
        }
    }
    Ok(None)
}
