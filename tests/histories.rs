//! Two to eight processes use the same few keys in short rounds while some of them are killed, at
//! random and at crash points of the library. Stateright's tester must find, for each key of each
//! round, an order of all operations that a plain register explains. What a killed process had
//! begun may have taken place or not, at any later time.
//!
//! Keys are deleted and made again all the time, and what else is in the region keeps the index
//! growing and the log being cleaned. `VUG_ROUNDS` = how many rounds.

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use vug::Region;
use vug_tests::damage::Random;
use vug_tests::victim::Nursery;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
/// Rounds in one region; then a new one, whose index is small.
const ROUNDS_OF_A_REGION: u64 = 40;

/// What one key may do.
#[derive(Debug, Clone, Default)]
struct Register(Option<u64>);

#[derive(Debug, Clone, PartialEq)]
enum Operation {
    Get,
    Put(u64),
    Create(u64),
    Replace(u64),
    Swap { expected: u64, new: u64 },
    Remove,
    Take { expected: u64 },
    Add(u64),
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    /// The value read; 0 is none.
    Value(u64),
    Done(bool),
    /// There was no memory, so nothing was done.
    Full,
}

impl SequentialSpec for Register {
    type Op = Operation;
    type Ret = Answer;

    fn invoke(&mut self, operation: &Operation) -> Answer {
        let before = self.0;
        let (done, after) = match *operation {
            Operation::Get => return Answer::Value(before.unwrap_or(0)),
            Operation::Put(value) => (true, Some(value)),
            Operation::Create(value) => (before.is_none(), Some(value)),
            Operation::Replace(value) => (before.is_some(), Some(value)),
            Operation::Swap { expected, new } => (before == Some(expected), Some(new)),
            Operation::Remove => (before.is_some(), None),
            Operation::Take { expected } => (before == Some(expected), None),
            Operation::Add(delta) => {
                let sum = before.unwrap_or(0) + delta;
                self.0 = Some(sum);
                return Answer::Value(sum);
            }
        };
        if done {
            self.0 = after;
        }
        Answer::Done(done)
    }

    fn is_valid_step(&mut self, operation: &Operation, answer: &Answer) -> bool {
        *answer == Answer::Full || self.invoke(operation) == *answer
    }
}

/// The begin or the end of an operation.
#[derive(Debug, Clone)]
enum Happening {
    Call(Operation),
    Return(Answer),
}

/// All that happened to each key, in the order of time; calls before returns.
#[derive(Debug, Default)]
struct History {
    keys: BTreeMap<u64, Vec<(u64, bool, u64, Happening)>>,
    operations: usize,
}

impl History {
    /// Takes in what the process number `who` printed.
    fn hear(&mut self, who: u64, said: &str) {
        let mut open = None;
        for line in said.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["call", operation, rest @ ..] => {
                    let rest: Vec<u64> = rest.iter().map(|n| n.parse().expect("number")).collect();
                    let [key, new, expected, time] = rest[..] else { panic!("no call: {line}") };
                    let operation = match *operation {
                        "get" => Operation::Get,
                        "put" => Operation::Put(new),
                        "create" => Operation::Create(new),
                        "replace" => Operation::Replace(new),
                        "swap" => Operation::Swap { expected, new },
                        "remove" => Operation::Remove,
                        "take" => Operation::Take { expected },
                        "add" => Operation::Add(new),
                        other => panic!("no operation: {other}"),
                    };
                    open = Some((key, operation, time));
                }
                ["return", answer, begin, end] => {
                    let (key, operation, _) = open.take().expect("a call comes first");
                    let answer = match (*answer, &operation) {
                        ("full", _) => Answer::Full,
                        (value, Operation::Get | Operation::Add(_)) => {
                            Answer::Value(value.parse().expect("a value"))
                        }
                        (done, _) => Answer::Done(done == "1"),
                    };
                    let [begin, end] = [begin, end].map(|time| time.parse().expect("a time"));
                    let happened = self.keys.entry(key).or_default();
                    happened.push((begin, false, who, Happening::Call(operation)));
                    happened.push((end, true, who, Happening::Return(answer)));
                    self.operations += 1;
                }
                ["end"] => {}
                _ => panic!("no history: {line}"),
            }
        }
        // Killed within it, or between it and its report.
        if let Some((key, operation, time)) = open {
            let call = Happening::Call(operation);
            self.keys.entry(key).or_default().push((time, false, who, call));
            self.operations += 1;
        }
    }

    /// Keys whose history no order explains.
    fn broken(mut self) -> Vec<String> {
        let mut found = Vec::new();
        for (key, happened) in &mut self.keys {
            happened.sort_by_key(|(time, is_return, ..)| (*time, *is_return));
            let mut tester = LinearizabilityTester::new(Register::default());
            for (_, _, who, happening) in happened.iter().cloned() {
                let valid = match happening {
                    Happening::Call(operation) => tester.on_invoke(who, operation).map(|_| ()),
                    Happening::Return(answer) => tester.on_return(who, answer).map(|_| ()),
                };
                valid.expect("one operation of a process at a time");
            }
            if !tester.is_consistent() {
                found.push(format!("key {key}: {happened:#?}"));
            }
        }
        found
    }
}

