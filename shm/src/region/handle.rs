//! Handles: a key that was looked up once, and is read again without hash, probe or comparison.
//!
//! A handle remembers the slot of its entry, the word it found there, the state word of the segment
//! that the word names, and where the value lies. A read sets a hazard as always and finds the slot
//! unchanged; then the state of the segment, with its full generation, of which the slot word has
//! only the low bits, says that the slot still means the same record. Records never change, so
//! nothing of it is looked at but the value. Anything else (the entry was written or moved, the
//! index grew) is an ordinary lookup, after which the handle knows the new place. The table that
//! holds the slot is pinned meanwhile.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::heap::record::{Lent, Record};
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{SegmentWord, SlotWord};
use crate::reclaim::hazard::Hazard;
use crate::region::find::Hit;
use crate::region::guard::{Guard, Protection};
use crate::region::mapped::Mapped;
use crate::region::read::{copy_out, count_read};
use crate::region::thread::{HeldHazard, Local, Share};
use crate::region::{Kind, Token};
use crate::sync::{AtomicU64, Relaxed, SeqCst};
use crate::table::pin::{pin_known, unpin};

/// Where the entry was. Cells of their own, so that each is read alone.
#[derive(Debug)]
struct Known {
    /// Name of the table; one that no table has if nothing is known.
    log2: Cell<u64>,
    slot: Cell<NonNull<AtomicU64>>,
    word: Cell<SlotWord>,
    /// State word of the segment, and what it was.
    state: Cell<NonNull<AtomicU64>>,
    state_was: Cell<SegmentWord>,
    /// The record; a value without a deadline of its own.
    record: Cell<Lent<'static>>,
}

/// A key that is read often: [`Region::handle`](crate::Region::handle). Stays on its thread and
/// keeps its region open. Reads see every change like those of the region; they are as fast as can
/// be while the entry is not written.
#[derive(Debug)]
pub struct Handle {
    // Before the region: it may be the last that keeps the context.
    context: Share,
    region: Arc<Mapped>,
    /// The descriptor of the context, in the mapping of the region.
    thread: NonNull<ThreadDescriptor>,
    key: Box<[u8]>,
    hash: u64,
    known: Known,
}

impl Handle {
    pub(crate) fn new(region: &Arc<Mapped>, key: &[u8]) -> Result<Self> {
        Mapped::check_key(key)?;
        let mine = region.context()?;
        let nowhere = NonNull::dangling();
        let handle = Self {
            context: mine.share(),
            region: Arc::clone(region),
            thread: NonNull::from(mine.thread),
            key: key.into(),
            hash: region.hash(key),
            known: Known {
                log2: Cell::new(u64::MAX),
                slot: Cell::new(nowhere),
                word: Cell::new(SlotWord(0)),
                state: Cell::new(nowhere),
                state_was: Cell::new(SegmentWord(0)),
                record: Cell::new(Lent::none()),
            },
        };
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
        if region.is_forked_child() {
            return Err(Error::ForkedChild);
        }
        let number = self.context.hold().ok_or_else(|| region.too_many_guards())?;
        let held = HeldHazard::new(&self.context, number);
        let thread = self.thread();
        let found = self.find(Hazard::new(&thread.hazards[number]), true);
        let value = found.map(|found| found.filter(|(_, token)| token.kind == Kind::Value));
        count_read(thread, matches!(value, Ok(Some(_))));
        if let Ok(Some((record, _))) = value {
            return Ok(Some(Guard::new(record, region, Protection::Hazard(held))));
        }
        held.release(region);
        value.map(|_| None)
    }

    /// Copies the value, or as much of it as fits, to the start of `value`, and returns its length.
    ///
    /// # Errors
    /// As [`Region::get`](crate::Region::get), without pins.
    #[inline]
    pub fn read(&self, value: &mut [u8]) -> Result<Option<usize>> {
        if self.region.is_forked_child() {
            return Err(Error::ForkedChild);
        }
        let thread = self.thread();
        let hazard = Hazard::new(&thread.hazards[0]);
        if let Some(record) = self.known(thread, hazard)
            && !self.region.judges()
        {
            let len = copy_out(record.value(), value);
            hazard.clear();
            count_read(thread, true);
            return Ok(Some(len));
        }
        self.inspect(true, |record, token| {
            (token.kind == Kind::Value).then(|| copy_out(record.value(), value))
        })
    }

