//! Which attributes go together: first what can never work, then what this version does not have.

use crate::error::{Error, Result};
use crate::layout::record::{MAX_ALIGNMENT, MIN_ALIGNMENT};
use crate::layout::region::Geometry;
use crate::region::attributes::{Attributes, DataPolicy, Eviction, Scope};
use crate::region::expiry;

/// Why a combination cannot work, and what to change.
type Refusal = (String, &'static str);

impl Attributes {
    /// Refuses combinations that make no sense and those that are not built yet; the map of the
    /// file for all others.
    pub(crate) fn plan(&self, region: &str) -> Result<Geometry> {
        let invalid = |(reason, remedy): Refusal| Error::InvalidAttributes {
            region: region.into(),
            reason,
            remedy: remedy.into(),
        };
        self.refusal().map_or(Ok(()), |refusal| Err(invalid(refusal)))?;
        for (expiry, what) in [(self.entry_ttl, "entry_ttl"), (self.entry_idle, "entry_idle")] {
            expiry.map_or(Ok(()), |expiry| expiry.check(region, self, what))?;
        }
        let evicts = self.eviction != Eviction::None;
        let planned = Geometry::plan(self.max_bytes, self.segment_bytes, evicts);
        let geometry = planned
            .map_err(|reason| invalid((reason, "give max_bytes and leave segment_bytes at 0")))?;
        self.check_built()?;
        Ok(geometry)
    }

    /// The first reason why these attributes can never go together.
    fn refusal(&self) -> Option<Refusal> {
        self.alignment_refusal()
            .or_else(|| self.empty_refusal())
            .or_else(|| self.eviction_refusal())
            .or_else(|| self.scope_refusal())
    }

    fn alignment_refusal(&self) -> Option<Refusal> {
        let range = MIN_ALIGNMENT as u64..=MAX_ALIGNMENT as u64;
        let valid = self.alignment.is_power_of_two() && range.contains(&self.alignment);
        (!valid).then(|| {
            let reason = format!(
                "alignment {} is not a power of two within {MIN_ALIGNMENT} and {MAX_ALIGNMENT}",
                self.alignment
            );
            (reason, "leave it at 8, or give the alignment that the values need")
        })
    }

    fn empty_refusal(&self) -> Option<Refusal> {
        let wrong = if self.data_policy != DataPolicy::Empty {
            return None;
        } else if self.entry_ttl.is_some() || self.entry_idle.is_some() {
            "entries to expire"
        } else if self.eviction != Eviction::None {
            "entries to evict"
        } else if self.old_values {
            "old values to tell of"
        } else {
            return None;
        };
        let reason = format!("an empty region stores nothing, so there are no {wrong}");
        Some((reason, "leave it out, or use data policy `normal`, `preloaded` or `replicate`"))
    }

    fn eviction_refusal(&self) -> Option<Refusal> {
        let evicts = self.eviction != Eviction::None;
        if evicts && self.data_policy.is_replicate() {
            return Some((
                "a replicate region keeps every entry, so it cannot evict any".into(),
                "use data policy `normal` or `preloaded`, or leave eviction at `none`",
            ));
        }
        (self.max_entries != 0 && !evicts).then(|| {
            (
                "max_entries says how many entries stay, but nothing is evicted".into(),
                "set eviction to `s3-fifo`, or leave max_entries at 0",
            )
        })
    }

    fn scope_refusal(&self) -> Option<Refusal> {
        (self.early_ack && self.scope != Scope::DistributedAck).then(|| {
            (
                format!(
                    "early_ack says when a change is acknowledged, and scope `{}` waits for no \
                     acknowledgement",
                    self.scope
                ),
                "use scope `distributed-ack`, or leave early_ack out",
            )
        })
    }

    /// Refuses what is specified, and not in this version.
    fn check_built(&self) -> Result<()> {
        let (policy, scope) = (self.data_policy, self.scope);
        let what = if scope == Scope::Global {
            "scope `global`".into()
        } else if policy == DataPolicy::PersistentReplicate {
            format!("data policy `{policy}`")
        } else {
            return expiry::check_idle(self, self.entry_idle);
        };
        Err(Error::NotBuiltYet { what })
    }
}

#[cfg(test)]
mod tests;
