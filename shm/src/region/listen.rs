//! Listeners that are called: a thread per listener, which the caller asks for.
//!
//! The thread waits for the notices of a [`Subscription`] and calls a function with each. So it is
//! off every writer's path, a slow function delays nobody but itself (it is told what it missed),
//! and one that panics is called with the next notice all the same.
//!
//! The handle stops the thread and waits for its end, at the latest when it is dropped. In a forked
//! child there is no such thread, and the handle does nothing.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};

use nix::sys::signal::SigSet;

use crate::error::{Error, Result};
use crate::layout::counters::Counter;
use crate::region::Region;
use crate::region::events::{ListenOptions, Notice, Subscription};
use crate::region::mapped::Mapped;
use crate::region::wait::Alarm;

/// Name of the thread.
const NAME: &str = "vug-listener";

/// What the thread and the handle share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    delivered: AtomicU64,
    panics: AtomicU64,
    missed: AtomicU64,
    last_panic: Mutex<Option<String>>,
    error: Mutex<Option<Error>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A function that is called with every notice: see [`Region::listen`]. Dropping it stops the
/// listener and waits until a running call is over.
#[derive(Debug)]
#[must_use = "dropping the handle stops the listener"]
pub struct Listener {
    shared: Arc<Shared>,
    region: Arc<Mapped>,
    thread: Option<JoinHandle<()>>,
}

impl Region {
    /// Calls `f` with every notice from now on, in order, on a thread that this call starts and the
    /// handle stops. `f` may use the region, also to write.
    ///
    /// Nobody waits for `f`: a slow one gets a [`Notice::Lapped`] for what it missed, and with
    /// [`ListenOptions::resynchronise`] the entries as they are then. A panic of `f` is caught and
    /// counted ([`Listener::panics`]); the next notice is delivered all the same. The thread ends
    /// by itself behind the last event of a region that is destroyed, and after an error
    /// ([`Listener::error`]).
    ///
    /// The listener keeps the region open and the process a member of the node.
    ///
    /// # Errors
    /// `ForkedChild`, `RegionClosed`, `RegionDestroyed`; `System` if the thread cannot be started.
    pub fn listen(
        &self,
        options: ListenOptions,
        mut f: impl FnMut(&Notice) + Send + 'static,
    ) -> Result<Listener> {
        self.mapped.check_life()?;
        let shared = Arc::new(Shared::default());
        let mut subscription = self.subscribe_with(options);
        let (region, theirs) = (Arc::clone(&self.mapped), Arc::clone(&shared));
        let run = move || {
            // Handlers of the application run on the application's threads.
            let _ = SigSet::all().thread_block();
            if let Err(error) = run(&region, &theirs, &mut subscription, &mut f) {
                *locked(&theirs.error) = Some(error);
            }
        };
        let thread = std::thread::Builder::new().name(NAME.into()).spawn(run);
        let thread =
            thread.map_err(|source| Error::System { op: "start a listener's thread", source })?;
        Ok(Listener { shared, region: Arc::clone(&self.mapped), thread: Some(thread) })
    }
}

/// Until the listener is stopped, or the region ends.
fn run(
    region: &Arc<Mapped>,
    shared: &Shared,
    subscription: &mut Subscription,
    f: &mut impl FnMut(&Notice),
) -> Result<()> {
    let stopped = || shared.stop.load(Ordering::SeqCst);
    while !stopped() {
        let found =
            region.sleep_until(Alarm::Announcement, None, || match subscription.poll()? {
                None if !stopped() && !subscription.is_ended() => Ok(None),
                found => Ok(Some(found)),
            })?;
        shared.missed.store(subscription.missed(), Ordering::Relaxed);
        let Some(notice) = found.flatten() else { return Ok(()) };
        if stopped() {
            return Ok(());
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| f(&notice))) {
            *locked(&shared.last_panic) = Some(text_of(panic.as_ref()));
            shared.panics.fetch_add(1, Ordering::Relaxed);
            region.count(Counter::ListenerPanics, 1)?;
        }
        shared.delivered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

impl Listener {
    /// Calls of the function that are over.
    pub fn delivered(&self) -> u64 {
        self.shared.delivered.load(Ordering::Relaxed)
    }

    /// Of these, how many panicked.
    pub fn panics(&self) -> u64 {
        self.shared.panics.load(Ordering::Relaxed)
    }

    /// What the last panic said.
    pub fn last_panic(&self) -> Option<String> {
        locked(&self.shared.last_panic).clone()
    }

    /// As [`Subscription::missed`].
    pub fn missed(&self) -> u64 {
        self.shared.missed.load(Ordering::Relaxed)
    }

    /// Whether the function is not called any more: it was stopped, the region has ended, or there
    /// was an error.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The error after which the listener ended, taken away.
    pub fn error(&self) -> Option<Error> {
        locked(&self.shared.error).take()
    }

    /// The thread that calls the function; `None` after it was stopped.
    pub fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref().map(JoinHandle::thread)
    }

    /// Stops the listener: waits until a running call is over; there is none after it. From within
    /// the function itself it does not wait.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.region.members.is_forked_child() {
            // The thread is the parent's.
            std::mem::forget(thread);
            return;
        }
        self.shared.stop.store(true, Ordering::SeqCst);
        self.region.rouse_listeners();
        if thread.thread().id() != std::thread::current().id() {
            // It catches the panics of the function and has none of its own.
            let _ = thread.join();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
