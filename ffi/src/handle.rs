//! Handles: numbers that look like pointers and are looked up, never dereferenced.
//!
//! A handle is `generation << 32 | slot << 8 | kind`. The kind byte is odd, so no aligned object
//! has such an address; the generation of a slot goes up when its handle is closed, so a handle
//! that was closed stays invalid for ever (a slot whose generations are used up is retired).
//! Nothing here is `unsafe`: whatever number a caller passes is an index to be checked.
//!
//! Free slots are in a lock-free stack, and a slot is locked for an instant only, by those who
//! hold its handle. So a child can open its own handles even if other threads of its parent
//! opened and closed some at the moment of the fork.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::status::{Failure, VUG_ERR_HANDLE, VUG_ERR_POISONED, VUG_ERR_TOO_MANY_HANDLES};

const _: () = assert!(usize::BITS == 64, "a handle needs 64 bits");

const CHUNK_SLOTS: usize = 1024;
const CHUNKS: usize = 1024;
const KINDS: [Kind; 4] = [Kind::Node, Kind::Region, Kind::Iter, Kind::View];

/// What a handle stands for; its lowest byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Node = 0x15,
    Region = 0x25,
    Iter = 0x35,
    View = 0x45,
}

impl Kind {
    fn of(address: usize) -> Option<Self> {
        KINDS.into_iter().find(|kind| address & 0xff == *kind as usize)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Region => "region",
            Self::Iter => "iterator",
            Self::View => "view",
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

    fn deref(&self) -> &T {
        &self.object
    }
}

struct Content<T> {
    generation: u32,
    held: Option<Arc<Held<T>>>,
}

struct Slot<T> {
    content: RwLock<Content<T>>,
    /// While the slot is in the stack: 1 + the slot below, or 0.
    below: AtomicU64,
}

impl<T> Slot<T> {
    fn new() -> Self {
        let content = RwLock::new(Content { generation: 1, held: None });
        let below = AtomicU64::new(0);
        Self { content, below }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content<T>> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content<T>> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
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

impl<H, T> Table<H, T> {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: AtomicU64::new(0),
            unused: AtomicU64::new(0),
            pointee: PhantomData,
        }
    }

    /// Stores an object and makes a handle for it. The object comes back as well, at the address
    /// it keeps until the handle is closed.
    pub(crate) fn insert(&self, object: T) -> Result<(*mut H, Arc<Held<T>>), Failure> {
        let poisoned = AtomicBool::new(false);
        let held = Arc::new(Held { object, poisoned });
        let number = self.take_slot()?;
        let mut content = self.slot(number).write();
        content.held = Some(Arc::clone(&held));
        let address = (content.generation as usize) << 32 | number << 8 | self.kind as usize;
        Ok((ptr::without_provenance_mut(address), held))
    }

    /// The object of an open handle.
    pub(crate) fn get(&self, handle: *const H) -> Result<Arc<Held<T>>, Failure> {
        let found = self.place(handle.addr()).and_then(|(slot, _, generation)| {
            let content = slot.read();
            let held = content.held.as_ref();
            held.filter(|_| content.generation == generation).cloned()
        });
        found.ok_or_else(|| self.invalid(handle.addr()))
    }

    /// The object of an open handle that no internal error has poisoned.
    pub(crate) fn get_for_write(&self, handle: *const H) -> Result<Arc<Held<T>>, Failure> {
        let held = self.get(handle)?;
        if held.poisoned.load(Ordering::Relaxed) {
            return Err(Failure::new(
                VUG_ERR_POISONED,
                format_args!(
                    "an internal error stopped an earlier call on this {}",
                    self.kind.name()
                ),
                "close the handle and open it again",
            ));
        }
        Ok(held)
    }

    /// Closes a handle and returns its object, which lives on while others use it.
    pub(crate) fn remove(&self, handle: *const H) -> Result<Arc<Held<T>>, Failure> {
        let taken = self.place(handle.addr()).and_then(|(slot, number, generation)| {
            let mut content = slot.write();
            if content.generation != generation {
                return None;
            }
            let held = content.held.take()?;
            content.generation += 1;
            let retired = content.generation == u32::MAX;
            drop(content);
            if !retired {
                self.give_back(slot, number);
            }
            Some(held)
        });
        taken.ok_or_else(|| self.invalid(handle.addr()))
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
        let chunk = self.chunks[number / CHUNK_SLOTS]
            .get_or_init(|| (0..CHUNK_SLOTS).map(|_| Slot::new()).collect());
        &chunk[number % CHUNK_SLOTS]
    }

    /// Splits a number that may be a handle: its slot, if it can have one, and its generation.
    fn place(&self, address: usize) -> Option<(&Slot<T>, usize, u32)> {
        if Kind::of(address) != Some(self.kind) {
            return None;
        }
        let number = address >> 8 & 0xff_ffff;
        let generation = u32::try_from(address >> 32).ok()?;
        let chunk = self.chunks.get(number / CHUNK_SLOTS)?.get()?;
        Some((&chunk[number % CHUNK_SLOTS], number, generation))
    }

