//! The entries of an export, as the region has them or in order.

use std::mem::swap;

use vug::{Kind, Token};

use super::Job;
use crate::entries::Listed;
use crate::failure::Failure;
use crate::sort::{Sorted, Sorter};

/// Entries between two looks at the progress.
const STEP: u64 = 512;
/// Version, origin, kind and expiry before each value that is sorted.
const HEAD: usize = 19;

/// Sees every entry before any is written.
pub(super) type Look<'l> = &'l mut dyn FnMut(&Listed) -> Result<(), Failure>;

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
        for (entry, number) in job.selection.of(job.region, job.args.meta).zip(1..) {
            let entry = entry?;
            if let Some(look) = &mut look {
                look(&entry)?;
            }
            if let Some(sorter) = &mut sorter {
                pack(&entry, &mut value);
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
        mut visit: impl FnMut(&Listed) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let progress = job.progress("writing")?;
        let mut count = 0;
        let mut counted = |entry: &Listed| {
            count += 1;
            if count % STEP == 0 {
                progress.set(count, count);
            }
            visit(entry)
        };
        match self {
            Self::Region => {
                for entry in job.selection.of(job.region, job.args.meta) {
                    counted(&entry?)?;
                }
            }
            Self::Sorted(sorted) => in_order(sorted, &mut counted)?,
        }
        progress.clear();
        Ok(count)
    }
}

/// What is sorted with a key. An expiry of 0 is none.
fn pack(entry: &Listed, packed: &mut Vec<u8>) {
    packed.clear();
    packed.extend(entry.token.version.to_le_bytes());
    packed.extend(entry.token.origin.to_le_bytes());
    packed.push(entry.token.kind as u8);
    packed.extend(entry.expires.unwrap_or(0).to_le_bytes());
    packed.extend_from_slice(entry.value.as_deref().unwrap_or_default());
}

/// The inverse of [`pack`].
fn unpack(packed: &[u8], entry: &mut Listed) {
    let number = |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| packed[at + i]));
    entry.token.version = number(0);
    entry.token.origin = u16::from_le_bytes([packed[8], packed[9]]);
    entry.token.kind = match packed[10] {
        1 => Kind::Value,
        2 => Kind::Invalid,
        _ => Kind::LocalInvalid,
    };
    entry.expires = Some(number(11)).filter(|expires| *expires != 0);
    let value = entry.value.get_or_insert_default();
    value.clear();
    value.extend_from_slice(&packed[HEAD..]);
    if entry.token.kind != Kind::Value {
        entry.value = None;
    }
}

/// Every key once: of several states that a walk met, the newest.
fn in_order(
    mut sorted: Sorted,
    visit: &mut impl FnMut(&Listed) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let token = Token { version: 0, origin: 0, kind: Kind::Value };
    let mut next = Listed { key: Vec::new(), value: None, token, expires: None };
    let mut held = next.clone();
    let mut packed = Vec::new();
    while sorted.next(&mut next.key, &mut packed)? {
        unpack(&packed, &mut next);
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
