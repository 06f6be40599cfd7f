//! Passing over all entries.
//!
//! A pass takes the chains of the table with which it began. When the table has grown since, the
//! chains that one became are taken together, so an entry that is there all the time is met.

use std::collections::VecDeque;

use crate::error::Result;
use crate::layout::word::{HIDDEN_TAG, HeaderWord, SlotWord};
use crate::region::Kind;
use crate::region::iter::Entry;
use crate::region::read_only::Observed;
use crate::region::read_only::search::Seen;
use crate::region::statistics::Slots;
use crate::sync::{Acquire, AtomicU64};
use crate::table::Chain;

/// Chains that an estimate looks at.
const SAMPLE: u64 = 1 << 16;

/// Iterator over copies of the entries that have a value:
/// [`ReadOnlyRegion::iter`](crate::ReadOnlyRegion::iter).
#[derive(Debug)]
pub struct ReadOnlyIter<'r> {
    region: &'r Observed,
    /// Chains of the table with which it began, and the next of them.
    chains: u64,
    next: u64,
    copied: VecDeque<Entry>,
}

impl<'r> ReadOnlyIter<'r> {
    pub(super) fn new(region: &'r Observed) -> Self {
        let chains = 1 << region.words().table.load(Acquire).min(63);
        Self { region, chains, next: 0, copied: VecDeque::new() }
    }

    fn fill(&mut self) -> Result<()> {
        let mut found = Vec::new();
        while self.copied.is_empty() && self.next < self.chains {
            let (chain, chains) = (self.next, self.chains);
            self.next += 1;
            self.region.in_current_table(|log2| {
                found.clear();
                let table = self.region.table(log2)?;
                let parts = (chain..table.primaries() as u64).step_by(chains as usize);
                parts
                    .into_iter()
                    .try_for_each(|part| self.region.copy_chain(log2, part as u32, &mut found))
            })?;
            self.copied.extend(found.drain(..));
        }
        Ok(())
    }
}

impl Iterator for ReadOnlyIter<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        if let Err(error) = self.fill() {
            self.next = self.chains;
            return Some(Err(error));
        }
        self.copied.pop_front().map(Ok)
    }
}

impl Observed {
    /// Number of slots in use.
    pub(super) fn count_slots(&self) -> Result<Slots> {
        self.count_in_chains(u64::MAX)
    }

    /// The same, from a sample: hashes spread entries evenly over the chains.
    pub(super) fn estimate_slots(&self) -> Result<Slots> {
        self.count_in_chains(SAMPLE)
    }

    fn count_in_chains(&self, at_most: u64) -> Result<Slots> {
        self.in_current_table(|log2| {
            let mut count = Slots::default();
            let chains = self.table(log2)?.primaries();
            let step = (chains as u64).div_ceil(at_most).max(1);
            for chain in (0..chains).step_by(step as usize) {
                self.visit_chain(log2, chain as u32, &mut |_, slot| {
                    count.add(SlotWord(slot.load(Acquire)));
                    Ok(true)
                })?;
            }
            Ok(Slots { visible: count.visible * step, hidden: count.hidden * step })
        })
    }

    /// Copies the entries of a chain, wherever it is by now.
    fn copy_chain(&self, log2: u32, chain: u32, found: &mut Vec<Entry>) -> Result<()> {
        let mut buffer = Vec::new();
        self.visit_chain(log2, chain, &mut |header, slot| {
            loop {
                let word = SlotWord(slot.load(Acquire));
                if word.tag() <= HIDDEN_TAG {
                    return Ok(true);
                }
                match self.look(slot, word, header, &mut buffer, |_| true)? {
                    Seen::Record(record) => {
                        let token = self.seen(&record)?;
                        if let Some(token) = token.filter(|token| token.kind == Kind::Value) {
                            let (key, value) = (record.key().to_vec(), record.value().to_vec());
                            found.push(Entry { key, value, token });
                        }
                        return Ok(true);
                    }
                    Seen::Nothing => return Ok(true),
                    Seen::Changed => {}
                    Seen::Moved => return Ok(false),
                }
            }
        })
    }

    /// Shows `f` the slots of a chain with the chain's header; if it is moved, or `f` says that it
    /// is, those of the two chains that it became. Entries of a chain that moves in the middle are
    /// met twice.
    fn visit_chain(
        &self,
        log2: u32,
        chain: u32,
        f: &mut dyn FnMut(&AtomicU64, &AtomicU64) -> Result<bool>,
    ) -> Result<()> {
        let table = self.table(log2)?;
        let header = &table.buckets[chain as usize].header;
        let here = !HeaderWord(header.load(Acquire)).is_moved() && {
            let walked = Chain::walk(table.buckets, chain);
            let slots = walked.map_err(|_| self.damaged_bucket(chain))?;
            let mut slots = slots.slots();
            slots.try_fold(true, |here, place| {
                let slot = &table.buckets[place.bucket()].slots[place.slot()];
                Ok::<_, crate::Error>(here && f(header, slot)?)
            })?
        };
        if here {
            return Ok(());
        }
        self.visit_chain(log2 + 1, chain, f)?;
        self.visit_chain(log2 + 1, chain + (1 << log2), f)
    }
}
