//! The goals in numbers, measured in one run and printed as one table.
//!
//! Stores take turns in every round, so that a machine that gets slower or faster does so for all;
//! a ratio is taken within its round, and the median of the rounds is what counts.

mod batch;
mod distribution;
mod handle;
mod latency;
mod memory;
mod overwrite;
mod recovery;
mod speed;

use crate::peer::Peer;
use crate::report::Report;
use crate::report::machine::Named;
use crate::report::table::Row;
use crate::second::pin_to;
use crate::workload::{Load, Requests, Work};
use crate::{Store, sweep};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rounds per line.
    pub rounds: usize,
    /// How long one store works in one round.
    pub slice: Duration,
    /// How long it works before that, unmeasured, so that the caches are its own.
    pub settle: Duration,
    /// How long each process overwrites before anything is measured, so that all pages are there.
    pub warm_up: Duration,
    /// Entries and lengths.
    pub load: Load,
    /// Names of the parts to run; all if empty.
    pub parts: Vec<String>,
    /// A document whose tables are replaced by those of this run.
    pub record: Option<PathBuf>,
    /// A directory for `results.json` and `report.html`.
    pub report: Option<PathBuf>,
}

/// What the goals are measured against.
pub struct Controls<'c> {
    /// Other stores; vug, the pointer chase and papaya come on top.
    pub peers: &'c [&'c dyn Peer],
    /// Makes something with so many values of 64 bytes that are read through held handles.
    pub held: Option<&'c MakeHeld>,
    /// Versions of all of them.
    pub versions: Vec<Named>,
}

/// Makes something to read so many values of 64 bytes from.
pub type MakeHeld = dyn Fn(u32) -> Result<Box<dyn HeldRead>, String>;

pub use handle::HeldRead;

impl std::fmt::Debug for Controls<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.peers.iter().map(|peer| peer.name())).finish()
    }
}

const USAGE: &str =
    "[--quick | --smoke] [--rounds N] [--report DIRECTORY] [--record FILE] [PART ...]";

/// A part: its name, its heading, and what measures it and tells its rows.
type Part = (&'static str, &'static str, fn(&Plan, &Controls<'_>, &mut Report) -> Vec<Row>);

const PARTS: &[Part] = &[
    ("memory", "Memory", memory::measure),
    ("speed", "Throughput", speed::measure),
    ("batch", "Many keys at a time", batch::measure),
    ("handle", "Held handles", handle::measure),
    ("overwrite", "Overwriting at a fixed fill", overwrite::measure),
    ("recovery", "Recovery", recovery::measure),
    ("latency", "Latency", latency::measure),
    ("distribution", "Between nodes", distribution::measure),
];

impl Plan {
    /// From the command line.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
        let mut plan = Plan {
            rounds: 7,
            slice: Duration::from_millis(200),
            settle: Duration::from_millis(200),
            warm_up: Duration::from_secs(2),
            load: Load { entries: 2_000_000, value_len: 64 },
            parts: Vec::new(),
            record: None,
            report: None,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => {
                    plan.rounds = 5;
                    plan.slice = Duration::from_millis(120);
                    plan.settle = Duration::from_millis(120);
                    plan.warm_up = Duration::from_secs(1);
                }
                // Whether everything works; its numbers say nothing.
                "--smoke" => {
                    plan.rounds = 3;
                    plan.slice = Duration::from_millis(50);
                    plan.settle = Duration::from_millis(10);
                    plan.warm_up = Duration::from_millis(100);
                    plan.load.entries = 100_000;
                }
                "--rounds" => {
                    let rounds = arguments.next().and_then(|n| n.parse().ok());
                    let rounds = rounds.filter(|rounds| *rounds > 0);
                    plan.rounds = rounds.ok_or("--rounds takes a number above 0")?;
                }
                "--record" => {
                    let path = arguments.next().ok_or("--record takes a file")?;
                    plan.record = Some(path.into());
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

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

/// Measures and prints everything that the command line asks for.
///
/// # Errors
/// What is wrong with the command line, or with the file to record in.
pub fn run(controls: &Controls<'_>) -> Result<(), String> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    sweep();
    pin_to(0);
    let mut report = Report::new("goals", controls.versions.clone());
    let Load { entries, value_len } = plan.load;
    report.option("entries", format!("{entries} of 16 + {value_len} bytes"));
    report.option("rounds", format!("{} of {} ms", plan.rounds, plan.slice.as_millis()));
    report.option("settling", format!("{} ms", plan.settle.as_millis()));
    let mut rows = Vec::new();
    for (name, title, measure) in PARTS {
        if plan.wants(name) {
            let start = Instant::now();
            report.section(title);
            rows.extend(measure(&plan, controls, &mut report));
            eprintln!("{name}: {:.0} s", start.elapsed().as_secs_f64());
        }
    }
    report.goals(&rows);
    plan.report.map_or(Ok(()), |directory| report.write(&directory))?;
    plan.record.map_or(Ok(()), |path| report.record(&path))
}

/// Operations per nanosecond of a store that works for about that long.
fn rate(
    store: &dyn Store,
    work: Work,
    requests: &mut Requests,
    load: Load,
    slice: Duration,
) -> Result<f64, String> {
    let mut value = vec![1; load.value_len];
    let mut done = 0;
    let start = Instant::now();
    loop {
        for _ in 0..4 {
            let batch = requests.next_batch();
            store.run(work, load, batch, &mut value)?;
            done += batch.len();
        }
        let elapsed = start.elapsed();
        if elapsed >= slice {
            return Ok(done as f64 / elapsed.as_nanos() as f64);
        }
    }
}
