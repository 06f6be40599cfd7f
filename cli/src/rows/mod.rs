//! Rows of an input file as keys and values, streamed, each fault with its place.

mod csv;
mod jsonl;
mod limit;

use std::io::Read;

pub(crate) use self::csv::CsvRows;
pub(crate) use self::jsonl::JsonRows;
use crate::failure::{Failure, code};

/// A key of this many bytes is the longest that a region takes.
const MAX_KEY: usize = 65_536;
/// Longest row that is read; an unclosed quote would otherwise take the whole file into memory.
pub(crate) const MAX_ROW: u64 = 64 << 20;

/// One row, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// Line of the file on which the row begins, from 1.
    pub(crate) line: u64,
}

/// Why a row is not usable. After a fatal fault the input cannot be read on.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) failure: Failure,
    pub(crate) fatal: bool,
}

impl Fault {
    fn of_row(failure: Failure) -> Self {
        Self { failure, fatal: false }
    }

    fn fatal(failure: Failure) -> Self {
        Self { failure, fatal: true }
    }
}

/// Which column holds the key and which the value.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Name of the input as it appears in messages.
    pub(crate) input: String,
    pub(crate) key: String,
    /// `None`: the whole row as a JSON object.
    pub(crate) value: Option<String>,
}

impl Choice {
    fn at(&self, line: u64) -> String {
        format!("{}:{line}", self.input)
    }

    /// Refuses what no region takes as a key.
    fn check_key(&self, key: &[u8], line: u64) -> Result<(), Fault> {
        if (1..=MAX_KEY).contains(&key.len()) {
            return Ok(());
        }
        let text = if key.is_empty() {
            format!("{}: the key in `{}` is empty", self.at(line), self.key)
        } else {
            format!("{}: the key in `{}` has {} bytes", self.at(line), self.key, key.len())
        };
        let help = "keys have 1 to 65536 bytes: mend the row, or leave it out with --on-error skip";
        Err(Fault::of_row(Failure::new(code::FIELD, text, help)))
    }

    fn too_long(&self, line: u64) -> Fault {
        Fault::fatal(Failure::new(
            code::ROW_TOO_LONG,
            format!("{}: the row that begins here is longer than {} bytes", self.at(line), MAX_ROW),
            "look for a quotation mark that is not closed; store long values with `vug put --file`",
        ))
    }

    fn broken(&self, line: u64, cause: &dyn std::fmt::Display) -> Fault {
        Fault::fatal(Failure::new(
            code::INPUT,
            format!("{}: reading stopped: {cause}", self.at(line)),
            "look at the file and at what delivers it",
        ))
    }
}

/// Rows of either kind of input.
pub(crate) enum Rows<R: Read> {
    Csv(Box<CsvRows<R>>),
    Json(Box<JsonRows<R>>),
}

impl<R: Read> Rows<R> {
    /// The next row, `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Result<Row, Fault>> {
        match self {
            Self::Csv(rows) => rows.next(),
            Self::Json(rows) => rows.next(),
        }
    }

    /// Bytes taken from the input so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        match self {
            Self::Csv(rows) => rows.bytes_read(),
            Self::Json(rows) => rows.bytes_read(),
        }
    }
}
