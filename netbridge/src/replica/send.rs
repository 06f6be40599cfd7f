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
use super::store::{Announced, Drained, RegionId, Store, StoreError};
use crate::wire::frame::{self, Closed, FrameHeader, Skip, Start, Whole, kind};
use crate::wire::record::{self, Change, Kind};

/// Bytes of a payload that has no record yet.
const REGION_START: usize = 2 * size_of::<FrameHeader>() + size_of::<Start>();

/// Which stream: the region, its number on the connection, and whose changes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) region: RegionId,
    pub(crate) number: u16,
    pub(crate) of: Incarnation,
}

/// State of the stream.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    cursor: u64,
    start: bool,
    /// Position reached when the write under way is done.
    inflight: Option<u64>,
    close_due: Option<u64>,
    /// The peer hears of nothing but what is done to all entries.
    pub(crate) deaf: bool,
    /// Behind the last of that which the peer has not acknowledged.
    unacked: Option<u64>,
    /// A change that is only on its way was seen.
    pub(crate) passing: bool,
    /// Highest version of the tombstones that were drained.
    tombstone: u64,
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
        Self {
            cursor,
            start: true,
            inflight: None,
            close_due: Some(0),
            deaf: false,
            unacked: None,
            passing: false,
            tombstone: 0,
        }
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

    /// The peer has applied everything before this position.
    pub(crate) fn acked(&mut self, applied: u64) {
        self.unacked = self.unacked.filter(|position| applied < *position);
    }

    /// For a deaf peer: everything before it needs no acknowledgement any more.
    pub(crate) fn passed(&self) -> u64 {
        self.unacked.map_or(self.cursor, |position| position - 1)
    }

    /// When there will be something to say although nothing happens.
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        self.close_due.filter(|_| self.inflight.is_none() && !self.deaf)
    }

    /// The next payload.
    pub(crate) fn fill<S: Store>(
        &mut self,
        store: &mut S,
        stream: Stream,
        now: u64,
        close: u64,
        answers: &mut Vec<u8>,
    ) -> Result<Filled, StoreError> {
        let Stream { region, number, of } = stream;
        if self.inflight.is_some() {
            return Ok(Filled::Nothing);
        }
        let mut bytes = Vec::new();
        if self.start {
            let start = Start { epoch: of.epoch.into(), position: self.cursor.into() };
            frame::push(&mut bytes, kind::START, number, &start);
        }
        let drained = self.drain(store, region, of.origin, number, &mut bytes)?;
        let Some((next, records)) = drained else {
            return Ok(Filled::Lapped);
        };
        let tombstone = std::mem::take(&mut self.tombstone);
        if next > self.cursor && !self.deaf {
            self.close_due.get_or_insert(now.saturating_add(close));
        }
        if self.close_due.is_some_and(|due| now >= due) && !self.deaf {
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
        bytes.append(answers);
        if bytes.is_empty() {
            return Ok(Filled::Nothing);
        }
        self.start = false;
        self.inflight = Some(next);
        Ok(Filled::Payload { bytes, records, tombstone })
    }
}

impl Outgoing {
    /// Appends RECORDS, WHOLE and SKIP in ring order; the next position and the number of records,
    /// `None` when lapped.
    fn drain<S: Store>(
        &mut self,
        store: &S,
        region: RegionId,
        myself: u16,
        number: u16,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let (mut cursor, mut total) = (self.cursor, 0);
        loop {
            let Some(part) = self.entries(store, region, myself, number, cursor, bytes)? else {
                return Ok(None);
            };
            cursor = part.next;
            total += u64::from(part.records);
            let Some((position, whole, stamp)) = part.whole else {
                if part.next > part.reached && !self.deaf {
                    frame::push(bytes, kind::SKIP, number, &Skip { position: part.next.into() });
                }
                return Ok(Some((cursor, total)));
            };
            let body = Whole {
                position: position.into(),
                stamp: stamp.into(),
                what: whole as u8,
                reserved: [0; 7],
            };
            frame::push(bytes, kind::WHOLE, number, &body);
            cursor = position + 1;
            self.unacked = Some(cursor);
            if bytes.len() > REGION_CHUNK {
                return Ok(Some((cursor, total)));
            }
        }
    }

    /// One RECORDS frame, up to what concerns all entries.
    fn entries<S: Store>(
        &mut self,
        store: &S,
        region: RegionId,
        myself: u16,
        number: u16,
        from: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Part>, StoreError> {
        let at = frame::open(bytes);
        let mut part = Part { next: from, reached: from, records: 0, whole: None };
        let (deaf, passing, tombstone) = (self.deaf, &mut self.passing, &mut self.tombstone);
        let drained = store.drain(region, from, &mut |announced| {
            let change = match announced {
                Announced::Whole { position, whole, stamp } => {
                    part.whole = Some((position, whole, stamp));
                    return ControlFlow::Break(());
                }
                Announced::Entry(change) => change,
                Announced::Passing(change) => {
                    *passing = true;
                    change
                }
            };
            if deaf {
                return ControlFlow::Continue(());
            }
            let full = bytes.len() > REGION_START
                && bytes.len() + record::encoded_len(&change) > REGION_CHUNK;
            if full {
                return ControlFlow::Break(());
            }
            if travels(change.kind) && record::push(bytes, &owned_by(change, myself)) {
                part.records += 1;
                part.reached = change.position + 1;
                if change.kind == Kind::Tombstone {
                    *tombstone = (*tombstone).max(change.version);
                }
            }
            ControlFlow::Continue(())
        })?;
        let Drained::Upto(next) = drained else {
            return Ok(None);
        };
        part.next = next;
        if part.records > 0 {
            frame::close(bytes, at, kind::RECORDS, number, part.records, 0);
        } else {
            bytes.truncate(at);
        }
        Ok(Some(part))
    }
}

/// What one frame of records took from the ring.
struct Part {
    next: u64,
    /// Behind the last record.
    reached: u64,
    records: u32,
    /// What ended it.
    whole: Option<(u64, super::store::Whole, u64)>,
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
