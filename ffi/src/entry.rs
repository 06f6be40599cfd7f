//! Writing entries.

use std::ffi::c_void;

use crate::boundary::{Caller, Output, entry};
use crate::options::vug_write_options_t;
use crate::region::REGIONS;
use crate::status::{Failure, VUG_CHANGED, VUG_NOT_FOUND, VUG_OK, VUG_PRESENT, vug_status_t};
use crate::types::{vug_departed_t, vug_region_t, vug_token_t, vug_view_t};
use crate::view;

type TokenOutput<'call> = Option<Output<'call, vug_token_t>>;

#[inline(always)]
fn token_output(caller: &Caller, token: *mut vug_token_t) -> Result<TokenOutput<'_>, Failure> {
    caller.optional_output(token, "token")
}

#[inline(always)]
fn store(output: TokenOutput<'_>, token: vug::Token) -> vug_status_t {
    if let Some(mut output) = output {
        output.set(token.into());
    }
    VUG_OK
}

/// What C wants to know of a write that has options.
struct Answer<'call> {
    token: TokenOutput<'call>,
    departed: Option<Output<'call, vug_departed_t>>,
}

impl<'call> Answer<'call> {
    /// The options of a write, and where its answer goes.
    fn with_options(
        caller: &'call Caller,
        options: *const vug_write_options_t,
        token: TokenOutput<'call>,
    ) -> Result<(Self, vug::WriteOptions), Failure> {
        let options = caller.options_or_default(options)?;
        let departed = caller.optional_output(options.departed, "options.departed")?;
        Ok((Self { token, departed }, options.to_options()?))
    }

    fn done(self, outcome: &vug::Outcome) -> vug_status_t {
        if let Some(mut departed) = self.departed {
            departed.set(outcome.departed.into());
        }
        store(self.token, outcome.token)
    }

    /// The status of a write that happens to a known key only.
    fn done_if(self, outcome: Option<vug::Outcome>) -> vug_status_t {
        outcome.map_or(VUG_NOT_FOUND, |outcome| self.done(&outcome))
    }

    fn swapped(self, swap: vug::Swap) -> vug_status_t {
        match swap {
            vug::Swap::Swapped(outcome) => self.done(&outcome),
            vug::Swap::Changed(found) => {
                if let Some(found) = found {
                    store(self.token, found);
                }
                VUG_CHANGED
            }
        }
    }
}

/// Does something to a region that changes an entry.
#[inline(always)]
fn change<R>(
    caller: &Caller,
    region: *mut vug_region_t,
    f: impl FnOnce(&vug::Region) -> vug::Result<R>,
) -> Result<R, Failure> {
    caller.with_for_write(&REGIONS, region, |area| Ok(f(area.shared()?)?))
}

/// The status of a write that happens to a known key only.
fn stored(output: TokenOutput<'_>, outcome: Option<vug::Outcome>) -> vug_status_t {
    outcome.map_or(VUG_NOT_FOUND, |outcome| store(output, outcome.token))
}

/// Stores a value under a key, whether there was one or not. `value` may be NULL if `value_len`
/// is 0. `token` (may be NULL) receives the token of the new state.
///
/// In a region with scope distributed-ack the call returns when the other nodes have the change.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_VALUE_TOO_LARGE, VUG_ERR_OUT_OF_SPACE, VUG_ERR_FILE_SYSTEM_FULL,
/// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
/// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
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
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let outcome = change(caller, region, |region| region.put(key, value))?;
        Ok(store(output, outcome.token))
    })
}

/// vug_put() with options: a time to live of the entry, a limit for the wait. `options` may be NULL
/// here and in all functions below: all defaults.
///
/// Returns what vug_put() returns, and VUG_ERR_ACK_TIMEOUT: then the write itself is done here, and
/// `departed` of the options is empty.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_put_with(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let outcome = change(caller, region, |region| region.put_with(key, value, &options))?;
        Ok(answer.done(&outcome))
    })
}

