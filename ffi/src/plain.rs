//! Types that C and Rust copy byte by byte.

use crate::options::*;
use crate::reports::*;
use crate::statistics::vug_statistics_t;
use crate::types::*;

/// Types for which any bytes are a value, and whose bytes can all be read.
///
/// # Safety
///
/// Only integers, raw pointers and arrays of them, no padding.
pub(crate) unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($name:ty,)*) => {$(
        // SAFETY: integers, raw pointers and arrays of them; the assertion beside the type shows
        // that none is padded.
        unsafe impl Plain for $name {}
    )*};
}

plain! {
    u8,
    u32,
    vug_bytes_t,
    vug_pair_t,
    vug_token_t,
    vug_view_t,
    vug_node_options_t,
    vug_region_options_t,
    vug_write_options_t,
    vug_read_options_t,
    vug_listen_options_t,
    vug_maintain_options_t,
    vug_node_info_t,
    vug_entry_info_t,
    vug_event_t,
    vug_listener_info_t,
    vug_recovery_t,
    vug_maintenance_t,
    vug_statistics_t,
}
