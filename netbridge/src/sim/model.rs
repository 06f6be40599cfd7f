//! A model of a node's regions: table, ring of finite length, closed time, watermarks.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::rc::Rc;

use crate::replica::store::{
    Announced, Applied, Drained, Interest, OriginState, Policy, RegionId, RegionInfo, Scope, State,
    Store, StoreError, Visit, VisitAnnounced, Whole,
};
use crate::wire::record::{Change, Kind};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) origin: u16,
    pub(super) kind: Kind,
    pub(super) value: Vec<u8>,
    pub(super) deadline: Option<u64>,
}

/// A local change, as its writer remembers it.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) key: u32,
    pub(super) entry: Entry,
    pub(super) position: Option<u64>,
}

#[derive(Debug)]
pub(super) struct ModelRegion {
    pub(super) info: RegionInfo,
    pub(super) table: BTreeMap<u32, Entry>,
    ring: VecDeque<(u64, u32, Entry)>,
    ring_len: usize,
    pub(super) tail: u64,
    floor: u64,
    /// Versions of changes that are in the table and not yet in the ring.
    active: Vec<u64>,
    pub(super) watermarks: (u64, u64, u64),
    /// Nodes that left with their unacknowledged positions.
    pub(super) departures: Vec<(u16, u64, u64)>,
    origins: BTreeMap<(u16, u64), OriginState>,
    pub(super) horizon: u64,
    /// The newest that was ever here of each key: no listener may see anything older after it.
    latest: BTreeMap<u32, (u64, u16)>,
    pub(super) state: State,
    pub(super) log: Vec<Logged>,
}

impl ModelRegion {
    fn new(id: u32, name: &str, scope: Scope, epoch: u64, ring_len: usize) -> Self {
        let info = RegionInfo {
            id: RegionId(id),
            name: name.to_owned(),
            policy: Policy::Replicate,
            scope,
            concurrency_checks: true,
            epoch,
            early_ack: false,
            interest: Interest::CacheContent,
        };
        Self {
            info,
            table: BTreeMap::new(),
            ring: VecDeque::new(),
            ring_len,
            tail: 0,
            floor: 0,
            active: Vec::new(),
            watermarks: (0, 0, 0),
            departures: Vec::new(),
            origins: BTreeMap::new(),
            horizon: 0,
            latest: BTreeMap::new(),
            state: State::Ready,
            log: Vec::new(),
        }
    }

    /// The table changes, never to something older.
    fn put(&mut self, key: u32, entry: Entry) {
        let new = (entry.version, entry.origin);
        let last = self.latest.insert(key, new);
        assert!(last.is_none_or(|last| last < new), "key {key} went back to {new:?}, was {last:?}");
        self.table.insert(key, entry);
    }

    /// First half of a write: the table has it. Returns the log index.
    fn begin(&mut self, clock: u64, origin: u16, key: u32, value: Option<Vec<u8>>) -> usize {
        let old = self.table.get(&key).map_or(0, |e| e.version);
        let version = clock.max(self.floor + 1).max(old + 1);
        let kind = if value.is_some() { Kind::Value } else { Kind::Tombstone };
        // Some have one, so that those who compare nodes notice one that gets lost.
        let deadline = (value.is_some() && version.is_multiple_of(3)).then_some(version);
        let entry = Entry { version, origin, kind, value: value.unwrap_or_default(), deadline };
        self.put(key, entry.clone());
        self.active.push(version);
        self.log.push(Logged { key, entry, position: None });
        self.log.len() - 1
    }

    /// Second half: the ring has it.
    fn announce(&mut self, index: usize) -> u64 {
        let position = self.tail;
        self.tail += 1;
        let logged = &mut self.log[index];
        logged.position = Some(position);
        let version = logged.entry.version;
        self.ring.push_back((position, logged.key, logged.entry.clone()));
        while self.ring.len() > self.ring_len {
            self.ring.pop_front();
        }
        let at = self.active.iter().position(|v| *v == version).unwrap();
        self.active.swap_remove(at);
        position
    }
}

