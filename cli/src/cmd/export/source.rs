//! The entries of an export, as the region has them or in order.

use std::mem::swap;

use vug::{Entry, Kind, Token};

use super::Job;
use crate::failure::Failure;
use crate::sort::{Sorted, Sorter};

/// Entries between two looks at the progress.
const STEP: u64 = 512;
/// Version and origin before each value that is sorted.
const HEAD: usize = 10;

/// Sees every entry before any is written.
pub(super) type Look<'l> = &'l mut dyn FnMut(&Entry) -> Result<(), Failure>;

/// Where the entries come from.
pub(super) enum Source {
    Region,
    Sorted(Sorted),
}

impl Source {
    pub(super) fn new(job: &Job<'_>, mut look: Option<Look<'_>>) -> Result<Self, Failure> {
        let mut sorter = job.args.sort.then(|| Sorter::new(job.args.sort_memory as usize));
        if look.is_none() && sorter.is_none() {
            return Ok(Self::Region);
        }
        let progress = job.progress(if sorter.is_some() { "sorting" } else { "looking" })?;
        let mut value = Vec::new();
        for (entry, number) in job.selection.of(job.region).zip(1..) {
            let entry = entry?;
            if let Some(look) = &mut look {
                look(&entry)?;
            }
            if let Some(sorter) = &mut sorter {
                value.clear();
                value.extend(entry.token.version.to_be_bytes());
                value.extend(entry.token.origin.to_be_bytes());
                value.extend_from_slice(&entry.value);
                sorter.push(&entry.key, &value)?;
            }
            if number % STEP == 0 {
                progress.set(number, number);
            }
        }
        progress.clear();
        Ok(match sorter {
            Some(sorter) => Self::Sorted(sorter.finish()?),
            None => Self::Region,
        })
    }

    /// Visits every entry; how many there were.
    pub(super) fn each(
        self,
        job: &Job<'_>,
        mut visit: impl FnMut(&Entry) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let progress = job.progress("writing")?;
        let mut count = 0;
        let mut counted = |entry: &Entry| {
            count += 1;
            if count % STEP == 0 {
                progress.set(count, count);
            }
            visit(entry)
        };
        match self {
            Self::Region => {
                for entry in job.selection.of(job.region) {
                    counted(&entry?)?;
                }
            }
            Self::Sorted(sorted) => in_order(sorted, &mut counted)?,
        }
        progress.clear();
        Ok(count)
    }
}

/// Every key once: of several states that a walk met, the newest.
fn in_order(
    mut sorted: Sorted,
    visit: &mut impl FnMut(&Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let token = Token { version: 0, origin: 0, kind: Kind::Value };
    let mut next = Entry { key: Vec::new(), value: Vec::new(), token };
    let mut held = next.clone();
    while sorted.next(&mut next.key, &mut next.value)? {
        let (mut version, mut origin) = ([0; 8], [0; 2]);
        version.copy_from_slice(&next.value[..8]);
        origin.copy_from_slice(&next.value[8..HEAD]);
        next.token.version = u64::from_be_bytes(version);
        next.token.origin = u16::from_be_bytes(origin);
        next.value.drain(..HEAD);
        // No key is empty, so an empty one is none.
        if next.key == held.key && next.token < held.token {
            continue;
        }
        if next.key != held.key && !held.key.is_empty() {
            visit(&held)?;
        }
        swap(&mut held, &mut next);
    }
    if held.key.is_empty() { Ok(()) } else { visit(&held) }
}
