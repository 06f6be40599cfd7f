//! How long single operations take: the usual one, and the one in a thousand that something else
//! got in the way of.
//!
//! Every operation is timed by itself; the first line of the table tells what the clock and the
//! machine add to all of them.

use super::{Controls, Plan};
use crate::peer::Peer;
use crate::report::table::Row;
use crate::report::{Lines, Report, Scale, Series, percentiles};
use crate::second::SecondProcess;
use crate::store::{Shared, Store, Vug};
use crate::workload::{Distribution, Load, Requests, Work};
use hdrhistogram::Histogram;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::hint::black_box;
use std::time::{Duration, Instant};

const STOPS: usize = 20;

/// One line of the table.
struct Line {
    name: &'static str,
    puts: Histogram<u64>,
    gets: Histogram<u64>,
}

impl Line {
    fn new(name: &'static str) -> Line {
        // A nanosecond to a minute, three digits.
        let empty = || Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("valid bounds");
        Line { name, puts: empty(), gets: empty() }
    }

    /// By turns a put and a get, for about that long.
    fn sample(
        &mut self,
        store: &dyn Store,
        load: Load,
        requests: &mut Requests,
        time: Duration,
    ) -> Result<(), String> {
        let mut value = vec![1; load.value_len];
        let start = Instant::now();
        while start.elapsed() < time {
            for pair in requests.next_batch().chunks(2) {
                self.put(store, pair[0], &value)?;
                self.get(store, pair[pair.len() - 1], &mut value);
            }
        }
        Ok(())
    }

    fn put(&mut self, store: &dyn Store, n: u32, value: &[u8]) -> Result<(), String> {
        let start = Instant::now();
        store.put(n, black_box(value))?;
        self.puts.saturating_record(start.elapsed().as_nanos() as u64);
        Ok(())
    }

    fn get(&mut self, store: &dyn Store, n: u32, value: &mut [u8]) {
        let start = Instant::now();
        black_box(store.get(n, value));
        self.gets.saturating_record(start.elapsed().as_nanos() as u64);
    }

    fn cells(&self) -> impl Iterator<Item = Vec<String>> {
        [("put", &self.puts), ("get", &self.gets)].into_iter().filter(|(_, h)| !h.is_empty()).map(
            |(operation, histogram)| {
                let at = |quantile| nanoseconds(histogram.value_at_quantile(quantile));
                vec![
                    self.name.to_owned(),
                    operation.to_owned(),
                    histogram.len().to_string(),
                    at(0.5),
                    at(0.99),
                    at(0.999),
                    at(1.0),
                ]
            },
        )
    }
}

fn nanoseconds(value: u64) -> String {
    match value {
        v if v >= 1_000_000 => format!("{:.1} ms", v as f64 / 1e6),
        v if v >= 10_000 => format!("{:.1} us", v as f64 / 1e3),
        v => format!("{v} ns"),
    }
}