/// All regions of a node; survives its bridge.
#[derive(Debug)]
pub(super) struct ModelStore {
    pub(super) origin: u16,
    /// Virtual clock of the node, as a version.
    pub(super) clock: u64,
    pub(super) regions: Vec<ModelRegion>,
    generation: u64,
    next_id: u32,
    /// Items a drain or scan hands out in one call.
    pub(super) batch: usize,
    /// Changes of others are refused, as by a full region.
    pub(super) full: bool,
    /// Superseded records at multiples of this position are gone; 0: none.
    pub(super) recycle: u64,
}

impl ModelStore {
    pub(super) fn new(origin: u16, batch: usize) -> Self {
        Self {
            origin,
            clock: 1,
            regions: Vec::new(),
            generation: 0,
            next_id: 0,
            batch,
            full: false,
            recycle: 0,
        }
    }

    pub(super) fn create(&mut self, name: &str, scope: Scope, epoch: u64, ring_len: usize) {
        self.regions.push(ModelRegion::new(self.next_id, name, scope, epoch, ring_len));
        self.next_id += 1;
        self.generation += 1;
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.regions.retain(|r| r.info.name != name);
        self.generation += 1;
    }

    pub(super) fn edit(&mut self, name: &str, f: impl FnOnce(&mut RegionInfo)) {
        f(&mut self.regions.iter_mut().find(|r| r.info.name == name).unwrap().info);
        self.generation += 1;
    }

    pub(super) fn begin(&mut self, region: usize, key: u32, value: Option<Vec<u8>>) -> usize {
        let (clock, origin) = (self.clock, self.origin);
        self.regions[region].begin(clock, origin, key, value)
    }

    pub(super) fn announce(&mut self, region: usize, index: usize) -> u64 {
        self.regions[region].announce(index)
    }

    fn get(&self, id: RegionId) -> Result<&ModelRegion, StoreError> {
        let found = self.regions.iter().find(|r| r.info.id == id);
        found.ok_or_else(|| StoreError("no such region".into()))
    }

    fn get_mut(&mut self, id: RegionId) -> Result<&mut ModelRegion, StoreError> {
        let found = self.regions.iter_mut().find(|r| r.info.id == id);
        found.ok_or_else(|| StoreError("no such region".into()))
    }
}

/// The store as an engine holds it.
#[derive(Debug, Clone)]
pub(super) struct Handle(pub(super) Rc<RefCell<ModelStore>>);

fn change<'a>(position: u64, key: &'a [u8], entry: &'a Entry, myself: u16) -> Change<'a> {
    Change {
        position,
        key,
        value: &entry.value,
        kind: entry.kind,
        version: entry.version,
        // As in the segment: own changes may carry 0.
        origin: if entry.origin == myself && entry.version.is_multiple_of(2) {
            0
        } else {
            entry.origin
        },
        deadline: entry.deadline,
        expiration: false,
        created: false,
        bulk: false,
    }
}

impl Store for Handle {
    fn generation(&self) -> u64 {
        self.0.borrow().generation
    }

    fn regions(&self) -> Vec<RegionInfo> {
        self.0.borrow().regions.iter().map(|r| r.info.clone()).collect()
    }

    fn tail(&self, region: RegionId) -> u64 {
        self.0.borrow().get(region).map_or(0, |r| r.tail)
    }

    fn oldest(&self, region: RegionId) -> u64 {
        self.0.borrow().get(region).map_or(0, |r| r.tail - r.ring.len() as u64)
    }

