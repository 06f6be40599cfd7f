//! A thread in a region: its descriptor, and which of its hazard words guards hold.
//!
//! Every operation begins here, so the way that is always taken is short: one look at a
//! thread-local word, no reference count. Whoever owns a context shares it ([`Share`]); guards do
//! not own it, they hold it by the bit of their hazard word: if the last owner goes while guards
//! live (a guard in a thread-local variable when its thread ends), the context keeps itself until
//! the last of them is dropped.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use crate::crash;
use crate::error::{Error, Result};
use crate::layout::counters::{Counter, Handover};
use crate::layout::thread::{HAZARDS, OPERATION_HAZARDS, OwnerWord, ThreadDescriptor};
use crate::layout::word::SegmentState;
use crate::reclaim::hazard::Hazard;
use crate::region::life::CLOSED;
use crate::region::mapped::Mapped;
use crate::sync::{Relaxed, Release, SeqCst, raise};
use crate::table::KnownTable;

/// Descriptors that a process keeps for threads to come.
const KEPT_IDLE: usize = 16;
/// Regions whose contexts a thread finds at once.
const LAST_USED: usize = 8;
/// The operation hazards are never given to guards.
const NO_GUARDS: u16 = (1 << OPERATION_HAZARDS) - 1;
/// Set in `held` when only guards keep the context.
const ORPHANED: u16 = 1 << HAZARDS;

/// The calling thread in one region. Not `Send`.
#[derive(Debug)]
pub(crate) struct Context {
    region: Weak<Mapped>,
    instance: u64,
    /// Number of the descriptor.
    pub(crate) index: u32,
    /// Bit n = hazard word n is held by a guard; and `ORPHANED`.
    held: Cell<u16>,
    /// The descriptor, as long as the region is mapped.
    thread: NonNull<ThreadDescriptor>,
    /// The index table that reads of the thread saw last.
    pub(crate) table: KnownTable,
    /// Itself, while only guards keep it.
    keeper: RefCell<Option<Rc<Context>>>,
}

/// A context that the thread used, by the instance it belongs to; 0 and null = none.
#[derive(Debug, Clone, Copy)]
struct Last {
    instance: u64,
    context: *const Context,
}

impl Last {
    const NONE: Self = Self { instance: 0, context: std::ptr::null() };
}

thread_local! {
    /// By the lowest bits of the instance. No destructor, so a look at it is one at a place of
    /// memory. The drop of a context clears its entry.
    static LAST: [Cell<Last>; LAST_USED] = const { [const { Cell::new(Last::NONE) }; LAST_USED] };
    static CONTEXTS: RefCell<Vec<Share>> = const { RefCell::new(Vec::new()) };
}

impl Context {
    /// Takes a guard's hazard word, if one is left.
    #[inline(always)]
    pub(crate) fn hold(&self) -> Option<usize> {
        let held = self.held.get();
        let free = held.trailing_ones() as usize;
        (free < HAZARDS).then(|| {
            self.held.set(held | (1 << free));
            free
        })
    }

    /// Gives it back. Returns what has kept the context if nothing else does any more.
    #[inline(always)]
    #[must_use = "the last share of the context, perhaps"]
    pub(crate) fn unhold(&self, hazard: usize) -> Option<Share> {
        let held = self.held.get() & !(1 << hazard);
        self.held.set(held);
        if held & ORPHANED == 0 { None } else { self.abandon() }
    }

    /// The same while an operation of the thread runs and keeps the context.
    #[inline(always)]
    pub(crate) fn unhold_in_operation(&self, hazard: usize) {
        self.held.set(self.held.get() & !(1 << hazard));
    }

    #[cold]
    fn abandon(&self) -> Option<Share> {
        let is_last = self.held.get() & !ORPHANED == NO_GUARDS;
        is_last.then(|| self.keeper.take()).flatten().map(Share)
    }
}

/// A share in a context.
#[derive(Debug, Clone)]
pub(crate) struct Share(Rc<Context>);

impl Deref for Share {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 && self.0.held.get() & !ORPHANED != NO_GUARDS {
            self.0.held.set(self.0.held.get() | ORPHANED);
            self.0.keeper.replace(Some(Rc::clone(&self.0)));
        }
    }
}

/// The calling thread while an operation runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local<'m> {
    pub(crate) context: &'m Context,
    /// Its descriptor.
    pub(crate) thread: &'m ThreadDescriptor,
}

/// The same for whoever has no context yet, or none that is kept.
#[derive(Debug)]
pub(crate) struct Mine<'m> {
    context: NonNull<Context>,
    /// The thread's descriptor.
    pub(crate) thread: &'m ThreadDescriptor,
    /// Whatever was not found at once; dropped at the end.
    share: Option<Share>,
}

