//! Growth of the index as a state machine: one chain of the old table and its two children.
//!
//! | word | values |
//! |---|---|
//! | header | idle (version), pending (version, owner, sequence), frozen, moved |
//! | slot | entry (key, record) or empty with a stamp that never repeats; frozen or not |
//! | hazard, one per process | record that must not be reused |
//!
//! Whoever moves the chain finishes a pending insert, freezes the header and then every slot,
//! copies every entry to the slot of the child that its rank names, by a CAS from the word that
//! slot had in the beginning, and marks the chain as moved. Any number of processes do so at once,
//! and each may stop anywhere for any time. Records leave the index by a CAS of the slot in force
//! and are reused at once if no hazard names them: reading one then is a violation. A record says
//! which child its key belongs to, so those who copy read it, too.
//!
//! Each step is one access to shared memory, and memory is sequentially consistent; orderings and
//! overflow buckets are loom's subject.

use crate::explore::Model;
use crate::linearizability::{DONE, Effect, Event, is_linearizable};
use std::collections::HashMap;

const SLOTS: usize = 2;
const MAX_PROCESSES: usize = 3;
/// The chain of the old table; its children are the buckets 1 and 2.
const OLD: u8 = 0;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Entry {
        key: u8,
        effect: Effect,
    },
    /// Moves the chain.
    Migrate,
}

/// Which parts of the protocol are in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    /// Slots are frozen before they are copied.
    pub(crate) freeze_slots: bool,
    /// A reader of a frozen word looks whether the chain was moved.
    pub(crate) reader_rechecks: bool,
    /// So does who copies, before the record is read.
    pub(crate) copier_rechecks: bool,
    /// The place of a copy follows from its rank alone.
    pub(crate) deterministic: bool,
    /// Nobody uses the children before the chain is moved.
    pub(crate) moved_first: bool,
}

/// The protocol as the library implements it.
pub(crate) const COMPLETE: Protocol = Protocol {
    freeze_slots: true,
    reader_rechecks: true,
    copier_rechecks: true,
    deterministic: true,
    moved_first: true,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    /// Stamps of the beginning carry a writer that is nobody.
    Empty {
        writer: u8,
        count: u8,
    },
    Entry {
        key: u8,
        record: u8,
    },
}