    fn drain(
        &self,
        region: RegionId,
        from: u64,
        f: VisitAnnounced<'_>,
    ) -> Result<Drained, StoreError> {
        let store = self.0.borrow();
        let r = store.get(region)?;
        let oldest = r.tail - r.ring.len() as u64;
        if from < oldest {
            return Ok(Drained::Lapped { oldest });
        }
        let cells = r.ring.iter().skip((from - oldest) as usize).take(store.batch);
        let mut next = from;
        for (position, key, entry) in cells {
            let newest = r.table.get(key).map_or(0, |e| e.version);
            if newest > entry.version && store.recycle != 0 && position % store.recycle == 0 {
                let oldest = position + 1;
                return Ok(Drained::Lapped { oldest });
            }
            let key = key.to_be_bytes();
            let change = change(*position, &key, entry, store.origin);
            if f(Announced::Entry(change)) == ControlFlow::Break(()) {
                break;
            }
            next = position + 1;
        }
        Ok(Drained::Upto(next))
    }

    fn apply(&mut self, region: RegionId, change: Change<'_>) -> Result<Applied, StoreError> {
        let mut store = self.0.borrow_mut();
        if store.full {
            return Err(StoreError("out of space".into()));
        }
        let r = store.get_mut(region)?;
        let key = u32::from_be_bytes(change.key.try_into().unwrap());
        assert_ne!(change.origin, 0, "origin 0 must not go over the wire");
        let entry = Entry {
            version: change.version,
            origin: change.origin,
            kind: change.kind,
            value: change.value.to_vec(),
            deadline: change.deadline,
        };
        let new = (entry.version, entry.origin);
        Ok(match r.table.get(&key).map(|old| (old.version, old.origin)) {
            Some(old) if old > new => Applied::Older,
            Some(old) if old == new => Applied::Equal,
            None if entry.version <= r.horizon => Applied::Older,
            _ => {
                r.put(key, entry);
                Applied::Newer
            }
        })
    }

    fn merge(
        &mut self,
        region: RegionId,
        change: Change<'_>,
        _whole: bool,
    ) -> Result<Applied, StoreError> {
        // Every node of the model is a replicate.
        self.apply(region, change)
    }

    fn store_answer(
        &mut self,
        region: RegionId,
        change: Change<'_>,
    ) -> Result<Applied, StoreError> {
        self.apply(region, change)
    }

