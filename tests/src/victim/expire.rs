//! Processes that write entries which expire, and sweep them.

use super::oracle::{decode, encode};
use super::script::LOCAL;
use std::path::Path;
use std::time::Duration;
use vug::{Error, Node, Region, WriteOptions};

/// Entries that a sweep looks at.
pub const BUDGET: usize = 100;

fn open(home: &Path) -> Region {
    Node::open(home).and_then(|node| node.region(LOCAL).open()).expect("open")
}

/// One sweep, told to who counts.
fn sweep(region: &Region) {
    let swept = region.sweep(BUDGET).expect("sweep");
    println!("expired {}", swept.expired);
}

/// Sweeps until nothing is left.
pub(super) fn sweeper(home: &Path) {
    let region = open(home);
    while region.len().expect("len") > 0 {
        sweep(&region);
    }
}

/// Writes entries that live for a few milliseconds, reads, sweeps, until it is killed.
pub(super) fn mortal(home: &Path, first: u64) {
    let region = open(home);
    let mut random = first.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for tag in first.. {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = format!("mortal-{}", (random >> 20) % 300).into_bytes();
        let value = encode(tag, 8 + (random >> 40) as usize % 1200);
        let life = WriteOptions::ttl(Duration::from_millis(1 + (random >> 50) % 8));
        match random >> 61 {
            0 => drop(region.remove(&key).expect("remove")),
            1 => match region.create(&key, &value) {
                Ok(_) | Err(Error::EntryExists { .. }) => {}
                Err(error) => panic!("create: {error}"),
            },
            _ => drop(region.put_with(&key, &value, &life).expect("put")),
        }
        if let Some(found) = region.get(&key).expect("get") {
            decode(&found);
        }
        if random.is_multiple_of(32) {
            sweep(&region);
        }
    }
}
