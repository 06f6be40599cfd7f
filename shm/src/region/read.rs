//! Reads: find an entry, protect it, lend or copy it.
//!
//! A read stores one hazard word, fences, and reads the slot once more; it takes no lock, makes no
//! system call and writes no line that other threads write. It retries only when a writer replaced
//! the very slot it was looking at in between (lock-free). A miss is linearizable: see `table`.

use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::heap::record::{Head, Lent, Record};
use crate::layout::bucket::MAX_OVERFLOW;
use crate::layout::counters::Counter;
use crate::layout::record::MAX_KEY;
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{HIDDEN_TAG, HeaderWord, Location, SlotRef, SlotWord, tag_of};
use crate::reclaim::hazard::Hazard;
use crate::region::guard::{Guard, OwnedGuard, Protection};
use crate::region::index::Place;
use crate::region::mapped::Mapped;
use crate::region::thread::Context;
use crate::region::{Kind, Token};
use crate::sync::{Acquire, AtomicU64, SeqCst};
use crate::table::linked;

/// An entry in the index whose segment the hazard of the search protects.
#[derive(Debug)]
pub(crate) struct Found<'m> {
    pub(crate) slot: &'m AtomicU64,
    pub(crate) place: SlotRef,
    pub(crate) word: SlotWord,
    pub(crate) record: Record<'m>,
}

/// What a search found impossible. Small and without a destructor, unlike the [`Error`] that it
/// becomes: results of searches are moved about on every operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Broken {
    Table(u32),
    Bucket(u32),
    Record(Location),
    Kind(u8),
}

/// Result of a writer's search: the entry, or the first empty slot of the chain.
#[derive(Debug)]
pub(crate) enum Search<'m> {
    Found(Found<'m>),
    /// The chain is being moved to the next table.
    Frozen,
    Absent {
        empty: Option<(SlotRef, SlotWord)>,
        last: u32,
        full_length: bool,
    },
}

impl Mapped {
    pub(crate) fn check_key(key: &[u8]) -> Result<()> {
        if (1..=MAX_KEY).contains(&key.len()) {
            Ok(())
        } else {
            Err(Error::InvalidKey { len: key.len() })
        }
    }

    /// Searches the chain of `hash` in the table of `place` for a writer, hidden entries included.
    /// On `Found` the hazard stays set, else it is clear.
    #[inline]
    pub(crate) fn search<'m>(
        &'m self,
        place: &Place<'m>,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Result<Search<'m>, Broken> {
        let result = self.search_chain(place, hazard, hash, key);
        if !matches!(result, Ok(Search::Found(_))) {
            hazard.clear();
        }
        result
    }

    #[inline]
    fn search_chain<'m>(
        &'m self,
        place: &Place<'m>,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Result<Search<'m>, Broken> {
        let tag = tag_of(hash);
        let table = place.table;
        let at = |bucket, slot| SlotRef::new(bucket, slot).in_table(table.log2);
        let mut number = place.primary;
        let mut empty = None;
        for depth in 0..=MAX_OVERFLOW {
            let bucket = &table.buckets[number as usize];
            for (index, slot) in bucket.slots.iter().enumerate() {
                let mut word = SlotWord(slot.load(Acquire));
                loop {
                    if word.is_frozen() {
                        return self.frozen_since(place);
                    }
                    if word.tag() != tag && word.tag() != HIDDEN_TAG {
                        if empty.is_none() && word.is_empty() {
                            empty = Some((at(number, index), word));
                        }
                        break;
                    }
                    if let Err(now) = self.protect(hazard, slot, word) {
                        word = now;
                        continue;
                    }
                    // SAFETY: `protect` proved that the slot still referred to the record after
                    // the hazard was visible; it stays until the hazard is cleared.
                    let record = unsafe { Record::try_read(&self.log, word.location()) };
                    let record = record.ok_or(Broken::Record(word.location()))?;
                    if record.head().hash == hash as u32 && record.has_key(key) {
                        let place = at(number, index);
                        return Ok(Search::Found(Found { slot, place, word, record }));
                    }
                    break;
                }
            }
            match linked(bucket.link.load(Acquire)) {
                None => {
                    let full_length = depth == MAX_OVERFLOW;
                    return Ok(Search::Absent { empty, last: number, full_length });
                }
                Some(next) if next < table.buckets.len() as u64 => number = next as u32,
                Some(_) => return Err(Broken::Bucket(number)),
            }
        }
        Err(Broken::Bucket(number))
    }

