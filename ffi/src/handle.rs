//! Handles: numbers that look like pointers and are looked up, never dereferenced.
//!
//! A handle is `generation << 32 | slot << 8 | kind`. The kind byte is odd, so no aligned object
//! has such an address; the generation of a slot goes up when its handle is closed, so a handle
//! that was closed stays invalid for ever (a slot whose generations are used up is retired).
//! Whatever number a caller passes is an index to be checked. (Views and handles of keys belong to
//! a thread and have numbers of their own: see `desk`.)
//!
//! # How a call uses an object while another thread closes its handle
//!
//! Lock-free, and a call writes nothing that other threads write: the thread notes the handle in a
//! place of its own, which whoever closes looks at (a hazard pointer).
//!
//! ```text
//! call:  place = handle; light barrier; state == open?; use;
//!        place = 0;      light barrier; state == open? else look at the retired objects
//! close: state = closed (CAS); object to the retired ones; heavy barrier; look at all places
//! ```
//! The barriers order the store of each side before the load of the other, so either the call sees
//! that the handle is closed, or the closer sees the place and the object lives on among the
//! retired ones. A call that finds the handle closed when it leaves looks at those: the last of
//! them drops the object. A closer never waits.
//!
//! | word | written by |
//! |---|---|
//! | `state` closed -> open | who took the slot from the free ones, after `object` |
//! | `state` open -> closed, next generation | one closer: compare-and-swap |
//! | `object` | who took the slot; read between two looks at `state`, so it is of the generation |
//! | `below`, `free`, `unused` | the stack of free slots |
//!
//! After a fork the child has the places of threads it has not: what they name is never freed
//! there.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::desk::{self, Desk, Place};
use crate::retire;
use crate::status::{Failure, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_TOO_MANY_HANDLES};

const _: () = assert!(usize::BITS == 64, "a handle needs 64 bits");

const CHUNK_SLOTS: usize = 1024;
const CHUNKS: usize = 1024;
const KINDS: [Kind; 9] = [
    Kind::Node,
    Kind::Region,
    Kind::Iter,
    Kind::View,
    Kind::ThreadView,
    Kind::Key,
    Kind::Subscription,
    Kind::Listener,
    Kind::Values,
];

/// What a handle stands for; its lowest byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Node = 0x15,
    Region = 0x25,
    Iter = 0x35,
    View = 0x45,
    ThreadView = 0x55,
    Key = 0x65,
    Subscription = 0x75,
    Listener = 0x85,
    Values = 0x95,
}

impl Kind {
    pub(crate) fn of(address: usize) -> Option<Self> {
        KINDS.into_iter().find(|kind| address & 0xff == *kind as usize)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Region => "region",
            Self::Iter => "iterator",
            Self::View | Self::ThreadView => "view",
            Self::Key => "key",
            Self::Subscription => "subscription",
            Self::Listener => "listener",
            Self::Values => "values",
        }
    }

    /// Why `address` is not an open handle of this kind.
    #[cold]
    pub(crate) fn refuse(self, address: usize) -> Failure {
        let wanted = self.name();
        let help = "pass what the open call stored, and nothing after it was closed";
        match Self::of(address).map(Self::name) {
            _ if address == 0 => {
                Failure::new(VUG_ERR_HANDLE, format_args!("the {wanted} handle is NULL"), help)
            }
            Some(name) if name == wanted => {
                Failure::new(VUG_ERR_HANDLE, format_args!("the {wanted} handle is closed"), help)
            }
            Some(name) => {
                let what = format_args!("{name} handle in place of a {wanted} handle");
                Failure::new(VUG_ERR_HANDLE, what, help)
            }
            None => {
                let what = format_args!("{address:#x} is not a {wanted} handle");
                Failure::new(VUG_ERR_HANDLE, what, help)
            }
        }
    }
}

/// An object that C knows by a handle.
#[derive(Debug)]
pub(crate) struct Held<T> {
    object: T,
    poisoned: AtomicBool,
}

impl<T> Deref for Held<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.object
    }
}

/// Bit 0 of `state`: the handle is open. The bits above are its generation.
const OPEN: u64 = 1;

const fn open(generation: u64) -> u64 {
    generation << 1 | OPEN
}

struct Slot<T> {
    state: AtomicU64,
    /// While the slot is open: a count of the `Arc`.
    object: AtomicPtr<Held<T>>,
    /// While the slot is in the stack: 1 + the slot below, or 0.
    below: AtomicU64,
}

impl<T> Slot<T> {
    fn new() -> Self {
        let (state, object) = (AtomicU64::new(1 << 1), AtomicPtr::new(ptr::null_mut()));
        Self { state, object, below: AtomicU64::new(0) }
    }
}

