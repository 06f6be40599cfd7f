//! Commands that look at a node and keep it in order.

use std::time::Duration;

use clap::Args;

use super::parse_duration;

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// Region to show
    pub(crate) region: Option<String>,
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
