//! Settings that have one value: where each may come from, and which one wins.
//!
//! From the weakest to the strongest: the built-in default, the configuration file, an environment
//! variable, an option on the command line. The variable of `bridge.peer_timeout` is
//! `VUG_BRIDGE__PEER_TIMEOUT`: two underscores are the dot. A variable of this form that names no
//! setting is an error, like an unknown key of the file.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::raw::{parse_duration, show_duration};
use super::{Config, ConfigError, LogFormat, PeerConfig};
use crate::transport::identity;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Built in.
    Default,
    /// The configuration file, at this line; 0 if the place is not known.
    File(PathBuf, usize),
    /// An environment variable of this name.
    Environment(String),
    /// An option on the command line.
    Option(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, 0) => write!(f, "{}", path.display()),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Option(name) => write!(f, "option {name}"),
        }
    }
}

/// One setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its key in the configuration file, such as `bridge.peer_timeout`.
    pub key: &'static str,
    /// Its value as it would be written there; empty if it has none.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
}

/// A value from outside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key, such as `bridge.peer_timeout`.
    pub key: String,
    /// The value, as it would be written in the file without quotes. Peers: addresses with commas
    /// between.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
}

impl Override {
    /// An option of the command line.
    pub fn option(name: &str, key: &str, value: impl Into<String>) -> Self {
        let source = Source::Option(name.into());
        Self { key: key.into(), value: value.into(), source }
    }

    /// Every variable of the form `VUG_TABLE__KEY`.
    pub fn environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Self> {
        let setting = |(name, value): (String, String)| {
            let (table, key) = name.strip_prefix("VUG_")?.split_once("__")?;
            let key = format!("{table}.{key}").to_ascii_lowercase();
            Some(Self { key, value, source: Source::Environment(name.clone()) })
        };
        let mut found: Vec<Self> = variables.filter_map(setting).collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }
}

/// Every setting with one value.
pub(super) const KEYS: [&str; 18] = [
    "node.home",
    "node.origin",
    "cluster.id",
    "listen.address",
    "listen.advertise",
    "tls.ca",
    "tls.cert",
    "tls.key",
    "peer.address",
    "bridge.peer_timeout",
    "bridge.unreachable_timeout",
    "bridge.ack_wait_threshold",
    "bridge.ack_severe_alert_threshold",
    "status.socket",
    "http.address",
    "log.filter",
    "log.format",
    "region.name",
];

/// Settings that have no default.
pub(super) const REQUIRED: [&str; 6] =
    ["node.home", "cluster.id", "listen.address", "tls.ca", "tls.cert", "tls.key"];

/// Problem and help.
pub(super) type Refusal = (String, String);

fn refused(problem: String, help: &str) -> Refusal {
    (problem, help.to_owned())
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Refusal> {
    text.parse().map_err(|_| {
        refused(
            format!("'{text}' is no address"),
            "write IP address and port, such as \"192.0.2.2:7420\" or \"[2001:db8::2]:7420\"",
        )
    })
}

/// The status page has no password: only this machine may see it.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, Refusal> {
    let address = address(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(refused(
        format!("{text} is no loopback address"),
        "use 127.0.0.1 or [::1]; for other machines put a proxy with a password before it",
    ))
}

pub(super) fn advertised(text: &str) -> Result<SocketAddr, Refusal> {
    let address = address(text)?;
    if address.ip().is_unspecified() || address.port() == 0 {
        return Err(refused(
            format!("peers cannot dial {text}"),
            "write the address and port under which other machines reach this one",
        ));
    }
    Ok(address)
}

pub(super) fn origin(text: &str) -> Result<u16, Refusal> {
    match text.parse::<u16>() {
        Ok(0) => Err(refused("0 is no origin".into(), "origins go from 1 to 65535")),
        Ok(origin) => Ok(origin),
        Err(_) => Err(refused(format!("'{text}' is no origin"), "origins go from 1 to 65535")),
    }
}

pub(super) fn cluster(text: &str) -> Result<String, Refusal> {
    if identity::is_cluster_id(text) {
        return Ok(text.to_owned());
    }
    Err(refused(
        format!("'{text}' is no cluster id"),
        "use 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-'",
    ))
}

pub(super) fn duration(text: &str) -> Result<std::time::Duration, Refusal> {
    parse_duration(text).ok_or_else(|| {
        refused(
            format!("'{text}' is no duration"),
            "write a whole number and a unit: ms, s or m, such as \"10s\"",
        )
    })
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Refusal> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(refused(format!("'{text}' is not known"), "write one of: text, json")),
    }
}

