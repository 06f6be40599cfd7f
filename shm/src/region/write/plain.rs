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
//! * The dead mark is a plain store: see `Record::mark_replaced`.
//!
//! So two locked instructions are left: the CAS of the slot, and the count of dead bytes in the
//! header of the old record's segment, a word of everybody.

use std::sync::Arc;

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::record::probe::{Probe, Probed};
use crate::heap::record::{Draft, Unpublished};
use crate::layout::bucket::MAX_OVERFLOW;
use crate::layout::counters::Counter;
use crate::layout::record::{Extent, MAX_KEY};
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{HeaderWord, Location, RegionOp, RingOp, SlotRef, SlotWord, tag_of};
use crate::reclaim::hazard::Hazard;
use crate::reclaim::retire_replaced;
use crate::region::clear::{PENDING, STAMPED};
use crate::region::index::mover;
use crate::region::mapped::Mapped;
use crate::region::read::Found;
use crate::region::thread::Local;
use crate::region::write::way::Way;
use crate::region::write::{Change, Condition, Writer, Written};
use crate::region::{Kind, Token};
use crate::sync::{Acquire, Relaxed, Release, SeqCst};
use crate::table::pin::{TablePin, pin_known, unpin};
use crate::table::{View, linked};

/// How far a plain write came.
enum Plainly {
    /// To its end, with this version; announced at that position, if anybody listens.
    Done { version: u64, position: u64 },
    /// Nothing was stored that has to be cleared.
    NotBegun,
    /// Its record is appended, or there was no room for it at once.
    Begun(Option<Location>),
}

impl Mapped {
    /// Creates or replaces an entry, without options.
    #[inline(always)]
    pub(crate) fn put(self: &Arc<Self>, key: &[u8], value: &[u8]) -> Result<Written> {
        let usual = value.len() < self.log.segment_bytes() && (1..=MAX_KEY).contains(&key.len());
        if usual
            && self.is_plain()
            && let Some(local) = self.local()
        {
            let hash = self.hash(key);
            match self.put_plain(local, hash, key, value) {
                Plainly::Done { version, position } => {
                    let origin = self.members.origin();
                    let token = Token { version, origin, kind: Kind::Value };
                    return Ok(Written::Done { token, created: false, position });
                }
                Plainly::Begun(appended) => return self.go_on(local, hash, appended, key, value),
                Plainly::NotBegun => {}
            }
        }
        self.write(Change::new(key, value, Kind::Value, Condition::Always))
    }

