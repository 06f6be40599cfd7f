//! What the demonstration found, as tables or as one JSON document.

use std::io::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use vug::check;

use super::compare::Comparison;
use super::data::Data;
use super::failed;
use super::native::Passes;
use super::storm::{Storm, WRITERS};
use super::tally::Tally;
use crate::args::Demo;
use crate::cmd::stdout;
use crate::failure::Failure;
use crate::render::{Cell, Format, Sheet, grouped, readable_nanos};

/// So many differences are listed; the rest is only counted.
const LISTED: usize = 20;

#[derive(Debug)]
pub(super) struct Audit {
    pub(super) node: usize,
    pub(super) region: &'static str,
    pub(super) report: check::Report,
}

#[derive(Debug)]
pub(super) struct Report {
    nodes: u16,
    entries: usize,
    pub(super) readers: usize,
    /// What the C program did, or why there is none.
    pub(super) native: Result<Passes, String>,
    pub(super) loading: Duration,
    pub(super) image: Duration,
    pub(super) storm: Storm,
    pub(super) comparison: Comparison,
    pub(super) recoveries: u64,
    pub(super) audits: Vec<Audit>,
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
}

impl Report {
    pub(super) fn new(args: &Demo, data: &Data) -> Self {
        Self {
            nodes: args.nodes,
            entries: data.len(),
            readers: 0,
            native: Err("not started".into()),
            loading: Duration::ZERO,
            image: Duration::ZERO,
            storm: Storm::default(),
            comparison: Comparison::default(),
            recoveries: 0,
            audits: Vec::new(),
            tally: Tally::new(0),
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn write(&self, format: Format) -> Result<(), Failure> {
        let mut out = stdout();
        match format {
            Format::Table => self.write_text(&mut out),
            Format::Csv | Format::Raw => return self.operations().write(&mut out, format),
            Format::Json => serde_json::to_writer_pretty(&mut out, &self.document())
                .map_err(std::io::Error::from)
                .and_then(|()| writeln!(out)),
            Format::Jsonl => writeln!(out, "{}", self.document()),
        }
        .and_then(|()| out.flush())
        .map_err(|cause| Failure::output(&cause))
    }

    /// Fails unless everything that the demonstration claims was seen.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        let mut count = |number: u64, what: &str| {
            if number > 0 {
                wrong.push(format!("{} {what}", grouped(number)));
            }
        };
        count(self.comparison.differences.len() as u64, "differences between nodes");
        count(self.tally.torn, "reads of a value that was not whole");
        count(self.tally.missing, "reads that missed an entry");
        count(self.problems().count() as u64, "problems in region files");
        if wrong.is_empty() { Ok(()) } else { Err(failed(wrong.join(", "))) }
    }

    fn problems(&self) -> impl Iterator<Item = (&Audit, &check::Problem)> {
        self.audits.iter().flat_map(|a| a.report.problems.iter().map(move |problem| (a, problem)))
    }

    fn operations(&self) -> Sheet {
        let mut sheet = Sheet::new(&["operation", "count", "rate", "p50", "p99", "p99.9", "max"]);
        let storm = self.storm.elapsed;
        let rows = [
            ("put while loading", &self.tally.loads, self.loading),
            ("get", &self.tally.gets, storm),
            ("put, local region", &self.tally.locals, storm),
            ("put, acknowledged by all nodes", &self.tally.acks, storm),
        ];
        for (name, histogram, time) in rows {
            sheet.push(row(name, histogram, time));
        }
        sheet
    }

