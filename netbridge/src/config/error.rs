//! What can be wrong with a configuration file.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A mistake in the configuration: where it is, what it is, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Line of the mistake, counted from 1; 0 if it has no place in the file.
    pub line: usize,
    /// Column of the mistake in characters, counted from 1; 0 if it has no place in the file.
    pub column: usize,
    /// The key at fault, for example `peer.address`; empty if no key can be named.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

impl ConfigError {
    /// Stable number of the error, printed as `VUG-0701`.
    pub fn code(&self) -> u16 {
        701
    }

    /// A mistake that has no place in the text.
    pub(super) fn in_file(file: &Path, problem: String, help: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            key: String::new(),
            problem,
            help: help.to_owned(),
        }
    }

    /// A mistake at the bytes `span` of `text`.
    pub(super) fn at(
        file: &Path,
        text: &str,
        span: Range<usize>,
        problem: String,
        help: String,
    ) -> Self {
        let start = span.start.min(text.len());
        let before = text.get(..start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: key_at(text, line_start),
            problem,
            help,
        }
    }
}

/// The dotted key of the assignment, or the table, on the line that starts at `line_start`.
fn key_at(text: &str, line_start: usize) -> String {
    let table_name = |line: &str| {
        let line = line.trim();
        line.starts_with('[').then(|| line.trim_matches(['[', ']', ' ']).to_owned())
    };
    let line = text[line_start..].lines().next().unwrap_or("");
    if let Some(table) = table_name(line) {
        return table;
    }
    let Some((key, _)) = line.split_once('=') else {
        return String::new();
    };
    let key = key.trim();
    match text[..line_start].lines().rev().find_map(table_name) {
        Some(table) => format!("{table}.{key}"),
        None => key.to_owned(),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line != 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for ConfigError {}