/// `ADDRESS` or `NUMBER@ADDRESS`.
fn peer(text: &str) -> Result<PeerConfig, Refusal> {
    let (number, place) = text.split_once('@').map_or((None, text), |(n, a)| (Some(n), a));
    Ok(PeerConfig { address: address(place)?, origin: number.map(origin).transpose()? })
}

/// Puts a value into its place. False: there is no such setting.
fn set(config: &mut Config, key: &str, value: &str) -> Result<bool, Refusal> {
    match key {
        "node.home" => config.home = value.into(),
        "node.origin" => config.origin = Some(origin(value)?),
        "cluster.id" => config.cluster = cluster(value)?,
        "listen.address" => config.listen = address(value)?,
        "listen.advertise" => config.advertise = Some(advertised(value)?),
        "tls.ca" => config.tls.ca = value.into(),
        "tls.cert" => config.tls.cert = value.into(),
        "tls.key" => config.tls.key = value.into(),
        "peer.address" => {
            let listed = value.split(',').map(str::trim).filter(|text| !text.is_empty());
            config.peers = listed.map(peer).collect::<Result<_, _>>()?;
        }
        "bridge.peer_timeout" => config.peer_timeout = duration(value)?,
        "bridge.unreachable_timeout" => config.unreachable_timeout = duration(value)?,
        "bridge.ack_wait_threshold" => config.ack_wait_threshold = duration(value)?,
        "bridge.ack_severe_alert_threshold" => {
            config.ack_severe_alert_threshold = duration(value)?;
        }
        "status.socket" => config.status_socket = Some(value.into()),
        "http.address" => config.http = Some(loopback(value)?),
        "log.filter" => config.log.filter = value.into(),
        "log.format" => config.log.format = log_format(value)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// The value of a setting as it would be written.
pub(super) fn show(config: &Config, key: &str) -> String {
    let optional = |address: &Option<SocketAddr>| address.map(|a| a.to_string());
    let path = |path: &Path| path.display().to_string();
    match key {
        "node.home" => path(&config.home),
        "node.origin" => config.origin.map(|o| o.to_string()).unwrap_or_default(),
        "cluster.id" => config.cluster.clone(),
        "listen.address" => config.listen.to_string(),
        "listen.advertise" => optional(&config.advertise).unwrap_or_default(),
        "tls.ca" => path(&config.tls.ca),
        "tls.cert" => path(&config.tls.cert),
        "tls.key" => path(&config.tls.key),
        "peer.address" => {
            let text = |p: &PeerConfig| match p.origin {
                Some(origin) => format!("{origin}@{}", p.address),
                None => p.address.to_string(),
            };
            config.peers.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        "bridge.peer_timeout" => show_duration(config.peer_timeout),
        "bridge.unreachable_timeout" => show_duration(config.unreachable_timeout),
        "bridge.ack_wait_threshold" => show_duration(config.ack_wait_threshold),
        "bridge.ack_severe_alert_threshold" => show_duration(config.ack_severe_alert_threshold),
        "status.socket" => path(&config.status_path()),
        "http.address" => optional(&config.http).unwrap_or_default(),
        "log.filter" => config.log.filter.clone(),
        "log.format" => config.log.format.to_string(),
        "region.name" => {
            config.regions.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

/// Applies what comes from outside the file, in order; the keys that were set.
pub(super) fn apply(config: &mut Config, overrides: &[Override]) -> Result<(), ConfigError> {
    for Override { key, value, source } in overrides {
        let place = Path::new(match source {
            Source::Environment(_) => "environment",
            _ => "command line",
        });
        let failed = |(problem, help): Refusal| {
            let problem = format!("{problem} ({source})");
            let mut error = ConfigError::in_file(place, problem, &help);
            error.key.clone_from(key);
            error
        };
        match set(config, key, value) {
            Ok(true) => {}
            Ok(false) => {
                let help = format!("settings are: {}", KEYS[..KEYS.len() - 1].join(", "));
                return Err(failed(("there is no such setting".into(), help)));
            }
            Err(refusal) => return Err(failed(refusal)),
        }
    }
    Ok(())
}
