//! The handshake of one connection.
//!
//! Both sides send Hello at once; each checks the other's and answers HelloAck or Reject. The
//! session is *up* when this side has accepted the peer's Hello **and** got the peer's HelloAck.
//! Before that nothing else is sent and the peer counts for nothing: a TLS client without a valid
//! certificate, for one, believes it is connected until its first read.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use crate::port::{ConnId, PeerIdentity};
use crate::wire::control::{Hello, HelloAck, Profile};
use crate::wire::{FEATURES, PROTOCOL};

/// Connection close codes.
pub mod close {
    /// The Hello was refused; the Reject message says why.
    pub const REFUSED: u32 = 1;
    /// The peer sent something that cannot be understood.
    pub const PROTOCOL_ERROR: u32 = 2;
    /// Another connection to the same node is used instead.
    pub const DUPLICATE: u32 = 3;
    /// The handshake took too long.
    pub const HELLO_TIMEOUT: u32 = 4;
    /// The peer does not acknowledge; if it is alive it connects again.
    pub const SUSPECT: u32 = 60;
    /// The peer's clock ran away.
    pub const CLOCK: u32 = 61;
    /// The peer said goodbye.
    pub const GOODBYE: u32 = 80;
}

/// Milliseconds a handshake may take.
pub const HELLO_TIMEOUT: u64 = 5_000;
/// Milliseconds between a Reject and the end of the connection, so that it arrives.
pub const REJECT_LINGER: u64 = 300;

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalNode {
    /// Name of the cluster.
    pub cluster: String,
    /// Number of the node in its cluster, 1 or more.
    pub origin: u16,
    /// Identity of the node.
    pub node_id: u128,
    /// Grows with every start of the bridge.
    pub boot: u64,
}

impl LocalNode {
    /// The Hello to send; `address` is where this node can be dialled.
    pub fn hello(&self, address: Option<SocketAddr>) -> Hello {
        Hello {
            protocol_min: PROTOCOL,
            protocol_max: PROTOCOL,
            cluster: self.cluster.clone(),
            node_id: self.node_id.to_le_bytes().to_vec(),
            origin: u32::from(self.origin),
            boot: self.boot,
            features: FEATURES,
            clock_ms: 0,
            address: address.map(|a| a.to_string()).unwrap_or_default(),
        }
    }
}

/// Why a Hello was refused. The text names both sides and a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No common protocol version.
    Protocol {
        /// Versions this side speaks.
        ours: (u32, u32),
        /// Versions the peer speaks.
        theirs: (u32, u32),
    },
    /// Another cluster.
    Cluster {
        /// This side's cluster.
        ours: String,
        /// The peer's cluster.
        theirs: String,
    },
    /// The peer has this node's own number.
    OwnOrigin {
        /// The number.
        origin: u16,
        /// Whether the peer is this very node.
        myself: bool,
    },
    /// Another connected node has the peer's number.
    DuplicateOrigin {
        /// The number.
        origin: u16,
        /// The node that is connected.
        connected: u128,
        /// The node that was refused.
        refused: u128,
    },
    /// Hello and certificate disagree, or a field is out of range.
    Identity {
        /// What the certificate says.
        certificate: String,
        /// What the Hello says.
        hello: String,
    },
    /// The peer's clock is too far ahead.
    Clock {
        /// By so much.
        ahead_ms: u64,
        /// More than this is refused.
        bound_ms: u64,
    },
}

impl Refusal {
    /// Stable number, as in Reject messages.
    pub fn code(&self) -> u32 {
        match self {
            Self::Protocol { .. } => 1,
            Self::Cluster { .. } => 2,
            Self::OwnOrigin { .. } => 3,
            Self::DuplicateOrigin { .. } => 4,
            Self::Identity { .. } => 5,
            Self::Clock { .. } => 60,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol { ours, theirs } => write!(
                f,
                "no common protocol version: this side speaks {} to {}, the peer {} to {}; \
                 upgrade the older of the two",
                ours.0, ours.1, theirs.0, theirs.1
            ),
            Self::Cluster { ours, theirs } => write!(
                f,
                "other cluster: this side is in `{ours}`, the peer in `{theirs}`; correct the peer \
                 address or issue a certificate of the same cluster"
            ),
            Self::OwnOrigin { origin, myself: true } => write!(
                f,
                "both ends of the connection are node {origin}; remove this node's own address \
                 from its peers"
            ),
            Self::OwnOrigin { origin, myself: false } => write!(
                f,
                "both sides are node {origin}; issue a certificate with another number for one"
            ),
            Self::DuplicateOrigin { origin, connected, refused } => write!(
                f,
                "node number {origin} is taken: {connected:032x} is connected, {refused:032x} was \
                 refused; issue a certificate with another number for one"
            ),
            Self::Clock { ahead_ms, bound_ms } => write!(
                f,
                "the clock of the refused node is {ahead_ms} ms ahead of that of the node that \
                 refuses, more than {bound_ms} ms: set the clock that is wrong"
            ),
            Self::Identity { certificate, hello } => write!(
                f,
                "certificate and hello differ: the certificate says {certificate}, the hello \
                 {hello}; issue a certificate for this node"
            ),
        }
    }
}

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Hello sent.
    Greeting {
        /// The peer's Hello was accepted.
        accepted: bool,
        /// The peer accepted ours.
        acknowledged: bool,
    },
    /// Both sides agreed.
    Up,
    /// A Reject was sent; the connection ends at this time.
    Refused {
        /// Milliseconds.
        close_at: u64,
    },
}

