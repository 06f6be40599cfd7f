//! The goals in numbers, measured in one run and printed as one table.
//!
//! Stores take turns in every round, so that a machine that gets slower or faster does so for all;
//! a ratio is taken within its round, and the median of the rounds is what counts.

pub mod table;

mod batch;
mod handle;
mod latency;
mod memory;
mod overwrite;
mod recovery;
mod report;
mod speed;

use crate::peer::Peer;
use crate::second::pin_to;
use crate::workload::{Load, Requests, Work};
use crate::{Store, sweep};
use report::{Report, machine};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use table::{Row, render};

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
}

/// What the goals are measured against.
#[derive(Clone, Copy)]
pub struct Controls<'c> {
    /// Stores that several processes share; vug and the pointer chase come on top.
    pub peers: &'c [&'c dyn Peer],
    /// Makes something with so many values of 64 bytes that are read through held handles.
    pub held: Option<&'c MakeHeld>,
}

/// Makes something to read so many values of 64 bytes from.
pub type MakeHeld = dyn Fn(u32) -> Result<Box<dyn HeldRead>, String>;

pub use handle::HeldRead;

impl std::fmt::Debug for Controls<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.peers.iter().map(|peer| peer.name())).finish()
    }
}

const USAGE: &str = "[--quick] [--rounds N] [--record FILE] [PART ...]";

/// A part: its name, and what measures it and tells its rows.
type Part = (&'static str, fn(&Plan, &Controls<'_>, &mut Report) -> Vec<Row>);

const PARTS: &[Part] = &[
    ("memory", memory::measure),
    ("speed", speed::measure),
    ("batch", batch::measure),
    ("handle", handle::measure),
    ("overwrite", overwrite::measure),
    ("recovery", recovery::measure),
    ("latency", latency::measure),
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
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => {
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
                // Cargo passes it to every bench.
                "--bench" => {}
                part if PARTS.iter().any(|(name, _)| *name == part) => plan.parts.push(part.into()),
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
    let start = Instant::now();
    let mut report = Report::default();
    report.tell(&format!("{}.\n", machine()));
    let mut rows = Vec::new();
    for (name, measure) in PARTS {
        if plan.wants(name) {
            let start = Instant::now();
            rows.extend(measure(&plan, controls, &mut report));
            eprintln!("{name}: {:.0} s", start.elapsed().as_secs_f64());
        }
    }
    report.tell(&render(&rows));
    report.tell(&format!(
        "{} entries of 16 + {} bytes, {} rounds of {} ms; {:.0} s in all.\n",
        plan.load.entries,
        plan.load.value_len,
        plan.rounds,
        plan.slice.as_millis(),
        start.elapsed().as_secs_f64()
    ));
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
