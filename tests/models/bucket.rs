//! The bucket protocol as a state machine: one header, two slots, up to three processes.
//!
//! | word | values |
//! |---|---|
//! | header | idle (version) or pending (version, owner, sequence of its descriptor) |
//! | slot | entry (key, value) or empty with a stamp that never repeats |
//! | descriptor, one per process | sequence, slot, expected word, new word |
//!
//! A new key is inserted in four steps: scan the slots under a header version, fill the descriptor,
//! CAS the header from idle to pending, CAS the slot from the expected empty word to the new word,
//! CAS the header back to idle. Winning the first CAS proves that nothing was inserted since the
//! scan; everything after it can be done by anybody who meets the pending header. Replacing and
//! deleting are one CAS of the slot.
//!
//! Each step of this model is one access to shared memory. Memory is sequentially consistent here;
//! orderings are loom's subject.

use crate::explore::Model;
use crate::linearizability::{DONE, Effect, Event, is_linearizable};
use std::collections::HashMap;

const SLOTS: usize = 2;
const MAX_PROCESSES: usize = 3;

/// An operation of a process's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) key: u8,
    pub(crate) effect: Effect,
}

/// Which parts of the protocol are in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    /// Inserts claim the bucket through its header; without it they CAS the first empty slot.
    pub(crate) header: bool,
    /// A freed slot gets an empty word that was never there before.
    pub(crate) stamps: bool,
    /// A helper looks at the header again after it has read the descriptor.
    pub(crate) recheck: bool,
    /// Descriptors are read and written word by word instead of at once.
    pub(crate) torn_descriptor: bool,
}

/// The protocol as the library implements it.
pub(crate) const COMPLETE: Protocol =
    Protocol { header: true, stamps: true, recheck: true, torn_descriptor: false };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stamp {
    writer: u8,
    count: u8,
}

