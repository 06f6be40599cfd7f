//! Both ends of an image transfer, and the sweep. The argument is in [`super`].

use std::collections::HashSet;
use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use super::holdings::{Held, Incarnation, claim, proves_seen};
use super::link::Link;
use super::region::Region;
use super::send::{owned_by, travels};
use super::store::{Store, StoreError};
use super::{Context, IMAGE_CHUNK};
use crate::port::{Action, AlertLevel, ConnId, Lane};
use crate::wire::WireError;
use crate::wire::control::{self, Body, Holding, ImageRefused, ImageRequest};
use crate::wire::frame::{self, ImageEnd, WireClaim, kind};
use crate::wire::record::{self, Kind, Records};

/// Entries looked at in one step of a sweep.
const SWEEP_STEP: usize = 4096;

/// An image on its way to a peer.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) transfer: u32,
    plan: Vec<Holding>,
    pub(crate) deadline: u64,
    /// Taken when the scan begins.
    claims: Option<Vec<WireClaim>>,
    cursor: u64,
    pub(crate) records: u64,
    digest: u64,
}

/// An image on its way to this node.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) conn: ConnId,
    pub(crate) source: u16,
    source_initialised: bool,
    transfer: u32,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    digest: u64,
    /// Keys that came, by hash; only when there was something to sweep at the start. A collision
    /// keeps an entry that could have been swept.
    seen: Option<HashSet<u64>>,
    pub(crate) stalls_at: u64,
}

/// Between the end of an image and the adoption of its claims.
#[derive(Debug)]
pub(crate) struct Sweep {
    cursor: u64,
    seen: Option<HashSet<u64>>,
    claims: Vec<WireClaim>,
    source_initialised: bool,
}

impl Serve {
    fn new(transfer: u32, plan: Vec<Holding>, deadline: u64) -> Self {
        Self { transfer, plan, deadline, claims: None, cursor: 0, records: 0, digest: 0 }
    }

    pub(crate) fn waiting(&self) -> bool {
        self.claims.is_none()
    }

    /// Scans the next chunk; true when the image is complete.
    fn chunk<S: Store>(
        &mut self,
        cx: &Context<'_, S>,
        region: &RegionRef,
        bytes: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        let at = frame::open(bytes);
        let mut count = 0u32;
        let digest = &mut self.digest;
        let next = cx.store.scan(region.id, self.cursor, &mut |change| {
            if count > 0 && bytes.len() + record::encoded_len(&change) > IMAGE_CHUNK {
                return ControlFlow::Break(());
            }
            let mut change = owned_by(change, cx.myself);
            change.position = 0;
            if !travels(change.kind) {
                (change.kind, change.value) = (Kind::LocalInvalid, &[]);
            }
            let from = bytes.len();
            if record::push(bytes, &change) {
                *digest = digest.wrapping_add(xxh3_64(&bytes[from..]));
                count += 1;
            }
            ControlFlow::Continue(())
        })?;
        self.records += u64::from(count);
        frame::close(bytes, at, kind::IMAGE, region.number, count, self.transfer);
        if let Some(next) = next {
            self.cursor = next;
            return Ok(false);
        }
        let end = ImageEnd { records: self.records.into(), digest: self.digest.into() };
        let claims = self.claims.as_deref().unwrap_or_default();
        let count = u32::try_from(claims.len()).unwrap_or(u32::MAX);
        let parts: [&[u8]; 2] =
            [zerocopy::IntoBytes::as_bytes(&end), zerocopy::IntoBytes::as_bytes(claims)];
        frame::push_parts(bytes, kind::IMAGE_END, region.number, count, self.transfer, &parts);
        Ok(true)
    }
}

/// The parts of a region that a scan needs while one of its links is borrowed.
struct RegionRef {
    id: super::store::RegionId,
    number: u16,
}

