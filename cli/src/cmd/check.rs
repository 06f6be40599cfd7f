//! `vug check`

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;
use vug::Node;
use vug::check::{Report, check_file_in_use};

use super::{Context, missing_region, stdout};
use crate::args::Check;
use crate::failure::{Failure, code, exit};
use crate::render::{Cell, Format, Sheet};

pub(super) fn run(context: &Context, args: &Check) -> Result<(), Failure> {
    let names = names(context, args)?;
    let mut sheet = Sheet::new(&[
        "region",
        "file_bytes",
        "header_bytes",
        "index_bytes",
        "live_bytes",
        "dead_bytes",
        "free_bytes",
        "unbacked_bytes",
        "entries",
        "tombstones",
        "dead_members",
        "problems",
        "notes",
    ]);
    let mut reports = Vec::new();
    let mut unreadable = None;
    let mut failed = Vec::new();
    for (name, path) in names {
        match check_file_in_use(&path) {
            Ok(report) => {
                sheet.push(row(&name, &report));
                reports.push((name, report));
            }
            // The other files are audited all the same; the first failure is the command's.
            Err(error) => {
                failed.push((name.clone(), error.to_string()));
                unreadable.get_or_insert_with(|| missing_region(error, &name));
            }
        }
    }
    match context.format() {
        Format::Table => tell(&reports, &failed)?,
        format => sheet.write(&mut stdout(), format)?,
    }
    match unreadable {
        Some(failure) => Err(failure),
        None => verdict(&reports),
    }
}

/// The names given, else all region files; read without joining the node where possible.
fn names(context: &Context, args: &Check) -> Result<Vec<(String, PathBuf)>, Failure> {
    context.require_home()?;
    let names = if args.regions.is_empty() {
        Node::open(&context.home)?.regions()?
    } else {
        args.regions.clone()
    };
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > 128 || !name.bytes().all(legal) {
            return Err(vug::Error::InvalidRegionName { name }.into());
        }
        let path = context.home.join(format!("{name}.region"));
        if !path.exists() {
            return Err(missing_region(vug::Error::RegionNotFound { path }, &name));
        }
        files.push((name, path));
    }
    Ok(files)
}

fn row(name: &str, report: &Report) -> Vec<Cell> {
    let problems = report.problems.iter().map(|problem| {
        json!({
            "place": problem.place, "what": problem.what, "recoverable": problem.recoverable,
        })
    });
    vec![
        Cell::text(name),
        Cell::Bytes(report.file_bytes),
        Cell::Bytes(report.header_bytes),
        Cell::Bytes(report.index_bytes),
        Cell::Bytes(report.live_bytes),
        Cell::Bytes(report.dead_bytes),
        Cell::Bytes(report.free_bytes),
        Cell::Bytes(report.unbacked_bytes),
        Cell::Count(report.entries),
        Cell::Count(report.tombstones),
        Cell::Count(report.dead_members.into()),
        Cell::Nested(problems.collect()),
        Cell::Nested(report.notes.clone().into()),
    ]
}

/// What people want to know: a line per region, then what is wrong, then how much that is.
fn tell(reports: &[(String, Report)], failed: &[(String, String)]) -> Result<(), Failure> {
    let mut sheet = Sheet::new(&[
        "region",
        "verdict",
        "entries",
        "tombstones",
        "index",
        "live",
        "dead",
        "free",
        "unbacked",
    ]);
    for (name, report) in reports {
        sheet.push(vec![
            Cell::text(name),
            Cell::Text(short_verdict(report)),
            Cell::Count(report.entries),
            Cell::Count(report.tombstones),
            Cell::Bytes(report.index_bytes),
            Cell::Bytes(report.live_bytes),
            Cell::Bytes(report.dead_bytes),
            Cell::Bytes(report.free_bytes),
            Cell::Bytes(report.unbacked_bytes),
        ]);
    }
    for (name, _) in failed {
        let mut row = vec![Cell::Empty; 9];
        (row[0], row[1]) = (Cell::text(name), Cell::text("unreadable"));
        sheet.push(row);
    }
    let mut text = sheet.as_table();
    for (name, error) in failed {
        text.push_str(&format!("\n{name}\n  {error}\n"));
    }
    for (name, report) in reports {
        text.push_str(&findings(name, report));
    }
    text.push_str(&format!("\n{}\n", summary(reports, failed.len())));
    let mut out = stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|cause| Failure::output(&cause))
}

fn short_verdict(report: &Report) -> String {
    let damage = report.problems.iter().filter(|problem| !problem.recoverable).count();
    match (damage, report.problems.len()) {
        (_, 0) => "sound".into(),
        (0, _) => "unfinished work".into(),
        (1, _) => "1 damage".into(),
        (damage, _) => format!("{damage} damages"),
    }
}

/// The problems of a region in columns, damage first, and the notes.
fn findings(name: &str, report: &Report) -> String {
    if report.problems.is_empty() && report.notes.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{name}\n");
    let width = report.problems.iter().map(|problem| problem.place.len()).max().unwrap_or(0);
    for recoverable in [false, true] {
        let kind = if recoverable { "unfinished" } else { "damage    " };
        for problem in report.problems.iter().filter(|problem| problem.recoverable == recoverable) {
            text.push_str(&format!("  {kind}  {:width$}  {}\n", problem.place, problem.what));
        }
    }
    for note in &report.notes {
        text.push_str(&format!("  note        {note}\n"));
    }
    text
}

fn summary(reports: &[(String, Report)], failed: usize) -> String {
    let problems = || reports.iter().flat_map(|(_, report)| &report.problems);
    let damage = problems().filter(|problem| !problem.recoverable).count();
    let sound = reports.iter().filter(|(_, report)| report.is_clean()).count();
    format!(
        "{} regions audited: {sound} sound, {failed} unreadable; {damage} damages, {} pieces of \
         unfinished work",
        reports.len() + failed,
        problems().count() - damage
    )
}

fn verdict(reports: &[(String, Report)]) -> Result<(), Failure> {
    let damaged: Vec<&str> =
        reports.iter().filter(|(_, r)| !r.is_clean()).map(|(name, _)| name.as_str()).collect();
    if damaged.is_empty() {
        return Ok(());
    }
    let problems = || reports.iter().flat_map(|(_, report)| &report.problems);
    let mendable = problems().filter(|problem| problem.recoverable).count();
    let text = format!("{} problems found in: {}", problems().count(), damaged.join(", "));
    let help = if mendable == problems().count() {
        "`vug recover` mends all of them".to_owned()
    } else {
        format!(
            "`vug recover` mends {mendable}; save the rest with `vug export`, then make the \
                 region anew"
        )
    };
    Err(Failure::new(code::DAMAGED, text, help).with_exit(exit::DAMAGED))
}
