//! Reads of many keys at a time, whose cache misses overlap.
//!
//! A read alone waits twice, for its bucket and for its record. Here the buckets of a batch are
//! asked for at once, then the records that they seem to name, and only then each key is looked up
//! in the ordinary way, which finds most of what it needs in the cache. The first two steps only
//! give hints to the processor: what they saw decides nothing.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{SlotWord, tag_of};
use crate::reclaim::hazard::Hazard;
use crate::region::Kind;
use crate::region::find::AtOnce;
use crate::region::iter::EntryView;
use crate::region::mapped::Mapped;
use crate::region::read::{Broken, count_read};
use crate::region::thread::Mine;
use crate::sync::Relaxed;
use crate::sync::prefetch::prefetch;
use crate::table::{View, linked};

/// Keys whose misses overlap: about as many as a core has line fill buffers.
const BATCH: usize = 16;

impl Mapped {
    pub(crate) fn get_many<K: AsRef<[u8]>>(
        self: &Arc<Self>,
        keys: &[K],
        mut f: impl FnMut(usize, Option<EntryView<'_>>),
    ) -> Result<()> {
        keys.iter().try_for_each(|key| Self::check_key(key.as_ref()))?;
        // A guard's hazard word, since the visitor may use the region.
        let held = self.held()?;
        let mut number = 0;
        for batch in keys.chunks(BATCH) {
            let mut hashes = [0; BATCH];
            for (hash, key) in hashes.iter_mut().zip(batch) {
                *hash = self.hash(key.as_ref());
            }
            let hashes = &hashes[..batch.len()];
            let mine = held.context();
            self.prefetch_all(mine.thread, hashes)?;
            for (key, &hash) in batch.iter().zip(hashes) {
                let found = self.find_value(mine, held.hazard(), hash, key.as_ref());
                let found = found.map_err(|broken| self.damaged(broken))?;
                count_read(mine.thread, found.is_some());
                f(number, found);
                number += 1;
            }
        }
        Ok(())
    }

    #[inline]
    fn find_value<'m>(
        &'m self,
        mine: &Mine<'m>,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<EntryView<'m>>, Broken> {
        let local = mine.local();
        let found = match self.find_at_once(local, hazard, hash, key) {
            AtOnce::Found(hit) => Some(hit),
            AtOnce::Absent => None,
            AtOnce::Unusual => self.find(local, hazard, hash, key)?,
        };
        let Some(hit) = found else {
            return Ok(None);
        };
        let token = self.state_of(&hit, true)?.filter(|token| token.kind == Kind::Value);
        Ok(token.map(|token| EntryView::new(&hit.record.record(&self.log), token)))
    }

    /// Asks for the buckets of all hashes, then for what they seem to name. While the index grows,
    /// keys that are in the next table already are looked up without.
    pub(crate) fn prefetch_all(&self, thread: &ThreadDescriptor, hashes: &[u64]) -> Result<()> {
        let pin = self.pin_table(thread);
        let table = self.table(pin.log2);
        if let Ok(table) = table {
            for &hash in hashes {
                let bucket = &table.buckets[table.primary(hash) as usize];
                prefetch(std::ptr::from_ref(bucket).cast());
            }
            for &hash in hashes {
                self.prefetch_candidate(table, hash);
            }
        }
        pin.release();
        table.map(|_| ())
    }

    /// Asks for the record that probably has the key, else for the next bucket of the chain.
    #[inline]
    fn prefetch_candidate(&self, table: View<'_>, hash: u64) {
        let bucket = &table.buckets[table.primary(hash) as usize];
        let candidates = bucket.slots_with_tag(tag_of(hash));
        if let Some(slot) = bucket.slots.get(candidates.trailing_zeros() as usize) {
            self.log.prefetch_record(SlotWord(slot.load(Relaxed)).location());
        } else if let Some(next) = linked(bucket.link.load(Relaxed))
            && let Some(next) = table.buckets.get(next as usize)
        {
            prefetch(std::ptr::from_ref(next).cast());
        }
    }
}

/// Copies of the values of many keys in one buffer, which
/// [`Region::get_many_into`](crate::Region::get_many_into) fills and which may be used again.
#[derive(Debug, Clone, Default)]
pub struct Values {
    bytes: Vec<u8>,
    ranges: Vec<Option<Range<usize>>>,
}

impl Values {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys were asked for.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether none was asked for.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Value of the key number `index`; `None` if it had none.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.ranges.get(index)?.clone().map(|range| &self.bytes[range])
    }

    /// The values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|index| self.get(index))
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ranges.clear();
    }

    pub(crate) fn push(&mut self, value: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.ranges.push(value.map(|_| start..self.bytes.len()));
    }
}
