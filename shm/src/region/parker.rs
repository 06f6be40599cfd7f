//! The one thread that sleeps for all waiting tasks of a process, and turns wakes of shared words
//! into wakers.
//!
//! A task that found nothing leaves a *sleeper*: the word it would sleep on, the value that word
//! had before the task announced itself and looked for the last time, and its waker. The thread
//! calls the wakers of all sleepers whose word has changed, or that have not looked for half a
//! second, and then sleeps on all the words that are left and on a word of its own. Since a writer
//! changes the word before it wakes, and a sleeper is compared with the value from before its last
//! look, no change is slept through, whenever the thread looks.
//!
//! Everything here is private to the process. The thread starts with the first sleeper and ends
//! when there was none for half a second. It holds no membership, no descriptor and no region,
//! only mappings, and it takes no signals.
//!
//! *fork*: the child has neither the thread nor any use for the tasks of its parent. It finds the
//! parent's state stale, leaves it alone (its mutex may be locked for ever) and makes its own.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;

use crate::error::{Error, Result};
use crate::layout::region::RegionWords;
use crate::os::fork::Stamp;
use crate::os::futex::{self, Wait};
use crate::os::mapping::Window;
use crate::region::wait::{Alarm, recheck};
use crate::sync::{Acquire, AtomicU32, SeqCst};

/// Name of the thread.
const NAME: &str = "vug-parker";
/// How long it stays when nobody waits.
const LINGER: Duration = Duration::from_millis(500);
/// How long it sleeps where the kernel cannot wait for all words: then it has to look at them.
const SLICE: Duration = Duration::from_millis(5);

/// The state of this process, once a task has waited. Never freed; a child makes its own.
static PARKER: AtomicPtr<Parker> = AtomicPtr::new(ptr::null_mut());

#[derive(Debug)]
struct Parker {
    stamp: Stamp,
    state: Mutex<State>,
    /// Bumped to make the thread look at the sleepers; futex word.
    control: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    sleepers: BTreeMap<u64, Sleeper>,
    next: u64,
    /// Whether there is a thread.
    running: bool,
    /// Addresses of the words the thread sleeps on; empty while it is awake.
    asleep_on: Vec<usize>,
}

impl State {
    /// Takes the sleepers that have to look off the list.
    fn take_due(&mut self, now: Instant) -> Vec<Sleeper> {
        let due = self.sleepers.iter().filter(|(_, sleeper)| sleeper.has_to_look(now));
        let ids: Vec<u64> = due.map(|(id, _)| *id).collect();
        ids.iter().filter_map(|id| self.sleepers.remove(id)).collect()
    }
}

#[derive(Debug)]
struct Sleeper {
    words: Window<RegionWords>,
    alarm: Alarm,
    seen: u32,
    since: Instant,
    waker: Waker,
}

impl Sleeper {
    fn word(&self) -> &AtomicU32 {
        self.alarm.word(&self.words[0])
    }

    fn has_to_look(&self, now: Instant) -> bool {
        self.word().load(SeqCst) != self.seen || now.duration_since(self.since) >= recheck()
    }
}

fn address(word: &AtomicU32) -> usize {
    ptr::from_ref(word) as usize
}

/// A task that waits. Dropping it, which a cancelled future does, takes it off the list.
#[derive(Debug)]
pub(crate) struct Registration {
    parker: &'static Parker,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // In a forked child the task is the parent's.
        if !self.parker.stamp.is_stale() {
            let sleeper = self.parker.state().sleepers.remove(&self.id);
            // After the lock: dropping a waker may drop a task, and that its registrations.
            drop(sleeper);
        }
    }
}

