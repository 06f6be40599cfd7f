//! Exhaustive model of the life of segments: writers, cleaners, readers and a reclaimer.
//!
//! One entry, four segments with room for one record each. A writer puts a new record in place of
//! the entry's and announces it; a cleaner copies the record to another segment and puts the copy
//! in its place; a reader looks at the record; a reclaimer moves segments whose record is dead to
//! quarantine, looks at the hazard and the intent of every process, and frees them under the next
//! generation. Each step is one access to shared memory; memory is sequentially consistent here.
//!
//! Checked in every state, and so with any processes dead: the slot names a record that is there
//! and not dead; nobody reads, marks or announces a record whose segment was reused; a cleaner
//! never changes the value of the entry; every process finishes alone. At the end nothing leaks:
//! what is not dead is the entry.

mod explore;

use explore::{Explored, Model, Violation, explore};

const SEGMENTS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer { puts: u8 },
    Cleaner { rounds: u8 },
    Reader { gets: u8 },
    Reclaimer { rounds: u8 },
}

/// The protocol or one of its controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Complete,
    /// Segments are freed without a look at the hazards.
    NoHazards,
    /// The intent of a writer does not protect the segment of its record.
    NoIntents,
    /// Cleaners mark the old record dead before the copy has its place.
    MarkFirst,
    /// Cleaners do not look whether the victim is still the segment they chose.
    NoRecheck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Free,
    Active,
    Sealed,
    Quarantine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Location {
    segment: u8,
    generation: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Segment {
    state: State,
    generation: u8,
    value: u8,
    dead: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Begin,
    // Writer: `own` is the new record, `old` what it replaces.
    Write { own: Location },
    Search { own: Location },
    Protect { own: Location, old: Location },
    Recheck { own: Location, old: Location },
    Replace { own: Location, old: Location },
    Retire { own: Location, old: Location },
    Announce { own: Location },
    // Cleaner.
    Hazard { victim: Location },
    Validate { victim: Location },
    Locate { victim: Location },
    ClaimCopy { victim: Location },
    Copy { victim: Location, copy: Location },
    MarkEarly { victim: Location, copy: Location },
    Swap { victim: Location, copy: Location },
    Mark { dead: Location },
    // Reader.
    Guard { seen: Location },
    Verify { seen: Location },
    Look { seen: Location, again: bool },
    // Reclaimer.
    Quarantine { segment: Location },
    ScanHazard { segment: Location, process: u8 },
    ScanIntent { segment: Location, process: u8 },
    Free { segment: Location },
    // All.
    ClearIntent,
    ClearHazard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    completed: u8,
    step: Step,
    hazard: Option<u8>,
    intent: Option<Location>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    slot: Location,
    /// What the entry must be.
    entry: u8,
    segments: [Segment; SEGMENTS],
    processes: Vec<Process>,
    wrong: Option<&'static str>,
}

struct Life {
    roles: Vec<Role>,
    variant: Variant,
}

impl Model for Life {
    type State = World;

    fn initial(&self) -> World {
        let free = Segment { state: State::Free, generation: 0, value: 0, dead: false };
        let mut segments = [free; SEGMENTS];
        segments[0] = Segment { state: State::Sealed, value: 1, ..free };
        let idle = Process { completed: 0, step: Step::Begin, hazard: None, intent: None };
        World {
            slot: Location { segment: 0, generation: 0 },
            entry: 1,
            segments,
            processes: vec![idle; self.roles.len()],
            wrong: None,
        }
    }

    fn processes(&self) -> usize {
        self.roles.len()
    }

    fn completed(&self, world: &World, process: usize) -> usize {
        usize::from(world.processes[process].completed)
    }

    fn step(&self, world: &World, process: usize) -> Option<World> {
        let role = self.roles[process];
        let (Role::Writer { puts: most }
        | Role::Cleaner { rounds: most }
        | Role::Reader { gets: most }
        | Role::Reclaimer { rounds: most }) = role;
        if world.processes[process].completed == most {
            return None;
        }
        let mut turn = Turn { world: world.clone(), me: process, role, variant: self.variant };
        let next = turn.run();
        turn.world.processes[process].step = next;
        Some(turn.world)
    }

    fn check(&mut self, world: &World) -> Result<(), &'static str> {
        if let Some(wrong) = world.wrong {
            return Err(wrong);
        }
        let named = world.segments[usize::from(world.slot.segment)];
        if named.generation != world.slot.generation || named.state != State::Sealed {
            return Err("the slot names a record that is gone");
        }
        if named.dead {
            return Err("the slot names a dead record");
        }
        if (0..self.roles.len()).any(|process| self.step(world, process).is_some()) {
            return Ok(());
        }
        let leaks = world.segments.iter().enumerate().any(|(number, segment)| {
            let used = segment.state != State::Free;
            used && !segment.dead && number != usize::from(world.slot.segment)
        });
        if leaks { Err("a record that nobody refers to is not dead") } else { Ok(()) }
    }
}

