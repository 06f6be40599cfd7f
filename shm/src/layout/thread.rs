//! Thread descriptors and member attachments of a region.

use crate::layout::counters::COUNTERS;
use crate::os::mapping::Shared;
use crate::sync::AtomicU64;

/// Hazard words of a thread.
pub(crate) const HAZARDS: usize = 8;
/// Of these the first three serve running operations ...
pub(crate) const OPERATION_HAZARDS: usize = 3;
/// ... and the last of them whoever moves a chain to the next table.
pub(crate) const MOVER_HAZARD: usize = 2;
/// Pin words of an attachment.
pub(crate) const PINS: usize = 254;

/// Subscriptions of a member whose positions others can see.
pub(crate) const CURSORS: usize = 64;

/// One thread of one member in one region: eight cache lines. Every word is written by the owning
/// thread alone, except `owner` (by whoever claims or recovers the descriptor).
#[derive(Debug)]
#[repr(C, align(256))]
pub(crate) struct ThreadDescriptor {
    /// Segment number + 1 that must not be reused; 0 = none.
    /// ... and the others held by guards until they are dropped.
    pub(crate) hazards: [AtomicU64; HAZARDS],

    /// 0 = free; else `OwnerWord`.
    pub(crate) owner: AtomicU64,
    /// Closed time: 0 = not writing, else no version of the running write will be lower than this.
    pub(crate) active_since: AtomicU64,
    /// Ring tail when the running operation began: where recovery starts to look.
    pub(crate) ring_start: AtomicU64,
    /// Last stamp given to an empty slot word. Never reset, also not when the owner changes.
    pub(crate) stamp: AtomicU64,
    /// `SlotRef` of the first slot of the overflow bucket being claimed, + 1; 0 = none.
    pub(crate) overflow_claim: AtomicU64,
    /// Index table + 1 that the running operation may look at, and all later ones; 0 = none.
    pub(crate) table_pin: AtomicU64,
    /// Since when the thread waits for acknowledgements of other nodes, microseconds since 1970;
    /// 0 = it does not. For people only.
    pub(crate) waiting_since: AtomicU64,
    /// Ring position it waits for.
    pub(crate) waiting_for: AtomicU64,

    /// The running write, for recovery. See `region::write` for the order of stores.
    pub(crate) intent: Intent,

    /// The insert that a pending bucket header names, for helpers.
    pub(crate) insert: InsertDescriptor,
    /// What the thread counts, by `Counter`. Never reset, also not when the owner changes.
    pub(crate) counters: [AtomicU64; COUNTERS],
}

/// What a write is about to do. `record` set = there is something to recover.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Intent {
    /// Location + 1 of the new record; set first, cleared first.
    pub(crate) record: AtomicU64,
    /// `SlotRef::to_word`, 0 = the slot is not known yet, so nothing can be published.
    pub(crate) slot: AtomicU64,
    /// Slot word that is replaced.
    pub(crate) old: AtomicU64,
    /// Slot word that replaces it.
    pub(crate) new: AtomicU64,
    /// `RingOp` + 1 of the announcement; 5: of an eviction, 6: of what is done to the whole region;
    /// 0 = none.
    pub(crate) announce: AtomicU64,
    pub(crate) reserved: [AtomicU64; 3],
}

/// The insert that anybody may finish.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct InsertDescriptor {
    /// Number of the insert; its low 19 bits are in the pending header.
    pub(crate) sequence: AtomicU64,
    /// `SlotRef::to_word`.
    pub(crate) slot: AtomicU64,
    /// Empty word that is replaced.
    pub(crate) expected: AtomicU64,
    /// Word that is inserted.
    pub(crate) new: AtomicU64,
}

/// A member in a region and the segments it pins.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Attachment {
    /// 0 = free; else `OwnerWord`.
    pub(crate) owner: AtomicU64,
    /// Highest pin word in use so far + 1.
    pub(crate) pins_used: AtomicU64,
    /// Segment number + 1; 0 = none.
    pub(crate) pins: [AtomicU64; PINS],
    /// When the pin of the same number was set, microseconds since 1970; for people only.
    pub(crate) pinned_at: [AtomicU64; PINS],
    /// 1 = its threads set hazard words by plain stores: a barrier before anybody looks at them.
    pub(crate) plain_hazards: AtomicU64,
    pub(crate) reserved: AtomicU64,

    // For people only, from here on; written by the member alone, or who recovers it.
    /// When the member opened the region, microseconds since 1970.
    pub(crate) attached_at: AtomicU64,
    /// Odd while `base` is being changed.
    pub(crate) base_sequence: AtomicU64,
    /// What the counters of the member's thread descriptors were when it took them, summed up.
    pub(crate) base: [AtomicU64; COUNTERS],
    /// Ring position + 1 that a subscription reads next; 0 = none.
    pub(crate) cursors: [AtomicU64; CURSORS],
    pub(crate) people_reserved: [AtomicU64; 26],
}

// SAFETY: repr(C), atomics only.
unsafe impl Shared for ThreadDescriptor {}
// SAFETY: repr(C), atomics only.
unsafe impl Shared for Attachment {}

/// Owner of a descriptor or attachment: member id (slot 16 bits, generation 46 bits) and state 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OwnerWord(pub(crate) u64);

impl OwnerWord {
    const RECOVERING: u64 = 1 << 63;

    /// The member uses it.
    pub(crate) fn live(member: u64) -> Self {
        Self(member)
    }

    /// The member cleans up after a dead owner.
    pub(crate) fn recovering(member: u64) -> Self {
        Self(member | Self::RECOVERING)
    }

    /// The member that must be alive for the word to mean anything.
    pub(crate) fn member(self) -> u64 {
        self.0 & !Self::RECOVERING
    }
}

#[cfg(not(vug_loom))]
const _: () = {
    assert!(size_of::<ThreadDescriptor>() == 512);
    assert!(core::mem::offset_of!(ThreadDescriptor, owner) == 64);
    assert!(core::mem::offset_of!(ThreadDescriptor, intent) == 128);
    assert!(core::mem::offset_of!(ThreadDescriptor, insert) == 192);
    assert!(core::mem::offset_of!(ThreadDescriptor, counters) == 224);
    assert!(core::mem::offset_of!(Attachment, attached_at) == 4096);
    assert!(size_of::<Attachment>() == 5120);
};
