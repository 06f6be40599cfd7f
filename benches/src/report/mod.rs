//! What a run found: told on the terminal as it grows, kept as JSON with one schema, and shown as
//! one HTML file with plots.
//!
//! `results.json` is a [`Document`]. The HTML is made from it and from nothing else.

mod html;
pub mod machine;
mod plot;
mod svg;
pub mod table;

pub use plot::{Dot, DotRow, Dots, Lines, Plot, Scale, Series, percentiles};

use self::machine::Named;
use self::table::{Goal, Row, markdown, render};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

const BEGIN: &str = "<!-- begin: what the goals benchmark printed -->\n";
const END: &str = "<!-- end -->\n";

/// Number of the schema of `results.json`; goes up when a reader of the old one would be misled.
pub const SCHEMA: u32 = 1;

/// Everything that a run found.
#[derive(Debug, Default, Serialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Which bench: `goals` or `suite`.
    pub bench: String,
    /// When it began, in UTC.
    pub taken: String,
    /// Commit of the working copy, with `+` if files were changed since.
    pub commit: String,
    /// How long all took.
    pub seconds: f64,
    /// Processor, memory, kernel, huge pages.
    pub machine: Vec<Named>,
    /// Compiler, vug, and every peer.
    pub versions: Vec<Named>,
    /// What was asked for, and what follows from it.
    pub options: Vec<Named>,
    /// The goals, in order.
    pub goals: Vec<Goal>,
    /// One number a round for everything that was measured.
    pub measurements: Vec<Measurement>,
    /// Text, tables and plots.
    pub sections: Vec<Section>,
}

/// One thing that was measured, once a round.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    /// Kind of work.
    pub what: String,
    /// Which store did it.
    pub store: String,
    /// Processes at work.
    pub processes: u32,
    /// Threads of each process.
    pub threads: u32,
    /// Unit of the numbers, such as `M/s` or `ns`.
    pub unit: String,
    /// One a round, in order.
    pub rounds: Vec<f64>,
}

/// A part of the report.
#[derive(Debug, Default, Serialize)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// Paragraphs.
    pub text: Vec<String>,
    /// Tables, the first line of each being its head.
    pub tables: Vec<Table>,
    /// Plots.
    pub plots: Vec<Plot>,
}

/// A table of the report.
#[derive(Debug, Serialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Cells; the first line is the head.
    pub lines: Vec<Vec<String>>,
}

/// A document that grows, and is printed as it does.
#[derive(Debug)]
pub struct Report {
    text: String,
    /// What has been found so far.
    pub document: Document,
    start: Instant,
}

impl Report {
    /// An empty report of a bench, with the machine and its versions.
    pub fn new(bench: &str, versions: Vec<Named>) -> Report {
        let document = Document {
            schema: SCHEMA,
            bench: bench.into(),
            taken: machine::now(),
            commit: machine::commit(),
            machine: machine::machine(),
            versions: machine::tools().into_iter().chain(versions).collect(),
            ..Document::default()
        };
        let mut report = Report { text: String::new(), document, start: Instant::now() };
        let machine = report.document.machine.iter().map(|named| named.value.as_str());
        let machine = machine.collect::<Vec<_>>().join(", ");
        let (taken, commit) = (&report.document.taken, &report.document.commit);
        report.print(&format!("Taken {taken} at commit {commit} on {machine}.\n"));
        report
    }

    /// Begins a section; what follows belongs to it.
    pub fn section(&mut self, title: &str) {
        self.document.sections.push(Section { title: title.into(), ..Section::default() });
    }

    /// Prints and keeps a paragraph.
    pub fn tell(&mut self, text: &str) {
        self.print(&format!("{text}\n"));
        self.current().text.push(text.into());
    }

    /// Prints and keeps a table whose first line is its head.
    pub fn table(&mut self, title: &str, lines: Vec<Vec<String>>) {
        self.print(&format!("{title}:\n\n{}", markdown(&lines)));
        self.current().tables.push(Table { title: title.into(), lines });
    }

    /// Keeps a plot.
    pub fn plot(&mut self, plot: impl Into<Plot>) {
        self.current().plots.push(plot.into());
    }

