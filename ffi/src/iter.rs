//! Iteration over the entries of a region.

use std::sync::{Mutex, PoisonError};

use crate::boundary::{Walk, entry};
use crate::handle::{Kind, Table};
use crate::region::REGIONS;
use crate::status::{VUG_END, VUG_OK, vug_status_t};
use crate::types::{vug_entry_t, vug_iter_t, vug_region_t};

/// `shown` owns the bytes of the entry that C sees.
struct Position {
    walk: Walk,
    shown: Option<vug::Entry>,
}

static ITERS: Table<vug_iter_t, Mutex<Position>> = Table::new(Kind::Iter);

/// Begins an iteration. It never stops writers and is weakly consistent: an entry that is there
/// all the time is seen at least once, one that comes, goes or changes meanwhile may be seen or
/// not. Between calls the iterator pins no memory, but keeps the region mapped. Free it with
/// vug_iter_free().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_iter_new(
    region: *const vug_region_t,
    iter: *mut *mut vug_iter_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.handle_output(iter, "iter")?;
        let region = caller.object(&REGIONS, region)?;
        let position = Position { walk: Walk::new(region), shown: None };
        let (handle, _) = ITERS.insert(Mutex::new(position))?;
        output.set(handle);
        Ok(VUG_OK)
    })
}

/// Moves to the next entry and shows it. After VUG_END there is none, and the structure is empty.
///
/// Returns VUG_OK, VUG_END, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_THREADS,
/// VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_iter_next(
    iter: *mut vug_iter_t,
    entry: *mut vug_entry_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(entry, "entry")?;
        let iter = caller.object_for_write(&ITERS, iter)?;
        let mut position = iter.lock().unwrap_or_else(PoisonError::into_inner);
        position.shown = None;
        let Some(next) = position.walk.next() else {
            return Ok(VUG_END);
        };
        let shown = position.shown.insert(next?);
        output.set(vug_entry_t {
            key: shown.key.as_ptr().cast(),
            key_len: shown.key.len(),
            value: shown.value.as_ptr().cast(),
            value_len: shown.value.len(),
            token: shown.token.into(),
        });
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
