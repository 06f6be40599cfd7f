//! What happens in the cluster, as members of the node are told.

use std::fmt;

use serde::Serialize;

/// Something that changed in the cluster, seen from this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ClusterEvent {
    /// A node is connected that was not there, or was removed, or had left.
    NodeJoined {
        /// Number of the node.
        origin: u16,
        /// Identity, 32 hexadecimal digits.
        node_id: String,
        /// Start of its bridge.
        boot: u64,
    },
    /// A node has no connection any more; writers still wait for it.
    NodeUnreachable {
        /// Number of the node.
        origin: u16,
    },
    /// A node that was unreachable is connected again, within the time.
    NodeReachable {
        /// Number of the node.
        origin: u16,
        /// True when its bridge was started anew meanwhile.
        restarted: bool,
    },
    /// A node said goodbye.
    NodeLeft {
        /// Number of the node.
        origin: u16,
        /// Why, in its own words.
        reason: String,
    },
    /// A node was removed without a goodbye: crashed or cut off.
    NodeRemoved {
        /// Number of the node.
        origin: u16,
        /// How long it was unreachable, in milliseconds.
        unreachable_ms: u64,
        /// True when others could still reach it.
        partial: bool,
    },
    /// A connected node has this distributed region.
    RegionArrived {
        /// Number of the node.
        origin: u16,
        /// Name of the region.
        region: String,
    },
    /// A node closed or destroyed this region, left, or was removed.
    RegionDeparted {
        /// Number of the node.
        origin: u16,
        /// Name of the region.
        region: String,
    },
}

impl fmt::Display for ClusterEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeJoined { origin, .. } => write!(f, "node {origin} joined"),
            Self::NodeUnreachable { origin } => write!(f, "node {origin} is unreachable"),
            Self::NodeReachable { origin, restarted: false } => {
                write!(f, "node {origin} is reachable again")
            }
            Self::NodeReachable { origin, restarted: true } => {
                write!(f, "node {origin} is reachable again, its bridge was restarted")
            }
            Self::NodeLeft { origin, reason } => write!(f, "node {origin} left: {reason}"),
            Self::NodeRemoved { origin, unreachable_ms, partial: false } => {
                write!(f, "node {origin} was removed, unreachable for {unreachable_ms} ms")
            }
            Self::NodeRemoved { origin, unreachable_ms, partial: true } => write!(
                f,
                "node {origin} was removed, unreachable for {unreachable_ms} ms from here although \
                 others reach it"
            ),
            Self::RegionArrived { origin, region } => {
                write!(f, "region {region} is on node {origin}")
            }
            Self::RegionDeparted { origin, region } => {
                write!(f, "region {region} is no longer on node {origin}")
            }
        }
    }
}
