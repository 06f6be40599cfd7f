//! Layer 3: the event ring. Every change is announced by one word that names its record.
//! Who announces what, and when, is `region::announce`.
//!
//! # Protocol
//!
//! Position `p` has cell `p % len` and lap `p / len + 1`. A producer reads the tail `t`, and the
//! cell of `t`. If the cell has the lap of `t` already, another producer is ahead: help the tail to
//! `t + 1` and start again. Else one CAS turns exactly the word it read into the new one: claim and
//! publication are the same instruction. Then it helps the tail.
//!
//! * Invariant: all cells below the tail are written. So there are no holes, nothing to unblock,
//!   and a producer may die anywhere.
//! * Linearization point: the CAS of the cell.
//! * Consumers have private cursors and write nothing. One that is more than `len` behind, or that
//!   finds another lap in its cell, or a record whose segment was reused, was lapped: it
//!   resynchronises from the table, which is the truth.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | slot CAS of the write, before the cell CAS | change not announced | who replaces the record, or recovery: see `region::announce` |
//! | cell CAS | tail behind by one | the next producer, or a consumer's look at the tail |
//! | tail CAS | done | - |
//!
//! A producer that is stopped between its load and its CAS can succeed late only if the cell holds
//! the identical word again, that is after a multiple of 1,024 laps with the same location of the
//! same segment generation; locations repeat after 16,384 reuses of a segment at the earliest.

use crate::crash;
use crate::layout::word::{CellWord, Location, RingOp};
use crate::sync::{Acquire, AtomicU64, Relaxed, SeqCst};

/// The ring of one region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journal<'a> {
    cells: &'a [AtomicU64],
    tail: &'a AtomicU64,
}

/// What a consumer finds at its cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// A change.
    Written(CellWord),
    /// Nothing there yet.
    Empty,
    /// Overwritten.
    Lapped,
}

/// What became of an announcement that is to be made once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Once {
    /// It is there now.
    Appended(u64),
    /// It was there.
    Found(u64),
    /// The caller refused.
    Refused,
    /// The ring went round since: nobody can tell any more.
    Unknown,
}

impl<'a> Journal<'a> {
    /// `cells.len()` is a power of two.
    pub(crate) fn new(cells: &'a [AtomicU64], tail: &'a AtomicU64) -> Self {
        Self { cells, tail }
    }

    pub(crate) fn len(&self) -> u64 {
        self.cells.len() as u64
    }

    fn cell(&self, position: u64) -> &'a AtomicU64 {
        &self.cells[(position % self.len()) as usize]
    }

    fn lap(&self, position: u64) -> u64 {
        CellWord::lap_bits(position / self.len() + 1)
    }

    /// Appends an announcement and returns its position. Lock-free.
    pub(crate) fn append(&self, op: RingOp, location: Location) -> u64 {
        self.append_unless(op, location, || false).unwrap_or(0)
    }

    /// The same unless `refuses` says so. It is asked after a look at the tail and its cell, and
    /// before the CAS of that cell: so whatever was done before a word went into the ring that
    /// comes before this one is visible to it. `None`: refused.
    #[inline]
    pub(crate) fn append_unless(
        &self,
        op: RingOp,
        location: Location,
        refuses: impl Fn() -> bool,
    ) -> Option<u64> {
        loop {
            let position = self.tail.load(Acquire);
            let cell = self.cell(position);
            let seen = cell.load(Acquire);
            if CellWord(seen).lap() == self.lap(position) {
                self.help(position);
                continue;
            }
            if self.tail.load(Acquire) != position {
                continue;
            }
            if refuses() {
                return None;
            }
            if self.write(position, seen, op, location) {
                return Some(position);
            }
        }
    }

    /// Appends an announcement unless the ring has it at `from` or behind, where everybody who may
    /// announce it does so by this function, or refuses to append once somebody else may do this.
    /// Lock-free.
    pub(crate) fn append_once(
        &self,
        from: u64,
        op: RingOp,
        location: Location,
        refuses: impl Fn() -> bool,
    ) -> Once {
        let mut looked = from;
        loop {
            let position = self.tail();
            if position.saturating_sub(looked) > self.len() {
                return Once::Unknown;
            }
            for earlier in looked..position {
                match self.read(earlier) {
                    Cell::Written(word) if word.location() == location => {
                        return Once::Found(earlier);
                    }
                    Cell::Lapped => return Once::Unknown,
                    _ => {}
                }
            }
            looked = position;
            let seen = self.cell(position).load(Acquire);
            // Written since: it may be the very one.
            let written = CellWord(seen).lap() == self.lap(position);
            if written || self.tail.load(Acquire) != position {
                continue;
            }
            if refuses() {
                return Once::Refused;
            }
            if self.write(position, seen, op, location) {
                return Once::Appended(position);
            }
        }
    }

    /// One CAS of the cell of the tail, and the help for the tail.
    #[inline]
    fn write(&self, position: u64, seen: u64, op: RingOp, location: Location) -> bool {
        let word = CellWord::new(self.lap(position), op, location);
        let cell = self.cell(position);
        if cell.compare_exchange(seen, word.0, SeqCst, Relaxed).is_err() {
            return false;
        }
        crash::point("journal.written");
        self.help(position);
        crash::point("journal.advanced");
        true
    }

    fn help(&self, position: u64) {
        let _ = self.tail.compare_exchange(position, position.wrapping_add(1), SeqCst, Relaxed);
    }

    /// Position after the last announcement. Helps a producer that was stopped before it moved
    /// the tail, so that an announcement is never hidden behind a stopped process.
    pub(crate) fn tail(&self) -> u64 {
        loop {
            let position = self.tail.load(SeqCst);
            if CellWord(self.cell(position).load(SeqCst)).lap() != self.lap(position) {
                return position;
            }
            self.help(position);
        }
    }

    /// Lowest position that may still be readable.
    pub(crate) fn oldest(&self) -> u64 {
        self.tail().saturating_sub(self.len())
    }

    /// Reads the cell of `position`.
    pub(crate) fn read(&self, position: u64) -> Cell {
        if position >= self.tail() {
            return Cell::Empty;
        }
        let word = CellWord(self.cell(position).load(SeqCst));
        // The tail once more, after the cell: a consumer that was stopped in between for 1,024
        // laps would take the word of another lap for its own.
        if self.tail() - position > self.len() || word.lap() != self.lap(position) {
            return Cell::Lapped;
        }
        Cell::Written(word)
    }
}

