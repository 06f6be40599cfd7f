//! What the library tells in structures that grow with its versions: the caller passes the size of
//! the one it knows.

use std::ffi::c_void;
use std::ptr;

use crate::types::vug_token_t;

/// What is known of a node.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_node_info_t {
    /// Random identity of the node, made with it; zeros if the node file cannot be read.
    pub id: [u8; 16],
    /// Number of the node in its cluster; 0 until one is assigned.
    pub origin: u32,
    /// How it was opened, one of VUG_ACCESS_*.
    pub access: u32,
    /// Members of the node, dead ones too until they are recovered.
    pub members: u32,
    /// Process id of the running bridge; 0: none runs.
    pub bridge_pid: u32,
}

const _: () = assert!(size_of::<vug_node_info_t>() == 32, "no padding");

/// What is known of an entry, valid or not.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_entry_info_t {
    /// Its state; `kind` says whether it has a value.
    pub token: vug_token_t,
    /// Length of its value in bytes.
    pub value_len: u64,
    /// When it expires if it is neither written nor read until then, in nanoseconds since 1970;
    /// 0: never.
    pub expires_ns: u64,
    /// When it was written, in nanoseconds since 1970; 0 in a region of scope local that never had
    /// a time to live, where nobody asks the clock.
    pub modified_ns: u64,
    /// When it was last read or written, in nanoseconds since 1970, as far as that is noted: reads
    /// at most once a second, or in a sixteenth of the idle time; 0 in a region without idle time.
    pub accessed_ns: u64,
}

const _: () = assert!(size_of::<vug_entry_info_t>() == 48, "no padding");

/// A key that was absent is there now; without a value if it was created invalid.
pub const VUG_EVENT_CREATE: u32 = 1;
/// A key that was there has another value.
pub const VUG_EVENT_UPDATE: u32 = 2;
/// The key is there, its value is not any more.
pub const VUG_EVENT_INVALIDATE: u32 = 3;
/// The same, only on this node.
pub const VUG_EVENT_LOCAL_INVALIDATE: u32 = 4;
/// The key is gone.
pub const VUG_EVENT_DESTROY: u32 = 5;
/// The same, only on this node.
pub const VUG_EVENT_LOCAL_DESTROY: u32 = 6;
/// The value of an entry expired.
pub const VUG_EVENT_EXPIRE_INVALIDATE: u32 = 7;
/// An entry expired.
pub const VUG_EVENT_EXPIRE_DESTROY: u32 = 8;
/// An entry had to make room: `token` and `old_value` are what it had.
pub const VUG_EVENT_EVICT: u32 = 9;
/// Not a change: how an entry is, told while a subscription resynchronises.
pub const VUG_EVENT_RESYNC: u32 = 10;
/// All entries are gone whose version is below that of the token.
pub const VUG_EVENT_CLEAR: u32 = 11;
/// The same, only on this node.
pub const VUG_EVENT_LOCAL_CLEAR: u32 = 12;
/// All entries lost their values.
pub const VUG_EVENT_REGION_INVALIDATE: u32 = 13;
/// The same, only on this node.
pub const VUG_EVENT_LOCAL_REGION_INVALIDATE: u32 = 14;
/// The region is no more: the last event.
pub const VUG_EVENT_REGION_DESTROY: u32 = 15;
/// The same, only on this node.
pub const VUG_EVENT_LOCAL_REGION_DESTROY: u32 = 16;
/// No change: the announcements from `from` up to, not including, `position` cannot be told any
/// more. Look at the region again, or have it resynchronised.
pub const VUG_EVENT_LAPPED: u32 = 100;
/// No change: all entries were told as VUG_EVENT_RESYNC; what was not among them is gone.
pub const VUG_EVENT_IN_SYNC: u32 = 101;

/// This process made the change.
pub const VUG_ORIGIN_THIS_MEMBER: u32 = 1;
/// Another process of the node made it; `origin_number` is its place among the members.
pub const VUG_ORIGIN_MEMBER: u32 = 2;
/// Another node made it; `origin_number` is the number of the node.
pub const VUG_ORIGIN_NODE: u32 = 3;
/// A process of the node made it that did not live to say so, or has not said so yet.
pub const VUG_ORIGIN_UNKNOWN: u32 = 4;

/// There was no value before: the key was absent, or invalid.
pub const VUG_OLD_VALUE_NONE: u32 = 1;
/// `old_value` is the value before.
pub const VUG_OLD_VALUE_KNOWN: u32 = 2;
/// The region does not keep old values, or the memory of this one has been used again.
pub const VUG_OLD_VALUE_NOT_AVAILABLE: u32 = 3;

