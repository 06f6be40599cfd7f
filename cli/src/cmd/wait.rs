//! `vug wait`

use std::time::Instant;

use vug::{Region, Token, Waited};

use super::{Context, stdout};
use crate::args::Wait;
use crate::bytes;
use crate::failure::{Failure, code};
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Wait) -> Result<(), Failure> {
    let key = bytes::key(&args.key, args.hex)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let now = change(&region, &key, args)?;
    // Success needs no words; who wants the version asks for a format.
    let Some(format) = context.format else {
        return Ok(());
    };
    let sheet = Sheet::record(vec![
        ("region", Cell::text(&args.region)),
        ("key", Cell::text(bytes::escaped(&key))),
        ("present", Cell::Flag(now.is_some())),
        ("version", Cell::Id(now.map_or(0, |token| token.version))),
        ("origin", Cell::Count(now.map_or(0, |token| token.origin.into()))),
    ]);
    sheet.write_record(&mut stdout(), format)
}

/// State of the key after the change.
fn change(region: &Region, key: &[u8], args: &Wait) -> Result<Option<Token>, Failure> {
    let now = region.token(key)?;
    let version = now.map_or(0, |token| token.version);
    if args.since.is_some_and(|since| since != version) {
        return Ok(now);
    }
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    match region.wait_for_change(key, now, deadline)? {
        Waited::Changed(token) => Ok(token),
        Waited::TimedOut => {
            let text = format!("{}: key `{}` did not change", args.region, bytes::escaped(key));
            Err(Failure::new(code::TIMED_OUT, text, "wait longer with --timeout"))
        }
    }
}
