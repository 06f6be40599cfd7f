//! Reads: find an entry, protect it, lend or copy it.
//!
//! A read stores one hazard word and reads the slot once more; it takes no lock, makes no system
//! call and writes no line that other threads write. The search is in `find`; the one of writers,
//! who want to know more about the chain, is here.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::heap::record::{Head, Lent, Record};
use crate::layout::bucket::MAX_OVERFLOW;
use crate::layout::counters::Counter;
use crate::layout::record::MAX_KEY;
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{HIDDEN_TAG, HeaderWord, Location, SlotRef, SlotWord, tag_of};
use crate::reclaim::hazard::Hazard;
use crate::region::find::AtOnce;
use crate::region::guard::{Guard, OwnedGuard, Protection};
use crate::region::index::Place;
use crate::region::mapped::Mapped;
use crate::region::thread::{HeldHazard, Mine};
use crate::region::{Kind, Region, Token};
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

/// Whether a key has a length that is allowed.
#[inline(always)]
fn is_key(key: &[u8]) -> bool {
    (1..=MAX_KEY).contains(&key.len())
}

impl Mapped {
    pub(crate) fn check_key(key: &[u8]) -> Result<()> {
        if is_key(key) { Ok(()) } else { Err(Error::InvalidKey { len: key.len() }) }
    }

    /// Whether there can be such an entry.
    pub(crate) fn check_entry(&self, key: &[u8], value: &[u8]) -> Result<()> {
        Self::check_key(key)?;
        let (len, max) = (value.len(), self.max_value_len(key.len()));
        if len > max { Err(Error::ValueTooLarge { len, max }) } else { Ok(()) }
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

    /// Zero-copy read: by a hazard word while the thread has one left, else by a pin.
    #[inline]
    pub(crate) fn get(self: &Arc<Self>, key: &[u8]) -> Result<Option<Guard<'_>>> {
        match self.get_at_once(key) {
            AtOnce::Found((record, held)) => {
                Ok(Some(Guard::new(record, self, Protection::Hazard(held))))
            }
            AtOnce::Absent => Ok(None),
            AtOnce::Unusual => {
                let found = self.get_anyhow(key)?;
                Ok(found.map(|(record, protection)| Guard::new(record, self, protection)))
            }
        }
    }

