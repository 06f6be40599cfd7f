//! The core's store over the feeds of the open regions.

use std::ops::ControlFlow;

use vug::bridge::Feed;

use super::{Home, LocalStore, convert};
use crate::replica::store::{
    Applied, Drained, OriginState, RegionId, RegionInfo, State, Store, StoreError, Visit,
    VisitAnnounced, Whole,
};
use crate::wire::record::Change;

impl LocalStore {
    fn with<R>(
        &self,
        region: RegionId,
        f: impl FnOnce(&Feed) -> Result<R, vug::Error>,
    ) -> Result<R, StoreError> {
        let regions = self.regions.borrow();
        let feed = regions
            .feed(region)
            .ok_or_else(|| StoreError("the region was removed from this node".into()))?;
        f(feed).map_err(|error| convert::store_error(&error))
    }

    /// For what only a forked child could be refused, which a bridge is not: a vanished region
    /// answers with the default.
    fn ask<R: Default>(
        &self,
        region: RegionId,
        f: impl FnOnce(&Feed) -> Result<R, vug::Error>,
    ) -> R {
        self.with(region, f).unwrap_or_default()
    }
}

impl Store for LocalStore {
    fn generation(&self) -> u64 {
        self.regions.borrow().generation()
    }

    fn regions(&self) -> Vec<RegionInfo> {
        self.regions.borrow().infos()
    }

    fn tail(&self, region: RegionId) -> u64 {
        self.ask(region, |feed| Ok(feed.tail()))
    }

    fn oldest(&self, region: RegionId) -> u64 {
        self.ask(region, |feed| Ok(feed.oldest()))
    }

    fn drain(
        &self,
        region: RegionId,
        from: u64,
        f: VisitAnnounced<'_>,
    ) -> Result<Drained, StoreError> {
        self.with(region, |feed| feed.drain(from, |announced| f(convert::announced(announced))))
            .map(convert::drained)
    }

    fn apply(&mut self, region: RegionId, change: Change<'_>) -> Result<Applied, StoreError> {
        self.with(region, |feed| feed.apply(convert::to_library(change))).map(convert::applied)
    }

    fn restamp(
        &mut self,
        region: RegionId,
        key: &[u8],
        version: u64,
        origin: u16,
    ) -> Result<bool, StoreError> {
        self.with(region, |feed| feed.restamp(key, version, origin))
    }

    fn horizon(&self, region: RegionId) -> u64 {
        self.ask(region, |feed| Ok(feed.horizon()))
    }

    fn raise_horizon(&mut self, region: RegionId, version: u64) {
        self.ask(region, |feed| feed.raise_horizon(version));
    }

    fn merge(
        &mut self,
        region: RegionId,
        change: Change<'_>,
        whole: bool,
    ) -> Result<Applied, StoreError> {
        let change = convert::to_library(change);
        self.with(region, |feed| feed.merge(change, whole)).map(convert::applied)
    }

    fn store_answer(
        &mut self,
        region: RegionId,
        change: Change<'_>,
    ) -> Result<Applied, StoreError> {
        let change = convert::to_library(change);
        self.with(region, |feed| feed.store_answer(change)).map(convert::applied)
    }

    fn look(
        &self,
        region: RegionId,
        key: &[u8],
        ttl: u64,
        presence: bool,
        f: &mut dyn FnMut(Change<'_>),
    ) -> Result<bool, StoreError> {
        let look =
            |feed: &Feed| feed.look(key, ttl, presence, |change| f(convert::to_core(change)));
        self.with(region, look).map(|found| found.is_some())
    }

    fn ttl(&self, region: RegionId) -> u64 {
        let ttl =
            self.ask(region, |feed| Ok(feed.region().attributes().entry_ttl.map(|ttl| ttl.after)));
        ttl.map_or(0, |after| u64::try_from(after.as_micros()).unwrap_or(u64::MAX))
    }

    fn is_bare(&self, region: RegionId) -> bool {
        let first = |feed: &Feed| feed.scan(0, |_| ControlFlow::Break(()));
        self.with(region, first).is_ok_and(|found| found.is_none())
    }

    fn stamps(&self, region: RegionId) -> (u64, u64) {
        self.ask(region, |feed| Ok(feed.stamps()))
    }

    fn apply_whole(
        &mut self,
        region: RegionId,
        whole: Whole,
        stamp: u64,
        origin: u16,
    ) -> Result<bool, StoreError> {
        let done = self.with(region, |feed| feed.apply_whole(convert::whole(whole), stamp, origin));
        if whole == Whole::Destroy {
            // The core is to see that it is gone; what cannot be read now is read a second later.
            let _ = self.refresh(false);
        }
        done
    }

    fn raise_floor(&mut self, region: RegionId, version: u64) {
        self.ask(region, |feed| feed.raise_floor(version));
    }

    fn clock(&self) -> u64 {
        self.seat.clock()
    }

    fn ticks_per_ms(&self) -> u64 {
        // Versions are microseconds times 4096.
        1_000 << 12
    }

    fn forget_origin(&mut self, region: RegionId, origin: u16, epoch: u64) {
        self.ask(region, |feed| feed.forget_origin(origin, epoch));
    }

    fn forget_passed(&mut self, region: RegionId, upto: u64) -> Result<u64, StoreError> {
        self.with(region, |feed| feed.forget_passed(upto))
    }

    fn scan(&self, region: RegionId, cursor: u64, f: Visit<'_>) -> Result<Option<u64>, StoreError> {
        self.with(region, |feed| feed.scan(cursor, |change| f(convert::to_core(change))))
    }

    fn purge(
        &mut self,
        region: RegionId,
        key: &[u8],
        version: u64,
        origin: u16,
    ) -> Result<bool, StoreError> {
        self.with(region, |feed| feed.purge(key, version, origin))
    }

    fn close_time(&mut self, region: RegionId) -> u64 {
        self.ask(region, Feed::close_time)
    }

    fn publish(&mut self, region: RegionId, sent: u64, received: u64, applied: u64) {
        self.ask(region, |feed| feed.publish(sent, received, applied));
    }

    fn note_departure(&mut self, region: RegionId, origin: u16, from: u64, to: u64) {
        self.ask(region, |feed| feed.note_departure(origin, from, to));
    }

    fn watermarks(&self, region: RegionId) -> (u64, u64, u64) {
        self.ask(region, |feed| Ok(feed.watermarks()))
    }

    fn origins(&self, region: RegionId) -> Vec<OriginState> {
        let origins = self.ask(region, |feed| Ok(feed.origins()));
        origins.into_iter().map(convert::origin_to_core).collect()
    }

    fn set_origin_state(&mut self, region: RegionId, state: OriginState) -> Result<(), StoreError> {
        self.with(region, |feed| feed.set_origin_state(convert::origin_to_library(state)))
    }

    fn set_state(&mut self, region: RegionId, state: State) {
        self.ask(region, |feed| feed.set_state(convert::state(state)));
    }
}
