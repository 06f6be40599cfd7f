//! Reads of entries that are not there, alone and beside a second process that does the same.

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use vug_bench::{
    Distribution, InProcess, Load, SecondProcess, Shared, Store, Work, sequence, serve_if_asked,
};

fn one(criterion: &mut Criterion, load: Load, store: &impl Store, processes: u32) {
    for distribution in [Distribution::Uniform, Distribution::Zipf] {
        let requests = sequence(distribution, load.entries, 1);
        let mut value = vec![0; load.value_len];
        let mut group = criterion.benchmark_group(format!("miss/{load}/{distribution}"));
        group.throughput(Throughput::Elements(1));
        let id = BenchmarkId::new(store.name(), format!("{processes}p"));
        let mut at = 0;
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                at = if at + 1 == requests.len() { 0 } else { at + 1 };
                black_box(store.get(requests[at] + load.entries, &mut value))
            });
        });
        group.finish();
    }
}

fn miss(criterion: &mut Criterion) {
    for load in Load::ALL.into_iter().filter(Load::fits) {
        let map = InProcess::default();
        map.fill(load);
        one(criterion, load, &map, 1);
        drop(map);
        let shared = Shared::create(load);
        shared.fill(load);
        one(criterion, load, &shared, 1);
        let second = SecondProcess::start(shared.home(), load, Work::Miss, Distribution::Uniform);
        one(criterion, load, &shared, 2);
        second.stop();
    }
}

fn main() {
    if serve_if_asked() {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    miss(&mut criterion);
    criterion.final_summary();
}
