//! The file's own shape, and the step from it to the checked form.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::settings::{self, REQUIRED, Refusal};
use super::{Config, ConfigError, PeerConfig, RegionConfig, TlsConfig};

pub(super) const DEFAULT_PEER_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const DEFAULT_ACK_WAIT: Duration = Duration::from_secs(15);
pub(super) const DEFAULT_UNREACHABLE_TIMEOUT: Duration = Duration::from_secs(30);
const POLICIES: [&str; 5] = ["empty", "normal", "preloaded", "replicate", "persistent-replicate"];
const SCOPES: [&str; 4] = ["local", "distributed-no-ack", "distributed-ack", "global"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    node: Node,
    #[serde(default)]
    cluster: Cluster,
    #[serde(default)]
    listen: Listen,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    peer: Vec<Peer>,
    #[serde(default)]
    region: Vec<Region>,
    #[serde(default)]
    bridge: Bridge,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    http: Http,
    #[serde(default)]
    log: Log,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Node {
    home: Option<PathBuf>,
    origin: Option<Spanned<u16>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Cluster {
    id: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Listen {
    address: Option<Spanned<String>>,
    advertise: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Tls {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
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
    unreachable_timeout: Option<Spanned<String>>,
    wake: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Status {
    socket: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Http {
    address: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Log {
    filter: Option<String>,
    format: Option<Spanned<String>>,
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

    /// Checks a value, and says where it is if it is wrong.
    fn check<T>(
        &self,
        value: &Spanned<String>,
        check: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Result<T, ConfigError> {
        check(value.get_ref()).map_err(|(problem, help)| self.error(value.span(), problem, help))
    }

    fn optional<T>(
        &self,
        value: Option<&Spanned<String>>,
        check: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Result<Option<T>, ConfigError> {
        value.map(|value| self.check(value, check)).transpose()
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

/// The checked form, and the settings without a default that the file does not have.
pub(super) fn parse_partly(
    text: &str,
    file: &Path,
) -> Result<(Config, Vec<&'static str>), ConfigError> {
    let source = Source { text, file };
    let raw: File = toml::from_str(text).map_err(|e| syntax(&source, &e))?;
    check_wake(&source, &raw.bridge)?;
    refuse_duplicates(&source, &raw.peer, &raw.region)?;
    let peer = |peer: &Peer| {
        let address = source.check(&peer.address, settings::address)?;
        Ok(PeerConfig { address, origin: source.origin(peer.origin.as_ref())? })
    };
    let present = [
        raw.node.home.is_some(),
        raw.cluster.id.is_some(),
        raw.listen.address.is_some(),
        raw.tls.ca.is_some(),
        raw.tls.cert.is_some(),
        raw.tls.key.is_some(),
    ];
    let missing = REQUIRED.iter().zip(present).filter(|(_, is)| !is).map(|(key, _)| *key);
    let path = |path: Option<PathBuf>| path.map(|path| source.path(path)).unwrap_or_default();
    let Bridge { peer_timeout, unreachable_timeout, .. } = &raw.bridge;
    let mut config = Config::new(path(raw.node.home), "", Path::new(""));
    config.origin = source.origin(raw.node.origin.as_ref())?;
    config.cluster =
        source.optional(raw.cluster.id.as_ref(), settings::cluster)?.unwrap_or_default();
    if let Some(listen) = source.optional(raw.listen.address.as_ref(), settings::address)? {
        config.listen = listen;
    }
    config.advertise = source.optional(raw.listen.advertise.as_ref(), settings::advertised)?;
    config.peers = raw.peer.iter().map(peer).collect::<Result<_, ConfigError>>()?;
    config.tls =
        TlsConfig { ca: path(raw.tls.ca), cert: path(raw.tls.cert), key: path(raw.tls.key) };
    config.regions = raw.region.iter().map(|r| source.region(r)).collect::<Result<_, _>>()?;
    if let Some(timeout) = source.optional(peer_timeout.as_ref(), settings::duration)? {
        config.peer_timeout = timeout;
    }
    if let Some(timeout) = source.optional(unreachable_timeout.as_ref(), settings::duration)? {
        config.unreachable_timeout = timeout;
    }
    let threshold =
        |value: &Option<Spanned<String>>| source.optional(value.as_ref(), settings::duration);
    if let Some(threshold) = threshold(&raw.bridge.ack_wait_threshold)? {
        config.ack_wait_threshold = threshold;
    }
    if let Some(threshold) = threshold(&raw.bridge.ack_severe_alert_threshold)? {
        config.ack_severe_alert_threshold = threshold;
    }
    config.status_socket = raw.status.socket.map(|path| source.path(path));
    config.http = source.optional(raw.http.address.as_ref(), settings::loopback)?;
    if let Some(filter) = raw.log.filter {
        config.log.filter = filter;
    }
    if let Some(format) = source.optional(raw.log.format.as_ref(), settings::log_format)? {
        config.log.format = format;
    }
    Ok((config, missing.collect()))
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

/// As it would be written.
pub(super) fn show_duration(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms > 0 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms > 0 && ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

pub(super) fn parse_duration(text: &str) -> Option<Duration> {
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

/// The line on which `key` of `[table]` or of the first `[[table]]` is assigned; 0: nowhere.
pub(super) fn line_of(text: &str, table: &str, key: &str) -> usize {
    match place_of(text, table, key) {
        place if place.is_empty() => 0,
        place => text[..place.start].matches('\n').count() + 1,
    }
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
