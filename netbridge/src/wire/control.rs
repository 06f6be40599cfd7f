//! Messages of the control stream, in protocol-buffer encoding with hand-written derives: fields
//! this build does not know are passed over, which is how the control plane grows.
//!
//! A `region` field is always the number the *sender of the message* gave the region in its
//! Profile.

use prost::Message;

use super::WireError;

/// Declares a message together with the field table that the layout test renders.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident {
        $( $(#[$field_doc:meta])* $field:ident : $ty:ty => ($($attr:tt)*) ),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $name {
            $( $(#[$field_doc])* #[prost($($attr)*)] pub $field: $ty, )*
        }
        impl $name {
            /// Field names with their protocol-buffer type and tag, for the specification.
            #[cfg(test)]
            pub(crate) const FIELDS: &'static [(&'static str, &'static str)] =
                &[ $( (stringify!($field), stringify!($($attr)*)) ),* ];
        }
    };
}

message! {
    /// First message of both sides.
    Hello {
        /// Lowest protocol version spoken.
        protocol_min: u32 => (uint32, tag = "1"),
        /// Highest protocol version spoken.
        protocol_max: u32 => (uint32, tag = "2"),
        /// Name of the cluster.
        cluster: String => (string, tag = "3"),
        /// Identity of the node, 16 bytes, little-endian.
        node_id: Vec<u8> => (bytes = "vec", tag = "4"),
        /// Number of the node in its cluster, 1 to 65,535.
        origin: u32 => (uint32, tag = "5"),
        /// Grows with every start of the node's bridge.
        boot: u64 => (uint64, tag = "6"),
        /// Feature bits offered.
        features: u64 => (uint64, tag = "7"),
        /// The node's clock, milliseconds since 1970.
        clock_ms: u64 => (uint64, tag = "60"),
        /// Where the node can be dialled, IP address and port; empty if it does not know.
        address: String => (string, tag = "80"),
    }
}

message! {
    /// The peer's Hello was accepted. Sent only then; a node sends nothing else before it got one.
    HelloAck {
        /// Chosen protocol version: the lower of both maxima.
        protocol: u32 => (uint32, tag = "1"),
        /// Feature bits both sides offer.
        features: u64 => (uint64, tag = "2"),
        /// Address of the peer as this side sees it; empty if it does not.
        observed: String => (string, tag = "80"),
    }
}

message! {
    /// The peer's Hello was refused; the connection is closed a moment later.
    Reject {
        /// Stable number of the reason.
        code: u32 => (uint32, tag = "1"),
        /// Names both sides and a remedy.
        text: String => (string, tag = "2"),
    }
}

message! {
    /// A distributed region of the sender. Sent again when `initialised` changes.
    Profile {
        /// Number the sender uses for it on this connection, 0 to 65,535.
        region: u32 => (uint32, tag = "1"),
        /// Name; pairs regions of two nodes.
        name: String => (string, tag = "2"),
        /// Data policy number.
        policy: u32 => (uint32, tag = "3"),
        /// Scope number.
        scope: u32 => (uint32, tag = "4"),
        /// Whether changes are ordered by version.
        concurrency_checks: bool => (bool, tag = "5"),
        /// Incarnation of the sender's region.
        epoch: u64 => (uint64, tag = "6"),
        /// True once the sender holds a complete copy.
        initialised: bool => (bool, tag = "7"),
        /// Every change of this incarnation since it was initialised has a higher version.
        since: u64 => (uint64, tag = "8"),
        /// Interest policy number.
        interest: u32 => (uint32, tag = "40"),
        /// Entries with a lower version were cleared; 0: never.
        cleared: u64 => (uint64, tag = "41"),
        /// Entries with a lower version lost their values; 0: never.
        invalidated: u64 => (uint64, tag = "42"),
        /// Node that cleared; 0: the sender does not know.
        cleared_by: u32 => (uint32, tag = "43"),
        /// Node that invalidated; 0: the sender does not know.
        invalidated_by: u32 => (uint32, tag = "44"),
        /// Acknowledge the sender's changes when they have arrived, before they are applied.
        early_ack: bool => (bool, tag = "60"),
        /// The sender's copy has met others: there may be tombstones that it has forgotten.
        joined: bool => (bool, tag = "61"),
    }
}

message! {
    /// The region of this number exists no longer on the sender.
    Withdraw {
        /// Number from its Profile.
        region: u32 => (uint32, tag = "1"),
    }
}

message! {
    /// "I hold every change of this origin's incarnation before this position."
    Holding {
        /// Whose changes.
        origin: u32 => (uint32, tag = "1"),
        /// Incarnation of the origin's region.
        epoch: u64 => (uint64, tag = "2"),
        /// Position.
        position: u64 => (uint64, tag = "3"),
        /// Closed time, a version.
        closed: u64 => (uint64, tag = "4"),
        /// Some changes at or behind that position are held too, with gaps.
        partial: bool => (bool, tag = "60"),
    }
}

message! {
    /// "I hold every change of this origin in a span of versions."
    Span {
        /// Whose changes.
        origin: u32 => (uint32, tag = "1"),
        /// Start, exclusive.
        since: u64 => (uint64, tag = "2"),
        /// End, inclusive.
        closed: u64 => (uint64, tag = "3"),
    }
}

message! {
    /// How far the sender's region is from having everything.
    Stable {
        /// Number from the sender's Profile.
        region: u32 => (uint32, tag = "1"),
        /// The nodes the sender knows to have the region, itself among them, in ascending order.
        roster: Vec<u32> => (uint32, repeated, tag = "2"),
        /// The sender holds every change of all these up to this version.
        stable: u64 => (uint64, tag = "3"),
        /// Tombstones up to this version wait for everybody to say so.
        want: u64 => (uint64, tag = "4"),
        /// Digest of what is held of incarnations that are no more.
        digest: u64 => (uint64, tag = "5"),
    }
}

message! {
    /// The sender's clock, so that one that runs away is noticed.
    Clock {
        /// Milliseconds since 1970.
        clock_ms: u64 => (uint64, tag = "1"),
    }
}

message! {
    /// What the sender holds of a region.
    Have {
        /// Number from the sender's Profile.
        region: u32 => (uint32, tag = "1"),
        /// One per origin and incarnation.
        held: Vec<Holding> => (message, repeated, tag = "2"),
        /// Start the live stream anew, from what is held if the ring allows it.
        subscribe: bool => (bool, tag = "3"),
        /// The sender will take an image: start at the tail instead of replaying the ring.
        fresh: bool => (bool, tag = "4"),
        /// Answer with a Have.
        ask: bool => (bool, tag = "5"),
    }
}

message! {
    /// An acknowledgement as in the datagram, repeated on the reliable stream.
    Ack {
        /// Number from the sender's Profile.
        region: u32 => (uint32, tag = "1"),
        /// Incarnation of the receiver's region.
        epoch: u64 => (uint64, tag = "2"),
        /// Position received.
        received: u64 => (uint64, tag = "3"),
        /// Position applied.
        applied: u64 => (uint64, tag = "4"),
        /// What lies before the cut is not yet held.
        provisional: bool => (bool, tag = "5"),
    }
}

message! {
    /// Asks for a full image.
    ImageRequest {
        /// Number from the sender's Profile.
        region: u32 => (uint32, tag = "1"),
        /// Number of the transfer, chosen by the sender.
        transfer: u32 => (uint32, tag = "2"),
        /// The source must hold this much before it scans.
        plan: Vec<Holding> => (message, repeated, tag = "3"),
        /// Leave out what lies in `known`.
        delta: bool => (bool, tag = "60"),
        /// What the sender holds.
        known: Vec<Span> => (message, repeated, tag = "61"),
        /// Not 0: go on with an image that was cut off at this cursor.
        cursor: u64 => (uint64, tag = "62"),
        /// What the source claimed when that image began.
        claimed: Vec<Span> => (message, repeated, tag = "63"),
    }
}

message! {
    /// The image will not come.
    ImageRefused {
        /// Number from the sender's Profile.
        region: u32 => (uint32, tag = "1"),
        /// Number from the request.
        transfer: u32 => (uint32, tag = "2"),
        /// For people.
        text: String => (string, tag = "3"),
    }
}

message! {
    /// The sender leaves the cluster: nobody need wait for it, and it will not answer any more.
    Bye {
        /// For people.
        reason: String => (string, tag = "1"),
    }
}

message! {
    /// A node of the cluster.
    RosterNode {
        /// Number of the node.
        origin: u32 => (uint32, tag = "1"),
        /// Identity, 16 bytes, little-endian.
        node_id: Vec<u8> => (bytes = "vec", tag = "2"),
        /// Start of its bridge; what is told of a later one is better.
        boot: u64 => (uint64, tag = "3"),
        /// Where it can be dialled, IP address and port.
        address: String => (string, tag = "4"),
    }
}

message! {
    /// Nodes the sender knows, itself not among them. Sent after the handshake and on every change.
    Roster {
        /// The nodes.
        nodes: Vec<RosterNode> => (message, repeated, tag = "1"),
    }
}

message! {
    /// A message of the failure detector, where datagrams do not work.
    Swim {
        /// As in the frame of this name.
        message: Vec<u8> => (bytes = "vec", tag = "1"),
    }
}

message! {
    /// Asks for an entry. The answer is a frame of the region's lane.
    Search {
        /// Number from the sender's Profile.
        region: u32 => (uint32, tag = "1"),
        /// Number of the search, chosen by the sender.
        search: u64 => (uint64, tag = "2"),
        /// The key.
        key: Vec<u8> => (bytes = "vec", tag = "3"),
        /// The sender holds or has passed over this much; an answer must be as new.
        held: Vec<Holding> => (message, repeated, tag = "4"),
        /// Entries written longer ago, in microseconds, are expired for the sender; 0: none is.
        ttl: u64 => (uint64, tag = "5"),
        /// Only whether there is one: the value is not wanted.
        presence: bool => (bool, tag = "6"),
    }
}

/// Envelope of every control message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Control {
    /// Absent in messages of a later protocol: passed over.
    #[prost(oneof = "Body", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 40, 60, 61, 80, 81, 82")]
    pub body: Option<Body>,
}

