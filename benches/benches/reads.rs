//! The ways to read an entry, beside papaya: `cargo bench -p vug-bench --bench reads`.
//!
//! Short slices of all of them are interleaved, and the table gives the fastest and the median
//! slice: on a machine with other work the fastest is what the code takes, and the ratio of two
//! columns of one line means something.

use std::hint::black_box;
use std::time::Instant;

use vug::EntryView;
use vug_bench::{Distribution, InProcess, KEY_LEN, Load, Shared, Store, key, sequence};

/// Reads the entries of these numbers.
type Way<'a> = Box<dyn FnMut(&[u32]) + 'a>;

/// Reads in a slice.
const SLICE: usize = 20_000;

fn main() {
    let mut slices = 60;
    let mut sizes = vec![1_000, 100_000, 2_000_000];
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some(("--slices", n)) => slices = n.parse().expect("a number of slices"),
            Some(("--entries", n)) => sizes = vec![n.parse().expect("a number of entries")],
            _ => {}
        }
    }
    println!("{:<14} {:<10} {:>9} {:>9}", "entries", "way", "fastest", "median");
    for entries in sizes {
        let load = Load { entries, value_len: 64 };
        if load.fits() {
            compare(load, slices);
        }
    }
    println!("nanoseconds per read");
}

fn compare(load: Load, slices: usize) {
    let shared = Shared::create(load);
    shared.fill(load).expect("room for the load");
    let map = InProcess::default();
    map.fill(load).expect("room for the load");
    let order = sequence(Distribution::Uniform, load.entries, 1);
    let mut value = vec![0; load.value_len];
    let mut many = vec![0; load.value_len];
    let mut copied = Vec::new();
    let region = shared.region();
    let mut ways: Vec<(&str, Way<'_>)> = vec![
        ("papaya", each(|n| map.get(n, &mut value))),
        ("get", {
            let mut value = vec![0; load.value_len];
            let shared = &shared;
            each(move |n| shared.get(n, &mut value))
        }),
        ("get_into", each(|n| region.get_into(&key(n), &mut copied).expect("get").is_some())),
        (
            "get_many",
            Box::new(|part| {
                let mut keys = [[0; KEY_LEN]; 16];
                for part in part.chunks_exact(16) {
                    for (key, &n) in keys.iter_mut().zip(part) {
                        *key = vug_bench::key(n);
                    }
                    let copy = |_, entry: Option<EntryView<'_>>| {
                        many.copy_from_slice(entry.expect("all keys are there").value);
                        black_box(&mut many);
                    };
                    region.get_many(&keys, copy).expect("get");
                }
            }),
        ),
        ("handle", {
            let count = load.entries.min(1000);
            let handle = |n| region.handle(&key(n)).expect("handle");
            let handles: Vec<vug::Handle> = (0..count).map(handle).collect();
            let mut value = vec![0; load.value_len];
            each(move |n| {
                let read = handles[(n % count) as usize].read(&mut value);
                read.expect("read").is_some()
            })
        }),
    ];
    let mut times = vec![Vec::new(); ways.len()];
    let mut at = 0;
    for _ in 0..slices {
        for ((_, way), times) in ways.iter_mut().zip(&mut times) {
            // Other entries each time, or a way would find those of the one before in the cache.
            let part: Vec<u32> = order.iter().cycle().skip(at).take(SLICE).copied().collect();
            at = (at + SLICE) % order.len();
            let start = Instant::now();
            way(&part);
            times.push(start.elapsed().as_nanos() as f64 / SLICE as f64);
        }
    }
    for ((name, _), mut times) in ways.iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let [fastest, median] = [times[0], times[times.len() / 2]];
        println!("{:<14} {name:<10} {fastest:>9.1} {median:>9.1}", load.to_string());
    }
}

/// One read after the other.
fn each<'a>(mut read: impl FnMut(u32) -> bool + 'a) -> Way<'a> {
    Box::new(move |part| {
        for &n in part {
            assert!(black_box(read(n)), "all keys are there");
        }
    })
}
