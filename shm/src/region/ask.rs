//! Reads of what is not here: they ask other nodes, through the bridge.
//!
//! Which: in a distributed region with data policy `empty`, `normal` or `preloaded`, a key that is
//! absent, or was made invalid on this node only. One that was invalidated on every node has no
//! value anywhere, and a replicate has what there is. A read that finds its value here is the same
//! as in any region.
//!
//! The bridge asks one replicate after the other, then everybody else at once, and stores what it
//! finds as it is there, with its version: a later read finds it here. A change that comes
//! meanwhile and is newer stays, and is what the read returns. A region that stores nothing gets a
//! record in transit, which other reads do not see, and which the bridge drops soon.
//!
//! # When there is no bridge
//!
//! If none ever served the region there are no other nodes, and a miss is a miss. One that was
//! there and is gone, by a kill or a restart, is waited for ([`PATIENCE`], or as long as the search
//! may take if that is shorter), then the read fails with `NoBridge`: that the key is nowhere
//! cannot be said. One that runs and does not answer within `search_timeout` ends the read with
//! `SearchTimeout`. A reader that is killed leaves nothing: see `member::asks`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::heap::record::Record;
use crate::layout::counters::Counter;
use crate::member::asks::{self, Outcome, What};
use crate::reclaim::hazard::Hazard;
use crate::region::guard::{Guard, OwnedGuard, Protection};
use crate::region::index::mover;
use crate::region::mapped::Mapped;
use crate::region::read::{Found, Search};
use crate::region::thread::HeldHazard;
use crate::region::{Kind, Region};
use crate::sync::{Acquire, Relaxed, Release};

/// How long a bridge may be away.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long a search may take unless the region says otherwise.
pub(crate) const SEARCH_TIMEOUT: Duration = Duration::from_secs(300);
/// A longer search is as good as one for ever, and its end may be no time that a clock can tell.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
/// Pause before the bridge is looked for again.
const PAUSE: Duration = Duration::from_millis(10);
/// How often what was found, and was gone when it was looked at, is searched again.
const ROUNDS: usize = 8;

/// Options of one read.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// How long other nodes may be asked; zero: not at all. `None`: as the region says.
    pub search_within: Option<Duration>,
}

impl ReadOptions {
    /// Other nodes are not asked.
    pub fn local() -> Self {
        Self::search_within(Duration::ZERO)
    }

    /// Other nodes are asked, for so long at most.
    pub fn search_within(limit: Duration) -> Self {
        Self { search_within: Some(limit) }
    }
}

impl Mapped {
    /// Whether other nodes may know what is not here, and until when they may be asked.
    fn search_until(&self, limit: Option<Duration>) -> Option<(Instant, Duration)> {
        let limit = limit.unwrap_or_else(|| self.search_timeout());
        if !self.searches || limit.is_zero() || self.words().bridge_epoch.load(Acquire) == 0 {
            return None;
        }
        let limit = limit.min(LONGEST);
        Some((Instant::now() + limit, limit))
    }

    pub(crate) fn search_timeout(&self) -> Duration {
        match self.words().search_timeout.load(Relaxed) {
            0 => SEARCH_TIMEOUT,
            micros => Duration::from_micros(micros),
        }
    }

    /// Whether the entry here says that there is no value anywhere.
    fn is_nowhere(self: &Arc<Self>, key: &[u8]) -> Result<bool> {
        let kind = self.peek(key, |_, token| Some(token.kind))?;
        Ok(kind == Some(Kind::Invalid))
    }

    /// Asks other nodes for a key that has no value here. True: it was found.
    #[cold]
    pub(crate) fn search_elsewhere(
        self: &Arc<Self>,
        key: &[u8],
        limit: Option<Duration>,
    ) -> Result<bool> {
        Self::check_key(key)?;
        let Some((until, limit)) = self.search_until(limit) else {
            return Ok(false);
        };
        if self.is_nowhere(key)? {
            return Ok(false);
        }
        self.count(Counter::Searches, 1)?;
        let outcomes = self.ask(What::Value, &[key], until, limit)?;
        Ok(outcomes.first() == Some(&Outcome::Found))
    }

