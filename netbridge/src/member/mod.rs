//! Who belongs to the cluster, and since when somebody does not.
//!
//! # Two inputs, one decision
//! *Link health*: is there a connection that is up? *Failure detector*: does anybody reach the
//! node? A node is **removed** only when there has been no link for `peer_timeout` and the detector
//! has agreed for a while. The detector alone never removes: when a partition heals, nodes that
//! never lost each other are declared down for a moment. The link alone removes only after the
//! longer `unreachable_timeout`: in a partial partition the detector keeps saying "alive", because
//! a third node reaches both sides, while acknowledged writers here wait for what cannot come.
//!
//! What removal means: the node leaves the acknowledgement sets ([`Membership::expiry`] is asked by
//! the regions), members of the node are told, and dialling goes on. Coming back is joining anew.
//! A node that says goodbye is out of the sets at once.
//!
//! # The roster
//! Nodes tell each other whom they know, with the address at which each listens. Who knows one
//! node therefore meets all: [`Membership::take_dials`]. Only numbers, identities and addresses
//! are believed, and only to dial: a peer counts for something after its own handshake.

mod detector;
mod event;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

pub(crate) use detector::Verdict;
pub use event::ClusterEvent;

use detector::Detector;

use crate::wire::control::RosterNode;

/// Nodes the roster holds at most: the others are met only if they dial.
const ROSTER: usize = 4_096;
/// A connected node that the detector holds for down is asked again after this long.
const DOUBT: u64 = 5_000;
/// The detector must have agreed for this long, so that a blink removes nobody.
const DAMPING: u64 = 1_000;

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Others know it; this node has never met it since its bridge started.
    Known,
    /// Connected, or unreachable for less than it takes to be removed.
    Joined,
    /// Gone without a goodbye.
    Removed,
    /// Said goodbye.
    Left,
}

/// A node other than this one.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) node_id: u128,
    pub(crate) boot: u64,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) standing: Standing,
    /// Since when there is no connection; `None` while there is one.
    pub(crate) lost_at: Option<u64>,
    /// Distributed regions it had when it was last connected.
    pub(crate) regions: BTreeSet<String>,
}

impl Node {
    fn new(node_id: u128, boot: u64, address: Option<SocketAddr>, lost_at: u64) -> Self {
        Self {
            node_id,
            boot,
            address,
            standing: Standing::Known,
            lost_at: Some(lost_at),
            regions: BTreeSet::new(),
        }
    }
}

/// Times in milliseconds that decide about removal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) peer_timeout: u64,
    pub(crate) unreachable_timeout: u64,
}

/// The cluster as this node sees it.
#[derive(Debug)]
pub(crate) struct Membership {
    myself: u16,
    limits: Limits,
    nodes: BTreeMap<u16, Node>,
    detector: Detector,
    /// This node's own address, as configured or as a peer sees it.
    address: Option<SocketAddr>,
    events: Vec<ClusterEvent>,
    /// Addresses to dial from now on; `None`: stop dialling the node.
    dials: Vec<(u16, Option<SocketAddr>)>,
    /// The roster has changed and was not told yet.
    stale: bool,
}

impl Membership {
    pub(crate) fn new(myself: u16, boot: u64, address: Option<SocketAddr>, limits: Limits) -> Self {
        Self {
            myself,
            limits,
            nodes: BTreeMap::new(),
            detector: Detector::new(myself, boot, limits.peer_timeout),
            address,
            events: Vec::new(),
            dials: Vec::new(),
            stale: false,
        }
    }

    /// The detector keeps the pace it began with.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The nodes by number.
    pub(crate) fn nodes(&self) -> &BTreeMap<u16, Node> {
        &self.nodes
    }

    /// What the detector holds of a node.
    pub(crate) fn verdict(&self, origin: u16) -> Verdict {
        self.detector.verdict(origin)
    }

    /// Messages of the detector that made no sense.
    pub(crate) fn bad_messages(&self) -> u64 {
        self.detector.bad
    }

    /// The address peers are told to dial.
    pub(crate) fn own_address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Regions remember this node from an earlier start: writers may be waiting for it.
    pub(crate) fn remembered(&mut self, now: u64, origin: u16) {
        let remembered = Node { standing: Standing::Joined, ..Node::new(0, 0, None, now) };
        self.nodes.entry(origin).or_insert(remembered);
    }

    /// A handshake is done. `address` is where the node says it listens.
    pub(crate) fn connected(
        &mut self,
        now: u64,
        origin: u16,
        node_id: u128,
        boot: u64,
        address: Option<SocketAddr>,
    ) {
        let node = self.nodes.entry(origin);
        let node = node.or_insert_with(|| Node::new(node_id, boot, None, now));
        let restarted = node.boot != boot;
        if node.standing != Standing::Joined || node.node_id != node_id {
            let node_id = format!("{node_id:032x}");
            self.events.push(ClusterEvent::NodeJoined { origin, node_id, boot });
        } else if node.lost_at.is_some() {
            self.events.push(ClusterEvent::NodeReachable { origin, restarted });
        }
        (node.node_id, node.boot) = (node_id, boot);
        node.standing = Standing::Joined;
        node.lost_at = None;
        if address.is_some() && node.address != address {
            node.address = address;
            self.dials.push((origin, address));
        }
        self.stale = true;
        self.detector.met(now, origin, boot);
    }

