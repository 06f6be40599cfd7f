//! Exhaustive model of clearing a region by a stamp, beside writers, readers and deaths.
//!
//! Two keys. Every process runs its operations one after the other; each access to a shared word is
//! one step. What was invoked and answered is a history, and in every reachable state, that is
//! wherever some processes are killed, an order of all operations must explain it. See
//! `shm/src/region/clear.rs`.

mod explore;

use explore::{Explored, Model, Violation, explore};
use std::collections::HashSet;

/// Stamps are multiples of this; the real one is 2^16.
const UNIT: u8 = 4;
/// How far a writer raises the ceiling above its version.
const AHEAD: u8 = 4;
const KEYS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Effect {
    /// Stores; answers nothing of interest.
    Put(u8, u8),
    /// Stores if the key is absent; answers whether it did.
    Create(u8, u8),
    /// Adds one, absent is 0; answers the sum.
    Add(u8),
    /// Answers the value, absent is 0.
    Get(u8),
    Clear,
}

/// What a protocol leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// As built.
    Ceiling,
    /// The stamp is chosen above the floor, which is raised first; no ceiling.
    FloorThenStamp,
    /// Writers do not look again at what they judged before they had a version.
    NoSecondLook,
    /// Writers do not finish a clear that is pending.
    NoHelp,
    /// A slot that was emptied has the word that it had before.
    SameEmpty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Empty(u8),
    Entry(u8, u8),
}

impl Default for Slot {
    fn default() -> Self {
        Self::Empty(0)
    }
}

