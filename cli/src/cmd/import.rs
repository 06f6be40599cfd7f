//! `vug import`

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vug::Region;
use xxhash_rust::xxh3::xxh3_128;

use super::{Context, stdout};
use crate::args::{Import, OnDuplicate, OnError, RowFormat};
use crate::entries::Writes;
use crate::failure::{Failure, code};
use crate::render::{Cell, Sheet, grouped};
use crate::rows::{Choice, CsvRows, Fault, JsonRows, Row, Rows};

/// So many bad rows are described; the rest is only counted.
const DESCRIBED: u64 = 10;

pub(super) fn run(context: &Context, args: &Import) -> Result<(), Failure> {
    let kind = kind(args)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let begin = Instant::now();
    let mut import = Pass::new(args, &region);
    if args.file.as_os_str() == "-" {
        import.read(open(io::stdin().lock(), kind, args)?, None, true)?;
    } else {
        let (file, length) = open_file(&args.file)?;
        // Only a regular file can be read a second time.
        if let Some(length) = length {
            import.read(open(file, kind, args)?, Some(("checking", length)), false)?;
            import = Pass { silent: true, ..Pass::new(args, &region) };
            let (file, _) = open_file(&args.file)?;
            import.read(open(file, kind, args)?, Some(("writing", length)), true)?;
        } else {
            import.read(open(file, kind, args)?, None, true)?;
        }
    }
    import.summary(context, begin.elapsed())
}

fn kind(args: &Import) -> Result<RowFormat, Failure> {
    if let Some(kind) = args.from {
        return Ok(kind);
    }
    match args.file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(RowFormat::Csv),
        Some("jsonl" | "ndjson") => Ok(RowFormat::Jsonl),
        _ => Err(Failure::usage(
            format!("{}: the name does not say what the input is", args.file.display()),
            "add --from csv or --from jsonl",
        )),
    }
}

/// The file, and its length if it is a regular one.
fn open_file(path: &Path) -> Result<(File, Option<u64>), Failure> {
    let failed = |cause: io::Error| Failure::input(path, &cause);
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if about.is_dir() {
        return Err(Failure::input(path, &io::ErrorKind::IsADirectory.into()));
    }
    let length = about.is_file().then_some(about.len());
    Ok((file, length))
}

fn open<R: Read>(input: R, kind: RowFormat, args: &Import) -> Result<Rows<R>, Failure> {
    let name = if args.file.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        args.file.display().to_string()
    };
    let choice = Choice { input: name, key: args.key.clone(), value: args.value.clone() };
    match kind {
        RowFormat::Csv => CsvRows::open(input, choice)
            .map(|rows| Rows::Csv(Box::new(rows)))
            .map_err(|fault| fault.failure.and("nothing was written")),
        RowFormat::Jsonl => Ok(Rows::Json(Box::new(JsonRows::open(input, choice)))),
    }
}

/// One way through the input: looks at every row, and writes it when asked to.
struct Pass<'a> {
    args: &'a Import,
    region: &'a Region,
    writes: Writes<'a>,
    /// Hash of every key seen and the line on which it was. 128 bits do not collide by chance.
    seen: HashMap<u128, u64>,
    created: u64,
    replaced: u64,
    skipped: u64,
    /// The faults were described by an earlier pass.
    silent: bool,
}

impl<'a> Pass<'a> {
    fn new(args: &'a Import, region: &'a Region) -> Self {
        let seen = HashMap::new();
        let writes = Writes::new(region, args.ack.ack_within);
        Self { args, region, writes, seen, created: 0, replaced: 0, skipped: 0, silent: false }
    }

