//! `vug put`

use std::io::{self, Read};
use std::path::Path;

use vug::{PutIfAbsent, WriteOptions};

use super::{Context, stdout};
use crate::args::Put;
use crate::bytes;
use crate::failure::{Failure, code};
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Put) -> Result<(), Failure> {
    let key = bytes::key(&args.key, args.hex)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let value = value(args)?;
    if args.json {
        check_json(&value)?;
    }
    let mut options = WriteOptions::ack_within(args.ack.ack_within);
    options.ttl = args.ttl;
    let outcome = if args.if_absent {
        match region.put_if_absent_with(&key, &value, &options)? {
            PutIfAbsent::Created(outcome) => outcome,
            PutIfAbsent::Present { .. } => return Err(present(&args.region, &key)),
        }
    } else {
        region.put_with(&key, &value, &options)?
    };
    if !outcome.departed.is_empty() {
        let nodes = outcome.departed.nodes();
        eprintln!("note: nodes {nodes:?} left the cluster before they acknowledged this write");
    }
    // Success needs no words; who wants the version asks for a format.
    let Some(format) = context.format else {
        return Ok(());
    };
    let sheet = Sheet::record(vec![
        ("region", Cell::text(&args.region)),
        ("key", Cell::text(bytes::escaped(&key))),
        ("version", Cell::Id(outcome.token.version)),
        ("origin", Cell::Count(outcome.token.origin.into())),
        ("created", Cell::Flag(outcome.created)),
    ]);
    sheet.write_record(&mut stdout(), format)
}

fn value(args: &Put) -> Result<Vec<u8>, Failure> {
    match (&args.file, &args.value) {
        (Some(path), _) if path == Path::new("-") => standard_input(),
        (Some(path), _) => std::fs::read(path).map_err(|cause| Failure::input(path, &cause)),
        (None, Some(text)) if text == "-" => standard_input(),
        (None, Some(text)) => bytes::argument(text, args.hex, "value"),
        (None, None) => Err(Failure::usage("there is no value", "give VALUE, `-` or --file FILE")),
    }
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|cause| {
        let text = format!("standard input cannot be read: {cause}");
        Failure::new(code::INPUT, text, "look at what delivers the value")
    })?;
    Ok(bytes)
}

fn check_json(value: &[u8]) -> Result<(), Failure> {
    let parsed: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(value);
    parsed.map(|_| ()).map_err(|cause| {
        let text = format!("the value is not a JSON document: {cause}");
        Failure::new(code::JSON, text, "mend it, or leave --json out to store any bytes")
    })
}

fn present(region: &str, key: &[u8]) -> Failure {
    let text = format!("{region}: the key `{}` is there already", bytes::escaped(key));
    Failure::new(code::PRESENT, text, "leave --if-absent out to replace its value")
}
