//! What a region has otherwise than it was asked for.

use std::fmt;

use crate::error::AttributeDifference;
use crate::region::attributes::Attributes;

/// Which attributes a caller asked for: only these must match a region that exists.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) data_policy: bool,
    pub(crate) scope: bool,
    pub(crate) early_ack: bool,
    pub(crate) concurrency_checks: bool,
    pub(crate) interest: bool,
    pub(crate) old_values: bool,
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
            interest: true,
            old_values: true,
            max_bytes: true,
            segment_bytes: true,
            alignment: true,
            eviction: true,
            max_entries: true,
        }
    }
}

impl Attributes {
    /// Every attribute that was given and differs, `self` being what is wanted.
    pub(crate) fn differences(&self, found: &Self, given: Given) -> Vec<AttributeDifference> {
        type Shown<'a> = &'a dyn fmt::Display;
        let chosen = given.segment_bytes && self.segment_bytes != 0;
        let rows: [(bool, &'static str, Shown<'_>, Shown<'_>); 11] = [
            (given.data_policy, "data_policy", &self.data_policy, &found.data_policy),
            (given.scope, "scope", &self.scope, &found.scope),
            (given.early_ack, "early_ack", &self.early_ack, &found.early_ack),
            (
                given.concurrency_checks,
                "concurrency_checks",
                &self.concurrency_checks,
                &found.concurrency_checks,
            ),
            (given.interest, "interest", &self.interest, &found.interest),
            (given.old_values, "old_values", &self.old_values, &found.old_values),
            (given.max_bytes, "max_bytes", &self.max_bytes, &found.max_bytes),
            (chosen, "segment_bytes", &self.segment_bytes, &found.segment_bytes),
            (given.alignment, "alignment", &self.alignment, &found.alignment),
            (given.eviction, "eviction", &self.eviction, &found.eviction),
            (given.max_entries, "max_entries", &self.max_entries, &found.max_entries),
        ];
        let shown = rows.into_iter().filter(|(given, ..)| *given);
        shown
            .map(|(_, attribute, wanted, found)| AttributeDifference {
                attribute,
                wanted: wanted.to_string(),
                found: found.to_string(),
            })
            .filter(|row| row.wanted != row.found)
            .collect()
    }
}