    /// Whether a write of a value has to look after nothing but its entry. What changes meanwhile,
    /// changes after the write looked.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        let words = self.words();
        let policy = words.special.load(Relaxed) | words.journal_wanted.load(Relaxed);
        policy == 0 && self.puts_plainly
    }

    #[inline(always)]
    fn put_plain(&self, local: Local<'_>, hash: u64, key: &[u8], value: &[u8]) -> Plainly {
        let Local { context, thread } = local;
        let (words, pin) = (self.words(), &thread.table_pin);
        if !pin_known(pin, &words.table, context.table.log2()) {
            return Plainly::NotBegun;
        }
        // SAFETY: the context is of this region, which is mapped as long as `self` lives.
        let table = unsafe { context.table.view() };
        let primary = context.table.primary(hash);
        table.prefetch(primary);
        thread.ring_start.store(words.ring_tail.load(Acquire), Release);
        crash::point("write.begun");
        let intent = &thread.intent;
        intent.slot.store(0, Release);
        // Nobody listens yet; if somebody does by then, recovery tells to look again.
        intent.announce.store(RingOp::Region.promise(), Release);
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
        let announce = |location: Location| intent.record.store(location.0 + 1, Release);
        let appended =
            Extent::of(key.len(), value.len(), 0, self.log.alignment()).and_then(|extent| {
                self.appender.own.append(&self.log, context.index, &draft, extent, announce)
            });
        let Some(appended) = appended else {
            return Plainly::Begun(None);
        };
        let hazard = Hazard::new(&thread.hazards[0]);
        let version = self
            .find_plain(table, primary, hazard, hash, key)
            .and_then(|found| self.replace_plain(thread, &found, appended, draft.version));
        let Some(version) = version else {
            return Plainly::Begun(Some(appended.location));
        };
        let position = self.announce_region(RegionOp::LookAgain);
        crash::point("write.announced");
        self.wake_key(hash as u32);
        if self.is_stamped() {
            self.note_late(version);
        }
        intent.record.store(0, Release);
        crash::point("write.cleared");
        intent.slot.store(0, Release);
        hazard.clear();
        unpin(pin);
        thread.count(Counter::Puts, 1);
        thread.count(Counter::BytesWritten, (key.len() + value.len()) as u64);
        Plainly::Done { version, position }
    }

    /// The entry, if it is a value without a deadline of its own, under the hazard; `None` for
    /// everything that is not as usual.
    #[inline(always)]
    fn find_plain<'m>(
        &'m self,
        table: View<'m>,
        mut number: u32,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Option<Found<'m>> {
        let tag = tag_of(hash);
        let mut bucket = table.buckets.get(number as usize)?;
        let header = HeaderWord(bucket.header.load(SeqCst));
        if header.is_pending() || header.is_frozen() {
            return None;
        }
        for _ in 0..=MAX_OVERFLOW {
            let mut candidates = bucket.slots_with_tag(tag);
            while let Some(slot) = bucket.slots.get(candidates.trailing_zeros() as usize) {
                let index = candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                let word = SlotWord(slot.load(Acquire));
                let location = word.location();
                self.log.prefetch_to_replace(location);
                hazard.announce_as(self.plain_hazards, location.segment());
                if word.is_frozen() || slot.load(SeqCst) != word.0 {
                    return None;
                }
                // SAFETY: the slot still referred to the record after the hazard was visible; it
                // stays until the hazard is cleared.
                match unsafe { Probe::look::<true>(&self.log, location, key) } {
                    Probed::Found(probe) if probe.is_of(Kind::Value as u8) => {
                        let place = SlotRef::new(number, index).in_table(table.log2);
                        let record = probe.record(&self.log);
                        return Some(Found { slot, place, word, record });
                    }
                    Probed::OtherKey => {}
                    Probed::Found(_) | Probed::Broken => return None,
                }
            }
            number = u32::try_from(linked(bucket.link.load(Acquire))?).ok()?;
            bucket = table.buckets.get(number as usize)?;
        }
        None
    }

    /// One CAS of the slot. `None`: the entry is to be looked at again. `written`: the version that
    /// the new record has.
    #[inline(always)]
    fn replace_plain(
        &self,
        thread: &ThreadDescriptor,
        found: &Found<'_>,
        appended: Unpublished<'_>,
        written: u64,
    ) -> Option<u64> {
        let Found { slot, place, word, ref record } = *found;
        let words = self.words();
        // After the search, as `announce` asks for.
        if words.journal_wanted.load(SeqCst) != 0 {
            return None;
        }
        let version = words.floor.load(SeqCst).max(record.head().version).saturating_add(1);
        // With a stamp the entry may be other than it looks.
        let ceiling = words.ceiling.load(Acquire);
        if version >= ceiling || ceiling & (PENDING | STAMPED) != 0 {
            return None;
        }
        if version != written {
            appended.set_version(version);
        }
        let new = word.moved_to(appended.location);
        let intent = &thread.intent;
        intent.old.store(word.0, Release);
        intent.new.store(new.0, Release);
        intent.slot.store(place.to_word(), Release);
        crash::point("write.intended");
        if slot.compare_exchange(word.0, new.0, SeqCst, Relaxed).is_err() {
            return None;
        }
        crash::point("write.replaced");
        retire_replaced(&self.log, word.location(), record);
        crash::point("write.retired");
        Some(version)
    }

    /// The rest of a write that is not as usual. `appended`: its record.
    #[cold]
    #[inline(never)]
    fn go_on(
        self: &Arc<Self>,
        Local { context, thread }: Local<'_>,
        hash: u64,
        appended: Option<Location>,
        key: &[u8],
        value: &[u8],
    ) -> Result<Written> {
        let change = Change::new(key, value, Kind::Value, Condition::Always);
        let writer = Writer {
            region: self,
            thread,
            context,
            change,
            hash,
            op: RingOp::Change,
            // A version that no record has: what an attempt above gave it is not known here.
            appended: appended.map(|location| (location, 0)),
            pin: TablePin::of_known(&thread.table_pin, context.table.log2()),
            lives_long: false,
            way: Way::default(),
        };
        // Inserts move the chains of a growing index. Where none come any more, writes that meet a
        // chain that was moved see to it that the growth ends; what goes wrong there, others find.
        let _ = self.help_growth(mover(thread));
        let written = self.carry_out(writer);
        if !matches!(written, Err(Error::OutOfSpace { .. } | Error::FileSystemFull { .. })) {
            return written;
        }
        if self.finish_clear()? || self.sweep_for_room()? {
            return self.write(change);
        }
        self.count(Counter::OutOfSpace, 1)?;
        written
    }
}
