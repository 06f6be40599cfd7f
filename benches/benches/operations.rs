//! Reads, overwrites and misses, alone and beside a second process that does the same.
//!
//! Each lap overwrites every entry once, so that whole log segments die and are used again.

use criterion::{BenchmarkId, Criterion, Throughput};
use vug_bench::{
    Distribution, Flat, InProcess, Load, Peer, SecondProcess, Shared, Store, Vug, Work, sequence,
    serve_if_asked,
};

const LINES: [(Work, Distribution); 5] = [
    (Work::Get, Distribution::Laps),
    (Work::Get, Distribution::Zipf),
    (Work::Miss, Distribution::Laps),
    (Work::Put, Distribution::Laps),
    (Work::Mixed, Distribution::Zipf),
];

fn lines(
    criterion: &mut Criterion,
    load: Load,
    store: &dyn Store,
    second: &mut Option<SecondProcess>,
) {
    for (work, distribution) in LINES {
        let requests = sequence(distribution, load.entries, 1);
        let mut value = vec![0; load.value_len];
        let mut group = criterion.benchmark_group(format!("{work}/{load}/{distribution}"));
        group.throughput(Throughput::Elements(1));
        let processes = 1 + u32::from(second.is_some());
        let id = BenchmarkId::new(store.name(), format!("{processes}p"));
        if let Some(second) = second {
            second.work(work, distribution).expect("the second process works");
        }
        let mut at = 0;
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                at = if at + 1 == requests.len() { 0 } else { at + 1 };
                store.run(work, load, &requests[at..=at], &mut value).expect("room");
            });
        });
        if let Some(second) = second {
            second.pause().expect("the second process tells its rate");
        }
        group.finish();
    }
}

fn main() {
    if serve_if_asked(&[&Vug]) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    for load in Load::ALL.into_iter().filter(Load::fits) {
        let stores: [fn(Load) -> Box<dyn Store>; 3] = [
            |load| Box::new(Flat::new(load)),
            |_| Box::new(InProcess::default()),
            |load| Box::new(Shared::create(load)),
        ];
        for make in stores {
            let store = make(load);
            store.fill(load).expect("room");
            lines(&mut criterion, load, &*store, &mut None);
            if let Some(place) = store.place() {
                let second = SecondProcess::start(Vug.name(), place, load);
                let mut second = Some(second.expect("a second process"));
                lines(&mut criterion, load, &*store, &mut second);
            }
        }
    }
    criterion.final_summary();
}
