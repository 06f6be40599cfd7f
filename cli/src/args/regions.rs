//! Commands about whole regions.

use std::time::Duration;

use clap::Args;

use super::{parse_duration, parse_size};

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name: 1 to 128 of A-Z a-z 0-9 . _ -
    pub(crate) region: String,
    /// What the node stores: empty, normal, preloaded, replicate, persistent-replicate
    #[arg(long, value_name = "POLICY", default_value = "normal")]
    pub(crate) data_policy: vug::DataPolicy,
    /// How writes reach other nodes: local, distributed-no-ack, distributed-ack, global
    #[arg(long, value_name = "SCOPE", default_value = "local")]
    pub(crate) scope: vug::Scope,
    /// Largest size of the region, such as 64MiB or 2GiB
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    pub(crate) max_bytes: u64,
    /// Size of one log segment [default: chosen from --max-bytes]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) segment_bytes: Option<u64>,
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
    /// Bytes at whose multiples values begin: a power of two, 8 to 4096
    #[arg(long, value_name = "SIZE", default_value = "8", value_parser = parse_size)]
    pub(crate) alignment: u64,
    /// Apply changes in the order of their arrival instead of by version
    #[arg(long)]
    pub(crate) no_concurrency_checks: bool,
}
