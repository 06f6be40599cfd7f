//! A picture of the engine for people and programs; plain data.

use serde::Serialize;

use super::Engine;
use super::compat::{Difference, Refused};
use crate::member::{Node, Standing, Verdict};
use crate::replica::Counters;
use crate::replica::region::Region;
use crate::replica::store::{Store, policy_name, scope_name};
use crate::session::Phase;

/// Everything worth showing.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Name of the cluster.
    pub cluster: String,
    /// Number of this node.
    pub origin: u16,
    /// Identity of this node, 32 hexadecimal digits.
    pub node_id: String,
    /// Start number of this bridge.
    pub boot: u64,
    /// The other nodes of the cluster, connected or not.
    pub nodes: Vec<NodeStatus>,
    /// Connections.
    pub peers: Vec<Peer>,
    /// Distributed regions.
    pub regions: Vec<RegionStatus>,
    /// Regions that are not distributed, and why.
    pub unsupported: Vec<String>,
    /// Regions that differ between this node and a peer.
    pub mismatches: Vec<Mismatch>,
    /// Handshakes that failed and have not succeeded since.
    pub refusals: Vec<Rejected>,
    /// Messages of the peers' failure detectors that made no sense.
    pub detector_errors: u64,
    /// Totals.
    pub counters: Counters,
}

/// A connection.
#[derive(Debug, Clone, Serialize)]
pub struct Peer {
    /// Connection number.
    pub conn: u64,
    /// Number of the node.
    pub origin: u16,
    /// Identity, 32 hexadecimal digits; zeros before its hello.
    pub node_id: String,
    /// `greeting`, `up` or `refused`.
    pub state: &'static str,
    /// True when this node dialled.
    pub dialed: bool,
    /// Protocol version in use, 0 before the handshake is done.
    pub protocol: u32,
    /// Milliseconds since the connection began.
    pub age_ms: u64,
}

/// Another node of the cluster.
#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    /// Number of the node.
    pub origin: u16,
    /// Identity, 32 hexadecimal digits; zeros if it is not known.
    pub node_id: String,
    /// Start of its bridge, 0 if it is not known.
    pub boot: u64,
    /// Where it can be dialled.
    pub address: Option<String>,
    /// `up`, `unreachable` (writers still wait for it), `removed`, `left`, or `known` (others told
    /// of it).
    pub state: &'static str,
    /// What the failure detector holds: `alive`, `down` or `unknown`.
    pub detector: &'static str,
    /// Milliseconds without connection, if it has none.
    pub lost_ms: Option<u64>,
    /// Milliseconds until it is removed, if it is unreachable and nothing changes.
    pub removal_in_ms: Option<u64>,
    /// Distributed regions it has.
    pub regions: Vec<String>,
}

/// A distributed region.
#[derive(Debug, Clone, Serialize)]
pub struct RegionStatus {
    /// Name.
    pub name: String,
    /// Data policy.
    pub policy: &'static str,
    /// Scope.
    pub scope: &'static str,
    /// `ready`, `initialising`, `degraded`, or `refused` (see the mismatches).
    pub state: &'static str,
    /// Next ring position.
    pub tail: u64,
    /// Everything before it was sent to every member.
    pub sent: u64,
    /// Everything before it has arrived at every member.
    pub received: u64,
    /// Everything before it is visible on every member.
    pub applied: u64,
    /// The acknowledgement set.
    pub members: Vec<MemberStatus>,
    /// Members that have not acknowledged everything.
    pub waiting_for: Vec<u16>,
    /// Writers have to be told when a change has arrived, not when it is applied.
    pub early_ack: bool,
    /// The oldest change that is not acknowledged.
    pub wait: Option<WaitStatus>,
    /// Live streams of peers.
    pub streams: Vec<StreamStatus>,
    /// Searches of processes of this node that run.
    pub searches: usize,
    /// The image being taken.
    pub taking: Option<ImageStatus>,
    /// Images being served.
    pub serving: Vec<ImageStatus>,
}

/// A member of an acknowledgement set.
#[derive(Debug, Clone, Serialize)]
pub struct MemberStatus {
    /// Number of the node.
    pub origin: u16,
    /// Everything before it is visible there.
    pub applied: u64,
    /// Positions not yet visible there.
    pub lag: u64,
    /// Positions before it do not need this member.
    pub counts_from: u64,
    /// Waits for an image before it acknowledges.
    pub holding: bool,
    /// Milliseconds without connection, if it has none.
    pub lost_ms: Option<u64>,
}

/// A wait for acknowledgements.
#[derive(Debug, Clone, Serialize)]
pub struct WaitStatus {
    /// The watermark that does not move.
    pub position: u64,
    /// Milliseconds since it last moved.
    pub age_ms: u64,
    /// How often it was reported, each time after twice as long; the first is in the log too.
    pub reports: u32,
    /// Whether the severe alert was given.
    pub severe: bool,
}

/// A peer's live stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamStatus {
    /// Number of the node.
    pub origin: u16,
    /// Applied up to here.
    pub position: u64,
    /// Nothing is missing before it.
    pub complete: bool,
}

/// An image under way.
#[derive(Debug, Clone, Serialize)]
pub struct ImageStatus {
    /// Number of the other node.
    pub origin: u16,
    /// Records so far.
    pub records: u64,
    /// Bytes so far; 0 where not counted.
    pub bytes: u64,
}

