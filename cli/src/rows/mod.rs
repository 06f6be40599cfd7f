//! Rows of an input as keys and values, streamed, each fault with its place.

mod binary;
mod csv;
mod jsonl;
mod limit;

use std::io::Read;

pub(crate) use self::binary::DumpRows;
pub(crate) use self::csv::CsvRows;
pub(crate) use self::jsonl::JsonRows;
use crate::bytes::{MAX_KEY, from_hex};
use crate::failure::{Failure, code};

/// Longest row that is read; an unclosed quote would otherwise take the whole file into memory.
pub(crate) const MAX_ROW: u64 = 64 << 20;

/// One row, ready to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// Line of the file on which the row begins, from 1; of a dump, the number of the entry.
    pub(crate) line: u64,
    /// What a dump says beyond the value.
    pub(crate) state: State,
}

/// What becomes of an entry beside its value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The key is present and has no value.
    pub(crate) invalid: bool,
    /// When the entry expires by itself, in milliseconds since 1970.
    pub(crate) deadline: Option<u64>,
}

/// Where an input can be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes before it.
    pub(crate) offset: u64,
    /// Lines before it; of a dump, entries.
    pub(crate) lines: u64,
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
    /// The first line of CSV is a row; columns are named by their numbers.
    pub(crate) no_header: bool,
    /// The key, and the value if it is one column, are hexadecimal digits.
    pub(crate) hex: bool,
}

impl Choice {
    pub(crate) fn at(&self, line: u64) -> String {
        format!("{}:{line}", self.input)
    }

    /// Fills in the key and refuses what no region takes as one.
    fn set_key(&self, key: &[u8], hex: bool, row: &mut Row) -> Result<(), Fault> {
        self.set_bytes(key, hex, &self.key, row.line, &mut row.key)?;
        let length = row.key.len();
        if (1..=MAX_KEY).contains(&length) {
            return Ok(());
        }
        let at = self.at(row.line);
        let text = if length == 0 {
            format!("{at}: the key in `{}` is empty", self.key)
        } else {
            format!("{at}: the key in `{}` has {length} bytes", self.key)
        };
        let help = "keys have 1 to 65536 bytes: mend the row, or leave it out with --on-error skip";
        Err(Fault::of_row(Failure::new(code::FIELD, text, help)))
    }

    /// The bytes that a field means.
    fn set_bytes(
        &self,
        field: &[u8],
        hex: bool,
        name: &str,
        line: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        bytes.clear();
        if !hex {
            bytes.extend_from_slice(field);
            return Ok(());
        }
        *bytes = from_hex(field).map_err(|wrong| {
            let text = format!("{}: the field `{name}`: {wrong}", self.at(line));
            let help = "mend the row, leave it out with --on-error skip, or leave --hex out";
            Fault::of_row(Failure::new(code::FIELD, text, help))
        })?;
        Ok(())
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

/// Rows of any kind of input.
pub(crate) enum Rows<R: Read> {
    Csv(Box<CsvRows<R>>),
    Json(Box<JsonRows<R>>),
    Dump(Box<DumpRows<R>>),
}

impl<R: Read> Rows<R> {
    /// Fills in the next row; `None` at the end.
    pub(crate) fn next(&mut self, row: &mut Row) -> Option<Result<(), Fault>> {
        match self {
            Self::Csv(rows) => rows.next(row),
            Self::Json(rows) => rows.next(row),
            Self::Dump(rows) => rows.next(row),
        }
    }

    /// Goes on with another input, which stands at `place`.
    pub(crate) fn go_on(self, input: R, place: Place) -> Self {
        match self {
            Self::Csv(rows) => Self::Csv(Box::new(rows.go_on(input, place))),
            Self::Json(rows) => Self::Json(Box::new(rows.go_on(input, place))),
            Self::Dump(rows) => Self::Dump(Box::new(rows.go_on(input, place))),
        }
    }

    /// Where reading can go on so that nothing is left out. Of a dump the entries of the block
    /// that is being read come again.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Csv(rows) => rows.place(),
            Self::Json(rows) => rows.place(),
            Self::Dump(rows) => rows.place(),
        }
    }
}