    /// Keeps a measurement.
    pub fn measured(&mut self, measurement: Measurement) {
        self.document.measurements.push(measurement);
    }

    /// Keeps something that was asked for.
    pub fn option(&mut self, name: &str, value: impl std::fmt::Display) {
        self.document.options.push(Named { name: name.into(), value: value.to_string() });
    }

    /// Prints and keeps the table of goals, and how long all took.
    pub fn goals(&mut self, rows: &[Row]) {
        self.print(&render(rows));
        self.document.goals = rows.iter().map(Row::goal).collect();
        self.document.seconds = self.start.elapsed().as_secs_f64();
        let options = self.document.options.iter();
        let options: Vec<_> =
            options.map(|named| format!("{}: {}", named.name, named.value)).collect();
        let seconds = self.document.seconds;
        self.print(&format!("{}; {seconds:.0} s in all.\n", options.join("; ")));
    }

    /// Writes `results.json` and `report.html` into a directory, which is made if need be.
    ///
    /// # Errors
    /// The system's words.
    pub fn write(&self, directory: &Path) -> Result<(), String> {
        let told = |error: std::io::Error| format!("{}: {error}", directory.display());
        std::fs::create_dir_all(directory).map_err(told)?;
        let json = serde_json::to_string_pretty(&self.document);
        let json = json.map_err(|error| error.to_string())?;
        std::fs::write(directory.join("results.json"), json + "\n").map_err(told)?;
        std::fs::write(directory.join("report.html"), html::page(&self.document)).map_err(told)?;
        println!("{}", directory.join("report.html").display());
        Ok(())
    }

    /// Replaces what stands between the two marks of a document.
    ///
    /// # Errors
    /// The system's words, or that there are no marks.
    pub fn record(&self, path: &Path) -> Result<(), String> {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let document = std::fs::read_to_string(path).map_err(told)?;
        let replaced = replace(&document, &self.text);
        let replaced = replaced.ok_or_else(|| format!("{}: no marks", path.display()))?;
        std::fs::write(path, replaced).map_err(told)
    }

    fn current(&mut self) -> &mut Section {
        if self.document.sections.is_empty() {
            self.section("Results");
        }
        let last = self.document.sections.len() - 1;
        &mut self.document.sections[last]
    }

    fn print(&mut self, text: &str) {
        println!("{text}");
        self.text.push_str(text);
        self.text.push('\n');
    }
}

fn replace(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_part_is_replaced() {
        let document = format!("a\n{BEGIN}old\n{END}b\n");
        let once = replace(&document, "new\n").expect("marks");
        assert_eq!(once, format!("a\n{BEGIN}\nnew\n{END}b\n"));
        assert_eq!(replace(&once, "new\n"), Some(once));
        assert_eq!(replace("nothing", "new\n"), None);
    }

    #[test]
    fn a_report_is_written() {
        let mut report = Report::new("test", Vec::new());
        report.section("Speed");
        report.table("rates", vec![vec!["a<b".into()], vec!["1".into()]]);
        let dot = Dot { median: 2.0, least: 1.0, most: 3.0 };
        let row = DotRow { label: "vug".into(), dots: vec![Some(dot), None] };
        report.plot(Dots {
            title: "get & put".into(),
            unit: "M/s".into(),
            series: vec!["1".into(), "2".into()],
            mark: None,
            rows: vec![row],
        });
        report.goals(&[Row::ratio("get", "papaya", 1.0, vec![0.5, 1.0, 2.0])]);
        let home = tempfile::tempdir().expect("a directory");
        report.write(home.path()).expect("written");
        let json = std::fs::read_to_string(home.path().join("results.json")).expect("JSON");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["schema"], SCHEMA);
        assert_eq!(json["goals"][0]["verdict"], "met");
        let html = std::fs::read_to_string(home.path().join("report.html")).expect("HTML");
        assert!(html.contains("a&lt;b") && html.contains("get &amp; put"));
        // Self-contained: nothing comes from elsewhere.
        assert!(!html.contains("src=") && !html.contains("<script") && !html.contains("url("));
    }
}