/// One process; a new number for each, because the last operation of a killed one stays open.
struct Player {
    number: u64,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    killed: bool,
}

impl Player {
    fn start(nursery: &Nursery, number: u64, points: &[String], random: &mut Random) -> Player {
        let mut command = nursery.command("contend", &[&number.to_string()]);
        if random.below(4) != 0 {
            let at = &points[random.below(points.len())];
            let about = 1 << random.below(9);
            let pass = 1 + random.below(about);
            command.env("VUG_CRASH_AT", format!("{at}:{pass}"));
        }
        Player::of(number, command)
    }

    fn of(number: u64, mut command: std::process::Command) -> Player {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the victim starts");
        let requests = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Player { number, child, requests, answers, killed: false }
    }

    fn ask(&mut self, region: &str, round: u64, operations: usize) {
        // Who died on the way here does not hear it.
        let _ = writeln!(self.requests, "{region} {round} {operations}");
    }

    /// What it says of the round, and whether it lives.
    fn listen(&mut self) -> (String, bool) {
        let mut said = String::new();
        loop {
            let start = said.len();
            if self.answers.read_line(&mut said).expect("text") == 0 {
                return (said, false);
            }
            if &said[start..] == "end\n" {
                return (said, true);
            }
        }
    }

    fn kill(&mut self) {
        self.killed = true;
        // It may have died already, at a crash point.
        let _ = self.child.kill();
    }

    fn end(mut self) {
        use std::os::unix::process::ExitStatusExt;
        self.kill();
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(nix::libc::SIGKILL), "a process failed");
    }
}

