//! The types of the C interface that are not numbers or options.
#![expect(non_camel_case_types, reason = "names of C types")]

use std::ffi::c_void;
use std::ptr;

use crate::status::Failure;

/// A node: one machine's cache, a directory with region files. Opening one makes the process a
/// member of it.
#[derive(Debug)]
pub struct vug_node_t(());

/// A region: a named map of keys to values, shared by all members of a node.
#[derive(Debug)]
pub struct vug_region_t(());

/// An iteration over the entries of a region.
#[derive(Debug)]
pub struct vug_iter_t(());

/// Names one state of one entry. Every change of the entry makes a new token. A token of zeros
/// stands for "no entry".
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct vug_token_t {
    /// Version of the entry; grows with every change.
    pub version: u64,
    /// Node on which the change was made; 0 is a node without a number.
    pub origin: u16,
    /// What the state is: 1 a value; other numbers are states that reads report as not found.
    pub kind: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<vug_token_t>() == 16, "no padding");

impl From<vug::Token> for vug_token_t {
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
    pub(crate) fn to_token(self) -> Result<vug::Token, Failure> {
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
            return Err(Failure::argument("`expected` is not the token of an entry", help));
        };
        Ok(vug::Token { version: self.version, origin: self.origin, kind })
    }
}

/// A value in shared memory, read without a copy. It does not change while the view exists, even
/// if the entry is replaced or removed meanwhile. Do not write through `data`. A copy of this
/// structure is the same view: release it once.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_view_t {
    /// First byte of the value. Not aligned in any particular way.
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

/// An entry as an iteration shows it: copies that belong to the iterator and stay until the next
/// call of vug_iter_next() or vug_iter_free() with it. There is nothing to release.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct vug_entry_t {
    /// First byte of the key.
    pub key: *const c_void,
    /// Length of the key in bytes.
    pub key_len: usize,
    /// First byte of the value; not NULL, even if the value is empty.
    pub value: *const c_void,
    /// Length of the value in bytes.
    pub value_len: usize,
    /// The state of the entry that was read.
    pub token: vug_token_t,
}

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