    /// The same for many keys at once.
    pub(crate) fn search_all(self: &Arc<Self>, keys: &[&[u8]]) -> Result<Vec<bool>> {
        let Some((until, limit)) = self.search_until(None) else {
            return Ok(vec![false; keys.len()]);
        };
        let mut wanted = Vec::with_capacity(keys.len());
        for key in keys {
            wanted.push(!self.is_nowhere(key)?);
        }
        let asked: Vec<&[u8]> =
            keys.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(key, _)| *key).collect();
        self.count(Counter::Searches, asked.len() as u64)?;
        let mut outcomes = self.ask(What::Value, &asked, until, limit)?.into_iter();
        let found = |wanted: bool| wanted && outcomes.next() == Some(Outcome::Found);
        Ok(wanted.into_iter().map(found).collect())
    }

    /// Whether a node that has all entries has a key that is absent here. False if there is no
    /// such node.
    pub(crate) fn is_elsewhere(self: &Arc<Self>, key: &[u8]) -> Result<bool> {
        Self::check_key(key)?;
        let Some((until, limit)) = self.search_until(None) else {
            return Ok(false);
        };
        let outcomes = self.ask(What::Presence, &[key], until, limit)?;
        Ok(outcomes.first() == Some(&Outcome::Found))
    }

    fn ask(
        self: &Arc<Self>,
        what: What,
        keys: &[&[u8]],
        until: Instant,
        limit: Duration,
    ) -> Result<Vec<Outcome>> {
        let patient_until = until.min(Instant::now() + PATIENCE);
        loop {
            self.check_life()?;
            match self.members.asks().ask(what, self.epoch, keys, until) {
                Ok(outcomes) if outcomes.contains(&Outcome::Stopped) => {}
                Ok(outcomes) if outcomes.contains(&Outcome::NoRoom) => {
                    return Err(self.out_of_space("records"));
                }
                Ok(outcomes) => return Ok(outcomes),
                Err(error) if asks::is_late(&error) => {
                    return Err(Error::SearchTimeout { region: self.name.clone(), limit });
                }
                Err(_) => {}
            }
            if Instant::now() >= patient_until {
                return Err(Error::NoBridge { home: self.members.home().into() });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// A value that was found for a region that stores nothing.
    fn passed(self: &Arc<Self>, key: &[u8]) -> Result<Option<Guard<'_>>> {
        self.with_passed(key, |record, _, held| {
            Ok(Guard::new(record.lend(), self, Protection::Hazard(held)))
        })
    }

    fn passed_owned(self: &Arc<Self>, key: &[u8]) -> Result<Option<OwnedGuard>> {
        self.with_passed(key, |record, segment, held| {
            let pinned = self.pins.pin(self.row(), segment);
            held.release(self);
            if !pinned {
                return Err(self.too_many_pins());
            }
            // SAFETY: the guard owns the pin on the segment, and keeps the region mapped.
            let lent = unsafe { record.lend().detach() };
            Ok(OwnedGuard::new(lent, Arc::clone(self), segment))
        })
    }

    fn too_many_pins(&self) -> Error {
        Error::TooManyPins { region: self.name.clone(), max: crate::layout::thread::PINS }
    }

    /// `f` gets the record, its segment and the hazard that protects it.
    fn with_passed<'m, T>(
        self: &'m Arc<Self>,
        key: &[u8],
        f: impl FnOnce(Record<'m>, u32, HeldHazard) -> Result<T>,
    ) -> Result<Option<T>> {
        let mine = self.context()?;
        let Some(number) = mine.hold() else {
            return Err(self.too_many_pins());
        };
        let held = HeldHazard::new(&mine, number);
        let thread = self.descriptor(&mine);
        let hazard = Hazard::new(&thread.hazards[number]);
        let hash = self.hash(key);
        let pin = self.pin_table(thread);
        let found = loop {
            let place = match self.place_for(mover(thread), pin.log2, hash) {
                Ok(place) => place,
                Err(error) => break Err(error),
            };
            match self.search(&place, hazard, hash, key) {
                Ok(Search::Found(found)) => break Ok(Some(found)),
                Ok(Search::Frozen) => {}
                Ok(Search::Absent { .. }) => break Ok(None),
                Err(broken) => break Err(self.damaged(broken)),
            }
        };
        pin.release();
        let wanted = |kind: u8, valueless: bool| kind == Kind::Transit as u8 && !valueless;
        match found {
            Ok(Some(Found { record, word, .. }))
                if wanted(record.head().kind, record.is_valueless()) =>
            {
                f(record, word.location().segment(), held).map(Some)
            }
            other => {
                held.release(self);
                other.map(|_| None)
            }
        }
    }
}

impl Region {
    /// [`Region::get`] of what is on this node, whatever the data policy: never blocks.
    ///
    /// # Errors
    /// As [`Region::get`], without those of a search.
    #[inline]
    pub fn get_local(&self, key: &[u8]) -> Result<Option<Guard<'_>>> {
        self.mapped.get(key)
    }

    /// [`Region::get`] with options.
    ///
    /// # Errors
    /// As [`Region::get`].
    pub fn get_with(&self, key: &[u8], options: &ReadOptions) -> Result<Option<Guard<'_>>> {
        match self.mapped.get(key)? {
            None if self.mapped.searches => self.get_elsewhere(key, options.search_within),
            found => Ok(found),
        }
    }

    /// How long a read that finds nothing here may ask other nodes. Holds at once for all members
    /// of this node. Default five minutes; at least a microsecond.
    ///
    /// # Errors
    /// `RegionDestroyed`, `RegionClosed`, `ForkedChild`.
    pub fn set_search_timeout(&self, limit: Duration) -> Result<()> {
        self.mapped.check_life()?;
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1);
        self.mapped.words().search_timeout.store(micros, Release);
        crate::crash::point("alter.search_timeout");
        Ok(())
    }

    /// How long a read that finds nothing here may ask other nodes.
    pub fn search_timeout(&self) -> Duration {
        self.mapped.search_timeout()
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn get_elsewhere(
        &self,
        key: &[u8],
        limit: Option<Duration>,
    ) -> Result<Option<Guard<'_>>> {
        for _ in 0..ROUNDS {
            if !self.mapped.search_elsewhere(key, limit)? {
                return Ok(None);
            }
            let found = match self.stores() {
                true => self.mapped.get(key)?,
                false => self.mapped.passed(key)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn get_owned_elsewhere(&self, key: &[u8]) -> Result<Option<OwnedGuard>> {
        for _ in 0..ROUNDS {
            if !self.mapped.search_elsewhere(key, None)? {
                return Ok(None);
            }
            let found = match self.stores() {
                true => self.mapped.get_owned(key)?,
                false => self.mapped.passed_owned(key)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Lets `f` see a value that other nodes have.
    #[cold]
    #[inline(never)]
    pub(crate) fn read_elsewhere<T>(
        &self,
        key: &[u8],
        f: impl FnOnce(&Guard<'_>) -> T,
    ) -> Result<Option<T>> {
        Ok(self.get_elsewhere(key, None)?.map(|found| f(&found)))
    }

    /// Fills in what is missing, as far as other nodes have it.
    #[cold]
    pub(crate) fn get_all_elsewhere<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        values: &mut [Option<Vec<u8>>],
    ) -> Result<()> {
        let missing: Vec<usize> =
            (0..keys.len()).filter(|number| values[*number].is_none()).collect();
        let asked: Vec<&[u8]> = missing.iter().map(|number| keys[*number].as_ref()).collect();
        let found = self.mapped.search_all(&asked)?;
        for (number, _) in missing.into_iter().zip(found).filter(|(_, found)| *found) {
            let key = keys[number].as_ref();
            let value = match self.stores() {
                true => self.mapped.get(key)?,
                false => self.mapped.passed(key)?,
            };
            values[number] = value.map(|value| value.to_vec());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataPolicy, Node, Scope};

    #[test]
    fn a_search_may_be_as_long_as_one_likes() {
        let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
        let node = Node::open(home.path()).unwrap();
        let region = node.region("r").data_policy(DataPolicy::Normal).max_bytes(1 << 20);
        let region = region.scope(Scope::DistributedNoAck).create().unwrap();
        assert!(region.mapped.search_until(Some(Duration::MAX)).is_none(), "no bridge ever");
        let _feed = node.bridge_seat().unwrap().feed(&region).unwrap();
        let (_, limit) = region.mapped.search_until(Some(Duration::MAX)).unwrap();
        assert_eq!(limit, LONGEST);
        assert!(region.mapped.search_until(Some(Duration::ZERO)).is_none());
    }
}