    /// Somebody froze the chain after its header was read; else the file is damaged.
    #[cold]
    fn frozen_since<'m>(&self, place: &Place<'m>) -> Result<Search<'m>, Broken> {
        let header = &place.table.buckets[place.primary as usize].header;
        if HeaderWord(header.load(SeqCst)).is_frozen() {
            Ok(Search::Frozen)
        } else {
            Err(Broken::Bucket(place.primary))
        }
    }

    /// Searches for a visible entry, from the table of the caller's pin on. On Some the hazard
    /// stays set, else it is clear. The same as [`Mapped::search`] without what writers need: this
    /// is the whole of the read path.
    ///
    /// A chain that is being moved is read where it is: its frozen words hold until it is moved.
    #[inline(always)]
    pub(crate) fn lookup<'m>(
        &'m self,
        mut log2: u32,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<(SlotWord, Record<'m>)>, Broken> {
        let tag = tag_of(hash);
        'tables: loop {
            let Some(table) = self.tables.view(&self.log, log2) else {
                hazard.clear();
                return Err(Broken::Table(log2));
            };
            let mut number = table.primary(hash);
            let header = &table.buckets[number as usize].header;
            if HeaderWord(header.load(Acquire)).is_moved() {
                log2 += 1;
                continue;
            }
            for _ in 0..=MAX_OVERFLOW {
                let bucket = &table.buckets[number as usize];
                let mut candidates = bucket.slots_with_tag(tag);
                while candidates != 0 {
                    let slot = &bucket.slots[candidates.trailing_zeros() as usize];
                    candidates &= candidates - 1;
                    let mut word = SlotWord(slot.load(Acquire));
                    while word.tag() == tag {
                        self.log.prefetch_record(word.location());
                        if let Err(now) = self.protect(hazard, slot, word) {
                            word = now;
                            continue;
                        }
                        if word.is_frozen() && HeaderWord(header.load(SeqCst)).is_moved() {
                            log2 += 1;
                            continue 'tables;
                        }
                        // SAFETY: `protect` proved that the slot still referred to the record after
                        // the hazard was visible, and if it is frozen, the header that it was in
                        // force; it stays until the hazard is cleared.
                        match unsafe { Record::try_read(&self.log, word.location()) } {
                            Some(record)
                                if record.head().hash == hash as u32 && record.has_key(key) =>
                            {
                                self.touch(slot, word);
                                return Ok(Some((word, record)));
                            }
                            Some(_) => break,
                            None => {
                                hazard.clear();
                                return Err(Broken::Record(word.location()));
                            }
                        }
                    }
                }
                match linked(bucket.link.load(Acquire)) {
                    None => {
                        hazard.clear();
                        return Ok(None);
                    }
                    Some(next) if next < table.buckets.len() as u64 => number = next as u32,
                    Some(_) => break,
                }
            }
            hazard.clear();
            return Err(Broken::Bucket(number));
        }
    }

    /// Protects what `seen` refers to, in the way this process announced.
    #[inline(always)]
    pub(crate) fn protect(
        &self,
        hazard: Hazard<'_>,
        slot: &AtomicU64,
        seen: SlotWord,
    ) -> Result<(), SlotWord> {
        if self.plain_hazards {
            hazard.protect_plainly(slot, seen)
        } else {
            hazard.protect(slot, seen)
        }
    }

    /// Token of a record; origin 0 means this node.
    #[inline]
    pub(crate) fn token(&self, record: &Record<'_>) -> Result<Token, Broken> {
        let head = record.head();
        let kind = Kind::from_byte(head.kind).ok_or(Broken::Kind(head.kind))?;
        Ok(Token { kind, ..self.token_of_value(head) })
    }

    /// Token of a record that is known to be a value.
    #[inline]
    pub(crate) fn token_of_value(&self, head: &Head) -> Token {
        let origin = if head.origin == 0 { self.members.origin() } else { head.origin };
        Token { version: head.version, origin, kind: Kind::Value }
    }

    /// For the application.
    #[cold]
    pub(crate) fn damaged(&self, broken: Broken) -> Error {
        match broken {
            Broken::Table(log2) => self.damaged_table(log2),
            Broken::Bucket(bucket) => self.damaged_bucket(bucket),
            Broken::Record(location) => self.log.damaged_record(location),
            Broken::Kind(kind) => {
                Error::Damaged { path: self.path().into(), place: format!("record kind {kind}") }
            }
        }
    }

    #[inline]
    pub(crate) fn count_read(&self, context: &Context, hit: bool) {
        count_read(self.descriptor(context), hit);
    }

    /// A visible entry under `hazard`, with its token as expiry leaves it. The hazard stays set on
    /// Some. `access`: the read counts as one.
    #[inline(always)]
    pub(crate) fn visible<'m>(
        &'m self,
        thread: &'m ThreadDescriptor,
        hazard: Hazard<'m>,
        key: &[u8],
        hash: u64,
        access: bool,
    ) -> Result<Option<(Record<'m>, Token)>, Broken> {
        let pin = self.pin_table(thread);
        let found = self.lookup(pin.log2, hazard, hash, key);
        pin.release();
        let Some((_, record)) = found? else {
            return Ok(None);
        };
        match self.token(&record) {
            Ok(token) => {
                let seen = match access {
                    true => self.accessed(&record, token),
                    false => self.seen(&record, token),
                };
                if seen.is_none() {
                    hazard.clear();
                }
                Ok(seen.map(|token| (record, token)))
            }
            Err(error) => {
                hazard.clear();
                Err(error)
            }
        }
    }

    /// Zero-copy read: by a hazard word while the thread has one left, else by a pin.
    #[inline]
    pub(crate) fn get(self: &Arc<Self>, key: &[u8]) -> Result<Option<Guard<'_>>> {
        Self::check_key(key)?;
        let context = self.context()?;
        let Some(number) = context.hold() else {
            return self.get_pinned(&context, key);
        };
        let thread = self.descriptor(&context);
        let hash = self.hash(key);
        let hazard = Hazard::new(&thread.hazards[number]);
        let pin = self.pin_table(thread);
        let found = self.lookup(pin.log2, hazard, hash, key);
        pin.release();
        let failed = match found {
            Ok(Some((_, record))) => match self.has_value(&record) {
                Ok(true) => {
                    count_read(thread, true);
                    let protection = Protection::hazard(context, number);
                    return Ok(Some(Guard::new(record.lend(), self, protection)));
                }
                Ok(false) => None,
                Err(broken) => Some(broken),
            },
            Ok(None) => None,
            Err(broken) => Some(broken),
        };
        hazard.clear();
        context.unhold(number);
        count_read(thread, false);
        failed.map_or(Ok(None), |broken| Err(self.damaged(broken)))
    }

    #[cold]
    fn get_pinned(
        self: &Arc<Self>,
        context: &Rc<Context>,
        key: &[u8],
    ) -> Result<Option<Guard<'_>>> {
        let pinned = self.pin(context, key)?;
        Ok(pinned.map(|(record, segment)| Guard::new(record, self, Protection::pin(segment))))
    }

    /// Zero-copy read that may change threads.
    pub(crate) fn get_owned(self: &Arc<Self>, key: &[u8]) -> Result<Option<OwnedGuard>> {
        Self::check_key(key)?;
        let context = self.context()?;
        Ok(self.pin(&context, key)?.map(|(record, segment)| {
            // SAFETY: the guard owns the pin on the segment, and keeps the region mapped.
            let record = unsafe { record.detach() };
            OwnedGuard::new(record, Arc::clone(self), segment)
        }))
    }

    fn pin(&self, context: &Context, key: &[u8]) -> Result<Option<(Lent<'_>, u32)>> {
        let hazard = self.hazard(context, 0);
        let tables = self.pin_table(self.descriptor(context));
        let found = self.lookup(tables.log2, hazard, self.hash(key), key);
        tables.release();
        let Some((word, record)) = found.map_err(|broken| self.damaged(broken))? else {
            self.count_read(context, false);
            return Ok(None);
        };
        let segment = word.location().segment();
        let token = self.token(&record).map(|token| self.accessed(&record, token));
        let has_value = |token: &Option<Token>| token.is_some_and(|t| t.kind == Kind::Value);
        let visible = token.as_ref().is_ok_and(has_value);
        self.count_read(context, visible);
        let pinned = visible && self.pins.pin(self.row(), segment);
        hazard.clear();
        match (token.map_err(|broken| self.damaged(broken))?, pinned) {
            (_, true) => Ok(Some((record.lend(), segment))),
            (_, false) if visible => Err(Error::TooManyPins {
                region: self.name.clone(),
                max: crate::layout::thread::PINS,
            }),
            _ => Ok(None),
        }
    }

    /// Looks at an entry in place and lets `f` see key, value and token. `access`: counts as one.
    pub(crate) fn inspect<T>(
        self: &Arc<Self>,
        key: &[u8],
        access: bool,
        f: impl FnOnce(&Record<'_>, Token) -> T,
    ) -> Result<Option<T>> {
        Self::check_key(key)?;
        let context = self.context()?;
        let thread = self.descriptor(&context);
        let hazard = Hazard::new(&thread.hazards[0]);
        let found = self.visible(thread, hazard, key, self.hash(key), access);
        let found = found.map_err(|broken| self.damaged(broken))?;
        let hit = matches!(found, Some((_, token)) if token.kind == Kind::Value);
        let result = found.map(|(record, token)| f(&record, token));
        hazard.clear();
        count_read(thread, hit);
        Ok(result)
    }
}

/// Statistics of the calling thread.
#[inline]
fn count_read(thread: &ThreadDescriptor, hit: bool) {
    thread.count(Counter::Gets, 1);
    if hit {
        thread.count(Counter::Hits, 1);
    }
}
