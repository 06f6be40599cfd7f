//! Nodes, connections, events and virtual time.

use std::cell::{RefCell, RefMut};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

use super::Random;
use super::model::{Handle, ModelRegion, ModelStore};
use super::oracle::Oracle;
use crate::engine::{
    Action, AlertLevel, ClusterEvent, ConnId, Engine, EngineConfig, Input, Lane, PeerIdentity,
    Timing,
};
use crate::replica::store::Scope;

/// What a world is made of.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) regions: Vec<(&'static str, Scope)>,
    pub(super) ring_len: usize,
    pub(super) batch: usize,
    pub(super) latency: (u64, u64),
    /// Percent of datagrams that are lost.
    pub(super) loss: u64,
    /// Actions in a thousand before which the bridge is killed.
    pub(super) crash_per_mille: u64,
    pub(super) timing: Timing,
    /// Superseded records at multiples of this position are gone from the ring; 0: none.
    pub(super) recycle: u64,
}

impl Default for Plan {
    fn default() -> Self {
        let timing = Timing { peer_timeout: 2_000, initial_wait: 1_000, ..Timing::default() };
        Self {
            nodes: 2,
            regions: vec![("r", Scope::DistributedAck)],
            ring_len: 64,
            batch: 5,
            latency: (1, 3),
            loss: 0,
            crash_per_mille: 0,
            timing,
            recycle: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) store: Rc<RefCell<ModelStore>>,
    pub(super) engine: Option<Engine<Handle>>,
    boot: u64,
    /// Machine number: changes when node and store are lost.
    node_id: u128,
    pub(super) resets: u32,
    /// Milliseconds by which the node's clock is ahead of virtual time.
    pub(super) clock_offset: u64,
    tick_at: Option<u64>,
    pub(super) ticks: u64,
    pub(super) alerts: Vec<(AlertLevel, String)>,
    pub(super) events: Vec<ClusterEvent>,
    /// (region, position) the writer of this node waits for.
    pub(super) waits: Option<(usize, u64)>,
    pub(super) dials: bool,
}

#[derive(Debug)]
struct Conn {
    ends: [usize; 2],
    alive: bool,
    /// Last delivery time per direction and stream: streams keep their order.
    last: BTreeMap<(usize, Stream), u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    Control,
    Lane(Lane),
    Datagram(u64),
}

#[derive(Debug)]
enum Event {
    Deliver { to: usize, conn: u64, stream: Stream, payload: Vec<u8> },
    Sent { node: usize, conn: u64, lane: Lane },
    Lost { node: usize, conn: u64, boot: u64 },
    Tick { node: usize },
    Bell { node: usize },
    Announce { node: usize, resets: u32, region: usize, index: usize },
    Dial { node: usize },
    Restart { node: usize },
}

/// Events sort by time, then by the order in which they were made.
struct Queued(u64, u64, Event);
impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) now: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) oracle: Oracle,
    conns: BTreeMap<u64, Conn>,
    next_conn: u64,
    events: BinaryHeap<Reverse<Queued>>,
    made: u64,
    /// Links that are cut.
    cuts: Vec<(usize, usize)>,
    /// Extra latency from one node to another.
    pub(super) slow: BTreeMap<(usize, usize), u64>,
    /// No crash by chance any more.
    pub(super) calm: bool,
}

