//! Writes: append a record, publish it by one CAS of the index, retire what it replaced, announce.
//!
//! # Order of stores and what a death leaves
//!
//! The thread's descriptor carries an *intent*, so that recovery can finish the bookkeeping. The
//! intent exists while `intent.record` is set; `intent.slot` is 0 while nothing can be published.
//!
//! | step | killed after it | recovery |
//! |---|---|---|
//! | 1 `ring_start`, `active_since`; `slot = 0` | nothing happened | clears them |
//! | 2 record written, `intent.record` set | bytes beyond `committed` | nothing to do |
//! | 3 `committed` covers the record | record unpublished | marks it abandoned |
//! | 4 `announce`, `old`, `new`, then `slot` set | record unpublished | slot != new: marks it abandoned |
//! | 5 slot CAS (insert: claim, slot CAS, end; by anybody) | *published* | steps 6 and 7 |
//! | 6 old record marked dead | not announced | announces it once: see `announce` |
//! | 7 ring cell, wakes | intent still set | finds the cell, announces nothing, wakes |
//! | 8 `intent.record = 0` | done | - |
//!
//! A write without a condition does steps 2 and 3 before its first search, with a version that it
//! changes before step 4: then the bucket comes from memory while the record is written.
//!
//! The usual write takes the same steps in a function of its own: [`plain`].
//!
//! Steps 1 (second half) to 5 are one attempt. It begins by clearing `slot`, before its search
//! moves the hazard away from the old record, and before `old` and `new` change: recovery never
//! combines the slot of one attempt with the words or the hazard of another. All intent stores are
//! `Release`, so they become visible in program order on every architecture; a killed process has
//! no others.
//!
//! Published means: the slot holds `new`, or the record is marked *published* (by a cleaner that
//! moved it), or it is marked *dead* and not *abandoned*. Dead alone is the mark of a record that
//! was in the index; whoever gives up one that never was, its writer or recovery, sets both bits at
//! once. A recovery that itself is killed may therefore be repeated. What left the index since was
//! announced by whoever took it out, before it did. The
//! record's memory is not reused while the intent names it: see `reclaim`.
//!
//! The old record's segment stays under the operation's hazard from the search to the end of the
//! attempt, so the slot word cannot come to mean another record (no ABA), also not while the
//! thread is stopped.
//!
//! # Destroying in a region of local scope, or on this node only
//!
//! The entry leaves the index. Nobody ever subscribed: one CAS to an empty word, no record;
//! `intent.record` is `NO_RECORD` and `announce` is that of `RingOp::Region`. Somebody did:
//!
//! | step | killed after it | recovery |
//! |---|---|---|
//! | 1 to 4 as above, `new` = hidden word of a tombstone | not destroyed | as above |
//! | 5 slot CAS: the tombstone takes the slot | *destroyed*, in the index | 6 to 8 |
//! | 6 old record marked dead | not announced | announces |
//! | 7 ring cell, wake | announced, in the index | 8 |
//! | 8 slot CAS to an empty word; tombstone marked dead | perhaps no mark | marks it |
//!
//! So the slot, or the mark of the tombstone, tells at any time whether the destroy took place; an
//! empty word alone could not once others have used the slot. If there is no room for the record,
//! the way without one is taken, and `RegionOp::LookAgain` tells listeners to. Recovery of
//! that way announces if the slot changed at all, at worst once too often.
//!
//! # Versions
//!
//! Monotone per key: above the replaced record's, and above the region's floor, which is raised to
//! the version of every entry *before* it is dropped from the index. In distributed regions the
//! version is hybrid time (Kulkarni et al., 2014): microseconds of the real-time clock times 4096.

