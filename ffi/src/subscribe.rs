//! Following the changes of a region by asking for them.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::boundary::{Caller, entry, exclusive};
use crate::event::show;
use crate::handle::{Kind, Table};
use crate::options::vug_listen_options_t;
use crate::region::REGIONS;
use crate::reports::vug_event_t;
use crate::status::{Failure, VUG_END, VUG_OK, VUG_TIMEOUT, vug_status_t};
use crate::types::{vug_region_t, vug_subscription_t};

/// `shown` owns the bytes of the event that C sees.
struct Followed {
    subscription: vug::Subscription,
    shown: Option<vug::Notice>,
}

static SUBSCRIPTIONS: Table<vug_subscription_t, Mutex<Followed>> = Table::new(Kind::Subscription);

/// When a timeout in nanoseconds ends; `None`: never.
pub(crate) fn deadline(timeout: u64) -> Option<Instant> {
    if timeout == u64::MAX {
        return None;
    }
    Instant::now().checked_add(Duration::from_nanos(timeout))
}

/// The options of a subscription or listener.
pub(crate) fn listen_options(
    caller: &Caller,
    options: *const vug_listen_options_t,
) -> Result<vug::ListenOptions, Failure> {
    let options = caller.options_or_default(options)?;
    let prefix = caller.optional_bytes(options.prefix, options.prefix_len, "prefix")?;
    options.to_options(prefix)
}

/// Follows the changes of a region from now on. `options` may be NULL: all changes. A subscription
/// has a cursor of its own and slows nobody down; one that falls behind is told so
/// (VUG_EVENT_LAPPED). A look at the region after this call, and the events from then on, miss no
/// change. Free it with vug_subscription_free().
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_NOT_ALLOWED,
/// VUG_ERR_TOO_MANY_HANDLES, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_subscribe(
    region: *const vug_region_t,
    options: *const vug_listen_options_t,
    subscription: *mut *mut vug_subscription_t,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.handle_output(subscription, "subscription")?;
        let options = listen_options(caller, options)?;
        let subscription =
            caller.with(&REGIONS, region, |area| Ok(area.shared()?.subscribe_with(options)))?;
        let followed = Followed { subscription, shown: None };
        output.set(SUBSCRIPTIONS.insert(Mutex::new(followed))?);
        Ok(VUG_OK)
    })
}

/// Shows the next event, if there is one: else VUG_TIMEOUT, or VUG_END behind the last event of a
/// region that was destroyed; then the structure is empty. `size` is the size of the structure. The
/// bytes that `event` points to stay until the next call with the subscription.
///
/// Returns VUG_OK, VUG_TIMEOUT, VUG_END, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY,
/// VUG_ERR_POISONED, VUG_ERR_ARGUMENT, VUG_ERR_REGION_CLOSED, VUG_ERR_FORKED_CHILD,
/// VUG_ERR_TOO_MANY_THREADS, VUG_ERR_DAMAGED, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_subscription_poll(
    subscription: *mut vug_subscription_t,
    event: *mut vug_event_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| next(caller, subscription, event, size, 0))
}

/// The same, waiting for an event for `timeout_ns` nanoseconds; VUG_FOREVER: as long as it takes.
///
/// Returns what vug_subscription_poll() returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_subscription_wait(
    subscription: *mut vug_subscription_t,
    timeout_ns: u64,
    event: *mut vug_event_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| next(caller, subscription, event, size, timeout_ns))
}

fn next(
    caller: &Caller,
    subscription: *mut vug_subscription_t,
    event: *mut vug_event_t,
    size: usize,
    timeout: u64,
) -> Result<vug_status_t, Failure> {
    let mut output = caller.report(event, size, "event")?;
    let until = deadline(timeout);
    let followed = caller.object_for_write(&SUBSCRIPTIONS, subscription)?;
    let mut followed = exclusive(&followed)?;
    loop {
        followed.shown = None;
        let ended = followed.subscription.is_ended();
        let next = match timeout {
            _ if ended => return Ok(VUG_END),
            0 => followed.subscription.poll()?,
            _ => followed.subscription.wait(until)?,
        };
        let Some(notice) = next else {
            return Ok(if followed.subscription.is_ended() { VUG_END } else { VUG_TIMEOUT });
        };
        if let Some(shown) = show(followed.shown.insert(notice)) {
            output.set(shown);
            return Ok(VUG_OK);
        }
    }
}

/// Stores how many evictions the subscription could not tell the key of, because their memory was
/// used again before it got there.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_BUSY, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_subscription_missed(
    subscription: *const vug_subscription_t,
    missed: *mut u64,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.output(missed, "missed")?;
        let followed = caller.object(&SUBSCRIPTIONS, subscription)?;
        output.set(exclusive(&followed)?.subscription.missed());
        Ok(VUG_OK)
    })
}

/// Ends a subscription.
///
/// Returns VUG_OK, VUG_ERR_HANDLE, VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vug_subscription_free(
    subscription: *mut vug_subscription_t,
) -> vug_status_t {
    entry!(|_caller| {
        SUBSCRIPTIONS.remove(subscription)?;
        Ok(VUG_OK)
    })
}
