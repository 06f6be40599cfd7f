//! Iteration: a walk over the index, bucket chain by bucket chain.
//!
//! A key never changes its slot, so one that is present all the time is met. The walk protects one
//! entry at a time with a guard's hazard word and blocks nobody.
//!
//! # Growth
//!
//! A walk goes over *positions*: the bits of the primary bucket's number in reverse order, at the
//! upper end of 64. A chain covers 2^(64 - n) of them in table n, and its two children one half
//! each, so a position means the same in every table, and what lies below it was visited whatever
//! the index has grown to meanwhile. A chain that is moved during its visit is visited again where
//! it went: an entry may be met twice, but none is left out.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::Result;
use crate::heap::record::Record;
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{HIDDEN_TAG, HeaderWord, SlotWord};
use crate::reclaim::hazard::Hazard;
use crate::region::mapped::Mapped;
use crate::region::statistics::Slots;
use crate::region::{Kind, Region, Token};
use crate::sync::{Acquire, AtomicU64, SeqCst};
use crate::table::pin::TablePin;
use crate::table::{Chain, View};

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

/// How a walk over some chains ended.
enum Walked {
    /// Go on here; `None`: all was visited.
    To(Option<u64>),
    /// The visitor wants no more; this chain is to be visited again.
    BrokeAt(u64),
}

/// What a slot says.
enum Slot<'m> {
    Empty,
    Entry(Record<'m>),
    /// The chain is in the next table.
    Moved,
}

/// The pin of a visit, released also by a panic of the visitor.
struct Visit<'m> {
    region: &'m Mapped,
    pin: TablePin<'m>,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.region.members.is_forked_child() {
            self.pin.release();
        }
    }
}

/// The chain of a table at a position: see the module.
fn chain_at(position: u64, log2: u32) -> u32 {
    (position.reverse_bits() & ((1 << log2) - 1)) as u32
}

/// Positions of a chain of a table: this many.
fn span(log2: u32) -> u64 {
    1 << (64 - log2)
}

impl Mapped {
    /// Number of slots that hold a visible entry.
    pub(crate) fn count_entries(self: &Arc<Self>) -> Result<u64> {
        self.count_words(|word| word.tag() > HIDDEN_TAG)
    }

    /// Number of slots in force, by whether reads see them.
    pub(crate) fn count_slots(self: &Arc<Self>) -> Result<Slots> {
        let context = self.context()?;
        let pin = self.pin_table(self.descriptor(&context));
        let mut slots = Slots::default();
        let counted = self.each_word(pin.log2, |word| slots.add(word));
        pin.release();
        counted.map(|()| slots)
    }

    /// Number of slots in force whose words are of a kind.
    pub(crate) fn count_words(self: &Arc<Self>, counts: impl Fn(SlotWord) -> bool) -> Result<u64> {
        let context = self.context()?;
        let pin = self.pin_table(self.descriptor(&context));
        let mut count = 0;
        let counted = self.each_word(pin.log2, |word| count += u64::from(counts(word)));
        pin.release();
        counted.map(|()| count)
    }

