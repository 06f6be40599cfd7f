//! Everything that touches the network: QUIC with mutual TLS.
//!
//! A transport is a set of tasks that report [`Event`]s to the hub. The hub answers through the
//! [`Link`] it was given for each connection, and tells the dialers who is connected.

mod dial;
#[cfg(any(test, feature = "faults"))]
pub(crate) mod faults;
pub(crate) mod frame;
pub(crate) mod identity;
mod link;
mod quic;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, ConnectionError, Endpoint};
use rustls::pki_types::CertificateDer;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use dial::Dialing;
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
    tls: watch::Sender<Arc<Credentials>>,
    dialing: Dialing,
    /// Dialers of configured peers; dropping an entry ends the dialer.
    configured: HashMap<SocketAddr, (PeerConfig, oneshot::Sender<()>)>,
    /// Dialers of nodes that others told of, by origin.
    learned: HashMap<u16, (SocketAddr, oneshot::Sender<()>)>,
    tasks: JoinSet<()>,
}

impl Transport {
    /// Binds the address, accepts connections and dials every peer, for ever.
    pub(crate) fn start(
        listen: SocketAddr,
        peers: &[PeerConfig],
        tls: &Arc<Credentials>,
    ) -> Result<(Self, mpsc::Receiver<Event>), BridgeError> {
        let bound = quic::bind(listen, tls)?;
        let (events, receiver) = mpsc::channel(EVENTS);
        let (connected, watch) = watch::channel(Connected::new());
        let ids = Ids::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(bound.endpoint.clone(), ids.clone(), events.clone()));
        let Bound { endpoint, address, warning } = bound;
        let (tls, certificates) = watch::channel(tls.clone());
        let endpoint_of_dialers = endpoint.clone();
        let dialing = Dialing {
            endpoint: endpoint_of_dialers,
            tls: certificates,
            ids,
            connected: watch,
            events,
        };
        let mut transport = Self {
            endpoint,
            address,
            warning,
            connected,
            tls,
            dialing,
            configured: HashMap::new(),
            learned: HashMap::new(),
            tasks,
        };
        transport.set_peers(peers);
        Ok((transport, receiver))
    }

    /// Dials these peers from now on and no other configured ones. Connections stay.
    pub(crate) fn set_peers(&mut self, peers: &[PeerConfig]) {
        self.configured.retain(|_, (peer, _)| peers.contains(peer));
        for peer in peers {
            if !self.configured.contains_key(&peer.address) {
                let wanted = self.dialer(peer.address, peer.origin);
                self.configured.insert(peer.address, (peer.clone(), wanted));
            }
        }
    }

    /// Dials a node that others told of, at this address and no other.
    pub(crate) fn dial(&mut self, origin: u16, address: SocketAddr) {
        let same = self.learned.get(&origin).is_some_and(|(known, _)| *known == address);
        if same || self.configured.contains_key(&address) {
            return;
        }
        let wanted = self.dialer(address, Some(origin));
        self.learned.insert(origin, (address, wanted));
    }

    /// Dials that node no more, unless it is configured.
    pub(crate) fn hang(&mut self, origin: u16) {
        self.learned.remove(&origin);
    }

    fn dialer(&mut self, address: SocketAddr, origin: Option<u16>) -> oneshot::Sender<()> {
        let (wanted, unwanted) = oneshot::channel();
        let dialing = self.dialing.clone();
        self.tasks.spawn(dial::Dialer { dialing, address, origin, unwanted }.run());
        // Dialers that have ended are forgotten here.
        while self.tasks.try_join_next().is_some() {}
        wanted
    }

    /// Uses other certificates from the next handshake on. Connections stay.
    ///
    /// # Errors
    /// [`BridgeError::Tls`]; the old ones stay in use.
    pub(crate) fn set_certificates(&self, tls: &Arc<Credentials>) -> Result<(), BridgeError> {
        self.endpoint.set_server_config(Some(quic::server(tls)?));
        self.tls.send_replace(tls.clone());
        Ok(())
    }

    /// Ends when no connection is open any more, or after `limit`.
    pub(crate) async fn until_idle(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.endpoint.wait_idle()).await;
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
        ConnectionError::Reset => "the peer was started again".into(),
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
