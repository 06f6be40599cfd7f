//! Overwrites, alone and beside a second process that overwrites the same entries.
//!
//! Each lap overwrites every entry once, so that whole log segments die and are used again.

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use vug_bench::{
    Distribution, Flat, InProcess, Load, SecondProcess, Shared, Store, Work, sequence,
    serve_if_asked,
};

fn one(criterion: &mut Criterion, load: Load, store: &impl Store, processes: u32) {
    let distribution = Distribution::Uniform;
    let requests = sequence(distribution, load.entries, 1);
    let value = vec![0; load.value_len];
    let mut group = criterion.benchmark_group(format!("put/{load}/{distribution}"));
    group.throughput(Throughput::Elements(1));
    let id = BenchmarkId::new(store.name(), format!("{processes}p"));
    let mut at = 0;
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            at = if at + 1 == requests.len() { 0 } else { at + 1 };
            store.put(requests[at], black_box(&value));
        });
    });
    group.finish();
}

fn put(criterion: &mut Criterion) {
    for load in Load::ALL.into_iter().filter(Load::fits) {
        let flat = Flat::new(load);
        flat.fill(load);
        one(criterion, load, &flat, 1);
        drop(flat);
        let map = InProcess::default();
        map.fill(load);
        one(criterion, load, &map, 1);
        drop(map);
        let shared = Shared::create(load);
        shared.fill(load);
        one(criterion, load, &shared, 1);
        let second = SecondProcess::start(shared.home(), load, Work::Put, Distribution::Uniform);
        one(criterion, load, &shared, 2);
        second.stop();
    }
}

fn main() {
    if serve_if_asked() {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    put(&mut criterion);
    criterion.final_summary();
}
