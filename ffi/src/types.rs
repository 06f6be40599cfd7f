//! The types of the C interface that are not numbers, options or reports.
#![expect(non_camel_case_types, reason = "names of C types")]

use std::ffi::c_void;
use std::ptr;

use crate::status::{Failure, vug_status_t};

/// A node: one machine's cache, a directory with region files. Opening one makes the process a
/// member of it, unless it is opened for reading only.
#[derive(Debug)]
pub struct vug_node_t(());

/// A region: a named map of keys to values, shared by all members of a node.
#[derive(Debug)]
pub struct vug_region_t(());

/// A key that is read often.
#[derive(Debug)]
pub struct vug_key_t(());

/// The values of many keys.
#[derive(Debug)]
pub struct vug_values_t(());

/// An iteration over the entries or the keys of a region.
#[derive(Debug)]
pub struct vug_iter_t(());

/// A subscription to the changes of a region.
#[derive(Debug)]
pub struct vug_subscription_t(());

/// A function that is called with every change of a region.
#[derive(Debug)]
pub struct vug_listener_t(());

/// The entry has a value.
pub const VUG_KIND_VALUE: u8 = 1;
/// The key is there, its value is not: it was invalidated, or created so.
pub const VUG_KIND_INVALID: u8 = 2;
/// The same, on this node only.
pub const VUG_KIND_LOCAL_INVALID: u8 = 3;
/// The entry was destroyed.
pub const VUG_KIND_TOMBSTONE: u8 = 4;
/// The entry passed through a region that stores nothing.
pub const VUG_KIND_TRANSIT: u8 = 5;

/// Names one state of one entry. Every change of the entry makes a new token. A token of zeros
/// stands for "no entry".
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct vug_token_t {
    /// Version of the entry; grows with every change.
    pub version: u64,
    /// Node on which the change was made; 0 is a node without a number.
    pub origin: u16,
    /// What the state is, one of VUG_KIND_*; 0 in the token of no entry.
    pub kind: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<vug_token_t>() == 16, "no padding");

impl From<vug::Token> for vug_token_t {
    #[inline]
    fn from(token: vug::Token) -> Self {
        Self {
            version: token.version,
            origin: token.origin,
            kind: token.kind as u8,
            reserved: [0; 5],
        }
    }
}

impl vug_token_t {
    /// The token that C got from here, or a refusal.
    pub(crate) fn to_token(self, name: &str) -> Result<vug::Token, Failure> {
        let kinds = [
            vug::Kind::Value,
            vug::Kind::Invalid,
            vug::Kind::LocalInvalid,
            vug::Kind::Tombstone,
            vug::Kind::Transit,
        ];
        let kind = kinds.into_iter().find(|kind| *kind as u8 == self.kind);
        let Some(kind) = kind.filter(|_| self.reserved == [0; 5]) else {
            let help = "pass a token that a vug function stored; to add a key use vug_create";
            let what = format_args!("`{name}` is not the token of an entry");
            return Err(Failure::argument(what, help));
        };
        Ok(vug::Token { version: self.version, origin: self.origin, kind })
    }

    /// The same where a token of zeros is welcome.
    pub(crate) fn to_token_or_none(self, name: &str) -> Result<Option<vug::Token>, Failure> {
        if self == Self::default() { Ok(None) } else { self.to_token(name).map(Some) }
    }
}

/// How many nodes a vug_departed_t names.
pub const VUG_DEPARTED_MAX: usize = 8;

/// Nodes that left the cluster while a write of scope distributed-ack waited for them: all others
/// have the change. None if everybody acknowledged, and where nobody was waited for.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct vug_departed_t {
    /// How many `nodes` are named.
    pub count: u32,
    /// Zero.
    pub reserved: u32,
    /// Their numbers in the cluster. More than so many are not named.
    pub nodes: [u16; VUG_DEPARTED_MAX],
}

const _: () = assert!(size_of::<vug_departed_t>() == 24, "no padding");

impl From<vug::Departed> for vug_departed_t {
    fn from(departed: vug::Departed) -> Self {
        let mut shown = Self::default();
        for (place, node) in shown.nodes.iter_mut().zip(departed.nodes()) {
            *place = *node;
            shown.count += 1;
        }
        shown
    }
}

/// A value in shared memory, read without a copy. It does not change while the view exists, even
/// if the entry is replaced or removed meanwhile. Do not write through `data`. A copy of this
/// structure is the same view: release it once.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_view_t {
    /// First byte of the value, aligned as the region's option `alignment` says (8 by default).
    /// Not NULL, even if the value is empty.
    pub data: *const c_void,
    /// Length of the value in bytes.
    pub len: usize,
    /// The state of the entry that was read.
    pub token: vug_token_t,
    /// What keeps the value in place. Leave it alone.
    pub pin: *mut c_void,
}

const _: () = assert!(size_of::<vug_view_t>() == 40, "no padding");

impl Default for vug_view_t {
    fn default() -> Self {
        Self { data: ptr::null(), len: 0, token: vug_token_t::default(), pin: ptr::null_mut() }
    }
}

/// Bytes of the caller: a key.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_bytes_t {
    /// First byte.
    pub data: *const c_void,
    /// Length in bytes.
    pub len: usize,
}

const _: () = assert!(size_of::<vug_bytes_t>() == 16, "no padding");

/// An entry of the caller, to be stored.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_pair_t {
    /// First byte of the key.
    pub key: *const c_void,
    /// Length of the key in bytes.
    pub key_len: usize,
    /// First byte of the value; may be NULL if it is empty.
    pub value: *const c_void,
    /// Length of the value in bytes.
    pub value_len: usize,
}

const _: () = assert!(size_of::<vug_pair_t>() == 32, "no padding");

/// What became of one key of an operation on many.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_result_t {
    /// VUG_OK, VUG_NOT_FOUND where a key is to be removed, or an error.
    pub status: vug_status_t,
    /// Zero.
    pub reserved: u32,
    /// The token of the new state after VUG_OK, else zeros.
    pub token: vug_token_t,
}

const _: () = assert!(size_of::<vug_result_t>() == 24, "no padding");

/// The value of one key of vug_get_all(). It belongs to the vug_values_t.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_value_t {
    /// First byte of the value, NULL if the key has none; not NULL if the value is empty.
    pub data: *const c_void,
    /// Length of the value in bytes.
    pub len: usize,
    /// The state of the entry that was read; zeros if there is no value.
    pub token: vug_token_t,
}

const _: () = assert!(size_of::<vug_value_t>() == 32, "no padding");

impl Default for vug_value_t {
    fn default() -> Self {
        Self { data: ptr::null(), len: 0, token: vug_token_t::default() }
    }
}

/// An entry as an iteration shows it: copies that belong to the iterator and stay until the next
/// call of vug_iter_next() or vug_iter_free() with it. There is nothing to release.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_entry_t {
    /// First byte of the key.
    pub key: *const c_void,
    /// Length of the key in bytes.
    pub key_len: usize,
    /// First byte of the value; not NULL, even if the value is empty. NULL in an iteration over
    /// keys.
    pub value: *const c_void,
    /// Length of the value in bytes.
    pub value_len: usize,
    /// The state of the entry that was read; zeros in an iteration over keys.
    pub token: vug_token_t,
}

const _: () = assert!(size_of::<vug_entry_t>() == 48, "no padding");

impl Default for vug_entry_t {
    fn default() -> Self {
        Self {
            key: ptr::null(),
            key_len: 0,
            value: ptr::null(),
            value_len: 0,
            token: vug_token_t::default(),
        }
    }
}
