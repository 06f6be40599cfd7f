//! The choices that attributes are made of, and their names.

use std::fmt;
use std::str::FromStr;

/// What a node stores of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataPolicy {
    /// Nothing: changes pass through, and are announced to who listens. Reads ask other nodes.
    Empty,
    /// What was put here or read here, kept up to date by other nodes. Reads of what is not here
    /// ask them.
    Normal,
    /// Like `Normal`, filled by an initial image.
    Preloaded,
    /// Everything that is anywhere in the distributed region. With [`Scope::Local`] as `Normal`.
    Replicate,
    /// Like `Replicate`, and on disk. Not built yet.
    PersistentReplicate,
}

/// How far changes go and what a write waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Only the processes of this node.
    Local,
    /// Other nodes, without waiting for them.
    DistributedNoAck,
    /// Other nodes; a write returns when all of them have applied it.
    DistributedAck,
    /// Other nodes, under a distributed lock. Not built yet.
    Global,
}

/// Of which changes made on other nodes a node hears that does not store everything anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interest {
    /// Those of keys that it holds.
    CacheContent,
    /// All of them: it also learns keys that were created elsewhere.
    All,
}

/// What a region does when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Eviction {
    /// Writes that find no room fail with `OutOfSpace`; nothing is lost.
    None,
    /// Entries that were used least make room: S3-FIFO over segments.
    S3Fifo,
}

/// The usual combinations of data policy and scope, by the names they have in configurations.
///
/// A shortcut and the same attributes set one by one are equal.
///
/// | shortcut | data policy | scope |
/// |---|---|---|
/// | `local` | normal | local |
/// | `normal` | normal | distributed-ack |
/// | `preloaded` | preloaded | distributed-ack |
/// | `replicate` | replicate | distributed-ack |
/// | `replicate-proxy` | empty | distributed-ack |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shortcut {
    /// What was put here, for this node only. The default.
    Local,
    /// What was put here or read here, kept up to date by other nodes.
    Normal,
    /// The same, filled by an initial image.
    Preloaded,
    /// Everything, on every node that has the region.
    Replicate,
    /// Nothing is stored here; replicates on other nodes do.
    ReplicateProxy,
}

pub(super) const EVICTIONS: [(Eviction, &str); 2] =
    [(Eviction::None, "none"), (Eviction::S3Fifo, "s3-fifo")];
pub(super) const POLICIES: [(DataPolicy, &str); 5] = [
    (DataPolicy::Empty, "empty"),
    (DataPolicy::Normal, "normal"),
    (DataPolicy::Preloaded, "preloaded"),
    (DataPolicy::Replicate, "replicate"),
    (DataPolicy::PersistentReplicate, "persistent-replicate"),
];
pub(super) const SCOPES: [(Scope, &str); 4] = [
    (Scope::Local, "local"),
    (Scope::DistributedNoAck, "distributed-no-ack"),
    (Scope::DistributedAck, "distributed-ack"),
    (Scope::Global, "global"),
];
pub(super) const INTERESTS: [(Interest, &str); 2] =
    [(Interest::CacheContent, "cache-content"), (Interest::All, "all")];
pub(super) const SHORTCUTS: [(Shortcut, &str); 5] = [
    (Shortcut::Local, "local"),
    (Shortcut::Normal, "normal"),
    (Shortcut::Preloaded, "preloaded"),
    (Shortcut::Replicate, "replicate"),
    (Shortcut::ReplicateProxy, "replicate-proxy"),
];

pub(crate) fn name_of<T: Copy + PartialEq>(names: &[(T, &'static str)], value: T) -> &'static str {
    names.iter().find(|(v, _)| *v == value).map_or("?", |(_, name)| name)
}

pub(crate) fn value_of<T: Copy>(
    names: &[(T, &'static str)],
    what: &str,
    text: &str,
) -> Result<T, String> {
    names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
        format!("`{text}` is not a {what}; known are {}", known.join(", "))
    })
}

pub(super) fn number_of<T: Copy + PartialEq>(names: &[(T, &'static str)], value: T) -> u64 {
    names.iter().position(|(v, _)| *v == value).unwrap_or(0) as u64
}

/// Names of a choice, as they are written in configurations and shown to people.
macro_rules! named {
    ($choice:ty, $names:ident, $what:literal) => {
        impl fmt::Display for $choice {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(name_of(&$names, *self))
            }
        }

        impl FromStr for $choice {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                value_of(&$names, $what, text)
            }
        }
    };
}

named!(DataPolicy, POLICIES, "data policy");
named!(Scope, SCOPES, "scope");
named!(Interest, INTERESTS, "interest policy");
named!(Eviction, EVICTIONS, "kind of eviction");
named!(Shortcut, SHORTCUTS, "shortcut");

impl Scope {
    /// Whether changes leave the node.
    pub fn is_distributed(self) -> bool {
        self != Self::Local
    }
}

impl DataPolicy {
    /// Whether a node with this policy has every entry of a distributed region.
    pub fn is_replicate(self) -> bool {
        matches!(self, Self::Replicate | Self::PersistentReplicate)
    }
}
