//! The incoming live stream: apply, then note what is held, then acknowledge.

use super::Context;
use super::defects::{Defect, seeded};
use super::early::Arrived;
use super::holdings::Incarnation;
use super::link::Incoming;
use super::region::Region;
use super::store::{Applied, State, Store, StoreError};
use crate::port::{AlertLevel, ConnId};
use crate::wire::WireError;
use crate::wire::frame::{Closed, Start};
use crate::wire::record::{Kind, Records};

impl Region {
    /// The peer's stream begins (again).
    pub(crate) fn on_start<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        start: &Start,
    ) {
        self.flush_arrived(cx, conn);
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let of = Incarnation { origin: link.origin, epoch: start.epoch.get() };
        let position = start.position.get();
        let held = self.holdings.position(of).unwrap_or(0);
        link.asked_at = None;
        link.blocked_until = None;
        if link.epoch == of.epoch {
            self.holdings.set_since(of, link.since);
        }
        let complete = held >= position;
        link.incoming = Some(Incoming { of, position, cut: position, complete, closed: 0 });
        self.applied(cx, conn);
    }

    /// Changes of the peer.
    pub(crate) fn on_records<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        records: Records<'_>,
    ) -> Result<(), WireError> {
        let early = seeded(Defect::AckBeforeApply);
        if early || self.links.get(&conn).is_some_and(|l| l.early) {
            return self.queue_records(conn, records);
        }
        self.apply_records(cx, conn, records)
    }

    pub(super) fn apply_records<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        mut records: Records<'_>,
    ) -> Result<(), WireError> {
        let Some(link) = self.links.get_mut(&conn) else {
            return Ok(());
        };
        let Some(incoming) = link.incoming.as_mut() else {
            return Ok(());
        };
        while let Some((change, _)) = records.next_record()? {
            if change.position < incoming.position {
                continue;
            }
            cx.counters.records_received += 1;
            if change.kind == Kind::Tombstone {
                self.stability.note(change.version);
            }
            match cx.store.apply(self.info.id, change) {
                Ok(Applied::Newer) => {}
                Ok(Applied::Older | Applied::Equal) => cx.counters.records_known += 1,
                Ok(Applied::Unknown) => {
                    cx.counters.records_unknown += 1;
                    self.searches.note(&change);
                }
                Err(e) => {
                    self.block(cx, conn, change.position, &e);
                    return Ok(());
                }
            }
            incoming.position = change.position + 1;
        }
        if self.degraded {
            self.degraded = false;
            let state = if self.since.is_some() { State::Ready } else { State::Initialising };
            cx.store.set_state(self.info.id, state);
        }
        Ok(())
    }

    /// A change of the peer cannot be taken now: its stream is asked for again a little later.
    pub(super) fn block<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        position: u64,
        why: &StoreError,
    ) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let text = format!(
            "region {}: change {position} of node {} could not be taken: {why}; it is tried again \
             and acknowledged only then",
            self.info.name, link.origin
        );
        link.incoming = None;
        link.backlog.clear();
        link.blocked_until = Some(cx.now.saturating_add(cx.timing.retry));
        self.refused_change(cx, text);
    }

    /// The stream moves on.
    pub(crate) fn on_skip(&mut self, conn: ConnId, position: u64) {
        if !self.queue_behind(conn, Arrived::Skip(position)) {
            self.apply_skip(conn, position);
        }
    }

    pub(super) fn apply_skip(&mut self, conn: ConnId, position: u64) {
        let incoming = self.links.get_mut(&conn).and_then(|l| l.incoming.as_mut());
        if let Some(incoming) = incoming {
            incoming.position = incoming.position.max(position);
        }
    }

    /// The peer has closed time up to here.
    pub(crate) fn on_closed<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        closed: &Closed,
    ) {
        if !self.info.policy.is_replicate() {
            // What was passed over must not be above what is written here later.
            cx.store.raise_floor(self.info.id, closed.closed.get());
        }
        if !self.queue_behind(conn, Arrived::Closed(*closed)) {
            self.apply_closed(conn, closed);
        }
    }

    pub(super) fn apply_closed(&mut self, conn: ConnId, closed: &Closed) {
        let incoming = self.links.get_mut(&conn).and_then(|l| l.incoming.as_mut());
        if let Some(incoming) = incoming.filter(|i| i.position >= closed.position.get()) {
            incoming.closed = incoming.closed.max(closed.closed.get());
        }
    }

    /// After a payload: notes what is held and owes an acknowledgement.
    pub(crate) fn applied<S: Store>(&mut self, cx: &mut Context<'_, S>, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let Some(incoming) = link.incoming else {
            return;
        };
        link.ack.note(cx.now, cx.timing.ack_repeat, cx.timing.ack_control);
        if incoming.complete {
            self.holdings.raise(incoming.of, incoming.position, incoming.closed);
            self.persist(cx, incoming.of.origin);
        } else if incoming.is_partial() && self.holdings.set_partial(incoming.of) {
            // At once: a bridge that is killed cannot say so later.
            self.persist(cx, incoming.of.origin);
        }
    }

    /// Completes provisional streams whose gap an image has filled.
    pub(crate) fn promote<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let mut promoted = Vec::new();
        for link in self.links.values_mut() {
            let Some(incoming) = link.incoming.as_mut().filter(|i| !i.complete) else {
                continue;
            };
            if self.holdings.position(incoming.of).is_some_and(|held| held >= incoming.cut) {
                incoming.complete = true;
                // Such a stream begins at the tail: whatever came before it is below the cut.
                self.holdings.clear_partial(incoming.of);
                promoted.push(link.conn);
            }
        }
        for conn in promoted {
            self.applied(cx, conn);
        }
    }

    /// Writes what is held of an origin into the region.
    pub(crate) fn persist<S: Store>(&mut self, cx: &mut Context<'_, S>, origin: u16) {
        let mut done = self.holdings.persist(cx.store, self.info.id, origin);
        if done.is_err() && self.make_room(cx) {
            done = self.holdings.persist(cx.store, self.info.id, origin);
        }
        if let Err(e) = done {
            if !self.persist_failed {
                let text = format!(
                    "region {}: the state of node {origin} cannot be kept: {e}; after a restart \
                     of this bridge an image of it will be needed",
                    self.info.name
                );
                cx.alert(AlertLevel::Warning, text);
            }
            self.persist_failed = true;
        }
    }

    /// Writes what is held of all origins into the region.
    pub(super) fn persist_all<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let mut origins: Vec<u16> = self.holdings.all().map(|(of, _)| of.origin).collect();
        origins.dedup();
        for origin in origins {
            self.persist(cx, origin);
        }
    }

    /// Lets the region forget the oldest incarnation that is no more; false if there is none.
    fn make_room<S: Store>(&mut self, cx: &mut Context<'_, S>) -> bool {
        let lives = |of: &Incarnation| {
            self.links.values().any(|l| l.origin == of.origin && l.epoch == of.epoch)
        };
        let newer = |of: &Incarnation, closed: u64| {
            let later = |(other, held): (Incarnation, super::holdings::Held)| {
                other.origin == of.origin && other != *of && held.closed >= closed
            };
            self.holdings.all().any(later)
        };
        let former = self.holdings.all().filter(|(of, h)| !lives(of) && newer(of, h.closed));
        let Some((oldest, _)) = former.min_by_key(|(_, held)| held.closed) else {
            return false;
        };
        cx.store.forget_origin(self.info.id, oldest.origin, oldest.epoch);
        self.holdings.forget(oldest);
        true
    }

    fn refused_change<S: Store>(&mut self, cx: &mut Context<'_, S>, text: String) {
        cx.counters.apply_errors += 1;
        if !self.degraded {
            self.degraded = true;
            cx.store.set_state(self.info.id, State::Degraded);
            cx.alert(AlertLevel::Severe, text);
        }
    }
}
