//! `vug scan`

use super::{Context, stdout};
use crate::args::Scan;
use crate::entries::{Selection, Shape, Show, Shown};
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
    for entry in selection.of(&region).take(limit) {
        let entry = entry?;
        show.push(&Shown { key: &entry.key, value: Some(&entry.value), token: Some(entry.token) })?;
    }
    show.finish().map(|_| ())
}
