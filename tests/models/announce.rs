//! Exhaustive model of how the changes of one key are announced: once each, in the order in which
//! they took place, whoever dies.
//!
//! The ring itself is modelled in `ring.rs`; here it is a list to which a word can be appended if
//! it still has the length that was read. A writer decides whether it announces after its search
//! and before its swap of the slot. If it does, it first sees to it that the record it replaces is
//! announced: a record that is not marked, and that an intent names, is announced for its writer.
//! Who announces for another marks the record as helped before it looks at the ring, and scans the
//! ring from where that write began; a writer that finds its own record helped does the same. A
//! writer that decided not to announce looks once more after its swap: if somebody subscribed
//! meanwhile, it says "look again". Cleaners announce before they move; recovery announces what is
//! still in the index.
//!
//! Checked in every state: no record is announced twice; those that are, are in the order of the
//! swaps; from one change on that was to be announced, all later ones are. At the end: all these
//! are announced, and every change that a subscriber did not see when it looked at the region is
//! announced behind its cursor, or it is told to look again.

mod explore;

use explore::{Explored, Model, Violation, explore};

/// Locations of records: one for each operation, and one for its copy.
const PLACES: usize = 2 * COPY as usize;
const COPY: u8 = 16;
/// A record from before anybody listened.
const ANCIENT: u8 = 15;
/// The word that tells listeners to look again.
const LOOK: u8 = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Put,
    /// The record takes the slot, is announced, and leaves it.
    Destroy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer(&'static [Op]),
    Cleaner,
    /// Asks writers to announce, takes a cursor, and looks at the region.
    Subscriber,
    /// Kills the first at any moment, perhaps others as well, and recovers it.
    Recoverer(&'static [usize]),
}

/// The protocol or one of its controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Complete,
    /// Writers replace what is not announced.
    NoHelp,
    /// Cleaners move what is not announced.
    NoHelpBeforeMove,
    /// Helpers do not say that they help.
    SilentHelp,
    /// Writers ask whether they were helped before they read the tail.
    CheckTooEarly,
    /// Recovery announces without a look at the ring.
    NoScan,
    /// Writers decide whether they announce after the swap.
    DecideLate,
    /// Writers that decided not to announce do not look again.
    NoSecondLook,
}

/// What an intent says about the announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Says {
    Nothing,
    Event,
    /// If somebody listens by now, they have to look again.
    Late,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Intent {
    record: u8,
    from: u8,
    says: Says,
}

const NONE: Intent = Intent { record: 0, from: 0, says: Says::Nothing };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Next {
    /// The writer's or cleaner's own swap.
    Swap { old: u8, announces: bool },
    /// The announcement was the own one.
    Finish,
    /// It was that of the dead.
    Bury,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Begin,
    Name,
    Search,
    Decide { old: u8 },
    Find { record: u8, next: Next },
    SayHelped { record: u8, from: u8, next: Next },
    Scan { record: u8, from: u8, next: Next },
    Append { record: u8, tail: u8, next: Next },
    Mark { record: u8, next: Next },
    Swap { old: u8, announces: bool },
    SecondLook,
    ReadTail,
    AskHelped { tail: u8 },
    AppendOwn { tail: u8 },
    LeaveSlot,
    Clear,
    Kill { number: u8 },
    ReadIntent,
    Bury,
    Unlink,
    Free,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    step: Step,
    completed: u8,
    dead: bool,
    intent: Intent,
}

/// For the proof: a change that took place, and how long the ring was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Change {
    record: u8,
    announces: bool,
    at: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    slot: u8,
    wanted: bool,
    ring: Vec<u8>,
    announced: [bool; PLACES],
    helped: [bool; PLACES],
    processes: Vec<Process>,
    history: Vec<Change>,
    /// Cursor of the subscriber, and how many changes its look at the region came after.
    cursor: Option<u8>,
    looked: Option<u8>,
}

struct Key {
    roles: Vec<Role>,
    variant: Variant,
}

fn goal(role: Role) -> u8 {
    match role {
        Role::Writer(ops) => ops.len() as u8,
        _ => 1,
    }
}

