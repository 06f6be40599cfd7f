//! Early acknowledgement: what has arrived is acknowledged before it is applied.
//!
//! It is the originator's setting, told in its Profile. What arrives from such a peer is looked at
//! as far as needed to know its positions, queued, and acknowledged as received in the same turn;
//! the next turn applies it. So changes are applied in the order of arrival, and an error in
//! applying is none for the writer: the stream is then asked for again from what is applied.
//!
//! The queue holds what arrived within one turn: the driver hands over no more before it has let
//! the core take the next one.

use std::collections::VecDeque;

use super::Context;
use super::region::Region;
use super::store::Store;
use crate::port::ConnId;
use crate::wire::WireError;
use crate::wire::frame::{Closed, Whole};
use crate::wire::record::Records;

/// Received and not yet applied.
#[derive(Debug)]
pub(crate) enum Arrived {
    Records { bytes: Vec<u8>, count: u32 },
    Skip(u64),
    Closed(Closed),
    Whole(Whole),
}

/// What a peer's stream brought in this turn.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    queue: VecDeque<Arrived>,
    /// Everything before it has arrived.
    pub(crate) received: u64,
    /// Its acknowledgement has not been handed out.
    fresh: bool,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn push(&mut self, arrived: Arrived, position: u64) {
        self.received = self.received.max(position);
        self.fresh = true;
        self.queue.push_back(arrived);
    }

    /// Forgets everything that was not applied.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Region {
    /// Queues records of a peer that wants early acknowledgement.
    pub(super) fn queue_records(
        &mut self,
        conn: ConnId,
        records: Records<'_>,
    ) -> Result<(), WireError> {
        let Some(link) = self.links.get_mut(&conn).filter(|l| l.incoming.is_some()) else {
            return Ok(());
        };
        let (bytes, count) = records.raw();
        let mut position = 0;
        let mut each = records;
        while let Some((change, _)) = each.next_record()? {
            position = change.position.saturating_add(1);
        }
        link.backlog.push(Arrived::Records { bytes: bytes.to_vec(), count }, position);
        Ok(())
    }

    /// True if it was queued behind records that are not yet applied.
    pub(super) fn queue_behind(&mut self, conn: ConnId, arrived: Arrived) -> bool {
        let Some(link) = self.links.get_mut(&conn).filter(|l| !l.backlog.is_empty()) else {
            return false;
        };
        let position = match &arrived {
            Arrived::Skip(position) => *position,
            Arrived::Whole(whole) => whole.position.get().saturating_add(1),
            Arrived::Records { .. } | Arrived::Closed(_) => 0,
        };
        link.backlog.push(arrived, position);
        true
    }

    /// Applies what the turn before this one acknowledged as received.
    pub(super) fn apply_arrived<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let waiting = |l: &&mut super::link::Link| !l.backlog.is_empty();
        let mut ripe = Vec::new();
        for link in self.links.values_mut().filter(waiting) {
            if !std::mem::take(&mut link.backlog.fresh) {
                ripe.push(link.conn);
            }
        }
        for conn in ripe {
            self.flush_arrived(cx, conn);
        }
    }

    /// Applies everything that has arrived on this link.
    pub(super) fn flush_arrived<S: Store>(&mut self, cx: &mut Context<'_, S>, conn: ConnId) {
        loop {
            let link = self.links.get_mut(&conn);
            let Some(next) = link.and_then(|l| l.backlog.queue.pop_front()) else {
                break;
            };
            match next {
                Arrived::Records { bytes, count } => {
                    // They were read once already, so they can be read.
                    let _ = self.apply_records(cx, conn, Records::new(&bytes, count));
                }
                Arrived::Skip(position) => self.apply_skip(conn, position),
                Arrived::Closed(closed) => self.apply_closed(conn, &closed),
                Arrived::Whole(whole) => self.apply_all(cx, conn, &whole),
            }
        }
        self.applied(cx, conn);
    }

    /// Something has arrived that is not applied.
    pub(crate) fn is_behind(&self) -> bool {
        self.links.values().any(|l| !l.backlog.is_empty())
    }
}