    fn write_text(&self, out: &mut impl Write) -> std::io::Result<()> {
        let nodes = self.nodes;
        writeln!(
            out,
            "{nodes} nodes with a bridge each, {} entries (US airports), {WRITERS} writers, \
             {} readers{}\n",
            grouped(self.entries as u64),
            self.readers,
            if self.native.is_ok() { " and one in C" } else { "" },
        )?;
        out.write_all(self.operations().as_table().as_bytes())?;
        writeln!(out)?;
        for (name, text) in self.facts() {
            writeln!(out, "{name:<22}{text}")?;
        }
        for (key, what) in self.comparison.differences.iter().take(LISTED) {
            writeln!(out, "differs: {key}: {what}")?;
        }
        for (audit, problem) in self.problems().take(LISTED) {
            let (node, region) = (audit.node, audit.region);
            writeln!(out, "damaged: node {node}, {region}, {}: {}", problem.place, problem.what)?;
        }
        Ok(())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let time = |time: Duration| readable_nanos(time.as_nanos() as u64);
        let entries = grouped(self.entries as u64);
        let longest = time(Duration::from_nanos(self.tally.acks.max()));
        let Comparison { keys, differences, settled } = &self.comparison;
        let equal = if differences.is_empty() {
            format!(
                "{} keys equal on all nodes (key, value, version, origin), settled in {}",
                grouped(*keys),
                time(*settled)
            )
        } else {
            format!("{} DIFFERENCES", grouped(differences.len() as u64))
        };
        let files = self.audits.len();
        let check = match self.problems().count() {
            0 => format!("clean, {files} region files, every byte accounted for"),
            problems => format!("{problems} PROBLEMS in {files} region files"),
        };
        let native = match &self.native {
            Ok(native) => native.to_string(),
            Err(reason) => format!("skipped: {reason}"),
        };
        vec![
            ("initial image", format!("{entries} entries on a new node in {}", time(self.image))),
            ("torn or missed reads", grouped(self.tally.torn + self.tally.missing)),
            ("C program", native),
            (
                "writers killed",
                format!(
                    "{} with SIGKILL and replaced, {} recoveries by the survivors",
                    self.storm.writers_killed,
                    grouped(self.recoveries)
                ),
            ),
            (
                "bridges killed",
                format!(
                    "{} with SIGKILL, longest wait for an acknowledgement {longest}",
                    self.storm.bridges_killed
                ),
            ),
            ("not acknowledged", format!("{} puts in time", grouped(self.tally.unacknowledged))),
            ("comparison", equal),
            ("acknowledged writes", self.lost()),
            ("check", check),
            ("time", time(self.elapsed)),
        ]
    }

    fn lost(&self) -> String {
        let acks = grouped(self.tally.acks.len() + self.tally.loads.len());
        if self.comparison.differences.is_empty() {
            format!("{acks}, every key at or above its highest acknowledged version")
        } else {
            format!("{acks}, see the differences")
        }
    }

    fn document(&self) -> Value {
        let differences: Vec<Value> = (self.comparison.differences.iter())
            .map(|(key, what)| json!({ "key": key, "what": what }))
            .collect();
        let problems: Vec<Value> = self
            .problems()
            .map(|(audit, problem)| {
                json!({
                    "node": audit.node, "region": audit.region,
                    "place": problem.place, "what": problem.what,
                })
            })
            .collect();
        json!({
            "ok": self.verdict().is_ok(),
            "nodes": self.nodes,
            "entries": self.entries,
            "writers": WRITERS,
            "readers": self.readers,
            "c_program": match &self.native {
                Ok(native) => native.document(),
                Err(reason) => json!({ "skipped": reason }),
            },
            "operations": self.operations().to_value(),
            "image_ns": self.image.as_nanos() as u64,
            "torn_reads": self.tally.torn,
            "missed_reads": self.tally.missing,
            "writers_killed": self.storm.writers_killed,
            "bridges_killed": self.storm.bridges_killed,
            "unacknowledged": self.tally.unacknowledged,
            "recoveries": self.recoveries,
            "keys_compared": self.comparison.keys,
            "settled_ns": self.comparison.settled.as_nanos() as u64,
            "differences": differences,
            "files_checked": self.audits.len(),
            "problems": problems,
            "elapsed_ns": self.elapsed.as_nanos() as u64,
        })
    }
}

fn row(name: &str, histogram: &Histogram<u64>, time: Duration) -> Vec<Cell> {
    let count = histogram.len();
    let mut cells = vec![Cell::text(name), Cell::Count(count)];
    if count == 0 {
        cells.extend([const { Cell::Empty }; 5]);
        return cells;
    }
    cells.push(Cell::Rate((count as f64 / time.as_secs_f64().max(1e-9)).round()));
    for quantile in [0.5, 0.99, 0.999] {
        cells.push(Cell::Nanos(histogram.value_at_quantile(quantile)));
    }
    cells.push(Cell::Nanos(histogram.max()));
    cells
}