/// One atomic step of one process.
struct Turn {
    world: World,
    me: usize,
    role: Role,
    variant: Variant,
}

impl Turn {
    fn segment(&mut self, location: Location) -> &mut Segment {
        &mut self.world.segments[usize::from(location.segment)]
    }

    /// The segment, if it still holds what the location names.
    fn held(&mut self, location: Location, otherwise: &'static str) -> Option<&mut Segment> {
        let segment = *self.segment(location);
        if segment.generation == location.generation && segment.state != State::Free {
            return Some(self.segment(location));
        }
        self.world.wrong = Some(otherwise);
        None
    }

    /// Free -> Active of the first free segment.
    fn claim(&mut self) -> Option<Location> {
        let free = |segment: &Segment| segment.state == State::Free;
        let number = self.world.segments.iter().position(free)?;
        let segment = &mut self.world.segments[number];
        segment.state = State::Active;
        Some(Location { segment: number as u8, generation: segment.generation })
    }

    /// The record is complete, named by the intent, and its segment full.
    fn append(&mut self, own: Location, value: u8) {
        let segment = self.segment(own);
        (segment.state, segment.value, segment.dead) = (State::Sealed, value, false);
        self.world.processes[self.me].intent = Some(own);
    }

    fn mark(&mut self, dead: Location) {
        if let Some(segment) = self.held(dead, "a mark hit another record") {
            segment.dead = true;
        }
    }

    fn swap(&mut self, from: Location, to: Location) -> bool {
        let hit = self.world.slot == from;
        if hit {
            self.world.slot = to;
        }
        hit
    }

    fn hazard(&mut self, segment: Option<u8>) {
        self.world.processes[self.me].hazard = segment;
    }

    fn done(&mut self) -> Step {
        self.world.processes[self.me].completed += 1;
        Step::Begin
    }

    fn run(&mut self) -> Step {
        match self.world.processes[self.me].step {
            Step::Begin => self.begin(),
            Step::ClearIntent => {
                self.world.processes[self.me].intent = None;
                Step::ClearHazard
            }
            Step::ClearHazard => {
                self.hazard(None);
                self.done()
            }
            step => match self.role {
                Role::Writer { .. } => self.write(step),
                Role::Cleaner { .. } => self.clean(step),
                Role::Reader { .. } => self.read(step),
                Role::Reclaimer { .. } => self.reclaim(step),
            },
        }
    }

    fn begin(&mut self) -> Step {
        match self.role {
            Role::Writer { .. } => match self.claim() {
                Some(own) => Step::Write { own },
                None => self.done(), // The region is full.
            },
            Role::Cleaner { .. } => match self.sealed(false) {
                Some(victim) => Step::Hazard { victim },
                None => self.done(),
            },
            Role::Reader { .. } => Step::Guard { seen: self.world.slot },
            Role::Reclaimer { .. } => match self.sealed(true) {
                Some(segment) => Step::Quarantine { segment },
                None => self.done(),
            },
        }
    }

