//! `vug del`

use vug::WriteOptions;

use super::{Context, key_bytes, no_key, stdout};
use crate::args::Del;
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Del) -> Result<(), Failure> {
    // All keys are looked at first: an impossible one must not leave the job half done.
    for key in &args.keys {
        key_bytes(key)?;
    }
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let options = WriteOptions::ack_within(args.ack.ack_within);
    let mut sheet = Sheet::new(&["region", "key", "removed"]);
    let mut missing = None;
    for key in &args.keys {
        let removed = region.remove_with(key_bytes(key)?, &options)?.is_some();
        if !removed {
            missing.get_or_insert_with(|| no_key(&args.region, key));
        }
        let key = Cell::text(key.display());
        sheet.push(vec![Cell::text(&args.region), key, Cell::Flag(removed)]);
    }
    if let Some(format) = context.format {
        sheet.write(&mut stdout(), format)?;
    }
    missing.map_or(Ok(()), Err)
}
