//! A worker that fills a region with keys of its own in an order that tells how far it came.
//!
//! Key `n` is inserted after key `n - 1`; then key `n - LAG` is destroyed if `n - LAG` is a
//! multiple of `HOLES`. So whatever moment a worker is killed at, the keys that are there say
//! which moment it was, but for one operation.

use std::io::Write;
use std::path::Path;

use vug::{Node, Region};

/// Name of the region.
pub const GROWN: &str = "grown";
/// Every so manieth key is destroyed ...
pub const HOLES: u64 = 5;
/// ... this many keys later.
pub const LAG: u64 = 100;
/// Keys after which a worker says how far it is.
const REPORT: u64 = 500;

/// Key `n` of a worker.
pub fn key(slot: u64, n: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&slot.to_be_bytes());
    key[8..].copy_from_slice(&n.to_be_bytes());
    key
}

/// Worker and number of a key.
///
/// # Panics
/// When it is none of a worker.
pub fn parse(key: &[u8]) -> (u64, u64) {
    let half = |at: usize| u64::from_be_bytes(key[at..at + 8].try_into().expect("eight bytes"));
    assert_eq!(key.len(), 16);
    (half(0), half(8))
}

/// Whether key `n` is there once the worker has come to key `last`; `None` while it destroys it.
pub fn is_there(n: u64, last: u64) -> Option<bool> {
    if n > last {
        return Some(false);
    }
    match n + LAG {
        due if !n.is_multiple_of(HOLES) || due > last => Some(true),
        due if due == last => None,
        _ => Some(false),
    }
}

fn destroy_due(region: &Region, slot: u64, n: u64) {
    if let Some(old) = n.checked_sub(LAG).filter(|old| old.is_multiple_of(HOLES)) {
        region.remove(&key(slot, old)).expect("remove");
    }
}

/// Works until it is killed or has inserted key `end - 1`. The key before `first` is there.
pub(super) fn run(home: &Path, slot: u64, first: u64, end: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(GROWN).open().expect("open");
    let mut random = (slot << 32 | first).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    if let Some(last) = first.checked_sub(1) {
        destroy_due(&region, slot, last);
    }
    for n in first..end {
        let mine = key(slot, n);
        region.create(&mine, &n.to_le_bytes()).expect("create");
        destroy_due(&region, slot, n);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Replaced with the same value, read, and looked for: any key of this worker.
        let old = (random >> 20) % (n + 1);
        let value = region.get(&key(slot, old)).expect("get");
        let value = value.map(|value| u64::from_le_bytes((*value).try_into().expect("a number")));
        let there = is_there(old, n).unwrap_or(false);
        assert_eq!(value, there.then_some(old), "key {old} of worker {slot} at {n}");
        if random >> 62 == 0 && there {
            region.replace(&key(slot, old), &old.to_le_bytes()).expect("replace").expect("there");
        }
        if n.is_multiple_of(REPORT) {
            writeln!(std::io::stdout(), "{n}").expect("a pipe");
        }
    }
}
