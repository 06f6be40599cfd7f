//! `vug clear` and `vug rm`: a region loses all its entries, or is no more.

use vug::Region;

use super::{Context, stdout};
use crate::args::Doomed;
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

pub(super) fn remove(context: &Context, args: &Doomed) -> Result<(), Failure> {
    let what = |name: &str, count: String| format!("destroy region {name} with {count} entries");
    doom(context, args, what, |region| {
        if args.local { region.local_destroy_region() } else { region.destroy_region() }
    })
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
