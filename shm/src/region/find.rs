//! The search of a read: the one path that every read takes, so nothing is on it that is not
//! needed each time.
//!
//! [`Mapped::find_at_once`] looks at the table that the thread saw last, which one load proves to
//! be still the current one, and at the first record whose tag fits. It is a straight line: a
//! processor runs a few hundred instructions ahead of a cache miss, and what it can keep of a loop
//! in registers is less. Whatever is not as usual (the table changed, the chain was moved, another
//! key has the same tag, an operation inside another one) begins anew with [`Mapped::find`], out of
//! line. A retry is due
//! only when a writer replaced the very slot that was looked at (lock-free). A miss is
//! linearizable: see `table`.

use crate::heap::record::Record;
use crate::heap::record::probe::{Probe, Probed};
use crate::layout::bucket::MAX_OVERFLOW;
use crate::layout::word::{HeaderWord, SlotWord, tag_of};
use crate::reclaim::hazard::Hazard;
use crate::region::mapped::Mapped;
use crate::region::read::Broken;
use crate::region::thread::Local;
use crate::region::{Kind, Token};
use crate::sync::{Acquire, AtomicU64, SeqCst};
use crate::table::pin::{pin_known, unpin};
use crate::table::{View, linked};

/// An entry that has the key, visible or expired, whose segment the hazard of the search protects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'m> {
    /// Name of the table, and the slot in it.
    pub(crate) log2: u32,
    pub(crate) slot: &'m AtomicU64,
    pub(crate) word: SlotWord,
    pub(crate) record: Probe<'m>,
}

/// How the search of one table ended.
enum Sought<'m> {
    Hit(Hit<'m>),
    Absent,
    /// The chain is in the next table.
    Moved,
    Broken(Broken),
}

/// First slot of a chain, behind its primary bucket, that has a tag. Small enough for registers.
enum Behind<'m> {
    Slot(&'m AtomicU64),
    Nothing,
    Broken,
}

/// What became of a read that does nothing but the usual.
pub(crate) enum AtOnce<T> {
    Found(T),
    Absent,
    /// It has to be done again, with everything that may be needed; nothing is left of it.
    Unusual,
}

impl Mapped {
    /// Searches for an entry with a value as it is found nearly always: the table is the one that
    /// the thread saw last, the chain was not moved, nothing can have expired and nothing is wrong.
    /// On Found the hazard stays set, on Absent it is as it was, else it is clear.
    ///
    /// Nothing that has a large result is called from here: it would come through memory, and so
    /// would everything that it is merged with.
    #[inline(always)]
    pub(crate) fn find_at_once<'m>(
        &'m self,
        local: Local<'_>,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> AtOnce<Hit<'m>> {
        let pin = &local.thread.table_pin;
        if !pin_known(pin, &self.words().table, local.context.table.log2()) {
            return AtOnce::Unusual;
        }
        // SAFETY: the context is of this region, which is mapped for 'm.
        let table = unsafe { local.context.table.view() };
        let primary = local.context.table.primary(hash);
        let sought = self.seek_at_once(table, primary, hazard, hash, key);
        unpin(pin);
        match sought {
            Sought::Hit(hit) if hit.record.is_of(Kind::Value as u8) && !self.judges() => {
                AtOnce::Found(hit)
            }
            Sought::Absent => AtOnce::Absent,
            Sought::Hit(_) | Sought::Moved | Sought::Broken(_) => {
                hazard.clear();
                AtOnce::Unusual
            }
        }
    }

    /// Searches for an entry that reads may see. On Some the hazard stays set, else it is clear.
    #[inline(never)]
    pub(crate) fn find<'m>(
        &'m self,
        local: Local<'_>,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<Hit<'m>>, Broken> {
        let pin = self.pin_table(local.thread);
        let mut log2 = pin.log2;
        let found = loop {
            let Some(table) = self.tables.view(&self.log, log2) else {
                break Err(Broken::Table(log2));
            };
            if log2 == pin.log2 {
                local.context.table.set(table);
            }
            match self.seek(table, table.primary(hash), hazard, hash, key) {
                Sought::Hit(hit) => break Ok(Some(hit)),
                Sought::Absent => break Ok(None),
                Sought::Broken(broken) => break Err(broken),
                Sought::Moved => log2 += 1,
            }
        };
        pin.release();
        found
    }