use std::sync::Arc;

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::record::{Draft, Mark, Record, own_state, set_previous, set_version};
use crate::layout::counters::Counter;
use crate::layout::record::{
    DEADLINE_BYTES, Extent, FLAG_BULK, FLAG_EXPIRATION, FLAG_PREVIOUS, FLAG_REMOTE, FLAG_VALUELESS,
    MAX_VALUE, PREVIOUS_BYTES,
};
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::{HIDDEN_TAG, Location, RegionOp, RingOp, SlotRef, SlotWord, tag_of};
use crate::reclaim::{self, retire, retire_replaced};
use crate::region::announce::Announcement;
use crate::region::attributes::DataPolicy;
use crate::region::expiry::ExpiryAction;
use crate::region::index::{Place, mover};
use crate::region::mapped::Mapped;
use crate::region::read::{Found, Search};
use crate::region::thread::Context;
use crate::region::{Kind, Token};
use crate::sync::{Acquire, Ordering, Relaxed, Release, SeqCst, fence, raise};
use crate::table::insert;
use crate::table::pin::TablePin;
pub(crate) use judge::Arrival;
use way::Way;

/// `intent.record` of a write that appends nothing.
pub(crate) const NO_RECORD: u64 = u64::MAX;

/// `intent.announce` of an eviction.
pub(crate) const PROMISE_EVICTION: u64 = 5;
/// `intent.announce` of what is done to the whole region.
pub(crate) const PROMISE_REGION: u64 = 6;

/// Under which condition a write takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// Always.
    Always,
    /// Only if no entry is visible.
    Absent,
    /// Only if an entry is visible.
    Present,
    /// Only if an entry is visible and has a value.
    Valued,
    /// Only if the visible entry has this token.
    Equals(Token),
    /// Only if it has expired, and that is to become of it.
    Expired(ExpiryAction),
    /// Only as `judge` says of what comes from another node.
    Arrived { version: u64, origin: u16, arrival: Arrival },
}

/// One write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) condition: Condition,
    /// When the new entry expires by itself.
    pub(crate) deadline: Option<u64>,
    /// Whether the change was made because the entry before it had expired.
    pub(crate) expiration: bool,
    /// Whether it is not for other nodes.
    pub(crate) local: bool,
    /// Whether it is part of an operation on many keys.
    pub(crate) bulk: bool,
    /// Of kind `Transit`: the entry has no value.
    pub(crate) valueless: bool,
    /// Of kind `Transit`: it tells of a new entry.
    pub(crate) created: bool,
    /// It is not told to listeners.
    pub(crate) silent: bool,
}

impl<'a> Change<'a> {
    pub(crate) fn new(key: &'a [u8], value: &'a [u8], kind: Kind, condition: Condition) -> Self {
        let expiration = matches!(condition, Condition::Expired(_));
        let local = kind == Kind::LocalInvalid
            || matches!(condition, Condition::Expired(ExpiryAction::LocalDestroy));
        Self {
            key,
            value,
            kind,
            condition,
            deadline: None,
            expiration,
            local,
            bulk: false,
            valueless: false,
            created: false,
            silent: false,
        }
    }

    fn is_remote(&self) -> bool {
        matches!(self.condition, Condition::Arrived { .. })
    }

    fn op(&self) -> RingOp {
        match (self.is_remote(), self.local) {
            (true, _) => RingOp::Remote,
            (false, true) => RingOp::Local,
            (false, false) => RingOp::Change,
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Published. `position` is the ring position after the announcement (0 = not announced).
    Done { token: Token, created: bool, position: u64 },
    /// The condition did not hold; the token of the visible entry, if any.
    Refused(Option<Token>),
}

/// One attempt's result.
enum Attempt {
    Done(Written),
    Again,
}

/// A running write of the calling thread.
struct Writer<'m> {
    region: &'m Mapped,
    thread: &'m ThreadDescriptor,
    context: &'m Context,
    change: Change<'m>,
    hash: u64,
    op: RingOp,
    /// The appended record and its version, once there is one.
    appended: Option<(Location, u64)>,
    /// Held from before the intent to after it.
    pin: TablePin<'m>,
    /// The entry is in the main queue of an evicting region, or comes back.
    lives_long: bool,
    way: Way,
}

impl Mapped {
    /// Frees dead segments, and returns their number. `all` looks at every sealed one, if a
    /// recovery gave reason to.
    pub(crate) fn reclaim(&self, context: &Context, all: bool) -> Result<u64> {
        let recoveries = self.words().recoveries.load(Acquire);
        let retired = self.retire_tables();
        if all && self.looked_at.load(Ordering::Relaxed) == recoveries {
            return Ok(retired);
        }
        let freed = self.reclaim_read(context, all)?;
        if all {
            // Only now: another thread of the process must not believe that it was done before.
            self.looked_at.store(recoveries, Ordering::Relaxed);
        }
        Ok(u64::from(freed) + retired)
    }

