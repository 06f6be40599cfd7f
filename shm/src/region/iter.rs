//! Iteration: a walk over the index, bucket chain by bucket chain.
//!
//! A key never changes its slot, so one that is present all the time is met. The walk protects one
//! entry at a time with a guard's hazard word and blocks nobody.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::Result;
use crate::heap::record::Record;
use crate::layout::word::{HIDDEN_TAG, SlotRef, SlotWord};
use crate::reclaim::hazard::Hazard;
use crate::region::mapped::Mapped;
use crate::region::{Kind, Token};
use crate::sync::Acquire;
use crate::table::Chain;

/// An entry lent to a visitor; valid during the call.
#[derive(Debug, Clone, Copy)]
pub struct EntryView<'a> {
    /// Key.
    pub key: &'a [u8],
    /// Value; empty for kinds without one.
    pub value: &'a [u8],
    /// State of the entry.
    pub token: Token,
    pub(crate) record: Record<'a>,
}

impl<'a> EntryView<'a> {
    pub(crate) fn new(record: &Record<'a>, token: Token) -> Self {
        Self { key: record.key(), value: record.value(), token, record: *record }
    }
}

/// A copied entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Key.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
    /// State of the entry when it was copied.
    pub token: Token,
}

impl Mapped {
    /// Number of slots that hold a visible entry.
    pub(crate) fn count_entries(&self) -> u64 {
        let occupied = |bucket: &crate::layout::bucket::Bucket| {
            let slots = bucket.slots.iter().map(|slot| SlotWord(slot.load(Acquire)).tag());
            slots.filter(|&tag| tag > HIDDEN_TAG).count() as u64
        };
        self.buckets.iter().map(occupied).sum()
    }

    /// Visits the entries of all kinds from chain `cursor` on until `f` breaks. Returns the chain
    /// to go on with, `None` at the end. The chain in which `f` broke is visited again.
    pub(crate) fn scan(
        self: &Arc<Self>,
        cursor: u64,
        mut f: impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<Option<u64>> {
        let held = self.held()?;
        for primary in cursor..self.primaries as u64 {
            if self.scan_chain(primary as u32, held.hazard(), &mut f)?.is_break() {
                return Ok(Some(primary));
            }
        }
        Ok(None)
    }

    fn scan_chain(
        &self,
        primary: u32,
        hazard: Hazard<'_>,
        f: &mut impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let chain =
            Chain::walk(&self.buckets, primary).map_err(|_| self.damaged_bucket(primary))?;
        for slot in chain.slots() {
            if let Some(record) = self.protect_slot(slot, hazard)? {
                let token = self.token(&record)?;
                if f(EntryView::new(&record, token)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The record a slot refers to, protected by `hazard` until its next use.
    fn protect_slot<'m>(&'m self, slot: SlotRef, hazard: Hazard<'m>) -> Result<Option<Record<'m>>> {
        let slot = &self.buckets[slot.bucket()].slots[slot.slot()];
        let mut word = SlotWord(slot.load(Acquire));
        loop {
            if word.is_empty() {
                return Ok(None);
            }
            match hazard.protect(slot, word) {
                Err(now) => word = now,
                // SAFETY: `protect` proved that the slot referred to the record after the hazard
                // was visible; the record is used only until the hazard is set anew.
                Ok(()) => return unsafe { Record::read(&self.log, word.location()) }.map(Some),
            }
        }
    }
}

/// Iterator over copies of the entries that have a value: [`Region::iter`](crate::Region::iter).
#[derive(Debug)]
pub struct Iter<'r> {
    region: &'r Arc<Mapped>,
    next: Option<u64>,
    copied: VecDeque<Entry>,
}

/// Entries copied per step.
const BATCH: usize = 64;

impl<'r> Iter<'r> {
    pub(crate) fn new(region: &'r Arc<Mapped>) -> Self {
        Self { region, next: Some(0), copied: VecDeque::new() }
    }

    /// Copies the next chains that hold something, whole chains only.
    fn fill(&mut self) -> Result<()> {
        while let (Some(cursor), true) = (self.next, self.copied.is_empty()) {
            let end = (cursor + BATCH as u64).min(self.region.primaries as u64);
            for primary in cursor..end {
                let (region, copied) = (self.region, &mut self.copied);
                self.region.copy_chain(primary as u32, &mut |view| {
                    let seen = region.seen(&view.record, view.token);
                    if seen.is_some_and(|token| token.kind == Kind::Value) {
                        copied.push_back(Entry {
                            key: view.key.to_vec(),
                            value: view.value.to_vec(),
                            token: view.token,
                        });
                    }
                    ControlFlow::Continue(())
                })?;
            }
            self.next = (end < self.region.primaries as u64).then_some(end);
        }
        Ok(())
    }
}

impl Mapped {
    fn copy_chain(
        self: &Arc<Self>,
        primary: u32,
        f: &mut impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        // The visitor only copies, so an operation's hazard does.
        let context = self.context()?;
        let hazard = self.hazard(&context, 0);
        let visited = self.scan_chain(primary, hazard, f);
        hazard.clear();
        visited.map(|_| ())
    }
}

impl Iterator for Iter<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        if let Err(error) = self.fill() {
            self.next = None;
            return Some(Err(error));
        }
        self.copied.pop_front().map(Ok)
    }
}
