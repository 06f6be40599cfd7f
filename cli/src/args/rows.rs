//! Import and export.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Acknowledge, Selected, parse_duration, parse_size};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    Csv,
    Jsonl,
    Dump,
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
    /// Column (CSV, by name or by number from 1) or field (JSON lines) that holds the key
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,
    /// Column or field that becomes the value [default: the whole row as a JSON object]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) value: Option<String>,
    /// Kind of the input [default: by the ending of the file's name: csv, jsonl, ndjson, dump]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) from: Option<RowFormat>,
    /// The first line of a CSV file is a row; its columns are 1, 2, 3
    #[arg(long)]
    pub(crate) no_header: bool,
    /// The key, and with --value the value, are hexadecimal digits
    #[arg(long)]
    pub(crate) hex: bool,
    /// What to do about a row that cannot be read
    #[arg(long, value_enum, value_name = "ACTION", default_value = "stop")]
    pub(crate) on_error: OnError,
    /// What to do when a key occurs twice [default: stop; last for standard input and dumps]
    #[arg(long, value_enum, value_name = "ACTION")]
    pub(crate) on_duplicate: Option<OnDuplicate>,
    /// Write every row that is skipped, with line and reason, as JSON lines to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Go on where an interrupted import of the same file stopped
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) resume: bool,
    /// Read and check everything, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write rows as they are read, without reading the file once before
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) unchecked: bool,
    /// The entries expire after that time, such as 500ms, 10s, 2m, 1h [default: as the region says]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) ttl: Option<Duration>,
    /// Remove all entries of the region before the first row is written
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) replace: bool,
    /// Replace without asking
    #[arg(long, requires = "replace")]
    pub(crate) yes: bool,
    /// No progress bar and no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) ack: Acknowledge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Csv,
    Jsonl,
    Json,
    Dump,
    Table,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Region to read
    pub(crate) region: String,
    /// File to write [default: standard output]; replaced only when the export is complete
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Kind of the output [default: --format, else by the ending of the file's name, else jsonl]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) to: Option<ExportFormat>,
    /// Name of the key's column in CSV; left out when the values have a field of that name
    #[arg(long, value_name = "COLUMN", default_value = "key")]
    pub(crate) key: String,
    /// CSV with two columns, the key and the bytes of the value under this name
    #[arg(long, value_name = "COLUMN")]
    pub(crate) value: Option<String>,
    #[command(flatten)]
    pub(crate) selected: Selected,
    /// Keys, and values that are not spread over columns, as hexadecimal digits
    #[arg(long)]
    pub(crate) hex: bool,
    /// Keep version, origin, kind and expiry: in dumps and JSON
    #[arg(long)]
    pub(crate) meta: bool,
    /// In ascending order of the keys' bytes; needs room for a copy in TMPDIR
    #[arg(long)]
    pub(crate) sort: bool,
    /// Memory that sorting may take
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    pub(crate) sort_memory: u64,
    /// No progress bar and no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