/// A region that two nodes have with different attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Name.
    pub region: String,
    /// The other node.
    pub origin: u16,
    /// Attributes here.
    pub ours: String,
    /// Attributes there.
    pub theirs: String,
    /// What keeps the two apart.
    pub differences: Vec<Difference>,
    /// Which of the two is refused.
    pub refused: Refused,
}

/// A handshake that failed.
#[derive(Debug, Clone, Serialize)]
pub struct Rejected {
    /// Number of the peer, from its certificate.
    pub origin: u16,
    /// Reason number, see [`crate::session::Refusal::code`].
    pub code: u32,
    /// Names both sides and a remedy.
    pub text: String,
    /// True if this node refused, false if the peer did.
    pub by_this_node: bool,
    /// When, on the engine's clock.
    pub at_ms: u64,
}

impl<S: Store> Engine<S> {
    /// The present state.
    pub fn status(&self) -> Status {
        let peer = |s: &crate::session::Session| Peer {
            conn: s.conn.0,
            origin: s.peer.origin,
            node_id: format!("{:032x}", s.node_id),
            state: match s.phase {
                Phase::Greeting { .. } => "greeting",
                Phase::Up => "up",
                Phase::Refused { .. } => "refused",
            },
            dialed: s.dialed,
            protocol: s.protocol,
            age_ms: self.now.saturating_sub(s.since),
        };
        Status {
            cluster: self.local.cluster.clone(),
            origin: self.local.origin,
            node_id: format!("{:032x}", self.local.node_id),
            boot: self.local.boot,
            nodes: self.node_statuses(),
            peers: self.sessions.values().map(peer).collect(),
            regions: self.regions.values().map(|r| self.region_status(r)).collect(),
            unsupported: self.unsupported.values().cloned().collect(),
            mismatches: self.mismatches.values().cloned().collect(),
            refusals: self.refusals.clone(),
            detector_errors: self.members.bad_messages(),
            counters: self.counters,
        }
    }

    fn node_statuses(&self) -> Vec<NodeStatus> {
        let members = &self.members;
        let status = |(origin, node): (&u16, &Node)| {
            let lost_ms = node.lost_at.map(|at| self.now.saturating_sub(at));
            let waited = node.lost_at.filter(|_| node.standing == Standing::Joined);
            NodeStatus {
                origin: *origin,
                node_id: format!("{:032x}", node.node_id),
                boot: node.boot,
                address: node.address.map(|a| a.to_string()),
                state: match (node.standing, node.lost_at) {
                    (Standing::Joined, None) => "up",
                    (Standing::Joined, Some(_)) => "unreachable",
                    (Standing::Known, _) => "known",
                    (Standing::Removed, _) => "removed",
                    (Standing::Left, _) => "left",
                },
                detector: match members.verdict(*origin) {
                    Verdict::Alive => "alive",
                    Verdict::Down(_) => "down",
                    Verdict::Unknown => "unknown",
                },
                lost_ms: lost_ms.filter(|_| node.standing != Standing::Known),
                removal_in_ms: waited
                    .map(|at| members.expiry(*origin, at).saturating_sub(self.now)),
                regions: node.regions.iter().cloned().collect(),
            }
        };
        members.nodes().iter().map(status).collect()
    }

    fn region_status(&self, region: &Region) -> RegionStatus {
        let tail = self.store.tail(region.info.id);
        let (sent, received, applied) = region.acks.published();
        let member = |(origin, m): (&u16, &crate::replica::acks::Member)| MemberStatus {
            origin: *origin,
            applied: m.applied,
            lag: tail.saturating_sub(m.applied),
            counts_from: m.counts_from,
            holding: m.hold.is_some(),
            lost_ms: m.lost_at.map(|at| self.now.saturating_sub(at)),
        };
        let stream = |l: &crate::replica::link::Link| {
            l.incoming.map(|i| StreamStatus {
                origin: l.origin,
                position: i.position,
                complete: i.complete,
            })
        };
        let serving = |l: &crate::replica::link::Link| {
            let job = l.serve.as_ref()?;
            Some(ImageStatus { origin: l.origin, records: job.records, bytes: 0 })
        };
        let taking = region.fetch.as_ref();
        RegionStatus {
            name: region.info.name.clone(),
            policy: policy_name(region.info.policy as u32),
            scope: scope_name(region.info.scope as u32),
            state: match (region.degraded, region.since) {
                _ if !region.refused_by.is_empty() => "refused",
                (true, _) => "degraded",
                (false, Some(_)) => "ready",
                (false, None) => "initialising",
            },
            tail,
            sent,
            received,
            applied,
            members: region.acks.members().iter().map(member).collect(),
            waiting_for: region.acks.waiting_for(tail, region.info.early_ack),
            early_ack: region.info.early_ack,
            wait: region.waiting.map(|wait| WaitStatus {
                position: wait.position,
                age_ms: self.now.saturating_sub(wait.since),
                reports: wait.reports,
                severe: wait.severe,
            }),
            streams: region.links.values().filter_map(stream).collect(),
            searches: region.searches.len(),
            taking: taking.map(|f| ImageStatus {
                origin: f.source,
                records: f.records,
                bytes: f.bytes,
            }),
            serving: region.links.values().filter_map(serving).collect(),
        }
    }
}
