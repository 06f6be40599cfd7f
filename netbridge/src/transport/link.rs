//! The tasks of one connection, and the handle by which the hub sends on it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::frame::{self, Deframer, FrameError, STREAM_HEADER_LEN, Unit};
use super::{Event, describe};
use crate::engine::{ConnId, Lane, PeerIdentity};

const CONTROL_PRIORITY: i32 = 100;
const REGION_PRIORITY: i32 = 40;
const IMAGE_PRIORITY: i32 = -20;
/// Most bytes taken from a stream at once.
const READ: usize = 256 << 10;
/// Most writes handed to a stream at once.
const BATCH: usize = 64;

/// The sending half of a connection. Dropping it does not close the connection.
#[derive(Debug)]
pub(crate) struct Link {
    connection: Connection,
    conn: ConnId,
    control: mpsc::UnboundedSender<Bytes>,
    lanes: HashMap<Lane, mpsc::UnboundedSender<Bytes>>,
    events: mpsc::Sender<Event>,
    /// When the handshake was done.
    pub(crate) since: Instant,
}

impl Link {
    /// Queues a control message.
    pub(crate) fn send_control(&self, payload: Vec<u8>) {
        // The receiver is gone only when the connection is, and that is reported separately.
        let _ = self.control.send(payload.into());
    }

    /// Queues frames on a lane; [`Event::Sent`] follows when the transport has taken them.
    pub(crate) fn send_data(&mut self, lane: Lane, payload: Vec<u8>) {
        let writer = match self.lanes.entry(lane) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(vacant) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let connection = self.connection.clone();
                tokio::spawn(write_lane(
                    connection,
                    self.conn,
                    lane,
                    receiver,
                    self.events.clone(),
                ));
                vacant.insert(sender)
            }
        };
        let _ = writer.send(payload.into());
    }

    /// Sends a datagram, or drops it when the path does not take it.
    pub(crate) fn send_datagram(&self, payload: Vec<u8>) {
        if let Err(e) = self.connection.send_datagram(payload.into()) {
            tracing::debug!(conn = self.conn.0, error = %e, "datagram dropped");
        }
    }

    /// Ends the connection; the peer learns code and reason.
    pub(crate) fn close(&self, code: u32, reason: &str) {
        self.connection.close(VarInt::from_u32(code), reason.as_bytes());
    }

    /// UDP bytes of the connection so far: sent, received.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let stats = self.connection.stats();
        (stats.udp_tx.bytes, stats.udp_rx.bytes)
    }

    /// The transport's estimate of the round-trip time.
    pub(crate) fn rtt(&self) -> Duration {
        self.connection.rtt()
    }
}

/// Serves a connection until it ends: reports it, everything that arrives, and its end.
pub(crate) async fn serve(
    connection: Connection,
    conn: ConnId,
    dialed: bool,
    peer: PeerIdentity,
    events: mpsc::Sender<Event>,
) {
    let (control, outgoing) = mpsc::unbounded_channel();
    let remote: SocketAddr = connection.remote_address();
    let link = Link {
        connection: connection.clone(),
        conn,
        control,
        lanes: HashMap::new(),
        events: events.clone(),
        since: Instant::now(),
    };
    let max_datagram = connection.max_datagram_size().unwrap_or(0);
    let up = Event::Up { conn, dialed, peer, remote, max_datagram, link: Box::new(link) };
    if events.send(up).await.is_err() {
        return;
    }
    let ended = tokio::select! {
        ended = run_control(&connection, conn, dialed, outgoing, &events) => ended,
        ended = accept_lanes(&connection, conn, &events) => ended,
        ended = read_datagrams(&connection, conn, &events) => ended,
        ended = connection.closed() => Err(ended.into()),
    };
    let reason = match ended {
        Ok(()) => "the peer ended its control stream".to_owned(),
        Err(Ended::Protocol(error)) => {
            connection.close(super::close::FRAMING, error.to_string().as_bytes());
            error.to_string()
        }
        // A stream error does not say why the connection ended; the connection does.
        Err(Ended::Transport(text)) => {
            connection.close_reason().map_or(text, |error| describe(&error))
        }
    };
    connection.close(super::close::FRAMING, reason.as_bytes());
    let _ = events.send(Event::Down { conn, reason }).await;
}

/// Why a connection ended.
enum Ended {
    Protocol(FrameError),
    Transport(String),
}

impl From<FrameError> for Ended {
    fn from(error: FrameError) -> Self {
        Self::Protocol(error)
    }
}

