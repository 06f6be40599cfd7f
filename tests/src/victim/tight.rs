//! Overwriting at random in a region with little room to spare: all who write have to clean.

use super::oracle::encode;
use std::io::Read;
use std::path::Path;
use vug::{Node, Region};

/// The region.
pub const TIGHT: &str = "tight";
/// Bytes of a value.
const VALUE: usize = 400;

/// Makes a region of so many segments of 64 KiB and fills this part of it, in hundredths, with
/// entries; their number.
///
/// # Panics
/// When that fails.
pub fn fill(node: &Node, segments: u64, live: u64) -> (Region, u64) {
    let bytes = segments * (64 << 10);
    let region = node.region(TIGHT).max_bytes(bytes).segment_bytes(64 << 10);
    let region = region.create().expect("a new region");
    let mut entries = 0;
    loop {
        let statistics = region.statistics();
        let index = u64::from(statistics.segments_index) * statistics.segment_bytes;
        if statistics.live_bytes >= (bytes - index) * live / 100 {
            return (region, entries);
        }
        for _ in 0..20 {
            region.put(&key(entries), &encode(entries, VALUE)).expect("put");
            entries += 1;
        }
    }
}

/// Gives `count` of the entries another value, drawn by `seed`.
///
/// # Panics
/// When a write fails.
pub fn rewrite(region: &Region, entries: u64, seed: u64, count: u64) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for n in 0..count {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = key((random >> 20) % entries);
        if let Err(error) = region.put(&key, &encode(n, VALUE)) {
            panic!("write {n} of {count}: {error} {:?}", region.statistics());
        }
    }
}

fn key(n: u64) -> Vec<u8> {
    format!("tight-{n:06}").into_bytes()
}

/// Attaches, says so, and overwrites in so many threads when its standard input says a byte or
/// ends.
pub(super) fn run(home: &Path, seed: u64, count: u64, threads: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(TIGHT).open().expect("open");
    let entries = region.len().expect("len");
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    std::thread::scope(|scope| {
        for thread in 1..threads {
            let region = &region;
            scope.spawn(move || rewrite(region, entries, seed * 100 + thread, count));
        }
        rewrite(&region, entries, seed, count);
    });
}
