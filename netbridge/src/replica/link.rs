//! What one region knows of one connected peer.

use std::collections::BTreeSet;

use super::early::Backlog;
use super::holdings::Incarnation;
use super::search::Question;
use super::send::Outgoing;
use super::serve::Serve;
use super::store::{Interest, Policy};
use crate::port::ConnId;
use crate::wire::control::{Have, Holding, Stable};

/// The region's relation to one connected peer that has the same region.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) conn: ConnId,
    pub(crate) origin: u16,
    /// The peer's incarnation, initialisation and start of claimed time, from its Profile.
    pub(crate) epoch: u64,
    pub(crate) initialised: bool,
    pub(crate) since: u64,
    /// Its data policy, and whether it has met others, from its Profile.
    pub(crate) policy: u32,
    /// Its interest, as a number of its Profile.
    pub(crate) interest: u32,
    pub(crate) joined: bool,
    /// A subscription that is answered when this copy has joined.
    pub(crate) held_back: Option<Have>,
    /// The peer's last report of stable time, and the highest that it was told.
    pub(crate) report: Option<Stable>,
    pub(crate) told: u64,
    /// Incarnations of which the peer has sent what no position describes.
    pub(crate) repaired: BTreeSet<Incarnation>,
    /// An image of it was taken since it is connected.
    pub(crate) compared: bool,
    /// The peer wants to hear of receipt before its changes are applied, from its Profile.
    pub(crate) early: bool,
    pub(crate) backlog: Backlog,
    /// The peer's holdings as last told.
    pub(crate) have: Vec<Holding>,
    pub(crate) outgoing: Option<Outgoing>,
    pub(crate) incoming: Option<Incoming>,
    /// When a START was asked for that has not come yet.
    pub(crate) asked_at: Option<u64>,
    /// Position offered with the last subscription.
    pub(crate) offered: u64,
    /// Subscribe again at this time, after a change could not be applied.
    pub(crate) blocked_until: Option<u64>,
    pub(crate) ack: AckState,
    /// What the peer asked and was not answered.
    pub(crate) questions: Vec<Question>,
    /// Frames that go with the next payload.
    pub(crate) answers: Vec<u8>,
    /// The peer has applied everything before this position, without a gap.
    pub(crate) whole: u64,
    pub(crate) serve: Option<Serve>,
    pub(crate) image_inflight: bool,
}

impl Link {
    pub(crate) fn new(conn: ConnId, origin: u16) -> Self {
        Self {
            conn,
            origin,
            epoch: 0,
            initialised: false,
            since: 0,
            policy: 0,
            joined: false,
            held_back: None,
            report: None,
            told: 0,
            repaired: BTreeSet::new(),
            compared: false,
            early: false,
            backlog: Backlog::default(),
            interest: 0,
            have: Vec::new(),
            outgoing: None,
            incoming: None,
            asked_at: None,
            offered: 0,
            blocked_until: None,
            ack: AckState::default(),
            questions: Vec::new(),
            answers: Vec::new(),
            whole: 0,
            serve: None,
            image_inflight: false,
        }
    }

    /// Whether the peer's copy has every entry.
    pub(crate) fn has_all(&self) -> bool {
        [Policy::Replicate as u32, Policy::PersistentReplicate as u32].contains(&self.policy)
    }

    /// Whether the peer stores entries.
    pub(crate) fn stores(&self) -> bool {
        self.policy != Policy::Empty as u32
    }

    /// Whether the peer gets nothing but what is done to all entries: it stores none, and wants to
    /// hear of none.
    pub(crate) fn is_deaf(&self) -> bool {
        !self.stores() && self.interest == Interest::CacheContent as u32
    }
}

/// The peer's live stream as it arrives here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    pub(crate) of: Incarnation,
    /// Everything from `cut` to here has been applied.
    pub(crate) position: u64,
    /// Where the stream began.
    pub(crate) cut: u64,
    /// Everything before `cut` is held too.
    pub(crate) complete: bool,
    pub(crate) closed: u64,
}

impl Incoming {
    /// Changes have come that no position describes.
    pub(crate) fn is_partial(&self) -> bool {
        !self.complete && self.position > self.cut
    }
}

/// Acknowledgements owed to the peer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AckState {
    pub(crate) dirty: bool,
    pub(crate) repeat_at: Option<u64>,
    pub(crate) control_at: Option<u64>,
}

impl AckState {
    /// Something new was applied.
    pub(crate) fn note(&mut self, now: u64, repeat: u64, control: u64) {
        self.dirty = true;
        self.repeat_at = Some(now.saturating_add(repeat));
        self.control_at.get_or_insert(now.saturating_add(control));
    }

    /// True when the acknowledgement is due on the control stream.
    pub(crate) fn tick(&mut self, now: u64, repeat: u64) -> bool {
        if self.control_at.is_some_and(|at| now >= at) {
            *self = Self::default();
            return true;
        }
        if self.repeat_at.is_some_and(|at| now >= at) {
            self.dirty = true;
            self.repeat_at = Some(now.saturating_add(repeat));
        }
        false
    }

    pub(crate) fn next_timeout(&self) -> Option<u64> {
        [self.repeat_at, self.control_at].into_iter().flatten().min()
    }
}
