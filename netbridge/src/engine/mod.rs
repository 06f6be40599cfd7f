//! The core's entrance: owns sessions and regions and routes between them.
//!
//! Lawful driving: see [`crate::port`]. Time is an argument (milliseconds from any origin, never
//! going back). The engine does nothing by itself: call `handle(now, Input::Tick)` at the latest at
//! [`Engine::next_timeout`].

pub mod compat;
mod members;
mod peers;
mod route;
mod skew;
pub mod status;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

pub use crate::member::ClusterEvent;
pub use crate::port::{Action, AlertLevel, ConnId, Input, Lane, PeerIdentity, SearchOutcome};
pub use crate::replica::store::Store;
pub use crate::replica::{Counters, Timing};
pub use crate::session::LocalNode;

use crate::member::{Limits, Membership};
use crate::replica::Context;
use crate::replica::region::{Region, TimeoutContext, ack_of};
use crate::replica::store::{Policy, RegionId, RegionInfo, Scope};
use crate::session::{Session, close};
use crate::wire::control::{self, Body, Withdraw};
use crate::wire::frame::{self, FrameHeader, PROVISIONAL, WireAck, kind};
use zerocopy::IntoBytes;

/// What the engine must know.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Name of the cluster; peers of another are refused.
    pub cluster: String,
    /// Number of this node in its cluster, 1 or more.
    pub origin: u16,
    /// Identity of this node.
    pub node_id: u128,
    /// Grows with every start of the bridge, also when the machine was restarted between.
    pub boot: u64,
    /// Peers in the configuration: a new region waits for that many, at most `timing.initial_wait`,
    /// before it is declared complete without an image. 0: it is complete at once.
    pub expected_peers: usize,
    /// Times in milliseconds; `timing.peer_timeout` is the one users set.
    pub timing: Timing,
    /// Where peers can dial this node; `None`: it learns that from them.
    pub address: Option<SocketAddr>,
}

/// The protocol core of one node.
#[derive(Debug)]
pub struct Engine<S: Store> {
    local: LocalNode,
    expected_peers: usize,
    timing: Timing,
    store: S,
    generation: Option<u64>,
    members: Membership,
    sessions: BTreeMap<ConnId, Session>,
    regions: BTreeMap<u16, Region>,
    numbers: BTreeMap<RegionId, u16>,
    next_number: u16,
    /// Regions that are not distributed by this build, with the reason.
    unsupported: BTreeMap<String, String>,
    refusals: Vec<status::Rejected>,
    mismatches: BTreeMap<(String, u16), status::Mismatch>,
    out: VecDeque<Action>,
    /// Regions to look at once more before the driver waits.
    turned: BTreeSet<u16>,
    counters: Counters,
    now: u64,
    /// When the peers are told this node's clock again.
    clock_at: u64,
}

impl<S: Store> Engine<S> {
    /// An engine without connections. Everything about the regions is read from the store.
    pub fn new(config: EngineConfig, store: S) -> Self {
        let EngineConfig { cluster, origin, node_id, boot, expected_peers, timing, address } =
            config;
        let limits = Limits {
            peer_timeout: timing.peer_timeout,
            unreachable_timeout: timing.unreachable_timeout,
        };
        Self {
            local: LocalNode { cluster, origin, node_id, boot },
            expected_peers,
            timing,
            store,
            generation: None,
            members: Membership::new(origin, boot, address, limits),
            sessions: BTreeMap::new(),
            regions: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next_number: 0,
            unsupported: BTreeMap::new(),
            refusals: Vec::new(),
            mismatches: BTreeMap::new(),
            out: VecDeque::new(),
            turned: BTreeSet::new(),
            counters: Counters::default(),
            now: 0,
            clock_at: 0,
        }
    }

    /// Takes in what happened. Never fails: a peer that misbehaves loses its connection.
    pub fn handle(&mut self, now: u64, input: Input<'_>) {
        self.now = self.now.max(now);
        match input {
            Input::Connected { conn, dialed, peer, max_datagram, remote } => {
                let session = Session::new(conn, dialed, peer, max_datagram, remote, self.now);
                self.on_connected(session);
            }
            Input::Disconnected { conn, .. } => self.forget(conn),
            Input::Control { conn, payload } => self.on_control(conn, payload),
            Input::Data { conn, payload } => self.on_data(conn, payload),
            Input::Datagram { conn, payload } => self.on_datagram(conn, payload),
            Input::Sent { conn, lane } => self.on_sent(conn, lane),
            Input::Local => self.look_at_all(),
            Input::Leave => self.say_goodbye(),
            Input::Search { ask, region, key, presence } => self.search(ask, region, key, presence),
            Input::Forget { ask } => {
                self.regions.values_mut().for_each(|region| region.searches.forget(ask));
            }
            Input::Tick => {
                self.session_timers();
                self.tell_clock();
                self.members.tick(self.now);
                self.look_at_all();
            }
        }
    }

