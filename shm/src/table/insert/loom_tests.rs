//! The insert under all interleavings of a few threads, in one bucket.

use std::sync::Arc;

use super::{Insert, help, insert};
use crate::layout::bucket::{Bucket, SLOTS};
use crate::layout::thread::InsertDescriptor;
use crate::layout::word::{HeaderWord, Location, SlotRef, SlotWord};
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst};

/// Threads are numbered from 1, as in a region.
const THREADS: usize = 4;

/// A bucket and the descriptors of its users. A key is the tag of a word, its value the offset.
struct Table {
    buckets: [Bucket; 1],
    descriptors: [InsertDescriptor; THREADS],
}

/// One thread's view.
struct User {
    table: Arc<Table>,
    thread: u32,
    stamps: u64,
}

fn zero() -> AtomicU64 {
    AtomicU64::new(0)
}

impl Table {
    /// All slots but the first `free` are occupied by keys that nobody uses.
    fn new(free: usize) -> Arc<Self> {
        let slots = core::array::from_fn(|slot| {
            let other = SlotWord::occupied(100 + slot as u64, Location(0));
            AtomicU64::new(if slot < free { 0 } else { other.0 })
        });
        let bucket = Bucket { header: zero(), slots, link: zero() };
        let descriptor =
            |_| InsertDescriptor { sequence: zero(), slot: zero(), expected: zero(), new: zero() };
        Arc::new(Self { buckets: [bucket], descriptors: core::array::from_fn(descriptor) })
    }

    fn user(self: &Arc<Self>, thread: u32) -> User {
        User { table: Arc::clone(self), thread, stamps: 0 }
    }

    /// How many slots have the key when all is over.
    fn count(&self, key: u64) -> usize {
        let header = HeaderWord(self.buckets[0].header.load(SeqCst));
        assert!(!header.is_pending(), "an insert was not finished");
        let words = self.buckets[0].slots.iter().map(|slot| SlotWord(slot.load(SeqCst)));
        words.filter(|word| word.tag() == key).count()
    }
}

impl User {
    /// The place of the key, or the first empty one.
    fn scan(&self, key: u64) -> (Option<(usize, SlotWord)>, Option<(usize, SlotWord)>) {
        let mut empty = None;
        for slot in 0..SLOTS {
            let word = SlotWord(self.table.buckets[0].slots[slot].load(Acquire));
            if word.tag() == key {
                return (Some((slot, word)), None);
            }
            if word.is_empty() && empty.is_none() {
                empty = Some((slot, word));
            }
        }
        (None, empty)
    }

    fn finish_pending(&self) -> Option<HeaderWord> {
        let header = HeaderWord(self.table.buckets[0].header.load(SeqCst));
        if !header.is_pending() {
            return Some(header);
        }
        let descriptor = &self.table.descriptors[header.thread() as usize];
        help(&self.table.buckets, 0, header, descriptor).expect("a sound bucket");
        None
    }

    /// True if it inserted the key, false if it replaced a value. The steps are those of
    /// `region::write`.
    fn put(&mut self, key: u64) -> bool {
        self.stamps += 8;
        let location = Location::new(self.thread, 0, self.stamps as usize);
        let new = SlotWord::occupied(key, location);
        loop {
            let Some(header) = self.finish_pending() else { continue };
            let (found, empty) = self.scan(key);
            if let Some((slot, word)) = found {
                let slot = &self.table.buckets[0].slots[slot];
                if slot.compare_exchange(word.0, new.0, SeqCst, Relaxed).is_ok() {
                    return false;
                }
                continue;
            }
            let (slot, expected) = empty.expect("room");
            let wanted = Insert { primary: 0, header, slot: SlotRef::new(0, slot), expected, new };
            let descriptor = &self.table.descriptors[self.thread as usize];
            if insert(&self.table.buckets, self.thread, descriptor, &wanted) {
                return true;
            }
        }
    }

    /// True if the key was there.
    fn delete(&mut self, key: u64) -> bool {
        loop {
            if self.finish_pending().is_none() {
                continue;
            }
            let Some((slot, word)) = self.scan(key).0 else { return false };
            self.stamps += 1;
            let empty = SlotWord::empty(self.thread, self.stamps);
            let slot = &self.table.buckets[0].slots[slot];
            if slot.compare_exchange(word.0, empty.0, SeqCst, Relaxed).is_ok() {
                return true;
            }
        }
    }
}

fn explore(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(f);
}

#[test]
fn loom_two_inserters_of_one_key() {
    explore(8, || {
        let table = Table::new(2);
        let mut first = table.user(1);
        let other = loom::thread::spawn(move || first.put(5));
        let mine = table.user(2).put(5);
        let created = usize::from(mine) + usize::from(other.join().expect("no panic"));
        assert_eq!((created, table.count(5)), (1, 1));
    });
}

#[test]
fn loom_helper_races_the_owner_and_its_next_insert() {
    explore(4, || {
        let table = Table::new(3);
        let mut first = table.user(1);
        let other = loom::thread::spawn(move || first.put(5) && first.put(6));
        assert!(table.user(2).put(7));
        assert!(other.join().expect("no panic"));
        assert_eq!([5, 6, 7].map(|key| table.count(key)), [1, 1, 1]);
    });
}

#[test]
fn loom_two_inserters_and_a_deleter_of_one_key() {
    explore(4, || {
        let table = Table::new(2);
        let (mut first, mut third) = (table.user(1), table.user(3));
        let first = loom::thread::spawn(move || first.put(5));
        let third = loom::thread::spawn(move || third.delete(5));
        let second = table.user(2).put(5);
        let created = usize::from(second) + usize::from(first.join().expect("no panic"));
        let deleted = usize::from(third.join().expect("no panic"));
        assert_eq!(table.count(5), created - deleted);
        assert!(created - deleted <= 1);
    });
}

#[test]
fn loom_a_dead_owner_is_finished_once() {
    explore(8, || {
        let table = Table::new(2);
        // Thread 1 died after its claim.
        let expected = SlotWord(0);
        let new = SlotWord::occupied(5, Location::new(1, 0, 8));
        let dead = &table.descriptors[1];
        dead.slot.store(SlotRef::new(0, 0).to_word(), SeqCst);
        dead.expected.store(expected.0, SeqCst);
        dead.new.store(new.0, SeqCst);
        dead.sequence.store(1, SeqCst);
        table.buckets[0].header.store(HeaderWord(0).claim(1, 1).0, SeqCst);
        let mut deleter = table.user(2);
        let other = loom::thread::spawn(move || deleter.delete(5));
        // Recovery of thread 1, stopped anywhere.
        let header = HeaderWord(table.buckets[0].header.load(SeqCst));
        if header.is_pending() {
            help(&table.buckets, 0, header, dead).expect("a sound bucket");
        }
        assert!(other.join().expect("no panic"), "the dead insert was decided by its claim");
        assert_eq!(table.count(5), 0, "it must not come back");
    });
}
