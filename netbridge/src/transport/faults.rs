//! A UDP socket that misbehaves on demand, for tests: loss, delay and reordering, cuts in one
//! direction or both. Only with the feature `faults`.
//!
//! ```ignore
//! let faults = Faults::at(address); // before the bridge that listens there starts
//! faults.cut(peer_address);         // nothing goes there any more; the other way still works
//! faults.heal();
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

/// Sockets that are to misbehave, by the address they are bound to.
static SOCKETS: Mutex<BTreeMap<SocketAddr, Arc<Faults>>> = Mutex::new(BTreeMap::new());

/// What happens to packets that one socket sends.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    cut: BTreeSet<SocketAddr>,
    /// In a thousand packets.
    loss: u64,
    delay: Duration,
    /// Added to `delay` at random: packets overtake each other.
    jitter: Duration,
    random: u64,
    dropped: u64,
}

impl Faults {
    /// The faults of the socket bound to this address, now or later in this process.
    pub fn at(address: SocketAddr) -> Arc<Self> {
        let mut sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.entry(address).or_default().clone()
    }

    fn with<R>(&self, f: impl FnOnce(&mut Rules) -> R) -> R {
        f(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Drops every packet to that address.
    pub fn cut(&self, to: SocketAddr) {
        self.with(|rules| rules.cut.insert(to));
    }

    /// Lets packets to that address through again.
    pub fn join(&self, to: SocketAddr) {
        self.with(|rules| rules.cut.remove(&to));
    }

    /// Drops so many of a thousand packets, by a fixed sequence of random numbers.
    pub fn lose(&self, per_mille: u64) {
        self.with(|rules| rules.loss = per_mille);
    }

    /// Holds every packet back for `delay` and up to `jitter` more.
    pub fn delay(&self, delay: Duration, jitter: Duration) {
        self.with(|rules| (rules.delay, rules.jitter) = (delay, jitter));
    }

    /// From now on nothing happens to any packet.
    pub fn heal(&self) {
        self.with(|rules| *rules = Rules { dropped: rules.dropped, ..Rules::default() });
    }

    /// Packets dropped so far.
    pub fn dropped(&self) -> u64 {
        self.with(|rules| rules.dropped)
    }

    /// When a packet goes out; `None`: never.
    fn fate(&self, to: SocketAddr) -> Option<Duration> {
        self.with(|rules| {
            // splitmix64
            rules.random = rules.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = rules.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            if rules.cut.contains(&to) || z % 1_000 < rules.loss {
                rules.dropped += 1;
                return None;
            }
            let jitter = u64::try_from(rules.jitter.as_micros()).unwrap_or(0);
            Some(rules.delay + Duration::from_micros(z.rotate_left(20) % (jitter + 1)))
        })
    }
}

/// The socket itself, or one that misbehaves if this address was asked for.
pub(super) fn wrap(
    socket: Arc<dyn AsyncUdpSocket>,
    address: SocketAddr,
) -> Arc<dyn AsyncUdpSocket> {
    let sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    match sockets.get(&address) {
        Some(faults) => Arc::new(FaultySocket { socket, faults: faults.clone() }),
        None => socket,
    }
}

struct FaultySocket {
    socket: Arc<dyn AsyncUdpSocket>,
    faults: Arc<Faults>,
}

impl fmt::Debug for FaultySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultySocket").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for FaultySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let Some(delay) = self.faults.fate(transmit.destination) else {
            return Ok(());
        };
        if delay.is_zero() {
            return self.socket.try_send(transmit);
        }
        let (destination, ecn, src_ip) = (transmit.destination, transmit.ecn, transmit.src_ip);
        let (contents, socket) = (transmit.contents.to_vec(), self.socket.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let late =
                Transmit { destination, ecn, contents: &contents, segment_size: None, src_ip };
            // A full socket buffer is one more way to lose a packet.
            let _ = socket.try_send(&late);
        });
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// One packet at a time, so that each has a fate of its own.
    fn max_transmit_segments(&self) -> usize {
        1
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}
