//! Following the changes of a region by a function that is called with them.
#![expect(non_camel_case_types, reason = "names of C types")]

use std::ffi::c_void;
use std::sync::Mutex;

use crate::boundary::{User, entry, exclusive};
use crate::event::show;
use crate::handle::{Kind, Table};
use crate::options::{switched, vug_listen_options_t};
use crate::region::REGIONS;
use crate::reports::{vug_event_t, vug_listener_info_t};
use crate::status::{Failure, VUG_OK, vug_status_t};
use crate::subscribe::listen_options;
use crate::types::{vug_listener_t, vug_region_t};

/// Called with every event, on the listener's thread. `event`, `size` bytes of it, is valid during
/// the call. It may call every function of this interface, also on the same region. It must return:
/// an exception that leaves it ends the process, and longjmp out of it is undefined.
pub type vug_event_function_t =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, event: *const vug_event_t, size: usize)>;

/// Called once with the `user` of a listener when its function is not called any more, on whatever
/// thread that is. The same rules.
pub type vug_drop_function_t = Option<unsafe extern "C-unwind" fn(user: *mut c_void)>;

struct Listening {
    listener: Mutex<vug::Listener>,
    error: Mutex<vug_status_t>,
}

/// How often a stop looks for the listener to be free.
const PATIENCE: usize = 10_000;

static LISTENERS: Table<vug_listener_t, Listening> = Table::new(Kind::Listener);

/// Calls `function` with `user` and every event from now on, in order, on a thread that this call
/// starts. `options` may be NULL: all changes. Nobody waits for the function: a slow one is told
/// what it missed (VUG_EVENT_LAPPED). `drop` (may be NULL) is called with `user` at the end, also
/// if this call fails. Stop it with vug_listener_stop().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_REGION_DESTROYED, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD, VUG_ERR_SYSTEM,
/// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_listen(
    region: *const vug_region_t,
    options: *const vug_listen_options_t,
    function: vug_event_function_t,
    user: *mut c_void,
    drop: vug_drop_function_t,
    listener: *mut *mut vug_listener_t,
) -> vug_status_t {
    entry!(|caller| {
        let user = User::new(user, drop);
        let mut output = caller.handle_output(listener, "listener")?;
        let function = function.ok_or_else(|| Failure::null("function"))?;
        let options = listen_options(caller, options)?;
        let area = caller.object(&REGIONS, region)?;
        let listener = area.shared()?.listen(options, move |notice| {
            if let Some(event) = show(notice) {
                user.call(function, &event);
            }
        })?;
        let (listener, error) = (Mutex::new(listener), Mutex::new(VUG_OK));
        output.set(LISTENERS.insert(Listening { listener, error })?);
        Ok(VUG_OK)
    })
}

/// Stops a listener and frees it. Waits until a running call of the function is over; called by the
/// function itself it does not wait, and that call is the last one.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_listener_stop(listener: *mut vug_listener_t) -> vug_status_t {
    entry!(|caller| {
        let listening = caller.object(&LISTENERS, listener)?;
        LISTENERS.remove(listener)?;
        // Others hold the lock for an instant; in a forked child perhaps for ever, and then there
        // is no thread to stop.
        for _ in 0..PATIENCE {
            if let Ok(mut listener) = exclusive(&listening.listener) {
                listener.stop();
                break;
            }
            std::thread::yield_now();
        }
        Ok(VUG_OK)
    })
}

/// Stores how a listener is doing. `size` is the size of the structure.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY, VUG_ERR_ARGUMENT, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_listener_info(
    listener: *const vug_listener_t,
    info: *mut vug_listener_info_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.report(info, size, "info")?;
        let listening = caller.object(&LISTENERS, listener)?;
        let listener = exclusive(&listening.listener)?;
        let mut error = exclusive(&listening.error)?;
        if let Some(found) = listener.error() {
            *error = -vug_status_t::from(found.code());
        }
        output.set(vug_listener_info_t {
            delivered: listener.delivered(),
            missed: listener.missed(),
            finished: switched(listener.is_finished()),
            error: *error,
        });
        Ok(VUG_OK)
    })
}