    /// Replaces the content of `value` by a copy of the entry's value; `None` leaves it alone.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn get_into(&self, value: &mut Vec<u8>) -> Result<Option<Token>> {
        self.inspect(true, |record, token| {
            (token.kind == Kind::Value).then(|| {
                value.clear();
                value.extend_from_slice(record.value());
                token
            })
        })
    }

    /// State of the entry, valid or not. `None` if the key is absent. Neither a read in the
    /// statistics nor an access.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn token(&self) -> Result<Option<Token>> {
        self.inspect(false, |_, token| Some(token))
    }

    #[inline(always)]
    fn thread(&self) -> &ThreadDescriptor {
        // SAFETY: it lies in the mapping of the region, which `self` keeps.
        unsafe { self.thread.as_ref() }
    }

    /// `access`: a read; else it leaves no trace.
    #[inline(never)]
    fn inspect<T>(
        &self,
        access: bool,
        f: impl FnOnce(&Lent<'_>, Token) -> Option<T>,
    ) -> Result<Option<T>> {
        let region = &*self.region;
        if region.is_forked_child() {
            return Err(Error::ForkedChild);
        }
        let thread = self.thread();
        let hazard = Hazard::new(&thread.hazards[0]);
        let result = self.find(hazard, access);
        let result = result.map(|found| found.and_then(|(record, token)| f(&record, token)));
        hazard.clear();
        if access {
            count_read(thread, matches!(result, Ok(Some(_))));
        }
        result
    }

    /// The visible entry, protected by `hazard`.
    #[inline]
    fn find<'m>(&'m self, hazard: Hazard<'m>, access: bool) -> Result<Option<(Lent<'m>, Token)>> {
        let region = &*self.region;
        let damaged = |broken| region.damaged(broken);
        if let Some(record) = self.known(self.thread(), hazard) {
            if !region.judges() {
                return Ok(Some((record, region.token_of_value(&record.head()))));
            }
            // SAFETY: `known` has proved that it is protected.
            let whole = unsafe { Record::read(&region.log, self.known.word.get().location()) }?;
            let state = region.judged_state(whole, access).map_err(damaged)?;
            return Ok(state.map(|token| (record, token)));
        }
        let Some(hit) = self.search(hazard)? else {
            return Ok(None);
        };
        let state = region.state_of(&hit, access).map_err(damaged)?;
        Ok(state.map(|token| (hit.record.lend(), token)))
    }

    /// The record, if it is where it was. On None the hazard says nothing.
    #[inline(always)]
    fn known<'m>(&'m self, thread: &'m ThreadDescriptor, hazard: Hazard<'m>) -> Option<Lent<'m>> {
        let (region, known) = (&*self.region, &self.known);
        if !pin_known(&thread.table_pin, &region.words().table, known.log2.get()) {
            return None;
        }
        // SAFETY: a slot of a table of this region, which `self` keeps mapped.
        let slot = unsafe { known.slot.get().as_ref() };
        let word = known.word.get();
        let protected = region.protect(hazard, slot, word).is_ok();
        if region.evicts() {
            touch_again(region, slot, word);
        }
        unpin(&thread.table_pin);
        // SAFETY: a state word of this region, which `self` keeps mapped.
        let state = unsafe { known.state.get().as_ref() };
        let state = SegmentWord(state.load(SeqCst));
        if !protected || state != known.state_was.get() && !self.is_still(state) {
            return None;
        }
        // The slot refers to the record and did so after the hazard was visible, in the generation
        // in which it was looked at: it is protected, and what it was.
        Some(known.record.get())
    }

    /// Whether a segment that is in another state than it was may still hold the record.
    #[cold]
    fn is_still(&self, state: SegmentWord) -> bool {
        let known = &self.known;
        let same = state.generation() == known.state_was.get().generation()
            && self.region.log.generation_of(known.word.get().location()).is_some();
        if same {
            known.state_was.set(state);
        }
        same
    }

    /// Looks the key up, and remembers where it is.
    #[cold]
    #[inline(never)]
    fn search<'m>(&'m self, hazard: Hazard<'m>) -> Result<Option<Hit<'m>>> {
        let (region, known) = (&self.region, &self.known);
        known.log2.set(u64::MAX);
        let local = Local { context: &self.context, thread: self.thread() };
        let found = region.find(local, hazard, self.hash, &self.key);
        let Some(hit) = found.map_err(|broken| region.damaged(broken))? else {
            return Ok(None);
        };
        let log = &region.log;
        let location = hit.word.location();
        // A frozen word says nothing of the entry any more once its chain is moved.
        if let (true, Some(generation), Some(state)) = (
            hit.record.is_of(Kind::Value as u8) && !hit.word.is_frozen(),
            log.generation_of(location),
            log.state_word(location.segment()),
        ) {
            // The hazard holds the segment in this generation.
            let now = SegmentWord(state.load(SeqCst));
            debug_assert_eq!(now.generation(), generation);
            known.slot.set(NonNull::from(hit.slot));
            known.word.set(hit.word);
            known.state.set(NonNull::from(state));
            known.state_was.set(now);
            // SAFETY: it is used only while `known` has proved that it is protected, and `self`
            // keeps the log mapped.
            known.record.set(unsafe { hit.record.lend().detach() });
            known.log2.set(u64::from(hit.log2));
        }
        Ok(Some(hit))
    }
}

/// Notes that an entry was used, if the slot still holds it.
#[cold]
fn touch_again(region: &Mapped, slot: &AtomicU64, word: SlotWord) {
    let now = SlotWord(slot.load(Relaxed));
    if now.is_entry_of(word) {
        region.touch(slot, now);
    }
}

#[cfg(test)]
mod tests;