impl World {
    /// Nodes exist with their stores; no bridge runs.
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        let mut world = Self {
            random: Random(seed),
            now: 1_000,
            nodes: Vec::new(),
            oracle: Oracle::default(),
            conns: BTreeMap::new(),
            next_conn: 0,
            events: BinaryHeap::new(),
            made: 0,
            cuts: Vec::new(),
            slow: BTreeMap::new(),
            calm: false,
            plan,
        };
        for n in 0..world.plan.nodes {
            let store = world.fresh_store(n);
            let clock_offset = world.random.range(0, 200);
            world.nodes.push(Node {
                store,
                engine: None,
                boot: 0,
                node_id: 0x1000 + n as u128,
                resets: 0,
                clock_offset,
                tick_at: None,
                ticks: 0,
                alerts: Vec::new(),
                events: Vec::new(),
                waits: None,
                dials: true,
            });
        }
        world
    }

    fn fresh_store(&mut self, n: usize) -> Rc<RefCell<ModelStore>> {
        let mut store = ModelStore::new(Self::origin(n), self.plan.batch);
        store.recycle = self.plan.recycle;
        for (name, scope) in self.plan.regions.clone() {
            let epoch = self.random.next() | 1;
            store.create(name, scope, epoch, self.plan.ring_len);
            store.edit(name, |info| info.early_ack = name == "early");
        }
        Rc::new(RefCell::new(store))
    }

    pub(super) fn origin(node: usize) -> u16 {
        node as u16 + 1
    }

    /// Starts every bridge.
    pub(super) fn start_all(&mut self) {
        for n in 0..self.nodes.len() {
            self.start(n);
        }
    }

    pub(super) fn start(&mut self, n: usize) {
        if self.nodes[n].engine.is_some() {
            return;
        }
        let peers = self.nodes.len() - 1;
        let node = &mut self.nodes[n];
        node.boot += 1;
        let config = EngineConfig {
            cluster: "sim".into(),
            origin: Self::origin(n),
            node_id: node.node_id,
            boot: node.boot,
            expected_peers: peers,
            timing: self.plan.timing,
            address: None,
        };
        node.engine = Some(Engine::new(config, Handle(node.store.clone())));
        node.tick_at = None;
        self.input(n, Input::Local);
        self.push(0, Event::Dial { node: n });
    }

    /// SIGKILL of the bridge; the store and the writers live on.
    pub(super) fn crash(&mut self, n: usize) {
        self.nodes[n].engine = None;
        let conns: Vec<u64> = self.conns_of(n);
        for conn in conns {
            self.break_conn(conn);
        }
    }

    /// The machine is lost: a new one with the same number and an empty store takes its place.
    pub(super) fn reset(&mut self, n: usize) {
        self.crash(n);
        self.nodes[n].store = self.fresh_store(n);
        self.nodes[n].resets += 1;
        self.nodes[n].waits = None;
        self.oracle.reset(n);
    }

    fn conns_of(&self, n: usize) -> Vec<u64> {
        let of = |c: &Conn| c.alive && c.ends.contains(&n);
        self.conns.iter().filter(|(_, c)| of(c)).map(|(id, _)| *id).collect()
    }

    /// Both ends learn of it, each in its own time.
    fn break_conn(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id).filter(|c| c.alive) else {
            return;
        };
        conn.alive = false;
        for node in conn.ends {
            let delay = self.random.range(0, 800);
            let boot = self.nodes[node].boot;
            self.push(delay, Event::Lost { node, conn: id, boot });
        }
    }

    pub(super) fn cut(&mut self, a: usize, b: usize) {
        if !self.is_cut(a, b) {
            self.cuts.push((a, b));
        }
        for id in self.conns_of(a) {
            if self.conns[&id].ends.contains(&b) {
                self.break_conn(id);
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cuts.iter().any(|c| *c == (a, b) || *c == (b, a))
    }

    pub(super) fn push_restart(&mut self, node: usize, delay: u64) {
        self.push(delay, Event::Restart { node });
    }

    fn push(&mut self, delay: u64, event: Event) {
        self.made += 1;
        assert!(self.made < 5_000_000, "livelock: too many events");
        self.events.push(Reverse(Queued(self.now + delay, self.made, event)));
    }

    pub(super) fn region(&self, n: usize, region: usize) -> RefMut<'_, ModelRegion> {
        RefMut::map(self.nodes[n].store.borrow_mut(), |s| &mut s.regions[region])
    }

    /// Tombstones in all regions of a node.
    pub(super) fn tombstones(&self, n: usize) -> usize {
        let store = self.nodes[n].store.borrow();
        let all = store.regions.iter().flat_map(|r| r.table.values());
        all.filter(|e| e.kind == crate::wire::record::Kind::Tombstone).count()
    }

    /// A write: table now, ring a moment later, then the bell.
    pub(super) fn write(&mut self, n: usize, region: usize, key: u32, value: Option<Vec<u8>>) {
        self.set_clock(n);
        let index = self.nodes[n].store.borrow_mut().begin(region, key, value);
        let delay = if self.random.chance(80) { 0 } else { self.random.range(1, 20) };
        let resets = self.nodes[n].resets;
        self.push(delay, Event::Announce { node: n, resets, region, index });
    }

    /// A write that is in the ring at once; its position.
    pub(super) fn write_now(
        &mut self,
        n: usize,
        region: usize,
        key: u32,
        value: Option<Vec<u8>>,
    ) -> u64 {
        self.set_clock(n);
        let index = self.nodes[n].store.borrow_mut().begin(region, key, value);
        let position = self.nodes[n].store.borrow_mut().announce(region, index);
        self.push(0, Event::Bell { node: n });
        position
    }

    fn set_clock(&mut self, n: usize) {
        let node = &self.nodes[n];
        node.store.borrow_mut().clock = (self.now + node.clock_offset) << 8;
    }

    pub(super) fn run(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.events.peek().is_some_and(|e| e.0.0 <= until) {
            self.step();
        }
        self.now = until;
    }

    /// Runs until the condition holds; false if it does not within `ms`.
    pub(super) fn run_until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let until = self.now + ms;
        while !done(self) {
            if self.events.peek().is_none_or(|e| e.0.0 > until) {
                return false;
            }
            self.step();
        }
        true
    }

    fn step(&mut self) {
        let Some(Reverse(Queued(at, _, event))) = self.events.pop() else {
            return;
        };
        self.now = self.now.max(at);
        match event {
            Event::Deliver { to, conn, stream, payload } => {
                if !self.conns.get(&conn).is_some_and(|c| c.alive) {
                    return;
                }
                let (conn, payload) = (ConnId(conn), payload.as_slice());
                self.input(
                    to,
                    match stream {
                        Stream::Control => Input::Control { conn, payload },
                        Stream::Lane(_) => Input::Data { conn, payload },
                        Stream::Datagram(_) => Input::Datagram { conn, payload },
                    },
                );
            }
            Event::Sent { node, conn, lane } => {
                if self.conns.get(&conn).is_some_and(|c| c.alive) {
                    self.input(node, Input::Sent { conn: ConnId(conn), lane });
                }
            }
            Event::Lost { node, conn, boot } => {
                if self.nodes[node].boot == boot {
                    let reason = "lost".to_owned();
                    self.input(node, Input::Disconnected { conn: ConnId(conn), reason });
                }
            }
            Event::Tick { node } => {
                let due = self.nodes[node].tick_at == Some(at);
                if due {
                    self.nodes[node].tick_at = None;
                    self.nodes[node].ticks += 1;
                    self.input(node, Input::Tick);
                }
            }
            Event::Bell { node } => self.input(node, Input::Local),
            Event::Announce { node, resets, region, index } => {
                if self.nodes[node].resets == resets {
                    self.announce(node, region, index);
                }
            }
            Event::Dial { node } => self.dial(node),
            Event::Restart { node } => self.start(node),
        }
    }

    fn announce(&mut self, n: usize, region: usize, index: usize) {
        let position = self.nodes[n].store.borrow_mut().announce(region, index);
        if self.plan.regions[region].1 == Scope::DistributedAck {
            self.nodes[n].waits = Some((region, position));
        }
        let delay = self.random.range(0, 2);
        self.push(delay, Event::Bell { node: n });
    }

    fn dial(&mut self, n: usize) {
        let Some(engine) = self.nodes[n].engine.as_ref() else {
            return;
        };
        let wanted: Vec<usize> = (0..self.nodes.len())
            .filter(|m| *m != n && self.nodes[n].dials && !engine.is_connected(Self::origin(*m)))
            .filter(|m| self.nodes[*m].engine.is_some() && !self.is_cut(n, *m))
            .collect();
        for m in wanted {
            self.connect(n, m);
        }
        let delay = self.random.range(100, 300);
        self.push(delay, Event::Dial { node: n });
    }

    fn connect(&mut self, dialer: usize, acceptor: usize) {
        let id = self.next_conn;
        self.next_conn += 1;
        let ends = [dialer, acceptor];
        self.conns.insert(id, Conn { ends, alive: true, last: BTreeMap::new() });
        for (n, other) in [(dialer, acceptor), (acceptor, dialer)] {
            let peer = PeerIdentity { cluster: "sim".into(), origin: Self::origin(other) };
            let (conn, dialed) = (ConnId(id), n == dialer);
            let remote = None;
            self.input(n, Input::Connected { conn, dialed, peer, max_datagram: 1_160, remote });
        }
    }

    /// Hands an input to an engine and does what it asks for, or kills it in the middle.
    pub(super) fn input(&mut self, n: usize, input: Input<'_>) {
        self.set_clock(n);
        let now = self.now;
        let Some(engine) = self.nodes[n].engine.as_mut() else {
            return;
        };
        engine.handle(now, input);
        loop {
            let Some(engine) = self.nodes[n].engine.as_mut() else {
                return;
            };
            let Some(action) = engine.poll_action() else {
                break;
            };
            if !self.calm && self.random.next() % 1000 < self.plan.crash_per_mille {
                self.check_marks(n);
                self.crash(n);
                let delay = self.random.range(1, 3_000);
                self.push_restart(n, delay);
                return;
            }
            self.act(n, action);
        }
        self.check_marks(n);
        let next = self.nodes[n].engine.as_ref().and_then(Engine::next_timeout);
        let node = &mut self.nodes[n];
        let next = next.map(|at| at.max(now + 1));
        if let Some(at) = next.filter(|at| node.tick_at.is_none_or(|set| *at < set)) {
            node.tick_at = Some(at);
            self.push(at - now, Event::Tick { node: n });
        }
    }

    fn check_marks(&mut self, n: usize) {
        let Some(engine) = self.nodes[n].engine.as_ref() else {
            return;
        };
        let status = engine.status();
        self.oracle.check_watermarks(n, &status, &self.nodes);
    }

    fn act(&mut self, n: usize, action: Action) {
        match action {
            Action::SendControl { conn, payload } => {
                self.transmit(n, conn, Stream::Control, payload);
            }
            Action::SendData { conn, lane, payload } => {
                self.transmit(n, conn, Stream::Lane(lane), payload);
                let delay = if self.random.chance(90) { 1 } else { self.random.range(2, 60) };
                self.push(delay, Event::Sent { node: n, conn: conn.0, lane });
            }
            Action::SendDatagram { conn, payload } => {
                assert!(payload.len() <= 1_160);
                let copies = if self.random.chance(5) { 2 } else { 1 };
                for _ in 0..copies {
                    if !self.random.chance(self.plan.loss) {
                        let unordered = Stream::Datagram(self.made);
                        self.transmit(n, conn, unordered, payload.clone());
                    }
                }
            }
            Action::Close { conn, .. } => self.break_conn(conn.0),
            // Nobody searches here.
            Action::Answer { .. } => {}
            Action::Alert { level, text } => self.nodes[n].alerts.push((level, text)),
            Action::Event(event) => self.nodes[n].events.push(event),
            // The simulated nodes dial each other by themselves.
            Action::Dial { .. } | Action::Hang { .. } => {}
        }
    }

    fn transmit(&mut self, from: usize, conn: ConnId, stream: Stream, payload: Vec<u8>) {
        let (low, high) = self.plan.latency;
        let jitter = self.random.range(low, high);
        let Some(c) = self.conns.get_mut(&conn.0).filter(|c| c.alive) else {
            return;
        };
        let to = if c.ends[0] == from { c.ends[1] } else { c.ends[0] };
        let extra = self.slow.get(&(from, to)).copied().unwrap_or(0);
        let at = (self.now + jitter + extra).max(c.last.get(&(from, stream)).copied().unwrap_or(0));
        if !matches!(stream, Stream::Datagram(_)) {
            c.last.insert((from, stream), at);
        }
        let delay = at - self.now;
        self.push(delay, Event::Deliver { to, conn: conn.0, stream, payload });
    }
}
