//! vug beside an in-process map and a raw copy of the same bytes, in one run, as one table.
//!
//! `cargo bench -p vug-bench --bench ratios -- [--quick | --full] [--rounds N]`
//!
//! The stores take turns: in every round each does the same requests, so that a machine that gets
//! slower or faster does so for all. Printed are medians over the rounds. `2 processes` is the sum
//! of both processes' rates over the rate of one, with both at work on the same region.

use std::time::Instant;
use vug_bench::{
    Distribution, Flat, InProcess, Load, Peer, SecondProcess, Shared, Store, Vug, Work, sequence,
    serve_if_asked,
};

/// What the command line asks for.
struct Plan {
    loads: Vec<Load>,
    rounds: usize,
    requests: usize,
}

fn main() {
    if serve_if_asked(&[&Vug]) {
        return;
    }
    let plan = match plan(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(text) => {
            eprintln!("error: {text}");
            eprintln!("help: [--quick | --full] [--rounds N]");
            std::process::exit(2);
        }
    };
    println!(
        "{:<14} {:<13} {:>8} {:>8} {:>8} {:>11} {:>11} {:>12}",
        "entries", "operation", "vug", "papaya", "memcpy", "vs papaya", "vs memcpy", "2 processes"
    );
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>11} {:>11} {:>12}",
        "", "ns", "ns", "ns", "speed", "speed", "over one"
    );
    for load in plan.loads.iter().copied().filter(Load::fits) {
        compare(load, &plan);
    }
    println!("\nmedians of {} rounds of {} requests", plan.rounds, plan.requests);
}

fn plan(mut arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan { loads: Load::ALL[..3].to_vec(), rounds: 7, requests: 500_000 };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => plan = Plan { loads: vec![Load::ALL[0]], rounds: 5, requests: 100_000 },
            "--full" => plan.loads = Load::ALL.to_vec(),
            "--rounds" => {
                let rounds = arguments.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
                plan.rounds = rounds.ok_or("--rounds takes a number above 0")?;
            }
            // Cargo passes it to every bench.
            "--bench" => {}
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(plan)
}

/// The stores of one load, all filled.
struct Stores {
    load: Load,
    shared: Shared,
    map: InProcess,
    flat: Flat,
    second: SecondProcess,
}

/// What one line of the table measures.
#[derive(Clone, Copy)]
struct Line {
    work: Work,
    distribution: Distribution,
}

fn compare(load: Load, plan: &Plan) {
    let shared = Shared::create(load);
    let second = SecondProcess::start(Vug.name(), shared.home(), load);
    let second = second.unwrap_or_else(|why| panic!("{why}"));
    let (map, flat) = (InProcess::default(), Flat::new(load));
    let mut stores = Stores { load, shared, map, flat, second };
    for store in [&stores.shared as &dyn Store, &stores.map, &stores.flat] {
        store.fill(load).expect("room for the load");
    }
    let lines = [
        ("get uniform", Work::Get, Distribution::Laps),
        ("get zipf", Work::Get, Distribution::Zipf),
        ("miss", Work::Miss, Distribution::Laps),
        ("put uniform", Work::Put, Distribution::Laps),
    ];
    for (name, work, distribution) in lines {
        stores.line(name, Line { work, distribution }, plan);
    }
}

impl Stores {
    fn line(&mut self, name: &str, line: Line, plan: &Plan) {
        let requests = sequence(line.distribution, self.load.entries, 1);
        let mut at = 0;
        let mut times = [const { Vec::new() }; 3];
        let mut scaling = Vec::new();
        for _ in 0..plan.rounds {
            let part: Vec<u32> =
                requests.iter().cycle().skip(at).take(plan.requests).copied().collect();
            at = (at + plan.requests) % requests.len();
            times[0].push(self.time(&self.shared, line.work, &part));
            times[1].push(self.time(&self.map, line.work, &part));
            if line.work != Work::Miss {
                times[2].push(self.time(&self.flat, line.work, &part));
            }
            scaling.push(self.two_over_one(line, &part));
        }
        let [vug, papaya, memcpy] = times.map(median);
        println!(
            "{:<14} {name:<13} {} {} {} {} {} {}",
            self.load.to_string(),
            number(vug, 8, 1),
            number(papaya, 8, 1),
            number(memcpy, 8, 1),
            number(papaya.zip(vug).map(|(papaya, vug)| papaya / vug), 11, 2),
            number(memcpy.zip(vug).map(|(memcpy, vug)| memcpy / vug), 11, 2),
            number(median(scaling), 12, 2),
        );
    }

    /// Nanoseconds per request.
    fn time(&self, store: &impl Store, work: Work, requests: &[u32]) -> f64 {
        let mut value = vec![1; self.load.value_len];
        let start = Instant::now();
        store.run(work, self.load, requests, &mut value).expect("room");
        start.elapsed().as_nanos() as f64 / requests.len() as f64
    }

    /// The rate of two processes over that of one, one after the other.
    fn two_over_one(&mut self, line: Line, requests: &[u32]) -> f64 {
        let one = 1.0 / self.time(&self.shared, line.work, requests);
        let begun = self.second.work(line.work, line.distribution);
        begun.unwrap_or_else(|why| panic!("{why}"));
        let mine = 1.0 / self.time(&self.shared, line.work, requests);
        let theirs = self.second.pause().unwrap_or_else(|why| panic!("{why}"));
        (mine + theirs) / one
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn number(value: Option<f64>, width: usize, digits: usize) -> String {
    value.map_or(format!("{:>width$}", "-"), |value| format!("{value:>width$.digits$}"))
}
