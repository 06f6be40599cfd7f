//! The file's own shape, and the step from it to the checked form.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{Config, ConfigError, PeerConfig, RegionConfig, TlsConfig};
use crate::transport::identity;

pub(super) const DEFAULT_PEER_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const DEFAULT_ACK_WAIT: Duration = Duration::from_secs(15);
const POLICIES: [&str; 5] = ["empty", "normal", "preloaded", "replicate", "persistent-replicate"];
const SCOPES: [&str; 4] = ["local", "distributed-no-ack", "distributed-ack", "global"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    node: Node,
    cluster: Cluster,
    listen: Listen,
    tls: Tls,
    #[serde(default)]
    peer: Vec<Peer>,
    #[serde(default)]
    region: Vec<Region>,
    #[serde(default)]
    bridge: Bridge,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    home: PathBuf,
    origin: Option<Spanned<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cluster {
    id: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listen {
    address: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    address: Spanned<String>,
    origin: Option<Spanned<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Region {
    name: Spanned<String>,
    data_policy: Spanned<String>,
    scope: Spanned<String>,
    max_bytes: Option<Spanned<Size>>,
}

/// Bytes as a number, or as text with a unit.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number of bytes, or text such as \"64 MiB\"")]
enum Size {
    Bytes(u64),
    Text(String),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Bridge {
    peer_timeout: Option<Spanned<String>>,
    ack_wait_threshold: Option<Spanned<String>>,
    ack_severe_alert_threshold: Option<Spanned<String>>,
    wake: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Status {
    socket: Option<PathBuf>,
}

/// The text being read, for errors with a place.
struct Source<'a> {
    text: &'a str,
    file: &'a Path,
}

impl Source<'_> {
    fn error(&self, span: Range<usize>, problem: String, help: impl Into<String>) -> ConfigError {
        ConfigError::at(self.file, self.text, span, problem, help.into())
    }

    fn path(&self, path: PathBuf) -> PathBuf {
        self.file.parent().map_or_else(|| path.clone(), |dir| dir.join(&path))
    }

    fn address(&self, value: &Spanned<String>) -> Result<SocketAddr, ConfigError> {
        value.get_ref().parse().map_err(|_| {
            self.error(
                value.span(),
                format!("'{}' is no address", value.get_ref()),
                "write IP address and port, such as \"192.0.2.2:7420\" or \"[2001:db8::2]:7420\"",
            )
        })
    }

    fn origin(&self, value: Option<&Spanned<u16>>) -> Result<Option<u16>, ConfigError> {
        match value {
            Some(origin) if *origin.get_ref() == 0 => Err(self.error(
                origin.span(),
                "0 is no origin".into(),
                "origins go from 1 to 65535",
            )),
            other => Ok(other.map(|origin| *origin.get_ref())),
        }
    }

    fn choice(&self, value: &Spanned<String>, allowed: &[&str]) -> Result<String, ConfigError> {
        if allowed.contains(&value.get_ref().as_str()) {
            return Ok(value.get_ref().clone());
        }
        let help = format!("write one of: {}", allowed.join(", "));
        Err(self.error(value.span(), format!("'{}' is not known", value.get_ref()), help))
    }

    fn duration(&self, value: &Spanned<String>) -> Result<Duration, ConfigError> {
        parse_duration(value.get_ref()).ok_or_else(|| {
            self.error(
                value.span(),
                format!("'{}' is no duration", value.get_ref()),
                "write a whole number and a unit: ms, s or m, such as \"10s\"",
            )
        })
    }

    fn size(&self, value: &Spanned<Size>) -> Result<u64, ConfigError> {
        let parsed = match value.get_ref() {
            Size::Bytes(bytes) => Some(*bytes),
            Size::Text(text) => parse_size(text),
        };
        parsed.ok_or_else(|| {
            self.error(
                value.span(),
                "this is no size".into(),
                "write a number of bytes, or text such as \"64 MiB\"",
            )
        })
    }

    fn region(&self, region: &Region) -> Result<RegionConfig, ConfigError> {
        let name = region.name.get_ref();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !(1..=128).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(self.error(
                region.name.span(),
                format!("'{name}' is no region name"),
                "use 1 to 128 of A-Z, a-z, 0-9, '.', '_' and '-'",
            ));
        }
        let data_policy = self.choice(&region.data_policy, &POLICIES)?;
        let scope = self.choice(&region.scope, &SCOPES)?;
        let unbuilt = (data_policy != "replicate").then_some(&region.data_policy);
        let unbuilt = unbuilt.or((scope == "global").then_some(&region.scope));
        if let Some(value) = unbuilt {
            return Err(self.error(
                value.span(),
                format!("'{}' regions are not built yet", value.get_ref()),
                "use data policy \"replicate\" and scope \"distributed-no-ack\" or \
                 \"distributed-ack\"",
            ));
        }
        if scope == "local" {
            return Err(self.error(
                region.scope.span(),
                "a local region is not distributed".into(),
                "leave it out: applications make local regions themselves",
            ));
        }
        let max_bytes = region.max_bytes.as_ref().map(|size| self.size(size)).transpose()?;
        Ok(RegionConfig { name: name.clone(), data_policy, scope, max_bytes })
    }
}

pub(super) fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let source = Source { text, file };
    let raw: File = toml::from_str(text).map_err(|e| syntax(&source, &e))?;
    check_cluster(&source, &raw.cluster)?;
    check_wake(&source, &raw.bridge)?;
    let peer = |peer: &Peer| {
        let address = source.address(&peer.address)?;
        Ok(PeerConfig { address, origin: source.origin(peer.origin.as_ref())? })
    };
    let timeout = raw.bridge.peer_timeout.as_ref().map(|t| source.duration(t)).transpose()?;
    let threshold = |value: Option<&Spanned<String>>, default| {
        value.map_or(Ok(default), |text| source.duration(text))
    };
    let ack_wait_threshold = threshold(raw.bridge.ack_wait_threshold.as_ref(), DEFAULT_ACK_WAIT)?;
    let severe = raw.bridge.ack_severe_alert_threshold.as_ref();
    let ack_severe_alert_threshold = threshold(severe, Duration::ZERO)?;
    let config = Config {
        home: source.path(raw.node.home),
        origin: source.origin(raw.node.origin.as_ref())?,
        cluster: raw.cluster.id.into_inner(),
        listen: source.address(&raw.listen.address)?,
        peers: raw.peer.iter().map(peer).collect::<Result<_, ConfigError>>()?,
        tls: TlsConfig {
            ca: source.path(raw.tls.ca),
            cert: source.path(raw.tls.cert),
            key: source.path(raw.tls.key),
        },
        regions: raw.region.iter().map(|r| source.region(r)).collect::<Result<_, _>>()?,
        peer_timeout: timeout.unwrap_or(DEFAULT_PEER_TIMEOUT),
        ack_wait_threshold,
        ack_severe_alert_threshold,
        status_socket: raw.status.socket.map(|path| source.path(path)),
    };
    refuse_duplicates(&source, &raw.peer, &raw.region)?;
    Ok(config)
}

fn syntax(source: &Source<'_>, error: &toml::de::Error) -> ConfigError {
    let span = error.span().unwrap_or(0..0);
    let help = if error.message().starts_with("unknown field") {
        "correct the key, or remove it"
    } else if error.message().starts_with("missing field") {
        "add the key; the example configuration shows every one"
    } else {
        "compare with the example configuration"
    };
    source.error(span, error.message().lines().collect::<Vec<_>>().join("; "), help)
}

fn check_cluster(source: &Source<'_>, cluster: &Cluster) -> Result<(), ConfigError> {
    if identity::is_cluster_id(cluster.id.get_ref()) {
        return Ok(());
    }
    Err(source.error(
        cluster.id.span(),
        format!("'{}' is no cluster id", cluster.id.get_ref()),
        "use 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-'",
    ))
}

fn check_wake(source: &Source<'_>, bridge: &Bridge) -> Result<(), ConfigError> {
    match &bridge.wake {
        Some(wake) if wake.get_ref() == "poll" => Err(source.error(
            wake.span(),
            "waking by polling is not built yet".into(),
            "write \"park\", or leave the key out",
        )),
        Some(wake) => source.choice(wake, &["park"]).map(drop),
        None => Ok(()),
    }
}

fn refuse_duplicates(
    source: &Source<'_>,
    peers: &[Peer],
    regions: &[Region],
) -> Result<(), ConfigError> {
    for values in [
        peers.iter().map(|peer| &peer.address).collect::<Vec<_>>(),
        regions.iter().map(|region| &region.name).collect(),
    ] {
        for (at, value) in values.iter().enumerate() {
            if values[..at].iter().any(|earlier| earlier.get_ref() == value.get_ref()) {
                let problem = format!("'{}' is listed twice", value.get_ref());
                return Err(source.error(value.span(), problem, "remove one of them"));
            }
        }
    }
    Ok(())
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u32 = text[..digits].parse().ok()?;
    match text[digits..].trim() {
        "ms" => Some(Duration::from_millis(u64::from(number))),
        "s" => Some(Duration::from_secs(u64::from(number))),
        "m" => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Where `key` of `[table]` is assigned.
pub(super) fn place_of(text: &str, table: &str, key: &str) -> Range<usize> {
    let mut inside = false;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            inside = trimmed.trim_matches(['[', ']', ' ']) == table;
        } else if inside && trimmed.split('=').next().map(str::trim) == Some(key) {
            return offset..offset + line.len();
        }
        offset += line.len();
    }
    0..0
}
