//! Audit of a region file: every byte accounted for.
//!
//! The audit reads the file through positioned reads and parses everything anew from the layout:
//! it shares no code with the table, the log and the recovery, so it does not share their mistakes.
//! It maps nothing, so no content of the file and no change of its length can raise a signal, and
//! it never touches segments that have no memory.
//!
//! Steps: header and region words; owners (attachments, thread descriptors) and whether they live;
//! segment states; the event ring; the index, which yields one reference per occupied slot; a
//! walk over the records of every segment that meets the references in order; keys twice in a
//! chain; the sum of all bytes.

#![forbid(unsafe_code)]

mod findings;
mod index;
mod judge;
mod owners;
mod records;
mod ring;
mod segments;
mod source;
pub(crate) mod usage;
mod words;

use std::path::{Path, PathBuf};

use crate::error::Result;
use findings::Findings;
use source::Source;

/// What an audit found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub file_bytes: u64,
    /// Header, region words, tables beside the segments, ring.
    pub header_bytes: u64,
    /// Segments of the index.
    pub index_bytes: u64,
    /// Records that the index refers to.
    pub live_bytes: u64,
    /// Records that it does not refer to any more.
    pub dead_bytes: u64,
    /// Memory that can be written.
    pub free_bytes: u64,
    /// Segments that have no memory yet.
    pub unbacked_bytes: u64,
    /// Visible entries.
    pub entries: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Members that are dead and not recovered in this region.
    pub dead_members: u32,
    /// What is wrong. At most 1,000 are listed; the last one then counts the others.
    pub problems: Vec<Problem>,
    /// What is unusual but right: work in progress, hints that are too low.
    pub notes: Vec<String>,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: String,
    /// What.
    pub what: String,
    /// Whether recovery of dead members mends it.
    pub recoverable: bool,
}

/// Audits of a file in use before what they all find is believed. Many, because in a small region
/// with quick writers the same place is on its way again and again.
const AGREEING: usize = 16;

/// [`check_file`] of a file that others may be writing to: only what several audits in a row find
/// at the same place counts as damage. A change that is made while an audit passes looks like
/// damage, but elsewhere each time. Figures are those of the first audit.
///
/// # Errors
/// As [`check_file`].
pub fn check_file_in_use(path: &Path) -> Result<Report> {
    let mut report = check_file(path)?;
    for _ in 1..AGREEING {
        if report.problems.iter().all(|problem| problem.recoverable) {
            break;
        }
        let again = check_file(path)?.problems;
        report.problems.retain(|problem| problem.recoverable || again.contains(problem));
    }
    Ok(report)
}

/// Audits a region file without joining its node. Exact only while nobody writes; see
/// [`check_file_in_use`].
///
/// Needs memory for 32 bytes per entry of the region.
///
/// # Errors
/// Those of the 1xx range if the file cannot be read as a region, `RegionNotFound`, `Io`.
pub fn check_file(path: &Path) -> Result<Report> {
    let source = Source::open(path)?;
    let mut found = Findings::default();
    let mut report = Report { path: path.into(), file_bytes: source.len(), ..Report::default() };
    let plan = words::header(&source, &mut found)?;
    let words = words::region(&source, &plan, &mut found)?;
    let owners = owners::read(&source, &plan, &words, &mut found)?;
    let segments = segments::read(&source, &plan, &words, &owners, &mut found)?;
    ring::check(&source, &plan, &words, &mut found)?;
    let mut references = index::scan(&source, &plan, &words, &segments, &owners, &mut found)?;
    records::walk(
        &source,
        &plan,
        &words,
        &segments,
        &owners,
        &mut references,
        &mut report,
        &mut found,
    )?;
    records::find_duplicates(&source, &plan, &segments, references, &mut found)?;
    report.dead_members = owners.dead_members();
    report.header_bytes = plan.geometry.segments_at;
    let sum = report.header_bytes
        + report.index_bytes
        + report.live_bytes
        + report.dead_bytes
        + report.free_bytes
        + report.unbacked_bytes;
    if sum != report.file_bytes {
        let file = report.file_bytes;
        found.problem("file", format_args!("{sum} bytes are accounted for, the file has {file}"));
    }
    (report.problems, report.notes) = found.finish();
    Ok(report)
}
