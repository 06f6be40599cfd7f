//! Attributes in the file: one word of the header for all that never changes.

use crate::layout::record::{MAX_ALIGNMENT, MIN_ALIGNMENT};
use crate::layout::region::{Geometry, RegionWords};
use crate::region::attributes::policy::{EVICTIONS, INTERESTS, POLICIES, SCOPES, number_of};
use crate::region::attributes::{Attributes, DataPolicy, Eviction, Scope};
use crate::region::expiry;
use crate::sync::Relaxed;

const CONCURRENCY_CHECKS: u64 = 1 << 16;
const EARLY_ACK: u64 = 1 << 17;
const EVICTION_SHIFT: u32 = 18;
/// Binary logarithm of alignment / 8, in four bits.
const ALIGNMENT_SHIFT: u32 = 20;
const INTEREST_SHIFT: u32 = 24;
const OLD_VALUES: u64 = 1 << 25;
/// Bits that mean something.
const KNOWN_BITS: u64 = (1 << 26) - 1;

impl Attributes {
    /// Everything but the sizes and what may change, in one word of the header.
    pub(crate) fn to_word(&self) -> u64 {
        let flag = |on: bool, bit: u64| if on { bit } else { 0 };
        let alignment = (self.alignment / MIN_ALIGNMENT as u64).trailing_zeros();
        number_of(&POLICIES, self.data_policy)
            | (number_of(&SCOPES, self.scope) << 8)
            | flag(self.concurrency_checks, CONCURRENCY_CHECKS)
            | flag(self.early_ack, EARLY_ACK)
            | (number_of(&EVICTIONS, self.eviction) << EVICTION_SHIFT)
            | (u64::from(alignment) << ALIGNMENT_SHIFT)
            | (number_of(&INTERESTS, self.interest) << INTEREST_SHIFT)
            | flag(self.old_values, OLD_VALUES)
    }

    /// Whether a put may have nothing to look after but its entry.
    pub(crate) fn puts_plainly(&self) -> bool {
        self.data_policy != DataPolicy::Empty
            && self.scope == Scope::Local
            && self.eviction == Eviction::None
    }

    /// Whether other nodes may have entries that this one has not.
    pub(crate) fn searches(&self) -> bool {
        self.scope.is_distributed() && !self.data_policy.is_replicate()
    }

    /// With what may change as it is now.
    pub(crate) fn as_of(&self, words: &RegionWords) -> Self {
        let (entry_ttl, entry_idle) = expiry::read(words);
        let max_entries = words.max_entries.load(Relaxed);
        Self { entry_ttl, entry_idle, max_entries, ..self.clone() }
    }

    /// Reads what [`Attributes::to_word`] wrote. What may change is read elsewhere.
    pub(crate) fn from_word(word: u64, geometry: &Geometry) -> Option<Self> {
        let alignment = (MIN_ALIGNMENT as u64) << ((word >> ALIGNMENT_SHIFT) & 0xf);
        if word & !KNOWN_BITS != 0 || alignment > MAX_ALIGNMENT as u64 {
            return None;
        }
        Some(Self {
            data_policy: POLICIES.get(word as usize & 0xff)?.0,
            scope: SCOPES.get((word >> 8) as usize & 0xff)?.0,
            concurrency_checks: word & CONCURRENCY_CHECKS != 0,
            early_ack: word & EARLY_ACK != 0,
            interest: INTERESTS[(word >> INTEREST_SHIFT) as usize & 1].0,
            old_values: word & OLD_VALUES != 0,
            max_bytes: geometry.max_bytes,
            segment_bytes: geometry.segment_bytes,
            alignment,
            entry_ttl: None,
            entry_idle: None,
            eviction: EVICTIONS.get((word >> EVICTION_SHIFT) as usize & 0b11)?.0,
            max_entries: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::attributes::Interest;

    #[test]
    fn every_attribute_is_read_back() {
        let geometry = Geometry::plan(64 << 20, 0, false).expect("a plan");
        let read = |attributes: &Attributes| Attributes::from_word(attributes.to_word(), &geometry);
        let mut attributes =
            Attributes { segment_bytes: geometry.segment_bytes, ..Attributes::LOCAL };
        assert_eq!(read(&attributes).as_ref(), Some(&attributes));
        for (policy, _) in POLICIES {
            for (scope, _) in SCOPES {
                (attributes.data_policy, attributes.scope) = (policy, scope);
                assert_eq!(read(&attributes).as_ref(), Some(&attributes));
            }
        }
        let other = Attributes {
            data_policy: DataPolicy::Preloaded,
            scope: Scope::Global,
            early_ack: true,
            concurrency_checks: false,
            interest: Interest::All,
            old_values: true,
            alignment: 4096,
            eviction: Eviction::S3Fifo,
            ..attributes
        };
        assert_eq!(read(&other).as_ref(), Some(&other));
        for bit in 26..64 {
            assert_eq!(Attributes::from_word(other.to_word() | 1 << bit, &geometry), None);
        }
    }
}
