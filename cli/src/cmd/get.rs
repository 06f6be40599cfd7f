//! `vug get`

use std::io::{self, IsTerminal, Write};

use vug::{Region, Token};

use super::{Context, no_key, stdout};
use crate::args::Get;
use crate::bytes::{self, to_hex};
use crate::entries::{Listed, Shape, Show, Shown};
use crate::failure::{Failure, code, exit};
use crate::render::{Cell, Format, Sheet};

pub(super) fn run(context: &Context, args: &Get) -> Result<(), Failure> {
    let keys: Result<Vec<_>, _> =
        args.keys.iter().map(|key| bytes::key(key, args.hex.hex)).collect();
    let keys = keys?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    match (&keys[..], context.format) {
        ([key], None) if !args.meta => print(&region, args, key),
        ([key], None | Some(Format::Table)) => describe(&region, args, key),
        ([key], Some(Format::Raw)) => print(&region, args, key),
        ([key], Some(Format::Json)) => {
            let found = Found::read(&region, args, key)?;
            let shape = shape(args, Format::Jsonl);
            let mut show = Show::new(stdout(), shape);
            show.push(&found.present(args, key)?)?;
            show.finish().map(|_| ())
        }
        _ => list(context, &region, args, &keys),
    }
}

/// What a key has. Looking at more than the value does not count as an access.
struct Found {
    token: Option<Token>,
    value: Option<Vec<u8>>,
    expires: Option<u64>,
}

impl Found {
    fn read(region: &Region, args: &Get, key: &[u8]) -> Result<Self, Failure> {
        if args.meta {
            let known = region.entry(key)?.map(|entry| Listed::known(Vec::new(), entry));
            return Ok(known.map_or(Self::nothing(), |entry| Self {
                token: Some(entry.token),
                value: entry.value,
                expires: entry.expires,
            }));
        }
        let mut value = Vec::new();
        if let Some(token) = region.get_into(key, &mut value)? {
            return Ok(Self { token: Some(token), value: Some(value), expires: None });
        }
        Ok(Self { token: region.token(key)?, ..Self::nothing() })
    }

    fn nothing() -> Self {
        Self { token: None, value: None, expires: None }
    }

    fn shown<'a>(&'a self, key: &'a [u8]) -> Shown<'a> {
        Shown { key, value: self.value.as_deref(), token: self.token, expires: self.expires }
    }

    fn present<'a>(&'a self, args: &Get, key: &'a [u8]) -> Result<Shown<'a>, Failure> {
        match self.token {
            Some(_) => Ok(self.shown(key)),
            None => Err(no_key(&args.region, key)),
        }
    }
}

fn shape(args: &Get, format: Format) -> Shape {
    let end = if args.null { 0 } else { b'\n' };
    let value = !args.meta || !matches!(format, Format::Table);
    Shape { format, value, meta: args.meta, hex: args.hex.hex, end }
}

/// The bytes as they are; a terminal gets a line end, so that the prompt starts a new line.
fn print(region: &Region, args: &Get, key: &[u8]) -> Result<(), Failure> {
    let found = Found::read(region, args, key)?;
    let shown = found.present(args, key)?;
    let value = shown.value.ok_or_else(|| no_value(&args.region, &shown))?;
    let value = if args.hex.hex { to_hex(value).into_bytes() } else { value.to_vec() };
    let mut out = stdout();
    let ends_line = value.last() == Some(&b'\n');
    let wants_end = args.hex.hex || (io::stdout().is_terminal() && !ends_line);
    out.write_all(&value)
        .and_then(|()| out.write_all(if wants_end { b"\n" } else { b"" }))
        .and_then(|()| out.flush())
        .map_err(|cause| Failure::output(&cause))
}

fn no_value(region: &str, entry: &Shown<'_>) -> Failure {
    let (key, kind) = (bytes::escaped(entry.key), entry.kind().unwrap_or("absent"));
    let text = format!("{region}: the key `{key}` has no value: its entry is {kind}");
    let help = "it was invalidated: whoever knows the value puts it again";
    Failure::new(code::NO_KEY, text, help).with_exit(exit::NOT_FOUND)
}

/// One entry, a line per property.
fn describe(region: &Region, args: &Get, key: &[u8]) -> Result<(), Failure> {
    let found = Found::read(region, args, key)?;
    let shown = found.present(args, key)?;
    let text =
        |bytes: &[u8]| Cell::Text(if args.hex.hex { to_hex(bytes) } else { bytes::escaped(bytes) });
    let token = shown.token;
    let mut pairs = vec![
        ("region", Cell::text(&args.region)),
        ("key", text(key)),
        ("kind", shown.kind().map_or(Cell::Empty, Cell::text)),
        ("version", token.map_or(Cell::Empty, |token| Cell::Id(token.version))),
        ("origin", token.map_or(Cell::Empty, |token| Cell::Count(token.origin.into()))),
        ("key_bytes", Cell::Bytes(key.len() as u64)),
        ("value_bytes", shown.value.map_or(Cell::Empty, |v| Cell::Bytes(v.len() as u64))),
    ];
    if args.meta {
        pairs.push(("expires_ms", shown.expires.map_or(Cell::Empty, Cell::Id)));
    } else {
        pairs.push(("value", shown.value.map_or(Cell::Empty, text)));
    }
    Sheet::record(pairs).write_record(&mut stdout(), Format::Table)
}

/// Several entries, or one in a format for programs.
fn list(context: &Context, region: &Region, args: &Get, keys: &[Vec<u8>]) -> Result<(), Failure> {
    let default = if args.meta { Format::Table } else { Format::Raw };
    let mut show = Show::new(stdout(), shape(args, context.format.unwrap_or(default)));
    let mut missing = Ok(());
    for key in keys {
        let found = Found::read(region, args, key)?;
        if found.token.is_none() {
            missing = missing.and(Err(no_key(&args.region, key)));
        }
        show.push(&found.shown(key))?;
    }
    show.finish()?;
    missing
}
