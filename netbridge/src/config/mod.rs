//! The configuration file of a bridge.
//!
//! TOML, read strictly: an unknown key, a wrong type, an address without a port or a missing file
//! is a [`ConfigError`] that names file, line and remedy. [`Config::example`] is the whole format
//! with comments.

mod error;
mod raw;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::ConfigError;
pub use settings::{Override, Setting, Source};

/// Everything a bridge must be told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Home directory of the node.
    pub home: PathBuf,
    /// Number of the node, to be compared with its certificate; `None` takes the certificate's.
    pub origin: Option<u16>,
    /// Id of the cluster.
    pub cluster: String,
    /// UDP address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Nodes to connect to.
    pub peers: Vec<PeerConfig>,
    /// Certificates.
    pub tls: TlsConfig,
    /// Regions to open at start, made if they are missing.
    pub regions: Vec<RegionConfig>,
    /// How long an unreachable peer holds up acknowledged writes.
    pub peer_timeout: Duration,
    /// Writers that wait longer than this for acknowledgements are reported once, with the names of
    /// the nodes that are missing; zero: never.
    pub ack_wait_threshold: Duration,
    /// So much later a severe alert follows and the missing nodes must connect again; zero: never.
    pub ack_severe_alert_threshold: Duration,
    /// How long a peer that others still reach holds up acknowledged writes.
    pub unreachable_timeout: Duration,
    /// Where peers dial this node; `None`: at `listen`, or where they see it.
    pub advertise: Option<SocketAddr>,
    /// Loopback address for the status page and the metrics; `None`: neither.
    pub http: Option<SocketAddr>,
    /// What is logged, for the program that runs the bridge.
    pub log: LogConfig,
    /// Path of the status socket; `None` is `bridge.sock` in the home directory.
    pub status_socket: Option<PathBuf>,
}

/// What is logged. The library itself installs no subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Filter as in `tracing-subscriber`, such as `info` or `vug_netbridge=debug`.
    pub filter: String,
    /// Shape of the lines.
    pub format: LogFormat,
}

/// Shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// A node to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its UDP address.
    pub address: SocketAddr,
    /// Its number; `None` accepts any node of the cluster there.
    pub origin: Option<u16>,
}

/// The PEM files that prove who this node is and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificate of the cluster's authority.
    pub ca: PathBuf,
    /// Certificate of this node.
    pub cert: PathBuf,
    /// Private key of this node.
    pub key: PathBuf,
}

/// A region to open at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionConfig {
    /// Its name.
    pub name: String,
    /// Data policy by name; only `replicate` regions are distributed today.
    pub data_policy: String,
    /// Scope by name: `distributed-no-ack` or `distributed-ack`.
    pub scope: String,
    /// Bound on the region's memory in bytes; `None` takes the library's default.
    pub max_bytes: Option<u64>,
}

impl Config {
    /// A configuration with the certificate files of [`crate::cert::issue`] in `certs`, no peers
    /// and no listed regions, listening on a loopback port that the system chooses.
    pub fn new(home: impl Into<PathBuf>, cluster: impl Into<String>, certs: &Path) -> Self {
        Self {
            home: home.into(),
            origin: None,
            cluster: cluster.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            peers: Vec::new(),
            tls: TlsConfig {
                ca: certs.join("ca.pem"),
                cert: certs.join("node.pem"),
                key: certs.join("node.key"),
            },
            regions: Vec::new(),
            peer_timeout: raw::DEFAULT_PEER_TIMEOUT,
            ack_wait_threshold: raw::DEFAULT_ACK_WAIT,
            ack_severe_alert_threshold: Duration::ZERO,
            unreachable_timeout: raw::DEFAULT_UNREACHABLE_TIMEOUT,
            advertise: None,
            http: None,
            log: LogConfig { filter: "info".into(), format: LogFormat::Text },
            status_socket: None,
        }
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, says something wrong, or names certificate
    /// files that do not exist.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read(file)?;
        Self::parse(&text, file)?.check_files(&text, file)
    }

    /// The configuration in force: the file, if there is one, then the overrides in their order,
    /// and where each setting comes from. Certificate files are not looked at.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, something says what is wrong, or a setting that
    /// has no default is missing.
    pub fn resolve(
        file: Option<&Path>,
        overrides: &[Override],
    ) -> Result<(Self, Vec<Setting>), ConfigError> {
        let nowhere = Path::new("configuration");
        let (text, path) = match file {
            Some(file) => (read(file)?, file),
            None => (String::new(), nowhere),
        };
        let (mut config, mut missing) = raw::parse_partly(&text, path)?;
        settings::apply(&mut config, overrides)?;
        missing.retain(|key| !overrides.iter().any(|o| o.key == *key));
        if let Some(key) = missing.first() {
            return Err(missing_field(path, key, file.is_some()));
        }
        let settings = settings::KEYS.iter().map(|&key| {
            let (table, name) = key.split_once('.').unwrap_or(("", key));
            let line = raw::line_of(&text, table, name);
            let source = match overrides.iter().rev().find(|o| o.key == key) {
                Some(found) => found.source.clone(),
                None if line > 0 => Source::File(path.to_owned(), line),
                None => Source::Default,
            };
            Setting { key, value: settings::show(&config, key), source }
        });
        let settings = settings.collect();
        Ok((config, settings))
    }

    /// Looks whether the certificate files are there.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first that is not.
    pub fn check_certificates(&self, file: Option<&Path>) -> Result<(), ConfigError> {
        let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        self.clone().check_files(&text, file.unwrap_or(Path::new("configuration"))).map(drop)
    }

    /// Reads a configuration from text. `file` appears in errors, and relative paths start at its
    /// directory. Does not look at any file.
    ///
    /// # Errors
    /// [`ConfigError`] if the text says something wrong.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let (config, missing) = raw::parse_partly(text, file)?;
        match missing.first() {
            Some(key) => Err(missing_field(file, key, true)),
            None => Ok(config),
        }
    }

    /// The whole format with comments. It parses as it stands.
    pub fn example() -> &'static str {
        include_str!("example.toml")
    }

    /// Path of the status socket.
    pub fn status_path(&self) -> PathBuf {
        self.status_socket
            .clone()
            .unwrap_or_else(|| self.home.join(crate::service::status::SOCKET_NAME))
    }

    fn check_files(self, text: &str, file: &Path) -> Result<Self, ConfigError> {
        let files = [("ca", &self.tls.ca), ("cert", &self.tls.cert), ("key", &self.tls.key)];
        for (key, path) in files {
            if let Err(e) = std::fs::metadata(path) {
                let mut error = ConfigError::at(
                    file,
                    text,
                    raw::place_of(text, "tls", key),
                    format!("{}: {e}", path.display()),
                    "make certificates with `vug cert init` and `vug cert issue`".into(),
                );
                error.key = format!("tls.{key}");
                return Err(error);
            }
        }
        Ok(self)
    }
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|e| {
        ConfigError::in_file(
            file,
            format!("cannot be read: {e}"),
            "give the path of a configuration file; `vug bridge config example` prints one",
        )
    })
}

fn missing_field(file: &Path, key: &str, is_file: bool) -> ConfigError {
    let (table, name) = key.split_once('.').unwrap_or(("", key));
    let variable = format!("VUG_{}__{}", table.to_uppercase(), name.to_uppercase());
    let here = if is_file { "add the key" } else { "give a configuration file" };
    let help = format!("{here}, or set {variable}; the example configuration shows every key");
    let mut error = ConfigError::in_file(file, format!("missing field `{name}`"), &help);
    error.key = key.to_owned();
    error
}

#[cfg(test)]
mod tests;
