//! Layer 0: bytes only. Structures of the files, their offsets, the packing of words; no behaviour.
//! `FORMAT.md` is the specification; a test compares it with these types.

pub(crate) mod bucket;
pub(crate) mod counters;
pub(crate) mod header;
pub(crate) mod node;
pub(crate) mod record;
pub(crate) mod region;
#[cfg(not(vug_loom))]
pub mod render;
pub(crate) mod schema;
pub(crate) mod segment;
pub(crate) mod thread;
pub(crate) mod word;