macro_rules! ended_by_transport {
    ($($error:ty),*) => {$(
        impl From<$error> for Ended {
            fn from(error: $error) -> Self {
                Self::Transport(error.to_string())
            }
        }
    )*};
}
ended_by_transport!(quinn::ConnectionError, quinn::ReadError, quinn::WriteError);

/// The hub is gone; so is the need for a reason.
impl From<mpsc::error::SendError<Event>> for Ended {
    fn from(_: mpsc::error::SendError<Event>) -> Self {
        Self::Transport("the bridge stops".into())
    }
}

/// The dialer opens the control stream; it exists for the other side with its first message.
async fn run_control(
    connection: &Connection,
    conn: ConnId,
    dialed: bool,
    outgoing: mpsc::UnboundedReceiver<Bytes>,
    events: &mpsc::Sender<Event>,
) -> Result<(), Ended> {
    let (send, receive) =
        if dialed { connection.open_bi().await? } else { connection.accept_bi().await? };
    let _ = send.set_priority(CONTROL_PRIORITY);
    tokio::select! {
        ended = write_control(send, outgoing) => ended,
        ended = read_control(receive, conn, events) => ended,
    }
}

async fn write_control(
    mut stream: SendStream,
    mut outgoing: mpsc::UnboundedReceiver<Bytes>,
) -> Result<(), Ended> {
    while let Some(payload) = outgoing.recv().await {
        let prefix = Bytes::copy_from_slice(&frame::prefix(&payload));
        stream.write_all_chunks(&mut [prefix, payload]).await?;
    }
    // The hub dropped the link, but what it queued must arrive; the connection's end ends us.
    std::future::pending().await
}

async fn read_control(
    mut stream: RecvStream,
    conn: ConnId,
    events: &mpsc::Sender<Event>,
) -> Result<(), Ended> {
    let mut deframer = Deframer::new(Unit::Message);
    while let Some(chunk) = stream.read_chunk(READ, true).await? {
        deframer.push(chunk.bytes);
        while let Some(payload) = deframer.next_unit()? {
            events.send(Event::Control { conn, payload }).await?;
        }
    }
    Ok(deframer.finish()?)
}

async fn accept_lanes(
    connection: &Connection,
    conn: ConnId,
    events: &mpsc::Sender<Event>,
) -> Result<(), Ended> {
    let mut lanes: JoinSet<Result<(), Ended>> = JoinSet::new();
    loop {
        tokio::select! {
            stream = connection.accept_uni() => {
                lanes.spawn(read_lane(stream?, conn, events.clone()));
            }
            Some(ended) = lanes.join_next() => {
                // A finished lane is fine; one that broke the protocol ends the connection.
                if let Ok(Err(ended)) = ended {
                    return Err(ended);
                }
            }
        }
    }
}

async fn read_lane(
    mut stream: RecvStream,
    conn: ConnId,
    events: mpsc::Sender<Event>,
) -> Result<(), Ended> {
    let mut header = [0; STREAM_HEADER_LEN];
    if stream.read_exact(&mut header).await.is_err() {
        return Err(FrameError::Cut.into());
    }
    let lane = frame::lane_of(header)?;
    let mut deframer = Deframer::new(Unit::Frames);
    while let Some(chunk) = stream.read_chunk(READ, true).await? {
        deframer.push(chunk.bytes);
        while let Some(payload) = deframer.next_unit()? {
            events.send(Event::Data { conn, lane, payload }).await?;
        }
    }
    Ok(deframer.finish()?)
}

async fn read_datagrams(
    connection: &Connection,
    conn: ConnId,
    events: &mpsc::Sender<Event>,
) -> Result<(), Ended> {
    loop {
        let payload = connection.read_datagram().await?;
        events.send(Event::Datagram { conn, payload }).await?;
    }
}

/// Ends with the connection or with the link.
async fn write_lane(
    connection: Connection,
    conn: ConnId,
    lane: Lane,
    mut outgoing: mpsc::UnboundedReceiver<Bytes>,
    events: mpsc::Sender<Event>,
) {
    let Ok(mut stream) = connection.open_uni().await else {
        return;
    };
    let priority = match lane {
        Lane::Region(_) => REGION_PRIORITY,
        Lane::Image(_) => IMAGE_PRIORITY,
    };
    let _ = stream.set_priority(priority);
    let mut batch = vec![Bytes::copy_from_slice(&frame::stream_header(lane))];
    loop {
        let count = outgoing.recv_many(&mut batch, BATCH).await;
        // A failed write means that the connection ended, which its own task reports.
        if count == 0 || stream.write_all_chunks(&mut batch).await.is_err() {
            return;
        }
        batch.clear();
        for _ in 0..count {
            if events.send(Event::Sent { conn, lane }).await.is_err() {
                return;
            }
        }
    }
}