/// What every empty word says when there are no stamps.
const NO_STAMP: Stamp = Stamp { writer: 0, count: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Word {
    Empty(Stamp),
    Entry { key: u8, value: u8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Header {
    Idle { version: u8 },
    Pending { version: u8, owner: u8, sequence: u8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Descriptor {
    slot: u8,
    expected: Word,
    new: Word,
}

/// What a process does next, with what it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Start,
    ReadHeader,
    ReadDescriptor { pending: Header },
    ReadRest { pending: Header, new: Word },
    Recheck { pending: Header, work: Descriptor },
    HelpSlot { pending: Header, work: Descriptor },
    HelpHeader { pending: Header },
    Scan { version: u8, slot: u8, seen: [Option<Word>; SLOTS] },
    ReplaceSlot { slot: u8, expected: Word },
    DeleteSlot { slot: u8, expected: Word },
    InsertDirectly { slot: u8, expected: Word },
    Prepare { version: u8, slot: u8, expected: Word },
    PrepareRest { version: u8 },
    Claim { version: u8 },
    InsertSlot { pending: Header },
    Finish { pending: Header },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    completed: u8,
    step: Step,
    sequence: u8,
    stamps: u8,
}

/// Shared words, private state of every process, and the history so far with its keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    header: Header,
    slots: [Word; SLOTS],
    descriptors: [Descriptor; MAX_PROCESSES],
    processes: [Process; MAX_PROCESSES],
    history: Vec<(u8, Event)>,
}

/// The protocol, the programs of the processes and the histories already judged.
pub(crate) struct Bucket {
    programs: Vec<Vec<Operation>>,
    protocol: Protocol,
    judged: HashMap<Vec<(u8, Event)>, bool>,
}

impl Bucket {
    /// One program per process.
    pub(crate) fn new(programs: Vec<Vec<Operation>>, protocol: Protocol) -> Bucket {
        assert!(programs.len() <= MAX_PROCESSES);
        Bucket { programs, protocol, judged: HashMap::new() }
    }

    /// The stamps of the beginning carry a writer that is nobody.
    fn first_empty(&self, slot: usize) -> Word {
        Word::Empty(if self.protocol.stamps {
            Stamp { writer: u8::MAX, count: slot as u8 }
        } else {
            NO_STAMP
        })
    }

    fn linearizable(&mut self, history: &[(u8, Event)]) -> bool {
        if let Some(&answer) = self.judged.get(history) {
            return answer;
        }
        let keys: std::collections::BTreeSet<u8> = history.iter().map(|(key, _)| *key).collect();
        let answer = keys.iter().all(|key| {
            let of_key: Vec<Event> =
                history.iter().filter(|(k, _)| k == key).map(|(_, event)| *event).collect();
            is_linearizable(&of_key)
        });
        self.judged.insert(history.to_vec(), answer);
        answer
    }
}

impl Model for Bucket {
    type State = State;

    fn initial(&self) -> State {
        let empty = |slot: usize| self.first_empty(slot);
        let unused = Descriptor { slot: 0, expected: empty(SLOTS), new: empty(SLOTS) };
        let process = Process { completed: 0, step: Step::Start, sequence: 0, stamps: 0 };
        State {
            header: Header::Idle { version: 0 },
            slots: std::array::from_fn(empty),
            descriptors: [unused; MAX_PROCESSES],
            processes: [process; MAX_PROCESSES],
            history: Vec::new(),
        }
    }

    fn processes(&self) -> usize {
        self.programs.len()
    }

    fn completed(&self, state: &State, process: usize) -> usize {
        usize::from(state.processes[process].completed)
    }

    fn step(&self, state: &State, process: usize) -> Option<State> {
        let operation = *self.programs[process].get(self.completed(state, process))?;
        let mut turn =
            Turn { state: state.clone(), me: process, operation, protocol: self.protocol };
        let next = turn.run();
        turn.state.processes[process].step = next;
        Some(turn.state)
    }

    fn check(&mut self, state: &State) -> Result<(), &'static str> {
        let key = |word: &Word| match word {
            Word::Entry { key, .. } => Some(*key),
            Word::Empty(_) => None,
        };
        let keys: Vec<u8> = state.slots.iter().filter_map(key).collect();
        if keys.iter().enumerate().any(|(at, key)| keys[..at].contains(key)) {
            return Err("two entries for one key");
        }
        if !self.linearizable(&state.history) {
            return Err("not linearizable");
        }
        Ok(())
    }
}

/// One atomic step of one process.
struct Turn {
    state: State,
    me: usize,
    operation: Operation,
    protocol: Protocol,
}

impl Turn {
    fn run(&mut self) -> Step {
        match self.state.processes[self.me].step {
            Step::Start => self.start(),
            Step::ReadHeader => self.read_header(),
            Step::ReadDescriptor { pending } => self.read_descriptor(pending),
            Step::ReadRest { pending, new } => self.read_rest(pending, new),
            Step::Recheck { pending, work } => self.recheck(pending, work),
            Step::HelpSlot { pending, work } => {
                self.swap_slot(work.slot, work.expected, work.new);
                Step::HelpHeader { pending }
            }
            Step::HelpHeader { pending } => {
                self.release(pending);
                Step::ReadHeader
            }
            Step::Scan { version, slot, seen } => self.scan(version, slot, seen),
            Step::ReplaceSlot { slot, expected } | Step::InsertDirectly { slot, expected } => {
                let new = self.new_word();
                self.write(slot, expected, new)
            }
            Step::DeleteSlot { slot, expected } => self.delete(slot, expected),
            Step::Prepare { version, slot, expected } => self.prepare(version, slot, expected),
            Step::PrepareRest { version } => {
                self.state.descriptors[self.me].new = self.new_word();
                Step::Claim { version }
            }
            Step::Claim { version } => self.claim(version),
            Step::InsertSlot { pending } => {
                let work = self.state.descriptors[self.me];
                self.swap_slot(work.slot, work.expected, work.new);
                Step::Finish { pending }
            }
            Step::Finish { pending } => {
                self.release(pending);
                self.answer(DONE)
            }
        }
    }

    fn start(&mut self) -> Step {
        let effect = self.operation.effect;
        self.record(Event::Invoke { process: self.me as u8, effect });
        if matches!(effect, Effect::Put(_)) { Step::ReadHeader } else { Self::first_scan(0) }
    }

    fn read_header(&self) -> Step {
        match self.state.header {
            _ if !self.protocol.header => Self::first_scan(0),
            Header::Idle { version } => Self::first_scan(version),
            pending @ Header::Pending { .. } => Step::ReadDescriptor { pending },
        }
    }

    fn first_scan(version: u8) -> Step {
        Step::Scan { version, slot: 0, seen: [None; SLOTS] }
    }

    fn read_descriptor(&self, pending: Header) -> Step {
        let Header::Pending { owner, .. } = pending else { unreachable!("only pending is helped") };
        let work = self.state.descriptors[usize::from(owner)];
        if self.protocol.torn_descriptor {
            Step::ReadRest { pending, new: work.new }
        } else {
            self.have_descriptor(pending, work)
        }
    }

    fn read_rest(&self, pending: Header, new: Word) -> Step {
        let Header::Pending { owner, .. } = pending else { unreachable!("only pending is helped") };
        let work = Descriptor { new, ..self.state.descriptors[usize::from(owner)] };
        self.have_descriptor(pending, work)
    }

    fn have_descriptor(&self, pending: Header, work: Descriptor) -> Step {
        if self.protocol.recheck {
            Step::Recheck { pending, work }
        } else {
            Step::HelpSlot { pending, work }
        }
    }

    fn recheck(&self, pending: Header, work: Descriptor) -> Step {
        if self.state.header == pending {
            Step::HelpSlot { pending, work }
        } else {
            Step::ReadHeader
        }
    }

    fn scan(&mut self, version: u8, slot: u8, mut seen: [Option<Word>; SLOTS]) -> Step {
        let word = self.state.slots[usize::from(slot)];
        if let Word::Entry { key, value } = word
            && key == self.operation.key
        {
            return match self.operation.effect {
                Effect::Put(_) => Step::ReplaceSlot { slot, expected: word },
                Effect::Delete => Step::DeleteSlot { slot, expected: word },
                Effect::Get => self.answer(value),
            };
        }
        seen[usize::from(slot)] = Some(word);
        if usize::from(slot) + 1 < SLOTS {
            return Step::Scan { version, slot: slot + 1, seen };
        }
        if !matches!(self.operation.effect, Effect::Put(_)) {
            return self.answer(0);
        }
        let free = seen.iter().position(|word| matches!(word, Some(Word::Empty(_))));
        match free.and_then(|slot| seen[slot].map(|expected| (slot as u8, expected))) {
            None => Step::ReadHeader,
            Some((slot, expected)) if self.protocol.header => {
                Step::Prepare { version, slot, expected }
            }
            Some((slot, expected)) => Step::InsertDirectly { slot, expected },
        }
    }

    fn write(&mut self, slot: u8, expected: Word, new: Word) -> Step {
        if self.swap_slot(slot, expected, new) { self.answer(DONE) } else { Step::ReadHeader }
    }

    fn delete(&mut self, slot: u8, expected: Word) -> Step {
        let me = &mut self.state.processes[self.me];
        let stamp = if self.protocol.stamps {
            Stamp { writer: self.me as u8, count: me.stamps }
        } else {
            NO_STAMP
        };
        me.stamps += 1;
        if self.swap_slot(slot, expected, Word::Empty(stamp)) {
            self.answer(DONE)
        } else {
            Self::first_scan(0)
        }
    }

    fn prepare(&mut self, version: u8, slot: u8, expected: Word) -> Step {
        self.state.processes[self.me].sequence += 1;
        let descriptor = &mut self.state.descriptors[self.me];
        descriptor.slot = slot;
        descriptor.expected = expected;
        if self.protocol.torn_descriptor {
            return Step::PrepareRest { version };
        }
        self.state.descriptors[self.me].new = self.new_word();
        Step::Claim { version }
    }

    fn claim(&mut self, version: u8) -> Step {
        if self.state.header != (Header::Idle { version }) {
            return Step::ReadHeader;
        }
        let sequence = self.state.processes[self.me].sequence;
        let pending = Header::Pending { version: version + 1, owner: self.me as u8, sequence };
        self.state.header = pending;
        Step::InsertSlot { pending }
    }

    fn release(&mut self, pending: Header) {
        if let Header::Pending { version, .. } = pending
            && self.state.header == pending
        {
            self.state.header = Header::Idle { version };
        }
    }

    fn swap_slot(&mut self, slot: u8, expected: Word, new: Word) -> bool {
        let word = &mut self.state.slots[usize::from(slot)];
        let hit = *word == expected;
        if hit {
            *word = new;
        }
        hit
    }

    fn new_word(&self) -> Word {
        match self.operation.effect {
            Effect::Put(value) => Word::Entry { key: self.operation.key, value },
            Effect::Delete | Effect::Get => unreachable!("only a put has a new word"),
        }
    }

    fn answer(&mut self, answer: u8) -> Step {
        self.record(Event::Answer { process: self.me as u8, answer });
        self.state.processes[self.me].completed += 1;
        Step::Start
    }

    fn record(&mut self, event: Event) {
        self.state.history.push((self.operation.key, event));
    }
}
