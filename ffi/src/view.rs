//! Reading: views into shared memory, copies, and what is known of an entry.

use std::ffi::c_void;
use std::ptr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::boundary::{Caller, Output, entry};
use crate::desk::{self, Lend, View};
use crate::handle::{Kind, Table};
use crate::region::{Area, REGIONS};
use crate::reports::vug_entry_info_t;
use crate::status::{Failure, VUG_ERR_BUFFER, VUG_NOT_FOUND, VUG_OK, vug_status_t};
use crate::types::{vug_region_t, vug_token_t, vug_view_t};

/// Views for all threads.
static VIEWS: Table<c_void, Kept> = Table::new(Kind::View);

/// What keeps the value of a view that is no thread's own.
enum Kept {
    Pinned(vug::OwnedGuard),
    /// Of a region that is open for reading only.
    Copied(vug::Entry),
}

impl Kept {
    /// What C gets to know of it, before it is known by `pin`.
    fn shown(&self) -> vug_view_t {
        let (value, token) = match self {
            Self::Pinned(guard) => (&**guard, guard.token()),
            Self::Copied(entry) => (entry.value.as_slice(), entry.token),
        };
        let (data, len) = (value.as_ptr().cast(), value.len());
        vug_view_t { data, len, token: token.into(), pin: ptr::null_mut() }
    }
}

impl From<View> for vug_view_t {
    #[inline(always)]
    fn from(view: View) -> Self {
        Self {
            data: view.data.cast(),
            len: view.len,
            token: view.token.into(),
            pin: ptr::without_provenance_mut(view.pin),
        }
    }
}

/// Makes a view that any thread may release.
fn get_kept(area: &Area, key: &[u8]) -> Result<Option<vug_view_t>, Failure> {
    let found = match area {
        Area::Shared(region) => region.get_owned(key)?.map(Kept::Pinned),
        Area::Watched(region) => region.get(key)?.map(Kept::Copied),
    };
    let Some(kept) = found else {
        return Ok(None);
    };
    // The bytes do not move with what keeps them.
    let shown = kept.shown();
    let pin = VIEWS.insert(kept)?;
    Ok(Some(vug_view_t { pin, ..shown }))
}

fn store(mut output: Output<'_, vug_view_t>, view: Option<vug_view_t>) -> vug_status_t {
    view.map_or(VUG_NOT_FOUND, |view| {
        output.set(view);
        VUG_OK
    })
}

#[cold]
fn get_owned(
    caller: &Caller,
    region: *const vug_region_t,
    key: &[u8],
    output: Output<'_, vug_view_t>,
) -> Result<vug_status_t, Failure> {
    let found = caller.with(&REGIONS, region, |area| get_kept(area, key))?;
    Ok(store(output, found))
}

/// Reads the value of a key without a copy. The view belongs to the calling thread, which releases
/// it with vug_view_release() before it ends; with the thread it ends, too. It keeps a log segment,
/// a small part of the region, from being used again: hold views briefly. The first five views of
/// a thread cost least.
///
/// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_PINS, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_TOO_MANY_HANDLES,
/// VUG_ERR_INTERNAL. After anything but VUG_OK the view is empty, and there is nothing to release.
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
        let key = caller.key(key, key_len)?;
        caller.touch(&REGIONS, region);
        let lent = desk::with(|desk| {
            let Some(place) = desk.place_of_view()? else {
                return Ok(Lend::NoPlace);
            };
            let lease = REGIONS.lease(region, place)?;
            if let Area::Watched(_) = **lease {
                return Ok(Lend::NoPlace);
            }
            desk.lend(lease, |region| Ok(region.get(key)?))
        })?;
        match lent? {
            Lend::View(view) => {
                output.set(view.into());
                Ok(VUG_OK)
            }
            Lend::Nothing => Ok(VUG_NOT_FOUND),
            Lend::NoPlace => get_owned(caller, region, key, output),
        }
    })
}

/// Reads the value of a key without a copy, through a view that any thread may use and release, and
/// that outlives the thread that made it. Costs more than vug_get(): a process can pin 254 segments
/// of a region at a time (VUG_ERR_TOO_MANY_PINS).
///
/// Returns what vug_get() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_get_owned(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    view: *mut vug_view_t,
) -> vug_status_t {
    entry!(|caller| {
        let output = caller.output(view, "view")?;
        get_owned(caller, region, caller.key(key, key_len)?, output)
    })
}

/// Ends a view and makes the structure empty. Releasing an empty view, or a copy of a view that
/// was released, changes nothing and returns VUG_ERR_HANDLE; a view of another thread stays as it
/// is (VUG_ERR_THREAD).
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_THREAD, VUG_ERR_ARGUMENT,
/// VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_view_release(view: *mut vug_view_t) -> vug_status_t {
    entry!(|caller| {
        let pin = caller.read(view, "view")?.pin;
        if Kind::of(pin.addr()) == Some(Kind::ThreadView) {
            desk::with(|desk| desk.release(pin.addr()))??;
            caller.output(view, "view")?;
        } else {
            caller.output(view, "view")?;
            VIEWS.remove(pin)?;
        }
        Ok(VUG_OK)
    })
}

