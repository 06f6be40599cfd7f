//! vug beside an in-process map and a raw copy of the same bytes, in one run, as one table.
//!
//! `cargo bench -p vug-bench --bench ratios -- [--quick | --full] [--rounds N]`
//!
//! The stores take turns: in every round each does the same requests, so that a machine that gets
//! slower or faster does so for all. Printed are medians over the rounds. `2 processes` is the sum
//! of both processes' rates over the rate of one, with both at work on the same region.

use std::hint::black_box;
use std::time::Instant;
use vug_bench::{
    Distribution, Flat, InProcess, Load, SecondProcess, Shared, Store, Work, sequence,
    serve_if_asked,
};

/// What the command line asks for.
struct Plan {
    loads: Vec<Load>,
    rounds: usize,
    requests: usize,
}

fn main() {
    if serve_if_asked() {
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
}

/// What one line of the table measures.
#[derive(Clone, Copy)]
struct Line {
    work: Work,
    distribution: Distribution,
}

fn compare(load: Load, plan: &Plan) {
    let stores = Stores {
        load,
        shared: Shared::create(load),
        map: InProcess::default(),
        flat: Flat::new(load),
    };
    stores.shared.fill(load);
    stores.map.fill(load);
    stores.flat.fill(load);
    let lines = [
        ("get uniform", Work::Get, Distribution::Uniform),
        ("get zipf", Work::Get, Distribution::Zipf),
        ("miss", Work::Miss, Distribution::Uniform),
        ("put uniform", Work::Put, Distribution::Uniform),
    ];
    for (name, work, distribution) in lines {
        stores.line(name, Line { work, distribution }, plan);
    }
}

impl Stores {
    fn line(&self, name: &str, line: Line, plan: &Plan) {
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
        for &n in requests {
            black_box(work.step(store, self.load, n, &mut value));
        }
        start.elapsed().as_nanos() as f64 / requests.len() as f64
    }

    /// The rate of two processes over that of one, one after the other.
    fn two_over_one(&self, line: Line, requests: &[u32]) -> f64 {
        let one = 1.0 / self.time(&self.shared, line.work, requests);
        let home = self.shared.home();
        let second = SecondProcess::start(home, self.load, line.work, line.distribution);
        let mine = 1.0 / self.time(&self.shared, line.work, requests);
        let theirs = second.stop();
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
