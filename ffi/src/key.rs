//! Keys that are read often: looked up once, then read without hash, probe or comparison.

use std::ffi::c_void;
use std::ptr;

use crate::boundary::entry;
use crate::desk::{self, Lend};
use crate::region::REGIONS;
use crate::status::{VUG_NOT_FOUND, VUG_OK, vug_status_t};
use crate::types::{vug_key_t, vug_region_t, vug_view_t};
use crate::view::{copied, no_place};

/// Makes a handle of a key that is read often; the key need not be in the region. It belongs to the
/// calling thread, ends with it, and keeps the region open. Reads see every change, and are as fast
/// as can be while the entry is not written. Free it with vug_key_free().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_INVALID_KEY,
/// VUG_ERR_NOT_ALLOWED, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_TOO_MANY_HANDLES (a thread has 65536),
/// VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED,
/// VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_key_new(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    handle: *mut *mut vug_key_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.handle_output(handle, "handle")?;
        let key = caller.key(key, key_len)?;
        let made = caller.with(&REGIONS, region, |area| Ok(area.shared()?.handle(key)?))?;
        let number = desk::with(|desk| desk.add_key(made))??;
        output.set(ptr::without_provenance_mut(number));
        Ok(VUG_OK)
    })
}

/// Reads the value without a copy, as vug_get() does. A thread has at most five such views at a
/// time. The view stays when the handle is freed.
///
/// Returns what vug_get() returns, and VUG_ERR_THREAD.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_key_get(
    handle: *const vug_key_t,
    view: *mut vug_view_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(view, "view")?;
        match desk::with(|desk| desk.lend_key(handle.addr()))?? {
            Lend::View(view) => {
                output.set(view.into());
                Ok(VUG_OK)
            }
            Lend::Nothing => Ok(VUG_NOT_FOUND),
            Lend::NoPlace => Err(no_place("read by vug_key_get_copy")),
        }
    })
}

/// Copies the value to `buffer`, as vug_get_copy() does.
///
/// Returns what vug_get_copy() returns, and VUG_ERR_THREAD.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_key_get_copy(
    handle: *const vug_key_t,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(len, "len")?;
        let buffer = caller.slice_to_fill(buffer, capacity)?;
        let read = |key: &std::rc::Rc<vug::Handle>| Ok(key.read(buffer)?);
        let found = desk::with(|desk| desk.with_key(handle.addr(), read))??;
        copied(found, capacity, &mut output)
    })
}

/// Frees a handle of a key.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_THREAD, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_key_free(handle: *mut vug_key_t) -> vug_status_t {
    entry!(|_caller| {
        desk::with(|desk| desk.remove_key(handle.addr()))??;
        Ok(VUG_OK)
    })
}
