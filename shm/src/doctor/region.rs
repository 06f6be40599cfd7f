//! The regions: their audit, who holds their memory, and how much of it is lost to the dead.

use crate::check::check_file_in_use;
use crate::check::usage::{Hold, Usage, usage};
use crate::doctor::home::{Files, unusable};
use crate::doctor::{Finding, Fix, Severity};
use crate::layout::header::FORMAT_VERSION;

/// What is known of a region that can be read.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) max_bytes: u64,
    /// Bytes that have memory.
    pub(super) backed: u64,
}

/// Problems that are listed one by one.
const LISTED: usize = 5;

/// Who holds what at this moment.
pub(super) fn look(files: &Files) -> Vec<Vec<Hold>> {
    let holds = files.regions.iter().map(|(_, path)| usage(path).map(|usage| usage.holds));
    holds.map(Result::unwrap_or_default).collect()
}

/// Looks again and audits.
pub(super) fn examine(
    files: &Files,
    before: &[Vec<Hold>],
    found: &mut Vec<Finding>,
) -> Vec<Examined> {
    let mut examined = Vec::new();
    for ((name, path), before) in files.regions.iter().zip(before) {
        let usage = match usage(path) {
            Ok(usage) => usage,
            Err(error) => {
                found.push(unusable(path, &error));
                continue;
            }
        };
        held(name, &usage, before, found);
        limits(name, &usage, found);
        match check_file_in_use(path) {
            Ok(report) => {
                audit(name, &report, found);
                memory(name, &usage, &report, found);
                let backed = report.file_bytes - report.unbacked_bytes;
                examined.push(Examined { max_bytes: usage.max_bytes, backed });
            }
            Err(error) => found.push(unusable(path, &error)),
        }
    }
    examined
}

/// The same word in both looks, and nothing done in between.
fn held(name: &str, usage: &Usage, before: &[Hold], found: &mut Vec<Finding>) {
    for hold in usage.holds.iter().filter(|hold| before.contains(hold)) {
        let what = if hold.is_pin { "an owned guard" } else { "a guard" };
        found.push(
            Finding::new(Severity::Info, "held-segment", name)
                .what(format_args!(
                    "{what} of member {:#x} held segment {} all the time",
                    hold.member, hold.segment
                ))
                .remedy("a guard that is kept costs one segment; `vug stat` shows the oldest pin"),
        );
    }
}

fn limits(name: &str, usage: &Usage, found: &mut Vec<Finding>) {
    for (what, used, max) in [
        ("thread descriptors", usage.threads, usage.threads_max),
        ("places for members", usage.members, usage.members_max),
    ] {
        if used * 10 > max * 9 {
            found.push(
                Finding::new(Severity::Warning, "limits", name)
                    .what(format_args!("{used} of {max} {what} are in use"))
                    .remedy("use fewer threads or processes, or recover dead members"),
            );
        }
    }
}

fn audit(name: &str, report: &crate::check::Report, found: &mut Vec<Finding>) {
    found.push(
        Finding::new(Severity::Info, "format", name)
            .what(format_args!("format {FORMAT_VERSION}, {} entries", report.entries)),
    );
    let unmendable = report.problems.iter().filter(|problem| !problem.recoverable);
    for problem in unmendable.take(LISTED) {
        found.push(
            Finding::new(Severity::Critical, "damage", name)
                .what(format_args!("{}: {}", problem.place, problem.what))
                .remedy("save the entries with `vug export`, then make the region anew"),
        );
    }
    let mendable = report.problems.iter().filter(|problem| problem.recoverable).count();
    if mendable > 0 {
        found.push(
            Finding::new(Severity::Warning, "unfinished-work", name)
                .what(format_args!(
                    "{mendable} pieces of work of {} dead members",
                    report.dead_members
                ))
                .remedy("`vug recover` finishes or undoes them")
                .fixed_by(Fix::Recover),
        );
    }
}

fn memory(name: &str, usage: &Usage, report: &crate::check::Report, found: &mut Vec<Finding>) {
    let records = report.live_bytes + report.dead_bytes;
    // A few segments are always on the way from full to free.
    if report.dead_bytes > records / 2 && report.dead_bytes > 16 * usage.segment_bytes {
        let (dead, share) = (report.dead_bytes, report.dead_bytes * 100 / records);
        found.push(
            Finding::new(Severity::Info, "fragmentation", name)
                .what(format_args!("{dead} bytes, {share} % of the records, are dead"))
                .remedy("they are used again when memory is needed"),
        );
    }
    if usage.retired_tables > 0 {
        found.push(
            Finding::new(Severity::Info, "retired-table", name)
                .what(format_args!("{} replaced index tables have memory", usage.retired_tables))
                .remedy("they are freed when nobody who was in them is stopped"),
        );
    }
    let full = report.live_bytes + report.index_bytes;
    if full * 10 > usage.max_bytes * 9 {
        found.push(
            Finding::new(Severity::Warning, "full", name)
                .what(format_args!("{full} of {} bytes live", usage.max_bytes))
                .remedy("make the region anew with a larger max_bytes, or remove entries"),
        );
    }
}
