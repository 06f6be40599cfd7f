//! What a bridge process needs: the seat of a node and the feed of a region. Applications do not.
//!
//! The bridge owns no state that matters: positions, watermarks and closed times are words of the
//! region, and a bridge that is killed is replaced by the next one, which finds them.
//!
//! A child that is forked inherits no seat. There everything that acts, or whose answer the bridge
//! acts on, is the error `ForkedChild`; what only reads words ([`Feed::tail`], [`Feed::oldest`],
//! [`Feed::watermarks`], [`Feed::origins`]) tells them as they are.

use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::heap::record::{Mark, Record};
use crate::journal::Cell;
use crate::layout::region::{ORIGINS, OriginWords};
use crate::layout::word::{CellWord, Doer, RegionOp, RingOp};
use crate::member::{BridgeSeat, Members};
use crate::os::clock::realtime_micros;
use crate::region::attributes::Interest;
use crate::region::event::meaning;
use crate::region::mapped::Mapped;
use crate::region::read_only::ReadOnlyRegion;
use crate::region::statistics::RegionState;
use crate::region::write::{self, Arrival, Condition, Written};
use crate::region::{Kind, Region, Token};
use crate::sync::{Acquire, Relaxed, Release, SeqCst, fence, raise};

/// What processes ask the bridge: see `FORMAT.md`.
pub mod ask {
    pub use crate::member::asks::{
        ANSWER, Asked, LARGEST, Outcome, QUESTION, SOCKET, VERSION, What, answer, parse,
    };
}

pub use crate::region::clear::Whole;

/// The one place of a bridge at a node, held by the kernel for the life of the process.
#[derive(Debug)]
pub struct Seat {
    seat: BridgeSeat,
}

impl Seat {
    pub(crate) fn take(members: &Arc<Members>) -> Result<Self> {
        Ok(Self { seat: members.take_bridge_seat()? })
    }

    /// Number of bridges that took the seat so far, this one included.
    pub fn epoch(&self) -> u64 {
        self.seat.epoch()
    }

    /// Becomes readable when a writer rings; for poll and epoll.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.seat.bell()
    }

    /// Empties the bell, so that it becomes readable again only by a new ring.
    ///
    /// # Errors
    /// `ForkedChild`: the rings are for the parent.
    pub fn quiet(&self) -> Result<()> {
        self.seat.quiet()
    }

    /// Announces that the bridge is about to sleep: the next writer rings. Look at every feed
    /// once more after this call and before sleeping.
    ///
    /// # Errors
    /// `ForkedChild`.
    pub fn arm(&self) -> Result<()> {
        self.seat.arm()
    }

    /// The bridge is awake: writers need not ring.
    ///
    /// # Errors
    /// `ForkedChild`.
    pub fn disarm(&self) -> Result<()> {
        self.seat.disarm()
    }

    /// The clock of versions: microseconds since 1970 times 4096.
    pub fn clock(&self) -> u64 {
        crate::os::clock::realtime_micros() << 12
    }

    /// The bridge's view of a region of this node.
    ///
    /// # Errors
    /// `ForkedChild`.
    pub fn feed(&self, region: &Region) -> Result<Feed> {
        self.seat.check_process()?;
        region.mapped.members.check_process()?;
        raise(&region.mapped.words().bridge_epoch, self.epoch());
        region.mapped.wake_writers();
        Ok(Feed { region: region.clone() })
    }
}

/// Versions of other nodes beyond this would leave no room for later ones.
const MAX_VERSION: u64 = u64::MAX - (1 << 40);

