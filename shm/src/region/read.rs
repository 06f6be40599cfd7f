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
use crate::layout::record::MAX_KEY;
use crate::layout::word::{HIDDEN_TAG, SlotRef, SlotWord, tag_of};
use crate::reclaim::hazard::Hazard;
use crate::region::guard::{Guard, OwnedGuard, Protection};
use crate::region::mapped::Mapped;
use crate::region::thread::Context;
use crate::region::{Kind, Token};
use crate::sync::{Acquire, AtomicU64, bump};

/// An entry in the index whose segment the hazard of the search protects.
#[derive(Debug)]
pub(crate) struct Found<'m> {
    pub(crate) slot: &'m AtomicU64,
    pub(crate) place: SlotRef,
    pub(crate) word: SlotWord,
    pub(crate) record: Record<'m>,
}

/// Result of a search: the entry, or the first empty slot of the chain.
#[derive(Debug)]
pub(crate) enum Search<'m> {
    Found(Found<'m>),
    Absent { empty: Option<(SlotRef, SlotWord)>, last: u32, full_length: bool },
}

impl Mapped {
    pub(crate) fn check_key(key: &[u8]) -> Result<()> {
        if (1..=MAX_KEY).contains(&key.len()) {
            Ok(())
        } else {
            Err(Error::InvalidKey { len: key.len() })
        }
    }

    /// Searches the chain of `hash`. On `Found` the hazard stays set, else it is clear.
    /// `hidden`: also entries that reads do not see.
    #[inline]
    pub(crate) fn search<'m>(
        &'m self,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
        hidden: bool,
    ) -> Result<Search<'m>> {
        let result = self.search_chain(hazard, hash, key, hidden);
        if !matches!(result, Ok(Search::Found(_))) {
            hazard.clear();
        }
        result
    }

    #[inline]
    fn search_chain<'m>(
        &'m self,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
        hidden: bool,
    ) -> Result<Search<'m>> {
        let tag = tag_of(hash);
        let mut number = self.primary(hash);
        let mut empty = None;
        for depth in 0..=MAX_OVERFLOW {
            let bucket = &self.buckets[number as usize];
            for (index, slot) in bucket.slots.iter().enumerate() {
                let mut word = SlotWord(slot.load(Acquire));
                loop {
                    if word.tag() != tag && !(hidden && word.tag() == HIDDEN_TAG) {
                        if hidden && empty.is_none() && word.is_empty() {
                            empty = Some((SlotRef::new(number, index), word));
                        }
                        break;
                    }
                    if let Err(now) = hazard.protect(slot, word) {
                        word = now;
                        continue;
                    }
                    // SAFETY: `protect` proved that the slot still referred to the record after
                    // the hazard was visible; it stays until the hazard is cleared.
                    let record = unsafe { Record::read(&self.log, word.location()) }?;
                    if record.head().hash == hash as u32 && record.key() == key {
                        let place = SlotRef::new(number, index);
                        return Ok(Search::Found(Found { slot, place, word, record }));
                    }
                    break;
                }
            }
            let link = bucket.link.load(Acquire);
            if link == 0 {
                let full_length = depth == MAX_OVERFLOW;
                return Ok(Search::Absent { empty, last: number, full_length });
            }
            if link > self.buckets.len() as u64 {
                return Err(self.damaged_bucket(number));
            }
            number = (link - 1) as u32;
        }
        Err(self.damaged_bucket(number))
    }

    /// Searches for a visible entry. On Some the hazard stays set, else it is clear. The same as
    /// [`Mapped::search`] without what writers need: this is the whole of the read path.
    #[inline(always)]
    fn lookup<'m>(
        &'m self,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<Record<'m>>> {
        let tag = tag_of(hash);
        let mut number = self.primary(hash);
        for _ in 0..=MAX_OVERFLOW {
            let bucket = &self.buckets[number as usize];
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
                    // SAFETY: `protect` proved that the slot still referred to the record after
                    // the hazard was visible; it stays until the hazard is cleared.
                    match unsafe { Record::read(&self.log, word.location()) } {
                        Ok(record) if record.head().hash == hash as u32 && record.has_key(key) => {
                            return Ok(Some(record));
                        }
                        Ok(_) => break,
                        Err(error) => {
                            hazard.clear();
                            return Err(error);
                        }
                    }
                }
            }
            let link = bucket.link.load(Acquire);
            if link == 0 {
                hazard.clear();
                return Ok(None);
            }
            if link > self.buckets.len() as u64 {
                break;
            }
            number = (link - 1) as u32;
        }
        hazard.clear();
        Err(self.damaged_bucket(number))
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
    pub(crate) fn token(&self, record: &Record<'_>) -> Result<Token> {
        let head = record.head();
        let kind = Kind::from_byte(head.kind).ok_or_else(|| self.damaged_kind(head.kind))?;
        Ok(Token { kind, ..self.token_of_value(head) })
    }

    /// Token of a record that is known to be a value.
    #[inline]
    pub(crate) fn token_of_value(&self, head: &Head) -> Token {
        let origin = if head.origin == 0 { self.members.origin() } else { head.origin };
        Token { version: head.version, origin, kind: Kind::Value }
    }

    #[cold]
    fn damaged_kind(&self, kind: u8) -> Error {
        Error::Damaged { path: self.path().into(), place: format!("record kind {kind}") }
    }

    #[inline]
    pub(crate) fn count_read(&self, context: &Context, hit: bool) {
        let thread = self.descriptor(context);
        bump(&thread.gets, 1);
        if hit {
            bump(&thread.hits, 1);
        }
    }

    /// A visible entry under `hazard`, with its token as expiry leaves it. The hazard stays set on
    /// Some. `access`: the read counts as one.
    #[inline(always)]
    pub(crate) fn visible<'m>(
        &'m self,
        hazard: Hazard<'m>,
        key: &[u8],
        hash: u64,
        access: bool,
    ) -> Result<Option<(Record<'m>, Token)>> {
        let Some(record) = self.lookup(hazard, hash, key)? else {
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
        let found = self.visible(self.hazard(&context, number), key, self.hash(key), true);
        match found {
            Ok(Some((record, token))) if token.kind == Kind::Value => {
                self.count_read(&context, true);
                let protection = Protection::hazard(context, number);
                Ok(Some(Guard::new(record.lend(), self, protection)))
            }
            other => {
                self.hazard(&context, number).clear();
                context.unhold(number);
                self.count_read(&context, false);
                other.map(|_| None)
            }
        }
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
        let found = self.search(hazard, self.hash(key), key, false)?;
        let Search::Found(found) = found else {
            self.count_read(context, false);
            return Ok(None);
        };
        let segment = found.word.location().segment();
        let token = self.token(&found.record).map(|token| self.accessed(&found.record, token));
        let has_value = |token: &Option<Token>| token.is_some_and(|t| t.kind == Kind::Value);
        let visible = token.as_ref().is_ok_and(has_value);
        self.count_read(context, visible);
        let pinned = visible && self.pins.pin(self.row(), segment);
        hazard.clear();
        match (token?, pinned) {
            (_, true) => Ok(Some((found.record.lend(), segment))),
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
        let hazard = self.hazard(&context, 0);
        let found = self.visible(hazard, key, self.hash(key), access)?;
        let hit = matches!(found, Some((_, token)) if token.kind == Kind::Value);
        let result = found.map(|(record, token)| f(&record, token));
        hazard.clear();
        self.count_read(&context, hit);
        Ok(result)
    }
}