/// Names of the crash points that writers pass.
fn points(nursery: &Nursery) -> Vec<String> {
    let list = nursery.path().join("points");
    let mut command = nursery.command("script", &[]);
    let output = command.env("VUG_CRASH_LIST", &list).output().expect("start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&list).expect("a list");
    text.lines().map(str::to_owned).collect()
}

fn region(nursery: &Nursery, name: &str) -> Region {
    let node = nursery.node();
    node.region(name).max_bytes(4 << 20).segment_bytes(64 << 10).create().expect("a new region")
}

#[test]
fn case_10_an_order_explains_every_round() {
    let rounds = std::env::var("VUG_ROUNDS").map_or(300, |text| text.parse().expect("a number"));
    let nursery = Nursery::new(VICTIM);
    let points = points(&nursery);
    let mut random = Random(std::env::var("VUG_SEED").map_or(1, |s| s.parse().expect("a seed")));
    let (mut next, mut operations, mut deaths) = (0, 0, 0);
    let mut players: Vec<Player> = Vec::new();
    let mut current = None;
    for round in 0..rounds {
        let name = format!("arena-{}", round / ROUNDS_OF_A_REGION);
        if round % ROUNDS_OF_A_REGION == 0 {
            let made = region(&nursery, &name);
            if let Some(before) = current.replace(made) {
                settle(&nursery, &before);
            }
        }
        let wanted = 2 + random.below(7);
        while players.len() < wanted {
            next += 1;
            players.push(Player::start(&nursery, next, &points, &mut random));
        }
        players.drain(wanted..).for_each(Player::end);
        let count = 4 + random.below(48 / wanted);
        players.iter_mut().for_each(|player| player.ask(&name, round, count));
        if random.below(3) == 0 {
            for _ in 0..random.below(60_000) {
                std::hint::spin_loop();
            }
            players[random.below(wanted)].kill();
        }
        let mut history = History::default();
        let mut living = Vec::new();
        for mut player in players {
            let (said, lives) = player.listen();
            history.hear(player.number, &said);
            if lives && !player.killed {
                living.push(player);
            } else {
                deaths += 1;
                player.end();
            }
        }
        players = living;
        operations += history.operations;
        let broken = history.broken();
        assert!(broken.is_empty(), "round {round}: {}", broken.join("\n"));
    }
    players.into_iter().for_each(Player::end);
    settle(&nursery, &current.expect("a region"));
    println!("{rounds} rounds, {operations} operations, {deaths} deaths: an order explains each");
}

/// What the dead left is mended, and nothing is wrong.
fn settle(nursery: &Nursery, region: &Region) {
    nursery.node().recover().expect("recover");
    vug_tests::assert_clean(region.path());
    nursery.node().remove_region(region.name()).expect("remove");
}

/// A process that reports what it read first, whenever it reads.
#[test]
fn a_liar_is_found_out() {
    let nursery = Nursery::new(VICTIM);
    let _region = region(&nursery, "arena");
    let command = |number: u64, role: &[&str]| {
        let number = number.to_string();
        nursery.command("contend", &[&[number.as_str()], role].concat())
    };
    let mut players = vec![Player::of(1, command(1, &["liar"])), Player::of(2, command(2, &[]))];
    let mut found = false;
    for round in 0..50 {
        players.iter_mut().for_each(|player| player.ask("arena", round, 16));
        let mut history = History::default();
        for player in &mut players {
            let (said, lives) = player.listen();
            assert!(lives);
            history.hear(player.number, &said);
        }
        found |= !history.broken().is_empty();
    }
    players.into_iter().for_each(Player::end);
    assert!(found);
}

fn is_broken(reports: &[&str]) -> bool {
    let mut history = History::default();
    for (who, said) in (1..).zip(reports) {
        history.hear(who, said);
    }
    !history.broken().is_empty()
}

#[test]
fn a_miss_needs_an_instant_without_the_key() {
    let writer = "call put 0 7 0 1\nreturn 1 10 20\ncall put 0 8 0 21\nreturn 1 30 40";
    assert!(is_broken(&[writer, "call get 0 0 0 25\nreturn 0 25 50"]));
    assert!(!is_broken(&[writer, "call get 0 0 0 5\nreturn 0 5 50"]));
    let writer = "call put 0 7 0 1\nreturn 1 10 20\ncall remove 0 0 0 21\nreturn 1 30 40";
    assert!(!is_broken(&[writer, "call get 0 0 0 25\nreturn 0 25 50"]));
}

#[test]
fn what_a_killed_process_began_may_take_place_or_not() {
    let killed = "call put 0 7 0 10";
    let read = |value| format!("call get 0 0 0 20\nreturn {value} 20 30");
    assert!(!is_broken(&[killed, &read(0)]));
    assert!(!is_broken(&[killed, &read(7)]));
    assert!(is_broken(&[killed, &read(8)]));
    // Taken place, and undone again.
    let both = "call get 0 0 0 20\nreturn 7 20 30\ncall get 0 0 0 40\nreturn 0 40 50";
    assert!(is_broken(&[killed, both]));
}

#[test]
fn nothing_is_made_or_swapped_twice() {
    let create = |value| format!("call create 0 {value} 0 10\nreturn 1 10 30");
    assert!(is_broken(&[&create(1), &create(2)]));
    let put = "call put 0 5 0 1\nreturn 1 1 2";
    let swap = |value| format!("call swap 0 {value} 5 10\nreturn 1 10 30");
    assert!(is_broken(&[put, &swap(1), &swap(2)]));
    assert!(!is_broken(&[put, &swap(1)]));
}
