//! Commands about single entries.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse_duration;

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Region to read
    pub(crate) region: String,
    /// The key
    #[arg(allow_negative_numbers = true)]
    pub(crate) key: OsString,
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
    /// Take the value from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
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
pub(crate) struct Del {
    /// Region to remove from
    pub(crate) region: String,
    /// The keys to remove
    #[arg(required = true, allow_negative_numbers = true)]
    pub(crate) keys: Vec<OsString>,
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
    /// Version that is known already, as `get --format json` shows it; 0 for an absent key
    #[arg(long, value_name = "VERSION")]
    pub(crate) since: Option<u64>,
}