impl<'m> Mine<'m> {
    pub(crate) fn local(&self) -> Local<'_> {
        Local { context: self, thread: self.thread }
    }

    /// For whoever needs it longer than the operation.
    pub(crate) fn share(&self) -> Share {
        if let Some(share) = &self.share {
            return share.clone();
        }
        let context = self.context.as_ptr();
        // SAFETY: the pointer is of `Rc::as_ptr`, and the context lives, see `Mapped::local`.
        unsafe { Rc::increment_strong_count(context) };
        // SAFETY: as above; this is the count that was just added.
        Share(unsafe { Rc::from_raw(context) })
    }
}

impl Deref for Mine<'_> {
    type Target = Context;

    #[inline(always)]
    fn deref(&self) -> &Context {
        // SAFETY: the context lives while the operation runs, see `Mapped::local`.
        unsafe { self.context.as_ref() }
    }
}

/// A hazard word that a guard holds.
#[derive(Debug)]
pub(crate) struct HeldHazard {
    context: NonNull<Context>,
    number: u32,
}

impl HeldHazard {
    /// Of `number`, which [`Context::hold`] gave.
    #[inline(always)]
    pub(crate) fn new(context: &Context, number: usize) -> Self {
        Self { context: NonNull::from(context), number: number as u32 }
    }

    /// Gives the word back. `region` is that of the context; the caller drops the guard.
    #[inline(always)]
    pub(crate) fn release(&self, region: &Mapped) {
        // SAFETY: while the bit of the word is set the context keeps itself, see `Share`.
        let context = unsafe { self.context.as_ref() };
        // In a forked child the word belongs to the parent's thread.
        if !region.is_forked_child() {
            // SAFETY: the region is that of the context, so the descriptor is mapped.
            let thread = unsafe { context.thread.as_ref() };
            Hazard::new(&thread.hazards[self.number as usize % HAZARDS]).clear();
        }
        drop(context.unhold(self.number as usize));
    }
}

/// A hazard word of a guard, held while a visitor runs: the visitor may use the region.
#[derive(Debug)]
pub(crate) struct Held<'m> {
    region: &'m Mapped,
    mine: Mine<'m>,
    number: usize,
}

impl<'m> Held<'m> {
    pub(crate) fn context(&self) -> &Mine<'m> {
        &self.mine
    }

    pub(crate) fn hazard(&self) -> Hazard<'m> {
        Hazard::new(&self.mine.thread.hazards[self.number])
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.region.is_forked_child() {
            self.hazard().clear();
        }
        drop(self.mine.unhold(self.number));
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let last = |last: &[Cell<Last>; LAST_USED]| {
            let last = &last[self.instance as usize % LAST_USED];
            if std::ptr::eq(last.get().context, self) {
                last.set(Last::NONE);
            }
        };
        LAST.with(last);
        if let Some(region) = self.region.upgrade() {
            region.park_thread(self.index);
        }
    }
}