/// One connection.
#[derive(Debug, Clone)]
pub struct Session {
    /// The connection.
    pub conn: ConnId,
    /// True when this node dialled.
    pub dialed: bool,
    /// From the certificate.
    pub peer: PeerIdentity,
    /// Largest datagram, 0 for none.
    pub max_datagram: usize,
    /// Since when, in milliseconds.
    pub since: u64,
    /// Where the handshake is.
    pub phase: Phase,
    /// Identity of the peer, once its Hello was accepted.
    pub node_id: u128,
    /// Start number of the peer's bridge.
    pub boot: u64,
    /// The operator was told that the peer's clock differs.
    pub skew_told: bool,
    /// Where this side sees the peer, if the driver knows.
    pub remote: Option<SocketAddr>,
    /// Where the peer says it can be dialled.
    pub address: Option<SocketAddr>,
    /// Version in use.
    pub protocol: u32,
    /// The peer's distributed regions by its numbers.
    pub profiles: BTreeMap<u16, Profile>,
    /// Regions replicated with the peer: our number by the peer's.
    pub paired: BTreeMap<u16, u16>,
}

impl Session {
    /// A connection whose transport handshake is done.
    pub fn new(
        conn: ConnId,
        dialed: bool,
        peer: PeerIdentity,
        max_datagram: usize,
        remote: Option<SocketAddr>,
        now: u64,
    ) -> Self {
        Self {
            conn,
            dialed,
            peer,
            max_datagram,
            since: now,
            phase: Phase::Greeting { accepted: false, acknowledged: false },
            node_id: 0,
            boot: 0,
            skew_told: false,
            remote,
            address: None,
            protocol: 0,
            profiles: BTreeMap::new(),
            paired: BTreeMap::new(),
        }
    }

    /// True when both sides agreed.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Checks the peer's Hello; `taken` names another living node of that number, if any.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn on_hello(
        &mut self,
        local: &LocalNode,
        hello: &Hello,
        taken: impl Fn(u16, u128) -> Option<u128>,
    ) -> Result<HelloAck, Refusal> {
        let protocol = hello.protocol_max.min(PROTOCOL);
        if protocol < hello.protocol_min.max(PROTOCOL) {
            let theirs = (hello.protocol_min, hello.protocol_max);
            return Err(Refusal::Protocol { ours: (PROTOCOL, PROTOCOL), theirs });
        }
        for theirs in [&hello.cluster, &self.peer.cluster] {
            if *theirs != local.cluster {
                let ours = local.cluster.clone();
                return Err(Refusal::Cluster { ours, theirs: theirs.clone() });
            }
        }
        let node_id = <[u8; 16]>::try_from(hello.node_id.as_slice()).map(u128::from_le_bytes);
        let origin = self.peer.origin;
        let Ok(node_id) = node_id.map_err(|_| ()).and_then(|id| {
            if u32::from(origin) == hello.origin && origin != 0 { Ok(id) } else { Err(()) }
        }) else {
            let certificate = format!("node {origin}");
            let hello = format!("node {} of {} bytes identity", hello.origin, hello.node_id.len());
            return Err(Refusal::Identity { certificate, hello });
        };
        if origin == local.origin {
            return Err(Refusal::OwnOrigin { origin, myself: node_id == local.node_id });
        }
        if let Some(connected) = taken(origin, node_id) {
            return Err(Refusal::DuplicateOrigin { origin, connected, refused: node_id });
        }
        self.node_id = node_id;
        self.boot = hello.boot;
        self.address = hello.address.parse().ok();
        self.protocol = protocol;
        if let Phase::Greeting { accepted, .. } = &mut self.phase {
            *accepted = true;
        }
        self.settle();
        let observed = self.remote.map(|a| a.to_string()).unwrap_or_default();
        Ok(HelloAck { protocol, features: FEATURES & hello.features, observed })
    }

    /// The peer accepted our Hello.
    pub fn on_hello_ack(&mut self) {
        if let Phase::Greeting { acknowledged, .. } = &mut self.phase {
            *acknowledged = true;
        }
        self.settle();
    }

    fn settle(&mut self) {
        if self.phase == (Phase::Greeting { accepted: true, acknowledged: true }) {
            self.phase = Phase::Up;
        }
    }

    /// When the connection ends unless something happens.
    pub fn next_timeout(&self) -> Option<u64> {
        match self.phase {
            Phase::Greeting { .. } => Some(self.since.saturating_add(HELLO_TIMEOUT)),
            Phase::Refused { close_at } => Some(close_at),
            Phase::Up => None,
        }
    }
}

/// Of two sessions with the same node, true if `new` stays. Both ends decide alike: the later
/// bridge start wins; then the connection dialled by the lower number; then the newer.
pub fn replaces(new: &Session, old: &Session, local: &LocalNode) -> bool {
    if new.boot != old.boot {
        return new.boot > old.boot;
    }
    let lower_dialed = |s: &Session| s.dialed == (local.origin < s.peer.origin);
    lower_dialed(new) || !lower_dialed(old)
}
