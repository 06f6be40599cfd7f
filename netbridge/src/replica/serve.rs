//! The source of an image. The argument is in [`super`].
//!
//! A *full* image is the whole table. A *delta* leaves out what the target holds by its own
//! statement: a version of an origin inside a span of it (invariant C of [`super::holdings`]).
//! An image that was cut off goes on: what changed since its first claims is sent of the whole
//! table, then everything from the cursor on.

use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::IntoBytes;

use super::defects::{Defect, seeded};
use super::holdings::{Held, Incarnation, claim};
use super::link::Link;
use super::region::Region;
use super::send::{owned_by, travels};
use super::store::{RegionId, Store, StoreError};
use super::{Context, IMAGE_CHUNK};
use crate::port::{Action, ConnId, Lane};
use crate::wire::control::{self, Body, Holding, ImageRefused, ImageRequest, Span};
use crate::wire::frame::{self, DELTA, ImageBegin, ImageCursor, ImageEnd, WireClaim, kind};
use crate::wire::record::{self, Change, Kind};

/// Entries looked at in one step: the bridge has more urgent things to do.
const LOOK: usize = 16 << 10;

/// An image on its way to a peer.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) transfer: u32,
    plan: Vec<Holding>,
    pub(crate) deadline: u64,
    /// Taken when the scan begins.
    claims: Option<Vec<WireClaim>>,
    begun: bool,
    /// What the target holds, if it wants no more than the rest.
    known: Option<Vec<Span>>,
    /// Where the second pass begins, and what the first leaves out.
    resume: Option<(u64, Vec<Span>)>,
    cursor: u64,
    pub(crate) records: u64,
    digest: u64,
}

/// What one step came to.
enum Step {
    /// Nothing to send yet.
    Looked,
    Sent,
    Done,
}

fn covered(spans: &[Span], change: &Change<'_>) -> bool {
    let covers = |s: &Span| {
        (s.origin == u32::from(change.origin) || seeded(Defect::DeltaByTimeAlone))
            && s.since < change.version
            && change.version <= s.closed
    };
    spans.iter().any(covers)
}

impl Serve {
    fn new(request: ImageRequest, deadline: u64) -> Self {
        Self {
            transfer: request.transfer,
            plan: request.plan,
            deadline,
            claims: None,
            begun: false,
            known: request.delta.then_some(request.known),
            resume: (request.cursor != 0).then_some((request.cursor, request.claimed)),
            cursor: 0,
            records: 0,
            digest: 0,
        }
    }

    pub(crate) fn waiting(&self) -> bool {
        self.claims.is_none()
    }

    /// Whether the target needs to be sent this entry.
    fn wants(&self, change: &Change<'_>) -> bool {
        let held = self.known.as_ref().is_some_and(|known| covered(known, change));
        let came = self.resume.as_ref().is_some_and(|(_, claimed)| covered(claimed, change));
        !held && !came
    }

    fn begin(&mut self, begin: &ImageBegin, number: u16, bytes: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let claims = self.claims.as_deref().unwrap_or_default();
        let count = u32::try_from(claims.len()).unwrap_or(u32::MAX);
        let parts: [&[u8]; 2] = [begin.as_bytes(), claims.as_bytes()];
        frame::push_parts(bytes, kind::IMAGE_BEGIN, number, count, self.transfer, &parts);
    }

    /// Scans the next chunk into `bytes`.
    fn chunk<S: Store>(
        &mut self,
        cx: &Context<'_, S>,
        id: RegionId,
        number: u16,
        bytes: &mut Vec<u8>,
    ) -> Result<Step, StoreError> {
        let at = frame::open(bytes);
        let (mut count, mut looked, mut digest) = (0u32, 0, 0u64);
        let next = cx.store.scan(id, self.cursor, &mut |change| {
            let full = count > 0 && bytes.len() + record::encoded_len(&change) > IMAGE_CHUNK;
            if full || looked == LOOK {
                return ControlFlow::Break(());
            }
            looked += 1;
            let mut change = owned_by(change, cx.myself);
            change.position = 0;
            if !self.wants(&change) {
                return ControlFlow::Continue(());
            }
            if !travels(change.kind) {
                (change.kind, change.value) = (Kind::LocalInvalid, &[]);
            }
            let from = bytes.len();
            if record::push(bytes, &change) {
                digest = digest.wrapping_add(xxh3_64(&bytes[from..]));
                count += 1;
            }
            ControlFlow::Continue(())
        })?;
        self.digest = self.digest.wrapping_add(digest);
        self.records += u64::from(count);
        if count > 0 {
            frame::close(bytes, at, kind::IMAGE, number, count, self.transfer);
        } else {
            bytes.truncate(at);
        }
        self.cursor = match (next, &self.resume) {
            (Some(next), _) => next,
            (None, Some((cursor, _))) => {
                let cursor = *cursor;
                self.resume = None;
                cursor
            }
            (None, None) => {
                self.end(number, bytes);
                return Ok(Step::Done);
            }
        };
        if self.resume.is_none() && count > 0 {
            let cursor = ImageCursor { cursor: self.cursor.into() };
            let parts: [&[u8]; 1] = [cursor.as_bytes()];
            frame::push_parts(bytes, kind::IMAGE_CURSOR, number, 1, self.transfer, &parts);
        }
        Ok(if bytes.is_empty() { Step::Looked } else { Step::Sent })
    }