    fn look(
        &self,
        region: RegionId,
        key: &[u8],
        _ttl: u64,
        presence: bool,
        f: &mut dyn FnMut(Change<'_>),
    ) -> Result<bool, StoreError> {
        let store = self.0.borrow();
        let number = u32::from_be_bytes(key.try_into().unwrap());
        let wanted = |e: &&Entry| e.kind == Kind::Value || (presence && e.kind != Kind::Tombstone);
        let entry = store.get(region)?.table.get(&number).filter(wanted);
        if let Some(entry) = entry {
            f(change(0, key, entry, store.origin));
        }
        Ok(entry.is_some())
    }

    fn ttl(&self, _region: RegionId) -> u64 {
        0
    }

    fn is_bare(&self, region: RegionId) -> bool {
        self.0.borrow().get(region).is_ok_and(|r| r.table.is_empty())
    }

    fn stamps(&self, _region: RegionId) -> (u64, u64) {
        (0, 0)
    }

    fn apply_whole(
        &mut self,
        _region: RegionId,
        whole: Whole,
        _stamp: u64,
        _origin: u16,
    ) -> Result<bool, StoreError> {
        Err(StoreError(format!("the model has no {whole:?}")))
    }

    fn forget_passed(&mut self, _region: RegionId, _upto: u64) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn restamp(
        &mut self,
        region: RegionId,
        key: &[u8],
        version: u64,
        origin: u16,
    ) -> Result<bool, StoreError> {
        let mut store = self.0.borrow_mut();
        let (clock, myself) = (store.clock, store.origin);
        let r = store.get_mut(region)?;
        let key = u32::from_be_bytes(key.try_into().unwrap());
        let origin = if origin == 0 { myself } else { origin };
        let Some(entry) = r.table.get(&key) else {
            return Ok(false);
        };
        if (entry.version, entry.origin) != (version, origin) {
            return Ok(false);
        }
        let value = (entry.kind == Kind::Value).then(|| entry.value.clone());
        let index = r.begin(clock, myself, key, value);
        r.announce(index);
        Ok(true)
    }

    fn horizon(&self, region: RegionId) -> u64 {
        self.0.borrow().get(region).map_or(0, |r| r.horizon)
    }

    fn raise_horizon(&mut self, region: RegionId, version: u64) {
        if let Ok(r) = self.0.borrow_mut().get_mut(region) {
            r.horizon = r.horizon.max(version);
        }
    }

    fn raise_floor(&mut self, region: RegionId, version: u64) {
        if let Ok(r) = self.0.borrow_mut().get_mut(region) {
            r.floor = r.floor.max(version);
        }
    }

    fn clock(&self) -> u64 {
        self.0.borrow().clock
    }

    fn ticks_per_ms(&self) -> u64 {
        256
    }

    fn forget_origin(&mut self, region: RegionId, origin: u16, epoch: u64) {
        if let Ok(r) = self.0.borrow_mut().get_mut(region) {
            r.origins.remove(&(origin, epoch));
        }
    }

    fn scan(&self, region: RegionId, cursor: u64, f: Visit<'_>) -> Result<Option<u64>, StoreError> {
        let store = self.0.borrow();
        let r = store.get(region)?;
        let rest = r.table.range(u32::try_from(cursor).unwrap()..);
        for (n, (key, entry)) in rest.enumerate() {
            let bytes = key.to_be_bytes();
            let stop = n >= store.batch
                || f(change(0, &bytes, entry, store.origin)) == ControlFlow::Break(());
            if stop {
                return Ok(Some(u64::from(*key)));
            }
        }
        Ok(None)
    }

    fn purge(
        &mut self,
        region: RegionId,
        key: &[u8],
        version: u64,
        origin: u16,
    ) -> Result<bool, StoreError> {
        let mut store = self.0.borrow_mut();
        let myself = store.origin;
        let r = store.get_mut(region)?;
        let key = u32::from_be_bytes(key.try_into().unwrap());
        let origin = if origin == 0 { myself } else { origin };
        let same = r.table.get(&key).is_some_and(|e| (e.version, e.origin) == (version, origin));
        if same {
            r.floor = r.floor.max(version);
            r.table.remove(&key);
        }
        Ok(same)
    }

    fn close_time(&mut self, region: RegionId) -> u64 {
        let mut store = self.0.borrow_mut();
        let clock = store.clock;
        let Ok(r) = store.get_mut(region) else {
            return 0;
        };
        let closed = r.active.iter().copied().chain([clock]).min().unwrap_or(clock) - 1;
        r.floor = r.floor.max(closed);
        closed
    }

    fn publish(&mut self, region: RegionId, sent: u64, received: u64, applied: u64) {
        let mut store = self.0.borrow_mut();
        let Ok(r) = store.get_mut(region) else { return };
        let (s, e, a) = r.watermarks;
        assert!(sent >= s && received >= e && applied >= a, "watermarks went back");
        r.watermarks = (sent, received, applied);
    }

    fn note_departure(&mut self, region: RegionId, origin: u16, from: u64, to: u64) {
        if let Ok(r) = self.0.borrow_mut().get_mut(region) {
            r.departures.push((origin, from, to));
        }
    }

    fn watermarks(&self, region: RegionId) -> (u64, u64, u64) {
        self.0.borrow().get(region).map_or((0, 0, 0), |r| r.watermarks)
    }

    fn origins(&self, region: RegionId) -> Vec<OriginState> {
        self.0.borrow().get(region).map_or(Vec::new(), |r| r.origins.values().copied().collect())
    }

    fn set_origin_state(&mut self, region: RegionId, state: OriginState) -> Result<(), StoreError> {
        let mut store = self.0.borrow_mut();
        let origins = &mut store.get_mut(region)?.origins;
        origins.remove(&(state.origin, 0));
        origins.insert((state.origin, state.epoch), state);
        Ok(())
    }

    fn set_state(&mut self, region: RegionId, state: State) {
        if let Ok(r) = self.0.borrow_mut().get_mut(region) {
            r.state = state;
        }
    }
}
