//! `vug import`

mod check;
mod checkpoint;
mod faults;
mod write;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Instant;

use vug::Region;

use self::check::Checked;
use self::checkpoint::Checkpoint;
use self::write::{Tally, Writer};
use super::{Context, stdout};
use crate::args::{Import, OnDuplicate, OnError, RowFormat};
use crate::consent;
use crate::failure::{Failure, code};
use crate::interrupt::Interrupt;
use crate::progress::{Measure, Progress};
use crate::render::{Cell, Sheet, grouped};
use crate::rows::{Choice, CsvRows, DumpRows, JsonRows, Place, Rows};

pub(super) fn run(context: &Context, args: &Import) -> Result<(), Failure> {
    let job = Job::new(args)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    if args.replace {
        let (count, name) = (grouped(region.len()?), &args.region);
        let what = format!("remove all {count} entries of region {name}, then import");
        consent::ask(&what, args.yes)?;
    }
    let begin = Instant::now();
    let tally = if args.file.as_os_str() == "-" {
        job.stream(&region, io::stdin().lock())?
    } else {
        match open_file(&args.file)? {
            (file, Some(length)) => {
                drop(file);
                job.file(context, &region, length)?
            }
            (file, None) => job.stream(&region, file)?,
        }
    };
    job.summary(context, &tally, begin)
}

/// What is to be imported, and how.
struct Job<'a> {
    args: &'a Import,
    kind: RowFormat,
    choice: Choice,
}

/// The file, and its length if it is a regular one, which alone can be read a second time.
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

fn kind(args: &Import) -> Result<RowFormat, Failure> {
    if let Some(kind) = args.from {
        return Ok(kind);
    }
    match args.file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(RowFormat::Csv),
        Some("jsonl" | "ndjson") => Ok(RowFormat::Jsonl),
        Some("dump") => Ok(RowFormat::Dump),
        _ => Err(Failure::usage(
            format!("{}: the name does not say what the input is", args.file.display()),
            "add --from csv, --from jsonl or --from dump",
        )),
    }
}

