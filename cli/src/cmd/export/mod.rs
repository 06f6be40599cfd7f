//! `vug export`

mod columns;
mod file;
mod source;

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use vug::Region;

use self::source::Source;
use super::{Context, stdout};
use crate::args::{Export, ExportFormat};
use crate::dump::{DumpEntry, DumpWriter, FLAG_META, FLAG_SORTED};
use crate::entries::{Selection, Shape, Show};
use crate::failure::Failure;
use crate::progress::{Measure, Progress};
use crate::render::{Format, grouped, no_raw};

pub(super) fn run(context: &Context, args: &Export) -> Result<(), Failure> {
    let format = format(context, args)?;
    let selection = Selection::new(&args.selected, args.hex)?;
    if args.meta && matches!(format, ExportFormat::Csv | ExportFormat::Table) {
        let help = "choose --to dump or --to jsonl, or leave --meta out";
        return Err(Failure::usage("--meta is for dumps and JSON", help));
    }
    if args.value.is_some() && format != ExportFormat::Csv {
        return Err(Failure::usage("--value names a column of CSV", "add --to csv"));
    }
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    // Lines on a terminal and a bar would be in each other's way.
    let shown = args.output.is_none() && std::io::IsTerminal::is_terminal(&std::io::stdout());
    let job = Job { args, region: &region, selection, format, quiet: args.quiet || shown };
    let Some(path) = &args.output else {
        let mut out = stdout();
        job.write(&mut out)?;
        return out.flush().map_err(|cause| Failure::output(&cause));
    };
    let count = file::replace(path, |out| job.write(out))?;
    if !args.quiet {
        eprintln!("exported {} entries of {} to {}", grouped(count), args.region, path.display());
    }
    Ok(())
}

fn format(context: &Context, args: &Export) -> Result<ExportFormat, Failure> {
    if let Some(format) = args.to {
        return Ok(format);
    }
    let ending = args.output.as_ref().and_then(|path| path.extension()?.to_str());
    Ok(match (context.format, ending) {
        (Some(Format::Csv), _) | (None, Some("csv")) => ExportFormat::Csv,
        (None, Some("dump")) => ExportFormat::Dump,
        (Some(Format::Jsonl), _) | (None, _) => ExportFormat::Jsonl,
        (Some(Format::Json), _) => ExportFormat::Json,
        (Some(Format::Table), _) => ExportFormat::Table,
        (Some(Format::Raw), _) => return Err(no_raw()),
    })
}

/// What is to be exported, and how.
struct Job<'a> {
    args: &'a Export,
    region: &'a Region,
    selection: Selection,
    format: ExportFormat,
    quiet: bool,
}

impl Job<'_> {
    fn write(&self, out: &mut impl Write) -> Result<u64, Failure> {
        match (self.format, &self.args.value) {
            (ExportFormat::Csv, Some(name)) => columns::write_pairs(self, name, out),
            (ExportFormat::Csv, None) => columns::write_columns(self, out),
            (ExportFormat::Dump, _) => self.write_dump(out),
            (ExportFormat::Jsonl, _) => self.write_entries(Format::Jsonl, out),
            (ExportFormat::Json, _) => self.write_entries(Format::Json, out),
            (ExportFormat::Table, _) => self.write_entries(Format::Table, out),
        }
    }

    fn write_entries(&self, format: Format, out: &mut impl Write) -> Result<u64, Failure> {
        let Self { args, .. } = self;
        let shape = Shape { format, value: true, meta: args.meta, hex: args.hex, end: b'\n' };
        let mut show = Show::new(out, shape);
        self.source(None)?.each(self, |entry| show.push(&entry.shown()))?;
        show.finish()
    }

    fn write_dump(&self, out: &mut impl Write) -> Result<u64, Failure> {
        let failed = |cause: std::io::Error| Failure::output(&cause);
        let meta = if self.args.meta { FLAG_META } else { 0 };
        let flags = meta | if self.args.sort { FLAG_SORTED } else { 0 };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut dump = DumpWriter::new(out, flags, now.as_millis() as u64).map_err(failed)?;
        self.source(None)?.each(self, |entry| {
            let token = entry.token;
            dump.push(&DumpEntry {
                key: &entry.key,
                value: entry.value.as_deref().unwrap_or_default(),
                kind: token.kind as u8,
                token: self.args.meta.then_some((token.version, token.origin)),
                deadline: entry.expires,
            })
            .map_err(failed)
        })?;
        dump.finish().map_err(failed)
    }

    /// The entries, once `look` has seen them all, if there is something to be seen before.
    fn source(&self, look: Option<source::Look<'_>>) -> Result<Source, Failure> {
        Source::new(self, look)
    }

    fn progress(&self, verb: &'static str) -> Result<Progress, Failure> {
        let total = self.region.len()?;
        Ok(Progress::new(verb, Measure::Entries, Some(total), 0, self.quiet))
    }
}
