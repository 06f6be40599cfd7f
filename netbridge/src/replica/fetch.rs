//! The target of an image. The argument is in [`super`].

use std::collections::HashSet;
use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use super::Context;
use super::defects::{Defect, seeded};
use super::region::Region;
use super::send::travels;
use super::store::Store;
use super::sweep::Sweep;
use crate::port::{Action, AlertLevel, ConnId};
use crate::wire::WireError;
use crate::wire::control::{self, Body, Holding, ImageRefused, ImageRequest, Span};
use crate::wire::frame::{DELTA, ImageBegin, ImageEnd, WireClaim};
use crate::wire::record::{Kind, Records};

/// An image on its way to this node.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) conn: ConnId,
    pub(crate) source: u16,
    pub(crate) source_epoch: u64,
    pub(crate) source_initialised: bool,
    transfer: u32,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    digest: u64,
    /// Nothing that this node holds is sent.
    pub(crate) delta: bool,
    pub(crate) horizon: u64,
    /// The node's copy is to be brought in line with the source's before it sends anything.
    rejoin: bool,
    /// The clock when the image was asked for.
    asked_clock: u64,
    /// Keys that came, by hash; only when there was something to sweep at the start. A collision
    /// keeps an entry that could have been swept.
    seen: Option<HashSet<u64>>,
    /// How far it has come, and what the source claimed at its begin.
    cursor: u64,
    claimed: Vec<Span>,
    pub(crate) stalls_at: u64,
}

/// What is left of an image that was cut off, for the same source to go on.
#[derive(Debug)]
pub(crate) struct Rest {
    source: u16,
    epoch: u64,
    delta: bool,
    asked_clock: u64,
    seen: Option<HashSet<u64>>,
    cursor: u64,
    claimed: Vec<Span>,
}

