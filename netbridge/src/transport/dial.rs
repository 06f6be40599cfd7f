//! Keeps dialing one configured peer for as long as the bridge runs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quinn::{ClientConfig, Endpoint};
use tokio::sync::{mpsc, watch};

use super::{Connected, Event, Ids, describe, link, peer_identity};

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(2);
/// A connection that lasted so long was a success; the next attempt starts without delay.
const LASTING: Duration = Duration::from_secs(1);

/// The task of one configured peer.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) endpoint: Endpoint,
    pub(super) config: ClientConfig,
    pub(super) address: SocketAddr,
    /// Who lives there: from the configuration, or learned at the first handshake.
    pub(super) origin: Option<u16>,
    pub(super) ids: Ids,
    pub(super) connected: watch::Receiver<Connected>,
    pub(super) events: mpsc::Sender<Event>,
}

impl Dialer {
    pub(super) async fn run(mut self) {
        let mut delay = Delay::new(self.address);
        loop {
            let Ok(()) = self.until_disconnected().await else {
                return;
            };
            let start = Instant::now();
            match self.dial_once().await {
                Ok(()) if start.elapsed() >= LASTING => delay.reset(),
                Ok(()) => {}
                Err(reason) => {
                    tracing::debug!(address = %self.address, reason, "cannot connect");
                    let failed = Event::DialFailed { address: self.address, reason };
                    if self.events.send(failed).await.is_err() {
                        return;
                    }
                }
            }
            tokio::time::sleep(delay.next()).await;
        }
    }

    /// Waits while the peer is connected, whoever dialed. Fails when the bridge stops.
    async fn until_disconnected(&mut self) -> Result<(), watch::error::RecvError> {
        let (address, origin) = (self.address, self.origin);
        let here = |&(o, a): &(u16, SocketAddr)| a == address || Some(o) == origin;
        self.connected.wait_for(|connected| !connected.iter().any(here)).await.map(drop)
    }

    /// Dials and serves the connection to its end, or says why there was none.
    async fn dial_once(&mut self) -> Result<(), String> {
        // The name is not used: the verifier takes it from the certificate.
        let connecting = self
            .endpoint
            .connect_with(self.config.clone(), self.address, "vug")
            .map_err(|e| e.to_string())?;
        let connection = connecting.await.map_err(|e| describe(&e))?;
        let Some(peer) = peer_identity(&connection) else {
            return Err("the peer showed no certificate of a node".into());
        };
        self.origin = Some(peer.origin);
        link::serve(connection, self.ids.next(), true, peer, self.events.clone()).await;
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
