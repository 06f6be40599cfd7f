//! The write that is made most often, with nothing around it: a value takes the place of another in
//! a region of local scope that neither evicts nor expires, and nobody listens.
//!
//! The stores and their order are those of [`write`](super); a death at any of them leaves what
//! the table there says. What differs is how the processor gets there: one function, everything in
//! registers, and at the first thing out of the ordinary the write is handed to [`Writer`] as it
//! is: begun, with its record appended if it was.
//!
//! * The record goes into the thread's own lane: no mutex.
//! * The hazard is set in the way of readers: a plain store where the process can be reached by a
//!   barrier from outside. The argument in `reclaim::hazard` is about the second look at the slot,
//!   whatever the thread does afterwards; the CAS of the slot needs no more than it proves.
//! * The dead mark is a plain store: see [`Record::mark_replaced`].
//!
//! So two locked instructions are left: the CAS of the slot, and the count of dead bytes in the
//! header of the old record's segment, a word of everybody.

use std::sync::Arc;

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::record::{Draft, Record, Unpublished};
use crate::layout::bucket::MAX_OVERFLOW;
use crate::layout::counters::Counter;
use crate::layout::record::{Extent, FLAG_DEADLINE, MAX_KEY};
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{HeaderWord, Location, RingOp, SlotRef, SlotWord, tag_of};
use crate::reclaim::hazard::Hazard;
use crate::reclaim::retire_replaced;
use crate::region::clear::{PENDING, STAMPED};
use crate::region::mapped::Mapped;
use crate::region::read::Found;
use crate::region::thread::Context;
use crate::region::write::{Change, Condition, Writer, Written};
use crate::region::{Kind, Token};
use crate::sync::{Acquire, Relaxed, Release, SeqCst};
use crate::table::pin::TablePin;
use crate::table::{View, linked};

impl Mapped {
    /// Creates or replaces an entry, without options.
    #[inline]
    pub(crate) fn put(self: &Arc<Self>, key: &[u8], value: &[u8]) -> Result<Written> {
        let short = value.len() < self.log.segment_bytes() && !key.is_empty();
        if !short || key.len() > MAX_KEY || !self.is_plain() {
            return self.write(Change::new(key, value, Kind::Value, Condition::Always));
        }
        self.put_plain(key, value)
    }

