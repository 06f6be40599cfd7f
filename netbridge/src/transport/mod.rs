//! Everything that touches the network: QUIC with mutual TLS.
//!
//! A transport is a set of tasks that report [`Event`]s to the hub. The hub answers through the
//! [`Link`] it was given for each connection, and tells the dialers who is connected.

mod dial;
pub(crate) mod frame;
pub(crate) mod identity;
mod link;
mod quic;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, ConnectionError, Endpoint};
use rustls::pki_types::CertificateDer;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub(crate) use link::Link;
use tls::Credentials;

use crate::config::PeerConfig;
use crate::engine::{ConnId, Lane, PeerIdentity};
use crate::error::BridgeError;

/// Events waiting for the hub; when it is behind, streams stop reading and peers stop sending.
const EVENTS: usize = 64;

/// Codes of a connection's end that the shell uses; others belong to the core.
pub(crate) mod close {
    use quinn::VarInt;

    /// The bridge stops.
    pub(crate) const STOPPING: VarInt = VarInt::from_u32(0x100);
    /// The peer broke the framing.
    pub(crate) const FRAMING: VarInt = VarInt::from_u32(0x101);
}

/// What the transport tells the hub.
#[derive(Debug)]
pub(crate) enum Event {
    /// A handshake is done.
    Up {
        conn: ConnId,
        dialed: bool,
        peer: PeerIdentity,
        remote: SocketAddr,
        max_datagram: usize,
        link: Box<Link>,
    },
    /// A connection ended; nothing more comes from it.
    Down { conn: ConnId, reason: String },
    /// One control message.
    Control { conn: ConnId, payload: Bytes },
    /// Whole frames of a lane.
    Data {
        conn: ConnId,
        #[cfg_attr(
            not(test),
            expect(dead_code, reason = "frames name their region; tests check the stream header")
        )]
        lane: Lane,
        payload: Bytes,
    },
    /// One datagram.
    Datagram { conn: ConnId, payload: Bytes },
    /// A write to a lane is done.
    Sent { conn: ConnId, lane: Lane },
    /// An attempt to reach a configured peer failed.
    DialFailed { address: SocketAddr, reason: String },
    /// Somebody who dialed us was turned away.
    Refused { remote: SocketAddr, reason: String },
}

/// Who is connected, for the dialers: origin and address.
pub(crate) type Connected = Vec<(u16, SocketAddr)>;

/// The endpoint and its tasks. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Transport {
    endpoint: Endpoint,
    /// The bound address, with the port the system chose.
    pub(crate) address: SocketAddr,
    /// What an operator should know about the socket.
    pub(crate) warning: Option<String>,
    connected: watch::Sender<Connected>,
    _tasks: JoinSet<()>,
}

impl Transport {
    /// Binds the address, accepts connections and dials every peer, for ever.
    pub(crate) fn start(
        listen: SocketAddr,
        peers: &[PeerConfig],
        tls: &Credentials,
    ) -> Result<(Self, mpsc::Receiver<Event>), BridgeError> {
        let bound = quic::bind(listen, tls)?;
        let (events, receiver) = mpsc::channel(EVENTS);
        let (connected, watch) = watch::channel(Connected::new());
        let ids = Ids::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(bound.endpoint.clone(), ids.clone(), events.clone()));
        for peer in peers {
            let dialer = dial::Dialer {
                endpoint: bound.endpoint.clone(),
                config: quic::client(tls, peer.origin)?,
                address: peer.address,
                origin: peer.origin,
                ids: ids.clone(),
                connected: watch.clone(),
                events: events.clone(),
            };
            tasks.spawn(dialer.run());
        }
        let Bound { endpoint, address, warning } = bound;
        Ok((Self { endpoint, address, warning, connected, _tasks: tasks }, receiver))
    }

    /// Tells the dialers whom they need not dial.
    pub(crate) fn set_connected(&self, connected: Connected) {
        self.connected.send_replace(connected);
    }

    /// Closes every connection and gives the peers a moment to hear of it.
    pub(crate) async fn stop(&self, limit: Duration) {
        self.endpoint.close(close::STOPPING, b"the bridge stops");
        let _ = tokio::time::timeout(limit, self.endpoint.wait_idle()).await;
    }
}

use quic::Bound;

/// Numbers connections.
#[derive(Debug, Clone, Default)]
struct Ids(Arc<AtomicU64>);

impl Ids {
    fn next(&self) -> ConnId {
        ConnId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

async fn accept(endpoint: Endpoint, ids: Ids, events: mpsc::Sender<Event>) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return };
                links.spawn(answer(incoming, ids.clone(), events.clone()));
            }
            Some(_) = links.join_next() => {}
        }
    }
}

async fn answer(incoming: quinn::Incoming, ids: Ids, events: mpsc::Sender<Event>) {
    let remote = incoming.remote_address();
    let refused = match incoming.await {
        Ok(connection) => match peer_identity(&connection) {
            Some(peer) => return link::serve(connection, ids.next(), false, peer, events).await,
            None => "the peer showed no certificate of a node".to_owned(),
        },
        Err(error) => describe(&error),
    };
    let _ = events.send(Event::Refused { remote, reason: refused }).await;
}

/// Who the other side is. The handshake has verified the certificate.
fn peer_identity(connection: &Connection) -> Option<PeerIdentity> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    identity::from_certificate(chain.first()?).ok()
}

/// The end of a connection in words for an operator.
fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TransportError(e) if !e.reason.is_empty() => in_plain_words(&e.reason),
        ConnectionError::ConnectionClosed(close) if !close.reason.is_empty() => {
            let reason = String::from_utf8_lossy(&close.reason);
            format!("refused by the peer: {}", in_plain_words(&reason))
        }
        ConnectionError::ApplicationClosed(close) => {
            format!("closed by the peer: {}", String::from_utf8_lossy(&close.reason))
        }
        ConnectionError::TimedOut => "no answer".into(),
        ConnectionError::LocallyClosed => "closed here".into(),
        other => other.to_string(),
    }
}

/// What the TLS library says of a certificate, without its own type names.
fn in_plain_words(reason: &str) -> String {
    let Some(problem) = reason.strip_prefix("invalid peer certificate: ") else {
        return reason.to_owned();
    };
    let ours = problem.strip_prefix("Other(OtherError(").and_then(|p| p.strip_suffix("))"));
    match (ours, problem) {
        (Some(ours), _) => ours.to_owned(),
        (None, "UnknownIssuer" | "BadSignature") => {
            "the certificate is not signed by the authority of this cluster".to_owned()
        }
        (None, other) => format!("invalid certificate: {other}"),
    }
}