    /// A sealed segment whose record is dead, or not: the first, and in the next round the last.
    fn sealed(&self, dead: bool) -> Option<Location> {
        let wanted = |s: &Segment| s.state == State::Sealed && s.dead == dead;
        let number = match self.world.processes[self.me].completed % 2 {
            0 => self.world.segments.iter().position(wanted)?,
            _ => self.world.segments.iter().rposition(wanted)?,
        };
        let generation = self.world.segments[number].generation;
        Some(Location { segment: number as u8, generation })
    }

    fn write(&mut self, step: Step) -> Step {
        match step {
            Step::Write { own } => {
                let value = 10 * (self.me as u8 + 1) + self.world.processes[self.me].completed;
                self.append(own, value);
                Step::Search { own }
            }
            Step::Search { own } => Step::Protect { own, old: self.world.slot },
            Step::Protect { own, old } => {
                self.hazard(Some(old.segment));
                Step::Recheck { own, old }
            }
            Step::Recheck { own, old } if self.world.slot == old => Step::Replace { own, old },
            Step::Recheck { own, .. } => Step::Search { own },
            Step::Replace { own, old } if self.swap(old, own) => {
                self.world.entry = self.segment(own).value;
                Step::Retire { own, old }
            }
            Step::Replace { own, .. } => Step::Search { own },
            Step::Retire { own, old } => {
                self.mark(old);
                Step::Announce { own }
            }
            Step::Announce { own } => {
                self.held(own, "an announcement names a record that is gone");
                Step::ClearIntent
            }
            other => unreachable!("{other:?} of a writer"),
        }
    }

    fn clean(&mut self, step: Step) -> Step {
        match step {
            Step::Hazard { victim } => {
                self.hazard(Some(victim.segment));
                Step::Validate { victim }
            }
            Step::Validate { victim } => {
                let segment = *self.segment(victim);
                let same = segment.generation == victim.generation;
                let same = same && segment.state == State::Sealed;
                if self.variant == Variant::NoRecheck || same && !segment.dead {
                    Step::Locate { victim }
                } else {
                    Step::ClearHazard
                }
            }
            // The control finds the slot by the key, as it trusts the segment.
            Step::Locate { victim }
                if self.world.slot == victim || self.variant == Variant::NoRecheck =>
            {
                Step::ClaimCopy { victim }
            }
            Step::Locate { .. } => Step::ClearHazard,
            Step::ClaimCopy { victim } => match self.claim() {
                Some(copy) => Step::Copy { victim, copy },
                None => Step::ClearHazard,
            },
            Step::Copy { victim, copy } => {
                let value = self.segment(victim).value;
                self.append(copy, value);
                match self.variant {
                    Variant::MarkFirst => Step::MarkEarly { victim, copy },
                    _ => Step::Swap { victim, copy },
                }
            }
            Step::MarkEarly { victim, copy } => {
                self.mark(victim);
                Step::Swap { victim, copy }
            }
            Step::Swap { victim, copy } => {
                let from =
                    if self.variant == Variant::NoRecheck { self.world.slot } else { victim };
                if !self.swap(from, copy) {
                    return Step::Mark { dead: copy };
                }
                if self.segment(copy).value != self.world.entry {
                    self.world.wrong = Some("a cleaner changed the value");
                }
                Step::Mark { dead: from }
            }
            Step::Mark { dead } => {
                self.mark(dead);
                Step::ClearIntent
            }
            other => unreachable!("{other:?} of a cleaner"),
        }
    }

    fn read(&mut self, step: Step) -> Step {
        match step {
            Step::Guard { seen } => {
                self.hazard(Some(seen.segment));
                Step::Verify { seen }
            }
            Step::Verify { seen } if self.world.slot == seen => Step::Look { seen, again: true },
            Step::Verify { .. } => Step::Guard { seen: self.world.slot },
            Step::Look { seen, again } => {
                self.held(seen, "a reader looks at reused memory");
                if again { Step::Look { seen, again: false } } else { Step::ClearHazard }
            }
            other => unreachable!("{other:?} of a reader"),
        }
    }