    /// Looks at the first record with the tag of a hash, in the chain of that primary bucket of a
    /// table that is pinned. `Moved` says that something was not as usual. The hazard is set on
    /// `Hit`, and may be on `Moved`.
    #[inline(always)]
    fn seek_at_once<'m>(
        &'m self,
        table: View<'m>,
        number: u32,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Sought<'m> {
        let tag = tag_of(hash);
        let Some(bucket) = table.buckets.get(number as usize) else {
            return Sought::Moved;
        };
        if HeaderWord(bucket.header.load(Acquire)).is_moved() {
            return Sought::Moved;
        }
        let candidates = bucket.slots_with_tag(tag);
        let slot = match bucket.slots.get(candidates.trailing_zeros() as usize) {
            Some(slot) => slot,
            None => match linked(bucket.link.load(Acquire)) {
                None => return Sought::Absent,
                Some(next) => match seek_behind(table, next, tag) {
                    Behind::Slot(slot) => slot,
                    Behind::Nothing => return Sought::Absent,
                    Behind::Broken => return Sought::Moved,
                },
            },
        };
        let word = SlotWord(slot.load(Acquire));
        let location = word.location();
        self.log.prefetch_behind_header(location);
        if word.tag() != tag || word.is_frozen() {
            return Sought::Moved;
        }
        if self.protect_as_it_was(hazard, slot, word).is_err() {
            return Sought::Moved;
        }
        // SAFETY: `protect_as_it_was` proved that the slot still referred to the record after the
        // hazard was visible; it stays until the hazard is cleared.
        match unsafe { Probe::look::<true>(&self.log, location, key) } {
            Probed::Found(record) => {
                self.touch(slot, word);
                Sought::Hit(Hit { log2: table.log2, slot, word, record })
            }
            Probed::OtherKey | Probed::Broken => Sought::Moved,
        }
    }

    /// Searches the chain of a hash in one table that is pinned, from its primary bucket on. A
    /// chain that is being moved is read where it is: its frozen words hold until it is moved.
    #[inline]
    fn seek<'m>(
        &'m self,
        table: View<'m>,
        mut number: u32,
        hazard: Hazard<'m>,
        hash: u64,
        key: &[u8],
    ) -> Sought<'m> {
        let tag = tag_of(hash);
        let Some(mut bucket) = table.buckets.get(number as usize) else {
            return Sought::Broken(Broken::Bucket(number));
        };
        let header = &bucket.header;
        if HeaderWord(header.load(Acquire)).is_moved() {
            return Sought::Moved;
        }
        for _ in 0..=MAX_OVERFLOW {
            let mut candidates = bucket.slots_with_tag(tag);
            while let Some(slot) = bucket.slots.get(candidates.trailing_zeros() as usize) {
                candidates &= candidates - 1;
                let mut word = SlotWord(slot.load(Acquire));
                while word.tag() == tag {
                    self.log.prefetch_record(word.location());
                    if let Err(now) = self.protect(hazard, slot, word) {
                        word = now;
                        continue;
                    }
                    if word.is_frozen() && HeaderWord(header.load(SeqCst)).is_moved() {
                        hazard.clear();
                        return Sought::Moved;
                    }
                    // SAFETY: `protect` proved that the slot still referred to the record after
                    // the hazard was visible, and if it is frozen, the header that it was in
                    // force; it stays until the hazard is cleared.
                    match unsafe { Probe::look::<false>(&self.log, word.location(), key) } {
                        Probed::Found(record) => {
                            self.touch(slot, word);
                            return Sought::Hit(Hit { log2: table.log2, slot, word, record });
                        }
                        Probed::OtherKey => break,
                        Probed::Broken => {
                            hazard.clear();
                            return Sought::Broken(Broken::Record(word.location()));
                        }
                    }
                }
            }
            let Some(next) = linked(bucket.link.load(Acquire)) else {
                hazard.clear();
                return Sought::Absent;
            };
            let Some(behind) = table.buckets.get(next as usize) else {
                break;
            };
            (number, bucket) = (next as u32, behind);
        }
        hazard.clear();
        Sought::Broken(Broken::Bucket(number))
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

    /// The same, where a word that differs in its frequency only may count as another one.
    #[inline(always)]
    fn protect_as_it_was(
        &self,
        hazard: Hazard<'_>,
        slot: &AtomicU64,
        seen: SlotWord,
    ) -> Result<(), SlotWord> {
        hazard.announce_as(self.plain_hazards, seen.location().segment());
        let now = SlotWord(slot.load(SeqCst));
        if now == seen { Ok(()) } else { Err(now) }
    }

    /// Whether the entry has a value now, for a read that counts as an access.
    #[inline(always)]
    pub(crate) fn has_value(&self, hit: &Hit<'_>) -> Result<bool, Broken> {
        if hit.record.is_of(Kind::Value as u8) && !self.judges() {
            return Ok(true);
        }
        self.judged_value(hit.record.record(&self.log))
    }

    /// The state of the entry as an operation sees it; `None` if it is not there. `access`: the
    /// operation counts as one.
    #[inline(always)]
    pub(crate) fn state_of(&self, hit: &Hit<'_>, access: bool) -> Result<Option<Token>, Broken> {
        if hit.record.is_of(Kind::Value as u8) && !self.judges() {
            let (version, origin) = (hit.record.version(), hit.record.origin());
            let origin = if origin == 0 { self.members.origin() } else { origin };
            return Ok(Some(Token { version, origin, kind: Kind::Value }));
        }
        self.judged_state(hit.record.record(&self.log), access)
    }

    #[inline(never)]
    pub(crate) fn judged_state(
        &self,
        record: Record<'_>,
        access: bool,
    ) -> Result<Option<Token>, Broken> {
        let token = self.token(&record)?;
        Ok(match access {
            true => self.accessed(&record, token),
            false => self.seen(&record, token),
        })
    }

    #[inline(never)]
    fn judged_value(&self, record: Record<'_>) -> Result<bool, Broken> {
        let state = self.judged_state(record, true)?;
        Ok(state.is_some_and(|token| token.kind == Kind::Value))
    }
}

/// Follows a chain from its first overflow bucket to the first slot that has this tag.
#[inline(never)]
fn seek_behind(table: View<'_>, mut number: u64, tag: u64) -> Behind<'_> {
    for _ in 0..MAX_OVERFLOW {
        let Some(bucket) = table.buckets.get(number as usize) else {
            return Behind::Broken;
        };
        let candidates = bucket.slots_with_tag(tag);
        if let Some(slot) = bucket.slots.get(candidates.trailing_zeros() as usize) {
            return Behind::Slot(slot);
        }
        match linked(bucket.link.load(Acquire)) {
            None => return Behind::Nothing,
            Some(next) => number = next,
        }
    }
    Behind::Broken
}