/// Has `waker` called once the word has another value than `seen`. `None`: it has by now, and the
/// waker was called.
pub(crate) fn register(
    words: Window<RegionWords>,
    alarm: Alarm,
    seen: u32,
    waker: &Waker,
) -> Result<Option<Registration>> {
    let parker = parker()?;
    let sleeper = Sleeper { words, alarm, seen, since: Instant::now(), waker: waker.clone() };
    let word = address(sleeper.word());
    let mut state = parker.state();
    if sleeper.has_to_look(sleeper.since) {
        drop(state);
        waker.wake_by_ref();
        return Ok(None);
    }
    let id = state.next;
    state.next += 1;
    state.sleepers.insert(id, sleeper);
    if !state.running {
        let start = std::thread::Builder::new().name(NAME.into()).spawn(|| parker.run());
        if let Err(source) = start {
            let sleeper = state.sleepers.remove(&id);
            drop(state);
            drop(sleeper);
            return Err(Error::System { op: "start the waiting thread", source });
        }
        state.running = true;
    } else if !state.asleep_on.is_empty() && !state.asleep_on.contains(&word) {
        parker.control.fetch_add(1, SeqCst);
        futex::wake(&parker.control, 1, u32::MAX);
    }
    Ok(Some(Registration { parker, id }))
}

/// The state of this process, made by whoever is first.
fn parker() -> Result<&'static Parker> {
    loop {
        let seen = PARKER.load(Acquire);
        if !seen.is_null() {
            // SAFETY: the pointer comes from `Box::leak` below, so it is valid for ever; a child's
            // copy of it points to the child's copy of the value.
            let parker: &'static Parker = unsafe { &*seen };
            if !parker.stamp.is_stale() {
                return Ok(parker);
            }
        }
        let stamp =
            Stamp::take().map_err(|source| Error::System { op: "watch for forks", source })?;
        let fresh = Parker { stamp, state: Mutex::default(), control: AtomicU32::new(0) };
        // A lost race leaks some bytes; there is one race per process at most.
        let fresh = ptr::from_mut(Box::leak(Box::new(fresh)));
        let _ = PARKER.compare_exchange(seen, fresh, SeqCst, Acquire);
    }
}

impl Parker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn run(&self) {
        // Handlers of the application run on the application's threads.
        let _ = SigSet::all().thread_block();
        let mut idle = false;
        loop {
            let now = Instant::now();
            let mut state = self.state();
            state.asleep_on.clear();
            let due = state.take_due(now);
            if !due.is_empty() {
                drop(state);
                for sleeper in due {
                    // A waker that panics is the task's affair; the other tasks go on.
                    let _ = catch_unwind(AssertUnwindSafe(|| sleeper.waker.wake()));
                }
                continue;
            }
            if state.sleepers.is_empty() && idle {
                state.running = false;
                return;
            }
            idle = self.sleep(state, now);
        }
    }

    /// Sleeps until a word of a sleeper changes, or the thread has to look for another reason.
    /// Whether nobody waited all the time.
    fn sleep(&self, mut state: MutexGuard<'_, State>, now: Instant) -> bool {
        // Changed under the lock only, so a sleeper that comes later is not missed.
        let control = self.control.load(SeqCst);
        let mut words: BTreeMap<usize, (Window<RegionWords>, Alarm, u32)> = BTreeMap::new();
        for sleeper in state.sleepers.values() {
            words
                .entry(address(sleeper.word()))
                .or_insert_with(|| (sleeper.words.clone(), sleeper.alarm, sleeper.seen));
        }
        let nobody = words.is_empty();
        state.asleep_on = words.keys().copied().chain([address(&self.control)]).collect();
        let oldest = state.sleepers.values().map(|sleeper| sleeper.since).min();
        drop(state);
        let until = oldest.map_or(now + LINGER, |oldest| oldest + recheck());
        let list: Vec<(&AtomicU32, u32)> = [(&self.control, control)]
            .into_iter()
            .chain(words.values().map(|(words, alarm, seen)| (alarm.word(&words[0]), *seen)))
            .collect();
        let waited =
            if list.len() <= futex::MOST_WORDS { futex::wait_any(&list, until) } else { None };
        let waited = waited.unwrap_or_else(|| {
            let until = if nobody { until } else { until.min(now + SLICE) };
            futex::wait(&self.control, control, u32::MAX, Some(until))
        });
        nobody && waited == Wait::TimedOut
    }
}

#[cfg(test)]
mod tests;
