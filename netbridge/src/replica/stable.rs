//! Stable time: when a tombstone has done its service everywhere.
//!
//! A node's *stable* version is the lowest closed time it has of any node of the roster (all nodes
//! it knows to have the region, itself among them), less a margin: it holds every change of all of
//! them up to it. If all of the roster say so, of the same roster and holding the same of former
//! incarnations, then no change up to the lowest of their stable versions can reach anybody as
//! news. Each node then raises its *horizon* to it, below which it refuses changes of keys that it
//! does not have, and forgets its tombstones up to it. What arrives once more, from a ring that is
//! read again or in an image whose scan began earlier, is refused or older than what is here.
//!
//! Nothing is forgotten before as many nodes are known as the configuration names: two halves of a
//! cluster that have never met must not agree each by itself.
//! A node that is away keeps its place in the roster, so nothing is forgotten that it has not
//! seen. A node that joins is in the roster of whoever it met first. Others may forget on the word
//! that node gave before; what the newcomer brings is stamped anew when it joins, and the margin is
//! twice the difference that clocks may have, so that it lies above everything agreed until then.
//!
//! Closed times move only when changes are sent or somebody asks: a report names the newest
//! tombstone its sender has not forgotten (`want`), and everybody closes time and answers until
//! that is reached. A cluster without tombstones is silent.

use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use super::Context;
use super::defects::{Defect, seeded};
use super::holdings::Incarnation;
use super::region::Region;
use super::send::Outgoing;
use super::store::{Store, StoreError};
use crate::port::{Action, AlertLevel, ConnId};
use crate::wire::control::{self, Body, Stable};
use crate::wire::record::Kind;

/// Entries looked at in one step.
const STEP: usize = 4096;
/// Longest pause between two reports that change nothing, in milliseconds.
const LONGEST_PAUSE: u64 = 30_000;

/// Where a region is on the way to forget its tombstones.
#[derive(Debug, Default)]
pub(crate) struct Stability {
    /// Version of the newest tombstone that was seen.
    newest: u64,
    /// All tombstones up to here are forgotten.
    pub(crate) forgotten_to: u64,
    /// Version up to which they are being forgotten, where the scan goes on, and the newest that
    /// stays.
    pass: Option<(u64, u64, u64)>,
    next_at: u64,
    pause: u64,
}

impl Stability {
    pub(crate) fn new(newest: u64) -> Self {
        Self { newest, ..Self::default() }
    }

    /// A tombstone of this version is here.
    pub(crate) fn note(&mut self, version: u64) {
        self.newest = self.newest.max(version);
    }
}

impl Region {
    /// This node and all others known to have the region, in ascending order.
    pub(super) fn roster(&self, myself: u16) -> Vec<u16> {
        let mut roster: Vec<u16> = self.known.iter().copied().chain([myself]).collect();
        roster.sort_unstable();
        roster.dedup();
        roster
    }

    /// The version everybody is asked to reach, 0 if there is nothing to forget.
    fn wanted(&self) -> u64 {
        let asked = self.links.values().filter_map(|l| l.report.as_ref().map(|r| r.want));
        asked.max().unwrap_or(0).max(self.stability.newest)
    }

    fn is_settling(&self) -> bool {
        let owed = |l: &super::link::Link| l.report.as_ref().is_some_and(|r| r.want > l.told);
        self.wanted() > self.stability.forgotten_to || self.links.values().any(owed)
    }

