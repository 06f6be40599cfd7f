//! The narrow door to the regions of this node.
//!
//! The bridge implements it over the segment crate, the simulator over a model. What the core
//! relies on, beyond the wording of each method:
//!
//! - *Table before ring*: when a change has a ring position, the table already holds it or
//!   something newer for its key.
//! - *Closed time*: after `close_time` returned C and `tail` then returned t, every local change
//!   with a version up to C has a position below t.
//! - `apply` is idempotent and order does not matter: the higher (version, origin) stays. A change
//!   that is not above the horizon is older than an absent key.

use std::fmt;
use std::ops::ControlFlow;

use crate::wire::record::Change;

/// Names one incarnation of a region within the store; never reused for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u32);

/// Data policy of a region, numbered as in Profile messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Policy {
    /// Stores nothing.
    Empty = 0,
    /// Stores what is used.
    Normal = 1,
    /// Starts with everything, then like `Normal`.
    Preloaded = 2,
    /// Stores everything.
    Replicate = 3,
    /// Stores everything, also on disk.
    PersistentReplicate = 4,
}

impl Policy {
    /// Holds everything that is anywhere.
    pub fn is_replicate(self) -> bool {
        matches!(self, Self::Replicate | Self::PersistentReplicate)
    }
}

/// Scope of a region, numbered as in Profile messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// Not distributed.
    Local = 0,
    /// Distributed, writers do not wait.
    DistributedNoAck = 1,
    /// Distributed, writers wait for every member.
    DistributedAck = 2,
    /// Distributed under a lock.
    Global = 3,
}

const POLICIES: [&str; 5] = ["empty", "normal", "preloaded", "replicate", "persistent-replicate"];
const SCOPES: [&str; 4] = ["local", "distributed-no-ack", "distributed-ack", "global"];

/// Name of a policy number of a Profile.
pub fn policy_name(n: u32) -> &'static str {
    POLICIES.get(n as usize).copied().unwrap_or("unknown")
}

/// Name of a scope number of a Profile.
pub fn scope_name(n: u32) -> &'static str {
    SCOPES.get(n as usize).copied().unwrap_or("unknown")
}

/// Of which changes made elsewhere a node hears that does not store everything. Numbered as in
/// Profile messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Interest {
    /// Those of keys that it holds.
    CacheContent = 0,
    /// All.
    All = 1,
}

/// What is done to all entries. Numbered as in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Whole {
    /// They go.
    Clear = 1,
    /// They lose their values.
    Invalidate = 2,
    /// The region goes with them; the stamp says nothing.
    Destroy = 3,
}

/// A region as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionInfo {
    /// Handle for the other methods.
    pub id: RegionId,
    /// Name; pairs regions of different nodes.
    pub name: String,
    /// Data policy.
    pub policy: Policy,
    /// Scope.
    pub scope: Scope,
    /// Whether changes are ordered by version.
    pub concurrency_checks: bool,
    /// Interest policy.
    pub interest: Interest,
    /// Random number of this incarnation of the region, not 0.
    pub epoch: u64,
    /// Writers wait until a change has arrived at the others, not until it is applied there.
    pub early_ack: bool,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Go on here next time.
    Upto(u64),
    /// Changes before `oldest` are gone.
    Lapped {
        /// First position still there.
        oldest: u64,
    },
}

/// What `apply` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The change is in the region now.
    Newer,
    /// The region has something newer.
    Older,
    /// The region had exactly this change.
    Equal,
    /// The region does not hold the key, and does not take it.
    Unknown,
}

/// What was done on this node, as a drain shows it.
#[derive(Debug, Clone, Copy)]
pub enum Announced<'a> {
    /// To one entry.
    Entry(Change<'a>),
    /// To an entry that is not stored here: it is only on its way to other nodes.
    Passing(Change<'a>),
    /// To all entries.
    Whole {
        /// Position in the ring.
        position: u64,
        /// What.
        whole: Whole,
        /// Entries with a lower version are concerned.
        stamp: u64,
    },
}

/// What is known of an origin, kept in the region so that a killed bridge loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OriginState {
    /// Whose changes.
    pub origin: u16,
    /// Incarnation of the origin's region; 0: known as a member, nothing held.
    pub epoch: u64,
    /// Every change before this position is held.
    pub position: u64,
    /// Closed time.
    pub closed: u64,
}

/// State word of a region, seen by local processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Complete.
    Ready,
    /// Still taking its first image.
    Initialising,
    /// Could not take a change of a peer.
    Degraded,
}

/// Why the store could not do it; for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