pub(super) fn measure(plan: &Plan, _: &Controls<'_>, report: &mut Report) -> Vec<Row> {
    let mut lines = vec![
        ["while", "operation", "times", "p50", "p99", "p99.9", "max"].map(str::to_owned).to_vec(),
    ];
    let mut rows = Vec::new();
    let mut plots: [Vec<Series>; 2] = Default::default();
    let cases: [(&'static str, Case); 6] = [
        ("nothing is done", clock_alone),
        ("nothing else happens", quiet),
        ("the index grows", growth),
        ("segments are cleaned", |line, plan| cleaning(line, plan, false)),
        ("two clean and write", |line, plan| cleaning(line, plan, true)),
        ("a writer is stopped", stopped),
    ];
    for (name, case) in cases {
        let mut line = Line::new(name);
        if let Err(why) = case(&mut line, plan) {
            rows.push(Row::failed("latency", name, &why));
        }
        lines.extend(line.cells());
        plots[0].push(percentiles(name, &line.puts));
        plots[1].push(percentiles(name, &line.gets));
    }
    report.table("Single operations, each timed by itself", lines);
    for (operation, series) in ["put", "get"].into_iter().zip(plots) {
        report.plot(Lines {
            title: format!("{operation}: latency by percentile"),
            x: "percentile".into(),
            y: "ns".into(),
            x_scale: Scale::Percentile,
            y_scale: Scale::Log,
            series,
        });
    }
    rows
}

/// Fills a line.
type Case = fn(&mut Line, &Plan) -> Result<(), String>;

/// How long each case is sampled.
fn time(plan: &Plan) -> Duration {
    plan.slice * plan.rounds as u32
}

/// What the clock says when nothing is between two looks at it.
fn clock_alone(line: &mut Line, plan: &Plan) -> Result<(), String> {
    struct Nothing;
    impl Store for Nothing {
        fn name(&self) -> &'static str {
            "nothing"
        }

        fn get(&self, _: u32, _: &mut [u8]) -> bool {
            true
        }

        fn put(&self, _: u32, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
    }
    let mut requests = Requests::new(Distribution::Uniform, plan.load, 1);
    line.sample(&Nothing, plan.load, &mut requests, time(plan))
}

fn filled(shared: &Shared, load: Load) -> Result<Requests, String> {
    shared.fill(load)?;
    let mut requests = Requests::new(Distribution::Uniform, load, 1);
    let mut value = vec![1; load.value_len];
    for _ in 0..load.entries as usize / Requests::BATCH {
        shared.run(Work::Put, load, requests.next_batch(), &mut value)?;
    }
    Ok(requests)
}

fn quiet(line: &mut Line, plan: &Plan) -> Result<(), String> {
    let shared = Shared::create(plan.load);
    let mut requests = filled(&shared, plan.load)?;
    line.sample(&shared, plan.load, &mut requests, time(plan))
}

/// From an empty region to a full load: puts of new keys, gets of those that are there.
fn growth(line: &mut Line, plan: &Plan) -> Result<(), String> {
    let shared = Shared::create(plan.load);
    let mut value = vec![1; plan.load.value_len];
    for n in 0..plan.load.entries {
        line.put(&shared, n, &value)?;
        line.get(&shared, n / 2, &mut value);
    }
    Ok(())
}

/// At four fifths live data, alone or beside a process that writes as fast as it can.
fn cleaning(line: &mut Line, plan: &Plan, two: bool) -> Result<(), String> {
    let probe = Shared::create(plan.load);
    probe.fill(plan.load)?;
    let statistics = probe.region().statistics();
    drop(probe);
    let index = u64::from(statistics.segments_index) * statistics.segment_bytes;
    let shared = Shared::create_with(index + statistics.live_bytes * 5 / 4);
    let mut requests = filled(&shared, plan.load)?;
    let mut second = SecondProcess::start(Vug.name(), shared.home(), plan.load)?;
    if two {
        second.work(Work::Put, Distribution::Uniform)?;
    }
    let sampled = line.sample(&shared, plan.load, &mut requests, time(plan));
    if two {
        second.pause()?;
    }
    sampled
}

/// Beside a process that is stopped again and again, each time somewhere in a put: it does nothing
/// but puts.
fn stopped(line: &mut Line, plan: &Plan) -> Result<(), String> {
    let shared = Shared::create(plan.load);
    let mut requests = filled(&shared, plan.load)?;
    let mut second = SecondProcess::start(Vug.name(), shared.home(), plan.load)?;
    second.work(Work::Put, Distribution::Uniform)?;
    let pid = Pid::from_raw(second.id() as i32);
    let signal = |signal| kill(pid, signal).map_err(|error| error.to_string());
    let part = time(plan) / STOPS as u32;
    let mut sampled = Ok(());
    for stop in 0..STOPS {
        std::thread::sleep(Duration::from_micros(500 + 61 * stop as u64));
        signal(Signal::SIGSTOP)?;
        sampled = sampled.and(line.sample(&shared, plan.load, &mut requests, part));
        signal(Signal::SIGCONT)?;
    }
    second.pause()?;
    sampled
}