/// Slots are made a chunk at a time and never move.
type Chunk<T> = Box<[Slot<T>]>;

/// Low bits of the stack's word: 1 + the top slot, or 0. The bits above count changes, so that a
/// word that comes back does not pass for an unchanged one.
const TOP: u64 = (1 << 24) - 1;

const fn changed(word: u64, top: u64) -> u64 {
    (word & !TOP).wrapping_add(TOP + 1) | top
}

/// All handles of one kind in this process. `H` is the C type that the handles point to in name.
pub(crate) struct Table<H, T> {
    kind: Kind,
    chunks: [OnceLock<Chunk<T>>; CHUNKS],
    /// Stack of the slots that were given back.
    free: AtomicU64,
    /// Slots that were never used begin here.
    unused: AtomicU64,
    pointee: PhantomData<fn() -> H>,
}

impl<H, T: Send + Sync + 'static> Table<H, T> {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: AtomicU64::new(0),
            unused: AtomicU64::new(0),
            pointee: PhantomData,
        }
    }

    /// Stores an object and makes a handle for it.
    pub(crate) fn insert(&self, object: T) -> Result<*mut H, Failure> {
        let number = self.take_slot()?;
        let held = Arc::new(Held { object, poisoned: AtomicBool::new(false) });
        let slot = self.slot(number);
        slot.object.store(Arc::into_raw(held).cast_mut(), Ordering::Release);
        let generation = slot.state.load(Ordering::Relaxed) >> 1;
        slot.state.store(open(generation), Ordering::Release);
        let address = (generation as usize) << 32 | number << 8 | self.kind as usize;
        Ok(ptr::without_provenance_mut(address))
    }

    /// Lends the object of an open handle to the calling thread, which notes it in a free place.
    #[inline(always)]
    pub(crate) fn lease<'t, 'p>(
        &'t self,
        handle: *const H,
        place: Place<'p>,
    ) -> Result<Lease<'t, 'p, T>, Failure> {
        if let Some((slot, _, generation)) = self.place(handle.addr()) {
            place.note(handle.addr());
            let leaving = Leaving { state: &slot.state, open: open(generation) };
            let was_open = leaving.is_open();
            let held = slot.object.load(Ordering::Acquire);
            if was_open && leaving.is_open() {
                return Ok(Lease { held, place, leaving });
            }
        }
        Err(self.kind.refuse(handle.addr()))
    }

    /// The object of an open handle, for longer than a moment.
    pub(crate) fn get(&self, handle: *const H) -> Result<Arc<Held<T>>, Failure> {
        desk::with(|desk| {
            let lease = self.lease(handle, desk.place_of_call()?)?;
            // SAFETY: the pointer is of `Arc::into_raw`, and the lease keeps the object.
            unsafe { Arc::increment_strong_count(lease.held) };
            // SAFETY: as above; this is the count that was just added.
            Ok(unsafe { Arc::from_raw(lease.held) })
        })?
    }

    /// The same, unless an internal error has poisoned the handle.
    pub(crate) fn get_for_write(&self, handle: *const H) -> Result<Arc<Held<T>>, Failure> {
        let held = self.get(handle)?;
        self.check_poison(&held)?;
        Ok(held)
    }

    /// Refuses an object whose handle an internal error has poisoned.
    #[inline(always)]
    pub(crate) fn check_poison(&self, held: &Held<T>) -> Result<(), Failure> {
        if held.poisoned.load(Ordering::Relaxed) { Err(self.poisoned()) } else { Ok(()) }
    }

    #[cold]
    fn poisoned(&self) -> Failure {
        Failure::new(
            VUG_ERR_POISONED,
            format_args!("an internal error stopped an earlier call on this {}", self.kind.name()),
            "close the handle and open it again",
        )
    }

    /// Closes a handle. Its object is dropped, at once or by the last call that uses it.
    pub(crate) fn remove(&self, handle: *const H) -> Result<(), Failure> {
        let taken = self.place(handle.addr()).and_then(|(slot, number, generation)| {
            let closed = (generation + 1) << 1;
            let swapped = slot.state.compare_exchange(
                open(generation),
                closed,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            swapped.ok()?;
            // SAFETY: the pointer is of `Arc::into_raw`. Only the closer, the one whose swap
            // succeeded, takes the count that the slot had.
            let held = unsafe { Arc::from_raw(slot.object.load(Ordering::Acquire)) };
            retire::retire(handle.addr(), held);
            if generation + 1 < u64::from(u32::MAX) {
                self.give_back(slot, number);
            }
            Some(())
        });
        taken.ok_or_else(|| self.kind.refuse(handle.addr()))
    }

    fn take_slot(&self) -> Result<usize, Failure> {
        let below = |word: u64| {
            let top = (word & TOP).checked_sub(1)?;
            let below = self.slot(top as usize).below.load(Ordering::Relaxed);
            Some(changed(word, below))
        };
        // Acquire: whoever made this slot the top wrote its `below` before.
        if let Ok(word) = self.free.fetch_update(Ordering::Acquire, Ordering::Acquire, below) {
            return Ok((word & TOP) as usize - 1);
        }
        let next = |unused| (unused < (CHUNKS * CHUNK_SLOTS) as u64).then_some(unused + 1);
        let taken = self.unused.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        taken.map(|number| number as usize).map_err(|open| {
            Failure::new(
                VUG_ERR_TOO_MANY_HANDLES,
                format_args!("{open} {} handles are open", self.kind.name()),
                "close or release what is no longer used",
            )
        })
    }

    fn give_back(&self, slot: &Slot<T>, number: usize) {
        let on_top = |word: u64| {
            slot.below.store(word & TOP, Ordering::Relaxed);
            Some(changed(word, number as u64 + 1))
        };
        // Release: for the Acquire in `take_slot`, which later changes of the word hand on.
        let _word = self.free.fetch_update(Ordering::Release, Ordering::Relaxed, on_top);
    }

    /// The slot of a number that was taken at some time.
    fn slot(&self, number: usize) -> &Slot<T> {
        let chunk = &self.chunks[number / CHUNK_SLOTS];
        if chunk.get().is_none() {
            // Made before it is set, so that a fork finds it being set for an instant only.
            let _other_was_faster = chunk.set((0..CHUNK_SLOTS).map(|_| Slot::new()).collect());
        }
        &chunk.wait()[number % CHUNK_SLOTS]
    }

    /// Splits a number that may be a handle: its slot, if it can have one, and its generation.
    #[inline(always)]
    fn place(&self, address: usize) -> Option<(&Slot<T>, usize, u64)> {
        if address & 0xff != self.kind as usize {
            return None;
        }
        let number = address >> 8 & 0xff_ffff;
        let chunk = self.chunks.get(number / CHUNK_SLOTS)?.get()?;
        Some((chunk.get(number % CHUNK_SLOTS)?, number, address as u64 >> 32))
    }
}

