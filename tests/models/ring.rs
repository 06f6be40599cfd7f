//! Exhaustive model of the event ring: claim and publication are one CAS.
//!
//! A producer reads the tail, looks at the cell the tail points at, CASes the cell from the word of
//! the previous lap to its own word, and then moves the tail. Whoever finds the cell of the tail
//! already written moves the tail for its owner, so a producer that dies between its two CASes
//! delays nobody and leaves no hole. A consumer keeps a private cursor and costs the producers
//! nothing; when the ring has gone round past it, it learns how much it missed.
//!
//! The ring here has two cells and goes round several times. Checked in every state: positions are
//! filled one after the other, each by exactly one append; the tail is at most one position behind;
//! a consumer sees exactly the appended words, in order, or is told that it was lapped; every
//! process finishes alone, wherever the others stopped.

mod explore;

use explore::{Explored, Model, Violation, explore};

const CELLS: usize = 2;
/// Laps are counted modulo this in a cell, as the few bits of the real cell do.
const LAPS: u8 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Appends so many words.
    Producer { appends: u8 },
    /// Asks for a word so many times.
    Consumer { polls: u8 },
}

/// The protocol or one of its controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// Words are claimed by the CAS that publishes them; consumers read the cell, then the tail.
    Complete,
    /// Producers advance the tail first and write the cell afterwards.
    TailFirst,
    /// Consumers read the tail, then the cell.
    StaleTail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    lap: u8,
    word: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Begin,
    ReadCell { tail: u8 },
    PublishCell { tail: u8, seen: Cell },
    MoveTail { tail: u8, mine: bool },
    WriteClaimed { tail: u8 },
    Judge { cell: Cell },
    JudgeLate { tail: u8 },
    HelpTail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    completed: u8,
    step: Step,
    cursor: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    tail: u8,
    cells: [Cell; CELLS],
    processes: Vec<Process>,
    /// Every word that was published, at its position: not part of the ring, only of the proof.
    log: Vec<u8>,
    fault: Option<&'static str>,
}

struct Ring {
    roles: Vec<Role>,
    variant: Variant,
}

fn lap_of(position: u8) -> u8 {
    (position / CELLS as u8) % LAPS
}

fn previous(lap: u8) -> u8 {
    (lap + LAPS - 1) % LAPS
}

fn cell_of(position: u8) -> usize {
    usize::from(position) % CELLS
}

impl Model for Ring {
    type State = State;

    fn initial(&self) -> State {
        // Before the first lap every cell carries the last lap's number.
        let unwritten = Cell { lap: LAPS - 1, word: 0 };
        let process = Process { completed: 0, step: Step::Begin, cursor: 0 };
        State {
            tail: 0,
            cells: [unwritten; CELLS],
            processes: vec![process; self.roles.len()],
            log: Vec::new(),
            fault: None,
        }
    }

    fn processes(&self) -> usize {
        self.roles.len()
    }

    fn completed(&self, state: &State, process: usize) -> usize {
        usize::from(state.processes[process].completed)
    }

    fn step(&self, state: &State, process: usize) -> Option<State> {
        let completed = state.processes[process].completed;
        let (goal, word) = match self.roles[process] {
            Role::Producer { appends } => (appends, (process as u8 + 1) * 16 + completed),
            Role::Consumer { polls } => (polls, 0),
        };
        if completed >= goal {
            return None;
        }
        let mut turn = Turn { state: state.clone(), me: process, word, variant: self.variant };
        let next = match self.roles[process] {
            Role::Producer { .. } => turn.produce(),
            Role::Consumer { .. } => turn.consume(),
        };
        turn.state.processes[process].step = next;
        Some(turn.state)
    }

    fn check(&mut self, state: &State) -> Result<(), &'static str> {
        if let Some(fault) = state.fault {
            return Err(fault);
        }
        if state.log.iter().enumerate().any(|(at, word)| state.log[..at].contains(word)) {
            return Err("a word was appended twice");
        }
        if self.variant != Variant::TailFirst {
            let published = state.log.len() as u8;
            if state.tail > published || state.tail + 1 < published {
                return Err("the tail is not at the end");
            }
        }
        Ok(())
    }
}

struct Turn {
    state: State,
    me: usize,
    word: u8,
    variant: Variant,
}

impl Turn {
    fn produce(&mut self) -> Step {
        match self.state.processes[self.me].step {
            Step::Begin if self.variant == Variant::TailFirst => {
                self.state.tail += 1;
                Step::WriteClaimed { tail: self.state.tail - 1 }
            }
            Step::Begin => Step::ReadCell { tail: self.state.tail },
            Step::ReadCell { tail } => {
                let seen = self.state.cells[cell_of(tail)];
                if seen.lap == lap_of(tail) {
                    // Somebody published here and has not moved the tail yet, or may be dead.
                    Step::MoveTail { tail, mine: false }
                } else if seen.lap == previous(lap_of(tail)) {
                    Step::PublishCell { tail, seen }
                } else {
                    Step::Begin
                }
            }
            Step::PublishCell { tail, seen } => self.publish(tail, seen),
            Step::MoveTail { tail, mine } => {
                self.move_tail(tail);
                if mine { self.done() } else { Step::Begin }
            }
            Step::WriteClaimed { tail } => {
                self.state.cells[cell_of(tail)] = Cell { lap: lap_of(tail), word: self.word };
                self.state.log.push(self.word);
                self.done()
            }
            Step::Judge { .. } | Step::JudgeLate { .. } | Step::HelpTail => {
                unreachable!("steps of a consumer")
            }
        }
    }

