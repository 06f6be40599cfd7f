//! Commands that look at a node and keep it in order.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{parse_duration, parse_interval};

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// Region to show
    pub(crate) region: Option<String>,
    /// Write a line of rates every so many seconds, such as 5, 0.5 or 500ms [1 if left out]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    #[arg(value_parser = parse_interval)]
    pub(crate) watch: Option<Duration>,
    /// End after so many lines
    #[arg(long, value_name = "LINES", requires = "watch")]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// Region to describe
    pub(crate) region: String,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Home directories to show [default: that of --home]
    #[arg(value_name = "HOME")]
    pub(crate) homes: Vec<PathBuf>,
    /// Time between two looks, in seconds, or such as 500ms
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_interval)]
    pub(crate) interval: Duration,
    /// Print one frame, for which two looks are taken, and end; needs no terminal
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Maintain {
    /// Region to maintain [default: all]
    pub(crate) region: Option<String>,
    /// Go on until interrupted, with this pause, such as 1s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) every: Option<Duration>,
    /// Clean every segment of which an eighth is dead, not only until enough are free
    #[arg(long)]
    pub(crate) thorough: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Regions to audit [default: all]
    pub(crate) regions: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Show also what is merely good to know
    #[arg(long)]
    pub(crate) all: bool,
    /// Mend what is safe to mend: recover dead members, remove files that nobody can use
    #[arg(long)]
    pub(crate) fix: bool,
    /// Remove files without asking
    #[arg(long, requires = "fix")]
    pub(crate) yes: bool,
}
