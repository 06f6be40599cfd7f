//! Iteration over the entries or keys of a region.

use std::sync::Mutex;

use crate::boundary::{Caller, Step, Walk, entry, exclusive};
use crate::handle::{Kind, Table};
use crate::region::REGIONS;
use crate::status::{Failure, VUG_END, VUG_OK, vug_status_t};
use crate::types::{vug_entry_t, vug_iter_t, vug_region_t};

/// `shown` owns the bytes of the entry that C sees.
struct Position {
    walk: Walk,
    shown: Option<Step>,
}

static ITERS: Table<vug_iter_t, Mutex<Position>> = Table::new(Kind::Iter);

fn begin(
    caller: &Caller,
    region: *const vug_region_t,
    keys: bool,
    iter: *mut *mut vug_iter_t,
) -> Result<vug_status_t, Failure> {
    let mut output = caller.handle_output(iter, "iter")?;
    let walk = Walk::new(caller.object(&REGIONS, region)?, keys)?;
    output.set(ITERS.insert(Mutex::new(Position { walk, shown: None }))?);
    Ok(VUG_OK)
}

/// Begins an iteration over the entries that have a value. It never stops writers and is weakly
/// consistent: an entry that is there all the time is seen at least once, one that comes, goes or
/// changes meanwhile may be seen or not. Between calls the iterator pins no memory, but keeps the
/// region mapped. Free it with vug_iter_free().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_iter_new(
    region: *const vug_region_t,
    iter: *mut *mut vug_iter_t,
) -> vug_status_t {
    entry!(|caller| begin(caller, region, false, iter))
}

/// Begins an iteration over the keys that are in the region, with a value or without. The entries
/// that it shows have a key only.
///
/// Returns what vug_iter_new() returns, and VUG_ERR_NOT_ALLOWED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_iter_new_keys(
    region: *const vug_region_t,
    iter: *mut *mut vug_iter_t,
) -> vug_status_t {
    entry!(|caller| begin(caller, region, true, iter))
}

/// Moves to the next entry and shows it. After VUG_END there is none, and the structure is empty.
///
/// Returns VUG_OK, VUG_END, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY, VUG_ERR_POISONED,
/// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
/// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_iter_next(
    iter: *mut vug_iter_t,
    entry: *mut vug_entry_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(entry, "entry")?;
        let iter = caller.object_for_write(&ITERS, iter)?;
        let mut position = exclusive(&iter)?;
        position.shown = None;
        let Some(next) = position.walk.next() else {
            return Ok(VUG_END);
        };
        let shown = position.shown.insert(next?);
        let mut show = vug_entry_t {
            key: shown.key.as_ptr().cast(),
            key_len: shown.key.len(),
            ..vug_entry_t::default()
        };
        if let Some((value, token)) = &shown.entry {
            show.value = value.as_ptr().cast();
            show.value_len = value.len();
            show.token = (*token).into();
        }
        output.set(show);
        Ok(VUG_OK)
    })
}

/// Ends an iteration. May be called at any point of it.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_iter_free(iter: *mut vug_iter_t) -> vug_status_t {
    entry!(|_caller| {
        ITERS.remove(iter)?;
        Ok(VUG_OK)
    })
}
