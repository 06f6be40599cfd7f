//! `vug incr`

use std::io::Write;

use vug::WriteOptions;

use super::{Context, stdout};
use crate::args::Incr;
use crate::bytes;
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Incr) -> Result<(), Failure> {
    let key = bytes::key(&args.key, args.hex)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let options = WriteOptions::ack_within(args.ack.ack_within);
    let sum = region.increment_with(&key, args.delta, &options)?;
    let mut out = stdout();
    let Some(format) = context.format else {
        let written = writeln!(out, "{sum}").and_then(|()| out.flush());
        return written.map_err(|cause| Failure::output(&cause));
    };
    let sheet = Sheet::record(vec![
        ("region", Cell::text(&args.region)),
        ("key", Cell::text(bytes::escaped(&key))),
        ("value", Cell::text(sum)),
    ]);
    sheet.write_record(&mut out, format)
}
