//! One region of this node: its links to the peers that have it too, and what is decided from them.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::acks::AckSet;
use super::defects::{Defect, seeded};
use super::fetch::{Fetch, Rest};
use super::holdings::{Holdings, Incarnation};
use super::link::Link;
use super::search::Searches;
use super::send::{Filled, Outgoing, Stream};
use super::stable::Stability;
use super::store::{Interest, OriginState, Policy, RegionInfo, State, Store, Whole};
use super::sweep::Sweep;
use super::waits::{Due, Wait};
use super::whole::{Authors, Passing};
use crate::member::Membership;
use crate::port::{Action, AlertLevel, ConnId, Lane};
use crate::wire::control::{self, Ack, Body, Have, Holding, Profile};

/// How long a START that was asked for holds up decisions that would like to know it.
pub(super) const START_WAIT: u64 = 2_000;

/// A distributed region of this node.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) info: RegionInfo,
    pub(crate) number: u16,
    /// Start of claimed time; `Some` once the region has been complete.
    pub(crate) since: Option<u64>,
    pub(crate) holdings: Holdings,
    pub(crate) acks: AckSet,
    pub(crate) links: BTreeMap<ConnId, Link>,
    pub(crate) fetch: Option<Fetch>,
    pub(crate) sweep: Option<Sweep>,
    /// What an image lacks that was cut off.
    pub(crate) rest: Option<Rest>,
    /// Sources of a union that are still to be asked, and how many of it gave what they have.
    pub(crate) union: Option<(Vec<ConnId>, u32)>,
    /// Other nodes that are known to have the region.
    pub(crate) known: BTreeSet<u16>,
    pub(crate) stability: Stability,
    /// The ring before this position is not replayed, see [`super::rejoin`].
    pub(crate) first: u64,
    pub(crate) transfers: u32,
    pub(crate) attempts: usize,
    pub(crate) retry_at: u64,
    /// Has met the other copies of this region, see `meet`.
    pub(crate) joined: bool,
    pub(crate) degraded: bool,
    /// Nodes on which a region of this name runs with other attributes.
    pub(crate) refused_by: BTreeSet<u16>,
    pub(crate) persist_failed: bool,
    unreadable: bool,
    /// The Profile must be sent again.
    pub(crate) announce: bool,
    pub(super) opened_at: u64,
    /// When `turn` last ran: deadlines up to then have been looked at.
    turned_at: u64,
    /// The oldest change that is not acknowledged.
    pub(crate) waiting: Option<Wait>,
    /// Connections to nodes that do not acknowledge, to be ended.
    pub(crate) suspects: Vec<ConnId>,
    pub(crate) searches: Searches,
    /// Stamps as told to the peers.
    pub(super) stamps: (u64, u64),
    pub(super) authors: Authors,
    pub(super) passing: Passing,
}

impl Region {
    /// Takes up a region; everything is relearned from the store.
    pub(crate) fn open<S: Store>(cx: &mut Context<'_, S>, info: RegionInfo, number: u16) -> Self {
        let states = cx.store.origins(info.id);
        let own = |s: &&OriginState| s.origin == cx.myself && s.epoch == info.epoch;
        let own = states.iter().find(own);
        let mut since = own.map(|s| s.closed);
        let mut joined = own.is_some_and(|s| s.position != 0);
        if !info.policy.begins_whole() {
            // Nothing is missing from a part.
            since = since.or_else(|| Some(cx.store.close_time(info.id)));
            joined = true;
            cx.store.set_state(info.id, State::Ready);
        }
        let first = own.map_or(0, |s| s.position.saturating_sub(1));
        let mine = Incarnation { origin: cx.myself, epoch: info.epoch };
        let newest = cx.store.clock();
        let others: Vec<u16> =
            states.iter().map(|s| s.origin).filter(|o| *o != cx.myself && *o != 0).collect();
        if since.is_none() {
            cx.store.set_state(info.id, State::Initialising);
        }
        Self {
            number,
            since,
            holdings: Holdings::load(&states, mine),
            acks: AckSet::recover(cx.store.watermarks(info.id), &others, cx.now),
            links: BTreeMap::new(),
            fetch: None,
            sweep: None,
            rest: None,
            union: None,
            known: others.iter().copied().collect(),
            stability: Stability::new(newest),
            first,
            transfers: 0,
            attempts: 0,
            retry_at: 0,
            joined,
            degraded: false,
            refused_by: BTreeSet::new(),
            persist_failed: false,
            unreadable: false,
            announce: false,
            opened_at: cx.now,
            turned_at: 0,
            waiting: None,
            suspects: Vec::new(),
            searches: Searches::default(),
            stamps: cx.store.stamps(info.id),
            authors: Authors::default(),
            passing: Passing::default(),
            info,
        }
    }

