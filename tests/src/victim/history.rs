//! Histories of a few keys that several processes use at the same time, and whether there is an
//! order of the operations that explains them.
//!
//! Each operation is printed with the times of its begin and end. Versions grow with every change
//! of a key, so they are the order to be tested: a history is linearizable in the order of its
//! versions exactly if no operation that began after the end of another has a lower version (or,
//! being a write, the same one), and no read ended before the write it read from began. A read that
//! found nothing has no version: it is only tested that it may have come after some destroy.

use super::oracle::{decode, encode};
use super::script::LOCAL;
use nix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::path::Path;
use vug::Node;

/// Keys of the history.
pub const KEYS: u64 = 3;

fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// Reads, writes and destroys until it is killed. Tags are unique: they count from `start` on.
pub(super) fn record(home: &Path, start: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(LOCAL).open().expect("open");
    let mut random = start.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for tag in start.. {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let number = (random >> 20) % KEYS;
        let key = format!("register-{number}");
        let key = key.as_bytes();
        match random >> 61 {
            0..3 => {
                println!("put {number} {tag} {}", now());
                let outcome = region.put(key, &encode(tag, 40)).expect("put");
                println!("done {} {}", outcome.token.version, now());
            }
            3 => {
                println!("destroy {number} {tag} {}", now());
                let outcome = region.remove(key).expect("remove");
                let version = outcome.map_or(0, |outcome| outcome.token.version);
                println!("done {version} {}", now());
            }
            _ => {
                let begin = now();
                let entry = region.get(key).expect("get");
                let end = now();
                let found = entry.map_or((0, 0), |e| (e.token().version, decode(&e)));
                println!("get {number} {} {} {begin} {end}", found.0, found.1);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Operation {
    begin: u64,
    end: u64,
    version: u64,
    /// Of the value that was read or written; 0 = none.
    tag: u64,
    is_write: bool,
}

/// What several processes did to one key.
#[derive(Debug, Default)]
struct Register {
    done: Vec<Operation>,
    /// When the put of a tag began, and its version if it ended.
    puts: HashMap<u64, (u64, Option<u64>)>,
    /// Versions of destroys, and when they began.
    destroys: Vec<(u64, u64)>,
    /// A destroy whose process died: nobody knows its version.
    is_destroy_open: bool,
}

/// The operations of all processes.
#[derive(Debug)]
pub struct History {
    registers: Vec<Register>,
}

impl Default for History {
    fn default() -> History {
        History { registers: (0..KEYS).map(|_| Register::default()).collect() }
    }
}

impl History {
    /// Takes in all that one process printed. Returns the number of operations.
    ///
    /// # Panics
    /// When it is not a history.
    pub fn hear(&mut self, said: &str) -> usize {
        let mut open: Option<(bool, usize, u64, u64)> = None;
        let mut count = 0;
        for line in said.lines() {
            let (name, numbers) = line.split_once(' ').expect("words");
            let numbers: Vec<u64> =
                numbers.split(' ').map(|word| word.parse().expect("a number")).collect();
            match (name, numbers.as_slice()) {
                ("put" | "destroy", &[key, tag, begin]) => {
                    open = Some((name == "put", key as usize, tag, begin));
                }
                ("done", &[version, end]) => {
                    let (put, key, tag, begin) = open.take().expect("an operation");
                    self.registers[key].finish(
                        put,
                        tag,
                        Operation {
                            begin,
                            end,
                            version,
                            tag: if put { tag } else { 0 },
                            is_write: put || version > 0,
                        },
                    );
                    count += 1;
                }
                ("get", &[key, version, tag, begin, end]) => {
                    let read = Operation { begin, end, version, tag, is_write: false };
                    self.registers[key as usize].done.push(read);
                    count += 1;
                }
                _ => panic!("not a history: {line}"),
            }
        }
        match open {
            Some((true, key, tag, begin)) => {
                self.registers[key].puts.insert(tag, (begin, None));
            }
            Some((false, key, ..)) => self.registers[key].is_destroy_open = true,
            None => {}
        }
        count
    }

    /// Looks for an operation that no order explains.
    ///
    /// # Panics
    /// When there is one.
    pub fn verify(mut self) {
        self.registers.iter_mut().for_each(Register::verify);
    }
}

impl Register {
    fn finish(&mut self, put: bool, tag: u64, operation: Operation) {
        if put {
            self.puts.insert(tag, (operation.begin, Some(operation.version)));
        } else if operation.is_write {
            self.destroys.push((operation.version, operation.begin));
        }
        self.done.push(operation);
    }

    fn verify(&mut self) {
        self.destroys.sort_unstable();
        self.done.sort_unstable_by_key(|operation| operation.begin);
        let mut by_end = self.done.clone();
        by_end.sort_unstable_by_key(|operation| operation.end);
        let mut ended = by_end.iter().peekable();
        // Highest version that an operation saw or made that ended before the current one began.
        let mut reached = 0;
        for operation in &self.done {
            while let Some(earlier) = ended.next_if(|earlier| earlier.end < operation.begin) {
                reached = reached.max(earlier.version);
            }
            if operation.version == 0 {
                // Absent: never written, or destroyed since.
                let gone =
                    |&(version, begin): &(u64, u64)| version >= reached && begin <= operation.end;
                let explained =
                    reached == 0 || self.is_destroy_open || self.destroys.iter().any(gone);
                assert!(explained, "absent after version {reached}: {operation:?}");
                continue;
            }
            let grows = operation.version > reached
                || (operation.version == reached && !operation.is_write);
            assert!(grows, "version {reached} had been reached: {operation:?}");
            if operation.tag != 0 {
                let (begin, version) = self.puts[&operation.tag];
                assert!(begin <= operation.end, "read before it was written: {operation:?}");
                assert!(version.is_none_or(|version| version == operation.version));
            }
        }
    }
}
