//! Keeps dialing one node for as long as it is wanted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::Endpoint;
use tokio::sync::{mpsc, oneshot, watch};

use super::tls::Credentials;
use super::{Connected, Event, Ids, describe, link, peer_identity, quic};

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(2);
/// A connection that lasted so long was a success; the next attempt starts without delay.
const LASTING: Duration = Duration::from_secs(1);

/// What all dialers share.
#[derive(Debug, Clone)]
pub(super) struct Dialing {
    pub(super) endpoint: Endpoint,
    /// The certificates of now: a reload counts from the next attempt on.
    pub(super) tls: watch::Receiver<Arc<Credentials>>,
    pub(super) ids: Ids,
    pub(super) connected: watch::Receiver<Connected>,
    pub(super) events: mpsc::Sender<Event>,
}

/// The task of one node. Ends when the other half of `unwanted` is dropped, but never in the
/// middle of a connection.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) dialing: Dialing,
    pub(super) address: SocketAddr,
    /// Who lives there: configured, told by others, or learned at the first handshake.
    pub(super) origin: Option<u16>,
    pub(super) unwanted: oneshot::Receiver<()>,
}

impl Dialer {
    pub(super) async fn run(mut self) {
        let mut delay = Delay::new(self.address);
        loop {
            let (address, origin) = (self.address, self.origin);
            // Whoever dialed: while the node is connected there is nothing to do.
            let here = |&(o, a): &(u16, SocketAddr)| a == address || Some(o) == origin;
            let away = |connected: &Connected| !connected.iter().any(here);
            tokio::select! {
                _ = &mut self.unwanted => return,
                gone = self.dialing.connected.wait_for(away) => {
                    if gone.is_err() {
                        return;
                    }
                }
            }
            let start = Instant::now();
            match self.dial_once().await {
                Ok(()) if start.elapsed() >= LASTING => {
                    delay.reset();
                    continue;
                }
                Ok(()) => {}
                Err(None) => return,
                Err(Some(reason)) => {
                    tracing::debug!(address = %self.address, reason, "cannot connect");
                    let failed = Event::DialFailed { address: self.address, reason };
                    if self.dialing.events.send(failed).await.is_err() {
                        return;
                    }
                }
            }
            tokio::select! {
                _ = &mut self.unwanted => return,
                () = tokio::time::sleep(delay.next()) => {}
            }
        }
    }

    /// Dials and serves the connection to its end, or says why there was none; nothing if the
    /// node is no longer wanted.
    async fn dial_once(&mut self) -> Result<(), Option<String>> {
        let tls = self.dialing.tls.borrow().clone();
        let config = quic::client(&tls, self.origin).map_err(|e| Some(e.to_string()))?;
        // The name is not used: the verifier takes it from the certificate.
        let connecting = self
            .dialing
            .endpoint
            .connect_with(config, self.address, "vug")
            .map_err(|e| Some(e.to_string()))?;
        let connection = tokio::select! {
            _ = &mut self.unwanted => return Err(None),
            connected = connecting => connected.map_err(|e| Some(describe(&e)))?,
        };
        let Some(peer) = peer_identity(&connection) else {
            return Err(Some("the peer showed no certificate of a node".into()));
        };
        self.origin = Some(peer.origin);
        let (conn, events) = (self.dialing.ids.next(), self.dialing.events.clone());
        link::serve(connection, conn, true, peer, events).await;
        Ok(())
    }
}

/// Doubles from attempt to attempt, with jitter so that two nodes do not keep colliding.
struct Delay {
    current: Duration,
    random: u64,
}

impl Delay {
    fn new(address: SocketAddr) -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self { current: FIRST_DELAY, random: RandomState::new().hash_one(address) | 1 }
    }

    fn reset(&mut self) {
        self.current = FIRST_DELAY;
    }

    /// Between three quarters and five quarters of the current step.
    fn next(&mut self) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let factor = 0.75 + (self.random % 1024) as f64 / 2048.0;
        let delay = self.current.mul_f64(factor);
        self.current = (self.current * 2).min(LAST_DELAY);
        delay
    }
}