impl Region {
    /// A peer asks for an image.
    pub(crate) fn on_image_request<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        request: ImageRequest,
    ) {
        let deadline = cx.now.saturating_add(cx.timing.plan_wait);
        if let Some(link) = self.links.get_mut(&conn) {
            link.serve = Some(Serve::new(request.transfer, request.plan, deadline));
        }
    }

    /// One step of every image that is being served.
    pub(crate) fn serve<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let region = RegionRef { id: self.info.id, number: self.number };
        let conns: Vec<ConnId> = self.links.keys().copied().collect();
        for conn in conns {
            let Some(mut job) = self.links.get_mut(&conn).and_then(ready_job) else {
                continue;
            };
            match self.serve_step(cx, conn, &mut job, &region) {
                Ok(true) => {
                    let newcomer = self.links.get(&conn).is_some_and(|l| !l.initialised);
                    if newcomer && self.since.is_some() {
                        self.meet(cx);
                    }
                }
                Ok(false) => self.put_back(conn, job),
                Err(text) => {
                    cx.counters.images_failed += 1;
                    let transfer = job.transfer;
                    let body = ImageRefused { region: u32::from(self.number), transfer, text };
                    let payload = control::encode(Body::ImageRefused(body));
                    cx.out.push_back(Action::SendControl { conn, payload });
                }
            }
        }
    }

    fn put_back(&mut self, conn: ConnId, job: Serve) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.serve = Some(job);
        }
    }

    fn serve_step<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        job: &mut Serve,
        region: &RegionRef,
    ) -> Result<bool, String> {
        if job.claims.is_none() {
            if let Some(missing) = self.missing(&job.plan, cx.myself) {
                if cx.now < job.deadline {
                    return Ok(false);
                }
                return Err(format!("node {} does not hold {missing}", cx.myself));
            }
            job.claims = Some(self.claims(cx));
        }
        let mut payload = Vec::new();
        let done = job.chunk(cx, region, &mut payload).map_err(|e| e.to_string())?;
        cx.out.push_back(Action::SendData { conn, lane: Lane::Image(region.number), payload });
        if let Some(link) = self.links.get_mut(&conn) {
            link.image_inflight = true;
        }
        cx.counters.images_served += u64::from(done);
        Ok(done)
    }

    /// What of the plan this node does not hold yet.
    fn missing(&self, plan: &[Holding], myself: u16) -> Option<String> {
        let lacks = |h: &&Holding| {
            let Ok(origin) = u16::try_from(h.origin) else {
                return true;
            };
            let of = Incarnation { origin, epoch: h.epoch };
            let mine = origin == myself && h.epoch == self.info.epoch;
            !mine && self.holdings.position(of).unwrap_or(0) < h.position
        };
        plan.iter()
            .find(lacks)
            .map(|h| format!("the changes of node {} before position {}", h.origin, h.position))
    }

    /// What this node holds now; the scan must begin afterwards.
    fn claims<S: Store>(&self, cx: &mut Context<'_, S>) -> Vec<WireClaim> {
        let mut claims = self.holdings.claims();
        let since = self.since.unwrap_or(0);
        // The order matters: time first, then the position, then (by the caller) the table.
        let closed = cx.store.close_time(self.info.id);
        let position = cx.store.tail(self.info.id);
        let mine = Incarnation { origin: cx.myself, epoch: self.info.epoch };
        claims.push(claim(mine, Held { position, since, closed }));
        claims
    }

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
        let mut empty = true;
        let looked = cx.store.scan(self.info.id, 0, &mut |_| {
            empty = false;
            ControlFlow::Break(())
        });
        self.transfers = self.transfers.wrapping_add(1);
        let transfer = self.transfers;
        self.fetch = Some(Fetch {
            conn,
            source: link.origin,
            source_initialised: link.initialised,
            transfer,
            records: 0,
            bytes: 0,
            digest: 0,
            seen: (!empty || looked.is_err()).then(HashSet::new),
            stalls_at: cx.now.saturating_add(cx.timing.image_stall),
        });
        let request = ImageRequest { region: u32::from(self.number), transfer, plan };
        let payload = control::encode(Body::ImageRequest(request));
        cx.out.push_back(Action::SendControl { conn, payload });
    }

    /// Records of an image.
    pub(crate) fn on_image<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        transfer: u32,
        mut records: Records<'_>,
    ) -> Result<(), WireError> {
        let wanted = |f: &&mut Fetch| f.conn == conn && f.transfer == transfer;
        let Some(fetch) = self.fetch.as_mut().filter(wanted) else {
            return Ok(());
        };
        fetch.stalls_at = cx.now.saturating_add(cx.timing.image_stall);
        let mut failed = None;
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
            if let Err(e) = cx.store.apply(self.info.id, change) {
                failed = Some(e);
                break;
            }
        }
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
        self.sweep = Some(Sweep {
            cursor: 0,
            seen: fetch.seen,
            claims: claims.to_vec(),
            source_initialised: fetch.source_initialised,
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
        let wanted = |f: &Fetch| f.conn == conn && f.transfer == refused.transfer;
        if self.fetch.as_ref().is_some_and(wanted) {
            self.give_up(cx, &refused.text);
        }
    }

    /// Forgets the running image; another attempt follows, if it is still needed.
    pub(crate) fn give_up<S: Store>(&mut self, cx: &mut Context<'_, S>, why: &str) {
        let Some(fetch) = self.fetch.take() else {
            return;
        };
        cx.counters.images_failed += 1;
        let pause = cx.timing.retry << self.attempts.min(6);
        self.attempts += 1;
        self.retry_at = cx.now.saturating_add(pause);
        let text = format!(
            "region {}: image from node {} failed after {} records: {why}; trying again",
            self.info.name, fetch.source, fetch.records
        );
        cx.alert(AlertLevel::Warning, text);
    }

    /// Goes on sweeping; at the end the claims of the source are adopted.
    pub(crate) fn sweep_step<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let Some(mut sweep) = self.sweep.take() else {
            return;
        };
        let region = self.info.id;
        let next = match &sweep.seen {
            Some(seen) => sweep_some(cx, region, sweep.cursor, seen, &sweep.claims),
            None => Ok(None),
        };
        match next {
            Ok(Some(cursor)) => {
                sweep.cursor = cursor;
                self.sweep = Some(sweep);
                return;
            }
            Ok(None) => {}
            Err(e) => {
                self.retry_at = cx.now.saturating_add(cx.timing.retry);
                let text = format!("region {}: sweep failed: {e}; trying again", self.info.name);
                cx.alert(AlertLevel::Warning, text);
                return;
            }
        }
        for claim in &sweep.claims {
            self.holdings.adopt(claim, cx.myself);
        }
        for origin in self.holdings.stored() {
            self.persist(cx, origin);
        }
        if sweep.source_initialised {
            self.meet(cx);
        }
        self.attempts = 0;
        cx.counters.images_taken += 1;
        self.promote(cx);
    }
}

/// The link's job, if there is one and its lane is free.
fn ready_job(link: &mut Link) -> Option<Serve> {
    if link.image_inflight { None } else { link.serve.take() }
}

fn sweep_some<S: Store>(
    cx: &mut Context<'_, S>,
    region: super::store::RegionId,
    cursor: u64,
    seen: &HashSet<u64>,
    claims: &[WireClaim],
) -> Result<Option<u64>, StoreError> {
    let mut dead: Vec<(Vec<u8>, u64, u16)> = Vec::new();
    let mut looked = 0;
    let myself = cx.myself;
    let next = cx.store.scan(region, cursor, &mut |change| {
        if looked == SWEEP_STEP {
            return ControlFlow::Break(());
        }
        looked += 1;
        let origin = owned_by(change, myself).origin;
        if !seen.contains(&xxh3_64(change.key)) && proves_seen(claims, change.version, origin) {
            dead.push((change.key.to_vec(), change.version, change.origin));
        }
        ControlFlow::Continue(())
    })?;
    for (key, version, origin) in &dead {
        cx.counters.swept += u64::from(cx.store.purge(region, key, *version, *origin)?);
    }
    Ok(next)
}