/// A change as it travels between nodes.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Ring position on the node of origin; 0 in scans and where it does not matter.
    pub position: u64,
    /// Key.
    pub key: &'a [u8],
    /// Value; empty for kinds without one.
    pub value: &'a [u8],
    /// What the entry becomes.
    pub kind: Kind,
    /// Version, ordered together with the origin.
    pub version: u64,
    /// Node that made the change.
    pub origin: u16,
    /// When the entry expires by itself, in microseconds since 1970; `None`: the region decides.
    pub deadline: Option<u64>,
    /// Whether the change was made because the entry before it had expired.
    pub expiration: bool,
    /// Whether the key was absent where the change was made; only of live changes.
    pub created: bool,
    /// Whether it was part of an operation on many keys.
    pub bulk: bool,
}

/// Something that was done on this node.
#[derive(Debug, Clone, Copy)]
pub enum Announced<'a> {
    /// To one entry.
    Entry(Change<'a>),
    /// To an entry that is not stored here: it is only on its way to other nodes.
    Passing(Change<'a>),
    /// To all entries.
    Whole {
        /// Ring position.
        position: u64,
        /// What.
        whole: Whole,
        /// Entries with a lower version are concerned.
        stamp: u64,
    },
}

/// How far [`Feed::drain`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Continue here next time.
    Upto(u64),
    /// Announcements before `oldest` are gone: resynchronise from the table.
    Lapped {
        /// First position that may still be read.
        oldest: u64,
    },
}

/// What became of a change of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is the entry's state now.
    Newer,
    /// The entry is newer already.
    Older,
    /// It was there already.
    Equal,
    /// The region does not hold the key, and does not take it.
    Unknown,
}

/// What a region remembers of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OriginState {
    /// The other node.
    pub origin: u16,
    /// Incarnation of its region file; positions count within one.
    pub epoch: u64,
    /// Everything below this position of its ring is applied here.
    pub position: u64,
    /// All its changes up to this version are here.
    pub closed: u64,
}

/// The bridge's view of one region. One thread at a time.
#[derive(Debug)]
pub struct Feed {
    region: Region,
}

