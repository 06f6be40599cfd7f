//! Commands about whole regions.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{parse_duration, parse_size};

/// As [`vug::Shortcut`]; its own type, so that the help lists the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shortcut {
    Local,
    Normal,
    Preloaded,
    Replicate,
    ReplicateProxy,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name: 1 to 128 of A-Z a-z 0-9 . _ -
    pub(crate) region: String,
    /// Data policy and scope by one name; the options below win
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) shortcut: Option<Shortcut>,
    /// What the node stores: empty, normal, preloaded, replicate, persistent-replicate [default:
    /// normal]
    #[arg(long, value_name = "POLICY")]
    pub(crate) data_policy: Option<vug::DataPolicy>,
    /// How writes reach other nodes: local, distributed-no-ack, distributed-ack, global [default:
    /// distributed-ack with --data-policy, else local]
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Option<vug::Scope>,
    /// Of which changes made elsewhere the node hears: cache-content, all
    #[arg(long, value_name = "INTEREST", default_value = "cache-content")]
    pub(crate) interest: vug::Interest,
    /// Other nodes acknowledge a write when they have received it, before they apply it
    #[arg(long)]
    pub(crate) early_ack: bool,
    /// Apply changes in the order of their arrival instead of by version
    #[arg(long)]
    pub(crate) no_concurrency_checks: bool,
    /// Events tell the value that an entry had before; keeps it in memory for longer
    #[arg(long)]
    pub(crate) old_values: bool,
    /// Largest size of the region, such as 64MiB or 2GiB
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    pub(crate) max_bytes: u64,
    /// Size of one log segment [default: chosen from --max-bytes]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) segment_bytes: Option<u64>,
    /// Bytes at whose multiples values begin: a power of two, 8 to 4096
    #[arg(long, value_name = "SIZE", default_value = "8", value_parser = parse_size)]
    pub(crate) alignment: u64,
    /// What makes room when the region is full: none, s3-fifo
    #[arg(long, value_name = "KIND", default_value = "none")]
    pub(crate) eviction: vug::Eviction,
    /// Bound on the number of entries; only with eviction
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_entries: Option<u64>,
    /// Entries expire that long after they were written, such as 500ms, 10s, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) ttl: Option<Duration>,
    /// What becomes of them: destroy, invalidate, local-destroy, local-invalidate
    #[arg(long, value_name = "ACTION", default_value = "destroy")]
    pub(crate) ttl_action: vug::ExpiryAction,
    /// Entries expire when they were neither read nor written for that long
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) idle: Option<Duration>,
    /// What becomes of them: destroy, invalidate, local-destroy, local-invalidate
    #[arg(long, value_name = "ACTION", default_value = "destroy")]
    pub(crate) idle_action: vug::ExpiryAction,
}

/// A time, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeOrNone(pub(crate) Option<Duration>);

fn parse_time_or_none(text: &str) -> Result<TimeOrNone, String> {
    match text {
        "none" => Ok(TimeOrNone(None)),
        _ => parse_duration(text).map(|time| TimeOrNone(Some(time))),
    }
}

#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
pub(crate) struct Changes {
    /// Entries expire that long after they were written, such as 10s, or none
    #[arg(long, value_name = "TIME", value_parser = parse_time_or_none)]
    pub(crate) ttl: Option<TimeOrNone>,
    /// Entries expire when they were neither read nor written for that long, or none
    #[arg(long, value_name = "TIME", value_parser = parse_time_or_none)]
    pub(crate) idle: Option<TimeOrNone>,
    /// Bound on the number of entries; only for regions made with one
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_entries: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Alter {
    /// Region to change
    pub(crate) region: String,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// What becomes of entries by --ttl [default: as before, else destroy]
    #[arg(long, value_name = "ACTION", requires = "ttl")]
    pub(crate) ttl_action: Option<vug::ExpiryAction>,
    /// What becomes of entries by --idle [default: as before, else destroy]
    #[arg(long, value_name = "ACTION", requires = "idle")]
    pub(crate) idle_action: Option<vug::ExpiryAction>,
}

#[derive(Debug, Args)]
pub(crate) struct Invalidate {
    /// Region to write
    pub(crate) region: String,
    /// The keys whose values are to go
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    #[arg(allow_negative_numbers = true, value_name = "KEY")]
    pub(crate) keys: Vec<OsString>,
    /// All entries of the region, at one instant
    #[arg(long)]
    pub(crate) all: bool,
    /// On this node only, for all its processes
    #[arg(long)]
    pub(crate) local: bool,
    /// Keys are given as hexadecimal digits, such as 00ff
    #[arg(long, conflicts_with = "all")]
    pub(crate) hex: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// A region that is no more.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    pub(crate) doomed: Doomed,
    /// Only remove the file: processes that have the region open keep it and are told nothing
    #[arg(long, conflicts_with = "local")]
    pub(crate) file: bool,
}

/// A region that loses all it has.
#[derive(Debug, Args)]
pub(crate) struct Doomed {
    /// The region
    pub(crate) region: String,
    /// On this node only, for all its processes
    #[arg(long)]
    pub(crate) local: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