    /// Visits the entries of all kinds from position `cursor` on until `f` breaks. Returns the
    /// position to go on with, `None` at the end. The chain in which `f` broke is visited again.
    pub(crate) fn scan(
        self: &Arc<Self>,
        cursor: u64,
        mut f: impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<Option<u64>> {
        let held = self.held()?;
        let thread = self.descriptor(held.context());
        let mut next = Some(cursor);
        while let Some(position) = next {
            match self.walk_at(thread, position, held.hazard(), &mut f)? {
                Walked::To(position) => next = position,
                Walked::BrokeAt(position) => return Ok(Some(position)),
            }
        }
        Ok(None)
    }

    /// Visits the chain at a position, or its children from the position on if it is moved.
    fn walk_at(
        &self,
        thread: &ThreadDescriptor,
        position: u64,
        hazard: Hazard<'_>,
        f: &mut impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<Walked> {
        // For each chain anew, so that a long walk does not keep an old table.
        let visit = Visit { region: self, pin: self.pin_table(thread) };
        let log2 = visit.pin.log2;
        self.table(log2)?;
        let first = position & !(span(log2) - 1);
        Ok(match self.walk_tree(log2, first, position, hazard, f)? {
            Some(broke) => Walked::BrokeAt(broke),
            None => Walked::To(first.checked_add(span(log2))),
        })
    }

    /// Visits what lies in the chain of table `log2` at position `first`, from `from` on. Some =
    /// the visitor broke there.
    fn walk_tree(
        &self,
        log2: u32,
        first: u64,
        from: u64,
        hazard: Hazard<'_>,
        f: &mut impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<Option<u64>> {
        let table = self.table(log2)?;
        let primary = chain_at(first, log2);
        let header = &table.buckets[primary as usize].header;
        if !HeaderWord(header.load(Acquire)).is_moved() {
            match self.walk_chain(table, primary, hazard, f)? {
                Some(ControlFlow::Break(())) => return Ok(Some(first)),
                Some(ControlFlow::Continue(())) => return Ok(None),
                None => {}
            }
        }
        let second = first + span(log2 + 1);
        for (child, end) in [(first, second), (second, first.wrapping_add(span(log2)))] {
            // The last position of all is followed by 0.
            if end > from || end == 0 {
                let broke = self.walk_tree(log2 + 1, child, from, hazard, f)?;
                if broke.is_some() {
                    return Ok(broke);
                }
            }
        }
        Ok(None)
    }

    /// Visits one chain. `None`: it was moved meanwhile, its children have to be visited.
    fn walk_chain(
        &self,
        table: View<'_>,
        primary: u32,
        hazard: Hazard<'_>,
        f: &mut impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<Option<ControlFlow<()>>> {
        let header = &table.buckets[primary as usize].header;
        let chain =
            Chain::walk(table.buckets, primary).map_err(|_| self.damaged_bucket(primary))?;
        for place in chain.slots() {
            let slot = &table.buckets[place.bucket()].slots[place.slot()];
            let record = match self.protect_slot(header, slot, hazard)? {
                Slot::Entry(record) => record,
                Slot::Empty => continue,
                Slot::Moved => return Ok(None),
            };
            let token = self.token(&record).map_err(|broken| self.damaged(broken))?;
            if f(EntryView::new(&record, token)).is_break() {
                return Ok(Some(ControlFlow::Break(())));
            }
        }
        Ok(Some(ControlFlow::Continue(())))
    }

    /// What a slot of a chain refers to, protected by `hazard` until its next use.
    fn protect_slot<'m>(
        &'m self,
        header: &AtomicU64,
        slot: &AtomicU64,
        hazard: Hazard<'m>,
    ) -> Result<Slot<'m>> {
        let mut word = SlotWord(slot.load(Acquire));
        loop {
            if word.is_empty() {
                return Ok(Slot::Empty);
            }
            if let Err(now) = hazard.protect(slot, word) {
                word = now;
                continue;
            }
            if word.is_frozen() && HeaderWord(header.load(SeqCst)).is_moved() {
                return Ok(Slot::Moved);
            }
            // SAFETY: `protect` proved that the slot referred to the record after the hazard was
            // visible, and if it is frozen, the header that it was in force; the record is used
            // only until the hazard is set anew.
            return unsafe { Record::read(&self.log, word.location()) }.map(Slot::Entry);
        }
    }
}

impl Region {
    /// Visits some of the entries that are present, with a value or without, from `cursor` on (0:
    /// the first), and returns the cursor to go on with; `None` when all were visited. For
    /// iterations that pause, such as those of other languages: nothing is held in between, and
    /// all parts together see what [`Region::iter`] sees. `f` may use the region.
    ///
    /// # Errors
    /// As [`Region::scan`].
    pub fn scan_part(&self, cursor: u64, mut f: impl FnMut(EntryView<'_>)) -> Result<Option<u64>> {
        let region = &self.mapped;
        let held = region.held()?;
        let thread = region.descriptor(held.context());
        let mut visit = |view: EntryView<'_>| {
            if let Some(token) = region.seen(&view.record, view.token) {
                let value = if token.kind == Kind::Value { view.value } else { &[] };
                f(EntryView { token, value, ..view });
            }
            ControlFlow::Continue(())
        };
        let mut next = Some(cursor);
        for _ in 0..BATCH {
            let Some(position) = next else { break };
            next = match region.walk_at(thread, position, held.hazard(), &mut visit)? {
                Walked::To(position) => position,
                Walked::BrokeAt(position) => Some(position),
            };
        }
        Ok(next)
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
            let (region, copied) = (self.region, &mut self.copied);
            self.next = region.copy_chains(cursor, &mut |view| {
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
        Ok(())
    }
}

/// Iterator over copies of the keys that are present, with a value or without:
/// [`Region::keys`](crate::Region::keys).
#[derive(Debug)]
pub struct Keys<'r> {
    region: &'r Arc<Mapped>,
    next: Option<u64>,
    copied: VecDeque<Vec<u8>>,
}

impl<'r> Keys<'r> {
    pub(crate) fn new(region: &'r Arc<Mapped>) -> Self {
        Self { region, next: Some(0), copied: VecDeque::new() }
    }

    fn fill(&mut self) -> Result<()> {
        while let (Some(cursor), true) = (self.next, self.copied.is_empty()) {
            let (region, copied) = (self.region, &mut self.copied);
            self.next = region.copy_chains(cursor, &mut |view| {
                if region.seen(&view.record, view.token).is_some() {
                    copied.push_back(view.key.to_vec());
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }
}

impl Iterator for Keys<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        if let Err(error) = self.fill() {
            self.next = None;
            return Some(Err(error));
        }
        self.copied.pop_front().map(Ok)
    }
}

impl Mapped {
    /// Visits some chains from a position on; where to go on.
    pub(crate) fn copy_chains(
        self: &Arc<Self>,
        cursor: u64,
        f: &mut impl FnMut(EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<Option<u64>> {
        // The visitor only copies, so an operation's hazard does.
        let context = self.context()?;
        let hazard = self.hazard(&context, 0);
        let mut next = Some(cursor);
        for _ in 0..BATCH {
            let Some(position) = next else { break };
            let walked = self.walk_at(self.descriptor(&context), position, hazard, f);
            hazard.clear();
            next = match walked? {
                Walked::To(position) => position,
                Walked::BrokeAt(position) => Some(position),
            };
        }
        Ok(next)
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