const FRESH: Content = Content::Empty { writer: u8::MAX, count: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Word {
    frozen: bool,
    content: Content,
}

const FRESH_WORD: Word = Word { frozen: false, content: FRESH };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Header {
    Idle { version: u8 },
    Pending { version: u8, owner: u8, sequence: u8 },
    Frozen,
    Moved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Bucket {
    header: Header,
    slots: [Word; SLOTS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Descriptor {
    slot: u8,
    expected: Word,
    new: Word,
}

/// Where in the copying somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Copying {
    slot: u8,
    /// Entries copied to each child so far.
    counts: [u8; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Start,
    ReadHeader { bucket: u8 },
    Scan { bucket: u8, version: u8, slot: u8, empty: Option<(u8, Word)> },
    Protect { bucket: u8, slot: u8, word: Word },
    Recheck { bucket: u8, slot: u8, word: Word },
    CheckMoved { bucket: u8, record: u8 },
    Read { record: u8 },
    Change { bucket: u8, slot: u8, word: Word },
    Prepare { bucket: u8, version: u8, slot: u8, expected: Word },
    Claim { bucket: u8, version: u8 },
    InsertSlot { bucket: u8, pending: Header },
    Finish { bucket: u8, pending: Header },
    HelpRead { bucket: u8, pending: Header },
    HelpRecheck { bucket: u8, pending: Header, work: Descriptor },
    HelpSlot { bucket: u8, pending: Header, work: Descriptor },
    HelpHeader { bucket: u8, pending: Header },
    MoveHeader,
    FreezeHeader { version: u8 },
    FreezeSlot { slot: u8 },
    CopyRead { at: Copying },
    CopyProtect { at: Copying, word: Word },
    CopyCheck { at: Copying, word: Word },
    CopyPlace { at: Copying, word: Word },
    CopyAnywhere { at: Copying, word: Word, slot: u8 },
    MarkMoved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    completed: u8,
    step: Step,
    sequence: u8,
    stamps: u8,
    /// Record + 1.
    hazard: u8,
}

/// Shared words, private state of every process, and the history so far with its keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    buckets: [Bucket; 3],
    descriptors: [Descriptor; MAX_PROCESSES],
    processes: [Process; MAX_PROCESSES],
    /// Bit per record: out of the index.
    unlinked: u32,
    /// Bit per record: used for something else.
    reused: u32,
    violation: Option<&'static str>,
    history: Vec<(u8, Event)>,
}

/// The protocol, what is there at first, the programs, and the histories already judged.
pub(crate) struct Chain {
    entries: Vec<(u8, u8)>,
    programs: Vec<Vec<Operation>>,
    protocol: Protocol,
    judged: HashMap<Vec<(u8, Event)>, bool>,
}

/// Even keys belong to the first child.
fn child_of(key: u8) -> u8 {
    key % 2
}

impl Chain {
    /// `entries` are pairs of key and record in the old chain; one program per process.
    pub(crate) fn new(
        entries: Vec<(u8, u8)>,
        programs: Vec<Vec<Operation>>,
        protocol: Protocol,
    ) -> Chain {
        assert!(entries.len() <= SLOTS && programs.len() <= MAX_PROCESSES);
        Chain { entries, programs, protocol, judged: HashMap::new() }
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

impl Model for Chain {
    type State = State;

    fn initial(&self) -> State {
        let unused = Descriptor { slot: 0, expected: FRESH_WORD, new: FRESH_WORD };
        let process =
            Process { completed: 0, step: Step::Start, sequence: 0, stamps: 0, hazard: 0 };
        let empty = Bucket { header: Header::Idle { version: 0 }, slots: [FRESH_WORD; SLOTS] };
        let mut buckets = [empty; 3];
        let mut history = Vec::new();
        for (slot, &(key, record)) in self.entries.iter().enumerate() {
            buckets[0].slots[slot].content = Content::Entry { key, record };
            let effect = Effect::Put(record);
            history.push((key, Event::Invoke { process: u8::MAX, effect }));
            history.push((key, Event::Answer { process: u8::MAX, answer: DONE }));
        }
        State {
            buckets,
            descriptors: [unused; MAX_PROCESSES],
            processes: [process; MAX_PROCESSES],
            unlinked: 0,
            reused: 0,
            violation: None,
            history,
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
        turn.reuse();
        Some(turn.state)
    }

    fn check(&mut self, state: &State) -> Result<(), &'static str> {
        if let Some(what) = state.violation {
            return Err(what);
        }
        for bucket in &state.buckets {
            let key = |word: &Word| match word.content {
                Content::Entry { key, .. } => Some(key),
                Content::Empty { .. } => None,
            };
            let keys: Vec<u8> = bucket.slots.iter().filter_map(key).collect();
            if keys.iter().enumerate().any(|(at, key)| keys[..at].contains(key)) {
                return Err("two entries for one key");
            }
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
            Step::ReadHeader { bucket } => self.read_header(bucket),
            Step::Scan { bucket, version, slot, empty } => self.scan(bucket, version, slot, empty),
            Step::Protect { bucket, slot, word } => {
                self.state.processes[self.me].hazard = record_of(word) + 1;
                Step::Recheck { bucket, slot, word }
            }
            Step::Recheck { bucket, slot, word } => self.recheck(bucket, slot, word),
            Step::CheckMoved { bucket, record } => match self.header(bucket) {
                Header::Moved => Step::ReadHeader { bucket: self.child() },
                _ => Step::Read { record },
            },
            Step::Read { record } => {
                self.look_at(record);
                self.answer(record)
            }
            Step::Change { bucket, slot, word } => self.change(bucket, slot, word),
            Step::Prepare { bucket, version, slot, expected } => {
                self.prepare(bucket, version, slot, expected)
            }
            Step::Claim { bucket, version } => self.claim(bucket, version),
            Step::InsertSlot { bucket, pending } => {
                let work = self.state.descriptors[self.me];
                self.swap(bucket, work.slot, work.expected, work.new);
                Step::Finish { bucket, pending }
            }
            Step::Finish { bucket, pending } => {
                self.release(bucket, pending);
                self.answer(DONE)
            }
            Step::HelpRead { bucket, pending } => {
                let Header::Pending { owner, .. } = pending else { unreachable!("is pending") };
                let work = self.state.descriptors[usize::from(owner)];
                Step::HelpRecheck { bucket, pending, work }
            }
            Step::HelpRecheck { bucket, pending, work } => {
                if self.header(bucket) == pending {
                    Step::HelpSlot { bucket, pending, work }
                } else {
                    self.again(bucket)
                }
            }
            Step::HelpSlot { bucket, pending, work } => {
                self.swap(bucket, work.slot, work.expected, work.new);
                Step::HelpHeader { bucket, pending }
            }
            Step::HelpHeader { bucket, pending } => {
                self.release(bucket, pending);
                self.again(bucket)
            }
            other => self.migrate(other),
        }
    }

    /// Moving the chain, step by step.
    fn migrate(&mut self, step: Step) -> Step {
        match step {
            Step::MoveHeader => match self.header(OLD) {
                Header::Idle { version } => Step::FreezeHeader { version },
                pending @ Header::Pending { .. } => Step::HelpRead { bucket: OLD, pending },
                Header::Frozen if self.protocol.freeze_slots => Step::FreezeSlot { slot: 0 },
                Header::Frozen => self.copy(0, [0; 2]),
                Header::Moved => self.moved(),
            },
            Step::FreezeHeader { version } => {
                if self.header(OLD) == (Header::Idle { version }) {
                    self.state.buckets[0].header = Header::Frozen;
                }
                Step::MoveHeader
            }
            Step::FreezeSlot { slot } => {
                self.state.buckets[0].slots[usize::from(slot)].frozen = true;
                if usize::from(slot) + 1 < SLOTS {
                    Step::FreezeSlot { slot: slot + 1 }
                } else {
                    self.copy(0, [0; 2])
                }
            }
            Step::CopyRead { at } => {
                let word = self.state.buckets[0].slots[usize::from(at.slot)];
                match word.content {
                    Content::Entry { .. } => Step::CopyProtect { at, word },
                    Content::Empty { .. } => self.copy(at.slot + 1, at.counts),
                }
            }
            Step::CopyProtect { at, word } => {
                self.state.processes[self.me].hazard = record_of(word) + 1;
                Step::CopyCheck { at, word }
            }
            Step::CopyCheck { at, word } => match self.header(OLD) {
                Header::Moved if self.protocol.copier_rechecks => self.moved(),
                _ => Step::CopyPlace { at, word },
            },
            Step::CopyPlace { at, word } => self.place(at, word),
            Step::CopyAnywhere { at, word, slot } => {
                let Content::Entry { key, .. } = word.content else { unreachable!("is an entry") };
                let new = Word { frozen: false, ..word };
                if self.swap(1 + child_of(key), slot, FRESH_WORD, new) {
                    self.copy(at.slot + 1, at.counts)
                } else {
                    Step::CopyPlace { at, word }
                }
            }
            Step::MarkMoved => {
                if self.header(OLD) == Header::Frozen {
                    self.state.buckets[0].header = Header::Moved;
                }
                self.moved()
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn copy(&mut self, slot: u8, counts: [u8; 2]) -> Step {
        if usize::from(slot) < SLOTS {
            Step::CopyRead { at: Copying { slot, counts } }
        } else {
            Step::MarkMoved
        }
    }

    fn place(&mut self, at: Copying, word: Word) -> Step {
        self.look_at(record_of(word));
        let Content::Entry { key, .. } = word.content else { unreachable!("is an entry") };
        let child = usize::from(child_of(key));
        if !self.protocol.deterministic {
            let slots = &self.state.buckets[1 + child].slots;
            return match slots.iter().position(|word| *word == FRESH_WORD) {
                Some(slot) => Step::CopyAnywhere { at, word, slot: slot as u8 },
                None => self.copy(at.slot + 1, at.counts),
            };
        }
        let mut counts = at.counts;
        counts[child] += 1;
        let new = Word { frozen: false, ..word };
        self.swap(1 + child as u8, at.counts[child], FRESH_WORD, new);
        self.copy(at.slot + 1, counts)
    }

    /// The chain is moved: done, or on in the child.
    fn moved(&mut self) -> Step {
        self.state.processes[self.me].hazard = 0;
        match self.operation {
            Operation::Migrate => self.complete(),
            Operation::Entry { .. } => Step::ReadHeader { bucket: self.child() },
        }
    }

    fn again(&self, bucket: u8) -> Step {
        match self.operation {
            Operation::Migrate => Step::MoveHeader,
            Operation::Entry { .. } => Step::ReadHeader { bucket },
        }
    }

    fn start(&mut self) -> Step {
        let Operation::Entry { effect, .. } = self.operation else {
            return Step::MoveHeader;
        };
        self.record(Event::Invoke { process: self.me as u8, effect });
        Step::ReadHeader { bucket: OLD }
    }

    fn entry(&self) -> (u8, Effect) {
        match self.operation {
            Operation::Entry { key, effect } => (key, effect),
            Operation::Migrate => unreachable!("has no key"),
        }
    }

    fn child(&self) -> u8 {
        1 + child_of(self.entry().0)
    }

    fn read_header(&mut self, bucket: u8) -> Step {
        let scan = |version| Step::Scan { bucket, version, slot: 0, empty: None };
        let reads = self.entry().1 == Effect::Get;
        match self.header(bucket) {
            Header::Moved => Step::ReadHeader { bucket: self.child() },
            _ if reads => scan(0),
            Header::Idle { version } => scan(version),
            pending @ Header::Pending { .. } => Step::HelpRead { bucket, pending },
            Header::Frozen if !self.protocol.moved_first => {
                Step::ReadHeader { bucket: self.child() }
            }
            Header::Frozen => Step::MoveHeader,
        }
    }

    fn scan(&mut self, bucket: u8, version: u8, slot: u8, empty: Option<(u8, Word)>) -> Step {
        let (key, effect) = self.entry();
        let word = self.state.buckets[usize::from(bucket)].slots[usize::from(slot)];
        let mut empty = empty;
        match word.content {
            Content::Entry { key: found, .. } if found == key => {
                return match effect {
                    Effect::Get => Step::Protect { bucket, slot, word },
                    // Whoever changes something moves the chain first.
                    _ if word.frozen => Step::ReadHeader { bucket },
                    _ => Step::Change { bucket, slot, word },
                };
            }
            Content::Empty { .. } if empty.is_none() => empty = Some((slot, word)),
            _ => {}
        }
        if usize::from(slot) + 1 < SLOTS {
            return Step::Scan { bucket, version, slot: slot + 1, empty };
        }
        match (effect, empty) {
            (Effect::Put(_), Some((slot, expected))) => {
                Step::Prepare { bucket, version, slot, expected }
            }
            (Effect::Put(_), None) => Step::ReadHeader { bucket },
            _ => self.answer(0),
        }
    }

    fn recheck(&mut self, bucket: u8, slot: u8, word: Word) -> Step {
        if self.state.buckets[usize::from(bucket)].slots[usize::from(slot)] != word {
            return Step::Scan { bucket, version: 0, slot, empty: None };
        }
        let record = record_of(word);
        if word.frozen && self.protocol.reader_rechecks {
            Step::CheckMoved { bucket, record }
        } else {
            Step::Read { record }
        }
    }

    fn change(&mut self, bucket: u8, slot: u8, word: Word) -> Step {
        let content = match self.entry() {
            (key, Effect::Put(record)) => Content::Entry { key, record },
            _ => {
                let me = &mut self.state.processes[self.me];
                me.stamps += 1;
                Content::Empty { writer: self.me as u8, count: me.stamps }
            }
        };
        if !self.swap(bucket, slot, word, Word { frozen: false, content }) {
            return Step::ReadHeader { bucket };
        }
        self.state.unlinked |= 1 << record_of(word);
        self.answer(DONE)
    }

    fn prepare(&mut self, bucket: u8, version: u8, slot: u8, expected: Word) -> Step {
        let (key, Effect::Put(record)) = self.entry() else { unreachable!("only puts insert") };
        let new = Word { frozen: false, content: Content::Entry { key, record } };
        self.state.processes[self.me].sequence += 1;
        self.state.descriptors[self.me] = Descriptor { slot, expected, new };
        Step::Claim { bucket, version }
    }

    fn claim(&mut self, bucket: u8, version: u8) -> Step {
        if self.header(bucket) != (Header::Idle { version }) {
            return Step::ReadHeader { bucket };
        }
        let sequence = self.state.processes[self.me].sequence;
        let pending = Header::Pending { version: version + 1, owner: self.me as u8, sequence };
        self.state.buckets[usize::from(bucket)].header = pending;
        Step::InsertSlot { bucket, pending }
    }

    fn release(&mut self, bucket: u8, pending: Header) {
        if let Header::Pending { version, .. } = pending
            && self.header(bucket) == pending
        {
            self.state.buckets[usize::from(bucket)].header = Header::Idle { version };
        }
    }

    fn header(&self, bucket: u8) -> Header {
        self.state.buckets[usize::from(bucket)].header
    }

    fn swap(&mut self, bucket: u8, slot: u8, expected: Word, new: Word) -> bool {
        let word = &mut self.state.buckets[usize::from(bucket)].slots[usize::from(slot)];
        let hit = *word == expected;
        if hit {
            *word = new;
        }
        hit
    }

    /// Reads a record, which must not be used for something else.
    fn look_at(&mut self, record: u8) {
        if self.state.reused >> record & 1 == 1 {
            self.state.violation = Some("a record was read after its memory was reused");
        }
    }

    /// Memory of records is reused as early as it may be.
    fn reuse(&mut self) {
        let named = self.state.processes.iter().fold(0, |named, process| {
            named | process.hazard.checked_sub(1).map_or(0, |record| 1u32 << record)
        });
        self.state.reused |= self.state.unlinked & !named;
    }

    fn answer(&mut self, answer: u8) -> Step {
        self.record(Event::Answer { process: self.me as u8, answer });
        self.complete()
    }

    fn complete(&mut self) -> Step {
        let me = &mut self.state.processes[self.me];
        me.completed += 1;
        me.hazard = 0;
        Step::Start
    }

    fn record(&mut self, event: Event) {
        let (key, _) = self.entry();
        self.state.history.push((key, event));
    }
}

fn record_of(word: Word) -> u8 {
    match word.content {
        Content::Entry { record, .. } => record,
        Content::Empty { .. } => unreachable!("an empty word names no record"),
    }
}
