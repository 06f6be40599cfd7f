//! Reading: views into shared memory, and copies.

use std::ffi::c_void;

use crate::boundary::entry;
use crate::handle::{Kind, Table};
use crate::region::REGIONS;
use crate::status::{Failure, VUG_ERR_BUFFER, VUG_NOT_FOUND, VUG_OK, vug_status_t};
use crate::types::{vug_region_t, vug_view_t};

static VIEWS: Table<c_void, vug::OwnedGuard> = Table::new(Kind::View);

/// Reads the value of a key without a copy. The view pins the log segment that holds the value, a
/// small part of the region, until vug_view_release(): hold views briefly. It may be used and
/// released by any thread.
///
/// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_DAMAGED, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL. After anything but VUG_OK the view
/// is empty, and there is nothing to release.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_get(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    view: *mut vug_view_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(view, "view")?;
        let region = caller.object(&REGIONS, region)?;
        let Some(guard) = region.get_owned(caller.key(key, key_len)?)? else {
            return Ok(VUG_NOT_FOUND);
        };
        let token = guard.token().into();
        let (pin, guard) = VIEWS.insert(guard)?;
        let value: &[u8] = &guard;
        output.set(vug_view_t { data: value.as_ptr().cast(), len: value.len(), token, pin });
        Ok(VUG_OK)
    })
}

/// Ends a view and makes the structure empty. Releasing an empty view, or a copy of a view that
/// was released, changes nothing and returns VUG_ERR_HANDLE.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_view_release(view: *mut vug_view_t) -> vug_status_t {
    entry!(|caller| {
        let pin = caller.read(view, "view")?.pin;
        caller.output(view, "view")?;
        VIEWS.remove(pin)?;
        Ok(VUG_OK)
    })
}

/// Copies the value of a key to `buffer`. `len` receives the length of the value, also if the
/// buffer is too small: then nothing is copied and the status is VUG_ERR_BUFFER. `buffer` may be
/// NULL if `capacity` is 0. Nothing is to be released.
///
/// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_get_copy(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(len, "len")?;
        let region = caller.object(&REGIONS, region)?;
        let Some(guard) = region.get(caller.key(key, key_len)?)? else {
            return Ok(VUG_NOT_FOUND);
        };
        output.set(guard.len());
        if caller.buffer(buffer, capacity)?.fill(&guard) {
            return Ok(VUG_OK);
        }
        Err(Failure::new(
            VUG_ERR_BUFFER,
            format_args!("the value has {} bytes, the buffer {capacity}", guard.len()),
            "pass a buffer of the length that was stored, or use vug_get",
        ))
    })
}