/// Copies the value of a key to `buffer`. `len` receives the length of the value, also if the
/// buffer is too small: then nothing useful is in the buffer and the status is VUG_ERR_BUFFER.
/// `buffer` may be NULL if `capacity` is 0. Nothing is to be released. The fastest way to a small
/// value.
///
/// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_BUFFER, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
/// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
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
        let key = caller.key(key, key_len)?;
        let buffer = caller.slice_to_fill(buffer, capacity)?;
        let found = caller.with(&REGIONS, region, |area| match area {
            Area::Shared(region) => Ok(region.read(key, buffer)?),
            Area::Watched(region) => Ok(region.get(key)?.map(|entry| {
                let fits = entry.value.len().min(buffer.len());
                buffer[..fits].copy_from_slice(&entry.value[..fits]);
                entry.value.len()
            })),
        })?;
        copied(found, capacity, &mut output)
    })
}

/// The status of a read into a buffer.
#[inline(always)]
pub(crate) fn copied(
    found: Option<usize>,
    capacity: usize,
    output: &mut Output<'_, usize>,
) -> Result<vug_status_t, Failure> {
    let Some(len) = found else {
        return Ok(VUG_NOT_FOUND);
    };
    output.set(len);
    if len <= capacity { Ok(VUG_OK) } else { Err(too_small(len, capacity)) }
}

#[cold]
fn too_small(len: usize, capacity: usize) -> Failure {
    Failure::new(
        VUG_ERR_BUFFER,
        format_args!("the value has {len} bytes, the buffer {capacity}"),
        "pass a buffer of the length that was stored, or use vug_get",
    )
}

fn token_of(area: &Area, key: &[u8]) -> Result<Option<vug::Token>, Failure> {
    Ok(match area {
        Area::Shared(region) => region.token(key)?,
        Area::Watched(region) => region.token(key)?,
    })
}

/// Stores the state of an entry, valid or not: its `kind` says which.
///
/// Returns VUG_OK, VUG_NOT_FOUND, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT,
/// VUG_ERR_INVALID_KEY, VUG_ERR_TOO_MANY_THREADS, VUG_ERR_FORKED_CHILD, VUG_ERR_REGION_DESTROYED,
/// VUG_ERR_REGION_CLOSED, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_token(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    token: *mut vug_token_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(token, "token")?;
        let key = caller.key(key, key_len)?;
        let Some(token) = caller.with(&REGIONS, region, |area| token_of(area, key))? else {
            return Ok(VUG_NOT_FOUND);
        };
        output.set(token.into());
        Ok(VUG_OK)
    })
}

/// Says whether a key is in the region, with a value or without: VUG_OK or VUG_NOT_FOUND.
///
/// Returns what vug_token() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_contains_key(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
) -> vug_status_t {
    entry!(|caller| {
        let key = caller.key(key, key_len)?;
        let token = caller.with(&REGIONS, region, |area| token_of(area, key))?;
        Ok(if token.is_some() { VUG_OK } else { VUG_NOT_FOUND })
    })
}

/// Says whether a key is in the region and has a value: VUG_OK or VUG_NOT_FOUND.
///
/// Returns what vug_token() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_contains_value_for_key(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
) -> vug_status_t {
    entry!(|caller| {
        let key = caller.key(key, key_len)?;
        let token = caller.with(&REGIONS, region, |area| token_of(area, key))?;
        let valued = token.is_some_and(|token| token.kind == vug::Kind::Value);
        Ok(if valued { VUG_OK } else { VUG_NOT_FOUND })
    })
}

/// Stores all that is known of an entry, valid or not. Does not count as an access. `size` is the
/// size of the structure.
///
/// Returns what vug_token() returns, and VUG_ERR_NOT_ALLOWED where the node is open for reading
/// only.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_entry_info(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    info: *mut vug_entry_info_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.report(info, size, "info")?;
        let key = caller.key(key, key_len)?;
        let found = caller.with(&REGIONS, region, |area| Ok(area.shared()?.entry(key)?))?;
        let Some(entry) = found else {
            return Ok(VUG_NOT_FOUND);
        };
        output.set(vug_entry_info_t {
            token: entry.token.into(),
            value_len: entry.value.map_or(0, |value| value.len() as u64),
            expires_ns: nanos(entry.expires),
            modified_ns: nanos(entry.modified),
        });
        Ok(VUG_OK)
    })
}

fn nanos(time: Option<SystemTime>) -> u64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