    /// The next thing to do; `None`: wait for input.
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.out.is_empty() {
            self.finish_turn();
            self.members_turn();
        }
        self.out.pop_front()
    }

    /// When `Input::Tick` is due at the latest; may lie in the past.
    pub fn next_timeout(&self) -> Option<u64> {
        let cx = TimeoutContext {
            members: &self.members,
            initial_wait: self.timing.initial_wait,
            ack_warning: self.timing.ack_warning,
            ack_severe: self.timing.ack_severe,
        };
        let regions = self.regions.values().filter_map(|r| r.next_timeout(&cx));
        let sessions = self.sessions.values().filter_map(Session::next_timeout);
        let sources = [self.next_clock(), self.members.next_timeout()];
        regions.chain(sessions).chain(sources.into_iter().flatten()).min()
    }

    /// True if something was acknowledged as received and waits to be applied: let the
    /// acknowledgement leave, then hand in `Input::Local` without waiting for anything else.
    pub fn is_behind(&self) -> bool {
        self.regions.values().any(Region::is_behind)
    }

    /// Changes the times after which nodes are removed, in milliseconds.
    pub fn set_timeouts(&mut self, peer_timeout: u64, unreachable_timeout: u64) {
        self.timing.peer_timeout = peer_timeout;
        self.timing.unreachable_timeout = unreachable_timeout;
        self.members.set_limits(Limits { peer_timeout, unreachable_timeout });
        self.look_at_all();
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store, to change it.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// True if a session with this node is up: dialling its address again is needless.
    pub fn is_connected(&self, origin: u16) -> bool {
        self.sessions.values().any(|s| s.is_up() && s.peer.origin == origin)
    }

    /// Runs `f` on a region with what it works with.
    fn with_region(&mut self, number: u16, f: impl FnOnce(&mut Region, &mut Context<'_, S>)) {
        let Some(region) = self.regions.get_mut(&number) else {
            return;
        };
        let mut cx = Context {
            now: self.now,
            store: &mut self.store,
            myself: self.local.origin,
            expected_peers: self.expected_peers,
            members: &self.members,
            timing: &self.timing,
            out: &mut self.out,
            counters: &mut self.counters,
        };
        f(region, &mut cx);
        self.turned.insert(number);
    }

    fn search(&mut self, ask: u64, region: u32, key: &[u8], presence: bool) {
        self.reread_regions();
        match self.numbers.get(&RegionId(region)).copied() {
            Some(number) => {
                self.with_region(number, |region, cx| region.search(cx, ask, key, presence));
            }
            None => {
                let outcome = SearchOutcome::None;
                self.out.push_back(Action::Answer { ask, outcome });
            }
        }
    }

    fn look_at_all(&mut self) {
        self.reread_regions();
        self.turned.extend(self.regions.keys());
    }

    /// Everything the inputs of this turn have made possible, once.
    fn finish_turn(&mut self) {
        if self.turned.is_empty() {
            return;
        }
        let turned = std::mem::take(&mut self.turned);
        for &number in &turned {
            self.with_region(number, |region, cx| region.turn(cx));
            if self.regions.get_mut(&number).is_some_and(|r| std::mem::take(&mut r.announce)) {
                self.send_profile(number);
            }
            let suspects = self.regions.get_mut(&number).map(|r| std::mem::take(&mut r.suspects));
            for conn in suspects.unwrap_or_default() {
                self.close(conn, close::SUSPECT, "no acknowledgement for too long".into());
            }
        }
        self.turned.clear();
        self.send_acks(&turned);
    }

    fn reread_regions(&mut self) {
        let generation = self.store.generation();
        if self.generation.replace(generation) == Some(generation) {
            return;
        }
        let listed = self.store.regions();
        let gone: Vec<u16> = self
            .numbers
            .iter()
            .filter(|(id, _)| !listed.iter().any(|info| info.id == **id))
            .map(|(_, number)| *number)
            .collect();
        for number in gone {
            self.close_region(number);
        }
        self.unsupported.retain(|name, _| listed.iter().any(|info| info.name == *name));
        for info in listed {
            if !self.numbers.contains_key(&info.id) {
                self.consider(info);
            }
        }
    }

    fn consider(&mut self, info: RegionInfo) {
        let reason = match (info.policy, info.scope) {
            (_, Scope::Local) => return,
            (Policy::PersistentReplicate, _) => {
                format!("data policy {}", crate::replica::store::policy_name(info.policy as u32))
            }
            (_, Scope::DistributedNoAck | Scope::DistributedAck) => {
                self.open_region(info);
                return;
            }
            (_, scope) => format!("scope {}", scope_text(scope)),
        };
        let text = format!(
            "region {}: {reason} is not built yet, the region is not distributed; use another data \
             policy, with scope distributed-no-ack or distributed-ack",
            info.name
        );
        if self.unsupported.insert(info.name, text.clone()).as_ref() != Some(&text) {
            self.alert(AlertLevel::Warning, text);
        }
    }

    fn open_region(&mut self, info: RegionInfo) {
        let number = self.next_number;
        let Some(next) = number.checked_add(1) else {
            self.alert(
                AlertLevel::Severe,
                "65,535 regions were opened; restart this bridge".into(),
            );
            return;
        };
        self.next_number = next;
        let (id, name) = (info.id, info.name.clone());
        let mut cx = Context {
            now: self.now,
            store: &mut self.store,
            myself: self.local.origin,
            expected_peers: self.expected_peers,
            members: &self.members,
            timing: &self.timing,
            out: &mut self.out,
            counters: &mut self.counters,
        };
        let region = Region::open(&mut cx, info, number);
        for origin in region.acks.members().keys() {
            self.members.remembered(self.now, *origin);
        }
        self.numbers.insert(id, number);
        self.regions.insert(number, region);
        self.turned.insert(number);
        self.send_profile(number);
        let conns: Vec<ConnId> = self.sessions.keys().copied().collect();
        for conn in conns {
            self.pair_by_name(conn, &name);
        }
    }

    fn close_region(&mut self, number: u16) {
        let Some(region) = self.regions.remove(&number) else {
            return;
        };
        self.numbers.remove(&region.info.id);
        for session in self.sessions.values_mut() {
            session.paired.retain(|_, ours| *ours != number);
        }
        self.mismatches.retain(|(name, _), _| *name != region.info.name);
        let withdraw = Withdraw { region: u32::from(number) };
        self.tell_all(&Body::Withdraw(withdraw));
    }

    fn send_profile(&mut self, number: u16) {
        let Some(region) = self.regions.get(&number) else {
            return;
        };
        let profile = region.profile();
        self.tell_all(&Body::Profile(profile));
    }

    fn tell_all(&mut self, body: &Body) {
        for session in self.sessions.values().filter(|s| s.is_up()) {
            let payload = control::encode(body.clone());
            self.out.push_back(Action::SendControl { conn: session.conn, payload });
        }
    }

    fn alert(&mut self, level: AlertLevel, text: String) {
        self.out.push_back(Action::Alert { level, text });
    }

    /// Acknowledgements of all regions to a peer share datagrams.
    fn send_acks(&mut self, turned: &BTreeSet<u16>) {
        let mut owed: BTreeMap<ConnId, Vec<WireAck>> = BTreeMap::new();
        for number in turned {
            let Some(region) = self.regions.get_mut(number) else {
                continue;
            };
            for link in region.links.values_mut().filter(|l| l.ack.dirty) {
                link.ack.dirty = false;
                let Some(ack) = ack_of(link, *number) else {
                    continue;
                };
                owed.entry(link.conn).or_default().push(WireAck {
                    region: (*number).into(),
                    flags: if ack.provisional { PROVISIONAL } else { 0 }.into(),
                    reserved: 0.into(),
                    epoch: ack.epoch.into(),
                    received: ack.received.into(),
                    applied: ack.applied.into(),
                });
            }
        }
        for (conn, acks) in owed {
            let max = self.sessions.get(&conn).map_or(0, |s| s.max_datagram);
            let room = max.saturating_sub(size_of::<FrameHeader>()) / size_of::<WireAck>();
            if room == 0 {
                self.acks_by_control(conn, &acks);
                continue;
            }
            for some in acks.chunks(room) {
                let mut payload = Vec::new();
                let count = u32::try_from(some.len()).unwrap_or(u32::MAX);
                frame::push_parts(&mut payload, kind::ACK, 0, count, 0, &[some.as_bytes()]);
                self.counters.acks_sent += 1;
                self.out.push_back(Action::SendDatagram { conn, payload });
            }
        }
    }

    fn acks_by_control(&mut self, conn: ConnId, acks: &[WireAck]) {
        for ack in acks {
            let payload = control::encode(Body::Ack(control::Ack {
                region: u32::from(ack.region.get()),
                epoch: ack.epoch.get(),
                received: ack.received.get(),
                applied: ack.applied.get(),
                provisional: ack.flags.get() & PROVISIONAL != 0,
            }));
            self.out.push_back(Action::SendControl { conn, payload });
        }
    }
}

fn scope_text(scope: Scope) -> &'static str {
    crate::replica::store::scope_name(scope as u32)
}
