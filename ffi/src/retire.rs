//! Objects whose handles are closed while some thread still uses them, and the two barriers by
//! which closers and users see each other (`handle` has the protocol).
//!
//! Where the kernel has `membarrier(2)` the barrier of users is one for the compiler only, and that
//! of closers interrupts the other processors on which the process runs. Elsewhere both are fences
//! of the processor.
//!
//! The retired objects are a stack. Whoever looks through it takes all of it, and puts back what is
//! used; then a user that left meanwhile has seen an empty stack, so it looks once more.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering, compiler_fence, fence};

use crate::desk;

struct Retired {
    handle: usize,
    _object: Arc<dyn Send + Sync>,
    below: *mut Retired,
}

/// Top of the stack.
static RETIRED: AtomicPtr<Retired> = AtomicPtr::new(ptr::null_mut());

const UNDECIDED: u8 = 0;
/// Users make a barrier themselves.
const FENCES: u8 = 1;
/// Closers make it for them.
const SYSTEM_CALL: u8 = 2;
static BARRIERS: AtomicU8 = AtomicU8::new(UNDECIDED);

/// Decides which barriers are used, before the first one.
pub(crate) fn choose_barriers() {
    if BARRIERS.load(Ordering::Relaxed) == UNDECIDED {
        let registered = membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        let chosen = if registered { SYSTEM_CALL } else { FENCES };
        // Threads may race: one decision counts, for all.
        let _decided =
            BARRIERS.compare_exchange(UNDECIDED, chosen, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Between the store of a user and its look at what closers store.
#[inline(always)]
pub(crate) fn light_barrier() {
    if BARRIERS.load(Ordering::Relaxed) == SYSTEM_CALL {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Between the store of a closer and its look at what users store. False: there was none.
fn heavy_barrier() -> bool {
    fence(Ordering::SeqCst);
    BARRIERS.load(Ordering::SeqCst) != SYSTEM_CALL
        || membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        // A child of a fork may have to register anew.
        || (membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
            && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED))
}

fn membarrier(command: libc::c_int) -> bool {
    let none: libc::c_uint = 0;
    // SAFETY: the commands take no pointer and change nothing that Rust knows of.
    unsafe { libc::syscall(libc::SYS_membarrier, command, none, none) == 0 }
}

/// Drops the object of a closed handle, now or when nobody uses it any more.
pub(crate) fn retire(handle: usize, object: Arc<dyn Send + Sync>) {
    choose_barriers();
    push(Box::new(Retired { handle, _object: object, below: ptr::null_mut() }));
    reclaim();
}

/// Drops what nobody uses any more, if there is something retired.
#[inline(always)]
pub(crate) fn look() {
    if !RETIRED.load(Ordering::Relaxed).is_null() {
        reclaim();
    }
}

fn push(retired: Box<Retired>) {
    let retired = Box::into_raw(retired);
    let on_top = |top| {
        // SAFETY: from the box above, and not shared before it is the top.
        unsafe { (*retired).below = top };
        Some(retired)
    };
    let _top = RETIRED.fetch_update(Ordering::SeqCst, Ordering::SeqCst, on_top);
}

#[cold]
#[inline(never)]
fn reclaim() {
    loop {
        // Without a barrier nothing is known of the other threads, so all of it stays.
        if !heavy_barrier() {
            return;
        }
        let mut used = Vec::new();
        let mut free = Vec::new();
        let mut next = RETIRED.swap(ptr::null_mut(), Ordering::SeqCst);
        while !next.is_null() {
            // SAFETY: from `push`; whoever swapped the top out has the stack for itself.
            let retired = unsafe { Box::from_raw(next) };
            next = retired.below;
            if desk::is_used(retired.handle) { used.push(retired) } else { free.push(retired) }
        }
        let handles: Vec<usize> = used.iter().map(|retired| retired.handle).collect();
        used.into_iter().for_each(push);
        // Now: what is dropped may be a listener, which may call the application.
        drop(free);
        if handles.is_empty() || !heavy_barrier() || handles.into_iter().all(desk::is_used) {
            return;
        }
    }
}
