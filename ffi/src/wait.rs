//! Waiting for changes.

use std::ffi::c_void;

use crate::boundary::entry;
use crate::region::REGIONS;
use crate::status::{VUG_OK, VUG_TIMEOUT, vug_status_t};
use crate::subscribe::deadline;
use crate::types::{vug_region_t, vug_token_t};

/// Waits until the state of a key differs from `since` and stores the state that it has then, zeros
/// if the key is absent. `since` NULL, or a token of zeros, is the state of a key that is absent;
/// it may be the same object as `token`. Every change makes a token of its own, so none is missed
/// but those after which the key is absent again.
///
/// `timeout_ns` in nanoseconds; 0: only look; VUG_FOREVER: as long as it takes. After VUG_TIMEOUT
/// `token` is zeros.
///
/// Returns VUG_OK, VUG_TIMEOUT, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_NOT_ALLOWED, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_wait_for_change(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    since: *const vug_token_t,
    timeout_ns: u64,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        // Read before the output is cleared: both may be one object.
        let since =
            if since.is_null() { vug_token_t::default() } else { caller.read(since, "since")? };
        let mut output = caller.output(token, "token")?;
        let since = since.to_token_or_none("since")?;
        let key = caller.key(key, key_len)?;
        let waited = caller.with(&REGIONS, region, |area| {
            Ok(area.shared()?.wait_for_change(key, since, deadline(timeout_ns))?)
        })?;
        let vug::Waited::Changed(found) = waited else {
            return Ok(VUG_TIMEOUT);
        };
        output.set(found.map_or_else(vug_token_t::default, vug_token_t::from));
        Ok(VUG_OK)
    })
}

/// Stores the position in the event ring behind the last change of a region, for
/// vug_wait_for_region_change().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_position(
    region: *const vug_region_t,
    position: *mut u64,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(position, "position")?;
        output.set(caller.with(&REGIONS, region, |area| Ok(area.shared()?.position()))?);
        Ok(VUG_OK)
    })
}

/// Waits until there are changes behind position `since` and stores the position behind the last
/// one. `timeout_ns` as in vug_wait_for_change().
///
/// Returns VUG_OK, VUG_TIMEOUT, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_wait_for_region_change(
    region: *const vug_region_t,
    since: u64,
    timeout_ns: u64,
    position: *mut u64,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(position, "position")?;
        let waited = caller.with(&REGIONS, region, |area| {
            Ok(area.shared()?.wait_for_region_change(since, deadline(timeout_ns))?)
        })?;
        let vug::Waited::Changed(found) = waited else {
            return Ok(VUG_TIMEOUT);
        };
        output.set(found);
        Ok(VUG_OK)
    })
}
