//! Many processes on one region: the mixes of YCSB, distributions, published sizes, a cache that
//! evicts, growth, cleaning, readers that stand still, members that are killed; throughput and
//! latencies, in one report.

mod cases;
mod crew;
mod faults;
mod task;
mod worker;

pub use worker::work_if_asked;

use crate::mapping::sweep;
use crate::report::machine::Named;
use crate::report::table::{Row, median};
use crate::report::{Dot, Measurement, Report};
use std::path::PathBuf;
use std::time::Instant;
use task::Outcome;

const USAGE: &str = "[--quick | --smoke] [--rounds N] [--report DIRECTORY] [PART ...]";

/// How much is measured.
#[derive(Debug)]
struct Plan {
    rounds: usize,
    /// How long the workers work each time.
    seconds: f64,
    /// Entries of the larger regions.
    entries: u32,
    parts: Vec<String>,
    report: Option<PathBuf>,
}

/// A part: its name, its heading, and what measures it.
type Part = (&'static str, &'static str, fn(&Plan, &mut Report) -> Result<(), String>);

const PARTS: &[Part] = &[
    ("ycsb", "YCSB", cases::ycsb),
    ("distributions", "Distributions", cases::distributions),
    ("sizes", "Published sizes", cases::sizes),
    ("eviction", "A cache that evicts", cases::eviction),
    ("scaling", "Processes and threads", cases::scaling),
    ("open-loop", "Latency under a given load", cases::open_loop),
    ("growth", "Growth", cases::growth),
    ("cleaning", "Cleaning at a fixed fill", cases::cleaning),
    ("stopped", "A reader that stands still", faults::stopped),
    ("kills", "Members that are killed", faults::kills),
];

impl Plan {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
        let mut plan =
            Plan { rounds: 5, seconds: 2.0, entries: 1_000_000, parts: Vec::new(), report: None };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => (plan.rounds, plan.seconds, plan.entries) = (3, 0.7, 400_000),
                // Whether everything works; its numbers say nothing.
                "--smoke" => (plan.rounds, plan.seconds, plan.entries) = (1, 0.1, 20_000),
                "--rounds" => {
                    let rounds = arguments.next().and_then(|n| n.parse().ok());
                    let rounds = rounds.filter(|rounds| *rounds > 0);
                    plan.rounds = rounds.ok_or("--rounds takes a number above 0")?;
                }
                "--report" => {
                    let path = arguments.next().ok_or("--report takes a directory")?;
                    plan.report = Some(path.into());
                }
                // Cargo passes it to every bench.
                "--bench" => {}
                part if PARTS.iter().any(|(name, ..)| *name == part) => {
                    plan.parts.push(part.into())
                }
                other => return Err(format!("unknown argument {other}\nhelp: {USAGE}")),
            }
        }
        Ok(plan)
    }
}

/// Measures and prints everything that the command line asks for.
///
/// # Errors
/// What is wrong with the command line, or with the directory of the report.
pub fn run(versions: Vec<Named>) -> Result<(), String> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    sweep();
    let mut report = Report::new("suite", versions);
    report.option("entries", plan.entries);
    report.option("rounds", format!("{} of {} s", plan.rounds, plan.seconds));
    let mut rows = Vec::new();
    for (name, title, measure) in PARTS {
        if plan.parts.is_empty() || plan.parts.iter().any(|wanted| wanted == name) {
            let start = Instant::now();
            report.section(title);
            if let Err(why) = measure(&plan, &mut report) {
                report.tell(&format!("Not measured: {why}."));
                rows.push(Row::failed(title, "", &why));
            }
            eprintln!("{name}: {:.0} s", start.elapsed().as_secs_f64());
        }
    }
    report.goals(&rows);
    plan.report.map_or(Ok(()), |directory| report.write(&directory))
}

/// What a configuration did, a round each, and the latencies of all rounds together.
#[derive(Debug, Default)]
struct Rounds {
    /// Million operations a second.
    rates: Vec<f64>,
    hit_percent: Vec<f64>,
    sum: Outcome,
}

impl Rounds {
    fn keep(&mut self, outcome: Outcome) {
        self.rates.push(outcome.rate / 1e6);
        self.hit_percent.push(outcome.hit_percent());
        self.sum.add(outcome);
    }

    fn dot(&self) -> Option<Dot> {
        Dot::of(&self.rates)
    }

    fn measured(&self, report: &mut Report, what: &str, processes: u32, threads: u32) {
        report.measured(Measurement {
            what: what.into(),
            store: "vug".into(),
            processes,
            threads,
            unit: "M/s".into(),
            rounds: self.rates.clone(),
        });
    }

    /// Cells of a table: rate with spread, then the latencies of what was timed, then failures.
    fn cells(&self, name: String) -> Vec<String> {
        let histogram = self.sum.all();
        let at = |quantile| nanoseconds(histogram.value_at_quantile(quantile));
        let mut cells = vec![name, rate_cell(&self.rates), format!("{:.1} %", hits(self))];
        cells.extend([0.5, 0.9, 0.99, 0.999, 0.9999].map(at));
        cells.extend([nanoseconds(histogram.max()), self.sum.failures.to_string()]);
        cells
    }
}

const HEAD: [&str; 10] =
    ["what", "M/s", "hits", "p50", "p90", "p99", "p99.9", "p99.99", "max", "no room"];

fn head() -> Vec<Vec<String>> {
    vec![HEAD.map(str::to_owned).to_vec()]
}

fn hits(rounds: &Rounds) -> f64 {
    median(&rounds.hit_percent).unwrap_or(0.0)
}

fn rate_cell(rates: &[f64]) -> String {
    use crate::report::table::{digits, spread};
    let spread = spread(rates).replace(" - ", "-");
    let spread = if spread.is_empty() { spread } else { format!(" ({spread})") };
    format!("{}{spread}", median(rates).map_or_else(|| "-".into(), digits))
}

fn nanoseconds(value: u64) -> String {
    match value {
        v if v >= 1_000_000 => format!("{:.1} ms", v as f64 / 1e6),
        v if v >= 10_000 => format!("{:.1} us", v as f64 / 1e3),
        v => format!("{v} ns"),
    }
}
