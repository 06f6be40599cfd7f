//! `vug get`

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use vug::Token;

use super::{Context, key_bytes, no_key, stdout};
use crate::args::Get;
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Get) -> Result<(), Failure> {
    let key = key_bytes(&args.key)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let found = region.get(key)?;
    let guard = found.ok_or_else(|| no_key(&args.region, &args.key))?;
    match context.format {
        None => print_raw(&guard),
        Some(format) => {
            let sheet = describe(&args.region, &args.key, &guard, guard.token());
            sheet.write_record(&mut stdout(), format)
        }
    }
}

/// The bytes as they are; a terminal gets a line end, so that the prompt starts a new line.
fn print_raw(value: &[u8]) -> Result<(), Failure> {
    let mut out = stdout();
    let ends_line = value.last() == Some(&b'\n');
    let line_end: &[u8] = if io::stdout().is_terminal() && !ends_line { b"\n" } else { b"" };
    out.write_all(value)
        .and_then(|()| out.write_all(line_end))
        .and_then(|()| out.flush())
        .map_err(|cause| Failure::output(&cause))
}

fn describe(region: &str, key: &OsStr, value: &[u8], token: Token) -> Sheet {
    let (name, text) = match std::str::from_utf8(value) {
        Ok(text) => ("value", text.to_owned()),
        Err(_) => ("value_base64", BASE64.encode(value)),
    };
    Sheet::record(vec![
        ("region", Cell::text(region)),
        ("key", Cell::text(key.display())),
        ("version", Cell::Id(token.version)),
        ("origin", Cell::Count(token.origin.into())),
        ("value_bytes", Cell::Bytes(value.len() as u64)),
        (name, Cell::Text(text)),
    ])
}