impl Mapped {
    /// The calling thread, if it used the region before and neither too many others since nor
    /// forked.
    ///
    /// Not shared: the thread's list keeps the context. Nothing is taken off the list while an
    /// operation on its region runs, but by the end of the thread, which is no operation; what is
    /// used afterwards is kept by guards, or by the share of whoever made it.
    #[inline(always)]
    pub(crate) fn local(&self) -> Option<Local<'_>> {
        let mine = self.instance.load(Ordering::Relaxed);
        let Last { instance, context } = LAST.with(|last| last[mine as usize % LAST_USED].get());
        if instance != mine || self.is_forked_child() {
            return None;
        }
        // SAFETY: the context lives: its drop, which runs on this thread because it is not `Send`,
        // clears the entry.
        let context = unsafe { &*context };
        // SAFETY: the descriptor lies in the mapping of this region, which `self` keeps.
        let thread = unsafe { context.thread.as_ref() };
        Some(Local { context, thread })
    }

    /// The calling thread's context, made on first use.
    #[inline]
    pub(crate) fn context(self: &Arc<Self>) -> Result<Mine<'_>> {
        if let Some(Local { context, thread }) = self.local() {
            return Ok(Mine { context: NonNull::from(context), thread, share: None });
        }
        if self.is_forked_child() {
            return Err(Error::ForkedChild);
        }
        self.find_context()
    }

    #[inline(never)]
    fn find_context(self: &Arc<Self>) -> Result<Mine<'_>> {
        // Once: it may be closed meanwhile, and `LAST` must never have the number of all that are.
        let instance = self.instance.load(Ordering::Relaxed);
        if instance == CLOSED {
            return Err(Error::RegionClosed { region: self.name.clone() });
        }
        let found = CONTEXTS.try_with(|contexts| {
            let contexts = contexts.try_borrow().ok()?;
            contexts.iter().find(|context| context.instance == instance).cloned()
        });
        let share = match found {
            Ok(Some(context)) => context,
            _ => self.new_context(instance)?,
        };
        let context = NonNull::from(&*share);
        let last = Last { instance, context: Rc::as_ptr(&share.0) };
        LAST.with(|all| all[instance as usize % LAST_USED].set(last));
        let thread = &self.threads[share.index as usize];
        Ok(Mine { context, thread, share: Some(share) })
    }

    #[cold]
    fn new_context(self: &Arc<Self>, instance: u64) -> Result<Share> {
        let index = self.claim_thread()?;
        let context = Share(Rc::new(Context {
            region: Arc::downgrade(self),
            instance,
            index,
            held: Cell::new(NO_GUARDS),
            thread: NonNull::from(&self.threads[index as usize]),
            table: KnownTable::default(),
            keeper: RefCell::new(None),
        }));
        // While the thread ends its thread-locals are gone; then the context lives for one call.
        let _ = CONTEXTS.try_with(|contexts| {
            if let Ok(mut contexts) = contexts.try_borrow_mut() {
                contexts.retain(|context| context.region.strong_count() > 0);
                contexts.push(context.clone());
            }
        });
        Ok(context)
    }

    /// Takes a guard's hazard word for a visit; given back on drop, also by a panic.
    pub(crate) fn held(self: &Arc<Self>) -> Result<Held<'_>> {
        let mine = self.context()?;
        let number = mine.hold().ok_or_else(|| self.too_many_guards())?;
        Ok(Held { region: self, mine, number })
    }

    #[cold]
    pub(crate) fn too_many_guards(&self) -> Error {
        Error::TooManyPins { region: self.name.clone(), max: HAZARDS - OPERATION_HAZARDS }
    }

    #[inline]
    pub(crate) fn descriptor(&self, context: &Context) -> &ThreadDescriptor {
        &self.threads[context.index as usize]
    }

    /// Counts something for the calling thread. For what is rare: finds the descriptor first.
    ///
    /// # Errors
    /// Those of [`Mapped::context`].
    pub(crate) fn count(self: &Arc<Self>, counter: Counter, by: u64) -> Result<()> {
        self.descriptor(&*self.context()?).count(counter, by);
        Ok(())
    }

    #[inline]
    pub(crate) fn hazard(&self, context: &Context, number: usize) -> Hazard<'_> {
        Hazard::new(&self.threads[context.index as usize].hazards[number])
    }

    /// A descriptor of this process that no thread uses, else a free one of the table.
    fn claim_thread(self: &Arc<Self>) -> Result<u32> {
        if let Some(index) = self.idle_threads.lock().unwrap_or_else(PoisonError::into_inner).pop()
        {
            return Ok(index);
        }
        if let Some(index) = self.claim_free_thread() {
            return Ok(index);
        }
        let _ = crate::recover::recover_region(self);
        self.claim_free_thread().ok_or_else(|| Error::TooManyThreads {
            region: self.name.clone(),
            max: self.threads.len() - 1,
        })
    }

    fn claim_free_thread(&self) -> Option<u32> {
        // Number 0 is left out: stamps of thread 0 are the zero words of a fresh table.
        for (index, thread) in self.threads.iter().enumerate().skip(1) {
            if thread.owner.load(Relaxed) != 0 {
                continue;
            }
            // Reclaimers look at descriptors below `threads_used`: raise it first.
            raise(&self.log.words().threads_used, index as u64 + 1);
            let mine = OwnerWord::live(self.me).0;
            if thread.owner.compare_exchange(0, mine, SeqCst, Relaxed).is_ok() {
                crash::point("thread.claimed");
                let mut owned = self.owned_threads.lock().unwrap_or_else(PoisonError::into_inner);
                self.row().hand_over(&thread.counted(), Handover::Taken);
                crash::point("thread.counted");
                owned.push(index as u32);
                return Some(index as u32);
            }
        }
        None
    }

    /// Keeps a descriptor for the next thread of this process, or gives it back to the table if
    /// the process has enough of them: others need some, too.
    fn park_thread(&self, index: u32) {
        if self.is_forked_child() {
            return;
        }
        let thread = &self.threads[index as usize];
        for hazard in &thread.hazards {
            hazard.store(0, Release);
        }
        thread.table_pin.store(0, Release);
        self.appender.own.leave(index);
        let mut idle = self.idle_threads.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = self.builder.is_busy() || self.fills_a_segment(index);
        if idle.len() < KEPT_IDLE || in_use {
            idle.push(index);
            return;
        }
        drop(idle);
        let mut owned = self.owned_threads.lock().unwrap_or_else(PoisonError::into_inner);
        owned.retain(|&mine| mine != index);
        self.row().hand_over(&thread.counted(), Handover::Returned);
        crash::point("thread.uncounted");
        drop(owned);
        self.threads[index as usize].owner.store(0, Release);
        crash::point("thread.returned");
    }

    /// Whether a segment is active in the name of a descriptor. Another thread of this process may
    /// append to it, so nobody else may have the descriptor: recovery of that would seal the
    /// segment.
    fn fills_a_segment(&self, index: u32) -> bool {
        (0..self.log.segments())
            .map(|segment| self.log.state(segment))
            .any(|word| word.state() == Some(SegmentState::Active) && word.owner() == index)
    }
}

#[cfg(test)]
mod tests;