    /// A peer reports.
    pub(crate) fn on_stable<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        report: Stable,
    ) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let news = link.report.as_ref() != Some(&report);
        link.report = Some(report);
        if news && self.is_settling() {
            self.stability.pause = cx.timing.stable_every;
            let soon = cx.now.saturating_add(cx.timing.stable_every / 4);
            self.stability.next_at = self.stability.next_at.min(soon);
        }
    }

    /// Reports, and forgets what may be forgotten.
    pub(super) fn settle_tombstones<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        // An image that began before everybody agreed may still bring what they agreed to forget.
        let quiet = self.fetch.is_none() && self.sweep.is_none();
        if quiet && let Err(e) = self.forget_some(cx) {
            self.stability.pass = None;
            let text = format!("region {}: tombstones cannot be removed: {e}", self.info.name);
            cx.alert(AlertLevel::Warning, text);
        }
        let ready = self.joined && self.since.is_some() && !self.links.is_empty();
        if !ready || cx.now < self.stability.next_at || !self.is_settling() {
            return;
        }
        let pause = self.stability.pause.max(cx.timing.stable_every);
        self.stability.pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        self.stability.next_at = cx.now.saturating_add(pause);
        let report = self.report(cx);
        for link in self.links.values_mut() {
            link.outgoing.iter_mut().for_each(|o: &mut Outgoing| o.close_soon(cx.now));
            link.told = link.told.max(report.stable);
            let payload = control::encode(Body::Stable(report.clone()));
            cx.out.push_back(Action::SendControl { conn: link.conn, payload });
        }
        let complete = self.known.len() >= cx.expected_peers || seeded(Defect::ForgetAlone);
        let agreed = self.agreed(&report, cx.myself).filter(|_| complete).unwrap_or(0);
        if quiet && self.stability.pass.is_none() && agreed > self.stability.forgotten_to {
            if !seeded(Defect::NoHorizon) {
                cx.store.raise_horizon(self.info.id, agreed);
            }
            self.stability.pass = Some((agreed, 0, 0));
            self.stability.pause = cx.timing.stable_every;
        }
    }

    fn report<S: Store>(&self, cx: &mut Context<'_, S>) -> Stable {
        let roster = self.roster(cx.myself);
        let own = cx.store.close_time(self.info.id);
        let closed = |o: u16| if o == cx.myself { own } else { self.closed_of(o) };
        let lowest = roster.iter().map(|o| closed(*o)).min().unwrap_or(0);
        let margin = cx.timing.max_skew.saturating_mul(2).saturating_mul(cx.store.ticks_per_ms());
        Stable {
            region: u32::from(self.number),
            roster: roster.into_iter().map(u32::from).collect(),
            stable: lowest.saturating_sub(margin),
            want: self.wanted(),
            digest: self.former_digest(cx.myself),
        }
    }

    /// Closed time of a node: of the incarnation it has now, or had last.
    fn closed_of(&self, origin: u16) -> u64 {
        let link = self.links.values().find(|l| l.origin == origin);
        if let Some(link) = link {
            return self.holdings.closed(Incarnation { origin, epoch: link.epoch });
        }
        let its = self.holdings.all().filter(|(of, _)| of.origin == origin);
        its.map(|(_, held)| held.closed).max().unwrap_or(0)
    }

    /// What is held of incarnations that are no more.
    fn former_digest(&self, myself: u16) -> u64 {
        let present = |of: &Incarnation| {
            let lives = |l: &super::link::Link| l.origin == of.origin && l.epoch == of.epoch;
            (of.origin == myself && of.epoch == self.info.epoch) || self.links.values().any(lives)
        };
        let mut digest = 0u64;
        for (of, held) in self.holdings.all().filter(|(of, h)| !present(of) && h.position > 0) {
            let words = [u64::from(of.origin), of.epoch, held.position];
            digest = digest.wrapping_add(xxh3_64(words.map(u64::to_le_bytes).as_flattened()));
        }
        digest
    }

    /// The version up to which everybody holds everything, if all have said so.
    fn agreed(&self, own: &Stable, myself: u16) -> Option<u64> {
        let mut lowest = own.stable;
        if seeded(Defect::ForgetAlone) {
            return Some(lowest);
        }
        for origin in self.roster(myself).into_iter().filter(|o| *o != myself) {
            let link = self.links.values().find(|l| l.origin == origin)?;
            let report = link.report.as_ref()?;
            if report.roster != own.roster || report.digest != own.digest {
                return None;
            }
            lowest = lowest.min(report.stable);
        }
        Some(lowest)
    }

    /// One step of forgetting.
    fn forget_some<S: Store>(&mut self, cx: &mut Context<'_, S>) -> Result<(), StoreError> {
        let Some((to, cursor, mut stays)) = self.stability.pass else {
            return Ok(());
        };
        let region = self.info.id;
        let (mut old, mut looked): (Vec<(Vec<u8>, u64, u16)>, usize) = (Vec::new(), 0);
        let next = cx.store.scan(region, cursor, &mut |change| {
            if looked == STEP {
                return ControlFlow::Break(());
            }
            looked += 1;
            if change.kind == Kind::Tombstone && change.version <= to {
                old.push((change.key.to_vec(), change.version, change.origin));
            } else if change.kind == Kind::Tombstone {
                stays = stays.max(change.version);
            }
            ControlFlow::Continue(())
        })?;
        for (key, version, origin) in &old {
            cx.counters.purged += u64::from(cx.store.purge(region, key, *version, *origin)?);
        }
        self.stability.pass = next.map(|cursor| (to, cursor, stays));
        if next.is_none() {
            self.stability.forgotten_to = to;
        }
        Ok(())
    }

    /// Tombstones are being removed.
    pub(super) fn is_forgetting(&self) -> bool {
        self.stability.pass.is_some() && self.fetch.is_none()
    }

    /// When the next report is due.
    pub(super) fn next_report(&self) -> Option<u64> {
        let ready = self.joined && self.since.is_some() && !self.links.is_empty();
        (ready && self.is_settling()).then_some(self.stability.next_at)
    }
}