    /// Whether a write of a value has to look after nothing but its entry. What changes meanwhile,
    /// changes after the write looked.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        let words = self.words();
        let policy = words.special.load(Relaxed) | words.journal_wanted.load(Relaxed);
        policy == 0 && self.puts_plainly
    }

    fn put_plain(self: &Arc<Self>, key: &[u8], value: &[u8]) -> Result<Written> {
        let context = self.context()?;
        let thread = self.descriptor(&context);
        let (words, hash) = (self.words(), self.hash(key));
        let pin = self.pin_table(thread);
        let table = self.tables.view(&self.log, pin.log2);
        if let Some(table) = table {
            table.prefetch(hash);
        }
        thread.ring_start.store(words.ring_tail.load(Acquire), Release);
        crash::point("write.begun");
        let intent = &thread.intent;
        intent.slot.store(0, Release);
        intent.announce.store(RingOp::Change as u64 + 1, Release);
        let draft = Draft {
            version: words.floor.load(SeqCst).saturating_add(1),
            hash,
            origin: self.members.origin(),
            kind: Kind::Value as u8,
            flags: 0,
            member: self.me as u16,
            deadline: None,
            access: 0,
            key,
            value,
        };
        let extent = Extent::of(key.len(), value.len(), 0, self.log.alignment());
        let own = &self.appender.own;
        let announce = |location: Location| {
            intent.record.store(location.0 + 1, Release);
        };
        let appended = extent
            .and_then(|extent| own.append(&self.log, context.index, &draft, extent, announce));
        if let (Some(appended), Some(table)) = (appended, table) {
            let hazard = Hazard::new(&thread.hazards[0]);
            if let Some(found) = self.find_plain(table, hazard, hash, key)
                && let Some(token) = self.replace_plain(thread, &found, appended, draft.version)
            {
                let position = match words.journal_wanted.load(SeqCst) {
                    0 => 0,
                    _ => self.announce(RingOp::Change, appended.location),
                };
                crash::point("write.announced");
                self.wake_key(hash as u32);
                if self.is_stamped() {
                    self.note_late(token.version);
                }
                intent.record.store(0, Release);
                crash::point("write.cleared");
                intent.slot.store(0, Release);
                hazard.clear();
                pin.release();
                thread.count(Counter::Puts, 1);
                thread.count(Counter::BytesWritten, (key.len() + value.len()) as u64);
                return Ok(Written::Done { token, created: false, position });
            }
        }
        let appended = appended.map(|appended| appended.location);
        self.go_on(&context, pin, hash, appended, (key, value))
    }

    /// The entry, under the hazard; `None` for everything that is not as usual.
    #[inline(always)]
    fn find_plain<'m>(
        &'m self,
        table: View<'m>,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Option<Found<'m>> {
        let tag = tag_of(hash);
        let mut number = table.primary(hash);
        let mut bucket = &table.buckets[number as usize];
        let header = HeaderWord(bucket.header.load(SeqCst));
        if header.is_pending() || header.is_frozen() {
            return None;
        }
        for _ in 0..=MAX_OVERFLOW {
            let mut candidates = bucket.slots_with_tag(tag);
            while candidates != 0 {
                let index = candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                let slot = &bucket.slots[index];
                let word = SlotWord(slot.load(Acquire));
                let location = word.location();
                self.log.prefetch_to_replace(location);
                if word.is_frozen() || self.protect(hazard, slot, word).is_err() {
                    return None;
                }
                // SAFETY: `protect` proved that the slot still referred to the record after the
                // hazard was visible; it stays until the hazard is cleared.
                let record = unsafe { Record::try_read(&self.log, location) }?;
                if record.head().hash == hash as u32 && record.has_key(key) {
                    let place = SlotRef::new(number, index).in_table(table.log2);
                    return Some(Found { slot, place, word, record });
                }
            }
            number = u32::try_from(linked(bucket.link.load(Acquire))?).ok()?;
            bucket = table.buckets.get(number as usize)?;
        }
        None
    }

    /// One CAS of the slot, if a value is there. `None`: it is to be looked at again.
    #[inline(always)]
    fn replace_plain(
        &self,
        thread: &ThreadDescriptor,
        found: &Found<'_>,
        appended: Unpublished<'_>,
        written: u64,
    ) -> Option<Token> {
        let head = found.record.head();
        if head.kind != Kind::Value as u8 || head.flags & FLAG_DEADLINE != 0 {
            return None;
        }
        let floor = self.words().floor.load(SeqCst);
        let version = floor.max(head.version).saturating_add(1);
        // With a stamp the entry may be other than it looks.
        let ceiling = self.words().ceiling.load(Acquire);
        if version >= ceiling || ceiling & (PENDING | STAMPED) != 0 {
            return None;
        }
        let new = SlotWord::occupied(found.word.tag(), appended.location);
        let new = new.with_frequency_of(found.word);
        if version != written {
            appended.set_version(version);
        }
        let intent = &thread.intent;
        intent.old.store(found.word.0, Release);
        intent.new.store(new.0, Release);
        intent.slot.store(found.place.to_word(), Release);
        crash::point("write.intended");
        if found.slot.compare_exchange(found.word.0, new.0, SeqCst, Relaxed).is_err() {
            return None;
        }
        crash::point("write.replaced");
        retire_replaced(&self.log, found.word.location(), &found.record);
        crash::point("write.retired");
        Some(Token { version, origin: self.members.origin(), kind: Kind::Value })
    }

    /// The rest of a write that is not as usual. `appended`: its record.
    #[cold]
    #[inline(never)]
    fn go_on(
        self: &Arc<Self>,
        context: &Context,
        pin: TablePin<'_>,
        hash: u64,
        appended: Option<Location>,
        (key, value): (&[u8], &[u8]),
    ) -> Result<Written> {
        let change = Change::new(key, value, Kind::Value, Condition::Always);
        let writer = Writer {
            region: self,
            thread: self.descriptor(context),
            context,
            change,
            hash,
            op: RingOp::Change,
            // A version that no record has: what an attempt above gave it is not known here.
            appended: appended.map(|location| (location, 0)),
            pin,
            lives_long: false,
        };
        let written = self.carry_out(writer);
        if !matches!(written, Err(Error::OutOfSpace { .. })) {
            return written;
        }
        if self.finish_clear()? || self.sweep_for_room()? {
            return self.write(change);
        }
        self.count(Counter::OutOfSpace, 1)?;
        written
    }
}
