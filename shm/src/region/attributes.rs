//! Attributes of a region: what it stores, how it is distributed, how large it may become.

use std::fmt;
use std::str::FromStr;

use crate::error::{AttributeDifference, Error, Result};
use crate::layout::record::{MAX_ALIGNMENT, MIN_ALIGNMENT};
use crate::layout::region::Geometry;
use crate::region::expiry::{self, Expiry};

/// Bits 20 to 23 of the word: binary logarithm of alignment / 8.
const ALIGNMENT_SHIFT: u32 = 20;
/// Bits that mean something.
const KNOWN_BITS: u64 = 0xf_ffff | (0xf << ALIGNMENT_SHIFT);

/// What a node stores of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataPolicy {
    /// Nothing: changes pass through. Not built yet.
    Empty,
    /// What was put here. In this version only with [`Scope::Local`].
    Normal,
    /// Like `Normal`, filled by an initial image. Not built yet.
    Preloaded,
    /// Everything that is anywhere in the distributed region.
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

/// What a region does when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Eviction {
    /// Writes that find no room fail with `OutOfSpace`; nothing is lost.
    None,
    /// Entries that were used least make room: S3-FIFO over segments.
    S3Fifo,
}

const EVICTIONS: [(Eviction, &str); 2] = [(Eviction::None, "none"), (Eviction::S3Fifo, "s3-fifo")];

const POLICIES: [(DataPolicy, &str); 5] = [
    (DataPolicy::Empty, "empty"),
    (DataPolicy::Normal, "normal"),
    (DataPolicy::Preloaded, "preloaded"),
    (DataPolicy::Replicate, "replicate"),
    (DataPolicy::PersistentReplicate, "persistent-replicate"),
];
const SCOPES: [(Scope, &str); 4] = [
    (Scope::Local, "local"),
    (Scope::DistributedNoAck, "distributed-no-ack"),
    (Scope::DistributedAck, "distributed-ack"),
    (Scope::Global, "global"),
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

fn number_of<T: Copy + PartialEq>(names: &[(T, &'static str)], value: T) -> u64 {
    names.iter().position(|(v, _)| *v == value).unwrap_or(0) as u64
}

impl fmt::Display for DataPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&POLICIES, *self))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&SCOPES, *self))
    }
}

impl fmt::Display for Eviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&EVICTIONS, *self))
    }
}

impl FromStr for Eviction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        value_of(&EVICTIONS, "kind of eviction", text)
    }
}

impl FromStr for DataPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        value_of(&POLICIES, "data policy", text)
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        value_of(&SCOPES, "scope", text)
    }
}

impl Scope {
    /// Whether changes leave the node.
    pub fn is_distributed(self) -> bool {
        self != Self::Local
    }
}

/// Attributes of a region. They are fixed when it is created, but for those of expiry: a region
/// that exists keeps its own, whatever is asked for when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// What this node stores. Default `Normal`.
    pub data_policy: DataPolicy,
    /// How changes are distributed. Default `Local`.
    pub scope: Scope,
    /// Acknowledge on receipt instead of after applying. Default false; true is not built yet.
    pub early_ack: bool,
    /// Newer versions win on every node. Default true. Off: changes of other nodes are applied in
    /// the order of arrival.
    pub concurrency_checks: bool,
    /// Upper bound of the memory for index and records, 1 MiB to 256 GiB. Default 64 MiB.
    /// Memory is taken as it is needed.
    pub max_bytes: u64,
    /// Unit in which memory is taken and reused. A power of two, 64 KiB to 8 MiB; 0 (default)
    /// chooses from `max_bytes`. Larger records take as many units side by side as they need, so
    /// a unit that holds many records of the usual size is best.
    pub segment_bytes: u64,
    /// Each value begins at a multiple of this many bytes, in the file and in memory: a power of
    /// two, 8 (default) to 4096. Records are padded to a multiple of it.
    pub alignment: u64,
    /// Entries expire that long after they were written. Default none. Changed by
    /// [`Region::set_entry_ttl`](crate::Region::set_entry_ttl).
    pub entry_ttl: Option<Expiry>,
    /// Entries expire when they were neither read nor written for that long. Default none. Changed
    /// by [`Region::set_entry_idle`](crate::Region::set_entry_idle).
    pub entry_idle: Option<Expiry>,
    /// What makes room when the region is full. Default `None`. Not for `Replicate`, which keeps
    /// every entry.
    pub eviction: Eviction,
    /// Bound on the number of entries; only with eviction. 0 (default) = none. Writers keep it
    /// together: for a moment each of them may be one entry above it.
    pub max_entries: u64,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            data_policy: DataPolicy::Normal,
            scope: Scope::Local,
            early_ack: false,
            concurrency_checks: true,
            max_bytes: 64 << 20,
            segment_bytes: 0,
            alignment: MIN_ALIGNMENT as u64,
            entry_ttl: None,
            entry_idle: None,
            eviction: Eviction::None,
            max_entries: 0,
        }
    }
}