#[cfg(all(test, vug_loom))]
mod loom_tests;

#[cfg(all(test, not(vug_loom)))]
mod tests {
    use super::*;

    fn location(n: u64) -> Location {
        Location::new((n % 1000) as u32, n / 1000, (n as usize % 64) * 8)
    }

    #[test]
    fn laps_are_told_and_nothing_is_skipped() {
        let cells: Vec<AtomicU64> = (0..8).map(|_| AtomicU64::new(0)).collect();
        let tail = AtomicU64::new(0);
        let journal = Journal::new(&cells, &tail);
        for n in 0..5000 {
            assert_eq!(journal.append(RingOp::Change, location(n)), n);
            let Cell::Written(word) = journal.read(n) else { panic!("cell {n} is not written") };
            assert_eq!(word.location(), location(n));
            assert_eq!(journal.read(n + 1), Cell::Empty);
            if n >= 8 {
                assert_eq!(journal.read(n - 8), Cell::Lapped);
                assert!(matches!(journal.read(n - 7), Cell::Written(_)));
            }
        }
    }

    #[test]
    fn a_producer_stopped_before_the_tail_hides_nothing() {
        let cells: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let tail = AtomicU64::new(0);
        let journal = Journal::new(&cells, &tail);
        cells[0].store(CellWord::new(1, RingOp::Change, location(7)).0, SeqCst);
        assert_eq!(journal.tail(), 1);
        tail.store(0, SeqCst);
        assert_eq!(journal.append(RingOp::Change, location(8)), 1);
        let once = |n| journal.append_once(0, RingOp::Change, location(n), || false);
        assert_eq!(
            (once(7), once(8), once(9)),
            (Once::Found(0), Once::Found(1), Once::Appended(2))
        );
        assert_eq!(journal.append_once(0, RingOp::Change, location(1), || true), Once::Refused);
    }

    #[test]
    fn a_ring_that_went_round_tells_nothing() {
        let cells: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let tail = AtomicU64::new(0);
        let journal = Journal::new(&cells, &tail);
        for n in 0..5 {
            journal.append(RingOp::Change, location(n));
        }
        let once = |from| journal.append_once(from, RingOp::Change, location(7), || false);
        assert_eq!((once(0), once(1)), (Once::Unknown, Once::Appended(5)));
    }

    #[test]
    fn many_announce_each_change_once() {
        let cells: Vec<AtomicU64> = (0..1024).map(|_| AtomicU64::new(0)).collect();
        let tail = AtomicU64::new(0);
        let journal = Journal::new(&cells, &tail);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        let once = journal.append_once(0, RingOp::Change, location(n), || false);
                        assert!(matches!(once, Once::Appended(_) | Once::Found(_)));
                    }
                });
            }
        });
        assert_eq!(journal.tail(), 1000);
    }

    #[test]
    fn concurrent_producers_leave_no_hole() {
        let cells: Vec<AtomicU64> = (0..64).map(|_| AtomicU64::new(0)).collect();
        let tail = AtomicU64::new(0);
        let journal = Journal::new(&cells, &tail);
        let mut positions: Vec<u64> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..20_000).map(|n| journal.append(RingOp::Local, location(n))).collect()
                    })
                })
                .collect();
            let join = |w: std::thread::ScopedJoinHandle<'_, Vec<u64>>| w.join().expect("no panic");
            workers.into_iter().flat_map(join).collect()
        });
        positions.sort_unstable();
        assert!(positions.iter().copied().eq(0..80_000));
    }
}