    /// Largest value for a key: all segments but those of the first index table, the reserve, and
    /// one for other records.
    pub(crate) fn max_value_len(&self, key_len: usize) -> usize {
        // Any entry may get a deadline, and many tell which record they replaced.
        let fixed = Extent::of(key_len, 0, DEADLINE_BYTES + PREVIOUS_BYTES, self.log.alignment())
            .map_or(usize::MAX, |extent| extent.value);
        // The smallest index is one segment.
        let others = 1 + u64::from(self.log.least_reserve()) + 1;
        let segments = u64::from(self.log.segments()).saturating_sub(others) as usize;
        self.log.segment_bytes().saturating_mul(segments).saturating_sub(fixed).min(MAX_VALUE)
    }

    /// Carries out one write. A region that is full sweeps for expired entries first.
    pub(crate) fn write(self: &Arc<Self>, change: Change<'_>) -> Result<Written> {
        let empty = self.attributes.data_policy == DataPolicy::Empty;
        if empty && !self.has_others() {
            return self.pass_on(&change);
        }
        let change = if empty { change.in_transit() } else { change };
        loop {
            let written = self.write_as_is(&change);
            if !matches!(written, Err(Error::OutOfSpace { .. } | Error::FileSystemFull { .. })) {
                return written;
            }
            if !self.finish_clear()? && !self.sweep_for_room()? {
                self.count(Counter::OutOfSpace, 1)?;
                return written;
            }
        }
    }

    /// Carries out one write. Lock-free; see the module for the steps.
    pub(crate) fn write_as_is(self: &Arc<Self>, change: &Change<'_>) -> Result<Written> {
        Self::check_key(change.key)?;
        let max = self.max_value_len(change.key.len());
        if change.value.len() > max {
            return Err(Error::ValueTooLarge { len: change.value.len(), max });
        }
        let context = self.context()?;
        let remote = change.is_remote();
        let writer = Writer::new(self, &context, change);
        writer.begin(remote);
        self.carry_out(writer)
    }

    /// All of a write that has begun.
    fn carry_out(&self, mut writer: Writer<'_>) -> Result<Written> {
        let result = writer.run();
        writer.end(&result);
        if self.evicts() && matches!(result, Ok(Written::Done { .. })) {
            // The write has taken place; what is damaged elsewhere does not undo it.
            let _ = self.keep_bound(writer.context);
        }
        result
    }
}

impl<'m> Writer<'m> {
    fn new(region: &'m Mapped, context: &'m Context, change: &Change<'m>) -> Self {
        let pin = region.pin_table(region.descriptor(context));
        if let Some(table) = region.tables.view(&region.log, pin.log2) {
            context.table.set(table);
        }
        Self {
            region,
            thread: region.descriptor(context),
            context,
            change: *change,
            hash: region.hash(change.key),
            op: change.op(),
            appended: None,
            pin,
            lives_long: false,
            way: Way::default(),
        }
    }

    fn begin(&self, remote: bool) {
        let thread = self.thread;
        if self.region.is_distributed() && !remote {
            // Every version of this write is above the floor as it is now, so this is a lower
            // bound for all attempts. The fence pairs with that of `close_time`: either it sees
            // this word, or the versions are above the floor that it raised before it looked.
            let floor = self.region.words().floor.load(SeqCst);
            thread.active_since.store(floor.saturating_add(1), Relaxed);
            fence(SeqCst);
        }
        crash::point("write.begun");
    }

