//! Processes that use a few keys at the same time and write down what they saw, in rounds.
//!
//! A round is asked for with a line `REGION SEED OPERATIONS` on standard input. Before each
//! operation the process prints `call OPERATION KEY ARGUMENT TIME`, after it
//! `return RESULT BEGIN END`, and `end` after the last one. Times are those of the monotonic clock,
//! which is the same for all processes. Between its operations it fills the table and the log with
//! entries of its own, so that both have to make room.

use super::oracle::encode;
use nix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;
use std::io::{BufRead, Write};
use std::path::Path;
use vug::{Error, MaintainOptions, Node, PutIfAbsent, Region, Swap, Token};

/// Keys of a round.
const KEYS: u64 = 2;
/// Keys that each process overwrites between the operations.
const BALLAST: u64 = 12;

fn spread(value: u64) -> u64 {
    let mixed = (value ^ (value >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 32)) >> 12
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// Answers rounds until its standard input ends. A `liar` remembers what it read first: the
/// control that must be found out.
pub(super) fn run(home: &Path, place: u64, liar: bool) {
    let node = Node::open(home).expect("open");
    let mut player = Player {
        node,
        region: None,
        place,
        written: 0,
        random: place.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        said: String::new(),
        first_read: liar.then_some(None),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("text");
        let words: Vec<&str> = line.split(' ').collect();
        let [region, seed, operations] = words.as_slice() else { panic!("no round: {line}") };
        player.random ^= seed.parse::<u64>().expect("a number").wrapping_mul(0x2545_f491_4f6c_dd1d);
        player.round(region, seed, operations.parse().expect("a number"));
    }
}

struct Player {
    node: Node,
    region: Option<Region>,
    place: u64,
    /// Values are never written twice.
    written: u64,
    random: u64,
    said: String,
    first_read: Option<Option<(u64, Token)>>,
}

impl Player {
    fn random(&mut self, below: u64) -> u64 {
        self.random |= 1;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    fn flush(&mut self) {
        // One system call: the line of a killed process is whole.
        std::io::stdout().lock().write_all(self.said.as_bytes()).expect("the test listens");
        self.said.clear();
    }

    fn round(&mut self, name: &str, round: &str, operations: u64) {
        if self.region.as_ref().is_none_or(|region| region.name() != name) {
            self.region = None;
            self.region = Some(self.node.region(name).open().expect("open"));
        }
        let region = self.region.clone().expect("just opened");
        let mut seen = [None; KEYS as usize];
        if let Some(lie) = &mut self.first_read {
            *lie = None;
        }
        for _ in 0..operations {
            let key = self.random(KEYS);
            self.operation(&region, round, key, &mut seen[key as usize]);
            self.make_noise(&region);
        }
        self.said.push_str("end\n");
        self.flush();
    }

    /// One operation; `seen` is what this process last read of the key.
    fn operation(
        &mut self,
        region: &Region,
        round: &str,
        number: u64,
        seen: &mut Option<(u64, Token)>,
    ) {
        let name = format!("round-{round}-{number}");
        let key = name.as_bytes();
        self.written += 1;
        let value = self.place << 32 | self.written;
        let choice = self.random(20);
        let expected = seen.map_or(0, |(value, _)| value);
        let (operation, argument) = match choice {
            0..3 => ("put", value),
            3..5 => ("create", value),
            5 => ("replace", value),
            6..8 if seen.is_some() => ("swap", value),
            8..11 => ("remove", 0),
            11 | 12 if seen.is_some() => ("take", 0),
            // Of a number that no other two sums have, so that no value comes twice.
            13..16 if number == 1 => ("add", spread(value)),
            _ => ("get", 0),
        };
        writeln!(self.said, "call {operation} {number} {argument} {expected} {}", now())
            .expect("a string");
        self.flush();
        // Those of key 1 are counters.
        let words = if number == 1 { 1 } else { 1 + self.random(20) };
        let bytes = encode(value, 8 * words as usize);
        let begin = now();
        let result = match (operation, *seen) {
            ("put", _) => region.put(key, &bytes).map(|_| 1),
            ("create", _) if value.is_multiple_of(2) => {
                let made = region.put_if_absent(key, &bytes);
                made.map(|made| u64::from(matches!(made, PutIfAbsent::Created(_))))
            }
            ("take", Some((_, token))) => {
                let taken = region.remove_if(key, token);
                taken.map(|swap| u64::from(matches!(swap, Swap::Swapped(_))))
            }
            ("add", _) => region.increment(key, argument as i64).map(|sum| sum as u64),
            ("create", _) => match region.create(key, &bytes) {
                Err(Error::EntryExists { .. }) => Ok(0),
                other => other.map(|_| 1),
            },
            ("replace", _) => region.replace(key, &bytes).map(|done| u64::from(done.is_some())),
            ("swap", Some((_, token))) => {
                let swapped = region.compare_and_swap(key, token, &bytes);
                swapped.map(|swap| u64::from(matches!(swap, Swap::Swapped(_))))
            }
            ("remove", _) => region.remove(key).map(|done| u64::from(done.is_some())),
            _ => region.get(key).map(|found| {
                *seen = found.map(|guard| {
                    let word = guard[..8].try_into().expect("eight bytes");
                    (u64::from_le_bytes(word), guard.token())
                });
                seen.map_or(0, |(value, _)| value)
            }),
        };
        let end = now();
        let mut result = match result {
            Ok(number) => number.to_string(),
            Err(Error::OutOfSpace { .. }) => "full".to_owned(),
            Err(error) => panic!("{operation}: {error}"),
        };
        if let (Some(lie), "get") = (&mut self.first_read, operation) {
            *lie = lie.or(*seen);
            result = lie.map_or(0, |(value, _)| value).to_string();
        }
        writeln!(self.said, "return {result} {begin} {end}").expect("a string");
    }

    /// Entries that come, grow, and go.
    fn make_noise(&mut self, region: &Region) {
        let n = self.random(1 << 30);
        let quiet = |result: vug::Result<_>| match result {
            Ok(_) | Err(Error::OutOfSpace { .. }) => {}
            Err(error) => panic!("noise: {error}"),
        };
        let ballast = format!("ballast-{}-{}", self.place % 8, n % BALLAST);
        if n.is_multiple_of(64) {
            region.maintain(&MaintainOptions::default()).expect("maintain");
        }
        quiet(region.put(ballast.as_bytes(), &encode(n, 8 + n as usize % 2000)));
        for n in n..n + 6 {
            quiet(region.put(format!("crowd-{}", n % 20_000).as_bytes(), b"12345678"));
        }
    }
}
