//! The command line as types.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::render::Format;

/// Lock-free shared-memory cache for the processes of one machine, bridged to other machines.
#[derive(Debug, Parser)]
#[command(name = "vug", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Home directory of the node [default: /dev/shm/vug-UID]
    #[arg(
        long,
        global = true,
        env = "VUG_HOME",
        value_name = "DIR",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(crate) home: Option<PathBuf>,

    /// How results are written to standard output
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    #[arg(help_heading = "Global options")]
    pub(crate) format: Option<Format>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole thing at work: nodes, bridges, writers being killed, and a comparison
    Demo(Demo),
    /// List the regions of the node
    Ls,
    /// Show the figures of a region, or of the node when no region is named
    Stat(Stat),
    /// Print the value of a key
    Get(Get),
    /// Store a value under a key
    Put(Put),
    /// Remove keys from a region
    Del(Del),
    /// Add to a counter and print the sum
    ///
    /// A counter is a value of eight bytes, a signed little-endian integer; an absent key counts
    /// as 0. The addition is atomic among all processes of the node.
    Incr(Incr),
    /// Wait until a key changes
    ///
    /// Returns when the key was written, removed or created since the command looked at it first,
    /// or has another version than --since.
    Wait(Wait),
    /// Make a region
    Create(Create),
    /// Load rows of a CSV or JSON lines file into a region
    ///
    /// A file is read twice: nothing is written before all of its rows were found good. Standard
    /// input is read once: a bad row stops the import, and the message says how many rows were
    /// written.
    Import(Import),
    /// Write all entries of a region to standard output or a file
    ///
    /// Entries come in no particular order, while writers go on. Without --format they are JSON
    /// lines, or CSV when the name of the output file ends so.
    Export(Export),
    /// Audit region files: every byte is header, index, live, dead or free
    ///
    /// The figures are exact only while nobody writes.
    Check(Check),
    /// Find out what is wrong with a node and say what to do about it
    ///
    /// Looks at members, regions, files and the system's settings; takes as long as an audit.
    /// Ends with 0 if there is nothing to do, 1 if there is, 3 if a file is damaged.
    Doctor(Doctor),
    /// Finish or undo what dead processes left behind
    Recover,
    /// Do beforehand what writes would have to do: recover, clean, free memory
    ///
    /// A running bridge does a little of it every second. Where writers keep a region nearly full,
    /// a process that does more of it keeps the delay out of their writes.
    Maintain(Maintain),
    /// Connect the node to the nodes of other machines
    #[command(subcommand)]
    Bridge(Bridge),
    /// Make the certificates with which bridges trust each other
    #[command(subcommand)]
    Cert(Cert),
    /// A child process of the demonstration
    #[command(hide = true)]
    DemoWorker(DemoWorker),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Number of entries; more than the 3,376 airports are made by numbering them
    #[arg(long, default_value_t = 3376)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) entries: u32,
    /// How long the writers write and get killed
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) seconds: u32,
    /// Number of nodes, each with its bridge
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..=8))]
    pub(crate) nodes: u16,
    /// Where the temporary files go; must be memory-backed
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// Region to show
    pub(crate) region: Option<String>,
}

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

#[derive(Debug, Subcommand)]
pub(crate) enum Bridge {
    /// Run the bridge of the node until SIGTERM or SIGINT
    Run(BridgeRun),
    /// Show the running bridge and its peers
    Status,
    /// Ask the running bridge to end and wait until it has
    Stop,
}

#[derive(Debug, Args)]
pub(crate) struct BridgeRun {
    /// Configuration file (TOML); options given here win
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on, such as 0.0.0.0:7420
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Another bridge, such as 192.0.2.2:7420 or 2@192.0.2.2:7420 to accept only node 2 there;
    /// repeat for more; replaces the peers of the configuration file
    #[arg(long, value_name = "[NUMBER@]ADDRESS", value_parser = parse_peer)]
    pub(crate) peer: Vec<Peer>,
    /// Number of this node in the cluster
    #[arg(long, value_name = "NUMBER")]
    pub(crate) origin: Option<u16>,
    /// Name of the cluster, as given to `vug cert init`; needed without --config
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Directory with ca.pem, node.pem and node.key; needed without --config
    #[arg(long, value_name = "DIR")]
    pub(crate) certs: Option<PathBuf>,
    /// Process that started this one; its end is this one's end
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) die_with_parent: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make a certificate authority for a cluster
    Init(CertInit),
    /// Issue the certificate of one node
    Issue(CertIssue),
}

#[derive(Debug, Args)]
pub(crate) struct CertInit {
    /// Directory for ca.pem and ca.key
    pub(crate) dir: PathBuf,
    /// Name of the cluster, written into all its certificates
    #[arg(long, value_name = "NAME", default_value = "vug")]
    pub(crate) cluster: String,
    /// Replace an existing authority: no bridge will trust its certificates any more
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CertIssue {
    /// Directory for ca.pem, node.pem and node.key of the node
    pub(crate) dir: PathBuf,
    /// Directory that `vug cert init` made
    #[arg(long, value_name = "DIR")]
    pub(crate) ca: PathBuf,
    /// Number of the node in the cluster, 1 to 65535, no two the same
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) origin: u16,
    /// Name of the node for people, written into the certificate [default: node-NUMBER]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Replace existing files
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Load,
    Read,
    Write,
}

#[derive(Debug, Args)]
pub(crate) struct DemoWorker {
    #[arg(value_enum)]
    pub(crate) role: Role,
    #[arg(long)]
    pub(crate) entries: u32,
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[arg(long)]
    pub(crate) parent: Option<u32>,
}

/// Address of another bridge, and which node alone may answer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) origin: Option<u16>,
}

pub(crate) fn parse_peer(text: &str) -> Result<Peer, String> {
    let (origin, address) = match text.split_once('@') {
        Some((origin, address)) => {
            let origin = origin.parse().map_err(|_| "want the number of a node before the @")?;
            (Some(origin), address)
        }
        None => (None, text),
    };
    let address = address.parse().map_err(|_| "want an address and a port: 192.0.2.2:7420")?;
    Ok(Peer { address, origin })
}

/// Reads `10s`, `500ms`, `2m` or `1h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("want a number with a unit: 500ms, 10s, 2m, 1h".into()),
    };
    let number: u64 = number.parse().map_err(|_| "want a whole number before the unit")?;
    let total = number.checked_mul(milliseconds).ok_or("that is longer than can be counted")?;
    Ok(Duration::from_millis(total))
}

/// Reads `1048576`, `64MiB`, `64MB`, `2G` (powers of 1024 with and without the `i`).
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let shift = match unit.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return Err("want a size such as 65536, 64KiB, 64MiB, 2GiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "want a whole number before the unit")?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is more than can be addressed".into())
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["", "10", "s", "1.5s", "-1s", "10 parsecs", "99999999999999999999s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn peers() {
        let address = "192.0.2.2:7420".parse().unwrap();
        assert_eq!(parse_peer("192.0.2.2:7420"), Ok(Peer { address, origin: None }));
        assert_eq!(parse_peer("2@192.0.2.2:7420"), Ok(Peer { address, origin: Some(2) }));
        for bad in ["", "192.0.2.2", "x@192.0.2.2:7420", "70000@192.0.2.2:1", "@192.0.2.2:1"] {
            assert!(parse_peer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("65536"), Ok(65_536));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("2G"), Ok(2 << 30));
        for bad in ["", "MiB", "1TiB", "-1", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
