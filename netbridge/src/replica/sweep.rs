//! After an image: what this node has and the source has not. The argument is in [`super`].
//!
//! | the entry did not come with a full image, and | it is |
//! |---|---|
//! | the claims prove that the source had seen it | dead: removed |
//! | this node joins and made it itself | news that others would take for dead: stamped anew |
//! | else | news: it reaches the others by its own version |

use std::collections::HashSet;
use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use super::Context;
use super::defects::{Defect, seeded};
use super::holdings::proves_seen;
use super::region::Region;
use super::send::owned_by;
use super::store::{RegionId, Store, StoreError};
use crate::port::{AlertLevel, ConnId};
use crate::wire::frame::WireClaim;
use crate::wire::record::Kind;

/// Entries looked at in one step of a sweep.
const SWEEP_STEP: usize = 4096;

/// Between the end of an image and the adoption of its claims.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(super) cursor: u64,
    pub(super) seen: Option<HashSet<u64>>,
    pub(super) claims: Vec<WireClaim>,
    pub(super) conn: ConnId,
    pub(super) source: u16,
    pub(super) source_initialised: bool,
    pub(super) horizon: u64,
    pub(super) rejoin: bool,
    pub(super) asked_clock: u64,
    pub(super) restamped: u64,
}

impl Region {
    /// Goes on sweeping; at the end the claims of the source are adopted.
    pub(crate) fn sweep_step<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let Some(mut sweep) = self.sweep.take() else {
            return;
        };
        match sweep.step(cx, self.info.id) {
            Ok(true) => {}
            Ok(false) => {
                self.sweep = Some(sweep);
                return;
            }
            Err(e) => {
                self.retry_at = cx.now.saturating_add(cx.timing.retry);
                let text = format!("region {}: sweep failed: {e}; trying again", self.info.name);
                cx.alert(AlertLevel::Warning, text);
                return;
            }
        }
        if !seeded(Defect::NoHorizon) {
            cx.store.raise_horizon(self.info.id, sweep.horizon);
        }
        for claim in &sweep.claims {
            self.holdings.adopt(claim, self.own(cx.myself));
        }
        self.persist_all(cx);
        self.note_repaired(sweep.source);
        if sweep.rejoin {
            self.end_rejoin(cx, sweep.restamped > 0);
        }
        if self.one_of_union(cx, sweep.conn, true) && sweep.source_initialised {
            self.meet(cx);
        }
        self.attempts = 0;
        cx.counters.images_taken += 1;
        self.promote(cx);
    }
}

impl Sweep {
    /// True when everything was looked at.
    fn step<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        region: RegionId,
    ) -> Result<bool, StoreError> {
        let Some(seen) = &self.seen else {
            return Ok(true);
        };
        let (mut dead, mut news): (Vec<Named>, Vec<Named>) = Default::default();
        let mut looked = 0;
        let myself = cx.myself;
        let next = cx.store.scan(region, self.cursor, &mut |change| {
            if looked == SWEEP_STEP {
                return ControlFlow::Break(());
            }
            looked += 1;
            if seen.contains(&xxh3_64(change.key)) {
                return ControlFlow::Continue(());
            }
            let origin = owned_by(change, myself).origin;
            let named = || (change.key.to_vec(), change.version, change.origin);
            if proves_seen(&self.claims, change.version, origin) {
                dead.push(named());
            } else if self.rejoin
                && origin == myself
                && change.kind != Kind::Tombstone
                && change.version < self.asked_clock
            {
                news.push(named());
            }
            ControlFlow::Continue(())
        })?;
        for (key, version, origin) in &dead {
            cx.counters.swept += u64::from(cx.store.purge(region, key, *version, *origin)?);
        }
        for (key, version, origin) in &news {
            let done = u64::from(cx.store.restamp(region, key, *version, *origin)?);
            cx.counters.restamped += done;
            self.restamped += done;
        }
        match next {
            Some(cursor) => self.cursor = cursor,
            None => return Ok(true),
        }
        Ok(false)
    }
}

/// An entry: key, version and origin as the store gave them.
type Named = (Vec<u8>, u64, u16);
