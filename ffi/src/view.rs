//! Reading: views into shared memory, copies, and what is known of an entry.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::boundary::{Caller, Output, entry};
use crate::desk::{self, Lend, View};
use crate::handle::{Held, Kind, Table};
use crate::options::vug_read_options_t;
use crate::region::{Area, REGIONS};
use crate::reports::vug_entry_info_t;
use crate::status::{
    Failure, VUG_ERR_BUFFER, VUG_ERR_TOO_MANY_PINS, VUG_NOT_FOUND, VUG_OK, vug_status_t,
};
use crate::types::{vug_region_t, vug_token_t, vug_view_t};

/// Views for all threads.
static VIEWS: Table<c_void, Kept> = Table::new(Kind::View);

/// What keeps the value of a view that is no thread's own.
enum Kept {
    Pinned(vug::OwnedGuard),
    /// Of a region that is open for reading only.
    Copied(vug::Entry),
    /// A value that is not in the region any more; none before it is known.
    Replaced(OnceLock<Vec<u8>>),
}

impl Kept {
    /// What C gets to know of it, before it is known by `pin`.
    fn shown(&self) -> vug_view_t {
        let (value, token) = match self {
            Self::Pinned(guard) => (&**guard, guard.token()),
            Self::Copied(entry) => (entry.value.as_slice(), entry.token),
            Self::Replaced(value) => return shown_alone(value.get().map_or(&[], Vec::as_slice)),
        };
        vug_view_t { token: token.into(), ..shown_alone(value) }
    }
}

/// A view of bytes of which no state is known.
fn shown_alone(value: &[u8]) -> vug_view_t {
    vug_view_t { data: value.as_ptr().cast(), len: value.len(), ..vug_view_t::default() }
}

/// A place for a view of a copy, taken before the operation that gives the value: what follows
/// cannot fail. Given back when it is dropped empty.
pub(crate) struct Place {
    pin: *mut c_void,
    kept: Arc<Held<Kept>>,
}

impl Place {
    pub(crate) fn reserve() -> Result<Self, Failure> {
        let pin = VIEWS.insert(Kept::Replaced(OnceLock::new()))?;
        Ok(Self { pin, kept: VIEWS.get(pin)? })
    }

    /// Turns the place into a view of `value`.
    pub(crate) fn fill(self, value: Vec<u8>) -> vug_view_t {
        if let Kept::Replaced(place) = &**self.kept {
            place.get_or_init(|| value);
        }
        vug_view_t { pin: self.pin, ..self.kept.shown() }
    }

    fn is_empty(&self) -> bool {
        matches!(&**self.kept, Kept::Replaced(place) if place.get().is_none())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_empty() {
            // Nobody else knows the handle.
            let _known = VIEWS.remove(self.pin);
        }
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

/// Lets the calling thread make a view.
#[inline(always)]
fn lend(
    caller: &Caller,
    region: *const vug_region_t,
    find: impl FnOnce(&'static vug::Region) -> vug::Result<Option<vug::Guard<'static>>>,
) -> Result<Lend, Failure> {
    caller.touch(&REGIONS, region);
    desk::with(|desk| {
        let Some(place) = desk.place_of_view()? else {
            return Ok(Lend::NoPlace);
        };
        let lease = REGIONS.lease(region, place)?;
        if let Area::Watched(_) = **lease {
            return Ok(Lend::NoPlace);
        }
        desk.lend(lease, |region| Ok(find(region)?))
    })?
}

/// A read that has no other way to a view: of a node that is open for reading only, which asks
/// nobody, it is a copy.
#[cold]
fn without_place(
    caller: &Caller,
    region: *const vug_region_t,
    key: &[u8],
    output: Output<'_, vug_view_t>,
) -> Result<vug_status_t, Failure> {
    let watched = caller.with(&REGIONS, region, |area| Ok(matches!(area, Area::Watched(_))))?;
    if watched {
        return get_owned(caller, region, key, output);
    }
    Err(no_place("read by vug_get_owned or vug_get_copy"))
}

/// The thread has as many views as it can without pins.
#[cold]
pub(crate) fn no_place(instead: &str) -> Failure {
    let what = "this thread has five views";
    Failure::new(VUG_ERR_TOO_MANY_PINS, what, &format!("release a view, or {instead}"))
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
        match lend(caller, region, |region| region.get(key))? {
            Lend::View(view) => {
                output.set(view.into());
                Ok(VUG_OK)
            }
            Lend::Nothing => Ok(VUG_NOT_FOUND),
            Lend::NoPlace => get_owned(caller, region, key, output),
        }
    })
}

/// vug_get() with options; NULL: all defaults. In a distributed region that does not hold
/// everything a read that finds nothing here asks the other nodes; in any other the options change
/// nothing. A thread has at most five such views at a time.
///
/// Returns what vug_get() returns, VUG_ERR_SEARCH_TIMEOUT, VUG_ERR_NO_BRIDGE, and
/// VUG_ERR_TOO_MANY_PINS if the thread has five views.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_get_with(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    options: *const vug_read_options_t,
    view: *mut vug_view_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(view, "view")?;
        let options = caller.options_or_default(options)?.to_options()?;
        let key = caller.key(key, key_len)?;
        match lend(caller, region, |region| region.get_with(key, &options))? {
            Lend::View(view) => {
                output.set(view.into());
                Ok(VUG_OK)
            }
            Lend::Nothing => Ok(VUG_NOT_FOUND),
            Lend::NoPlace => without_place(caller, region, key, output),
        }
    })
}

/// vug_get() of what is on this node: nobody is asked, so it never waits.
///
/// Returns what vug_get() returns, and VUG_ERR_TOO_MANY_PINS if the thread has five views.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_get_local(
    region: *const vug_region_t,
    key: *const c_void,
    key_len: usize,
    view: *mut vug_view_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(view, "view")?;
        let key = caller.key(key, key_len)?;
        match lend(caller, region, |region| region.get_local(key))? {
            Lend::View(view) => {
                output.set(view.into());
                Ok(VUG_OK)
            }
            Lend::Nothing => Ok(VUG_NOT_FOUND),
            Lend::NoPlace => without_place(caller, region, key, output),
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
/// Returns what vug_token() returns.
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
        let found = caller.with(&REGIONS, region, |area| match area {
            Area::Shared(region) => Ok(region.entry(key)?),
            Area::Watched(region) => Ok(region.entry(key)?),
        })?;
        let Some(entry) = found else {
            return Ok(VUG_NOT_FOUND);
        };
        output.set(vug_entry_info_t {
            token: entry.token.into(),
            value_len: entry.value.map_or(0, |value| value.len() as u64),
            expires_ns: nanos(entry.expires),
            modified_ns: nanos(entry.modified),
            accessed_ns: nanos(entry.accessed),
        });
        Ok(VUG_OK)
    })
}

fn nanos(time: Option<SystemTime>) -> u64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
