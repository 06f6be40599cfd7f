//! Single operations under Criterion: every kind, values of 8 bytes to 1 MiB, footprints from the
//! L2 cache to memory, alone and beside a second process that overwrites the same entries.
//!
//! `cargo bench -p vug-bench --bench operations -- [FILTER]`; names are
//! `OPERATION/FOOTPRINT/VALUE BYTES/PROCESSES`. `VUG_BENCH_LARGE=1` adds footprints of 256 MiB and
//! 2 GiB.

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;
use vug::{Node, Region, Values};
use vug_bench::{
    Distribution, KEY_LEN, Load, Peer, SecondProcess, Shared, Store, Vug, Work, key, sequence,
    serve_if_asked,
};

const VALUES: [usize; 5] = [8, 64, 1 << 10, 64 << 10, 1 << 20];
const SMALL: [(&str, u64); 2] = [("256 KiB", 256 << 10), ("16 MiB", 16 << 20)];
const LARGE: [(&str, u64); 2] = [("256 MiB", 256 << 20), ("2 GiB", 2 << 30)];
/// Keys of a batch.
const BATCH: usize = 16;

/// What an operation works on.
struct Bench {
    shared: Shared,
    /// Entries in the order in which they are asked for.
    order: Vec<u32>,
    at: usize,
    load: Load,
    value: Vec<u8>,
    many: Values,
}

type Operation = (&'static str, fn(&mut Bench));

/// Those that are measured beside a second process, too.
const SHARED: [Operation; 6] = [
    ("get hit", |bench| {
        let n = bench.next_entry();
        black_box(bench.shared.get(n, &mut bench.value));
    }),
    ("get miss", |bench| {
        let n = bench.next_entry() + bench.load.entries;
        black_box(bench.shared.get(n, &mut bench.value));
    }),
    ("get guard", |bench| {
        let n = bench.next_entry();
        let guard = bench.shared.region().get(&key(n)).expect("get").expect("an entry");
        black_box(guard[0]);
    }),
    ("put replace", |bench| {
        let n = bench.next_entry();
        bench.shared.put(n, &bench.value).expect("room");
    }),
    ("compare and swap", |bench| {
        let key = key(bench.next_entry());
        let region = bench.shared.region();
        let token = region.token(&key).expect("a token").expect("an entry");
        // A second process may be faster; that is part of it.
        black_box(region.compare_and_swap(&key, token, &bench.value).expect("room"));
    }),
    ("get of 16 at a time", |bench| {
        let mut keys = [[0; KEY_LEN]; BATCH];
        keys.iter_mut().for_each(|into| *into = key(bench.next_entry()));
        bench.shared.region().get_many_into(&keys, &mut bench.many).expect("get");
        black_box(&bench.many);
    }),
];

/// Those that change which entries there are, or read all of them.
const ALONE: [Operation; 4] = [
    ("create and destroy", |bench| {
        let key = key(bench.next_entry() + bench.load.entries);
        bench.shared.region().create(&key, &bench.value).expect("a new entry");
        bench.shared.region().destroy(&key).expect("the entry");
    }),
    ("put new and remove", |bench| {
        let key = key(bench.next_entry() + bench.load.entries);
        bench.shared.region().put(&key, &bench.value).expect("room");
        bench.shared.region().remove(&key).expect("the entry");
    }),
    ("increment", |bench| {
        let key = key(2 * bench.load.entries + bench.next_entry() % 16);
        black_box(bench.shared.region().increment(&key, 1).expect("a number"));
    }),
    ("iterate, all entries", |bench| {
        let mut bytes = 0;
        let scanned = bench.shared.region().scan(|entry| {
            bytes += entry.value.len();
            std::ops::ControlFlow::Continue(())
        });
        scanned.expect("scan");
        black_box(bytes);
    }),
];

impl Bench {
    fn new(load: Load) -> Bench {
        let shared = Shared::create(load);
        shared.fill(load).expect("room");
        let order = sequence(Distribution::Laps, load.entries, 1);
        Bench { shared, order, at: 0, load, value: vec![1; load.value_len], many: Values::new() }
    }

    fn next_entry(&mut self) -> u32 {
        self.at = if self.at + 1 < self.order.len() { self.at + 1 } else { 0 };
        self.order[self.at]
    }
}

fn one(criterion: &mut Criterion, footprint: &str, bench: &mut Bench, processes: u32) {
    let operations: Vec<Operation> = match processes {
        1 => SHARED.into_iter().chain(ALONE).collect(),
        _ => SHARED.to_vec(),
    };
    for (name, operation) in operations {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let id = BenchmarkId::new(footprint, format!("{} B/{processes}p", bench.load.value_len));
        group.bench_function(id, |bencher| bencher.iter(|| operation(bench)));
        group.finish();
    }
}

/// Through handles that are held, which other operations have no need of.
fn handles(criterion: &mut Criterion, footprint: &str, bench: &mut Bench) {
    let region = bench.shared.region();
    let held = bench.order.iter().map(|&n| region.handle(&key(n)).expect("a handle"));
    let held: Vec<_> = held.collect();
    let mut group = criterion.benchmark_group("handle read");
    let id = BenchmarkId::new(footprint, format!("{} B/1p", bench.load.value_len));
    let mut next = held.iter().cycle();
    group.bench_function(id, |bencher| {
        bencher.iter(|| next.next().map(|handle| handle.read(&mut bench.value)));
    });
    group.finish();
}

fn sizes(criterion: &mut Criterion) {
    let large = std::env::var_os("VUG_BENCH_LARGE").is_some();
    let footprints = SMALL.into_iter().chain(LARGE.into_iter().filter(|_| large));
    for (footprint, bytes) in footprints {
        for value_len in VALUES {
            let entries = bytes / (KEY_LEN + value_len + 48) as u64;
            let load = Load { entries: entries as u32, value_len };
            // One value of 1 MiB fills no L2 cache.
            if load.entries < 8 || !load.fits() {
                continue;
            }
            let mut bench = Bench::new(load);
            one(criterion, footprint, &mut bench, 1);
            handles(criterion, footprint, &mut bench);
            let second = SecondProcess::start(Vug.name(), bench.shared.home(), load);
            let mut second = second.expect("a second process");
            second.work(Work::Put, Distribution::Laps).expect("the second process works");
            one(criterion, footprint, &mut bench, 2);
            second.pause().expect("the second process tells its rate");
        }
    }
}

/// What happens once per process, or to whoever listens.
fn rare(criterion: &mut Criterion) {
    let load = Load { entries: 10_000, value_len: 64 };
    let shared = Shared::create(load);
    shared.fill(load).expect("room");
    criterion.bench_function("attach: node and region opened and closed", |bencher| {
        bencher.iter(|| {
            let node = Node::open(shared.home()).expect("the node");
            black_box(node.region("bench").open().expect("the region"));
        });
    });
    criterion.bench_function("event: a put and its delivery", |bencher| {
        let region: &Region = shared.region();
        let mut events = region.subscribe();
        let mut n = 0;
        bencher.iter(|| {
            n = (n + 1) % load.entries;
            region.put(&key(n), &[1; 64]).expect("room");
            black_box(events.poll().expect("an event"));
        });
    });
    criterion.bench_function("recover: nobody is dead", |bencher| {
        bencher.iter(|| black_box(shared.region().recover().expect("recovery")));
    });
}

fn main() {
    if serve_if_asked(&[&Vug]) {
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    sizes(&mut criterion);
    rare(&mut criterion);
    criterion.final_summary();
}
