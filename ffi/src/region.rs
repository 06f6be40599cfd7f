//! Regions: creating, opening and closing them.

use std::ffi::c_char;

use crate::boundary::{Caller, entry};
use crate::handle::{Kind, Table};
use crate::node::NODES;
use crate::options::vug_region_options_t;
use crate::status::{Failure, VUG_OK, vug_status_t};
use crate::types::{vug_node_t, vug_region_t};

pub(crate) static REGIONS: Table<vug_region_t, vug::Region> = Table::new(Kind::Region);

type Open = fn(vug::RegionBuilder<'_>) -> vug::Result<vug::Region>;

/// What the three ways to a region have in common.
fn open_with(
    caller: &Caller,
    node: *const vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
    open: Open,
) -> Result<vug_status_t, Failure> {
    let mut output = caller.handle_output(region, "region")?;
    let node = caller.object_for_write(&NODES, node)?;
    // A name that is not UTF-8 becomes one that no region can have; the library names the error.
    let name = String::from_utf8_lossy(caller.text(name, "name")?);
    let mut builder = node.region(&name);
    if !options.is_null() {
        builder = caller.options(options)?.apply(builder)?;
    }
    let (handle, _) = REGIONS.insert(open(builder)?)?;
    output.set(handle);
    Ok(VUG_OK)
}

/// Creates the region `name` and opens it. `options` may be NULL: all defaults. When several
/// processes create the same region, one succeeds and the others get VUG_ERR_REGION_EXISTS.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_INVALID_ATTRIBUTES, VUG_ERR_REGION_EXISTS,
/// VUG_ERR_NOT_BUILT_YET, VUG_ERR_FILE_SYSTEM_FULL, VUG_ERR_FORKED_CHILD, VUG_ERR_IO,
/// VUG_ERR_SYSTEM, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_create(
    node: *mut vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
) -> vug_status_t {
    entry!(|caller| open_with(caller, node, name, options, region, |builder| builder.create()))
}

/// Opens the existing region `name`. `options` may be NULL: whatever it is like.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_REGION_NOT_FOUND, VUG_ERR_ATTRIBUTES_DIFFER, an error
/// about the file (-101 to -112), VUG_ERR_FORKED_CHILD, VUG_ERR_IO, VUG_ERR_SYSTEM,
/// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_open(
    node: *mut vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
) -> vug_status_t {
    entry!(|caller| open_with(caller, node, name, options, region, |builder| builder.open()))
}

/// Opens the region `name`, and creates it if there is none. Safe to call from many processes at
/// once: all of them get the same region. `options` may be NULL.
///
/// Returns what vug_region_create() and vug_region_open() return, but neither
/// VUG_ERR_REGION_EXISTS nor VUG_ERR_REGION_NOT_FOUND.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_open_or_create(
    node: *mut vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
) -> vug_status_t {
    entry!(|caller| {
        open_with(caller, node, name, options, region, |builder| builder.open_or_create())
    })
}

/// Closes a region handle. The region and its entries stay. Views and iterators made from the
/// handle stay usable, and so do calls that are under way in other threads; the memory is unmapped
/// when the last of them is done.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_region_close(region: *mut vug_region_t) -> vug_status_t {
    entry!(|_caller| {
        REGIONS.remove(region)?;
        Ok(VUG_OK)
    })
}