    fn reclaim(&mut self, step: Step) -> Step {
        match step {
            Step::Quarantine { segment } => {
                let now = *self.segment(segment);
                if now.generation != segment.generation || now.state != State::Sealed {
                    return self.done();
                }
                self.segment(segment).state = State::Quarantine;
                Step::ScanHazard { segment, process: 0 }
            }
            Step::ScanHazard { segment, process } => {
                let Some(other) = self.world.processes.get(usize::from(process)) else {
                    return Step::Free { segment };
                };
                let protected = other.hazard == Some(segment.segment);
                if protected && self.variant != Variant::NoHazards {
                    return self.give_back(segment);
                }
                Step::ScanIntent { segment, process }
            }
            Step::ScanIntent { segment, process } => {
                let intent = self.world.processes[usize::from(process)].intent;
                let protected = intent.is_some_and(|own| own.segment == segment.segment);
                if protected && self.variant != Variant::NoIntents {
                    return self.give_back(segment);
                }
                Step::ScanHazard { segment, process: process + 1 }
            }
            Step::Free { segment } => {
                let freed = self.segment(segment);
                (freed.state, freed.dead, freed.value) = (State::Free, false, 0);
                freed.generation += 1;
                self.done()
            }
            other => unreachable!("{other:?} of a reclaimer"),
        }
    }

    /// It stays in quarantine; here the next round takes it up again as a sealed one.
    fn give_back(&mut self, segment: Location) -> Step {
        self.segment(segment).state = State::Sealed;
        self.done()
    }
}

const WRITER: Role = Role::Writer { puts: 1 };
const WRITER_TWICE: Role = Role::Writer { puts: 2 };
const CLEANER: Role = Role::Cleaner { rounds: 1 };
const CLEANER_TWICE: Role = Role::Cleaner { rounds: 2 };
const READER: Role = Role::Reader { gets: 1 };
const RECLAIMER: Role = Role::Reclaimer { rounds: 2 };

fn holds(name: &str, roles: &[Role]) -> Explored {
    let mut life = Life { roles: roles.to_vec(), variant: Variant::Complete };
    let explored =
        explore(&mut life, true).unwrap_or_else(|violation| panic!("{name}: {violation:#?}"));
    println!("{name}: {} states, {} steps alone", explored.states, explored.solo_steps);
    explored
}

fn fails(roles: &[Role], variant: Variant) -> Violation<World> {
    let mut life = Life { roles: roles.to_vec(), variant };
    let violation = explore(&mut life, false).expect_err("the control must find a violation");
    println!("{variant:?}: {} after {} states", violation.what, violation.states);
    violation
}

#[test]
fn two_cleaners_and_a_writer() {
    holds("writer | cleaner | cleaner | reclaimer", &[WRITER, CLEANER, CLEANER, RECLAIMER]);
}

#[test]
fn a_reader_while_its_record_is_moved_and_replaced() {
    holds("writer | cleaner | reader | reclaimer", &[WRITER, CLEANER, READER, RECLAIMER]);
}

#[test]
fn a_record_is_moved_twice_before_it_is_announced() {
    holds("writer | cleaner twice | reclaimer", &[WRITER, CLEANER_TWICE, RECLAIMER]);
}

#[test]
fn two_writers_and_a_cleaner() {
    holds("writer twice | writer | cleaner", &[WRITER_TWICE, WRITER, CLEANER]);
}

#[test]
fn control_without_hazards_reads_reused_memory() {
    let violation = fails(&[WRITER, READER, RECLAIMER], Variant::NoHazards);
    assert!(violation.what.contains("reused") || violation.what.contains("another record"));
}

#[test]
fn control_without_intents_announces_what_is_gone() {
    let violation = fails(&[WRITER, CLEANER, RECLAIMER], Variant::NoIntents);
    assert_eq!(violation.what, "an announcement names a record that is gone");
}

#[test]
fn control_that_marks_first_lets_the_slot_name_the_dead() {
    let violation = fails(&[WRITER, CLEANER, RECLAIMER], Variant::MarkFirst);
    assert_eq!(violation.what, "the slot names a dead record");
}

#[test]
fn control_without_recheck_brings_back_an_old_value() {
    let violation = fails(&[WRITER, CLEANER, RECLAIMER], Variant::NoRecheck);
    assert_eq!(violation.what, "a cleaner changed the value");
}
