//! The bridge, certificates and the demonstration.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Peer, parse_peer};

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

#[derive(Debug, Subcommand)]
pub(crate) enum Bridge {
    /// Run the bridge of the node until SIGTERM or SIGINT
    Run(BridgeRun),
    /// Show the running bridge and its peers
    Status,
    /// Follow what happens in the cluster: nodes and regions that come and go
    Events(BridgeEvents),
    /// Have the running bridge read its configuration and its certificates again
    Reload,
    /// Check, show or print configurations
    #[command(subcommand)]
    Config(BridgeConfig),
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
    /// Address of this machine for the status page and the metrics, such as 127.0.0.1:7480
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<SocketAddr>,
    /// Where other nodes are told to dial this one, if that is not where it listens
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) advertise: Option<SocketAddr>,
    /// How long an unreachable node holds up acknowledged writes, such as 10s
    #[arg(long, value_name = "TIME")]
    pub(crate) peer_timeout: Option<String>,
    /// Shape of the log lines
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub(crate) log_format: Option<String>,
    /// Run the bridge in a process of its own and start it again whenever it dies
    #[arg(long)]
    pub(crate) supervise: bool,
    /// Process that started this one; its end is this one's end
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) die_with_parent: Option<u32>,
    /// Say `ready` on standard output when the bridge serves
    #[arg(long, hide = true)]
    pub(crate) tell_ready: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BridgeEvents {
    /// End after so many events; the first is a snapshot of the nodes
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BridgeConfig {
    /// Check everything that `bridge run` with the same options would check
    Check(BridgeRun),
    /// Show every setting, and where its value comes from
    Show(BridgeRun),
    /// Print a configuration file with all keys and comments
    Example,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make a certificate authority for a cluster
    Init(CertInit),
    /// Issue the certificate of one node
    Issue(CertIssue),
    /// Replace the certificate of a node, or the authority itself, while bridges run
    Rotate(CertRotate),
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

#[derive(Debug, Args)]
pub(crate) struct CertRotate {
    /// Directory of the node, or of the authority with --authority or --retire
    pub(crate) dir: PathBuf,
    /// Directory that `vug cert init` made
    #[arg(long, value_name = "DIR", conflicts_with_all = ["authority", "retire"])]
    #[arg(required_unless_present_any = ["authority", "retire"])]
    pub(crate) ca: Option<PathBuf>,
    /// Only give the node the list of authorities to trust, and keep its certificate
    #[arg(long, conflicts_with_all = ["authority", "retire"])]
    pub(crate) trust_only: bool,
    /// Make a new authority; the old one stays trusted until it is retired
    #[arg(long, conflicts_with = "retire")]
    pub(crate) authority: bool,
    /// Take the authorities before the newest from the list
    #[arg(long)]
    pub(crate) retire: bool,
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