impl Policy {
    /// Whether it begins with an image.
    pub fn begins_whole(self) -> bool {
        matches!(self, Self::Preloaded | Self::Replicate | Self::PersistentReplicate)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

/// Called for each change; `Break` leaves the change unread.
pub type Visit<'a> = &'a mut dyn FnMut(Change<'_>) -> ControlFlow<()>;
/// The same for what a drain shows.
pub type VisitAnnounced<'a> = &'a mut dyn FnMut(Announced<'_>) -> ControlFlow<()>;

/// The regions of this node. Methods take the `RegionId` of a listed region; for one that has
/// vanished they answer with an error or zero.
pub trait Store {
    /// A number that changes whenever `regions` would answer differently. Cheap: asked at each
    /// turn.
    fn generation(&self) -> u64;
    /// All regions, distributed or not.
    fn regions(&self) -> Vec<RegionInfo>;
    /// Next position to be written.
    fn tail(&self, region: RegionId) -> u64;
    /// First position still readable; 0 while every change ever made here can be replayed.
    fn oldest(&self, region: RegionId) -> u64;
    /// Visits each change made on this node at positions from `from` to the tail, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the region cannot be read.
    fn drain(
        &self,
        region: RegionId,
        from: u64,
        f: VisitAnnounced<'_>,
    ) -> Result<Drained, StoreError>;
    /// Takes in a live change of another node, as data policy and interest of the region say: if it
    /// is newer, and the region holds the key or takes all.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be taken, for example for want of space.
    fn apply(&mut self, region: RegionId, change: Change<'_>) -> Result<Applied, StoreError>;
    /// Takes in an entry of an image by its version. `whole`: the image fills the region; else what
    /// the region does not hold is dropped.
    ///
    /// # Errors
    /// As `apply`.
    fn merge(
        &mut self,
        region: RegionId,
        change: Change<'_>,
        whole: bool,
    ) -> Result<Applied, StoreError>;
    /// Stores what another node answered to a search.
    ///
    /// # Errors
    /// As `apply`.
    fn store_answer(&mut self, region: RegionId, change: Change<'_>)
    -> Result<Applied, StoreError>;
    /// Shows an entry to `f`: one that has a value and was not written more than `ttl` microseconds
    /// ago (0: whenever), or with `presence` any that is there. False if there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the region cannot be read.
    fn look(
        &self,
        region: RegionId,
        key: &[u8],
        ttl: u64,
        presence: bool,
        f: &mut dyn FnMut(Change<'_>),
    ) -> Result<bool, StoreError>;
    /// Time to live of the region's entries, in microseconds; 0: none.
    fn ttl(&self, region: RegionId) -> u64;
    /// Whether no entry is stored, tombstones included.
    fn is_bare(&self, region: RegionId) -> bool;
    /// Versions below which entries were cleared, and below which they lost their values.
    fn stamps(&self, region: RegionId) -> (u64, u64);
    /// Does to all entries with a version below `stamp` what node `origin` did; false if it was
    /// done already.
    ///
    /// # Errors
    /// [`StoreError`] when the region cannot be written.
    fn apply_whole(
        &mut self,
        region: RegionId,
        whole: Whole,
        stamp: u64,
        origin: u16,
    ) -> Result<bool, StoreError>;
    /// Drops what only passed through the region, up to a version that all nodes that must have.
    ///
    /// # Errors
    /// [`StoreError`] when the region cannot be written.
    fn forget_passed(&mut self, region: RegionId, upto: u64) -> Result<u64, StoreError>;
    /// Visits entries, tombstones included, from `cursor` (0: begin); answers where to go on,
    /// `None` at the end. A key present all the time is visited at least once.
    ///
    /// # Errors
    /// [`StoreError`] when the region cannot be read.
    fn scan(&self, region: RegionId, cursor: u64, f: Visit<'_>) -> Result<Option<u64>, StoreError>;
    /// Removes the entry if it is exactly this one, with `origin` as `scan` gave it.
    ///
    /// # Errors
    /// [`StoreError`] when the region cannot be written.
    fn purge(
        &mut self,
        region: RegionId,
        key: &[u8],
        version: u64,
        origin: u16,
    ) -> Result<bool, StoreError>;
    /// Makes the entry, if it is exactly this one, a change of this node made now, with the same
    /// content.
    ///
    /// # Errors
    /// [`StoreError`] when the region cannot be written.
    fn restamp(
        &mut self,
        region: RegionId,
        key: &[u8],
        version: u64,
        origin: u16,
    ) -> Result<bool, StoreError>;
    /// Changes of others up to this version are refused for absent keys.
    fn horizon(&self, region: RegionId) -> u64;
    /// Raises the horizon.
    fn raise_horizon(&mut self, region: RegionId, version: u64);
    /// Makes later local changes start above this version.
    fn raise_floor(&mut self, region: RegionId, version: u64);
    /// The clock that versions are made of.
    fn clock(&self) -> u64;
    /// Versions to a millisecond of that clock.
    fn ticks_per_ms(&self) -> u64;
    /// Closes time: no local change with a version up to the result will appear any more.
    fn close_time(&mut self, region: RegionId) -> u64;
    /// Publishes (sent, received, applied) and releases waiting writers.
    fn publish(&mut self, region: RegionId, sent: u64, received: u64, applied: u64);
    /// Notes that writers no longer wait for a node that has not acknowledged the positions from
    /// `from` to before `to`. Called before they are published as acknowledged.
    fn note_departure(&mut self, region: RegionId, origin: u16, from: u64, to: u64);
    /// (sent, received, applied) as last published.
    fn watermarks(&self, region: RegionId) -> (u64, u64, u64);
    /// Every stored origin state.
    fn origins(&self, region: RegionId) -> Vec<OriginState>;
    /// Stores an origin state, replacing that of the same incarnation, or a bare mark of the
    /// origin.
    ///
    /// # Errors
    /// [`StoreError`] when the table of origins is full.
    fn set_origin_state(&mut self, region: RegionId, state: OriginState) -> Result<(), StoreError>;
    /// Forgets an incarnation.
    fn forget_origin(&mut self, region: RegionId, origin: u16, epoch: u64);
    /// Sets the state word.
    fn set_state(&mut self, region: RegionId, state: State);
}