impl Region {
    /// Asks a peer for an image.
    pub(crate) fn request_image<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        plan: Vec<Holding>,
    ) {
        let Some(link) = self.links.get(&conn) else {
            return;
        };
        let (source, source_epoch) = (link.origin, link.epoch);
        let source_initialised = link.initialised;
        let rejoin = self.rejoins();
        let delta = self.joined && self.since.is_some();
        let same = |r: &Rest| r.source == source && r.epoch == source_epoch && r.delta == delta;
        let rest = self.rest.take().filter(same);
        let clock = cx.store.clock();
        let (seen, cursor, claimed, asked_clock) = match rest {
            Some(rest) => (rest.seen, rest.cursor, rest.claimed, rest.asked_clock),
            None => (self.to_compare(cx, delta), 0, Vec::new(), clock),
        };
        cx.counters.images_resumed += u64::from(cursor != 0);
        self.transfers = self.transfers.wrapping_add(1);
        let transfer = self.transfers;
        let known = if delta { self.spans(cx) } else { Vec::new() };
        self.fetch = Some(Fetch {
            conn,
            source,
            source_epoch,
            source_initialised,
            transfer,
            records: 0,
            bytes: 0,
            digest: 0,
            delta,
            horizon: 0,
            rejoin,
            asked_clock,
            seen,
            cursor,
            claimed: claimed.clone(),
            stalls_at: cx.now.saturating_add(cx.timing.image_stall),
        });
        let region = u32::from(self.number);
        let request = ImageRequest { region, transfer, plan, delta, known, cursor, claimed };
        let payload = control::encode(Body::ImageRequest(request));
        cx.out.push_back(Action::SendControl { conn, payload });
    }

    /// What this node holds, its own changes among it.
    fn spans<S: Store>(&self, cx: &mut Context<'_, S>) -> Vec<Span> {
        let mut spans = self.holdings.spans();
        let (origin, closed) = (u32::from(cx.myself), cx.store.close_time(self.info.id));
        spans.extend(self.since.map(|since| Span { origin, since, closed }));
        spans
    }

    /// An empty set to note what comes, if there is something to compare it with.
    fn to_compare<S: Store>(&self, cx: &Context<'_, S>, delta: bool) -> Option<HashSet<u64>> {
        if delta {
            return None;
        }
        let mut empty = true;
        let looked = cx.store.scan(self.info.id, 0, &mut |_| {
            empty = false;
            ControlFlow::Break(())
        });
        (!empty || looked.is_err()).then(HashSet::new)
    }

    fn fetching(&mut self, conn: ConnId, transfer: u32) -> Option<&mut Fetch> {
        self.fetch.as_mut().filter(|f| f.conn == conn && f.transfer == transfer)
    }

    /// The source begins.
    pub(crate) fn on_image_begin<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        transfer: u32,
        begin: &ImageBegin,
        claims: &[WireClaim],
    ) {
        let Some(fetch) = self.fetching(conn, transfer) else {
            return;
        };
        let delta = begin.flags.get() & DELTA != 0;
        let refused_delta = fetch.delta && !delta;
        fetch.delta = delta;
        fetch.horizon = begin.horizon.get();
        fetch.stalls_at = cx.now.saturating_add(cx.timing.image_stall);
        if fetch.claimed.is_empty() {
            let span = |c: &WireClaim| Span {
                origin: u32::from(c.origin.get()),
                since: c.since.get(),
                closed: c.closed.get(),
            };
            fetch.claimed = claims.iter().map(span).filter(|s| s.since < s.closed).collect();
        }
        if seeded(Defect::ClaimsBeforeImage) {
            let own = self.own(cx.myself);
            claims.iter().for_each(|claim| self.holdings.adopt(claim, own));
            self.persist_all(cx);
            self.promote(cx);
        }
        if refused_delta {
            let seen = self.to_compare(cx, false);
            if let Some(fetch) = self.fetch.as_mut() {
                fetch.seen = seen;
            }
        }
    }

    /// How far the source has come.
    pub(crate) fn on_image_cursor(&mut self, conn: ConnId, transfer: u32, cursor: u64) {
        if let Some(fetch) = self.fetching(conn, transfer) {
            fetch.cursor = cursor;
        }
    }

    /// Records of an image.
    pub(crate) fn on_image<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        transfer: u32,
        mut records: Records<'_>,
    ) -> Result<(), WireError> {
        let region = self.info.id;
        let whole = self.since.is_none() || self.info.policy.is_replicate();
        let Some(fetch) = self.fetching(conn, transfer) else {
            return Ok(());
        };
        fetch.stalls_at = cx.now.saturating_add(cx.timing.image_stall);
        let (mut failed, mut tombstone) = (None, 0);
        while let Some((change, bytes)) = records.next_record()? {
            fetch.records += 1;
            fetch.bytes += bytes.len() as u64;
            fetch.digest = fetch.digest.wrapping_add(xxh3_64(bytes));
            if let Some(seen) = fetch.seen.as_mut() {
                seen.insert(xxh3_64(change.key));
            }
            if !travels(change.kind) {
                continue;
            }
            if change.kind == Kind::Tombstone {
                tombstone = tombstone.max(change.version);
            }
            if let Err(e) = cx.store.merge(region, change, whole) {
                failed = Some(e);
                break;
            }
        }
        self.stability.note(tombstone);
        if let Some(e) = failed {
            cx.counters.apply_errors += 1;
            self.give_up(cx, &format!("an entry could not be taken: {e}"));
        }
        Ok(())
    }

    /// The source is done.
    pub(crate) fn on_image_end<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        transfer: u32,
        end: &ImageEnd,
        claims: &[WireClaim],
    ) {
        let wanted = |f: &mut Fetch| f.conn == conn && f.transfer == transfer;
        let Some(fetch) = self.fetch.take_if(wanted) else {
            return;
        };
        if fetch.records != end.records.get() || fetch.digest != end.digest.get() {
            self.fetch = Some(fetch);
            self.give_up(cx, "count or digest differ");
            return;
        }
        cx.counters.deltas_taken += u64::from(fetch.delta);
        cx.counters.image_records += fetch.records;
        self.sweep = Some(Sweep {
            cursor: 0,
            seen: fetch.seen,
            claims: claims.to_vec(),
            conn,
            source: fetch.source,
            source_initialised: fetch.source_initialised,
            horizon: fetch.horizon,
            rejoin: fetch.rejoin,
            asked_clock: fetch.asked_clock,
            restamped: 0,
        });
        self.sweep_step(cx);
    }

    /// The source will not, or cannot go on.
    pub(crate) fn on_image_refused<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        refused: &ImageRefused,
    ) {
        if self.fetching(conn, refused.transfer).is_some() {
            self.give_up(cx, &refused.text);
        }
    }

    /// The connection to the source ended: another source starts over, the same one may go on.
    pub(super) fn cut_off<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        if let Some(fetch) = self.fetch.as_mut().filter(|f| f.cursor != 0) {
            self.rest = Some(Rest {
                source: fetch.source,
                epoch: fetch.source_epoch,
                delta: fetch.delta,
                asked_clock: fetch.asked_clock,
                seen: fetch.seen.take(),
                cursor: fetch.cursor,
                claimed: std::mem::take(&mut fetch.claimed),
            });
        }
        self.give_up(cx, "the connection to the source ended");
        self.retry_at = cx.now;
    }

    /// Forgets the running image; another attempt follows, if it is still needed.
    pub(crate) fn give_up<S: Store>(&mut self, cx: &mut Context<'_, S>, why: &str) {
        let Some(fetch) = self.fetch.take() else {
            return;
        };
        cx.counters.images_failed += 1;
        if self.union.is_some() {
            // One of many: no reason for a warning, and none to wait.
            if self.one_of_union(cx, fetch.conn, false) {
                self.meet(cx);
            }
            return;
        }
        let pause = cx.timing.retry << self.attempts.min(6);
        self.attempts += 1;
        self.retry_at = cx.now.saturating_add(pause);
        let text = format!(
            "region {}: image from node {} failed after {} records: {why}; trying again",
            self.info.name, fetch.source, fetch.records
        );
        cx.alert(AlertLevel::Warning, text);
    }
}
