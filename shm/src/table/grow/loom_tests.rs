//! Moving a chain under all interleavings of a few threads that also read and write it.

use std::sync::Arc;

use super::{Contents, Mover, Stuck, move_chain};
use crate::layout::bucket::{Bucket, SLOTS};
use crate::layout::thread::InsertDescriptor;
use crate::layout::word::{HeaderWord, LINK_FROZEN, Location, SlotRef, SlotWord};
use crate::reclaim::hazard::Hazard;
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst};
use crate::table::insert::{self, Insert};
use crate::table::{View, linked};

/// Threads are numbered from 1, as in a region.
const THREADS: usize = 4;

/// One chain of an old table of one primary bucket, and a new table of two with an arena of two. A
/// key is the tag of a word; odd ones belong to the second child. A location says key and value.
struct Tables {
    old: [Bucket; 2],
    new: [Bucket; 4],
    descriptors: [InsertDescriptor; THREADS],
    hazards: [AtomicU64; THREADS],
    claims: [AtomicU64; THREADS],
}

fn zero() -> AtomicU64 {
    AtomicU64::new(0)
}

fn bucket() -> Bucket {
    Bucket { header: zero(), slots: core::array::from_fn(|_| zero()), link: zero() }
}

/// The word of a key with a value.
fn word(key: u64, value: u64) -> SlotWord {
    SlotWord::occupied(key, Location::new(key as u32, 0, value as usize * 8))
}

impl Contents for Tables {
    type Error = ();

    fn descriptor(&self, thread: u32) -> Option<&InsertDescriptor> {
        self.descriptors.get(thread as usize)
    }

    fn note_set_aside(&self) {
        panic!("every insert is described");
    }

    unsafe fn hash_of(&self, location: Location) -> Result<u32, ()> {
        Ok(location.segment())
    }
}

impl Tables {
    /// The old chain holds these keys with value 1, in its first slots.
    fn new(keys: &[u64]) -> Arc<Self> {
        let descriptor =
            |_| InsertDescriptor { sequence: zero(), slot: zero(), expected: zero(), new: zero() };
        let tables = Self {
            old: [bucket(), bucket()],
            new: core::array::from_fn(|_| bucket()),
            descriptors: core::array::from_fn(descriptor),
            hazards: core::array::from_fn(|_| zero()),
            claims: core::array::from_fn(|_| zero()),
        };
        for (at, key) in keys.iter().enumerate() {
            tables.old[at / SLOTS].slots[at % SLOTS].store(word(*key, 1).0, SeqCst);
        }
        if keys.len() > SLOTS {
            tables.old[0].link.store(2, SeqCst);
            tables.old[1].header.store(1, SeqCst);
        }
        Arc::new(tables)
    }

