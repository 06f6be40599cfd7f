//! Who keeps memory from being reused, and for how long.

use std::time::Duration;

use crate::layout::thread::{Attachment, OPERATION_HAZARDS, OwnerWord};
use crate::os::clock::coarse_micros;
use crate::region::mapped::Mapped;
use crate::sync::{Acquire, Relaxed};

/// A segment that somebody holds: its memory is not reused meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pin {
    /// Member that holds it, as [`MemberInfo::id`](crate::MemberInfo::id) names it.
    pub member: u64,
    /// Number of the segment.
    pub segment: u32,
    /// Since when, for the pin of an [`OwnedGuard`](crate::OwnedGuard). `None` for a
    /// [`Guard`](crate::Guard), which notes no time: asking the clock would take as long as the
    /// read.
    pub age: Option<Duration>,
}

/// The pins of owned guards.
pub(crate) fn pin_words(attachments: &[Attachment]) -> Vec<Pin> {
    let now = coarse_micros();
    let mut found = Vec::new();
    for row in attachments {
        let member = OwnerWord(row.owner.load(Acquire)).member();
        let used = (row.pins_used.load(Acquire) as usize).min(row.pins.len());
        for (pin, since) in row.pins[..used].iter().zip(&row.pinned_at).filter(|_| member != 0) {
            if let Some(segment) = pin.load(Acquire).checked_sub(1) {
                let age = Duration::from_micros(now.saturating_sub(since.load(Relaxed)));
                found.push(Pin { member, segment: segment as u32, age: Some(age) });
            }
        }
    }
    found
}

impl Mapped {
    /// The pins of owned guards.
    pub(crate) fn pin_words(&self) -> Vec<Pin> {
        pin_words(&self.attachments)
    }

    /// The pins, and the hazard words that guards hold.
    pub(crate) fn pins_and_guards(&self) -> Vec<Pin> {
        let mut found = self.pin_words();
        for thread in self.threads.iter() {
            let member = OwnerWord(thread.owner.load(Acquire)).member();
            let guards = thread.hazards.iter().skip(OPERATION_HAZARDS);
            let guards = guards.filter_map(|word| word.load(Acquire).checked_sub(1));
            let pins = guards.map(|segment| Pin { member, segment: segment as u32, age: None });
            found.extend(pins.filter(|_| member != 0));
        }
        found
    }
}
