//! The outgoing live stream of one region to one peer: a cursor in the ring, no queue.
//!
//! A change whose record was recycled counts as lapped like one that was overwritten, although a
//! newer change of the key follows: to pass over it would let its writer be released before that
//! one is there.
//!
//! At most one write is under way; what accumulates meanwhile goes with the next one. That is the
//! whole batching rule.

use std::ops::ControlFlow;

use super::REGION_CHUNK;
use super::holdings::Incarnation;
use super::store::{Drained, RegionId, Store, StoreError};
use crate::wire::frame::{self, Closed, Skip, Start, kind};
use crate::wire::record::{self, Change, Kind};

/// State of the stream.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    cursor: u64,
    start: bool,
    /// Position reached when the write under way is done.
    inflight: Option<u64>,
    close_due: Option<u64>,
}

/// What one step produced.
#[derive(Debug)]
pub(crate) enum Filled {
    Nothing,
    /// With the version of the newest tombstone in it.
    Payload {
        bytes: Vec<u8>,
        records: u64,
        tombstone: u64,
    },
    Lapped,
}

impl Outgoing {
    pub(crate) fn new(cursor: u64) -> Self {
        Self { cursor, start: true, inflight: None, close_due: Some(0) }
    }

    /// Begins anew elsewhere; a write under way stays under way.
    pub(crate) fn restart(&mut self, cursor: u64) {
        *self = Self { inflight: self.inflight, ..Self::new(cursor) };
    }

    /// The write under way is done: position that is sent now.
    pub(crate) fn written(&mut self) -> Option<u64> {
        self.inflight.take().filter(|_| !self.start)
    }

    /// Time is to be closed.
    pub(crate) fn close_soon(&mut self, now: u64) {
        self.close_due.get_or_insert(now);
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// When there will be something to say although nothing happens.
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        self.close_due.filter(|_| self.inflight.is_none())
    }

    /// The next payload.
    pub(crate) fn fill<S: Store>(
        &mut self,
        store: &mut S,
        region: RegionId,
        of: Incarnation,
        number: u16,
        now: u64,
        close: u64,
    ) -> Result<Filled, StoreError> {
        if self.inflight.is_some() {
            return Ok(Filled::Nothing);
        }
        let mut bytes = Vec::new();
        if self.start {
            let start = Start { epoch: of.epoch.into(), position: self.cursor.into() };
            frame::push(&mut bytes, kind::START, number, &start);
        }
        let mut tombstone = 0;
        let note = &mut tombstone;
        let drained = drain(store, region, of.origin, number, self.cursor, &mut bytes, note)?;
        let Some((next, records)) = drained else {
            return Ok(Filled::Lapped);
        };
        if next > self.cursor {
            self.close_due.get_or_insert(now.saturating_add(close));
        }
        if self.close_due.is_some_and(|due| now >= due) {
            let closed = store.close_time(region);
            if store.tail(region) == next {
                let closed = Closed { position: next.into(), closed: closed.into() };
                frame::push(&mut bytes, kind::CLOSED, number, &closed);
                self.close_due = None;
            } else {
                self.close_due = Some(now.saturating_add(close));
            }
        }
        self.cursor = next;
        if bytes.is_empty() {
            return Ok(Filled::Nothing);
        }
        self.start = false;
        self.inflight = Some(next);
        Ok(Filled::Payload { bytes, records, tombstone })
    }
}

/// Appends RECORDS and SKIP; the next position and the number of records, `None` when lapped.
fn drain<S: Store>(
    store: &S,
    region: RegionId,
    myself: u16,
    number: u16,
    from: u64,
    bytes: &mut Vec<u8>,
    tombstone: &mut u64,
) -> Result<Option<(u64, u64)>, StoreError> {
    let at = frame::open(bytes);
    let mut records = 0u32;
    let mut reached = from;
    let drained = store.drain(region, from, &mut |change| {
        let full = records > 0 && bytes.len() + record::encoded_len(&change) > REGION_CHUNK;
        if full {
            return ControlFlow::Break(());
        }
        if travels(change.kind) && record::push(bytes, &owned_by(change, myself)) {
            records += 1;
            reached = change.position + 1;
            if change.kind == Kind::Tombstone {
                *tombstone = (*tombstone).max(change.version);
            }
        }
        ControlFlow::Continue(())
    })?;
    let Drained::Upto(next) = drained else {
        return Ok(None);
    };
    if records > 0 {
        frame::close(bytes, at, kind::RECORDS, number, records, 0);
    } else {
        bytes.truncate(at);
    }
    if next > reached {
        frame::push(bytes, kind::SKIP, number, &Skip { position: next.into() });
    }
    Ok(Some((next, u64::from(records))))
}

/// Whether a change of this kind is for other nodes.
pub(crate) fn travels(kind: Kind) -> bool {
    !matches!(kind, Kind::LocalInvalid | Kind::Transit)
}

/// Origin 0 means this node.
pub(crate) fn owned_by(change: Change<'_>, myself: u16) -> Change<'_> {
    let origin = if change.origin == 0 { myself } else { change.origin };
    Change { origin, ..change }
}