    /// The last connection to the node is gone.
    pub(crate) fn disconnected(&mut self, now: u64, origin: u16) {
        let Some(node) = self.nodes.get_mut(&origin) else {
            return;
        };
        if node.lost_at.is_none() {
            node.lost_at = Some(now);
            if node.standing == Standing::Joined {
                self.events.push(ClusterEvent::NodeUnreachable { origin });
            }
        }
    }

    /// The node said goodbye.
    pub(crate) fn left(&mut self, now: u64, origin: u16, reason: String) {
        let Some(node) = self.nodes.get_mut(&origin) else {
            return;
        };
        if node.standing != Standing::Left {
            node.standing = Standing::Left;
            self.events.push(ClusterEvent::NodeLeft { origin, reason });
            self.regions_departed(origin);
            self.dials.push((origin, None));
            self.detector.left(now, origin);
            self.stale = true;
        }
    }

    /// This node says goodbye.
    pub(crate) fn leave(&mut self, now: u64) {
        self.detector.leave(now);
    }

    /// A peer sees this node's bridge at that address; believed if none is configured.
    pub(crate) fn observed(&mut self, address: SocketAddr) {
        if self.address.is_none() {
            self.address = Some(address);
            self.stale = true;
        }
    }

    /// A region of that node is there.
    pub(crate) fn region_arrived(&mut self, origin: u16, region: &str) {
        let Some(node) = self.nodes.get_mut(&origin) else {
            return;
        };
        if node.regions.insert(region.to_owned()) {
            let region = region.to_owned();
            self.events.push(ClusterEvent::RegionArrived { origin, region });
        }
    }

    /// A region of that node is gone.
    pub(crate) fn region_departed(&mut self, origin: u16, region: &str) {
        let Some(node) = self.nodes.get_mut(&origin) else {
            return;
        };
        if node.regions.remove(region) {
            let region = region.to_owned();
            self.events.push(ClusterEvent::RegionDeparted { origin, region });
        }
    }

    /// The node is gone, and with it its regions.
    fn regions_departed(&mut self, origin: u16) {
        let regions = self.nodes.get_mut(&origin).map(|n| std::mem::take(&mut n.regions));
        for region in regions.unwrap_or_default() {
            self.events.push(ClusterEvent::RegionDeparted { origin, region });
        }
    }

    /// A message of the peers' detectors.
    pub(crate) fn swim(&mut self, now: u64, message: &[u8]) {
        self.detector.received(now, message);
    }

    /// What a peer knows of the others.
    pub(crate) fn learn(&mut self, roster: &[RosterNode]) {
        for told in roster {
            let Ok(origin) = u16::try_from(told.origin) else { continue };
            if origin == self.myself || origin == 0 {
                continue;
            }
            let node_id = <[u8; 16]>::try_from(told.node_id.as_slice()).map(u128::from_le_bytes);
            let (Ok(node_id), Ok(address)) = (node_id, told.address.parse()) else { continue };
            self.learn_node(origin, node_id, told.boot, address);
        }
    }

    fn learn_node(&mut self, origin: u16, node_id: u128, boot: u64, address: SocketAddr) {
        if let Some(node) = self.nodes.get_mut(&origin) {
            // What was learned in a handshake of the same or a later start is better.
            let newer = boot > node.boot;
            let moved = node.address != Some(address);
            let better = node.lost_at.is_some() && (newer || (boot == node.boot && moved));
            if better && (node.standing != Standing::Left || newer) {
                (node.boot, node.node_id, node.address) = (boot, node_id, Some(address));
                if node.standing == Standing::Left {
                    node.standing = Standing::Known;
                }
                self.dials.push((origin, Some(address)));
                self.stale = true;
            }
            return;
        }
        if self.nodes.len() < ROSTER {
            let address = Some(address);
            self.nodes.insert(origin, Node::new(node_id, boot, address, 0));
            self.dials.push((origin, address));
            self.stale = true;
        }
    }

    /// The roster for peers. Nodes that left are not in it.
    pub(crate) fn roster(&self) -> Vec<RosterNode> {
        let listed = |n: &Node| n.standing != Standing::Left && n.node_id != 0;
        let nodes = self.nodes.iter().filter(|(_, n)| listed(n));
        nodes
            .filter_map(|(origin, n)| {
                Some(RosterNode {
                    origin: u32::from(*origin),
                    node_id: n.node_id.to_le_bytes().to_vec(),
                    boot: n.boot,
                    address: n.address?.to_string(),
                })
            })
            .collect()
    }