    fn publish(&mut self, tail: u8, seen: Cell) -> Step {
        let cell = &mut self.state.cells[cell_of(tail)];
        if *cell != seen {
            return Step::Begin;
        }
        *cell = Cell { lap: lap_of(tail), word: self.word };
        if self.state.log.len() != usize::from(tail) {
            self.state.fault = Some("a position was filled out of order");
        }
        self.state.log.push(self.word);
        Step::MoveTail { tail, mine: true }
    }

    fn consume(&mut self) -> Step {
        let cursor = self.state.processes[self.me].cursor;
        match self.state.processes[self.me].step {
            Step::Begin if self.variant == Variant::StaleTail => {
                Step::JudgeLate { tail: self.state.tail }
            }
            Step::Begin => Step::Judge { cell: self.state.cells[cell_of(cursor)] },
            Step::Judge { cell } => self.judge(cursor, cell, self.state.tail),
            Step::JudgeLate { tail } => self.judge(cursor, self.state.cells[cell_of(cursor)], tail),
            Step::HelpTail => {
                self.move_tail(cursor - 1);
                self.done()
            }
            Step::ReadCell { .. }
            | Step::PublishCell { .. }
            | Step::MoveTail { .. }
            | Step::WriteClaimed { .. } => unreachable!("steps of a producer"),
        }
    }

    /// What a consumer concludes from the cell at its cursor and a tail read after it.
    fn judge(&mut self, cursor: u8, cell: Cell, tail: u8) -> Step {
        let oldest = tail.saturating_sub(CELLS as u8);
        if oldest > cursor {
            self.lapped(oldest)
        } else if cell.lap == lap_of(cursor) {
            self.deliver(cursor, cell.word);
            // The word is there although the tail may not say so: move it for its owner.
            if tail == cursor { Step::HelpTail } else { self.done() }
        } else if cell.lap != previous(lap_of(cursor)) {
            // Overwritten by the next lap, and the tail may not say so.
            self.lapped(cursor + 1)
        } else if tail == cursor {
            self.done()
        } else {
            // Written between the two looks.
            Step::Begin
        }
    }

    fn deliver(&mut self, cursor: u8, word: u8) {
        if self.state.log.get(usize::from(cursor)) != Some(&word) {
            self.state.fault = Some("a consumer got another word than was appended there");
        }
        self.state.processes[self.me].cursor += 1;
    }

    fn lapped(&mut self, oldest: u8) -> Step {
        self.state.processes[self.me].cursor = oldest;
        self.done()
    }

    fn move_tail(&mut self, tail: u8) {
        if self.state.tail == tail {
            self.state.tail += 1;
        }
    }

    fn done(&mut self) -> Step {
        self.state.processes[self.me].completed += 1;
        Step::Begin
    }
}

fn holds(name: &str, roles: Vec<Role>) -> Explored {
    let explored = explore(&mut Ring { roles, variant: Variant::Complete }, true)
        .unwrap_or_else(|violation| panic!("{name}: {violation:#?}"));
    println!("{name}: {} states, {} steps alone", explored.states, explored.solo_steps);
    assert!(explored.solo_steps <= 12, "{name}: a lone process needs {}", explored.solo_steps);
    explored
}

#[test]
fn three_producers() {
    let producer = Role::Producer { appends: 2 };
    holds("3 producers of 2 words", vec![producer; 3]);
}

#[test]
fn two_producers_and_a_consumer_over_three_laps() {
    let producer = Role::Producer { appends: 3 };
    holds(
        "2 producers of 3 words, 1 consumer",
        vec![producer, producer, Role::Consumer { polls: 6 }],
    );
}

#[test]
fn one_producer_and_two_consumers_until_the_lap_number_repeats() {
    let roles = vec![
        Role::Producer { appends: CELLS as u8 * (LAPS + 1) },
        Role::Consumer { polls: 4 },
        Role::Consumer { polls: 4 },
    ];
    holds("1 producer of 10 words, 2 consumers", roles);
}

fn fails(roles: Vec<Role>, variant: Variant) -> Violation<State> {
    let violation =
        explore(&mut Ring { roles, variant }, true).expect_err("the control must find a violation");
    let Violation { what, states, state } = &violation;
    println!("{variant:?}: {what} after {states} states: {state:?}");
    violation
}

/// With the usual order, tail first and cell afterwards, a consumer waits at a position that is
/// counted but not written: for ever, when the producer died there.
#[test]
fn control_with_the_tail_first_leaves_holes() {
    let roles = vec![Role::Producer { appends: 1 }, Role::Consumer { polls: 1 }];
    assert_eq!(fails(roles, Variant::TailFirst).what, "does not finish alone");
}

/// A consumer that pauses between reading the tail and reading the cell while the lap number comes
/// round once takes a word of a later position for its own.
#[test]
fn control_with_a_stale_tail_takes_a_wrong_word() {
    let producer = Role::Producer { appends: CELLS as u8 * (LAPS + 1) };
    let violation = fails(vec![producer, Role::Consumer { polls: 1 }], Variant::StaleTail);
    assert_eq!(violation.what, "a consumer got another word than was appended there");
}