    fn read<R: Read>(
        &mut self,
        mut rows: Rows<R>,
        progress: Option<(&'static str, u64)>,
        write: bool,
    ) -> Result<(), Failure> {
        let bar = progress.map_or_else(ProgressBar::hidden, |(verb, length)| bar(verb, length));
        let mut number = 0_u64;
        while let Some(row) = rows.next() {
            let done = row.and_then(|row| self.look_at(&row).map(|()| row));
            match done {
                Ok(row) if write => self.write(&row)?,
                Ok(_) => {}
                Err(fault) => self.skip_or_stop(fault, &bar)?,
            }
            number += 1;
            if number.is_multiple_of(256) {
                self.writes.settle()?;
                bar.set_position(rows.bytes_read());
            }
        }
        self.writes.settle()?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Finds what only the whole input or the region can tell about a row.
    fn look_at(&mut self, row: &Row) -> Result<(), Fault> {
        let max = self.region.max_value_len(row.key.len());
        if row.value.len() > max {
            let error = vug::Error::ValueTooLarge { len: row.value.len(), max };
            let place = format!("{}:{}", self.args.file.display(), row.line);
            let failure = Failure::from(error).and(format!("in the row at {place}"));
            return Err(Fault { failure, fatal: false });
        }
        if self.args.on_duplicate == OnDuplicate::Last {
            return Ok(());
        }
        match self.seen.insert(xxh3_128(&row.key), row.line) {
            None => Ok(()),
            Some(first) => {
                self.seen.insert(xxh3_128(&row.key), first);
                Err(self.duplicate(row, first))
            }
        }
    }

    fn duplicate(&self, row: &Row, first: u64) -> Fault {
        let text = format!(
            "{}:{}: the key `{}` was on line {first} already",
            self.args.file.display(),
            row.line,
            String::from_utf8_lossy(&row.key)
        );
        let help = "choose another --key column, or let the last row win with --on-duplicate last";
        Fault { failure: Failure::new(code::DUPLICATE, text, help), fatal: false }
    }

    fn write(&mut self, row: &Row) -> Result<(), Failure> {
        let created = self
            .writes
            .put(&row.key, &row.value, None)
            .map_err(|error| Failure::from(error).and(self.progress(row.line)))?;
        if created {
            self.created += 1;
        } else {
            self.replaced += 1;
        }
        Ok(())
    }

    fn progress(&self, line: u64) -> String {
        format!("stopped at line {line}, {} rows were written", self.written())
    }

    fn written(&self) -> u64 {
        self.created + self.replaced
    }

    fn skip_or_stop(&mut self, fault: Fault, bar: &ProgressBar) -> Result<(), Failure> {
        if fault.fatal || self.args.on_error == OnError::Stop {
            bar.finish_and_clear();
            let written = self.written();
            return Err(fault.failure.and(match written {
                0 => "nothing was written".to_owned(),
                _ => format!("{} rows before it were written", grouped(written)),
            }));
        }
        self.skipped += 1;
        if !self.silent && self.skipped <= DESCRIBED {
            bar.suspend(|| eprintln!("skipped: {}", fault.failure.text()));
        }
        Ok(())
    }

    fn summary(&self, context: &Context, elapsed: Duration) -> Result<(), Failure> {
        if let Some(format) = context.format {
            let sheet = Sheet::record(vec![
                ("region", Cell::text(&self.args.region)),
                ("rows", Cell::Count(self.written())),
                ("created", Cell::Count(self.created)),
                ("replaced", Cell::Count(self.replaced)),
                ("skipped", Cell::Count(self.skipped)),
                ("elapsed_ns", Cell::Nanos(elapsed.as_nanos() as u64)),
            ]);
            sheet.write_record(&mut stdout(), format)?;
        } else {
            eprintln!(
                "imported {} rows into {} ({} new, {} replaced, {} skipped)",
                grouped(self.written()),
                self.args.region,
                grouped(self.created),
                grouped(self.replaced),
                grouped(self.skipped)
            );
        }
        if self.skipped == 0 {
            return Ok(());
        }
        let text = format!("{} rows were skipped", grouped(self.skipped));
        Err(Failure::new(code::SKIPPED, text, "mend them and import the file again"))
    }
}

/// A bar on standard error; nothing is drawn when that is no terminal.
fn bar(verb: &'static str, length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template = "{msg} [{bar:40}] {bytes}/{total_bytes} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_message(verb)
}