impl<'a> Job<'a> {
    fn new(args: &'a Import) -> Result<Self, Failure> {
        let kind = kind(args)?;
        let input = if args.file.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            args.file.display().to_string()
        };
        let key = match (&args.key, kind) {
            (None, RowFormat::Dump) => "key",
            (Some(key), RowFormat::Csv | RowFormat::Jsonl) => key,
            (None, RowFormat::Csv | RowFormat::Jsonl) => {
                let help = "add --key COLUMN: a column of CSV, a field of JSON lines";
                return Err(Failure::usage("nothing says which column holds the key", help));
            }
            (Some(_), RowFormat::Dump) => {
                let help = "leave --key, --value, --no-header and --hex out";
                return Err(Failure::usage("a dump has no columns", help));
            }
        };
        if args.no_header && kind != RowFormat::Csv {
            return Err(Failure::usage("--no-header is for CSV", "leave it out"));
        }
        let choice = Choice {
            input,
            key: key.to_owned(),
            value: args.value.clone(),
            no_header: args.no_header,
            hex: args.hex,
        };
        Ok(Self { args, kind, choice })
    }

    fn open<R: Read>(&self, input: R) -> Result<Rows<R>, Failure> {
        let choice = self.choice.clone();
        match self.kind {
            RowFormat::Csv => CsvRows::open(input, choice).map(|rows| Rows::Csv(Box::new(rows))),
            RowFormat::Jsonl => Ok(Rows::Json(Box::new(JsonRows::open(input, choice)))),
            RowFormat::Dump => DumpRows::open(input, choice).map(|rows| Rows::Dump(Box::new(rows))),
        }
        .map_err(|fault| fault.failure.and("nothing was written"))
    }

    fn reopen(&self) -> Result<Rows<File>, Failure> {
        self.open(open_file(&self.args.file)?.0)
    }

    /// The rows from `place` on. The begin of the file is read all the same: it names the columns.
    fn reopen_at(&self, place: Place) -> Result<Rows<File>, Failure> {
        let rows = self.reopen()?;
        let (mut file, _) = open_file(&self.args.file)?;
        file.seek(SeekFrom::Start(place.offset))
            .map_err(|cause| Failure::input(&self.args.file, &cause))?;
        Ok(rows.go_on(file, place))
    }

    /// Reads once and writes at once.
    fn stream<R: Read>(&self, region: &Region, input: R) -> Result<Tally, Failure> {
        let args = self.args;
        if args.on_duplicate == Some(OnDuplicate::Stop) {
            return Err(self.needs_a_file("--on-duplicate stop looks at all keys first"));
        }
        if args.resume {
            return Err(self.needs_a_file("--resume reads on in the middle"));
        }
        let rows = self.open(input)?;
        let progress = Progress::new("writing", Measure::Bytes, None, 0, args.quiet);
        if args.dry_run {
            let checked = check::check(self, region, rows, &progress, &|| false)?;
            return Ok(checked.tally);
        }
        self.make_room(region)?;
        let mut writer = Writer::new(self, region, Tally::default())?;
        writer.write(rows, &progress)?;
        Ok(writer.tally)
    }

    fn needs_a_file(&self, why: &str) -> Failure {
        let text = format!("{}: it can be read only once, and {why}", self.choice.input);
        Failure::usage(text, "store it in a file, and import that")
    }

    /// Checks all rows, then writes them, and leaves a checkpoint when it is interrupted.
    fn file(&self, context: &Context, region: &Region, length: u64) -> Result<Tally, Failure> {
        let args = self.args;
        let interrupt = Interrupt::listen()?;
        let mut checkpoint = Checkpoint::new(self, context, region)?;
        let resumed = if args.resume { checkpoint.load()? } else { false };
        if args.resume && !resumed && !args.quiet {
            eprintln!("there is no checkpoint of {}: it begins at the start", self.choice.input);
        }
        let mut checked = Checked::default();
        if self.must_check(resumed) {
            let progress = Progress::new("checking", Measure::Bytes, Some(length), 0, args.quiet);
            checked =
                check::check(self, region, self.reopen()?, &progress, &|| interrupt.is_raised())?;
        }
        if args.dry_run {
            return Ok(checked.tally);
        }
        if !resumed {
            checkpoint.remove();
            self.make_room(region)?;
        }
        let (start, tally) = checkpoint.start();
        let rows = if start.offset > 0 { self.reopen_at(start)? } else { self.reopen()? };
        let progress =
            Progress::new("writing", Measure::Bytes, Some(length), start.offset, args.quiet);
        let mut writer = Writer::new(self, region, tally)?;
        writer.duplicates = checked.duplicates;
        writer.checkpoint = Some(checkpoint);
        writer.interrupt = Some(interrupt);
        writer.write(rows, &progress)?;
        Ok(writer.tally)
    }

    /// Everything that can be wrong with the rows is known by now.
    fn make_room(&self, region: &Region) -> Result<(), Failure> {
        if self.args.replace {
            region.clear()?;
        }
        Ok(())
    }

    /// Whether the file has to be read before it is written. What an earlier import checked is
    /// good, unless the rows with duplicate keys have to be known.
    fn must_check(&self, resumed: bool) -> bool {
        let needs_duplicates = self.stops_at_duplicates() && self.args.on_error == OnError::Skip;
        let has_a_reason = self.args.on_error == OnError::Stop || self.stops_at_duplicates();
        let asked = self.args.dry_run || (has_a_reason && !self.args.unchecked);
        asked && (!resumed || needs_duplicates)
    }

    fn stops_at_duplicates(&self) -> bool {
        let default = match self.kind {
            _ if self.args.unchecked => OnDuplicate::Last,
            RowFormat::Dump => OnDuplicate::Last,
            RowFormat::Csv | RowFormat::Jsonl => OnDuplicate::Stop,
        };
        self.args.on_duplicate.unwrap_or(default) == OnDuplicate::Stop
    }

    fn summary(&self, context: &Context, tally: &Tally, begin: Instant) -> Result<(), Failure> {
        let (args, elapsed) = (self.args, begin.elapsed());
        let rows = tally.written();
        if let Some(format) = context.format {
            let here = rows - tally.before;
            let sheet = Sheet::record(vec![
                ("region", Cell::text(&args.region)),
                ("rows", Cell::Count(if args.dry_run { tally.checked } else { rows })),
                ("created", Cell::Count(tally.created)),
                ("replaced", Cell::Count(tally.replaced)),
                ("skipped", Cell::Count(tally.skipped)),
                ("expired", Cell::Count(tally.expired)),
                ("resumed_after", Cell::Count(tally.before)),
                ("elapsed_ns", Cell::Nanos(elapsed.as_nanos() as u64)),
                ("rows_per_second", Cell::Rate(here as f64 / elapsed.as_secs_f64())),
            ]);
            sheet.write_record(&mut stdout(), format)?;
        } else if !args.quiet {
            eprintln!("{}", self.words(tally));
        }
        if tally.skipped == 0 {
            return Ok(());
        }
        let text = format!("{} rows were skipped", grouped(tally.skipped));
        Err(Failure::new(code::SKIPPED, text, "mend them and import the file again"))
    }

    fn words(&self, tally: &Tally) -> String {
        let (region, skipped) = (&self.args.region, grouped(tally.skipped));
        if self.args.dry_run {
            let rows = grouped(tally.checked);
            return format!("{rows} rows are good for {region}, {skipped} are not");
        }
        let [rows, created, replaced] =
            [tally.written(), tally.created, tally.replaced].map(grouped);
        let mut words = format!(
            "imported {rows} rows into {region} ({created} new, {replaced} replaced, \
             {skipped} skipped)"
        );
        if tally.expired > 0 {
            words.push_str(&format!("; {} had expired", grouped(tally.expired)));
        }
        if tally.before > 0 {
            words.push_str(&format!("; resumed after {}", grouped(tally.before)));
        }
        words
    }
}