impl Attributes {
    /// Refuses combinations that make no sense and those that are not built yet.
    pub(crate) fn plan(&self, region: &str) -> Result<Geometry> {
        let not_yet = |what: String| Err(Error::NotBuiltYet { what });
        match (self.scope, self.data_policy) {
            (Scope::Global, _) => return not_yet("scope `global`".into()),
            (
                _,
                policy @ (DataPolicy::Empty
                | DataPolicy::Preloaded
                | DataPolicy::PersistentReplicate),
            ) => return not_yet(format!("data policy `{policy}`")),
            (scope, DataPolicy::Normal) if scope.is_distributed() => {
                return not_yet(format!("data policy `normal` with scope `{scope}`"));
            }
            _ => {}
        }
        if self.early_ack {
            return not_yet("attribute `early_ack`".into());
        }
        let range = MIN_ALIGNMENT as u64..=MAX_ALIGNMENT as u64;
        if !self.alignment.is_power_of_two() || !range.contains(&self.alignment) {
            return Err(Error::InvalidAttributes {
                region: region.into(),
                reason: format!(
                    "alignment {} is not a power of two within {MIN_ALIGNMENT} and {MAX_ALIGNMENT}",
                    self.alignment
                ),
                remedy: "leave it at 8, or give the alignment that the values need".into(),
            });
        }
        for (expiry, what) in [(self.entry_ttl, "entry_ttl"), (self.entry_idle, "entry_idle")] {
            expiry.map_or(Ok(()), |expiry| expiry.check(region, self, what))?;
        }
        expiry::check_idle(self, self.entry_idle)?;
        self.check_eviction(region)?;
        let evicts = self.eviction != Eviction::None;
        Geometry::plan(self.max_bytes, self.segment_bytes, evicts).map_err(|reason| {
            Error::InvalidAttributes {
                region: region.into(),
                reason,
                remedy: "give max_bytes and leave segment_bytes at 0".into(),
            }
        })
    }

    fn check_eviction(&self, region: &str) -> Result<()> {
        let invalid = |reason: &str, remedy: &str| {
            let (region, reason, remedy) = (region.into(), reason.into(), remedy.into());
            Err(Error::InvalidAttributes { region, reason, remedy })
        };
        let evicts = self.eviction != Eviction::None;
        if evicts && self.data_policy == DataPolicy::Replicate {
            return invalid(
                "a replicate region keeps every entry, so it cannot evict any",
                "use data policy `normal`, or leave eviction at `none`",
            );
        }
        if evicts && self.scope.is_distributed() {
            return invalid(
                "entries of a distributed region must not go before they were sent",
                "use scope `local`, or leave eviction at `none`",
            );
        }
        if self.max_entries != 0 && !evicts {
            return invalid(
                "max_entries says how many entries stay, but nothing is evicted",
                "set eviction to `s3-fifo`, or leave max_entries at 0",
            );
        }
        Ok(())
    }

    /// Everything but the sizes and what may change, in one word of the header.
    pub(crate) fn to_word(&self) -> u64 {
        number_of(&POLICIES, self.data_policy)
            | (number_of(&SCOPES, self.scope) << 8)
            | (u64::from(self.concurrency_checks) << 16)
            | (u64::from(self.early_ack) << 17)
            | (u64::from((self.alignment / MIN_ALIGNMENT as u64).trailing_zeros())
                << ALIGNMENT_SHIFT)
            | (number_of(&EVICTIONS, self.eviction) << 18)
    }

    /// Reads what [`Attributes::to_word`] wrote.
    pub(crate) fn from_word(word: u64, geometry: &Geometry) -> Option<Self> {
        let alignment = (MIN_ALIGNMENT as u64) << ((word >> ALIGNMENT_SHIFT) & 0xf);
        if word & !KNOWN_BITS != 0 || alignment > MAX_ALIGNMENT as u64 {
            return None;
        }
        Some(Self {
            data_policy: POLICIES.get(word as usize & 0xff)?.0,
            scope: SCOPES.get((word >> 8) as usize & 0xff)?.0,
            concurrency_checks: word & (1 << 16) != 0,
            early_ack: word & (1 << 17) != 0,
            max_bytes: geometry.max_bytes,
            segment_bytes: geometry.segment_bytes,
            alignment,
            entry_ttl: None,
            entry_idle: None,
            eviction: EVICTIONS.get((word >> 18) as usize & 0b11)?.0,
            max_entries: 0,
        })
    }

    /// Every attribute that was given and differs, `self` being what is wanted.
    pub(crate) fn differences(&self, found: &Self, given: Given) -> Vec<AttributeDifference> {
        let mut list = Vec::new();
        let mut compare =
            |given: bool, attribute, wanted: &dyn fmt::Display, found: &dyn fmt::Display| {
                let (wanted, found) = (wanted.to_string(), found.to_string());
                if given && wanted != found {
                    list.push(AttributeDifference { attribute, wanted, found });
                }
            };
        compare(given.data_policy, "data_policy", &self.data_policy, &found.data_policy);
        compare(given.scope, "scope", &self.scope, &found.scope);
        compare(given.early_ack, "early_ack", &self.early_ack, &found.early_ack);
        let checks = (&self.concurrency_checks, &found.concurrency_checks);
        compare(given.concurrency_checks, "concurrency_checks", checks.0, checks.1);
        compare(given.max_bytes, "max_bytes", &self.max_bytes, &found.max_bytes);
        let chosen = given.segment_bytes && self.segment_bytes != 0;
        compare(chosen, "segment_bytes", &self.segment_bytes, &found.segment_bytes);
        compare(given.alignment, "alignment", &self.alignment, &found.alignment);
        compare(given.eviction, "eviction", &self.eviction, &found.eviction);
        compare(given.max_entries, "max_entries", &self.max_entries, &found.max_entries);
        list
    }
}

/// Which attributes a caller asked for: only these must match a region that exists.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) data_policy: bool,
    pub(crate) scope: bool,
    pub(crate) early_ack: bool,
    pub(crate) concurrency_checks: bool,
    pub(crate) max_bytes: bool,
    pub(crate) segment_bytes: bool,
    pub(crate) alignment: bool,
    pub(crate) eviction: bool,
    pub(crate) max_entries: bool,
}

impl Given {
    pub(crate) fn all() -> Self {
        Self {
            data_policy: true,
            scope: true,
            early_ack: true,
            concurrency_checks: true,
            max_bytes: true,
            segment_bytes: true,
            alignment: true,
            eviction: true,
            max_entries: true,
        }
    }
}
