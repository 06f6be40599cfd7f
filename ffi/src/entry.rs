//! Writing entries, and counting them.

use std::ffi::c_void;

use crate::boundary::{Caller, Output, entry};
use crate::region::REGIONS;
use crate::status::{Failure, VUG_CHANGED, VUG_NOT_FOUND, VUG_OK, vug_status_t};
use crate::types::{vug_region_t, vug_token_t};

type TokenOutput<'call> = Option<Output<'call, vug_token_t>>;

fn token_output(caller: &Caller, token: *mut vug_token_t) -> Result<TokenOutput<'_>, Failure> {
    caller.optional_output(token, "token")
}

fn store(output: TokenOutput<'_>, token: vug::Token) {
    if let Some(mut output) = output {
        output.set(token.into());
    }
}

/// Stores a value under a key, whether there was one or not. `value` may be NULL if `value_len`
/// is 0. `token` (may be NULL) receives the token of the new state.
///
/// In a region with scope distributed-ack the call returns when the other nodes have the change.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_VALUE_TOO_LARGE, VUG_ERR_OUT_OF_SPACE, VUG_ERR_FILE_SYSTEM_FULL,
/// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_DAMAGED, VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_put(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let region = caller.object_for_write(&REGIONS, region)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        store(output, region.put(key, value)?.token);
        Ok(VUG_OK)
    })
}

/// Stores a value under a key that is not in the region yet; fails with VUG_ERR_ENTRY_EXISTS if
/// it is. Of several members that create one key at a time, one succeeds.
///
/// Returns what vug_put() returns, and VUG_ERR_ENTRY_EXISTS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_create(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let region = caller.object_for_write(&REGIONS, region)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        store(output, region.create(key, value)?.token);
        Ok(VUG_OK)
    })
}

/// Stores a value under a key only if the key is in the region.
///
/// Returns what vug_put() returns, and VUG_NOT_FOUND.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_replace(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let region = caller.object_for_write(&REGIONS, region)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let Some(outcome) = region.replace(key, value)? else {
            return Ok(VUG_NOT_FOUND);
        };
        store(output, outcome.token);
        Ok(VUG_OK)
    })
}

/// Stores a value under a key only if the entry is still in the state that `expected` names.
/// `token` (may be NULL, may be the same object as `expected`) receives the entry's token after the
/// call: of the new state after VUG_OK, of the state that was found after VUG_CHANGED, zeros if
/// there is no entry.
///
/// Returns what vug_put() returns, and VUG_CHANGED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_compare_and_swap(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    expected: *const vug_token_t,
    value: *const c_void,
    value_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        // Read before the output is cleared: both may be one object.
        let expected = caller.read(expected, "expected");
        let output = token_output(caller, token)?;
        let region = caller.object_for_write(&REGIONS, region)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        match region.compare_and_swap(key, expected?.to_token()?, value)? {
            vug::Swap::Swapped(outcome) => {
                store(output, outcome.token);
                Ok(VUG_OK)
            }
            vug::Swap::Changed(found) => {
                if let Some(found) = found {
                    store(output, found);
                }
                Ok(VUG_CHANGED)
            }
        }
    })
}

/// Removes a key and its value. `token` (may be NULL) receives the token of the removal.
///
/// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED,
/// VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY, VUG_ERR_OUT_OF_SPACE, VUG_ERR_TOO_MANY_THREADS,
/// VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED,
/// VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_delete(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let region = caller.object_for_write(&REGIONS, region)?;
        let Some(outcome) = region.remove(caller.key(key, key_len)?)? else {
            return Ok(VUG_NOT_FOUND);
        };
        store(output, outcome.token);
        Ok(VUG_OK)
    })
}

/// Counts the entries of a region by a scan of its index: not for a hot path.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_len(region: *const vug_region_t, len: *mut u64) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(len, "len")?;
        output.set(caller.object(&REGIONS, region)?.len()?);
        Ok(VUG_OK)
    })
}
