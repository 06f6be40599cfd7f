//! Regions: creating, opening and closing them, and what concerns a region as a whole.

use std::ffi::c_char;
use std::time::Duration;

use crate::boundary::{Caller, entry};
use crate::handle::{Kind, Table};
use crate::node::{Home, NODES, read_only};
use crate::options::{vug_maintain_options_t, vug_region_options_t};
use crate::reports::{vug_maintenance_t, vug_recovery_t};
use crate::status::{Failure, VUG_ERR_BUFFER, VUG_OK, vug_status_t};
use crate::types::{vug_node_t, vug_region_t};

pub(crate) static REGIONS: Table<vug_region_t, Area> = Table::new(Kind::Region);

/// What a region handle stands for.
pub(crate) enum Area {
    Shared(vug::Region),
    /// Of a node that is open for reading only.
    Watched(vug::ReadOnlyRegion),
}

impl Area {
    #[inline(always)]
    pub(crate) fn shared(&self) -> Result<&vug::Region, Failure> {
        match self {
            Self::Shared(region) => Ok(region),
            Self::Watched(_) => Err(read_only()),
        }
    }

    fn attributes(&self) -> vug::Attributes {
        match self {
            Self::Shared(region) => region.attributes(),
            Self::Watched(region) => region.attributes(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Shared(region) => region.name(),
            Self::Watched(region) => region.name(),
        }
    }
}

/// Does something to a whole region.
fn on(
    caller: &Caller,
    region: *mut vug_region_t,
    f: impl FnOnce(&vug::Region) -> vug::Result<()>,
) -> Result<vug_status_t, Failure> {
    caller.with_for_write(&REGIONS, region, |area| Ok(f(area.shared()?)?))?;
    Ok(VUG_OK)
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Create,
    Open,
    OpenOrCreate,
}

/// What the three ways to a region have in common.
fn open_with(
    caller: &Caller,
    node: *const vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
    how: How,
) -> Result<vug_status_t, Failure> {
    let mut output = caller.handle_output(region, "region")?;
    // A name that is not UTF-8 becomes one that no region can have; the library names the error.
    let name = String::from_utf8_lossy(caller.text(name, "name")?);
    let options = caller.options_or_default(options)?;
    let area = caller.with_for_write(&NODES, node, |home| match home {
        Home::Member(node) => {
            let builder = options.apply(node.region(&name))?;
            Ok(Area::Shared(match how {
                How::Create => builder.create()?,
                How::Open => builder.open()?,
                How::OpenOrCreate => builder.open_or_create()?,
            }))
        }
        Home::Watched(node) if how != How::Create && options.is_empty() => {
            Ok(Area::Watched(node.region(&name)?))
        }
        Home::Watched(_) => Err(read_only()),
    })?;
    output.set(REGIONS.insert(area)?);
    Ok(VUG_OK)
}

/// Creates the region `name` and opens it. `options` may be NULL: all defaults. When several
/// processes create the same region, one succeeds and the others get VUG_ERR_REGION_EXISTS.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_INVALID_ATTRIBUTES, VUG_ERR_REGION_EXISTS,
/// VUG_ERR_NOT_BUILT_YET, VUG_ERR_NOT_ALLOWED, VUG_ERR_FILE_SYSTEM_FULL, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_IO, VUG_ERR_SYSTEM, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_create(
    node: *mut vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
) -> vug_status_t {
    entry!(|caller| open_with(caller, node, name, options, region, How::Create))
}

/// Opens the existing region `name`. `options` may be NULL: whatever it is like; they have to be
/// where the node is open for reading only.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_REGION_NAME, VUG_ERR_REGION_NOT_FOUND, VUG_ERR_ATTRIBUTES_DIFFER,
/// VUG_ERR_NOT_ALLOWED, an error about the file (-101 to -112), VUG_ERR_FORKED_CHILD, VUG_ERR_IO,
/// VUG_ERR_SYSTEM, VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_open(
    node: *mut vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
) -> vug_status_t {
    entry!(|caller| open_with(caller, node, name, options, region, How::Open))
}

/// Opens the region `name`, and creates it if there is none. Safe to call from many processes at
/// once: all of them get the same region. `options` may be NULL.
///
/// Returns what vug_region_create() and vug_region_open() return, but neither
/// VUG_ERR_REGION_EXISTS nor (as a member) VUG_ERR_REGION_NOT_FOUND.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_open_or_create(
    node: *mut vug_node_t,
    name: *const c_char,
    options: *const vug_region_options_t,
    region: *mut *mut vug_region_t,
) -> vug_status_t {
    entry!(|caller| open_with(caller, node, name, options, region, How::OpenOrCreate))
}

