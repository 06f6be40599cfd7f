//! `vug clear` and `vug rm`: a region loses all its entries, or is no more.

use vug::Region;

use super::{Context, missing_region, stdout};
use crate::args::{Doomed, Rm};
use crate::consent;
use crate::failure::Failure;
use crate::render::{Cell, Sheet, grouped};

pub(super) fn clear(context: &Context, args: &Doomed) -> Result<(), Failure> {
    let what = |name: &str, count: String| format!("remove all {count} entries of region {name}");
    doom(
        context,
        args,
        what,
        |region| {
            if args.local { region.local_clear() } else { region.clear() }
        },
    )
}

pub(super) fn remove(context: &Context, args: &Rm) -> Result<(), Failure> {
    if args.file {
        return remove_file(context, &args.doomed);
    }
    let args = &args.doomed;
    let what = |name: &str, count: String| format!("destroy region {name} with {count} entries");
    doom(context, args, what, |region| {
        if args.local { region.local_destroy_region() } else { region.destroy_region() }
    })
}

/// Takes the name from the file of a region, whatever is in it.
fn remove_file(context: &Context, args: &Doomed) -> Result<(), Failure> {
    let node = context.node()?;
    let (name, home) = (&args.region, context.home.display());
    if !node.regions()?.contains(name) {
        // The library knows whether it is a name at all.
        return node.remove_region(name).map_err(|error| missing_region(error, name));
    }
    consent::ask(&format!("remove the file of region {name} in {home}"), args.yes)?;
    node.remove_region(name).map_err(|error| missing_region(error, name))?;
    let Some(format) = context.format else { return Ok(()) };
    let sheet = Sheet::record(vec![("region", Cell::text(name)), ("file", Cell::Flag(true))]);
    sheet.write_record(&mut stdout(), format)
}

fn doom(
    context: &Context,
    args: &Doomed,
    what: impl FnOnce(&str, String) -> String,
    act: impl FnOnce(&Region) -> vug::Result<()>,
) -> Result<(), Failure> {
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let (entries, name) = (region.len()?, &args.region);
    let home = context.home.display();
    consent::ask(&format!("{} in {home}", what(name, grouped(entries))), args.yes)?;
    act(&region)?;
    let Some(format) = context.format else { return Ok(()) };
    let sheet = Sheet::record(vec![
        ("region", Cell::text(name)),
        ("entries", Cell::Count(entries)),
        ("local", Cell::Flag(args.local)),
    ]);
    sheet.write_record(&mut stdout(), format)
}