    fn run(&mut self) -> Result<Written> {
        let backoff = crossbeam_utils::Backoff::new();
        self.append_early()?;
        loop {
            if let Attempt::Done(written) = self.attempt()? {
                return Ok(written);
            }
            self.thread.count(Counter::Retries, 1);
            backoff.spin();
        }
    }

    /// A write that no condition refuses needs its record in any case: it is appended while the
    /// bucket is on its way from memory. Only the version is known later.
    fn append_early(&mut self) -> Result<()> {
        // Where entries are evicted, the queue of the record is known only when its slot is.
        let needed = matches!(self.change.condition, Condition::Always) && !self.region.evicts();
        if self.change.kind != Kind::Value || !needed || self.appended.is_some() {
            return Ok(());
        }
        self.begin_attempt();
        self.region.prefetch_bucket(self.pin.log2, self.hash);
        // A lower bound, and near the final one: the segment keeps the newest version it holds.
        self.record(self.version(0)).map(|_| ())
    }

    /// The first half of the intent: nothing can be published. What is published later is
    /// announced behind the ring as it is now, which spares others a long scan.
    fn begin_attempt(&self) {
        self.thread.intent.slot.store(0, Release);
        self.thread.ring_start.store(self.region.words().ring_tail.load(Acquire), Release);
        self.way.begin();
    }

    /// Clears the intent, then everything else.
    fn end(&self, result: &Result<Written>) {
        let done = matches!(result, Ok(Written::Done { .. }));
        if let (false, Some((location, _))) = (done, self.appended) {
            self.abandon_own(location);
        }
        if done {
            self.region.wake_key(self.hash as u32);
        }
        self.thread.intent.record.store(0, Release);
        crash::point("write.cleared");
        self.thread.intent.slot.store(0, Release);
        self.region.hazard(self.context, 0).clear();
        self.thread.active_since.store(0, Release);
        self.pin.release();
        self.count(result);
        if let (true, Ok(Written::Done { token, .. })) = (self.region.is_stamped(), result) {
            self.region.note_late(token.version);
        }
    }

    /// Marks this write's own record, which was never published, as dead.
    #[cold]
    fn abandon_own(&self, location: Location) {
        // SAFETY: no other thread marks a record that was never published, and while it is not
        // marked its segment is not reused.
        if let Ok(record) = unsafe { Record::read(&self.region.log, location) } {
            reclaim::abandon(&self.region.log, location, &record);
        }
        crash::point("write.abandoned");
    }

    fn attempt(&mut self) -> Result<Attempt> {
        let region = self.region;
        // The search moves the hazard away from the old record of an earlier attempt. And that one
        // may have gone without a record, while this one has one.
        self.begin_attempt();
        let place = region.place_for(mover(self.thread), self.pin.log2, self.hash)?;
        let hazard = region.hazard(self.context, 0);
        let search = region.search(&place, hazard, self.hash, self.change.key);
        match search.map_err(|broken| region.damaged(broken))? {
            Search::Found(found) => self.replace(&found),
            Search::Frozen => Ok(Attempt::Again),
            Search::Absent { empty, last, full_length } => {
                if let Some(refused) = self.refuse_absent() {
                    return Ok(Attempt::Done(refused));
                }
                if region.grows_from(place.table.log2) {
                    // New keys go to the new table, so that the old one need not grow.
                    region.move_chain(mover(self.thread), place.table.log2, place.primary)?;
                    return Ok(Attempt::Again);
                }
                match empty {
                    Some((slot, word)) => self.insert(&place, slot, word),
                    None => self.lengthen(&place, last, full_length),
                }
            }
        }
    }