/// Closes a region handle. The region and its entries stay. Views, iterators, key handles,
/// subscriptions and listeners made from the handle stay usable, and so do calls that are under way
/// in other threads; the memory is unmapped when the last of them is done.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_region_close(region: *mut vug_region_t) -> vug_status_t {
    entry!(|_caller| {
        REGIONS.remove(region)?;
        Ok(VUG_OK)
    })
}

/// Ends the use of a region in this process: calls on all handles of it, and waits and
/// subscriptions, return VUG_ERR_REGION_CLOSED from now on. The handles are still to be closed.
/// Views stay as they are.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED, VUG_ERR_REGION_CLOSED,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_FORKED_CHILD, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_close_all(region: *mut vug_region_t) -> vug_status_t {
    entry!(|caller| on(caller, region, |region| region.close()))
}

/// Copies the name of a region to `buffer`, with a zero byte: 129 bytes are enough for all.
/// `needed` (may be NULL) receives the size.
///
/// Returns VUG_OK, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
/// VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_name(
    region: *const vug_region_t,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> vug_status_t {
    entry!(|caller| {
        let needed = caller.optional_output(needed, "needed")?;
        let mut buffer = caller.buffer(buffer.cast(), capacity)?;
        let name = caller.with(&REGIONS, region, |area| Ok(area.name().to_owned()))?;
        if let Some(mut needed) = needed {
            needed.set(name.len() + 1);
        }
        if buffer.fill_text(&name) {
            return Ok(VUG_OK);
        }
        let what = format_args!("the name needs {} bytes, the buffer has {capacity}", name.len());
        Err(Failure::new(VUG_ERR_BUFFER, what, "pass a buffer of 129 bytes"))
    })
}

/// Stores what a region is like now, as options that would make it: `segment_bytes` is what was
/// chosen, times that are not set are VUG_NEVER. `size` is the size of the structure.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_attributes(
    region: *const vug_region_t,
    options: *mut vug_region_options_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.report(options, size, "options")?;
        let attributes = caller.with(&REGIONS, region, |area| Ok(area.attributes()))?;
        let mut options = vug_region_options_t::describe(&attributes);
        options.struct_size = output.size() as u32;
        output.set(options);
        Ok(VUG_OK)
    })
}

/// Changes the attributes that can change, for all members at once: `entry_ttl_ns`,
/// `entry_idle_ns` (VUG_NEVER: entries do not expire any more) with their actions, and
/// `max_entries`. Others have to be 0.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_ATTRIBUTES, VUG_ERR_NOT_BUILT_YET, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_alter(
    region: *mut vug_region_t,
    options: *const vug_region_options_t,
) -> vug_status_t {
    entry!(|caller| {
        let options = caller.options(options)?;
        caller.with_for_write(&REGIONS, region, |area| options.alter(area.shared()?))?;
        Ok(VUG_OK)
    })
}

/// Destroys a region with all its entries, on every node that has it. Handles of it get
/// VUG_ERR_REGION_DESTROYED from now on, in all processes, and are still to be closed; views stay.
/// Its name is free at once, its memory when the last process has let go of it.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_REGION_DESTROYED if somebody was faster, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_IO, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_destroy(region: *mut vug_region_t) -> vug_status_t {
    entry!(|caller| on(caller, region, |region| region.destroy_region()))
}

/// Destroys a region on this node only, for all its processes.
///
/// Returns what vug_region_destroy() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_local_destroy(region: *mut vug_region_t) -> vug_status_t {
    entry!(|caller| on(caller, region, |region| region.local_destroy_region()))
}

/// Takes all entries out of a region, at one instant for all processes of a node, on every node
/// that has it: what is newer there stays. Waits until the nodes that can be reached have done it.
/// One event for the region.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_clear(region: *mut vug_region_t) -> vug_status_t {
    entry!(|caller| on(caller, region, |region| region.clear()))
}

/// vug_region_clear() on this node only, for all its processes.
///
/// Returns what vug_region_clear() returns; VUG_ERR_NOT_ALLOWED in a distributed replicate.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_local_clear(region: *mut vug_region_t) -> vug_status_t {
    entry!(|caller| on(caller, region, |region| region.local_clear()))
}

