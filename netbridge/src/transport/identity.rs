//! How a node's place in its cluster is written into a certificate, and read back.
//!
//! The identity is the subject alternative name URI `vug://<cluster>/node/<origin>`. The DNS name
//! `node-<origin>.<cluster>.vug` says the same in the form that TLS libraries can check.

use std::fmt;

use crate::engine::PeerIdentity;

/// Longest cluster id: it is one label of a DNS name.
pub(crate) const CLUSTER_ID_LIMIT: usize = 63;

/// Why a certificate names no node.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum IdentityError {
    /// The bytes are no X.509 certificate.
    Unreadable,
    /// There is no `vug://` URI among the subject alternative names.
    Missing,
    /// There are several `vug://` URIs.
    Ambiguous,
    /// The URI has another form than `vug://<cluster>/node/<origin>`.
    Malformed(String),
    /// The certificate is valid, but for another cluster.
    OtherCluster { expected: String, found: String },
    /// The certificate is valid, but for another node than the one configured at this address.
    OtherNode { expected: u16, found: u16 },
    /// The peer shows the origin of this node.
    OwnOrigin(u16),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("the certificate cannot be parsed"),
            Self::Missing => f.write_str("the certificate names no vug node"),
            Self::Ambiguous => f.write_str("the certificate names several vug nodes"),
            Self::Malformed(uri) => write!(f, "the certificate has a malformed node name '{uri}'"),
            Self::OtherCluster { expected, found } => write!(
                f,
                "the certificate is for cluster '{found}', this node belongs to '{expected}'"
            ),
            Self::OtherNode { expected, found } => write!(
                f,
                "the certificate is for node {found}, the configuration expects node {expected}"
            ),
            Self::OwnOrigin(origin) => {
                write!(f, "the peer has the origin of this node, {origin}")
            }
        }
    }
}

/// The TLS library shows errors of a verifier in this form, to the peer too.
impl fmt::Debug for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for IdentityError {}

/// Whether `id` may name a cluster: one lower-case DNS label.
pub(crate) fn is_cluster_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    (1..=CLUSTER_ID_LIMIT).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
}

/// The name a certificate of this node carries for TLS.
pub(crate) fn dns_name(cluster: &str, origin: u16) -> String {
    format!("node-{origin}.{cluster}.vug")
}

/// The name a certificate of this node carries for the bridge.
pub(crate) fn node_uri(cluster: &str, origin: u16) -> String {
    format!("vug://{cluster}/node/{origin}")
}

fn parse_node_uri(uri: &str) -> Option<PeerIdentity> {
    let (cluster, origin) = uri.strip_prefix("vug://")?.split_once("/node/")?;
    let origin: u16 = origin.parse().ok()?;
    // Reading back what we would have written refuses "+7", "007" and the reserved 0.
    (is_cluster_id(cluster) && origin != 0 && node_uri(cluster, origin) == uri)
        .then(|| PeerIdentity { cluster: cluster.to_owned(), origin })
}

/// Reads the node's identity from a certificate. Says nothing about who signed it.
pub(crate) fn from_certificate(der: &[u8]) -> Result<PeerIdentity, IdentityError> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    let (_, cert) = X509Certificate::from_der(der).map_err(|_| IdentityError::Unreadable)?;
    let names = cert.subject_alternative_name().map_err(|_| IdentityError::Unreadable)?;
    let mut found = None;
    for name in names.iter().flat_map(|san| &san.value.general_names) {
        let GeneralName::URI(uri) = name else {
            continue;
        };
        if !uri.starts_with("vug://") {
            continue;
        }
        if found.is_some() {
            return Err(IdentityError::Ambiguous);
        }
        let identity =
            parse_node_uri(uri).ok_or_else(|| IdentityError::Malformed((*uri).to_owned()))?;
        found = Some(identity);
    }
    found.ok_or(IdentityError::Missing)
}

/// Seconds since 1970 at which the certificate stops being valid.
pub(crate) fn expiry(der: &[u8]) -> Option<i64> {
    use x509_parser::prelude::{FromDer, X509Certificate};

    let (_, cert) = X509Certificate::from_der(der).ok()?;
    Some(cert.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_round_trip() {
        let identity = parse_node_uri(&node_uri("lab-1", 7)).expect("own form");
        assert_eq!(identity, PeerIdentity { cluster: "lab-1".into(), origin: 7 });
    }

    #[test]
    fn other_forms_are_refused() {
        for uri in [
            "vug://lab/node/0",
            "vug://lab/node/65536",
            "vug://lab/node/+7",
            "vug://lab/node/07",
            "vug://lab/node/7/",
            "vug://lab/7",
            "vug:///node/7",
            "vug://La/node/7",
            "http://lab/node/7",
        ] {
            assert!(parse_node_uri(uri).is_none(), "{uri}");
        }
    }

    #[test]
    fn cluster_ids_are_dns_labels() {
        for good in ["a", "lab", "lab-1", "0"] {
            assert!(is_cluster_id(good), "{good}");
        }
        let long = "x".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "a/b", long.as_str()] {
            assert!(!is_cluster_id(bad), "{bad}");
        }
    }
}