/// vug_put() that also gives the value that was replaced: `old` is a view of a copy of it, which
/// any thread may use and release. It is empty, its `data` NULL, if there was none: the key was
/// absent or invalid, or the region stores nothing.
///
/// Returns what vug_put() returns, and VUG_ERR_TOO_MANY_HANDLES: then nothing is written.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_swap_value(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    token: *mut vug_token_t,
    old: *mut vug_view_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut old = caller.output(old, "old")?;
        let output = token_output(caller, token)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let place = view::Place::reserve()?;
        let (outcome, found) = change(caller, region, |region| region.swap_value(key, value))?;
        if let Some(found) = found {
            old.set(place.fill(found));
        }
        Ok(store(output, outcome.token))
    })
}

/// Stores a value under a key that is not in the region yet; fails with VUG_ERR_ENTRY_EXISTS if
/// it is. Of several members that create one key at a time, one succeeds.
///
/// Returns what vug_put_with() returns, and VUG_ERR_ENTRY_EXISTS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_create(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let outcome = change(caller, region, |region| region.create_with(key, value, &options))?;
        Ok(answer.done(&outcome))
    })
}

/// Creates an entry without a value: the key is there, and invalid.
///
/// Returns what vug_create() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_create_invalid(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let key = caller.key(key, key_len)?;
        let outcome = change(caller, region, |region| region.create_invalid(key))?;
        Ok(store(output, outcome.token))
    })
}

/// Stores a value under a key unless the key is in the region, with a value or without: then the
/// status is VUG_PRESENT, and `token` is that of the entry that is there.
///
/// Returns what vug_put_with() returns, and VUG_PRESENT.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_put_if_absent(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let put = |region: &vug::Region| region.put_if_absent_with(key, value, &options);
        Ok(match change(caller, region, put)? {
            vug::PutIfAbsent::Created(outcome) => answer.done(&outcome),
            vug::PutIfAbsent::Present { token, .. } => {
                store(answer.token, token);
                VUG_PRESENT
            }
        })
    })
}

/// Stores a value under a key only if the key is in the region, with a value or without.
///
/// Returns what vug_put_with() returns, and VUG_NOT_FOUND.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_replace(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let outcome = change(caller, region, |region| region.replace_with(key, value, &options))?;
        Ok(answer.done_if(outcome))
    })
}

/// Stores a value under a key only if the entry has the value `expected`. After VUG_CHANGED `token`
/// (may be NULL) is that of the entry that is there, zeros if there is none.
///
/// Returns what vug_put_with() returns, and VUG_CHANGED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_replace_if(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    expected: *const c_void,
    expected_len: usize,
    value: *const c_void,
    value_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let expected = caller.optional_bytes(expected, expected_len, "expected")?;
        let replace = |region: &vug::Region| region.replace_if_with(key, expected, value, &options);
        Ok(answer.swapped(change(caller, region, replace)?))
    })
}

/// Stores a value under a key only if the entry is still in the state that `expected` names.
/// `token` (may be NULL, may be the same object as `expected`) receives the entry's token after the
/// call: of the new state after VUG_OK, of the state that was found after VUG_CHANGED, zeros if
/// there is no entry.
///
/// Returns what vug_put_with() returns, and VUG_CHANGED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_compare_and_swap(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    expected: *const vug_token_t,
    value: *const c_void,
    value_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        // Read before the output is cleared: both may be one object.
        let expected = caller.read(expected, "expected");
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let (key, value) = (caller.key(key, key_len)?, caller.value(value, value_len)?);
        let expected = expected?.to_token("expected")?;
        let swap = change(caller, region, |region| {
            region.compare_and_swap_with(key, expected, value, &options)
        })?;
        Ok(answer.swapped(swap))
    })
}

/// Adds `delta` to a counter and stores the sum in `sum` (may be NULL). A key that is not there
/// counts as 0. A counter is a value of eight bytes, a signed integer with the lowest byte first.
///
/// Returns what vug_put_with() returns, VUG_ERR_NOT_A_COUNTER and VUG_ERR_COUNTER_OVERFLOW: then
/// nothing is changed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_increment(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    delta: i64,
    options: *const vug_write_options_t,
    sum: *mut i64,
) -> vug_status_t {
    entry!(|caller| {
        let output = caller.optional_output(sum, "sum")?;
        let options = caller.options_or_default(options)?.to_options()?;
        let key = caller.key(key, key_len)?;
        let sum = change(caller, region, |region| region.increment_with(key, delta, &options))?;
        if let Some(mut output) = output {
            output.set(sum);
        }
        Ok(VUG_OK)
    })
}

