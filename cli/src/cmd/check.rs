//! `vug check`

use std::path::PathBuf;

use serde_json::json;
use vug::Node;
use vug::check::{Report, check_file};

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
    for (name, path) in names {
        match check_file(&path) {
            Ok(report) => {
                sheet.push(row(&name, &report));
                reports.push((name, report));
            }
            // The other files are audited all the same; the first failure is the command's.
            Err(error) => {
                unreadable.get_or_insert_with(|| missing_region(error, &name));
            }
        }
    }
    let format = context.format();
    sheet.write(&mut stdout(), format)?;
    if format == Format::Table {
        list_problems(&reports)?;
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

fn list_problems(reports: &[(String, Report)]) -> Result<(), Failure> {
    let mut sheet = Sheet::new(&["region", "place", "problem", "recoverable"]);
    for (name, report) in reports {
        for problem in &report.problems {
            sheet.push(vec![
                Cell::text(name),
                Cell::text(&problem.place),
                Cell::text(&problem.what),
                Cell::Flag(problem.recoverable),
            ]);
        }
    }
    if sheet.is_empty() { Ok(()) } else { sheet.write(&mut stdout(), Format::Table) }
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
