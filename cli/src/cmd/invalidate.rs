//! `vug invalidate`

use super::{Context, no_key, stdout};
use crate::args::Invalidate;
use crate::bytes;
use crate::consent;
use crate::failure::Failure;
use crate::render::{Cell, Sheet, grouped};

pub(super) fn run(context: &Context, args: &Invalidate) -> Result<(), Failure> {
    let keys: Result<Vec<_>, _> = args.keys.iter().map(|key| bytes::key(key, args.hex)).collect();
    let keys = keys?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    if args.all {
        let (count, name) = (grouped(region.len()?), &args.region);
        let place = if args.local { " on this node" } else { "" };
        let what = format!("take the values of all {count} entries of region {name}{place}");
        consent::ask(&what, args.yes)?;
        let done =
            if args.local { region.local_invalidate_region() } else { region.invalidate_region() };
        return done.map_err(Failure::from);
    }
    let mut sheet = Sheet::new(&["region", "key", "present", "invalidated"]);
    let mut missing = Ok(());
    for key in &keys {
        let done = if args.local { region.local_invalidate(key) } else { region.invalidate(key) };
        let (present, invalidated) = match done {
            Ok(outcome) => (true, outcome.is_some()),
            Err(vug::Error::EntryNotFound { .. }) => {
                missing = missing.and(Err(no_key(&args.region, key)));
                (false, false)
            }
            Err(error) => return Err(error.into()),
        };
        sheet.push(vec![
            Cell::text(&args.region),
            Cell::text(bytes::escaped(key)),
            Cell::Flag(present),
            Cell::Flag(invalidated),
        ]);
    }
    if let Some(format) = context.format {
        sheet.write(&mut stdout(), format)?;
    }
    missing
}
