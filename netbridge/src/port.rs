//! The vocabulary between the core and whoever drives it: what comes in, what goes out.
//!
//! A driver calls [`Engine::handle`](crate::engine::Engine::handle) for everything that happens and
//! afterwards takes [`Engine::poll_action`](crate::engine::Engine::poll_action) until it answers
//! `None`. Several inputs may be handled before the actions are taken: that is how acknowledgements
//! of one turn fold into one datagram.

use std::net::SocketAddr;

use crate::member::ClusterEvent;

/// Names one transport connection; chosen by the driver, never used twice in one engine's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// One ordered unidirectional stream of a connection. The driver opens it at the first
/// [`Action::SendData`] that names it and keeps it until the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The live stream of the region with this number of ours.
    Region(u16),
    /// Initial images of the region with this number of ours; lower priority than every region.
    Image(u16),
}

/// What the peer's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Name of the cluster the certificate was issued for.
    pub cluster: String,
    /// Number of the node in its cluster, 1 or more.
    pub origin: u16,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// The transport handshake is done; the peer counts for nothing yet.
    Connected {
        /// The new connection.
        conn: ConnId,
        /// True when this node dialled.
        dialed: bool,
        /// From the peer's certificate.
        peer: PeerIdentity,
        /// Largest datagram the path takes, in bytes; 0 when datagrams do not work.
        max_datagram: usize,
        /// The peer's address, if there is such a thing: whoever dials it meets the peer.
        remote: Option<SocketAddr>,
    },
    /// The connection is gone, whoever closed it.
    Disconnected {
        /// The connection.
        conn: ConnId,
        /// For people.
        reason: String,
    },
    /// One message of the control stream, without its length prefix.
    Control {
        /// The connection.
        conn: ConnId,
        /// The message.
        payload: &'a [u8],
    },
    /// One or more whole frames of one unidirectional stream, headers included, in stream order.
    Data {
        /// The connection.
        conn: ConnId,
        /// The frames.
        payload: &'a [u8],
    },
    /// One datagram.
    Datagram {
        /// The connection.
        conn: ConnId,
        /// Its content.
        payload: &'a [u8],
    },
    /// The last [`Action::SendData`] of this lane was handed to the transport; the next may follow.
    Sent {
        /// The connection.
        conn: ConnId,
        /// The lane.
        lane: Lane,
    },
    /// The bell rang or a poll turn is due: look at the regions.
    Local,
    /// A process of this node looks for an entry that is not here.
    Search {
        /// Comes back in [`Action::Answer`]; no two at a time are the same.
        ask: u64,
        /// The region, by the number that the store gave it.
        region: u32,
        /// The key.
        key: &'a [u8],
        /// Only whether there is an entry.
        presence: bool,
    },
    /// The process does not wait any more.
    Forget {
        /// Which question.
        ask: u64,
    },
    /// Time has passed; due at the latest at `next_timeout`.
    Tick,
    /// This node leaves the cluster: say goodbye to every peer. Nothing else follows.
    Leave,
}

/// Something the driver must do, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message on the ordered control stream.
    SendControl {
        /// The connection.
        conn: ConnId,
        /// The message, without length prefix.
        payload: Vec<u8>,
    },
    /// Write whole frames to a lane, then report [`Input::Sent`]. At most one is outstanding per
    /// connection and lane.
    SendData {
        /// The connection.
        conn: ConnId,
        /// Which stream.
        lane: Lane,
        /// The frames.
        payload: Vec<u8>,
    },
    /// Send a datagram; may be lost.
    SendDatagram {
        /// The connection.
        conn: ConnId,
        /// Its content.
        payload: Vec<u8>,
    },
    /// Close the connection. The engine has forgotten it; `Disconnected` may still be reported.
    Close {
        /// The connection.
        conn: ConnId,
        /// One of [`crate::session::close`].
        code: u32,
        /// For people.
        reason: String,
    },
    /// Keep trying to connect to this node at this address, in place of any other that was named
    /// here; it makes no difference where the node is connected or configured already.
    Dial {
        /// Number of the node.
        origin: u16,
        /// Where it listens.
        address: SocketAddr,
    },
    /// Stop trying to connect to a node that was named in [`Action::Dial`].
    Hang {
        /// Number of the node.
        origin: u16,
    },
    /// Tell the members of this node.
    Event(ClusterEvent),
    /// Tell a process how its search ended.
    Answer {
        /// Which question.
        ask: u64,
        /// How.
        outcome: SearchOutcome,
    },
    /// Tell the operator.
    Alert {
        /// How bad it is.
        level: AlertLevel,
        /// One line, names both sides and a remedy where there is one.
        text: String,
    },
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchOutcome {
    /// There is an entry; a value was stored here.
    Found,
    /// There is none.
    None,
    /// A value was found and could not be stored here.
    NoRoom,
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertLevel {
    /// Worth a line in the log.
    Info,
    /// Something does not work as configured; the rest goes on.
    Warning,
    /// Writers are being held up or data cannot be taken.
    Severe,
}