    /// The identity of a living node under this number that is not `node_id`: two nodes must not
    /// have one number, even while only others see the first.
    pub(crate) fn taken(&self, origin: u16, node_id: u128) -> Option<u128> {
        let node = self.nodes.get(&origin)?;
        let lives = node.lost_at.is_none()
            || (node.standing == Standing::Joined
                && self.detector.verdict(origin) == Verdict::Alive);
        (lives && node.node_id != node_id && node.node_id != 0).then_some(node.node_id)
    }

    /// When a region that lost the node at `lost_at` stops to wait for it, if nothing changes.
    pub(crate) fn expiry(&self, origin: u16, lost_at: u64) -> u64 {
        let Limits { peer_timeout, unreachable_timeout } = self.limits;
        let soon = lost_at.saturating_add(peer_timeout);
        let Some(node) = self.nodes.get(&origin) else {
            return soon;
        };
        match (node.standing, node.lost_at) {
            // Connected, but the region is not: it may have been closed there.
            (_, None) => soon,
            (Standing::Left | Standing::Removed, _) => lost_at,
            (_, Some(_)) => match self.detector.verdict(origin) {
                Verdict::Unknown => soon,
                Verdict::Down(at) => soon.max(at.saturating_add(DAMPING.min(peer_timeout / 10))),
                Verdict::Alive => lost_at.saturating_add(unreachable_timeout.max(peer_timeout)),
            },
        }
    }

    /// Why nobody waits for the node any more, for people.
    pub(crate) fn describe(&self, origin: u16) -> String {
        let Limits { peer_timeout, unreachable_timeout } = self.limits;
        let Some(node) = self.nodes.get(&origin) else {
            return format!("has been away for {peer_timeout} ms");
        };
        match (node.standing, node.lost_at, self.detector.verdict(origin)) {
            (Standing::Left, ..) => "has left".into(),
            (_, None, _) => format!("has been without this region for {peer_timeout} ms"),
            (_, _, Verdict::Alive) => format!(
                "has been unreachable from here for {unreachable_timeout} ms although others reach \
                 it: repair the path between the two"
            ),
            _ => format!("has been away for {peer_timeout} ms"),
        }
    }

    /// Runs the detector and removes whose time is over.
    pub(crate) fn tick(&mut self, now: u64) {
        self.detector.tick(now);
        let due: Vec<(u16, u64)> =
            self.doubted().filter(|d| now >= d.2).map(|(origin, boot, _)| (origin, boot)).collect();
        for (origin, boot) in due {
            self.detector.doubt(now, origin, boot);
        }
        let gone: Vec<(u16, u64)> = self
            .waited_for()
            .filter(|(origin, lost_at)| now >= self.expiry(*origin, *lost_at))
            .collect();
        for (origin, lost_at) in gone {
            let partial = self.detector.verdict(origin) == Verdict::Alive;
            let unreachable_ms = now.saturating_sub(lost_at);
            self.events.push(ClusterEvent::NodeRemoved { origin, unreachable_ms, partial });
            if let Some(node) = self.nodes.get_mut(&origin) {
                node.standing = Standing::Removed;
            }
            self.regions_departed(origin);
        }
    }

    /// Connected nodes that the detector holds for down: number, start, and when to ask again.
    fn doubted(&self) -> impl Iterator<Item = (u16, u64, u64)> {
        let linked = self.nodes.iter().filter(|(_, n)| n.lost_at.is_none());
        linked.filter_map(|(origin, n)| match self.detector.verdict(*origin) {
            Verdict::Down(at) => Some((*origin, n.boot, at.saturating_add(DOUBT))),
            _ => None,
        })
    }

    /// Nodes without connection that are not removed yet, and since when.
    fn waited_for(&self) -> impl Iterator<Item = (u16, u64)> {
        let waited = |n: &Node| n.lost_at.filter(|_| n.standing == Standing::Joined);
        self.nodes.iter().filter_map(move |(origin, n)| Some((*origin, waited(n)?)))
    }

    /// When [`tick`](Self::tick) is due.
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        let removals = self.waited_for().map(|(origin, lost_at)| self.expiry(origin, lost_at));
        let doubts = self.doubted().map(|(_, _, at)| at);
        removals.chain(doubts).chain(self.detector.next_timeout()).min()
    }

    /// What happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<ClusterEvent> {
        std::mem::take(&mut self.events)
    }

    /// Messages of the detector: to which node, and the bytes.
    pub(crate) fn take_messages(&mut self) -> Vec<(u16, Vec<u8>)> {
        self.detector.take_messages()
    }

    /// Addresses to dial, or to dial no more.
    pub(crate) fn take_dials(&mut self) -> Vec<(u16, Option<SocketAddr>)> {
        std::mem::take(&mut self.dials)
    }

    /// True once after the roster has changed.
    pub(crate) fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.stale)
    }
}

#[cfg(test)]
mod tests;