/// Removes a key and its value. `token` (may be NULL) receives the token of the removal.
///
/// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED,
/// VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY, VUG_ERR_OUT_OF_SPACE, VUG_ERR_TOO_MANY_THREADS,
/// VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED,
/// VUG_ERR_DAMAGED, VUG_ERR_SYSTEM, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_remove(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let key = caller.key(key, key_len)?;
        let outcome = change(caller, region, |region| region.remove(key))?;
        Ok(stored(output, outcome))
    })
}

/// vug_remove() with options; a time to live has no meaning here.
///
/// Returns what vug_remove() returns, and VUG_ERR_ACK_TIMEOUT.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_remove_with(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let key = caller.key(key, key_len)?;
        let outcome = change(caller, region, |region| region.remove_with(key, &options))?;
        Ok(answer.done_if(outcome))
    })
}

/// Removes a key only if the entry is still in the state that `expected` names. `token` as in
/// vug_compare_and_swap().
///
/// Returns what vug_remove_with() returns, and VUG_CHANGED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_remove_if(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    expected: *const vug_token_t,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        // Read before the output is cleared: both may be one object.
        let expected = caller.read(expected, "expected");
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let key = caller.key(key, key_len)?;
        let expected = expected?.to_token("expected")?;
        let swap = change(caller, region, |region| region.remove_if_with(key, expected, &options))?;
        Ok(answer.swapped(swap))
    })
}

/// Removes a key only if the entry has the value `expected`. `token` as in vug_replace_if().
///
/// Returns what vug_remove_with() returns, and VUG_CHANGED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_remove_if_value(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    expected: *const c_void,
    expected_len: usize,
    options: *const vug_write_options_t,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let (answer, options) = Answer::with_options(caller, options, output)?;
        let key = caller.key(key, key_len)?;
        let expected = caller.optional_bytes(expected, expected_len, "expected")?;
        let swap =
            change(caller, region, |region| region.remove_if_value_with(key, expected, &options))?;
        Ok(answer.swapped(swap))
    })
}

/// Destroys an entry that has to be there: vug_remove() with VUG_ERR_ENTRY_NOT_FOUND in place of
/// VUG_NOT_FOUND.
///
/// Returns what vug_remove() returns, and VUG_ERR_ENTRY_NOT_FOUND.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_destroy(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let key = caller.key(key, key_len)?;
        let outcome = change(caller, region, |region| region.destroy(key))?;
        Ok(store(output, outcome.token))
    })
}

/// vug_destroy() on this node only, for all its processes.
///
/// Returns what vug_destroy() returns; VUG_ERR_NOT_ALLOWED in a distributed replicate.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_local_destroy(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let key = caller.key(key, key_len)?;
        let outcome = change(caller, region, |region| region.local_destroy(key))?;
        Ok(store(output, outcome.token))
    })
}

/// Takes the value of an entry and keeps its key. VUG_CHANGED: it had none, nothing was done.
///
/// Returns what vug_destroy() returns, and VUG_CHANGED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_invalidate(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let key = caller.key(key, key_len)?;
        let outcome = change(caller, region, |region| region.invalidate(key))?;
        Ok(outcome.map_or(VUG_CHANGED, |outcome| store(output, outcome.token)))
    })
}

/// vug_invalidate() on this node only, for all its processes.
///
/// Returns what vug_invalidate() returns; VUG_ERR_NOT_ALLOWED in a distributed replicate.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_local_invalidate(
    region: *mut vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = token_output(caller, token)?;
        let key = caller.key(key, key_len)?;
        let outcome = change(caller, region, |region| region.local_invalidate(key))?;
        Ok(outcome.map_or(VUG_CHANGED, |outcome| store(output, outcome.token)))
    })
}
