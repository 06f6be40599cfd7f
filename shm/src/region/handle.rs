//! Handles: a key that was looked up once, and is read again without hash, probe or comparison.
//!
//! A handle remembers the slot of its entry, the word it found there and the full generation of the
//! segment that the word names. A read sets a hazard as always and finds the slot unchanged; then
//! the generation, of which the word has only the low bits, says that the word still means the same
//! record. Anything else (the entry was written or moved, the index grew) is an ordinary lookup,
//! after which the handle knows the new place. The table that holds the slot is pinned meanwhile.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::heap::record::Record;
use crate::layout::word::{SlotRef, SlotWord};
use crate::reclaim::hazard::Hazard;
use crate::region::guard::{Guard, Protection};
use crate::region::index::mover;
use crate::region::mapped::Mapped;
use crate::region::thread::Context;
use crate::region::{Kind, Token};

/// Where the entry was.
#[derive(Debug, Clone, Copy)]
struct Place {
    slot: SlotRef,
    word: SlotWord,
    generation: u64,
}

/// A key that is read often: [`Region::handle`](crate::Region::handle). Stays on its thread and
/// keeps its region open. Reads see every change like those of the region; they are as fast as can
/// be while the entry is not written.
#[derive(Debug)]
pub struct Handle {
    region: Arc<Mapped>,
    context: Rc<Context>,
    key: Box<[u8]>,
    hash: u64,
    place: Cell<Option<Place>>,
}

impl Handle {
    pub(crate) fn new(region: &Arc<Mapped>, key: &[u8]) -> Result<Self> {
        Mapped::check_key(key)?;
        let context = region.context()?;
        let (hash, place) = (region.hash(key), Cell::new(None));
        let handle = Self { region: Arc::clone(region), context, key: key.into(), hash, place };
        handle.token()?;
        Ok(handle)
    }

    /// Its key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The value in place, as [`Region::get`](crate::Region::get).
    ///
    /// # Errors
    /// As [`Region::get`](crate::Region::get), but `TooManyPins` as soon as the thread holds as
    /// many guards as it has hazard words for.
    pub fn get(&self) -> Result<Option<Guard<'_>>> {
        let region = &*self.region;
        region.members.check_process()?;
        let number = self.context.hold().ok_or_else(|| region.too_many_guards())?;
        let protection = Protection::hazard(Rc::clone(&self.context), number);
        let found = self.find(region.hazard(&self.context, number));
        let value = found.as_ref().ok().and_then(Option::as_ref);
        if let Some((record, _)) = value.filter(|(_, token)| token.kind == Kind::Value) {
            region.count_read(&self.context, true);
            return Ok(Some(Guard::new(record.lend(), region, protection)));
        }
        region.hazard(&self.context, number).clear();
        self.context.unhold(number);
        region.count_read(&self.context, false);
        found.map(|_| None)
    }

    /// Copies the value, or as much of it as fits, to the start of `value`, and returns its length.
    ///
    /// # Errors
    /// As [`Region::get`](crate::Region::get), without pins.
    #[inline]
    pub fn read(&self, value: &mut [u8]) -> Result<Option<usize>> {
        self.inspect(|record, token| {
            (token.kind == Kind::Value).then(|| {
                let found = record.value();
                let fits = found.len().min(value.len());
                value[..fits].copy_from_slice(&found[..fits]);
                found.len()
            })
        })
    }

    /// Replaces the content of `value` by a copy of the entry's value; `None` leaves it alone.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn get_into(&self, value: &mut Vec<u8>) -> Result<Option<Token>> {
        self.inspect(|record, token| {
            (token.kind == Kind::Value).then(|| {
                value.clear();
                value.extend_from_slice(record.value());
                token
            })
        })
    }

    /// State of the entry, valid or not. `None` if the key is absent.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn token(&self) -> Result<Option<Token>> {
        self.inspect(|_, token| Some(token))
    }

    #[inline]
    fn inspect<T>(&self, f: impl FnOnce(&Record<'_>, Token) -> Option<T>) -> Result<Option<T>> {
        let region = &*self.region;
        if region.members.is_forked_child() {
            return Err(Error::ForkedChild);
        }
        let hazard = region.hazard(&self.context, 0);
        let result =
            self.find(hazard).map(|found| found.and_then(|(record, token)| f(&record, token)));
        hazard.clear();
        region.count_read(&self.context, matches!(result, Ok(Some(_))));
        result
    }

    /// The visible entry, protected by `hazard`.
    #[inline]
    fn find<'m>(&'m self, hazard: Hazard<'m>) -> Result<Option<(Record<'m>, Token)>> {
        let region = &*self.region;
        let pin = region.pin_table(region.descriptor(&self.context));
        let found = match self.known(pin.log2, hazard) {
            Some(record) => Ok(Some(record)),
            None => self.search(pin.log2, hazard),
        };
        pin.release();
        let Some(record) = found? else {
            return Ok(None);
        };
        let token = region.token(&record).map_err(|broken| region.damaged(broken))?;
        Ok(region.accessed(&record, token).map(|token| (record, token)))
    }

    /// The record, if it is where it was.
    #[inline(always)]
    fn known<'m>(&'m self, log2: u32, hazard: Hazard<'m>) -> Option<Record<'m>> {
        let Place { slot, word, generation } = self.place.get()?;
        let region = &*self.region;
        if slot.table() != log2 {
            return None;
        }
        let table = region.tables.view(&region.log, log2)?;
        let slot = table.buckets.get(slot.bucket())?.slots.get(slot.slot())?;
        region.protect(hazard, slot, word).ok()?;
        if region.log.generation_of(word.location()) != Some(generation) {
            return None;
        }
        // SAFETY: `protect` proved that the slot referred to the record after the hazard was
        // visible; the caller leaves the hazard set while it uses the record.
        unsafe { Record::try_read(&region.log, word.location()) }
    }

    /// Looks the key up, and remembers where it is.
    #[cold]
    fn search<'m>(&'m self, log2: u32, hazard: Hazard<'m>) -> Result<Option<Record<'m>>> {
        let region = &*self.region;
        self.place.set(None);
        let found = region.lookup(log2, hazard, self.hash, &self.key);
        let Some((word, record)) = found.map_err(|broken| region.damaged(broken))? else {
            return Ok(None);
        };
        let location = word.location();
        let thread = region.descriptor(&self.context);
        let located = region.locate(mover(thread), log2, self.hash as u32, location)?;
        if let (Some(at), Some(generation)) = (located, region.log.generation_of(location)) {
            self.place.set(Some(Place { slot: at.place, word: at.word, generation }));
        }
        Ok(Some(record))
    }
}