    /// For the peers.
    pub(crate) fn profile(&self) -> Profile {
        Profile {
            region: u32::from(self.number),
            name: self.info.name.clone(),
            policy: self.info.policy as u32,
            scope: self.info.scope as u32,
            concurrency_checks: self.info.concurrency_checks,
            epoch: self.info.epoch,
            initialised: self.since.is_some(),
            since: self.since.unwrap_or(0),
            early_ack: self.info.early_ack,
            joined: self.joined,
            interest: self.info.interest as u32,
            cleared: self.stamps.0,
            invalidated: self.stamps.1,
            cleared_by: self.authors.of(Whole::Clear, self.stamps.0),
            invalidated_by: self.authors.of(Whole::Invalidate, self.stamps.1),
        }
    }

    /// This node's own incarnation of the region.
    pub(super) fn own(&self, myself: u16) -> Incarnation {
        Incarnation { origin: myself, epoch: self.info.epoch }
    }

    /// A peer has the same region with the same attributes, or news about it.
    pub(crate) fn pair<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        origin: u16,
        profile: &Profile,
    ) {
        let is_new = !self.links.contains_key(&conn);
        let link = self.links.entry(conn).or_insert_with(|| Link::new(conn, origin));
        link.epoch = profile.epoch;
        link.initialised = profile.initialised;
        link.since = profile.since;
        link.early = profile.early_ack;
        link.policy = profile.policy;
        link.interest = profile.interest;
        link.joined = profile.joined;
        self.known.insert(origin);
        self.adopt_stamps(cx, origin, profile);
        let of = Incarnation { origin, epoch: profile.epoch };
        let reborn = self.holdings.is_reborn(of);
        self.holdings.set_since(of, profile.since);
        if is_new {
            self.subscribe(cx, conn);
            if reborn {
                // What its former self did not send to everybody must be found among the others.
                self.ask_all(cx);
            }
        }
    }

    /// The peer cannot be reached, or (`gone`) has no such region any more.
    pub(crate) fn unpair<S: Store>(&mut self, cx: &mut Context<'_, S>, conn: ConnId, gone: bool) {
        let Some(link) = self.links.remove(&conn) else {
            return;
        };
        if !self.links.values().any(|l| l.origin == link.origin) {
            if link.is_deaf() || gone {
                self.acks.remove(link.origin);
            } else {
                self.acks.lost(link.origin, cx.now);
            }
        }
        if let Some(incoming) = link.incoming.filter(|i| i.is_partial()) {
            self.holdings.set_partial(incoming.of);
            self.persist(cx, incoming.of.origin);
        }
        if self.fetch.as_ref().is_some_and(|f| f.conn == conn) {
            self.cut_off(cx);
        }
    }

    /// The peer has closed its region, or it is no longer the same: nobody waits for it.
    pub(crate) fn departed<S: Store>(&mut self, cx: &mut Context<'_, S>, conn: ConnId) {
        let origin = self.links.get(&conn).map(|l| l.origin);
        self.unpair(cx, conn, true);
        if let Some(origin) = origin.filter(|o| !self.links.values().any(|l| l.origin == *o)) {
            self.acks.remove(origin);
        }
    }

    /// Asks the peer to (re)start its live stream.
    pub(super) fn subscribe<S: Store>(&mut self, cx: &mut Context<'_, S>, conn: ConnId) {
        let bare = !self.info.policy.begins_whole() && self.is_bare(cx);
        let fresh = self.since.is_none() || bare;
        let held = self.holdings.to_wire();
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let of = Incarnation { origin: link.origin, epoch: link.epoch };
        link.offered = self.holdings.position(of).unwrap_or(0);
        link.asked_at = Some(cx.now);
        link.blocked_until = None;
        let region = u32::from(self.number);
        let have = Have { region, held, subscribe: true, fresh, ask: false };
        send(cx, conn, Body::Have(have));
    }

    /// What the peer holds, and perhaps a subscription.
    pub(crate) fn on_have<S: Store>(&mut self, cx: &mut Context<'_, S>, conn: ConnId, have: Have) {
        let (rejoins, own) = (self.rejoins(), self.own(cx.myself));
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let former = |h: &&Holding| h.origin == u32::from(cx.myself) && h.epoch != own.epoch;
        if let Some(closed) = have.held.iter().filter(former).map(|h| h.closed).max() {
            // What this node made before it lost its region: later changes must be newer.
            cx.store.raise_floor(self.info.id, closed);
        }
        if have.subscribe && rejoins {
            link.have = have.held.clone();
            link.held_back = Some(have);
            return;
        }
        if have.subscribe {
            let (tail, oldest) = (cx.store.tail(self.info.id), cx.store.oldest(self.info.id));
            let mine =
                |h: &&Holding| h.origin == u32::from(cx.myself) && h.epoch == self.info.epoch;
            let held = have.held.iter().find(mine).map_or(0, |h| h.position);
            let takes_image = have.fresh && self.since.is_some() && held == 0;
            let resumes = (oldest.max(self.first)..=tail).contains(&held) && !takes_image;
            let position = if resumes { held } else { tail };
            cx.counters.resumed += u64::from(resumes && held > 0);
            // What it said before may be of a copy that it has lost.
            link.whole = 0;
            match link.outgoing.as_mut() {
                Some(outgoing) => outgoing.restart(position),
                None => link.outgoing = Some(Outgoing::new(position)),
            }
            self.acks.subscribed(link.origin, position, !resumes);
            self.known.insert(link.origin);
            let known = cx.store.origins(self.info.id).iter().any(|s| s.origin == link.origin);
            if !known && !link.is_deaf() {
                // A member whose acknowledgement counts must survive a restart of this bridge.
                let mark = OriginState { origin: link.origin, ..OriginState::default() };
                if cx.store.set_origin_state(self.info.id, mark).is_err() {
                    self.persist_failed = true;
                }
            }
        }
        link.have = have.held;
        if have.ask {
            self.tell(cx, conn, false);
        }
    }

    fn tell<S: Store>(&self, cx: &mut Context<'_, S>, conn: ConnId, ask: bool) {
        let held = self.holdings.to_wire();
        let region = u32::from(self.number);
        send(cx, conn, Body::Have(Have { region, held, subscribe: false, fresh: false, ask }));
    }

    fn ask_all<S: Store>(&self, cx: &mut Context<'_, S>) {
        for conn in self.links.keys() {
            self.tell(cx, *conn, true);
        }
    }

    /// An acknowledgement of the peer.
    pub(crate) fn on_ack(&mut self, conn: ConnId, ack: &Ack) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let Some(outgoing) = link.outgoing.as_mut() else {
            return;
        };
        if ack.epoch == self.info.epoch {
            outgoing.acked(ack.applied);
            if !ack.provisional {
                link.whole = link.whole.max(ack.applied);
            }
            self.acks.acked(link.origin, ack.received, ack.applied, ack.provisional);
        }
    }

    /// A write of this region was handed to the transport.
    pub(crate) fn on_sent(&mut self, conn: ConnId, lane: Lane) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        match lane {
            Lane::Image(_) => link.image_inflight = false,
            Lane::Region(_) => {
                if let Some(position) = link.outgoing.as_mut().and_then(Outgoing::written) {
                    self.acks.sent(link.origin, position);
                }
            }
        }
    }

    /// Does whatever can be done now.
    pub(crate) fn turn<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        self.turned_at = cx.now;
        self.apply_arrived(cx);
        self.start_held_streams(cx);
        self.tell_stamps(cx);
        self.answer_questions(cx);
        self.send_changes(cx);
        self.sweep_step(cx);
        self.timers(cx);
        self.decide_image(cx);
        self.settle(cx);
        self.advance_searches(cx);
        self.serve(cx);
        self.settle_tombstones(cx);
        self.publish(cx);
        self.forget_passed(cx);
    }

    /// Whether nothing is stored here, nor was destroyed.
    pub(super) fn is_bare<S: Store>(&self, cx: &Context<'_, S>) -> bool {
        self.info.policy == Policy::Empty || cx.store.is_bare(self.info.id)
    }

    fn send_changes<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let conns: Vec<ConnId> = self.links.keys().copied().collect();
        for conn in conns {
            // Lapped: once more, from the tail.
            if !self.send_to(cx, conn) {
                self.send_to(cx, conn);
            }
        }
    }

    /// Sends what there is; false if the ring no longer held it.
    fn send_to<S: Store>(&mut self, cx: &mut Context<'_, S>, conn: ConnId) -> bool {
        let of = Incarnation { origin: cx.myself, epoch: self.info.epoch };
        let stream = Stream { region: self.info.id, number: self.number, of };
        let Some(link) = self.links.get_mut(&conn) else {
            return true;
        };
        let Some(outgoing) = link.outgoing.as_mut() else {
            return true;
        };
        outgoing.deaf =
            link.policy == Policy::Empty as u32 && link.interest == Interest::CacheContent as u32;
        let (now, close) = (cx.now, cx.timing.close);
        let filled = outgoing.fill(cx.store, stream, now, close, &mut link.answers);
        if outgoing.deaf {
            let passed = outgoing.passed();
            self.acks.sent(link.origin, passed);
            self.acks.acked(link.origin, passed, passed, false);
        }
        if std::mem::take(&mut outgoing.passing) {
            self.passing.due.get_or_insert(cx.now.saturating_add(super::whole::PASSING));
        }
        match filled {
            Ok(Filled::Nothing) => self.unreadable = false,
            Ok(Filled::Payload { bytes, records, tombstone }) => {
                self.stability.note(tombstone);
                self.unreadable = false;
                cx.counters.records_sent += records;
                cx.out.push_back(Action::SendData {
                    conn,
                    lane: Lane::Region(self.number),
                    payload: bytes,
                });
            }
            Ok(Filled::Lapped) => {
                let (from, tail) = (outgoing.cursor(), cx.store.tail(stream.region));
                outgoing.restart(tail);
                let origin = link.origin;
                self.lapped(cx, origin, from, tail);
                return false;
            }
            Err(e) => {
                let text = format!("region {}: cannot be read: {e}", self.info.name);
                if !std::mem::replace(&mut self.unreadable, true) {
                    cx.alert(AlertLevel::Severe, text);
                }
            }
        }
        true
    }

    fn lapped<S: Store>(&mut self, cx: &mut Context<'_, S>, origin: u16, from: u64, tail: u64) {
        cx.counters.lapped += 1;
        let known = self.acks.members().get(&origin).is_some_and(|m| m.hold.is_some());
        self.acks.subscribed(origin, tail, true);
        if !known {
            let text = format!(
                "region {}: node {origin} is too slow, positions {from} to {tail} were \
                 overwritten before they were sent; it takes an image",
                self.info.name
            );
            cx.alert(AlertLevel::Warning, text);
        }
    }

    fn timers<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let due = |l: &Link| l.blocked_until.is_some_and(|at| cx.now >= at);
        let unblocked: Vec<ConnId> =
            self.links.values().filter(|l| due(l)).map(|l| l.conn).collect();
        for conn in unblocked {
            self.subscribe(cx, conn);
        }
        if self.fetch.as_ref().is_some_and(|f| cx.now >= f.stalls_at) {
            self.give_up(cx, "no progress");
        }
        let members = cx.members;
        for (origin, member) in self.acks.expire(cx.now, |o, at| members.expiry(o, at)) {
            let (from, to) = (member.mark(self.info.early_ack), cx.store.tail(self.info.id));
            if from < to {
                cx.store.note_departure(self.info.id, origin, from, to);
            }
            let (name, why) = (&self.info.name, members.describe(origin));
            let text = format!("region {name}: node {origin} {why}; writers no longer wait for it");
            cx.alert(AlertLevel::Warning, text);
            self.ask_all(cx);
        }
        for link in self.links.values_mut() {
            if link.ack.tick(cx.now, cx.timing.ack_repeat)
                && let Some(ack) = ack_of(link, self.number)
            {
                send(cx, link.conn, Body::Ack(ack));
            }
        }
    }

    fn publish<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let tail = cx.store.tail(self.info.id);
        if let Some((sent, received, applied)) = self.acks.advance(tail) {
            cx.store.publish(self.info.id, sent, received, applied);
        }
        let early = self.info.early_ack;
        let (_, received, applied) = self.acks.published();
        let mark = if early { received } else { applied };
        self.waiting = Wait::look(self.waiting, mark, tail, cx.now);
        let Some(wait) = self.waiting.as_mut() else {
            return;
        };
        let (warning, severe) = (cx.timing.ack_warning, cx.timing.ack_severe);
        let due = wait.due(cx.now, warning, severe);
        if due == Due::Nothing {
            return;
        }
        let (nodes, waited) = (self.acks.waiting_for(tail, early), cx.now - wait.since);
        let name = &self.info.name;
        let mut text = format!(
            "region {name}: nodes {nodes:?} have not acknowledged position {mark} for {waited} ms"
        );
        if due == Due::Warning {
            cx.alert(AlertLevel::Warning, text);
            return;
        }
        let missing = |l: &&Link| nodes.contains(&l.origin);
        self.suspects = self.links.values().filter(missing).map(|l| l.conn).collect();
        text += "; the connections to them are ended, so that they come back or are removed";
        cx.alert(AlertLevel::Severe, text);
    }

    /// The next turn goes on with what this one began.
    fn is_busy(&self) -> bool {
        self.sweep.is_some() || self.is_behind() || self.is_scanning() || self.is_forgetting()
    }

    /// When `turn` has something to do although nothing happens.
    pub(crate) fn next_timeout(&self, cx: &TimeoutContext<'_>) -> Option<u64> {
        let mut due: Vec<Option<u64>> = vec![
            self.acks.next_expiry(|o, at| cx.members.expiry(o, at)),
            self.fetch.as_ref().map(|f| f.stalls_at),
            self.searches.next_timeout(),
            self.passing_timeout(),
            Some(self.retry_at),
            self.since.is_none().then_some(self.opened_at.saturating_add(cx.initial_wait)),
            self.waiting.map(|wait| wait.next_timeout(cx.ack_warning, cx.ack_severe)),
            self.is_busy().then_some(self.turned_at),
            self.next_report(),
        ];
        for link in self.links.values() {
            due.push(link.outgoing.as_ref().and_then(Outgoing::next_timeout));
            due.push(link.blocked_until);
            due.push(link.ack.next_timeout());
            due.extend(link.questions.iter().map(|q| Some(q.deadline)));
            due.push(link.asked_at.map(|at| at.saturating_add(START_WAIT)));
            let serving = link.serve.as_ref().filter(|s| s.waiting());
            due.push(serving.map(|s| s.deadline));
        }
        let busy = self.is_busy();
        let unseen = |at: &u64| *at > self.turned_at || busy;
        due.into_iter().flatten().filter(unseen).min()
    }
}

/// What `next_timeout` needs to know.
pub(crate) struct TimeoutContext<'a> {
    pub(crate) members: &'a Membership,
    pub(crate) initial_wait: u64,
    pub(crate) ack_warning: u64,
    pub(crate) ack_severe: u64,
}

/// The acknowledgement owed to a peer, if its stream has begun.
pub(crate) fn ack_of(link: &Link, number: u16) -> Option<Ack> {
    let incoming = link.incoming.as_ref()?;
    let received = incoming.position.max(link.backlog.received);
    let early = seeded(Defect::AckBeforeApply);
    Some(Ack {
        region: u32::from(number),
        epoch: incoming.of.epoch,
        received,
        applied: if early { received } else { incoming.position },
        provisional: !incoming.complete,
    })
}

fn send<S>(cx: &mut Context<'_, S>, conn: ConnId, body: Body) {
    cx.out.push_back(Action::SendControl { conn, payload: control::encode(body) });
}