/// The message in the envelope.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Body {
    /// See [`Hello`].
    #[prost(message, tag = "1")]
    Hello(Hello),
    /// See [`HelloAck`].
    #[prost(message, tag = "2")]
    HelloAck(HelloAck),
    /// See [`Reject`].
    #[prost(message, tag = "3")]
    Reject(Reject),
    /// See [`Profile`].
    #[prost(message, tag = "4")]
    Profile(Profile),
    /// See [`Withdraw`].
    #[prost(message, tag = "5")]
    Withdraw(Withdraw),
    /// See [`Have`].
    #[prost(message, tag = "6")]
    Have(Have),
    /// See [`Ack`].
    #[prost(message, tag = "7")]
    Ack(Ack),
    /// See [`ImageRequest`].
    #[prost(message, tag = "8")]
    ImageRequest(ImageRequest),
    /// See [`ImageRefused`].
    #[prost(message, tag = "9")]
    ImageRefused(ImageRefused),
    /// See [`Search`].
    #[prost(message, tag = "40")]
    Search(Search),
    /// See [`Stable`].
    #[prost(message, tag = "60")]
    Stable(Stable),
    /// See [`Clock`].
    #[prost(message, tag = "61")]
    Clock(Clock),
    /// See [`Bye`].
    #[prost(message, tag = "80")]
    Bye(Bye),
    /// See [`Roster`].
    #[prost(message, tag = "81")]
    Roster(Roster),
    /// See [`Swim`].
    #[prost(message, tag = "82")]
    Swim(Swim),
}

/// Encodes a message with its envelope.
pub fn encode(body: Body) -> Vec<u8> {
    Control { body: Some(body) }.encode_to_vec()
}

/// Decodes a message; `None` for a kind this build does not know.
///
/// # Errors
/// [`WireError::Control`].
pub fn decode(payload: &[u8]) -> Result<Option<Body>, WireError> {
    match Control::decode(payload) {
        Ok(control) => Ok(control.body),
        Err(e) => Err(WireError::Control { reason: e.to_string() }),
    }
}

/// A region number of a message.
///
/// # Errors
/// [`WireError::Control`] when it does not fit 16 bits.
pub fn number(n: u32) -> Result<u16, WireError> {
    u16::try_from(n).map_err(|_| WireError::Control { reason: format!("number {n} over 65535") })
}
