//! Measuring, and what is generated from the command line itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{Acknowledge, parse_duration, parse_size};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    Uniform,
    Zipf,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Region to work in
    #[arg(required_unless_present = "new", conflicts_with = "new")]
    pub(crate) region: Option<String>,
    /// Work in a region that is made for it and removed at the end
    #[arg(long)]
    pub(crate) new: bool,
    /// Largest size of the new region
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size)]
    #[arg(requires = "new")]
    pub(crate) max_bytes: u64,
    #[command(flatten)]
    pub(crate) work: BenchWork,
    /// Number of processes, each with so many threads
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) processes: u32,
    /// Leave the entries in the region
    #[arg(long, conflicts_with = "trace")]
    pub(crate) keep: bool,
    /// Write to the region without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What one process does.
#[derive(Debug, Args)]
pub(crate) struct BenchWork {
    /// Number of entries
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) entries: u32,
    /// Share of reads in percent; the others are writes
    #[arg(long, value_name = "PERCENT", default_value_t = 95)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) reads: u8,
    /// Length of each key
    #[arg(long, value_name = "SIZE", default_value = "24", value_parser = parse_size)]
    pub(crate) key_bytes: u64,
    /// Length of each value
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = parse_size)]
    pub(crate) value_bytes: u64,
    /// Which entries are asked for how often; zipf has the exponent 0.99
    #[arg(long, value_enum, value_name = "KIND", default_value = "uniform")]
    pub(crate) distribution: Distribution,
    /// Replay operations from a file, one per line: get,KEY or put,KEY or put,KEY,SIZE or del,KEY
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["entries", "reads", "key_bytes", "distribution"])]
    pub(crate) trace: Option<PathBuf>,
    /// Number of threads
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) threads: u32,
    /// How long; a trace ends earlier when it was played once
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub(crate) time: Duration,
    /// Begins the keys, so that they are no others
    #[arg(long, value_name = "TEXT", default_value = "vug-bench:")]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) ack: Acknowledge,
}

#[derive(Debug, Args)]
pub(crate) struct BenchWorker {
    pub(crate) region: String,
    #[arg(long)]
    pub(crate) number: u32,
    #[arg(long)]
    pub(crate) processes: u32,
    #[arg(long)]
    pub(crate) parent: Option<u32>,
    #[command(flatten)]
    pub(crate) work: BenchWork,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Write the completion script of a shell to standard output
    ///
    /// Examples:
    ///   vug gen completions bash > ~/.local/share/bash-completion/completions/vug
    ///   vug gen completions zsh > ~/.zfunc/_vug
    ///   vug gen completions fish > ~/.config/fish/completions/vug.fish
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write the manual: the first page to standard output, or all pages to a directory
    ///
    /// Examples:
    ///   vug gen man | man -l -
    ///   vug gen man ~/.local/share/man/man1
    #[command(verbatim_doc_comment)]
    Man {
        /// Directory for vug.1, vug-get.1 and so on
        dir: Option<PathBuf>,
    },
}
