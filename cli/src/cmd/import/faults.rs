//! Rows that cannot be used: they stop the import, or are left out and reported.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use serde_json::json;

use crate::args::{Import, OnError};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::render::grouped;
use crate::rows::Fault;

/// So many bad rows are described; the rest is only counted.
const DESCRIBED: u64 = 10;

/// What becomes of bad rows.
pub(super) struct Faults<'a> {
    args: &'a Import,
    report: Option<BufWriter<File>>,
    /// A later pass describes them.
    pub(super) silent: bool,
    count: u64,
}

impl<'a> Faults<'a> {
    pub(super) fn new(args: &'a Import, silent: bool) -> Result<Self, Failure> {
        let report = match &args.report {
            Some(path) if !silent => Some(BufWriter::new(
                File::create(path).map_err(|cause| Failure::output(&cause).of_file(path))?,
            )),
            _ => None,
        };
        Ok(Self { args, report, silent, count: 0 })
    }

    /// Leaves the row out, or fails.
    pub(super) fn take(
        &mut self,
        fault: Fault,
        line: u64,
        progress: &Progress,
    ) -> Result<(), Failure> {
        if fault.fatal || self.args.on_error == OnError::Stop {
            return Err(fault.failure);
        }
        self.count += 1;
        if self.silent {
            return Ok(());
        }
        if self.count <= DESCRIBED {
            progress.say(&format!("skipped: {}", fault.failure.text()));
        }
        self.note(&fault, line).map_err(|cause| self.not_reported(&cause))
    }

    fn note(&mut self, fault: &Fault, line: u64) -> io::Result<()> {
        let Some(report) = &mut self.report else { return Ok(()) };
        let (text, help) = (fault.failure.text(), fault.failure.help());
        writeln!(report, "{}", json!({ "line": line, "error": text, "help": help }))
    }

    fn not_reported(&self, cause: &io::Error) -> Failure {
        let failure = Failure::output(cause);
        self.args.report.as_ref().map_or(failure.clone(), |path| failure.of_file(path))
    }

    /// Says how many there were beyond those that were described.
    pub(super) fn finish(&mut self, progress: &Progress) -> Result<u64, Failure> {
        if !self.silent && self.count > DESCRIBED {
            let more = grouped(self.count - DESCRIBED);
            let hint = if self.report.is_some() { "" } else { "; --report FILE names them all" };
            progress.say(&format!("skipped: {more} more rows{hint}"));
        }
        if let Some(report) = &mut self.report {
            report.flush().map_err(|cause| self.not_reported(&cause))?;
        }
        Ok(self.count)
    }
}
