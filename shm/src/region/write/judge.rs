//! What a write does to the entry it finds: whether it takes place, with which version, and what
//! that means to listeners.
//!
//! # What comes from other nodes
//!
//! Of a key that is *defined* here (visible, with a value or without) the newer version stays; with
//! concurrency checks off, what arrived last. A hidden record (a tombstone, or a change on its way
//! through) defines nothing, but what is older than it is dropped all the same. Of a key that is
//! not defined:
//!
//! | in the live stream | replicate | others, interest `all` | others |
//! |---|---|---|---|
//! | value | taken; checks off: only if it was created | taken | dropped |
//! | created without value | taken | taken | dropped, also if defined |
//! | invalidated | taken as invalid; checks off: dropped | dropped | dropped |
//! | destroyed | tombstone, not told; checks off: dropped | the same | dropped |
//!
//! "Checks off" holds once the region has its initial image. An image that is to fill the region
//! is taken as a replicate takes it, whatever the policy, and always by version; one that only
//! mends a gap changes what is defined. The answer of a search is taken unless something newer is
//! here, or the entry was destroyed or invalidated after it.

use crate::heap::record::{Mark, Record};
use crate::region::attributes::{DataPolicy, Interest};
use crate::region::mapped::Mapped;
use crate::region::statistics::RegionState;
use crate::region::write::{Change, Condition, Writer, Written};
use crate::region::{Kind, Token};
use crate::sync::{Acquire, SeqCst};

/// How a change of another node came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In its live stream. `created`: the key was absent where the change was made.
    Live { created: bool },
    /// In an image. `whole`: it fills the region; else it only changes what is defined.
    Image { whole: bool },
    /// As the answer of a search.
    Answer,
}

impl<'a> Change<'a> {
    /// The same on its way through a region that stores nothing: reads do not see it, and no
    /// condition refuses it.
    pub(crate) fn in_transit(self) -> Self {
        let kind = match self.kind {
            Kind::Tombstone => Kind::Tombstone,
            _ => Kind::Transit,
        };
        let condition = match self.condition {
            Condition::Arrived { .. } => self.condition,
            _ => Condition::Always,
        };
        let valueless = matches!(self.kind, Kind::Invalid | Kind::LocalInvalid);
        let created = !valueless || matches!(self.condition, Condition::Absent);
        Self { kind, condition, valueless, created, ..self }
    }
}

impl Mapped {
    /// Whether other nodes may wait for what is written here: a bridge served the region.
    pub(crate) fn has_others(&self) -> bool {
        self.is_distributed() && self.words().bridge_epoch.load(Acquire) != 0
    }

    /// Whether a change of another node is taken although the key is not defined here.
    fn takes_unknown(&self, kind: Kind, arrival: Arrival) -> bool {
        let created = match arrival {
            Arrival::Answer => return true,
            Arrival::Image { whole } => return whole,
            Arrival::Live { created } => created,
        };
        let attributes = &self.attributes;
        let initialising = self.words().state.load(Acquire) == RegionState::Initialising.to_word();
        let checks = attributes.concurrency_checks || initialising;
        let fills = attributes.data_policy == DataPolicy::Preloaded && initialising;
        if attributes.data_policy.is_replicate() || fills {
            return created || checks;
        }
        attributes.interest == Interest::All
            && match kind {
                Kind::Tombstone => checks,
                Kind::Invalid | Kind::LocalInvalid => created,
                Kind::Value | Kind::Transit => true,
            }
    }

    /// Whether a change of another node is not for this node although it defines the key.
    fn is_not_for(&self, kind: Kind, arrival: Arrival) -> bool {
        let attributes = &self.attributes;
        kind == Kind::Invalid
            && arrival == (Arrival::Live { created: true })
            && !attributes.data_policy.is_replicate()
            && attributes.interest == Interest::CacheContent
    }
}