/// An object in use by the calling thread, at the latest until its call returns or its view is
/// released.
pub(crate) struct Lease<'t, 'p, T> {
    held: *const Held<T>,
    // In this order: see `Leaving`.
    place: Place<'p>,
    leaving: Leaving<'t>,
}

impl<T> Deref for Lease<'_, '_, T> {
    type Target = Held<T>;

    #[inline(always)]
    fn deref(&self) -> &Held<T> {
        // SAFETY: the handle was open after the place named it (see the module), so the object is
        // not dropped before the place is empty.
        unsafe { &*self.held }
    }
}

impl<'t, 'p, T> Lease<'t, 'p, T> {
    /// Takes the lease apart: the object, what is to be dropped after the place was emptied, and
    /// the place that keeps the object.
    ///
    /// # Safety
    /// The object must not be used after the place was dropped or emptied.
    #[inline(always)]
    pub(crate) unsafe fn into_parts(self) -> (&'static Held<T>, Leaving<'t>, Place<'p>) {
        // SAFETY: as in `deref`, while the place names the object; the caller sees to that.
        (unsafe { &*self.held }, self.leaving, self.place)
    }
}

/// Whoever leaves an object whose handle was closed meanwhile looks whether it is the last: on
/// drop, after its place is empty.
pub(crate) struct Leaving<'t> {
    state: &'t AtomicU64,
    open: u64,
}

impl Leaving<'_> {
    #[inline(always)]
    fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == self.open
    }
}

impl Drop for Leaving<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.is_open() {
            retire::look();
        }
    }
}

/// Handles that can be barred from writing, whatever they stand for.
pub(crate) trait Poison: Sync {
    fn poison(&self, address: usize);
}

impl<H, T: Send + Sync + 'static> Poison for Table<H, T> {
    fn poison(&self, address: usize) {
        if let Ok(held) = self.get(ptr::without_provenance(address)) {
            held.poisoned.store(true, Ordering::Relaxed);
        }
    }
}

/// Lends an object for the time of `f`.
impl<H, T: Send + Sync + 'static> Table<H, T> {
    #[inline(always)]
    pub(crate) fn with<R>(
        &self,
        handle: *const H,
        f: impl FnOnce(&Held<T>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        desk::with(|desk: &Desk| f(&*self.lease(handle, desk.place_of_call()?)?))?
    }
}

#[cfg(test)]
mod tests;