    #[cold]
    fn invalid(&self, address: usize) -> Failure {
        let wanted = self.kind.name();
        let help = "pass what the open call stored, and nothing after it was closed";
        match Kind::of(address) {
            _ if address == 0 => {
                Failure::new(VUG_ERR_HANDLE, format_args!("the {wanted} handle is NULL"), help)
            }
            Some(kind) if kind == self.kind => {
                Failure::new(VUG_ERR_HANDLE, format_args!("the {wanted} handle is closed"), help)
            }
            Some(kind) => {
                let what = format_args!("{} handle in place of a {wanted} handle", kind.name());
                Failure::new(VUG_ERR_HANDLE, what, help)
            }
            None => {
                let what = format_args!("{address:#x} is not a {wanted} handle");
                Failure::new(VUG_ERR_HANDLE, what, help)
            }
        }
    }
}

/// Handles that can be barred from writing, whatever they stand for.
pub(crate) trait Poison: Sync {
    fn poison(&self, address: usize);
}

impl<H, T: Send + Sync> Poison for Table<H, T> {
    fn poison(&self, address: usize) {
        if let Ok(held) = self.get(ptr::without_provenance(address)) {
            held.poisoned.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    struct Thing;

    fn code(result: Result<Arc<Held<u32>>, Failure>) -> i32 {
        result.map_or_else(Failure::report, |_| 0)
    }

    #[test]
    fn a_closed_handle_stays_closed_when_its_slot_is_used_again() {
        let table: Table<Thing, u32> = Table::new(Kind::Region);
        let (first, held) = table.insert(1).expect("room");
        assert_eq!(**held, 1);
        assert_eq!(**table.get(first).expect("open"), 1);
        assert_eq!(**table.remove(first).expect("open"), 1);
        let (second, _) = table.insert(2).expect("room");
        assert_ne!(first, second);
        assert_eq!(code(table.get(first)), VUG_ERR_HANDLE);
        assert_eq!(code(table.remove(first)), VUG_ERR_HANDLE);
        assert_eq!(**table.get(second).expect("open"), 2);
    }

    #[test]
    fn no_other_number_is_a_handle() {
        let table: Table<Thing, u32> = Table::new(Kind::Region);
        let (handle, _) = table.insert(1).expect("room");
        let other: Table<Thing, u32> = Table::new(Kind::Node);
        assert_eq!(code(other.get(handle)), VUG_ERR_HANDLE);
        for bit in 0..usize::BITS {
            let wrong: *const Thing = ptr::without_provenance(handle.addr() ^ (1 << bit));
            assert_eq!(code(table.get(wrong)), VUG_ERR_HANDLE);
            assert_eq!(code(table.remove(wrong)), VUG_ERR_HANDLE);
        }
        let on_stack = 0_u64;
        for wrong in [0, usize::MAX, (&raw const on_stack).addr()] {
            assert_eq!(code(table.get(ptr::without_provenance(wrong))), VUG_ERR_HANDLE);
        }
    }

    #[test]
    fn a_slot_without_generations_left_is_retired() {
        let table: Table<Thing, u32> = Table::new(Kind::View);
        let (first, _) = table.insert(1).expect("room");
        table.remove(first).expect("open");
        table.slot(0).write().generation = u32::MAX - 1;
        let (last, _) = table.insert(2).expect("room");
        table.remove(last).expect("open");
        assert_eq!(code(table.get(last)), VUG_ERR_HANDLE);
        let (next, _) = table.insert(3).expect("room");
        assert_eq!(next.addr() >> 8 & 0xff_ffff, 1, "slot 0 must not come back");
    }

    #[test]
    fn poison_stops_writes_and_nothing_else() {
        let table: Table<Thing, u32> = Table::new(Kind::Region);
        let (handle, _) = table.insert(1).expect("room");
        assert_eq!(code(table.get_for_write(handle)), 0);
        table.poison(handle.addr());
        assert_eq!(code(table.get_for_write(handle)), VUG_ERR_POISONED);
        assert_eq!(code(table.get(handle)), 0);
        assert_eq!(code(table.remove(handle)), 0);
    }

    #[test]
    fn threads_never_share_a_handle() {
        let table: Arc<Table<Thing, u32>> = Arc::new(Table::new(Kind::View));
        let threads: Vec<_> = (0..4_u32)
            .map(|thread| {
                let table = Arc::clone(&table);
                std::thread::spawn(move || {
                    let mut open = VecDeque::new();
                    for round in 0..20_000 {
                        let value = thread * 100_000 + round;
                        open.push_back((table.insert(value).expect("room").0.addr(), value));
                        if open.len() < 8 {
                            continue;
                        }
                        let (address, value) = open.pop_front().expect("eight are open");
                        let handle: *const Thing = ptr::without_provenance(address);
                        assert_eq!(**table.get(handle).expect("open"), value);
                        assert_eq!(**table.remove(handle).expect("open"), value);
                        assert_eq!(code(table.remove(handle)), VUG_ERR_HANDLE);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("thread");
        }
        let unused = table.unused.load(Ordering::Relaxed);
        assert!(unused <= 4 * 8, "{unused} slots for 4 times 8 handles");
    }
}