impl Writer<'_> {
    /// What the condition says when no entry is visible.
    pub(super) fn refuse_absent(&self) -> Option<Written> {
        let refused = match self.change.condition {
            Condition::Present | Condition::Valued => true,
            Condition::Equals(_) | Condition::Expired(_) => true,
            Condition::Arrived { version, arrival, .. } => {
                if let Some(gone) = self.cleared(version).or_else(|| self.forgotten(version)) {
                    return Some(gone);
                }
                !self.region.takes_unknown(self.change.kind, arrival)
            }
            Condition::Always | Condition::Absent => false,
        };
        refused.then_some(Written::Refused(None))
    }

    /// What the condition says about a record that is there, visible or hidden, with `token`.
    /// `seen` is the entry as others see it: none if it is hidden or expired.
    pub(super) fn refuse(
        &self,
        record: &Record<'_>,
        token: Token,
        seen: Option<Token>,
    ) -> Option<Written> {
        let refused = match self.change.condition {
            Condition::Always => false,
            Condition::Absent => seen.is_some(),
            Condition::Present => seen.is_none(),
            Condition::Valued => seen.is_none_or(|token| token.kind != Kind::Value),
            Condition::Equals(expected) => seen != Some(self.region.current(expected)),
            Condition::Expired(action) => self.region.expired(record, token.kind) != Some(action),
            Condition::Arrived { version, origin, arrival } => {
                if self.is_older(token, (version, origin), arrival) {
                    return Some(Written::Refused(Some(token)));
                }
                if let Some(cleared) = self.cleared(version) {
                    return Some(cleared);
                }
                if seen.is_none() {
                    return self.refuse_absent();
                }
                self.region.is_not_for(self.change.kind, arrival)
            }
        };
        let seen = seen.filter(|_| !self.change.is_remote());
        refused.then_some(Written::Refused(seen))
    }

    /// What comes of a change that was cleared before it came: the clear is newer.
    fn cleared(&self, version: u64) -> Option<Written> {
        let stamp = self.region.words().clear_stamp.load(SeqCst);
        let token = Token { version: stamp, origin: 0, kind: Kind::Tombstone };
        (version < stamp).then_some(Written::Refused(Some(token)))
    }

    /// What comes of a change of a key that is absent and was destroyed so long ago that its
    /// tombstone is forgotten: that was newer.
    fn forgotten(&self, version: u64) -> Option<Written> {
        let horizon = self.region.words().purge_horizon.load(Acquire);
        let answer =
            matches!(self.change.condition, Condition::Arrived { arrival: Arrival::Answer, .. });
        let token = Token { version: horizon, origin: 0, kind: Kind::Tombstone };
        (version <= horizon && !answer).then_some(Written::Refused(Some(token)))
    }

    /// Whether what is here stays, by its version, in spite of a change of another node.
    fn is_older(&self, here: Token, new: (u64, u16), arrival: Arrival) -> bool {
        let old = (here.version, here.origin);
        match arrival {
            // It was made invalid on this node only: any value is better.
            Arrival::Answer if here.kind == Kind::LocalInvalid => false,
            Arrival::Live { .. } if !self.region.attributes.concurrency_checks => new == old,
            _ => new <= old,
        }
    }

    /// Whether the entry leaves the index and no record takes its place.
    pub(super) fn leaves_nothing(&self) -> bool {
        self.change.kind == Kind::Tombstone && (self.change.local || !self.region.is_distributed())
    }

    /// Version of the new record, given that of the one it replaces.
    pub(super) fn version(&self, old: u64) -> u64 {
        if let Condition::Arrived { version, .. } = self.change.condition {
            // A later clear is to be above it.
            while !self.region.admits(version) {}
            return version;
        }
        if self.change.kind == Kind::LocalInvalid && self.change.local {
            // The entry of the other nodes is the same, and no older than what is here.
            return old;
        }
        loop {
            let above = self.region.words().floor.load(SeqCst).max(old).saturating_add(1);
            let version = match self.region.is_timed() {
                true => above.max(crate::os::clock::realtime_micros() << 12),
                false => above,
            };
            if self.region.admits(version) {
                return version;
            }
        }
    }

    pub(super) fn origin(&self) -> u16 {
        match self.change.condition {
            Condition::Arrived { origin, .. } => origin,
            _ => self.region.members.origin(),
        }
    }

    /// What the write means to listeners: the entry was `old`, and read as `seen`.
    pub(super) fn mark(&self, old: Option<Token>, seen: Option<Token>) -> Mark {
        let invalid = |kind| matches!(kind, Kind::Invalid | Kind::LocalInvalid);
        let old = old.map(|token| token.kind);
        match self.change.kind {
            _ if self.change.silent => Mark::Silent,
            // The answer of a search is for who asked.
            Kind::Transit if self.change.is_remote() => Mark::Silent,
            // Nobody knows what it was elsewhere.
            Kind::Transit if self.change.created => Mark::Created,
            Kind::Transit => Mark::Changed,
            Kind::Tombstone if self.region.attributes.data_policy == DataPolicy::Empty => {
                Mark::Changed
            }
            // An entry that expired and was not swept was there; its end is told by this.
            Kind::Tombstone if old.is_some_and(Kind::is_visible) => Mark::Changed,
            Kind::Tombstone => Mark::Silent,
            kind if seen.is_none() => match self.change.condition {
                // It had a value where it was invalidated.
                Condition::Arrived { arrival: Arrival::Live { created: false }, .. }
                    if invalid(kind) =>
                {
                    Mark::Changed
                }
                _ => Mark::Created,
            },
            kind if invalid(kind) && old.is_some_and(invalid) => Mark::Silent,
            _ => Mark::Changed,
        }
    }
}