    /// Appends the record, or gives the one appended before another version.
    fn record(&mut self, version: u64) -> Result<Location> {
        let log = &self.region.log;
        if let Some((location, current)) = self.appended {
            if current != version {
                // SAFETY: written by this call of `write`, and not published: every attempt to
                // publish it failed.
                unsafe { set_version(log, location, version) }?;
                self.appended = Some((location, version));
            }
            return Ok(location);
        }
        let words = self.region.words();
        if self.change.deadline.is_some() && words.deadlines.load(Relaxed) == 0 {
            words.deadlines.store(1, Release);
            crash::point("expiry.deadlines");
        }
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        let draft = Draft {
            version,
            hash: self.hash,
            origin: self.origin(),
            kind: self.change.kind as u8,
            flags: flag(self.change.expiration, FLAG_EXPIRATION)
                | flag(self.change.bulk, FLAG_BULK)
                | flag(self.region.attributes.old_values, FLAG_PREVIOUS)
                | flag(self.change.valueless, FLAG_VALUELESS)
                | flag(self.change.is_remote(), FLAG_REMOTE),
            member: self.region.me as u16,
            deadline: self.change.deadline,
            access: self.region.access_now(),
            key: self.change.key,
            value: self.change.value,
        };
        let extent = draft.extent(log.alignment()).ok_or_else(|| self.out_of_space("records"))?;
        let append = || self.region.appender.append(log, self, &(&draft, extent));
        let mut location = append();
        // Dead members may hold segments, or protect some.
        if matches!(location, Ok(None) | Err(Error::FileSystemFull { .. }))
            && crate::recover::recover_region(self.region).is_ok_and(|freed| freed > 0)
        {
            location = append();
        }
        let location = location?.ok_or_else(|| self.out_of_space("records"))?;
        self.appended = Some((location, version));
        Ok(location)
    }

    fn out_of_space(&self, what: &'static str) -> Error {
        self.region.out_of_space(what)
    }

    /// The key has a slot: one CAS of it.
    fn replace(&mut self, found: &Found<'m>) -> Result<Attempt> {
        let region = self.region;
        let old = region.token(&found.record).map_err(|broken| region.damaged(broken))?;
        let seen = region.seen(&found.record, old);
        if let Some(refused) = self.refuse(&found.record, old, seen) {
            return Ok(Attempt::Done(refused));
        }
        if self.leaves_nothing() {
            return self.drop_entry(found, old);
        }
        let version = self.version(old.version);
        if region.evicts() {
            self.let_give_way(found.word.location());
            self.lives_long = region.log.class(found.word.location().segment()) == 1;
        }
        let location = match self.record(version) {
            // Perhaps nothing but its own hazard was in the way: once more without it.
            Err(Error::OutOfSpace { .. } | Error::FileSystemFull { .. }) => {
                region.hazard(self.context, 0).clear();
                self.record(version)?;
                return Ok(Attempt::Again);
            }
            other => other?,
        };
        let stands = || match self.change.is_remote() {
            // Its version is what it is.
            true => region.seen(&found.record, old) == seen,
            false => region.still_stands(found, old, seen, version),
        };
        if self.way.is_lost() || region.is_stamped() && !stands() {
            return Ok(Attempt::Again);
        }
        let mut new = self.occupied(location).with_frequency_of(found.word);
        if region.evicts() {
            new = new.used_once_more();
        }
        let announces = region.is_wanted();
        if announces {
            region.settle(found.word.location(), &found.record);
            self.describe(location, self.mark(Some(old), seen), Some(found.word.location()))?;
        }
        if !self.swap_slot(found, new, announces) {
            return Ok(Attempt::Again);
        }
        let position = self.announce_change(location, version, announces);
        let token = Token { version, origin: self.origin(), kind: self.change.kind };
        Ok(Attempt::Done(Written::Done { token, created: seen.is_none(), position }))
    }

