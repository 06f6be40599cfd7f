//! `vug put`

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use vug::WriteOptions;

use super::{Context, key_bytes, stdout};
use crate::args::Put;
use crate::failure::{Failure, code};
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: Put) -> Result<(), Failure> {
    let key = key_bytes(&args.key)?.to_vec();
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let value = value(args.value, args.file.as_deref())?;
    let mut options = WriteOptions::ack_within(args.ack.ack_within);
    options.ttl = args.ttl;
    let outcome = region.put_with(&key, &value, &options)?;
    // Success needs no words; who wants the version asks for a format.
    let Some(format) = context.format else {
        return Ok(());
    };
    let sheet = Sheet::record(vec![
        ("region", Cell::text(&args.region)),
        ("key", Cell::text(args.key.display())),
        ("version", Cell::Id(outcome.token.version)),
        ("origin", Cell::Count(outcome.token.origin.into())),
        ("created", Cell::Flag(outcome.created)),
    ]);
    sheet.write_record(&mut stdout(), format)
}

fn value(given: Option<OsString>, file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    if let Some(path) = file {
        return std::fs::read(path).map_err(|cause| Failure::input(path, &cause));
    }
    match given {
        Some(text) if text == "-" => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map_err(|cause| {
                let text = format!("standard input cannot be read: {cause}");
                Failure::new(code::INPUT, text, "look at what delivers the value")
            })?;
            Ok(bytes)
        }
        Some(text) => Ok(text.into_vec()),
        None => Err(Failure::usage("there is no value", "give VALUE, `-` or --file FILE")),
    }
}