    #[inline(always)]
    fn get_at_once(&self, key: &[u8]) -> AtOnce<(Lent<'_>, HeldHazard)> {
        if !is_key(key) {
            return AtOnce::Unusual;
        }
        let Some(local) = self.local() else {
            return AtOnce::Unusual;
        };
        let Some(number) = local.context.hold() else {
            return AtOnce::Unusual;
        };
        let held = HeldHazard::new(local.context, number);
        let hazard = Hazard::new(&local.thread.hazards[number]);
        match self.find_at_once(local, hazard, self.hash(key), key) {
            AtOnce::Found(hit) => {
                count_read(local.thread, true);
                AtOnce::Found((hit.record.lend(), held))
            }
            AtOnce::Absent => {
                local.context.unhold_in_operation(number);
                count_read(local.thread, false);
                AtOnce::Absent
            }
            AtOnce::Unusual => {
                local.context.unhold_in_operation(number);
                AtOnce::Unusual
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn get_anyhow<'m>(self: &'m Arc<Self>, key: &[u8]) -> Result<Option<(Lent<'m>, Protection)>> {
        Self::check_key(key)?;
        let mine = self.context()?;
        let Some(number) = mine.hold() else {
            let pinned = self.pin(&mine, key)?;
            return Ok(pinned.map(|(record, segment)| (record, Protection::Pin(segment))));
        };
        let held = HeldHazard::new(&mine, number);
        let thread = self.descriptor(&mine);
        let hazard = Hazard::new(&thread.hazards[number]);
        let found = self.find(mine.local(), hazard, self.hash(key), key);
        let found = found.and_then(|hit| match hit {
            Some(hit) if self.has_value(&hit)? => Ok(Some(hit)),
            _ => Ok(None),
        });
        count_read(thread, matches!(found, Ok(Some(_))));
        if let Ok(Some(hit)) = found {
            return Ok(Some((hit.record.lend(), Protection::Hazard(held))));
        }
        held.release(self);
        found.map(|_| None).map_err(|broken| self.damaged(broken))
    }

    /// Zero-copy read that may change threads.
    pub(crate) fn get_owned(self: &Arc<Self>, key: &[u8]) -> Result<Option<OwnedGuard>> {
        Self::check_key(key)?;
        let mine = self.context()?;
        Ok(self.pin(&mine, key)?.map(|(record, segment)| {
            // SAFETY: the guard owns the pin on the segment, and keeps the region mapped.
            let record = unsafe { record.detach() };
            OwnedGuard::new(record, Arc::clone(self), segment)
        }))
    }

    fn pin<'m>(&'m self, mine: &Mine<'m>, key: &[u8]) -> Result<Option<(Lent<'m>, u32)>> {
        let thread = self.descriptor(mine);
        let hazard = Hazard::new(&thread.hazards[0]);
        let found = self.find(mine.local(), hazard, self.hash(key), key);
        let Some(hit) = found.map_err(|broken| self.damaged(broken))? else {
            count_read(thread, false);
            return Ok(None);
        };
        let segment = hit.word.location().segment();
        let visible = self.has_value(&hit);
        count_read(thread, matches!(visible, Ok(true)));
        let pinned = matches!(visible, Ok(true)) && self.pins.pin(self.row(), segment);
        hazard.clear();
        match (visible.map_err(|broken| self.damaged(broken))?, pinned) {
            (true, true) => Ok(Some((hit.record.lend(), segment))),
            (true, false) => Err(Error::TooManyPins {
                region: self.name.clone(),
                max: crate::layout::thread::PINS,
            }),
            (false, _) => Ok(None),
        }
    }

    /// Lets `f` see the value of an entry in place. `f` is no code of the application.
    #[inline(always)]
    pub(crate) fn read<T>(
        self: &Arc<Self>,
        key: &[u8],
        mut f: impl FnMut(&[u8]) -> T,
    ) -> Result<Option<T>> {
        match self.read_at_once(key, &mut f) {
            AtOnce::Found(found) => Ok(Some(found)),
            AtOnce::Absent => Ok(None),
            AtOnce::Unusual => self.read_anyhow(key, f),
        }
    }

    #[inline(always)]
    fn read_at_once<T>(&self, key: &[u8], f: impl FnOnce(&[u8]) -> T) -> AtOnce<T> {
        if !is_key(key) {
            return AtOnce::Unusual;
        }
        let Some(local) = self.local() else {
            return AtOnce::Unusual;
        };
        let hazard = Hazard::new(&local.thread.hazards[0]);
        match self.find_at_once(local, hazard, self.hash(key), key) {
            AtOnce::Found(hit) => {
                let found = f(hit.record.value());
                hazard.clear();
                count_read(local.thread, true);
                AtOnce::Found(found)
            }
            AtOnce::Absent => {
                count_read(local.thread, false);
                AtOnce::Absent
            }
            AtOnce::Unusual => AtOnce::Unusual,
        }
    }

    #[cold]
    #[inline(never)]
    fn read_anyhow<T>(
        self: &Arc<Self>,
        key: &[u8],
        mut f: impl FnMut(&[u8]) -> T,
    ) -> Result<Option<T>> {
        let found = self.inspect(key, true, |record, token| {
            (token.kind == Kind::Value).then(|| f(record.value()))
        })?;
        Ok(found.flatten())
    }

    /// Looks at an entry in a way that leaves no trace.
    pub(crate) fn peek<T>(
        self: &Arc<Self>,
        key: &[u8],
        f: impl FnOnce(&Record<'_>, Token) -> Option<T>,
    ) -> Result<Option<T>> {
        self.inspect(key, false, f).map(Option::flatten)
    }

    /// Looks at an entry in place and lets `f` see record and token. `access`: a read, which keeps
    /// the entry from being idle and counts in the hit ratio; else it leaves no trace. `f` is no
    /// code of the application.
    pub(crate) fn inspect<T>(
        self: &Arc<Self>,
        key: &[u8],
        access: bool,
        f: impl FnOnce(&Record<'_>, Token) -> T,
    ) -> Result<Option<T>> {
        Self::check_key(key)?;
        let mine = self.context()?;
        let hazard = Hazard::new(&mine.thread.hazards[0]);
        let found = self.find(mine.local(), hazard, self.hash(key), key);
        let Some(hit) = found.map_err(|broken| self.damaged(broken))? else {
            if access {
                count_read(mine.thread, false);
            }
            return Ok(None);
        };
        let state = self.state_of(&hit, access);
        let value = matches!(state, Ok(Some(Token { kind: Kind::Value, .. })));
        let result = state.map(|state| state.map(|token| f(&hit.record.record(&self.log), token)));
        hazard.clear();
        if access {
            count_read(mine.thread, value);
        }
        result.map_err(|broken| self.damaged(broken))
    }
}

impl Region {
    /// Copies the value, or as much of it as fits, to the start of `value`, and returns its length;
    /// `None` if the key is absent or its value is invalid. The fastest way to a copy.
    ///
    /// ```
    /// # let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm")?;
    /// # let node = vug::Node::open(home.path())?;
    /// let region = node.region("quotes").max_bytes(16 << 20).create()?;
    /// region.put(b"key", b"value")?;
    /// let mut buffer = [0; 16];
    /// assert_eq!(region.read(b"key", &mut buffer)?, Some(5));
    /// assert_eq!(&buffer[..5], b"value");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    #[inline]
    pub fn read(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>> {
        match self.mapped.read(key, |found| copy_out(found, value))? {
            None if self.mapped.searches => {
                self.read_elsewhere(key, |found| copy_out(found, value))
            }
            found => Ok(found),
        }
    }
}

/// Copies as much as fits; the length of the whole.
#[inline(always)]
pub(crate) fn copy_out(found: &[u8], value: &mut [u8]) -> usize {
    let fits = found.len().min(value.len());
    value[..fits].copy_from_slice(&found[..fits]);
    found.len()
}

/// Statistics of the calling thread.
#[inline(always)]
pub(crate) fn count_read(thread: &ThreadDescriptor, hit: bool) {
    thread.count(Counter::Gets, 1);
    if hit {
        thread.count(Counter::Hits, 1);
    }
}