fn first(role: Role) -> Step {
    match role {
        Role::Writer(_) => Step::Begin,
        Role::Cleaner => Step::Search,
        Role::Subscriber => Step::Begin,
        Role::Recoverer(_) => Step::Kill { number: 0 },
    }
}

impl Model for Key {
    type State = State;

    fn initial(&self) -> State {
        let process =
            |role: &Role| Process { step: first(*role), completed: 0, dead: false, intent: NONE };
        State {
            slot: ANCIENT,
            wanted: !self.roles.contains(&Role::Subscriber),
            ring: Vec::new(),
            announced: [false; PLACES],
            helped: [false; PLACES],
            processes: self.roles.iter().map(process).collect(),
            history: Vec::new(),
            cursor: None,
            looked: None,
        }
    }

    fn processes(&self) -> usize {
        self.roles.len()
    }

    fn completed(&self, state: &State, process: usize) -> usize {
        usize::from(state.processes[process].completed)
    }

    fn step(&self, state: &State, process: usize) -> Option<State> {
        let me = state.processes[process];
        if me.dead || me.completed >= goal(self.roles[process]) {
            return None;
        }
        let mut turn = Turn { state: state.clone(), me: process, key: self };
        let step = turn.take(me.step);
        turn.state.processes[process].step = step;
        Some(turn.state)
    }

    fn check(&mut self, state: &State) -> Result<(), &'static str> {
        let events: Vec<u8> = state.ring.iter().copied().filter(|&word| word != LOOK).collect();
        let place = |record: u8| state.history.iter().position(|change| change.record == record);
        let order: Option<Vec<usize>> = events.iter().map(|&record| place(record)).collect();
        let order = order.ok_or("announced before it took place")?;
        if order.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("announced twice");
        }
        if order.windows(2).any(|pair| pair[0] > pair[1]) {
            let mut sorted = order;
            sorted.sort_unstable();
            let twice = sorted.windows(2).any(|pair| pair[0] == pair[1]);
            return Err(if twice { "announced twice" } else { "announced in another order" });
        }
        if state.history.windows(2).any(|pair| pair[0].announces && !pair[1].announces) {
            return Err("a later change is not to be announced");
        }
        if self.is_over(state) { Self::check_end(state, &events) } else { Ok(()) }
    }
}

impl Key {
    fn is_over(&self, state: &State) -> bool {
        let over =
            |(process, role): (&Process, &Role)| process.dead || process.completed >= goal(*role);
        state.processes.iter().zip(&self.roles).all(over)
    }

    fn check_end(state: &State, events: &[u8]) -> Result<(), &'static str> {
        let missing = |change: &&Change| !events.contains(&change.record);
        if state.history.iter().filter(|change| change.announces).any(|change| missing(&change)) {
            return Err("never announced");
        }
        let (Some(cursor), Some(looked)) = (state.cursor, state.looked) else { return Ok(()) };
        let told = |change: &Change| {
            let behind = state.ring[usize::from(cursor)..].contains(&change.record);
            behind || state.ring[usize::from(cursor.max(change.at))..].contains(&LOOK)
        };
        if state.history[usize::from(looked)..].iter().all(told) {
            Ok(())
        } else {
            Err("the subscriber misses a change")
        }
    }
}

struct Turn<'k> {
    state: State,
    me: usize,
    key: &'k Key,
}

