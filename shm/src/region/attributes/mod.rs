//! Attributes of a region: what it stores, how it is distributed, how large it may become.

mod check;
pub(crate) mod differences;
pub(crate) mod policy;
mod words;

use crate::layout::record::MIN_ALIGNMENT;
use crate::region::expiry::Expiry;

pub use policy::{DataPolicy, Eviction, Interest, Scope, Shortcut};
pub(crate) use policy::{name_of, value_of};

/// Attributes of a region. They are fixed when it is created, but for `entry_ttl`, `entry_idle` and
/// `max_entries`, which change for all members at once
/// ([`Region::set_entry_ttl`](crate::Region::set_entry_ttl) and its neighbours).
///
/// A region that exists keeps its expiry, whatever is asked for when it is opened; any other
/// attribute that is asked for and differs is refused with all differences.
///
/// # Combinations that are refused
///
/// | combination | why |
/// |---|---|
/// | `Empty` with expiry, eviction or `old_values` | it stores nothing |
/// | a replicate with eviction | it keeps every entry |
/// | a distributed replicate with a node-local expiry action | the same |
/// | `max_entries` without eviction | nothing would go |
/// | `early_ack` in another scope than `DistributedAck` | nobody waits for it |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// What this node stores. Default `Normal`.
    pub data_policy: DataPolicy,
    /// How changes are distributed. Default `Local`.
    pub scope: Scope,
    /// Writers of this node are released when their change has arrived at the other nodes, before
    /// it is applied there. Default false.
    pub early_ack: bool,
    /// Newer versions win on every node. Default true. Off: changes of other nodes are applied in
    /// the order of arrival.
    pub concurrency_checks: bool,
    /// Of which changes made elsewhere this node hears. Default `CacheContent`. Replicates hear of
    /// all in any case.
    pub interest: Interest,
    /// Whether events tell the value that an entry had before, which keeps that value in memory for
    /// longer. Default false.
    pub old_values: bool,
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
    /// together: for a moment each of them may be one entry above it. Changed by
    /// [`Region::set_max_entries`](crate::Region::set_max_entries).
    pub max_entries: u64,
}

impl Attributes {
    /// What was put here, for this node only: the default.
    pub const LOCAL: Self = Self {
        data_policy: DataPolicy::Normal,
        scope: Scope::Local,
        early_ack: false,
        concurrency_checks: true,
        interest: Interest::CacheContent,
        old_values: false,
        max_bytes: 64 << 20,
        segment_bytes: 0,
        alignment: MIN_ALIGNMENT as u64,
        entry_ttl: None,
        entry_idle: None,
        eviction: Eviction::None,
        max_entries: 0,
    };
    /// What was put here or read here, kept up to date by other nodes.
    pub const NORMAL: Self = Self { scope: Scope::DistributedAck, ..Self::LOCAL };
    /// The same, filled by an initial image.
    pub const PRELOADED: Self = Self { data_policy: DataPolicy::Preloaded, ..Self::NORMAL };
    /// Everything, on every node that has the region.
    pub const REPLICATE: Self = Self { data_policy: DataPolicy::Replicate, ..Self::NORMAL };
    /// Nothing is stored here; replicates on other nodes do.
    pub const REPLICATE_PROXY: Self = Self { data_policy: DataPolicy::Empty, ..Self::NORMAL };

    /// The attributes of a shortcut.
    pub const fn of(shortcut: Shortcut) -> Self {
        match shortcut {
            Shortcut::Local => Self::LOCAL,
            Shortcut::Normal => Self::NORMAL,
            Shortcut::Preloaded => Self::PRELOADED,
            Shortcut::Replicate => Self::REPLICATE,
            Shortcut::ReplicateProxy => Self::REPLICATE_PROXY,
        }
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::LOCAL
    }
}
