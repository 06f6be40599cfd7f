//! The ring under all interleavings of producers and a consumer.

use std::sync::Arc;

use super::{Cell, Journal};
use crate::layout::word::{Location, RingOp};
use crate::sync::AtomicU64;

struct Ring {
    cells: Vec<AtomicU64>,
    tail: AtomicU64,
}

impl Ring {
    fn new(len: usize) -> Arc<Self> {
        let cells = (0..len).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { cells, tail: AtomicU64::new(0) })
    }

    fn journal(&self) -> Journal<'_> {
        Journal::new(&self.cells, &self.tail)
    }

    fn append(&self, number: u32) -> u64 {
        self.journal().append(RingOp::Change, location(number))
    }

    /// What a consumer finds; None while there is nothing.
    fn read(&self, position: u64) -> Option<Location> {
        match self.journal().read(position) {
            Cell::Written(word) => Some(word.location()),
            Cell::Empty => None,
            Cell::Lapped => panic!("nothing was overwritten"),
        }
    }
}

fn location(number: u32) -> Location {
    Location::new(number, 0, 0)
}

fn explore(f: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(4);
    model.check(f);
}

#[test]
fn loom_two_producers_and_a_consumer() {
    explore(|| {
        let ring = Ring::new(4);
        let producers = [1, 2].map(|number| {
            let ring = Arc::clone(&ring);
            loom::thread::spawn(move || ring.append(number))
        });
        let early = [0, 1].map(|position| ring.read(position));
        assert!(early[0].is_some() || early[1].is_none(), "a hole");
        let positions = producers.map(|producer| producer.join().expect("no panic"));
        for (position, number) in positions.into_iter().zip([1, 2]) {
            assert_eq!(ring.read(position), Some(location(number)));
        }
        for (position, seen) in early.into_iter().enumerate() {
            assert!(seen.is_none() || seen == ring.read(position as u64));
        }
        assert_eq!((ring.journal().tail(), ring.read(2)), (2, None));
    });
}

#[test]
fn loom_producers_in_a_ring_that_laps() {
    explore(|| {
        let ring = Ring::new(2);
        assert_eq!((ring.append(8), ring.append(9)), (0, 1));
        let other = Arc::clone(&ring);
        let other = loom::thread::spawn(move || other.append(1));
        let mine = ring.append(2);
        let other = other.join().expect("no panic");
        assert_eq!(mine.min(other), 2);
        assert_eq!(mine.max(other), 3);
        assert_eq!(ring.read(mine), Some(location(2)));
        assert_eq!(ring.read(other), Some(location(1)));
        assert_eq!(ring.journal().read(0), Cell::Lapped);
    });
}

#[test]
fn loom_a_late_producer_does_not_overwrite_a_newer_lap() {
    explore(|| {
        let ring = Ring::new(1);
        let other = Arc::clone(&ring);
        let other = loom::thread::spawn(move || (other.append(1), other.append(2)));
        let mine = ring.append(3);
        let (first, second) = other.join().expect("no panic");
        let mut positions = [mine, first, second];
        positions.sort_unstable();
        assert_eq!(positions, [0, 1, 2]);
        let last = if mine == 2 { 3 } else { 2 };
        assert_eq!(ring.read(2), Some(location(last)));
    });
}
