//! Import and export.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Acknowledge;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    Csv,
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    Stop,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnDuplicate {
    Stop,
    Last,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Region to write
    pub(crate) region: String,
    /// File to read; `-` is standard input
    pub(crate) file: PathBuf,
    /// Column (CSV) or field (JSON lines) that holds the key
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: String,
    /// Column or field that becomes the value [default: the whole row as a JSON object]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) value: Option<String>,
    /// Kind of the input [default: by the ending of the file's name]
    #[arg(long, value_enum)]
    pub(crate) from: Option<RowFormat>,
    /// What to do about a row that cannot be read
    #[arg(long, value_enum, default_value = "stop")]
    pub(crate) on_error: OnError,
    /// What to do when a key occurs twice; `stop` keeps 24 bytes of memory per key
    #[arg(long, value_enum, default_value = "stop")]
    pub(crate) on_duplicate: OnDuplicate,
    #[command(flatten)]
    pub(crate) ack: Acknowledge,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Region to read
    pub(crate) region: String,
    /// File to write [default: standard output]; replaced only when the export is complete
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Name of the key's column in CSV; left out when the values have a field of that name
    #[arg(long, value_name = "COLUMN", default_value = "key")]
    pub(crate) key: String,
}
