//! A thread in a region: its descriptor, and which of its hazard words guards hold.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, PoisonError, Weak};

use crate::crash;
use crate::error::{Error, Result};
use crate::layout::counters::{Counter, Handover};
use crate::layout::thread::{HAZARDS, OPERATION_HAZARDS, OwnerWord, ThreadDescriptor};
use crate::layout::word::SegmentState;
use crate::reclaim::hazard::Hazard;
use crate::region::mapped::Mapped;
use crate::sync::{Relaxed, Release, SeqCst, raise};

/// Descriptors that a process keeps for threads to come.
const KEPT_IDLE: usize = 16;

/// The calling thread in one region. Not `Send`; guards keep it alive.
#[derive(Debug)]
pub(crate) struct Context {
    region: Weak<Mapped>,
    instance: u64,
    /// Number of the descriptor.
    pub(crate) index: u32,
    /// Bit n = hazard word n is held by a guard.
    held: Cell<u8>,
}

/// The context that the thread used last, by the instance it belongs to; 0 and null = none.
#[derive(Debug, Clone, Copy)]
struct Last {
    instance: u64,
    context: *const Context,
}

impl Last {
    const NONE: Self = Self { instance: 0, context: std::ptr::null() };
}

thread_local! {
    /// No destructor, so a look at it is one at a place of memory. The drop of a context clears it.
    static LAST: Cell<Last> = const { Cell::new(Last::NONE) };
    static CONTEXTS: RefCell<Vec<Rc<Context>>> = const { RefCell::new(Vec::new()) };
}

impl Context {
    /// Takes a guard's hazard word, if one is left.
    #[inline]
    pub(crate) fn hold(&self) -> Option<usize> {
        let free = (!self.held.get()).trailing_zeros() as usize;
        (OPERATION_HAZARDS..HAZARDS).contains(&free).then(|| {
            self.held.set(self.held.get() | (1 << free));
            free
        })
    }

    /// Gives it back.
    #[inline]
    pub(crate) fn unhold(&self, hazard: usize) {
        self.held.set(self.held.get() & !(1 << hazard));
    }
}

/// A hazard word of a guard, held while a visitor runs: the visitor may use the region.
#[derive(Debug)]
pub(crate) struct Held<'m> {
    region: &'m Mapped,
    context: Rc<Context>,
    number: usize,
}

impl<'m> Held<'m> {
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn hazard(&self) -> Hazard<'m> {
        self.region.hazard(&self.context, self.number)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.region.members.is_forked_child() {
            self.hazard().clear();
        }
        self.context.unhold(self.number);
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if LAST.get().instance == self.instance {
            LAST.set(Last::NONE);
        }
        if let Some(region) = self.region.upgrade() {
            region.park_thread(self.index);
        }
    }
}

impl Mapped {
    /// The calling thread's context, made on first use.
    #[inline]
    pub(crate) fn context(self: &Arc<Self>) -> Result<Rc<Context>> {
        if self.members.is_forked_child() {
            return Err(Error::ForkedChild);
        }
        let Last { instance, context } = LAST.get();
        if instance != self.instance {
            return self.find_context();
        }
        // SAFETY: the pointer is of `Rc::as_ptr`, and the context lives: its drop, which runs on
        // this thread because it is not `Send`, clears `LAST`.
        unsafe { Rc::increment_strong_count(context) };
        // SAFETY: as above; this is the count that was just added.
        Ok(unsafe { Rc::from_raw(context) })
    }

    #[inline(never)]
    fn find_context(self: &Arc<Self>) -> Result<Rc<Context>> {
        let found = CONTEXTS.try_with(|contexts| {
            let contexts = contexts.try_borrow().ok()?;
            contexts.iter().find(|context| context.instance == self.instance).cloned()
        });
        let context = match found {
            Ok(Some(context)) => context,
            _ => self.new_context()?,
        };
        LAST.set(Last { instance: self.instance, context: Rc::as_ptr(&context) });
        Ok(context)
    }

    #[cold]
    fn new_context(self: &Arc<Self>) -> Result<Rc<Context>> {
        let context = Rc::new(Context {
            region: Arc::downgrade(self),
            instance: self.instance,
            index: self.claim_thread()?,
            // The operation hazards are never given to guards.
            held: Cell::new((1 << OPERATION_HAZARDS) - 1),
        });
        // While the thread ends its thread-locals are gone; then the context lives for one call.
        let _ = CONTEXTS.try_with(|contexts| {
            if let Ok(mut contexts) = contexts.try_borrow_mut() {
                contexts.retain(|context| context.region.strong_count() > 0);
                contexts.push(Rc::clone(&context));
            }
        });
        Ok(context)
    }

    /// Takes a guard's hazard word for a visit; given back on drop, also by a panic.
    pub(crate) fn held(self: &Arc<Self>) -> Result<Held<'_>> {
        let context = self.context()?;
        let number = context.hold().ok_or_else(|| self.too_many_guards())?;
        Ok(Held { region: self, context, number })
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
        if self.members.is_forked_child() {
            return;
        }
        let thread = &self.threads[index as usize];
        for hazard in &thread.hazards {
            hazard.store(0, Release);
        }
        thread.table_pin.store(0, Release);
        self.appender.own.leave(index);
        let mut idle = self.idle_threads.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT_IDLE || self.fills_a_segment(index) {
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