/// Bit of `flags`: the change was made because the entry had expired.
pub const VUG_EVENT_FLAG_EXPIRATION: u32 = 1;
/// Bit of `flags`: the change was part of an operation on many keys.
pub const VUG_EVENT_FLAG_BULK: u32 = 2;

/// One change. The bytes belong to the subscription until its next call, or to the listener until
/// its function returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_event_t {
    /// What happened, one of VUG_EVENT_*. Later versions may know more.
    pub kind: u32,
    /// VUG_EVENT_FLAG_* bits.
    pub flags: u32,
    /// Position in the event ring; of VUG_EVENT_RESYNC, VUG_EVENT_LAPPED and VUG_EVENT_IN_SYNC
    /// where the subscription goes on.
    pub position: u64,
    /// Of VUG_EVENT_LAPPED: the first position that was missed.
    pub from: u64,
    /// First byte of the key; NULL in events that concern no single key.
    pub key: *const c_void,
    /// Length of the key in bytes.
    pub key_len: usize,
    /// First byte of the new value; NULL if there is none.
    pub value: *const c_void,
    /// Length of the new value in bytes.
    pub value_len: usize,
    /// First byte of the value before; NULL unless `old_value_state` is VUG_OLD_VALUE_KNOWN.
    pub old_value: *const c_void,
    /// Its length in bytes.
    pub old_value_len: usize,
    /// One of VUG_OLD_VALUE_*.
    pub old_value_state: u32,
    /// Who made the change, one of VUG_ORIGIN_*.
    pub origin: u32,
    /// The number that goes with `origin`.
    pub origin_number: u32,
    /// Zero.
    pub reserved: u32,
    /// The new state of the entry; of an eviction the state that it had. Versions of a key grow
    /// from event to event.
    pub token: vug_token_t,
}

const _: () = assert!(size_of::<vug_event_t>() == 104, "no padding");

impl Default for vug_event_t {
    fn default() -> Self {
        Self {
            kind: 0,
            flags: 0,
            position: 0,
            from: 0,
            key: ptr::null(),
            key_len: 0,
            value: ptr::null(),
            value_len: 0,
            old_value: ptr::null(),
            old_value_len: 0,
            old_value_state: 0,
            origin: 0,
            origin_number: 0,
            reserved: 0,
            token: vug_token_t::default(),
        }
    }
}

/// How a listener is doing.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_listener_info_t {
    /// Calls of the function that are over.
    pub delivered: u64,
    /// Evictions of which it could not be told the key.
    pub missed: u64,
    /// VUG_ON: the function is not called any more; the region ended, or there was an error.
    pub finished: u32,
    /// The error after which it ended, or VUG_OK.
    pub error: i32,
}

const _: () = assert!(size_of::<vug_listener_info_t>() == 24, "no padding");

/// What a recovery found and did.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_recovery_t {
    /// Dead members removed from the node.
    pub members: u64,
    /// Places of their threads that became free.
    pub threads: u64,
    /// Inserts finished for them.
    pub inserts_finished: u64,
    /// Changes announced for them.
    pub events_announced: u64,
    /// Log segments that they were filling.
    pub segments_released: u64,
}

const _: () = assert!(size_of::<vug_recovery_t>() == 40, "no padding");

impl From<vug::Recovery> for vug_recovery_t {
    fn from(recovery: vug::Recovery) -> Self {
        Self {
            members: recovery.members.into(),
            threads: recovery.threads.into(),
            inserts_finished: recovery.inserts_finished.into(),
            events_announced: recovery.events_announced.into(),
            segments_released: recovery.segments_released.into(),
        }
    }
}

/// What maintenance did.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_maintenance_t {
    /// For dead members.
    pub recovery: vug_recovery_t,
    /// Entries looked at because they could have expired.
    pub entries_seen: u64,
    /// Of these, entries destroyed or invalidated.
    pub entries_expired: u64,
    /// Segments emptied by copying what lived in them.
    pub segments_cleaned: u64,
    /// Records copied by that.
    pub records_moved: u64,
    /// Bytes of these.
    pub bytes_moved: u64,
    /// Segments that became free.
    pub segments_freed: u64,
}

const _: () = assert!(size_of::<vug_maintenance_t>() == 88, "no padding");

impl From<vug::Maintenance> for vug_maintenance_t {
    fn from(done: vug::Maintenance) -> Self {
        Self {
            recovery: done.recovery.into(),
            entries_seen: done.swept.seen,
            entries_expired: done.swept.expired,
            segments_cleaned: done.segments_cleaned,
            records_moved: done.records_moved,
            bytes_moved: done.bytes_moved,
            segments_freed: done.segments_freed,
        }
    }
}