    /// One CAS of the slot; the replaced record is retired.
    fn swap_slot(&self, found: &Found<'m>, new: SlotWord, announces: bool) -> bool {
        self.intend(found.place, found.word, new, announces);
        if found.slot.compare_exchange(found.word.0, new.0, SeqCst, Relaxed).is_err() {
            return false;
        }
        crash::point("write.replaced");
        self.region.count_change(found.word, new);
        retire_replaced(&self.region.log, found.word.location(), &found.record);
        crash::point("write.retired");
        true
    }

    /// Destroys an entry of a local region: it leaves the index.
    ///
    /// Nobody listens: one CAS to an empty word, no record. Somebody listens: the record of the
    /// event first takes the slot, so that recovery can tell whether the entry was destroyed, and
    /// leaves it once it is announced. No room for that record: listeners are told to look again.
    #[inline(never)]
    fn drop_entry(&mut self, found: &Found<'m>, old: Token) -> Result<Attempt> {
        let words = self.region.words();
        let version = old.version.saturating_add(1);
        let token = Token { version, origin: self.origin(), kind: Kind::Tombstone };
        let done = |position| Attempt::Done(Written::Done { token, created: false, position });
        let announces = self.region.is_wanted();
        let location = match announces {
            false => None,
            true if self.way.has_none() => None,
            true => match self.record(version) {
                Ok(location) => Some(location),
                Err(Error::OutOfSpace { .. } | Error::FileSystemFull { .. }) => {
                    self.way.find_none();
                    None
                }
                Err(error) => return Err(error),
            },
        };
        if self.way.is_lost() {
            return Ok(Attempt::Again);
        }
        if announces {
            self.region.settle(found.word.location(), &found.record);
        }
        // The version of what leaves the index is kept in the floor; before the CAS, so that
        // whoever finds the key absent starts above it.
        raise(&words.floor, version);
        let Some(location) = location else {
            self.thread.intent.record.store(NO_RECORD, Release);
            let empty = self.region.next_empty(self.context);
            if !self.swap_slot(found, empty, false) {
                return Ok(Attempt::Again);
            }
            return Ok(done(self.region.announce_region(RegionOp::LookAgain)));
        };
        let tombstone = SlotWord::occupied(HIDDEN_TAG, location);
        self.describe(location, Mark::Changed, Some(found.word.location()))?;
        if !self.swap_slot(found, tombstone, true) {
            return Ok(Attempt::Again);
        }
        let position = self.announce_change(location, version, true);
        let index = self.context.index;
        // The destroy has taken place: a record that stays hidden there is found by others, and
        // must not be given up as one that was never published.
        let _ = self.region.drop_tombstone(index, self.pin.log2, self.hash as u32, location);
        Ok(done(position))
    }

    /// The key has no slot: the helpable insert.
    fn insert(&mut self, place: &Place<'m>, slot: SlotRef, empty: SlotWord) -> Result<Attempt> {
        let region = self.region;
        let version = self.version(0);
        self.lives_long |= self.appended.is_none() && region.was_ghost(self.hash);
        let location = self.record(version)?;
        let new = self.occupied(location);
        let announces = region.is_wanted();
        if announces {
            self.describe(location, self.mark(None, None), None)?;
        }
        self.intend(slot, empty, new, announces);
        let Place { table, primary, header } = *place;
        let insert = insert::Insert { primary, header, slot, expected: empty, new };
        let thread = self.context.index;
        if !insert::insert(table.buckets, thread, &self.thread.insert, &insert) {
            return Ok(Attempt::Again);
        }
        region.count_change(empty, new);
        let position = self.announce_change(location, version, announces);
        // The write has taken place: what goes wrong there, others will find.
        let _ = region.build_some(self.pin.log2);
        let _ = region.help_growth(mover(self.thread));
        let token = Token { version, origin: self.origin(), kind: self.change.kind };
        Ok(Attempt::Done(Written::Done { token, created: true, position }))
    }

    fn occupied(&self, location: Location) -> SlotWord {
        let hidden = !self.change.kind.is_visible();
        SlotWord::occupied(if hidden { HIDDEN_TAG } else { tag_of(self.hash) }, location)
    }