    fn end(&self, number: u16, bytes: &mut Vec<u8>) {
        let end = ImageEnd { records: self.records.into(), digest: self.digest.into() };
        let claims = self.claims.as_deref().unwrap_or_default();
        let count = u32::try_from(claims.len()).unwrap_or(u32::MAX);
        let parts: [&[u8]; 2] = [end.as_bytes(), claims.as_bytes()];
        frame::push_parts(bytes, kind::IMAGE_END, number, count, self.transfer, &parts);
    }
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
            link.serve = Some(Serve::new(request, deadline));
        }
    }

    /// One step of every image that is being served.
    pub(crate) fn serve<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let conns: Vec<ConnId> = self.links.keys().copied().collect();
        for conn in conns {
            let Some(mut job) = self.links.get_mut(&conn).and_then(ready_job) else {
                continue;
            };
            match self.serve_step(cx, conn, &mut job) {
                Ok(true) => {
                    cx.counters.images_served += 1;
                    let newcomer = self.links.get(&conn).is_some_and(|l| !l.initialised);
                    if newcomer && self.since.is_some() {
                        self.meet(cx);
                    }
                }
                Ok(false) => {
                    if let Some(link) = self.links.get_mut(&conn) {
                        link.serve = Some(job);
                    }
                }
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

    /// True when the image is complete.
    fn serve_step<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        job: &mut Serve,
    ) -> Result<bool, String> {
        if job.claims.is_none() {
            if let Some(missing) = self.missing(&job.plan, cx.myself) {
                if cx.now < job.deadline {
                    return Ok(false);
                }
                return Err(format!("node {} does not hold {missing}", cx.myself));
            }
            if job.known.as_ref().is_some_and(|known| !self.allows_delta(cx, known)) {
                job.known = None;
            }
            job.claims = Some(self.claims(cx));
        }
        let mut payload = Vec::new();
        let begin = ImageBegin {
            flags: if job.known.is_some() { DELTA } else { 0 }.into(),
            reserved: 0.into(),
            horizon: cx.store.horizon(self.info.id).into(),
            estimate: 0.into(),
        };
        job.begin(&begin, self.number, &mut payload);
        let step = job.chunk(cx, self.info.id, self.number, &mut payload);
        let step = step.map_err(|e| e.to_string())?;
        if !matches!(step, Step::Looked) || !payload.is_empty() {
            cx.out.push_back(Action::SendData { conn, lane: Lane::Image(self.number), payload });
            if let Some(link) = self.links.get_mut(&conn) {
                link.image_inflight = true;
            }
        }
        Ok(matches!(step, Step::Done))
    }

    /// A node that missed a tombstone which is forgotten here must be sent everything.
    fn allows_delta<S: Store>(&self, cx: &Context<'_, S>, known: &[Span]) -> bool {
        let horizon = cx.store.horizon(self.info.id);
        let holds = |origin: u16| {
            let up_to = |s: &&Span| s.origin == u32::from(origin);
            known.iter().filter(up_to).any(|s| s.closed >= horizon)
        };
        horizon == 0 || self.roster(cx.myself).into_iter().all(holds)
    }

    /// What of the plan this node does not hold yet.
    pub(super) fn missing(&self, plan: &[Holding], myself: u16) -> Option<String> {
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
        let whole = self.info.policy.is_replicate();
        // A copy that need not hold everything proves nothing but what it made itself.
        let mut claims = if whole { self.holdings.claims() } else { Vec::new() };
        let since = if whole { self.since.unwrap_or(0) } else { 0 };
        // The order matters: time first, then the position, then (by the caller) the table.
        let closed = cx.store.close_time(self.info.id);
        let position = cx.store.tail(self.info.id);
        let mine = Incarnation { origin: cx.myself, epoch: self.info.epoch };
        claims.push(claim(mine, Held { position, since, closed, partial: false }));
        claims
    }

    /// An image is being scanned and its lane is free.
    pub(super) fn is_scanning(&self) -> bool {
        let scans =
            |l: &Link| !l.image_inflight && l.serve.as_ref().is_some_and(|serve| !serve.waiting());
        self.links.values().any(scans)
    }
}

/// The link's job, if there is one and its lane is free.
fn ready_job(link: &mut Link) -> Option<Serve> {
    if link.image_inflight { None } else { link.serve.take() }
}