    fn view(&self, log2: u32) -> View<'_> {
        View { log2, buckets: if log2 == 0 { &self.old } else { &self.new } }
    }

    fn migrate(&self, thread: usize) {
        let mover =
            Mover { hazard: Hazard::new(&self.hazards[thread]), claim: &self.claims[thread] };
        let moved = move_chain(self, self.view(0), self.view(1), 0, mover);
        assert_eq!(moved, Ok::<(), Stuck<()>>(()));
        assert!(HeaderWord(self.old[0].header.load(SeqCst)).is_moved());
    }

    /// Table and bucket in force for a key, and its idle header; moves a frozen chain.
    fn place(&self, key: u64, thread: usize) -> Option<(u32, u32, HeaderWord)> {
        let header = HeaderWord(self.old[0].header.load(SeqCst));
        if header.is_frozen() {
            self.migrate(thread);
            let bucket = key as u32 & 1;
            let header = HeaderWord(self.new[bucket as usize].header.load(SeqCst));
            return (!header.is_pending()).then_some((1, bucket, header));
        }
        (!header.is_pending()).then_some((0, 0, header))
    }

    /// Stores a value as `region::write` does; whether the key was inserted.
    fn put(&self, key: u64, value: u64, thread: usize) -> bool {
        let new = word(key, value);
        'again: loop {
            let Some((table, primary, header)) = self.place(key, thread) else {
                loom::thread::yield_now();
                continue;
            };
            let buckets = self.view(table).buckets;
            let mut empty = None;
            for number in 0..SLOTS {
                let slot = &buckets[primary as usize].slots[number];
                let seen = SlotWord(slot.load(Acquire));
                if seen.is_frozen() {
                    continue 'again;
                }
                if seen.tag() == key {
                    if slot.compare_exchange(seen.0, new.0, SeqCst, Relaxed).is_ok() {
                        return false;
                    }
                    continue 'again;
                }
                if seen.is_empty() && empty.is_none() {
                    empty = Some((SlotRef::new(primary, number).in_table(table), seen));
                }
            }
            let (slot, expected) = empty.expect("room");
            let wanted = Insert { primary, header, slot, expected, new };
            if insert::insert(buckets, thread as u32, &self.descriptors[thread], &wanted) {
                return true;
            }
        }
    }

    /// Reads as `region::read` does; 0 if the key is not there.
    fn get(&self, key: u64) -> u64 {
        if !HeaderWord(self.old[0].header.load(Acquire)).is_moved() {
            for slot in &self.old[0].slots {
                let seen = SlotWord(slot.load(SeqCst));
                if seen.tag() != key {
                    continue;
                }
                let header = HeaderWord(self.old[0].header.load(SeqCst));
                if seen.is_frozen() && header.is_moved() {
                    break;
                }
                return seen.location().offset() as u64 / 8;
            }
            if !HeaderWord(self.old[0].header.load(SeqCst)).is_moved() {
                return 0;
            }
        }
        let slots = self.new[key as usize & 1].slots.iter();
        let mut words = slots.map(|slot| SlotWord(slot.load(Acquire)));
        words.find(|seen| seen.tag() == key).map_or(0, |seen| seen.location().offset() as u64 / 8)
    }

    /// Values of a key in the new table when all is over.
    fn values(&self, key: u64) -> Vec<u64> {
        let mut values = Vec::new();
        let mut bucket = key as usize & 1;
        loop {
            let words = self.new[bucket].slots.iter().map(|slot| SlotWord(slot.load(SeqCst)));
            let mine = words.filter(|seen| seen.tag() == key);
            values.extend(mine.map(|seen| seen.location().offset() as u64 / 8));
            match linked(self.new[bucket].link.load(SeqCst)) {
                Some(next) => bucket = next as usize,
                None => return values,
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
fn loom_two_move_one_chain() {
    explore(3, || {
        let tables = Tables::new(&[4, 5]);
        let other = Arc::clone(&tables);
        let other = loom::thread::spawn(move || other.migrate(1));
        tables.migrate(2);
        other.join().expect("no panic");
        assert_eq!([4, 5].map(|key| tables.values(key)), [vec![1], vec![1]]);
    });
}

#[test]
fn loom_a_replacement_is_moved_or_takes_place_after_the_move() {
    explore(3, || {
        let tables = Tables::new(&[4]);
        let other = Arc::clone(&tables);
        let other = loom::thread::spawn(move || other.migrate(1));
        assert!(!tables.put(4, 2, 2));
        other.join().expect("no panic");
        assert_eq!(tables.values(4), [2]);
    });
}

#[test]
fn loom_an_insert_is_moved_or_takes_place_after_the_move() {
    explore(3, || {
        let tables = Tables::new(&[4]);
        let other = Arc::clone(&tables);
        let other = loom::thread::spawn(move || other.migrate(1));
        assert!(tables.put(6, 2, 2));
        other.join().expect("no panic");
        assert_eq!([4, 6].map(|key| tables.values(key)), [vec![1], vec![2]]);
    });
}

#[test]
fn loom_a_reader_sees_the_key_all_the_time() {
    explore(3, || {
        let tables = Tables::new(&[4]);
        let (mover, writer) = (Arc::clone(&tables), Arc::clone(&tables));
        let mover = loom::thread::spawn(move || mover.migrate(1));
        let writer = loom::thread::spawn(move || assert!(!writer.put(4, 2, 2)));
        let first = tables.get(4);
        let second = tables.get(4);
        assert!(first >= 1 && second >= first, "{first} {second}");
        mover.join().expect("no panic");
        writer.join().expect("no panic");
        assert_eq!(tables.values(4), [2]);
    });
}

#[test]
fn loom_a_chain_that_stays_long_is_moved_whole() {
    explore(1, || {
        // All but one stay together: the child needs an overflow bucket, too.
        let keys = [2, 4, 6, 8, 10, 12, 14, 5];
        let tables = Tables::new(&keys);
        // Frozen by one that stopped there: the stale words that each load may see else are too
        // many for all interleavings.
        for bucket in &tables.old {
            for word in &bucket.slots {
                word.store(SlotWord(word.load(SeqCst)).frozen().0, SeqCst);
            }
            bucket.link.store(bucket.link.load(SeqCst) | LINK_FROZEN, SeqCst);
        }
        tables.old[0].header.store(HeaderWord(0).frozen().0, SeqCst);
        let other = Arc::clone(&tables);
        let other = loom::thread::spawn(move || other.migrate(1));
        tables.migrate(2);
        other.join().expect("no panic");
        assert!(keys.iter().all(|&key| tables.values(key) == [1]));
        let claimed = tables.new[2..].iter().filter(|bucket| bucket.header.load(SeqCst) != 0);
        assert_eq!(claimed.count(), 1, "an overflow bucket leaked");
    });
}
