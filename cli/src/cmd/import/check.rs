//! The first reading of a file: every row is looked at before any is written.

use std::io::Read;

use vug::Region;
use xxhash_rust::xxh3::xxh3_128;

use super::Job;
use super::faults::Faults;
use super::write::{Tally, too_large};
use crate::args::OnError;
use crate::failure::{Failure, code};
use crate::progress::Progress;
use crate::rows::{Row, Rows};
use crate::sort::{Sorted, Sorter};

/// Memory for finding duplicate keys; beyond that a temporary file is used.
const MEMORY: usize = 16 << 20;
/// Rows between two looks at what else happens.
const STEP: u64 = 512;

/// What the first reading found.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) tally: Tally,
    /// The lines to be left out because of their keys: line and first line of the key.
    pub(super) duplicates: Option<Sorted>,
}

pub(super) fn check<R: Read>(
    job: &Job<'_>,
    region: &Region,
    mut rows: Rows<R>,
    progress: &Progress,
    interrupted: &dyn Fn() -> bool,
) -> Result<Checked, Failure> {
    let mut faults = Faults::new(job.args, !job.args.dry_run)?;
    let mut seen = job.stops_at_duplicates().then(|| Sorter::new(MEMORY));
    let nothing = |failure: Failure| {
        progress.clear();
        failure.and("nothing was written")
    };
    let mut row = Row::default();
    let mut number = 0;
    while let Some(read) = rows.next(&mut row) {
        match read.and_then(|()| too_large(job, region, &row)) {
            Ok(()) => {
                number += 1;
                if let Some(seen) = &mut seen {
                    // 128 bits do not collide by chance.
                    let hash = xxh3_128(&row.key).to_be_bytes();
                    seen.push(&hash, &row.line.to_be_bytes()).map_err(nothing)?;
                }
            }
            Err(fault) => faults.take(fault, row.line, progress).map_err(nothing)?,
        }
        if number % STEP == 0 {
            progress.set(rows.place().offset, number);
            if interrupted() {
                return Err(nothing(was_interrupted("run it again")));
            }
        }
    }
    let skipped = faults.finish(progress).map_err(nothing)?;
    let mut checked = Checked::default();
    checked.tally.skipped = skipped;
    checked.tally.checked = number;
    if let Some(seen) = seen {
        let found = duplicates(job, seen.finish().map_err(nothing)?).map_err(nothing)?;
        checked.tally.skipped += found.count;
        checked.tally.checked -= found.count;
        checked.duplicates = Some(found.lines.finish().map_err(nothing)?);
    }
    progress.clear();
    Ok(checked)
}

pub(super) fn was_interrupted(help: &str) -> Failure {
    Failure::new(code::INTERRUPTED, "interrupted", help)
}

struct Duplicates {
    lines: Sorter,
    count: u64,
}

/// The rows whose key was there before; fails at the first in the file if they are not to be
/// skipped.
fn duplicates(job: &Job<'_>, mut seen: Sorted) -> Result<Duplicates, Failure> {
    let mut found = Duplicates { lines: Sorter::new(MEMORY), count: 0 };
    let (mut hash, mut line) = (Vec::new(), Vec::new());
    let (mut last, mut first) = (Vec::new(), Vec::new());
    let mut earliest: Option<(Vec<u8>, Vec<u8>)> = None;
    while seen.next(&mut hash, &mut line)? {
        if hash != last {
            last.clone_from(&hash);
            first.clone_from(&line);
            continue;
        }
        found.count += 1;
        found.lines.push(&line, &first)?;
        if earliest.as_ref().is_none_or(|(earliest, _)| line < *earliest) {
            earliest = Some((line.clone(), first.clone()));
        }
    }
    match earliest {
        Some((line, first)) if job.args.on_error == OnError::Stop => {
            Err(duplicate(job, &key_on(job, number(&line))?, number(&line), number(&first)))
        }
        _ => Ok(found),
    }
}

/// A line number as it was sorted.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Reads the file up to a line: only the hash of its key is left.
fn key_on(job: &Job<'_>, line: u64) -> Result<Vec<u8>, Failure> {
    let mut rows = job.reopen()?;
    let mut row = Row::default();
    while let Some(read) = rows.next(&mut row) {
        if read.is_ok() && row.line == line {
            return Ok(row.key);
        }
    }
    Ok(Vec::new())
}

pub(super) fn duplicate(job: &Job<'_>, key: &[u8], line: u64, first: u64) -> Failure {
    let at = job.choice.at(line);
    let key = crate::bytes::escaped(key);
    let text = format!("{at}: the key `{key}` was on line {first} already");
    let help = "choose another --key column, or let the last row win with --on-duplicate last";
    Failure::new(code::DUPLICATE, text, help)
}
