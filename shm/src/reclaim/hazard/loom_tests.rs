//! The handshake of readers and reclaimers under all interleavings of two threads.

use std::sync::Arc;

use super::Hazard;
use crate::layout::thread::{InsertDescriptor, Intent, ThreadDescriptor};
use crate::layout::word::{Location, SlotWord};
use crate::reclaim::scan_hazards;
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst};

/// Two slots that refer to two segments. loom reports a reader that is not done when the memory of
/// a segment is written again.
struct Shared {
    slots: [AtomicU64; 2],
    segments: [loom::cell::UnsafeCell<u64>; 2],
    threads: [ThreadDescriptor; 1],
}

// SAFETY: loom checks the accesses of the cells.
unsafe impl Sync for Shared {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Shared {}

fn zero() -> AtomicU64 {
    AtomicU64::new(0)
}

fn word(segment: u32) -> SlotWord {
    SlotWord::occupied(5, Location::new(segment, 0, 0))
}

impl Shared {
    fn new() -> Arc<Self> {
        let intent = Intent {
            record: zero(),
            slot: zero(),
            old: zero(),
            new: zero(),
            announce: zero(),
            reserved: core::array::from_fn(|_| zero()),
        };
        let insert =
            InsertDescriptor { sequence: zero(), slot: zero(), expected: zero(), new: zero() };
        let thread = ThreadDescriptor {
            hazards: core::array::from_fn(|_| zero()),
            owner: zero(),
            active_since: zero(),
            ring_start: zero(),
            stamp: zero(),
            overflow_claim: zero(),
            table_pin: zero(),
            waiting_since: zero(),
            waiting_for: zero(),
            intent,
            insert,
            counters: core::array::from_fn(|_| zero()),
        };
        Arc::new(Self {
            slots: [0, 1].map(|segment| AtomicU64::new(word(segment).0)),
            segments: [0, 1].map(|_| loom::cell::UnsafeCell::new(7)),
            threads: [thread],
        })
    }

    /// Looks at what a slot refers to, if it can protect it.
    fn read(&self, slot: usize) {
        let hazard = Hazard::new(&self.threads[0].hazards[0]);
        let seen = SlotWord(self.slots[slot].load(Acquire));
        if !seen.is_empty() && hazard.protect(&self.slots[slot], seen).is_ok() {
            let segment = seen.location().segment() as usize;
            // SAFETY: protected; loom panics if it is not.
            assert_eq!(self.segments[segment].with(|value| unsafe { *value }), 7);
        }
    }

    /// Unlinks the record of a slot and writes its segment again unless somebody looks at it.
    fn reuse(&self, slot: u32) {
        let empty = SlotWord::empty(1, 1);
        let unlinked =
            self.slots[slot as usize].compare_exchange(word(slot).0, empty.0, SeqCst, Relaxed);
        assert!(unlinked.is_ok());
        let mut protected = false;
        scan_hazards(&self.threads, &AtomicU64::new(1), |hazard| {
            protected |= hazard == u64::from(slot) + 1
        });
        if !protected {
            // SAFETY: nobody looks at the segment; loom panics if somebody does.
            self.segments[slot as usize].with_mut(|value| unsafe { *value = 8 });
        }
    }
}

fn explore(f: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = None;
    model.check(f);
}

#[test]
fn loom_a_protected_segment_is_not_reused() {
    explore(|| {
        let shared = Shared::new();
        let reader = Arc::clone(&shared);
        let reader = loom::thread::spawn(move || {
            reader.read(0);
            Hazard::new(&reader.threads[0].hazards[0]).clear();
        });
        shared.reuse(0);
        reader.join().expect("no panic");
    });
}

#[test]
fn loom_a_hazard_moves_on_without_a_gap() {
    explore(|| {
        let shared = Shared::new();
        let reader = Arc::clone(&shared);
        let reader = loom::thread::spawn(move || {
            reader.read(0);
            reader.read(1);
            Hazard::new(&reader.threads[0].hazards[0]).clear();
        });
        shared.reuse(0);
        reader.join().expect("no panic");
    });
}
