//! Why a bridge does not start, or stops.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ConfigError;

/// An error of the bridge as a whole. What goes wrong with one peer is in the status instead.
#[derive(Debug)]
#[non_exhaustive]
pub enum BridgeError {
    /// The configuration is wrong.
    Config(ConfigError),
    /// A certificate file cannot be used.
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The TLS library refused the certificates.
    Tls {
        /// Its words.
        problem: String,
    },
    /// The UDP address cannot be used.
    Listen {
        /// The address.
        address: SocketAddr,
        /// The answer of the system.
        source: io::Error,
    },
    /// The address of the status page cannot be used.
    Http {
        /// The address.
        address: SocketAddr,
        /// The answer of the system.
        source: io::Error,
    },
    /// The status socket cannot be used.
    StatusSocket {
        /// Its path.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// Nothing answers on the status socket.
    NotRunning {
        /// Its path.
        path: PathBuf,
    },
    /// The bridge answered something else than a status.
    BadAnswer {
        /// What was wrong with the answer.
        problem: String,
    },
    /// The node has another origin than the certificate.
    OriginDiffers {
        /// Origin stored in the home directory.
        node: u16,
        /// Origin in the certificate.
        certificate: u16,
    },
    /// The shared-memory library refused; another bridge running here is such an error.
    Store(crate::local::LibraryError),
    /// The system refused something else.
    System {
        /// What was tried.
        op: &'static str,
        /// The answer of the system.
        source: io::Error,
    },
}

impl BridgeError {
    /// Stable number of the error, printed as `VUG-0702`. Errors of the library keep theirs.
    pub fn code(&self) -> u16 {
        match self {
            Self::Config(e) => e.code(),
            Self::Certificate { .. } => 702,
            Self::Tls { .. } => 703,
            Self::Listen { .. } => 704,
            Self::StatusSocket { .. } => 705,
            Self::NotRunning { .. } => 706,
            Self::BadAnswer { .. } => 707,
            Self::OriginDiffers { .. } => 708,
            Self::Store(e) => e.code(),
            Self::System { .. } => 709,
            Self::Http { .. } => 710,
        }
    }

    /// What to do about it, one line.
    pub fn help(&self) -> String {
        match self {
            Self::Config(e) => e.help.clone(),
            Self::Certificate { .. } => {
                "issue the certificate with `vug cert issue` from the cluster's authority".into()
            }
            Self::Tls { .. } => "check that certificate and key belong together".into(),
            Self::Listen { .. } => {
                "choose an address of this machine and a port that nobody uses".into()
            }
            Self::Http { .. } => "choose another port as http.address, or none".into(),
            Self::StatusSocket { .. } => {
                "give a writable path of at most 107 bytes as status.socket".into()
            }
            Self::NotRunning { .. } => "start the bridge with `vug bridge run`".into(),
            Self::BadAnswer { .. } => "use the same version of vug as the bridge".into(),
            Self::OriginDiffers { .. } => {
                "use the certificate of this node; its regions hold versions of its own origin"
                    .into()
            }
            Self::Store(e) => e.help(),
            Self::System { .. } => "see the system's message".into(),
        }
    }

    /// Whether the reason is that another bridge serves this home directory.
    pub fn is_bridge_running(&self) -> bool {
        matches!(self, Self::Store(crate::local::LibraryError::BridgeRuns { .. }))
    }
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(e) => e.fmt(f),
            Self::Certificate { path, problem } => {
                write!(f, "certificate file {}: {problem}", path.display())
            }
            Self::Tls { problem } => write!(f, "cannot set up TLS: {problem}"),
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Http { address, source } => {
                write!(f, "cannot serve the status page on {address}: {source}")
            }
            Self::StatusSocket { path, source } => {
                write!(f, "status socket {}: {source}", path.display())
            }
            Self::NotRunning { path } => {
                write!(f, "no bridge answers at {}", path.display())
            }
            Self::BadAnswer { problem } => write!(f, "the bridge's answer is unusable: {problem}"),
            Self::OriginDiffers { node, certificate } => write!(
                f,
                "this home directory belongs to node {node}, the certificate to node {certificate}"
            ),
            Self::Store(e) => e.fmt(f),
            Self::System { op, source } => write!(f, "cannot {op}: {source}"),
        }
    }
}

impl std::error::Error for BridgeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. }
            | Self::Http { source, .. }
            | Self::StatusSocket { source, .. }
            | Self::System { source, .. } => Some(source),
            Self::Store(e) => Some(e),
            Self::Config(e) => Some(e),
            _ => None,
        }
    }
}

impl From<ConfigError> for BridgeError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<crate::local::LibraryError> for BridgeError {
    fn from(error: crate::local::LibraryError) -> Self {
        Self::Store(error)
    }
}