    /// Without an announcement the intent says that listeners have to look again, if there are any
    /// by then.
    fn intend(&self, slot: SlotRef, old: SlotWord, new: SlotWord, announces: bool) {
        let intent = &self.thread.intent;
        let op = if announces { self.op } else { RingOp::Region };
        intent.slot.store(0, Release);
        intent.announce.store(op.promise(), Release);
        intent.old.store(old.0, Release);
        intent.new.store(new.0, Release);
        intent.slot.store(slot.to_word(), Release);
        crash::point("write.intended");
    }

    /// What listeners learn beside the content of a record that is not published yet.
    fn describe(&self, location: Location, mark: Mark, previous: Option<Location>) -> Result<()> {
        if self.region.attributes.old_values {
            let previous = previous.map_or(0, |previous| previous.0 + 1);
            // SAFETY: written by this call of `write`, and not published.
            unsafe { set_previous(&self.region.log, location, previous) }?;
        }
        // SAFETY: written by this call of `write`, whose intent names it.
        let state = unsafe { own_state(&self.region.log, location) }?;
        if state.load(Ordering::Relaxed) != mark.state() {
            state.store(mark.state(), Ordering::Relaxed);
        }
        Ok(())
    }

    fn announce_change(&self, location: Location, version: u64, announces: bool) -> u64 {
        // SAFETY: as in `describe`; the intent is cleared later.
        let state = unsafe { own_state(&self.region.log, location) };
        let (Ok(state), true) = (state, announces) else {
            // Somebody may have subscribed since.
            return self.region.announce_region(RegionOp::LookAgain);
        };
        let own = Announcement { op: self.op, location, version };
        let from = self.thread.ring_start.load(Relaxed);
        let position = self.region.announce_own(own, state, from);
        crash::point("write.announced");
        position
    }
}

impl Mapped {
    /// A caller's token as it reads now: one that was taken before the node had a number says
    /// origin 0, which means this node.
    pub(crate) fn current(&self, token: Token) -> Token {
        let origin = if token.origin == 0 { self.members.origin() } else { token.origin };
        Token { origin, ..token }
    }

    /// A word for an emptied slot that was never used before.
    pub(crate) fn next_empty(&self, context: &Context) -> SlotWord {
        stamped(&self.threads[context.index as usize], context.index)
    }

    /// Takes an announced tombstone of a local region out of the index, in the name of the thread
    /// that owns it: itself, or recovery when it is dead.
    /// `log2`: the table of its pin.
    pub(crate) fn drop_tombstone(
        &self,
        thread: u32,
        log2: u32,
        hash: u32,
        location: Location,
    ) -> Result<()> {
        let descriptor = &self.threads[thread as usize];
        // Not there: somebody replaced it, and retires it.
        while let Some(found) = self.locate(mover(descriptor), log2, hash, location)? {
            let empty = stamped(descriptor, thread);
            if found.slot.compare_exchange(found.word.0, empty.0, SeqCst, Relaxed).is_err() {
                continue;
            }
            crash::point("write.dropped");
            // SAFETY: this call took the record out of the index, so only it marks it dead; not
            // marked, it keeps its segment.
            if let Ok(record) = unsafe { Record::read(&self.log, location) } {
                retire(&self.log, location, &record);
            }
            break;
        }
        Ok(())
    }
}

/// The counter is stored before the word is used: one that is lost by a death is skipped, never
/// given twice.
pub(crate) fn stamped(thread: &ThreadDescriptor, index: u32) -> SlotWord {
    let counter = thread.stamp.load(Relaxed).wrapping_add(1);
    thread.stamp.store(counter, Release);
    SlotWord::empty(index, counter)
}

mod author;
mod count;
mod judge;
mod lengthen;
mod pass;
mod plain;
mod purge;
mod way;

#[cfg(test)]
mod tests;