impl Turn<'_> {
    fn variant(&self) -> Variant {
        self.key.variant
    }

    fn intent(&mut self) -> &mut Intent {
        &mut self.state.processes[self.me].intent
    }

    fn tail(&self) -> u8 {
        self.state.ring.len() as u8
    }

    fn op(&self) -> Op {
        match self.key.roles[self.me] {
            Role::Writer(ops) => ops[usize::from(self.state.processes[self.me].completed)],
            _ => Op::Put,
        }
    }

    /// The record of the running operation.
    fn own(&self) -> u8 {
        1 + self.me as u8 * 4 + self.state.processes[self.me].completed
    }

    fn is_cleaner(&self) -> bool {
        self.key.roles[self.me] == Role::Cleaner
    }

    fn done(&mut self) -> Step {
        self.state.processes[self.me].completed += 1;
        first(self.key.roles[self.me])
    }

    fn take(&mut self, step: Step) -> Step {
        match self.key.roles[self.me] {
            Role::Subscriber => return self.subscribe(step),
            Role::Recoverer(dead) => {
                if let Some(next) = self.recover(step, dead) {
                    return next;
                }
            }
            _ => {}
        }
        match step {
            Step::Begin => {
                self.intent().from = self.tail();
                Step::Name
            }
            Step::Name => {
                let record = self.own();
                let from = self.intent().from;
                *self.intent() = Intent { record, from, says: Says::Nothing };
                Step::Search
            }
            Step::Search => self.search(),
            Step::Decide { old } => self.decide(old),
            Step::Swap { old, announces } => self.swap(old, announces),
            Step::SecondLook => {
                if self.state.wanted && self.variant() != Variant::NoSecondLook {
                    self.state.ring.push(LOOK);
                }
                Step::Clear
            }
            Step::ReadTail => Step::AskHelped { tail: self.tail() },
            Step::AskHelped { tail } => self.ask_helped(tail),
            Step::AppendOwn { tail } => self.append_own(tail),
            Step::LeaveSlot => {
                if self.state.slot == self.own() {
                    self.state.slot = 0;
                }
                Step::Clear
            }
            Step::Clear => {
                *self.intent() = NONE;
                self.done()
            }
            announcing => self.announce(announcing),
        }
    }

    fn search(&mut self) -> Step {
        let old = self.state.slot;
        if self.is_cleaner() {
            // Not what is no record, was moved before, or is about to leave the slot.
            let owner = (old.wrapping_sub(1) / 4, old.wrapping_sub(1) % 4);
            let role = self.key.roles.get(usize::from(owner.0));
            let destroys = |role: &Role| {
                matches!(role, Role::Writer(ops)
                    if ops.get(usize::from(owner.1)) == Some(&Op::Destroy))
            };
            if old == 0 || old >= COPY || role.is_some_and(destroys) {
                return self.done();
            }
        } else if old == 0 && self.op() == Op::Destroy {
            return Step::Clear;
        }
        Step::Decide { old }
    }

    fn decide(&mut self, old: u8) -> Step {
        let announces = self.state.wanted;
        if !self.is_cleaner() {
            self.intent().says = if announces { Says::Event } else { Says::Late };
        }
        let next = Next::Swap { old, announces };
        let helps = match self.variant() {
            Variant::NoHelp => false,
            Variant::NoHelpBeforeMove => !self.is_cleaner(),
            _ => true,
        };
        if helps && announces && old != 0 && !self.state.announced[usize::from(old)] {
            return Step::Find { record: old, next };
        }
        Step::Swap { old, announces }
    }

    fn swap(&mut self, old: u8, announces: bool) -> Step {
        if self.is_cleaner() {
            if self.state.slot == old {
                self.state.slot = old + COPY;
            }
            return self.done();
        }
        if self.state.slot != old {
            return Step::Search;
        }
        let record = self.own();
        let announces =
            if self.variant() == Variant::DecideLate { self.state.wanted } else { announces };
        let without_record = self.op() == Op::Destroy && !announces;
        self.state.slot = if without_record { 0 } else { record };
        let at = self.tail();
        self.state.history.push(Change { record, announces, at });
        if announces { Step::ReadTail } else { Step::SecondLook }
    }

    fn ask_helped(&mut self, tail: u8) -> Step {
        // The control reads the tail after the question, which is the other order.
        let tail = if self.variant() == Variant::CheckTooEarly { u8::MAX } else { tail };
        let record = self.own();
        if self.state.helped[usize::from(record)] {
            let from = self.intent().from;
            return Step::Scan { record, from, next: Next::Finish };
        }
        Step::AppendOwn { tail }
    }

    fn append_own(&mut self, tail: u8) -> Step {
        if tail != u8::MAX && tail != self.tail() {
            return Step::ReadTail;
        }
        let record = self.own();
        self.state.ring.push(record);
        Step::Mark { record, next: Next::Finish }
    }

    /// What helpers, recoverers and helped writers do alike.
    fn announce(&mut self, step: Step) -> Step {
        match step {
            Step::Find { record, next } => {
                let names = |process: &&Process| process.intent.record == record;
                match self.state.processes.iter().find(names).map(|process| process.intent) {
                    Some(Intent { says: Says::Event, from, .. }) => {
                        Step::SayHelped { record, from, next }
                    }
                    _ => self.go_on(next),
                }
            }
            Step::SayHelped { record, from, next } => {
                if self.variant() != Variant::SilentHelp {
                    self.state.helped[usize::from(record)] = true;
                }
                Step::Scan { record, from, next }
            }
            Step::Scan { record, from, next } => {
                let tail = self.tail();
                let skipped = self.variant() == Variant::NoScan && next == Next::Bury;
                if !skipped && self.state.ring[usize::from(from)..].contains(&record) {
                    return Step::Mark { record, next };
                }
                Step::Append { record, tail, next }
            }
            Step::Append { record, tail, next } => {
                if tail != self.tail() {
                    return Step::Scan { record, from: tail, next };
                }
                self.state.ring.push(record);
                Step::Mark { record, next }
            }
            Step::Mark { record, next } => {
                self.state.announced[usize::from(record)] = true;
                self.go_on(next)
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn go_on(&mut self, next: Next) -> Step {
        match next {
            Next::Swap { old, announces } => Step::Swap { old, announces },
            Next::Finish if self.op() == Op::Destroy => Step::LeaveSlot,
            Next::Finish => Step::Clear,
            Next::Bury => Step::Unlink,
        }
    }

    fn subscribe(&mut self, step: Step) -> Step {
        match step {
            Step::Begin => {
                self.state.wanted = true;
                Step::Search
            }
            Step::Search => {
                self.state.cursor = Some(self.tail());
                Step::ReadTail
            }
            _ => {
                self.state.looked = Some(self.state.history.len() as u8);
                self.done()
            }
        }
    }

    fn recover(&mut self, step: Step, dead: &[usize]) -> Option<Step> {
        let of = dead[0];
        let intent = self.state.processes[of].intent;
        Some(match step {
            Step::Kill { number } => {
                self.state.processes[dead[usize::from(number)]].dead = true;
                let number = number + 1;
                if usize::from(number) < dead.len() {
                    Step::Kill { number }
                } else {
                    Step::ReadIntent
                }
            }
            Step::ReadIntent if intent.record == 0 => self.done(),
            Step::ReadIntent => match intent.says {
                Says::Event if self.state.slot == intent.record => {
                    let Intent { record, from, .. } = intent;
                    Step::SayHelped { record, from, next: Next::Bury }
                }
                Says::Late => Step::Bury,
                _ => Step::Free,
            },
            Step::Bury => {
                if self.state.wanted {
                    self.state.ring.push(LOOK);
                }
                Step::Free
            }
            // A destroyed entry leaves the slot; another one stays.
            Step::Unlink => {
                let owner = self.key.roles[of];
                let number = usize::from((intent.record - 1) % 4);
                let destroys = matches!(owner, Role::Writer(ops) if ops[number] == Op::Destroy);
                if destroys && self.state.slot == intent.record {
                    self.state.slot = 0;
                }
                Step::Free
            }
            Step::Free => {
                self.state.processes[of].intent = NONE;
                self.done()
            }
            _ => return None,
        })
    }
}

const PUT: Role = Role::Writer(&[Op::Put]);
const TWO_PUTS: Role = Role::Writer(&[Op::Put, Op::Put]);
const DESTROY: Role = Role::Writer(&[Op::Destroy]);
const PUT_AND_DESTROY: Role = Role::Writer(&[Op::Put, Op::Destroy]);

fn holds(name: &str, roles: Vec<Role>) -> Explored {
    let explored = explore(&mut Key { roles, variant: Variant::Complete }, true)
        .unwrap_or_else(|violation| panic!("{name}: {violation:#?}"));
    println!("{name}: {} states, {} steps alone", explored.states, explored.solo_steps);
    assert!(explored.solo_steps <= 40, "{name}: a lone process needs {}", explored.solo_steps);
    explored
}

#[test]
fn three_writers() {
    holds("3 writers", vec![PUT, PUT, DESTROY]);
}

#[test]
fn two_writers_of_two_changes() {
    holds("2 writers of 2 changes", vec![TWO_PUTS, PUT_AND_DESTROY]);
}

#[test]
fn a_writer_dies_and_its_recoverer_too() {
    let roles = vec![PUT, PUT_AND_DESTROY, Role::Recoverer(&[0]), Role::Recoverer(&[0, 2])];
    holds("2 writers, 1 dies, 2 recoverers of which 1 dies", roles);
}

#[test]
fn who_destroys_dies() {
    holds("who destroys dies", vec![DESTROY, TWO_PUTS, Role::Recoverer(&[0])]);
}

#[test]
fn both_writers_die() {
    let roles = vec![PUT, DESTROY, Role::Recoverer(&[0]), Role::Recoverer(&[1])];
    holds("2 writers die", roles);
}

#[test]
fn a_cleaner_moves_what_is_written() {
    holds("2 writers, 1 cleaner, 1 dies", vec![PUT, PUT, Role::Cleaner, Role::Recoverer(&[0])]);
}

#[test]
fn the_first_subscriber_comes() {
    holds("2 writers, 1 subscriber", vec![PUT, PUT_AND_DESTROY, Role::Subscriber]);
}

#[test]
fn the_first_subscriber_comes_while_a_writer_dies() {
    let roles = vec![PUT, DESTROY, Role::Subscriber, Role::Recoverer(&[0])];
    holds("2 writers, 1 subscriber, 1 dies", roles);
}

#[test]
fn the_first_subscriber_comes_while_a_cleaner_moves() {
    let roles = vec![PUT, PUT, Role::Subscriber, Role::Cleaner];
    holds("2 writers, 1 subscriber, 1 cleaner", roles);
}

fn fails(roles: Vec<Role>, variant: Variant) -> Violation<State> {
    let violation =
        explore(&mut Key { roles, variant }, false).expect_err("the control must find a violation");
    let Violation { what, states, state } = &violation;
    println!("{variant:?}: {what} after {states} states: {state:?}");
    violation
}

/// The order that the ring had before: each writer announces its own change when it gets to it.
#[test]
fn control_without_help_has_another_order() {
    let violation = fails(vec![PUT, PUT], Variant::NoHelp);
    assert_eq!(violation.what, "announced in another order");
}

/// The writer dies, and its record is replaced before recovery finds it in the index.
#[test]
fn control_without_help_loses_the_change_of_the_dead() {
    let roles = vec![PUT, TWO_PUTS, Role::Recoverer(&[0])];
    let mut model = Key { roles, variant: Variant::NoHelp };
    assert!(explore(&mut model, false).is_err());
}

#[test]
fn control_with_a_cleaner_that_does_not_help() {
    let what = fails(vec![PUT, PUT, Role::Cleaner], Variant::NoHelpBeforeMove).what;
    assert_eq!(what, "announced in another order");
}

#[test]
fn control_with_silent_help_announces_twice() {
    assert_eq!(fails(vec![PUT, PUT], Variant::SilentHelp).what, "announced twice");
}

#[test]
fn control_with_an_early_question_announces_twice() {
    assert_eq!(fails(vec![PUT, PUT], Variant::CheckTooEarly).what, "announced twice");
}

/// The writer, or a recoverer before, died between the announcement and the mark.
#[test]
fn control_without_a_scan_announces_twice() {
    let what = fails(vec![PUT, Role::Recoverer(&[0])], Variant::NoScan).what;
    assert_eq!(what, "announced twice");
}

/// One that decides after the swap did not help before it.
#[test]
fn control_that_decides_late_has_another_order() {
    let roles = vec![PUT, PUT, Role::Subscriber];
    assert_eq!(fails(roles, Variant::DecideLate).what, "announced in another order");
}

#[test]
fn control_without_a_second_look_misses_a_change() {
    let roles = vec![PUT, Role::Subscriber];
    assert_eq!(fails(roles, Variant::NoSecondLook).what, "the subscriber misses a change");
}
