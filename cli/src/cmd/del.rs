//! `vug del`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use vug::{Region, WriteOptions};

use super::{Context, no_key, stdout};
use crate::args::Del;
use crate::bytes;
use crate::consent;
use crate::entries::Selection;
use crate::failure::{Failure, code};
use crate::render::{Cell, Sheet, grouped};

/// So many removals wait for the other nodes together.
const BATCH: usize = 1024;

pub(super) fn run(context: &Context, args: &Del) -> Result<(), Failure> {
    // All keys are looked at first: an impossible one must not leave the job half done.
    let keys: Result<Vec<_>, _> = args.keys.iter().map(|key| bytes::key(key, args.hex)).collect();
    let keys = keys?;
    let selection = Selection::new(&args.selected, args.hex)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    match &args.keys_from {
        Some(path) => listed(context, args, &region, path),
        None if keys.is_empty() => selected(context, args, &region, &selection),
        None => named(context, args, &region, &keys),
    }
}

/// Keys that stand on the command line, each of which should be there.
fn named(context: &Context, args: &Del, region: &Region, keys: &[Vec<u8>]) -> Result<(), Failure> {
    let mut sheet = Sheet::new(&["region", "key", "removed"]);
    let mut missing = Ok(());
    let found = if args.dry_run {
        keys.iter().map(|key| region.contains_key(key)).collect::<Result<Vec<_>, _>>()?
    } else {
        let removed = region.remove_all_with(keys, &options(args))?.all()?;
        removed.iter().map(Option::is_some).collect()
    };
    for (key, found) in keys.iter().zip(found) {
        if !found {
            missing = missing.and(Err(no_key(&args.region, key)));
        }
        let removed = Cell::Flag(found && !args.dry_run);
        sheet.push(vec![Cell::text(&args.region), Cell::text(bytes::escaped(key)), removed]);
    }
    if let Some(format) = context.format {
        sheet.write(&mut stdout(), format)?;
    }
    missing
}

/// Keys by prefix or pattern: counted first, so that the question can say how many.
fn selected(
    context: &Context,
    args: &Del,
    region: &Region,
    selection: &Selection,
) -> Result<(), Failure> {
    let mut count = 0_u64;
    for entry in selection.of(region, false) {
        entry?;
        count += 1;
    }
    if count == 0 || args.dry_run {
        return told(context, args, count);
    }
    let (number, name) = (grouped(count), &args.region);
    consent::ask(&format!("remove {number} entries from {name}: {selection}"), args.yes)?;
    let keys = selection.of(region, false).map(|entry| Ok(entry?.key));
    let removed = remove_all(args, region, keys)?;
    told(context, args, removed)
}

/// Keys that a file names, one per line.
fn listed(context: &Context, args: &Del, region: &Region, path: &Path) -> Result<(), Failure> {
    if !args.dry_run {
        let from = path.display();
        let what = format!("remove the entries that {from} names from {}", args.region);
        consent::ask(&what, args.yes)?;
    }
    let input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|cause| Failure::input(path, &cause))?))
    };
    let lines = input.split(b'\n').zip(1_u64..).filter_map(|(line, number)| {
        let line = match line {
            Ok(line) => line,
            Err(cause) => return Some(Err(Failure::input(path, &cause))),
        };
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        (!line.is_empty()).then(|| line_key(args, path, line, number))
    });
    let removed = if args.dry_run {
        let mut present = 0;
        for key in lines {
            present += u64::from(region.contains_key(&key?)?);
        }
        present
    } else {
        remove_all(args, region, lines)?
    };
    told(context, args, removed)
}

fn line_key(args: &Del, path: &Path, line: &[u8], number: u64) -> Result<Vec<u8>, Failure> {
    let at = |what: &str| {
        let text = format!("{}:{number}: {what}", path.display());
        let help = "each line holds one key of 1 to 65536 bytes; with --hex as digits";
        Failure::new(code::FIELD, text, help)
    };
    let key =
        if args.hex { bytes::from_hex(line).map_err(|wrong| at(&wrong))? } else { line.to_vec() };
    if key.len() > bytes::MAX_KEY {
        return Err(at(&format!("the key has {} bytes", key.len())));
    }
    Ok(key)
}

fn options(args: &Del) -> WriteOptions {
    WriteOptions::ack_within(args.ack.ack_within)
}

fn remove_all(
    args: &Del,
    region: &Region,
    mut keys: impl Iterator<Item = Result<Vec<u8>, Failure>>,
) -> Result<u64, Failure> {
    let mut removed = 0;
    let so_far = |failure: Failure, removed: u64| {
        failure.and(format!("{} entries were removed before", grouped(removed)))
    };
    loop {
        let (mut batch, mut wrong) = (Vec::with_capacity(BATCH), None);
        for key in keys.by_ref().take(BATCH) {
            match key {
                Ok(key) => batch.push(key),
                Err(failure) => {
                    wrong = Some(failure);
                    break;
                }
            }
        }
        // What is before a bad key is removed all the same.
        let done = region.remove_all_with(&batch, &options(args));
        let done = done.map_err(|error| so_far(error.into(), removed))?;
        removed += done.results.iter().filter(|one| matches!(one, Ok(Some(_)))).count() as u64;
        done.all().map_err(|error| so_far(error.into(), removed))?;
        if let Some(failure) = wrong {
            return Err(so_far(failure, removed));
        }
        if batch.len() < BATCH {
            return Ok(removed);
        }
    }
}

fn told(context: &Context, args: &Del, count: u64) -> Result<(), Failure> {
    let Some(format) = context.format else {
        let verb = if args.dry_run { "would remove" } else { "removed" };
        eprintln!("{verb} {} entries of {}", grouped(count), args.region);
        return Ok(());
    };
    let removed = if args.dry_run { 0 } else { count };
    let sheet = Sheet::record(vec![
        ("region", Cell::text(&args.region)),
        ("found", Cell::Count(count)),
        ("removed", Cell::Count(removed)),
    ]);
    sheet.write_record(&mut stdout(), format)
}
