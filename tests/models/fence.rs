//! Exhaustive model of a hazard that is set by a plain store: a reader whose stores wait in a
//! buffer, and a reclaimer that makes a barrier from outside before it looks.
//!
//! Loads take effect at once and overtake the buffered stores of their own process, which is what a
//! processor does that runs ahead. The barrier empties the buffer at one instant; it may come
//! between any two instructions of the reader. See `shm/src/reclaim/hazard.rs`.

mod explore;

use explore::{Explored, Model, Violation, explore};

/// Reads of the reader, one after the other.
const READS: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Plain store.
    Plain,
    /// Swap: the buffer is empty afterwards.
    Swap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reclaimer {
    /// Barrier, then look.
    BarrierThenLook,
    /// Look, then barrier.
    LookThenBarrier,
    /// Look only.
    LookOnly,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// Whether the slot refers to the segment.
    linked: bool,
    /// The hazard word as others see it.
    hazard: bool,
    /// Stores of the reader that others do not see yet, oldest first.
    buffer: Vec<bool>,
    /// Whether the segment was written again.
    reused: bool,
    reader: u8,
    reads: u8,
    reclaimer: u8,
    looked: bool,
}

struct Fence {
    reader: Reader,
    reclaimer: Reclaimer,
}

impl Fence {
    fn read(&self, state: &State) -> Option<State> {
        let mut next = state.clone();
        match state.reader {
            _ if state.reads == READS => return None,
            0 if !state.linked => next.reads += 1,
            0 => next.reader = 1,
            1 if self.reader == Reader::Plain => {
                next.buffer.push(true);
                next.reader = 2;
            }
            1 => {
                next.drain();
                next.hazard = true;
                next.reader = 2;
            }
            // The slot once more; 3 is the look at the record.
            2 => next.reader = if state.linked { 3 } else { 4 },
            3 => next.reader = 4,
            _ => {
                next.buffer.push(false);
                next.reader = 0;
                next.reads += 1;
            }
        }
        Some(next)
    }

    fn reclaim(&self, state: &State) -> Option<State> {
        let mut next = state.clone();
        next.reclaimer += 1;
        match state.reclaimer {
            0 => next.linked = false,
            1 if self.reclaimer == Reclaimer::BarrierThenLook => next.drain(),
            2 => next.looked = state.hazard,
            3 if self.reclaimer == Reclaimer::LookThenBarrier => next.drain(),
            4 => next.reused = !state.looked,
            1 | 3 => {}
            _ => return None,
        }
        Some(next)
    }
}

impl State {
    fn drain(&mut self) {
        if let Some(last) = self.buffer.pop() {
            self.hazard = last;
        }
        self.buffer.clear();
    }
}

impl Model for Fence {
    type State = State;

    fn initial(&self) -> State {
        State {
            linked: true,
            hazard: false,
            buffer: Vec::new(),
            reused: false,
            reader: 0,
            reads: 0,
            reclaimer: 0,
            looked: false,
        }
    }

    fn processes(&self) -> usize {
        3
    }

    /// Process 2 is the buffer: it lets the oldest store become visible.
    fn step(&self, state: &State, process: usize) -> Option<State> {
        match process {
            0 => self.read(state),
            1 => self.reclaim(state),
            _ => (!state.buffer.is_empty()).then(|| {
                let mut next = state.clone();
                next.hazard = next.buffer.remove(0);
                next
            }),
        }
    }

    fn completed(&self, state: &State, process: usize) -> usize {
        if process == 0 { usize::from(state.reads) } else { 0 }
    }

    fn check(&mut self, state: &State) -> Result<(), &'static str> {
        // In step 3 the reader looks at the record.
        if state.reader == 3 && state.reused {
            Err("a protected segment was reused")
        } else {
            Ok(())
        }
    }
}

fn run(reader: Reader, reclaimer: Reclaimer) -> Result<Explored, Violation<State>> {
    explore(&mut Fence { reader, reclaimer }, false)
}

#[test]
fn a_plain_store_is_enough_with_a_barrier_before_the_look() {
    let explored = run(Reader::Plain, Reclaimer::BarrierThenLook).expect("it holds");
    println!("{} states", explored.states);
}

#[test]
fn a_swap_needs_no_barrier() {
    run(Reader::Swap, Reclaimer::LookOnly).expect("it holds");
}

#[test]
fn control_a_plain_store_without_a_barrier() {
    let violation = run(Reader::Plain, Reclaimer::LookOnly).expect_err("the control must fail");
    println!("{} after {} states: {:?}", violation.what, violation.states, violation.state);
}

#[test]
fn control_a_barrier_after_the_look() {
    run(Reader::Plain, Reclaimer::LookThenBarrier).expect_err("the control must fail");
}