impl Slot {
    /// 0 if there is none.
    fn version(self) -> u8 {
        if let Self::Entry(version, _) = self { version } else { 0 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Process {
    /// Operations that are over.
    done: usize,
    step: u8,
    /// What was found in the slot, what it was judged to be, and the version to publish.
    found: Slot,
    judged: u8,
    version: u8,
    /// The ceiling that is being finished, and where to go on then.
    pending: u8,
    back: u8,
    key: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Event {
    Invoke(u8, Effect),
    Answer(u8, u8),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// Version and value. An empty slot is never the same again: its word names how often it was
    /// emptied.
    slots: [Slot; KEYS],
    floor: u8,
    stamp: u8,
    ceiling: u8,
    pending: bool,
    /// Slots emptied so far.
    emptied: u8,
    processes: Vec<Process>,
    history: Vec<Event>,
}

struct Clearing {
    protocol: Protocol,
    programs: Vec<Vec<Effect>>,
    /// What was found explicable.
    known: HashSet<Vec<Event>>,
}

/// Steps of finishing a pending stamp.
const FLOOR: u8 = 20;
const STAMP: u8 = 21;
const SETTLE: u8 = 22;
/// Steps of the sweep.
const SWEEP: u8 = 30;

impl State {
    /// A value as the stamp leaves it; 0 is absent.
    fn judge(&self, found: Slot) -> u8 {
        match found {
            Slot::Entry(version, value) if version >= self.stamp => value,
            _ => 0,
        }
    }

    fn answer(&mut self, process: usize, answer: u8) {
        self.history.push(Event::Answer(process as u8, answer));
        let done = self.processes[process].done + 1;
        self.processes[process] = Process { done, ..Process::default() };
    }
}

impl Clearing {
    fn advance(&self, state: &mut State, process: usize, effect: Effect) {
        if state.processes[process].step == 0 {
            state.history.push(Event::Invoke(process as u8, effect));
            state.processes[process].step = 1;
        }
        match (effect, state.processes[process].step) {
            (_, FLOOR..=SETTLE) => self.finish(state, process),
            (Effect::Clear, _) => self.clear(state, process),
            (Effect::Get(key), 1) => {
                let mine = &mut state.processes[process];
                mine.found = state.slots[usize::from(key)];
                mine.step = 2;
            }
            (Effect::Get(_), _) => {
                let value = state.judge(state.processes[process].found);
                state.answer(process, value);
            }
            (Effect::Put(key, _) | Effect::Create(key, _) | Effect::Add(key), _) => {
                self.write(state, process, effect, usize::from(key));
            }
        }
    }

    fn finish(&self, state: &mut State, process: usize) {
        let Process { step, pending, back, .. } = state.processes[process];
        let stamp = pending - UNIT;
        match step {
            FLOOR => state.floor = state.floor.max(stamp),
            STAMP => state.stamp = state.stamp.max(stamp),
            _ if state.ceiling == pending => state.pending = false,
            _ => {}
        }
        state.processes[process].step = if step == SETTLE { back } else { step + 1 };
    }

    fn clear(&self, state: &mut State, process: usize) {
        let ceiling = state.ceiling;
        let pending = state.pending;
        let mine = &mut state.processes[process];
        match mine.step {
            1 if self.protocol == Protocol::FloorThenStamp => {
                // Above all that is there: what the scan of a real one would find.
                let above = state.slots.iter().map(|slot| slot.version() + 1).max();
                mine.pending = above.unwrap_or(0).max(state.floor + 1) + UNIT;
                (mine.step, mine.back) = (FLOOR, SWEEP);
            }
            // One CAS; a look at the word before it changes nothing.
            1 if pending => {
                (mine.pending, mine.back, mine.step) = (ceiling, 1, FLOOR);
            }
            1 => {
                (state.ceiling, state.pending) = (ceiling + UNIT, true);
                (mine.pending, mine.back, mine.step) = (ceiling + UNIT, SWEEP, FLOOR);
            }
            step => {
                let key = usize::from(mine.key);
                if step == SWEEP {
                    (mine.found, mine.step) = (state.slots[key], SWEEP + 1);
                    return;
                }
                let entry = matches!(mine.found, Slot::Entry(..));
                let gone = entry && mine.found.version() < state.stamp;
                if gone && state.slots[key] == mine.found {
                    state.emptied += u8::from(self.protocol != Protocol::SameEmpty);
                    state.slots[key] = Slot::Empty(state.emptied);
                }
                (mine.key, mine.step) = (mine.key + 1, SWEEP);
                if usize::from(mine.key) == KEYS {
                    state.answer(process, 0);
                }
            }
        }
    }

    fn write(&self, state: &mut State, process: usize, effect: Effect, key: usize) {
        let (stamp, floor, ceiling) = (state.stamp, state.floor, state.ceiling);
        let judged = state.judge(state.processes[process].found);
        let mine = &mut state.processes[process];
        match mine.step {
            1 => (mine.found, mine.step) = (state.slots[key], 2),
            2 => {
                (mine.judged, mine.step) = (judged, 3);
                if judged != 0 && matches!(effect, Effect::Create(..)) {
                    state.answer(process, 0);
                }
            }
            3 => {
                (mine.version, mine.step) = (floor.max(mine.found.version()) + 1, 4);
            }
            4 if self.protocol == Protocol::FloorThenStamp => mine.step = 5,
            4 if state.pending && self.protocol != Protocol::NoHelp => {
                (mine.pending, mine.back, mine.step) = (ceiling, 3, FLOOR);
            }
            4 if mine.version >= ceiling => {
                state.ceiling = (mine.version / UNIT) * UNIT + AHEAD;
                mine.step = 3;
            }
            4 => mine.step = 5,
            5 => {
                let empty = matches!(mine.found, Slot::Empty(_));
                let same = empty || (mine.version > stamp && judged == mine.judged);
                let again = !same && self.protocol != Protocol::NoSecondLook;
                mine.step = if again { 1 } else { 6 };
            }
            _ if state.slots[key] == mine.found => {
                let (value, answer) = match effect {
                    Effect::Add(_) => (mine.judged + 1, mine.judged + 1),
                    Effect::Create(_, value) => (value, 1),
                    Effect::Put(_, value) => (value, 0),
                    Effect::Get(_) | Effect::Clear => unreachable!("not a write"),
                };
                state.slots[key] = Slot::Entry(mine.version, value);
                state.answer(process, answer);
            }
            _ => mine.step = 1,
        }
    }
}

impl Model for Clearing {
    type State = State;

    fn initial(&self) -> State {
        State {
            slots: [Slot::default(); KEYS],
            emptied: 0,
            floor: 0,
            stamp: 0,
            ceiling: 0,
            pending: false,
            processes: vec![Process::default(); self.programs.len()],
            history: Vec::new(),
        }
    }

    fn processes(&self) -> usize {
        self.programs.len()
    }

    fn step(&self, state: &State, process: usize) -> Option<State> {
        let effect = *self.programs[process].get(state.processes[process].done)?;
        let mut next = state.clone();
        self.advance(&mut next, process, effect);
        Some(next)
    }

    fn completed(&self, state: &State, process: usize) -> usize {
        state.processes[process].done
    }

    fn check(&mut self, state: &State) -> Result<(), &'static str> {
        if self.known.contains(&state.history) {
            return Ok(());
        }
        if !is_linearizable(&state.history) {
            return Err("no order explains the history");
        }
        self.known.insert(state.history.clone());
        Ok(())
    }
}

/// An operation of a history: effect, when it was invoked, when and what it answered.
type Operation = (Effect, usize, Option<(usize, u8)>);

/// Whether some order of the operations that respects time explains all answers. One that was not
/// answered took place or not.
fn is_linearizable(history: &[Event]) -> bool {
    let mut operations: Vec<(u8, Operation)> = Vec::new();
    for (time, event) in history.iter().enumerate() {
        match *event {
            Event::Invoke(process, effect) => operations.push((process, (effect, time, None))),
            Event::Answer(process, answer) => {
                let open = operations.iter_mut().find(|(p, o)| *p == process && o.2.is_none());
                open.expect("an answer follows its invocation").1.2 = Some((time, answer));
            }
        }
    }
    let operations: Vec<Operation> = operations.into_iter().map(|(_, o)| o).collect();
    explained(&operations, 0, [0; KEYS], &mut HashSet::new())
}

fn explained(
    operations: &[Operation],
    placed: u32,
    values: [u8; KEYS],
    failed: &mut HashSet<(u32, [u8; KEYS])>,
) -> bool {
    let open = || operations.iter().enumerate().filter(|(n, _)| placed >> n & 1 == 0);
    let Some(limit) = open().filter_map(|(_, o)| o.2.map(|(time, _)| time)).min() else {
        return true;
    };
    if failed.contains(&(placed, values)) {
        return false;
    }
    let found = open().filter(|(_, o)| o.1 <= limit).any(|(n, (effect, _, answered))| {
        let (after, answer) = applied(*effect, values);
        answered.is_none_or(|(_, told)| told == answer)
            && explained(operations, placed | 1 << n, after, failed)
    });
    if !found {
        failed.insert((placed, values));
    }
    found
}

fn applied(effect: Effect, mut values: [u8; KEYS]) -> ([u8; KEYS], u8) {
    let answer = match effect {
        Effect::Get(key) => values[usize::from(key)],
        Effect::Clear => {
            values = [0; KEYS];
            0
        }
        Effect::Put(key, value) => {
            values[usize::from(key)] = value;
            0
        }
        Effect::Create(key, value) => {
            let absent = values[usize::from(key)] == 0;
            if absent {
                values[usize::from(key)] = value;
            }
            u8::from(absent)
        }
        Effect::Add(key) => {
            values[usize::from(key)] += 1;
            values[usize::from(key)]
        }
    };
    (values, answer)
}

fn run(protocol: Protocol, programs: &[&[Effect]]) -> Result<Explored, Violation<State>> {
    let programs = programs.iter().map(|program| program.to_vec()).collect();
    let mut model = Clearing { protocol, programs, known: HashSet::new() };
    explore(&mut model, protocol != Protocol::NoHelp)
}

use Effect::{Add, Clear, Create, Get, Put};

/// Puts under both keys and looks between them, beside a clear.
const LOOKS: [&[Effect]; 3] = [&[Put(0, 1), Put(1, 2)], &[Get(1), Get(0), Get(0)], &[Clear]];
/// Sums that two processes build, and a clear.
const SUMS: [&[Effect]; 3] = [&[Add(0), Add(0)], &[Add(0)], &[Clear]];
/// Creations, of which one at a time may succeed, and a clear.
const CREATIONS: [&[Effect]; 3] = [&[Create(0, 1), Get(0)], &[Create(0, 2)], &[Clear]];
/// Two clears, and a process that must not see again what it saw go.
const CLEARS: [&[Effect]; 3] = [&[Put(0, 1), Get(0)], &[Clear, Get(0)], &[Clear]];
/// One process that writes, looks and clears, beside one that looks.
const ALONE: [&[Effect]; 2] = [&[Put(0, 1), Clear, Add(0), Put(1, 3), Clear], &[Get(1), Get(0)]];

/// What is written second survives a clear that takes effect later; the first is looked at before.
const SURVIVES: [&[Effect]; 2] = [&[Put(0, 1), Put(1, 2), Get(0), Get(0), Get(1)], &[Clear]];

#[test]
fn every_history_with_a_clear_can_be_explained() {
    for programs in [&LOOKS[..], &SUMS, &CREATIONS, &CLEARS, &ALONE, &SURVIVES] {
        let explored = run(Protocol::Ceiling, programs).expect("it holds");
        println!("{} states, {} steps alone at most", explored.states, explored.solo_steps);
    }
}

fn fails(protocol: Protocol, programs: &[&[Effect]]) {
    let violation = run(protocol, programs).expect_err("the control must fail");
    println!("{} after {} states: {:?}", violation.what, violation.states, violation.state.history);
}

/// What is written above the stamp before it takes force survives it, and what is read later does
/// not.
#[test]
fn control_a_floor_is_not_enough() {
    fails(Protocol::FloorThenStamp, &SURVIVES);
}

#[test]
fn control_a_writer_that_does_not_look_again() {
    fails(Protocol::NoSecondLook, &SUMS);
}

#[test]
fn control_an_empty_word_that_comes_back() {
    fails(Protocol::SameEmpty, &SUMS);
}

#[test]
fn control_a_writer_that_does_not_wait_for_the_stamp() {
    fails(Protocol::NoHelp, &SURVIVES);
}
