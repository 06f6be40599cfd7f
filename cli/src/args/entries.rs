//! Commands about entries.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use regex::bytes::Regex;

use super::parse_duration;

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Region to read
    pub(crate) region: String,
    /// The keys
    #[arg(required = true, allow_negative_numbers = true, value_name = "KEY")]
    pub(crate) keys: Vec<OsString>,
    /// Show version, origin, kind, sizes and expiry instead of the value; in JSON beside it
    #[arg(long)]
    pub(crate) meta: bool,
    #[command(flatten)]
    pub(crate) hex: Hex,
    /// End each of several raw values with a zero byte instead of a line end
    #[arg(long, short = '0')]
    pub(crate) null: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Hex {
    /// Keys and values are given and shown as hexadecimal digits, such as 00ff
    #[arg(long)]
    pub(crate) hex: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// Region to write
    pub(crate) region: String,
    /// The key
    #[arg(allow_negative_numbers = true)]
    pub(crate) key: OsString,
    /// The value; `-` reads it from standard input
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    #[arg(allow_negative_numbers = true)]
    pub(crate) value: Option<OsString>,
    /// Take the value from a file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// KEY and VALUE are hexadecimal digits, such as 00ff; files are taken as they are
    #[arg(long)]
    pub(crate) hex: bool,
    /// Refuse a value that is not a JSON document
    #[arg(long, conflicts_with = "hex")]
    pub(crate) json: bool,
    /// Refuse to replace: the key must be absent
    #[arg(long)]
    pub(crate) if_absent: bool,
    /// The entry expires after that time, such as 500ms, 10s, 2m, 1h [default: as the region says]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) ttl: Option<Duration>,
    #[command(flatten)]
    pub(crate) ack: Acknowledge,
}

#[derive(Debug, Args)]
pub(crate) struct Acknowledge {
    /// How long a write to a distributed-ack region waits for the other nodes
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub(crate) ack_within: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Selected {
    /// Only keys that begin so
    #[arg(long, value_name = "PREFIX", allow_hyphen_values = true)]
    pub(crate) prefix: Option<OsString>,
    /// Only keys that this regular expression matches; anchor it with ^ and $
    #[arg(long = "match", value_name = "REGEX", allow_hyphen_values = true)]
    pub(crate) matching: Option<Regex>,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Region to read
    pub(crate) region: String,
    #[command(flatten)]
    pub(crate) selected: Selected,
    /// End after so many entries
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// Leave the values out
    #[arg(long)]
    pub(crate) keys: bool,
    /// Show kind, sizes and expiry, too
    #[arg(long)]
    pub(crate) meta: bool,
    #[command(flatten)]
    pub(crate) hex: Hex,
    /// End raw output with zero bytes instead of line ends
    #[arg(long, short = '0')]
    pub(crate) null: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Del {
    /// Region to remove from
    pub(crate) region: String,
    /// The keys to remove
    #[arg(required_unless_present_any = ["prefix", "matching", "keys_from"])]
    #[arg(conflicts_with_all = ["prefix", "matching"])]
    #[arg(allow_negative_numbers = true, value_name = "KEY")]
    pub(crate) keys: Vec<OsString>,
    #[command(flatten)]
    pub(crate) selected: Selected,
    /// Remove the keys that a file names, one per line; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keys", "prefix", "matching"])]
    pub(crate) keys_from: Option<PathBuf>,
    /// Keys are given as hexadecimal digits, such as 00ff
    #[arg(long)]
    pub(crate) hex: bool,
    /// Only say how many entries would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove without asking
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) ack: Acknowledge,
}

#[derive(Debug, Args)]
pub(crate) struct Incr {
    /// Region to write
    pub(crate) region: String,
    /// The key of the counter
    #[arg(allow_negative_numbers = true)]
    pub(crate) key: OsString,
    /// What to add
    #[arg(default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) delta: i64,
    /// The key is given as hexadecimal digits, such as 00ff
    #[arg(long)]
    pub(crate) hex: bool,
    #[command(flatten)]
    pub(crate) ack: Acknowledge,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Region to watch
    pub(crate) region: String,
    /// The key
    #[arg(allow_negative_numbers = true)]
    pub(crate) key: OsString,
    /// How long to wait, such as 500ms or 10s [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Version that is known already, as `get --meta` shows it; 0 for an absent key
    #[arg(long, value_name = "VERSION")]
    pub(crate) since: Option<u64>,
    /// The key is given as hexadecimal digits, such as 00ff
    #[arg(long)]
    pub(crate) hex: bool,
}
