//! `vug scan`

use super::{Context, stdout};
use crate::args::Scan;
use crate::entries::{Selection, Shape, Show};
use crate::failure::Failure;

pub(super) fn run(context: &Context, args: &Scan) -> Result<(), Failure> {
    let hex = args.hex.hex;
    let selection = Selection::new(&args.selected, hex)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let end = if args.null { 0 } else { b'\n' };
    let shape = Shape { format: context.format(), value: !args.keys, meta: args.meta, hex, end };
    let mut show = Show::new(stdout(), shape);
    let limit = args.limit.map_or(usize::MAX, |limit| limit as usize);
    for entry in selection.of(&region, args.meta).take(limit) {
        show.push(&entry?.shown())?;
    }
    show.finish().map(|_| ())
}