/// Takes the value of every entry and keeps its key, at one instant for all processes.
///
/// Returns what vug_region_clear() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_invalidate(region: *mut vug_region_t) -> vug_status_t {
    entry!(|caller| on(caller, region, |region| region.invalidate_region()))
}

/// vug_region_invalidate() on this node only, for all its processes.
///
/// Returns what vug_region_local_clear() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_local_invalidate(region: *mut vug_region_t) -> vug_status_t {
    entry!(|caller| on(caller, region, |region| region.local_invalidate_region()))
}

/// Counts the entries of a region, with a value or invalid, by a scan of its index: about a
/// millisecond per million entries.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_len(region: *const vug_region_t, len: *mut u64) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(len, "len")?;
        output.set(caller.with(&REGIONS, region, |area| {
            Ok(match area {
                Area::Shared(region) => region.len()?,
                Area::Watched(region) => region.len()?,
            })
        })?);
        Ok(VUG_OK)
    })
}

/// Recovers what dead members left in a region. `recovery` (may be NULL, then `size` is ignored)
/// receives what was found.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_FORKED_CHILD, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_region_recover(
    region: *mut vug_region_t,
    recovery: *mut vug_recovery_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let output = caller.optional_report(recovery, size, "recovery")?;
        let found =
            caller.with_for_write(&REGIONS, region, |area| Ok(area.shared()?.recover()?))?;
        if let Some(mut output) = output {
            output.set(found.into());
        }
        Ok(VUG_OK)
    })
}

/// Does what writes would have to do sooner or later: recovers dead members, takes out expired
/// entries, frees dead segments, and copies what lives in mostly dead ones until there is room to
/// spare. Any member may call it at any time; nobody waits for it. `options` may be NULL: all
/// defaults; `done` may be NULL, then `size` is ignored.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_FORKED_CHILD, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_region_maintain(
    region: *mut vug_region_t,
    options: *const vug_maintain_options_t,
    done: *mut vug_maintenance_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let output = caller.optional_report(done, size, "done")?;
        let options = caller.options_or_default(options)?.to_options()?;
        let found = caller
            .with_for_write(&REGIONS, region, |area| Ok(area.shared()?.maintain(&options)?))?;
        if let Some(mut output) = output {
            output.set(found.into());
        }
        Ok(VUG_OK)
    })
}

/// Gives the memory of segments that hold nothing back to the system; `bytes` (may be NULL)
/// receives how much. It is taken again as it is needed.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_FORKED_CHILD, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_IO, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_region_release_memory(
    region: *mut vug_region_t,
    bytes: *mut u64,
) -> vug_status_t {
    entry!(|caller| {
        let output = caller.optional_output(bytes, "bytes")?;
        let released = caller
            .with_for_write(&REGIONS, region, |area| Ok(area.shared()?.release_memory()?))?;
        if let Some(mut output) = output {
            output.set(released);
        }
        Ok(VUG_OK)
    })
}

/// Sets how long a read of a key that is not here may ask other nodes, in nanoseconds, for all
/// processes of the node: at least a microsecond, VUG_FOREVER as long as it takes. Five minutes if
/// it was never set.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_NOT_ALLOWED, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_set_search_timeout(
    region: *mut vug_region_t,
    limit_ns: u64,
) -> vug_status_t {
    let limit = match limit_ns {
        u64::MAX => Duration::MAX,
        nanos => Duration::from_nanos(nanos),
    };
    entry!(|caller| on(caller, region, |region| region.set_search_timeout(limit)))
}

/// Stores how long a read of a key that is not here may ask other nodes, in nanoseconds;
/// VUG_FOREVER if that is more than the number can tell.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_search_timeout(
    region: *const vug_region_t,
    limit_ns: *mut u64,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(limit_ns, "limit_ns")?;
        let limit = caller.with(&REGIONS, region, |area| Ok(area.shared()?.search_timeout()))?;
        output.set(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        Ok(VUG_OK)
    })
}

/// Stores the length of the longest value that an entry with a key of `key_len` bytes can have.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_NOT_ALLOWED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_max_value_len(
    region: *const vug_region_t,
    key_len: usize,
    len: *mut u64,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(len, "len")?;
        let max = |area: &Area| Ok(area.shared()?.max_value_len(key_len) as u64);
        output.set(caller.with(&REGIONS, region, max)?);
        Ok(VUG_OK)
    })
}
