//! One kind of work on one store and nothing else: what a profiler is pointed at.
//!
//! `cargo build --release -p vug-bench --example one`, then under `perf record` or
//! `valgrind --tool=callgrind --toggle-collect='*run_requests*'`:
//! `target/release/examples/one STORE WORK DISTRIBUTION ENTRIES VALUE_LEN REQUESTS`, for example
//! `one vug put uniform 2000000 64 5000000`. Stores: vug, papaya, mutex, chase. Several kinds of
//! work are done one after the other: `put,get,miss`.

use std::time::Instant;
use vug_bench::{
    InProcess, Load, Pages, Peer, PointerChase, Requests, RobustMutex, Store, Vug, Work, pin_to,
};

fn main() {
    if let Err(why) = one() {
        eprintln!("error: {why}");
        eprintln!("help: STORE WORK DISTRIBUTION ENTRIES VALUE_LEN REQUESTS");
        std::process::exit(2);
    }
}

fn one() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, work, distribution, entries, value_len, requests] = arguments.as_slice() else {
        return Err("six arguments".into());
    };
    let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
    let load = Load { entries: number(entries)?, value_len: number(value_len)? as usize };
    let store: Box<dyn Store> = match store.as_str() {
        "vug" => Vug.create(load)?,
        "papaya" => Box::new(InProcess::default()),
        "mutex" => RobustMutex.create(load)?,
        "chase" => PointerChase.create(load)?,
        other => return Err(format!("no store {other}")),
    };
    pin_to(0);
    store.fill(load)?;
    for work in work.split(',') {
        let order = Requests::new(distribution.parse()?, load, 1);
        let start = Instant::now();
        let done = run_requests(&*store, work.parse()?, load, order, number(requests)?)?;
        let each = start.elapsed().as_nanos() as f64 / f64::from(done);
        let pages = Pages::of(std::process::id(), store.mappings()).unwrap_or_default();
        println!(
            "{} {work} {distribution}, {load}: {each:.1} ns; {} MiB, {} % of it by huge pages",
            store.name(),
            pages.resident >> 20,
            pages.percent()
        );
    }
    Ok(())
}

/// Not inlined: its name is where a profiler starts to count.
#[inline(never)]
fn run_requests(
    store: &dyn Store,
    work: Work,
    load: Load,
    mut order: Requests,
    requests: u32,
) -> Result<u32, String> {
    let mut value = vec![1; load.value_len];
    let mut done = 0;
    while done < requests {
        let batch = order.next_batch();
        store.run(work, load, batch, &mut value)?;
        done += batch.len() as u32;
    }
    Ok(done)
}