impl Feed {
    /// The region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    fn mapped(&self) -> &Arc<Mapped> {
        &self.region.mapped
    }

    /// Random number of this incarnation of the region file: positions compare only within one.
    pub fn epoch(&self) -> u64 {
        self.mapped().epoch
    }

    /// Next position to be written; the first is 0.
    pub fn tail(&self) -> u64 {
        self.mapped().journal().tail()
    }

    /// First position that may still be read.
    pub fn oldest(&self) -> u64 {
        self.mapped().journal().oldest()
    }

    /// Lets `f` see each change made on this node from position `from` on, in order, until it
    /// breaks; the position it broke on counts as not read. Changes of other nodes and node-local
    /// ones are passed over.
    ///
    /// # Errors
    /// `Damaged`, `ForkedChild`, `TooManyThreads`; `TooManyPins` if the thread holds so many guards
    /// or visits that it has no hazard word left.
    pub fn drain(
        &self,
        from: u64,
        mut f: impl FnMut(Announced<'_>) -> ControlFlow<()>,
    ) -> Result<Drained> {
        self.mapped().members.check_process()?;
        let journal = self.mapped().journal();
        let mut position = from;
        loop {
            let cell = match journal.read(position) {
                Cell::Empty => return Ok(Drained::Upto(position)),
                Cell::Lapped => {
                    return Ok(Drained::Lapped {
                        oldest: journal.oldest().max(position.saturating_add(1)),
                    });
                }
                Cell::Written(cell) => cell,
            };
            if cell.op() == RingOp::Change {
                // Not an operation's hazard: `f` may use the region.
                let held = self.mapped().held()?;
                let seen = self.mapped().announced(cell, held.hazard(), |record, token| {
                    let mut change = said(record, token, record.key());
                    change.position = position;
                    change.created = record.mark() == Mark::Created;
                    f(match token.kind {
                        Kind::Transit => Announced::Passing(change),
                        _ => Announced::Entry(change),
                    })
                })?;
                match seen {
                    Some(ControlFlow::Continue(())) => {}
                    Some(ControlFlow::Break(())) => return Ok(Drained::Upto(position)),
                    None => {
                        return Ok(Drained::Lapped { oldest: position.saturating_add(1) });
                    }
                }
            } else if let Some((whole, stamp)) = self.whole(cell)
                && f(Announced::Whole { position, whole, stamp }).is_break()
            {
                return Ok(Drained::Upto(position));
            }
            position += 1;
        }
    }

    /// What a cell says that was done on this node to all entries, and up to which version. The
    /// version may be that of a later one, which then comes twice.
    fn whole(&self, cell: CellWord) -> Option<(Whole, u64)> {
        if cell.op() != RingOp::Region {
            return None;
        }
        let words = self.mapped().words();
        match RegionOp::of(cell.location())? {
            (RegionOp::Clear, Doer::Member(_)) => {
                Some((Whole::Clear, words.clear_stamp.load(Acquire)))
            }
            (RegionOp::Invalidate, Doer::Member(_)) => {
                Some((Whole::Invalidate, words.invalid_stamp.load(Acquire)))
            }
            (RegionOp::Doom, _) => Some((Whole::Destroy, 0)),
            _ => None,
        }
    }

    /// Takes in a live change of another node, as the region's data policy and interest say. It is
    /// announced to listeners of this node, not to the bridge.
    ///
    /// # Errors
    /// As [`Region::put`](crate::Region::put).
    pub fn apply(&self, change: Change<'_>) -> Result<Applied> {
        let arrival = Arrival::Live { created: change.created };
        if self.region.stores() {
            return self.take_in(change, arrival);
        }
        if self.mapped().attributes.interest == Interest::CacheContent {
            return Ok(Applied::Unknown);
        }
        self.check_version(&change)?;
        self.mapped().pass_on(&arriving(&change, arrival)).map(|_| Applied::Newer)
    }

    /// Takes in an entry of an image by its version. `whole`: the image fills the region; else
    /// entries that the region does not hold are dropped.
    ///
    /// # Errors
    /// As [`Region::put`](crate::Region::put).
    pub fn merge(&self, change: Change<'_>, whole: bool) -> Result<Applied> {
        if !self.region.stores() {
            return Ok(Applied::Unknown);
        }
        self.take_in(change, Arrival::Image { whole })
    }

    /// Stores what another node answered to a read of this node: not a put, and not for other
    /// nodes. In a region that stores nothing reads do not see it; who asked gets it, until
    /// [`Feed::forget_passed`].
    ///
    /// # Errors
    /// As [`Region::put`](crate::Region::put).
    pub fn store_answer(&self, change: Change<'_>) -> Result<Applied> {
        self.take_in(change, Arrival::Answer)
    }

    fn check_version(&self, change: &Change<'_>) -> Result<()> {
        if change.version <= MAX_VERSION {
            return Ok(());
        }
        let what = format!("apply version {}, beyond every clock", change.version);
        Err(Error::NotAllowed { region: self.region.name().into(), what })
    }

    fn take_in(&self, change: Change<'_>, arrival: Arrival) -> Result<Applied> {
        self.check_version(&change)?;
        match self.mapped().write(arriving(&change, arrival))? {
            Written::Done { .. } => Ok(Applied::Newer),
            Written::Refused(None) => Ok(Applied::Unknown),
            Written::Refused(Some(token))
                if (token.version, token.origin) == (change.version, change.origin) =>
            {
                Ok(Applied::Equal)
            }
            Written::Refused(_) => Ok(Applied::Older),
        }
    }

    /// Makes an entry that is exactly this version a change of this node made now, with the same
    /// content: for what the other nodes would take for destroyed. False if it is another one.
    ///
    /// # Errors
    /// As [`Region::put`](crate::Region::put).
    pub fn restamp(&self, key: &[u8], version: u64, origin: u16) -> Result<bool> {
        let mapped = self.mapped();
        let copy = mapped.inspect(key, false, |record, token| {
            let wanted = (token.version, token.origin) == (version, origin);
            wanted.then(|| (record.value().to_vec(), record.deadline(), token))
        })?;
        let Some((value, deadline, token)) = copy.flatten() else {
            return Ok(false);
        };
        let change = write::Change::new(key, &value, token.kind, Condition::Equals(token));
        let written = mapped.write(write::Change { deadline, local: false, ..change })?;
        Ok(matches!(written, Written::Done { .. }))
    }

    /// Changes of other nodes up to this version are refused for keys that are absent.
    pub fn horizon(&self) -> u64 {
        self.mapped().words().purge_horizon.load(Acquire)
    }

    /// Raises the horizon. The caller makes sure that every change up to it, of every node, is
    /// here.
    ///
    /// # Errors
    /// `ForkedChild`: nothing is raised.
    pub fn raise_horizon(&self, version: u64) -> Result<()> {
        self.mapped().members.check_process()?;
        raise(&self.mapped().words().purge_horizon, version);
        Ok(())
    }

    /// Makes later changes of this node start above a version: what other nodes have closed of an
    /// earlier life of this one.
    ///
    /// # Errors
    /// `ForkedChild`: nothing is raised.
    pub fn raise_floor(&self, version: u64) -> Result<()> {
        self.mapped().members.check_process()?;
        raise(&self.mapped().words().floor, version.min(MAX_VERSION));
        Ok(())
    }

    /// Lets `f` see an entry as reads see it: one that has a value and was written no more than
    /// `ttl` microseconds ago (0: whenever), or with `presence` any that is there. Counts as no
    /// read and no access.
    ///
    /// # Errors
    /// As [`Region::get`](crate::Region::get), without pins.
    pub fn look<T>(
        &self,
        key: &[u8],
        ttl: u64,
        presence: bool,
        f: impl FnOnce(Change<'_>) -> T,
    ) -> Result<Option<T>> {
        let now = realtime_micros();
        self.mapped().peek(key, |record, token| {
            let age = now.saturating_sub(token.version >> 12);
            let has_value = token.kind == Kind::Value && (ttl == 0 || age < ttl);
            (presence || has_value).then(|| f(said(record, token, record.key())))
        })
    }

    /// Drops what only passed through a region that does not hold it, up to a version that all
    /// nodes that must have. How many entries that were.
    ///
    /// # Errors
    /// As [`Region::put`](crate::Region::put).
    pub fn forget_passed(&self, upto: u64) -> Result<u64> {
        let mut passed = Vec::new();
        let stores = self.region.stores();
        self.mapped().scan(0, |view| {
            let token = view.token;
            let passes = token.kind == Kind::Transit || (!stores && token.kind == Kind::Tombstone);
            if passes && token.version <= upto {
                passed.push((view.key.to_vec(), token));
            }
            ControlFlow::Continue(())
        })?;
        let mut forgotten = 0;
        for (key, token) in passed {
            forgotten += u64::from(self.mapped().purge(&key, token.version, token.origin)?);
        }
        Ok(forgotten)
    }

    /// Versions below which entries were cleared, and below which they lost their values; 0: never.
    pub fn stamps(&self) -> (u64, u64) {
        let words = self.mapped().words();
        (words.clear_stamp.load(Acquire), words.invalid_stamp.load(Acquire))
    }

    /// Does to all entries with a version below `stamp` what node `origin` did; false if it was
    /// done already.
    ///
    /// # Errors
    /// `TooManyThreads`, `ForkedChild`; `NotAllowed` for a stamp beyond every clock.
    pub fn apply_whole(&self, whole: Whole, stamp: u64, origin: u16) -> Result<bool> {
        self.mapped().check_life()?;
        if stamp > MAX_VERSION {
            let what = format!("clear up to version {stamp}, beyond every clock");
            return Err(Error::NotAllowed { region: self.region.name().into(), what });
        }
        self.mapped().stamp_as(whole, stamp, origin)
    }

    /// Visits entries of all kinds, tombstones too, from `cursor` on (0 = the beginning) until `f`
    /// breaks. Returns where to go on, `None` at the end. A key present all the time is visited
    /// at least once; the entry `f` broke on is visited again.
    ///
    /// # Errors
    /// As [`Feed::drain`].
    pub fn scan(
        &self,
        cursor: u64,
        mut f: impl FnMut(Change<'_>) -> ControlFlow<()>,
    ) -> Result<Option<u64>> {
        self.mapped().scan(cursor, |view| f(said(&view.record, view.token, view.key)))
    }

    /// Drops an entry if it is exactly this version, without telling other nodes. The caller makes
    /// sure that no older change of the key can still arrive: it would find no tombstone.
    ///
    /// # Errors
    /// As [`Region::put`](crate::Region::put).
    pub fn purge(&self, key: &[u8], version: u64, origin: u16) -> Result<bool> {
        self.mapped().purge(key, version, origin)
    }

    /// Closes time: no change made on this node from now on has a version up to the result, and
    /// all earlier ones are in the index and, once their writers are through, in the ring.
    ///
    /// A writer that was stopped in the middle of a write holds the result back, never others; so
    /// a result may be lower than an earlier one, which stays true.
    ///
    /// # Errors
    /// `ForkedChild`: nothing is closed.
    pub fn close_time(&self) -> Result<u64> {
        let mapped = self.mapped();
        mapped.members.check_process()?;
        let words = mapped.words();
        let now = crate::os::clock::realtime_micros() << 12;
        let before = words.floor.load(SeqCst);
        // Writers that begin after the fence start above this floor; the others are looked at.
        raise(&words.floor, now);
        fence(SeqCst);
        // Not what the floor is by now: somebody may have raised it after the fence.
        let mut closed = before.max(now);
        let used = words.threads_used.load(SeqCst) as usize;
        for thread in mapped.threads.iter().take(used) {
            let since = thread.active_since.load(SeqCst);
            if since != 0 {
                // No version below `since`, and `since` - 1 is a floor that was announced before.
                closed = closed.min(since - 1);
            }
        }
        Ok(closed)
    }

    /// Publishes watermarks (everything below is sent, received, applied by the nodes that must)
    /// and releases the writers that wait for them.
    ///
    /// # Errors
    /// `ForkedChild`: nothing is published.
    pub fn publish(&self, sent: u64, received: u64, applied: u64) -> Result<()> {
        self.mapped().members.check_process()?;
        self.mapped().publish_watermarks(sent, received, applied);
        Ok(())
    }

    /// Notes that writers no longer wait for a node which has not acknowledged the positions from
    /// `from` to before `to`, so that those released by it can tell their callers. To be called
    /// before the watermark that covers them is published.
    ///
    /// # Errors
    /// `ForkedChild`: nothing is noted.
    pub fn note_departure(&self, origin: u16, from: u64, to: u64) -> Result<()> {
        self.mapped().members.check_process()?;
        self.mapped().note_departure(origin, from, to);
        Ok(())
    }

    /// Watermarks as last published: sent, received, applied.
    pub fn watermarks(&self) -> (u64, u64, u64) {
        let words = self.mapped().words();
        (words.sent.load(Acquire), words.received.load(Acquire), words.applied.load(Acquire))
    }

    /// What is known of other nodes.
    pub fn origins(&self) -> Vec<OriginState> {
        let known = self.mapped().words().origins.iter();
        known.filter_map(read_origin).collect()
    }

    /// Stores what is known of an incarnation of another node. One that is stored with epoch 0, as
    /// a mere name, is replaced by the first real one.
    ///
    /// Killed between the stores, position and closed time are too low at worst: the changes are
    /// sent again and found equal.
    ///
    /// # Errors
    /// `NotAllowed` when 64 are known already; `ForkedChild`.
    pub fn set_origin_state(&self, state: OriginState) -> Result<()> {
        self.mapped().members.check_process()?;
        let origins = &self.mapped().words().origins;
        let name = u64::from(state.origin) + 1;
        let place = |epoch: u64| {
            let here =
                |o: &&OriginWords| o.origin.load(Acquire) == name && o.epoch.load(Acquire) == epoch;
            origins.iter().find(here)
        };
        let free = || origins.iter().find(|o| o.origin.load(Acquire) == 0);
        let found = place(state.epoch).or_else(|| place(0)).or_else(free);
        let words = found.ok_or_else(|| Error::NotAllowed {
            region: self.region.name().into(),
            what: format!("remember more than {ORIGINS} incarnations of other nodes"),
        })?;
        if words.epoch.load(Relaxed) != state.epoch {
            words.position.store(0, Release);
            words.closed.store(0, Release);
            words.epoch.store(state.epoch, Release);
        }
        words.closed.store(state.closed, Release);
        words.position.store(state.position, Release);
        words.origin.store(name, Release);
        Ok(())
    }

    /// Forgets an incarnation of another node.
    ///
    /// # Errors
    /// `ForkedChild`: nothing is forgotten.
    pub fn forget_origin(&self, origin: u16, epoch: u64) -> Result<()> {
        self.mapped().members.check_process()?;
        let name = u64::from(origin) + 1;
        for words in &self.mapped().words().origins {
            if words.origin.load(Acquire) == name && words.epoch.load(Acquire) == epoch {
                words.origin.store(0, Release);
            }
        }
        Ok(())
    }

    /// State that members see.
    ///
    /// # Errors
    /// `ForkedChild`: none is set.
    pub fn set_state(&self, state: RegionState) -> Result<()> {
        self.mapped().members.check_process()?;
        self.mapped().words().state.store(state.to_word(), Release);
        Ok(())
    }

    /// Number of index slots in use, tombstones included; for progress reports.
    ///
    /// # Errors
    /// `Damaged`, `ForkedChild`.
    pub fn slots_in_use(&self) -> Result<u64> {
        self.mapped().members.check_process()?;
        self.mapped().count_words(|word| !word.is_empty())
    }
}

/// What a record says to other nodes. One in transit says what it is on its way for; that a key is
/// wanted on this node is to others that it exists.
fn said<'a>(record: &Record<'a>, token: Token, key: &'a [u8]) -> Change<'a> {
    let kind = match meaning(record, token.kind) {
        Kind::LocalInvalid if record.mark() == Mark::Created => Kind::Invalid,
        kind => kind,
    };
    Change {
        position: 0,
        key,
        value: record.value(),
        kind,
        version: token.version,
        origin: token.origin,
        deadline: record.deadline(),
        expiration: record.is_expiration(),
        created: false,
        bulk: record.is_bulk(),
    }
}

fn arriving<'a>(change: &Change<'a>, arrival: Arrival) -> write::Change<'a> {
    let Change { key, value, kind, version, origin, deadline, expiration, bulk, .. } = *change;
    let condition = Condition::Arrived { version, origin, arrival };
    let arriving = write::Change::new(key, value, kind, condition);
    write::Change { deadline, expiration, bulk, local: false, ..arriving }
}

impl ReadOnlyRegion {
    /// What is known of other nodes, as [`Feed::origins`].
    pub fn origins(&self) -> Vec<OriginState> {
        self.words().origins.iter().filter_map(read_origin).collect()
    }
}

fn read_origin(words: &OriginWords) -> Option<OriginState> {
    let name = words.origin.load(Acquire).checked_sub(1)?;
    Some(OriginState {
        origin: name as u16,
        epoch: words.epoch.load(Acquire),
        position: words.position.load(Acquire),
        closed: words.closed.load(Acquire),
    })
}

#[cfg(test)]
mod tests;
