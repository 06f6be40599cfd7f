//! What this node holds of every origin.
//!
//! **Invariant H.** An entry (origin X, epoch E) with position p says: for every change of X's
//! incarnation E at a position below p, this region holds the change or something newer for its
//! key. It is raised only by (a) the ordered live stream of X, when that stream began at or below
//! p, and (b) a complete image from a node that stated the same about itself before its scan.
//! Changes that arrive behind a cut, before the image is complete, do not raise it; the entry is
//! marked *partial* with the first of them, until the image is there: there is more here than the
//! position says. If their origin is lost meanwhile, or this bridge is killed, the mark stays.
//!
//! **Invariant C.** An entry with `since < closed` says: every change of X with a version in
//! `(since, closed]` is held in the same sense. `closed` comes from X's own CLOSED(pos, C) once p
//! has reached pos. `since` is X's closed time when its present incarnation was initialised; what
//! X made before that is not claimed, because an X that lost its region cannot know what its
//! former self has sent to whom. Assumption: a node's clock does not run back by more than the time
//! it takes to lose a region and initialise it again; peers tell it what they have closed of it,
//! and it starts above that.
//!
//! All of it is written into the region, also of incarnations that are no more, so that a bridge
//! that is killed forgets nothing. The start of claimed time is not: the origin says it again.

use std::collections::BTreeMap;

use super::store::{OriginState, RegionId, Store, StoreError};
use crate::wire::control::{Holding, Span};
use crate::wire::frame::WireClaim;

/// In a stored position: the entry is partial.
const PARTIAL: u64 = 1 << 63;

/// One origin's incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// The node.
    pub origin: u16,
    /// Its region's epoch.
    pub epoch: u64,
}

/// Positions and times; see the invariants of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Every change before it is held.
    pub position: u64,
    /// Start of the claimed time, exclusive.
    pub since: u64,
    /// End of the claimed time, inclusive.
    pub closed: u64,
    /// Some changes behind the position are held too.
    pub partial: bool,
}

/// Everything this node holds of one region.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    held: BTreeMap<Incarnation, Held>,
}

impl Holdings {
    /// From the region, without this node's own entry and bare member marks.
    pub fn load(states: &[OriginState], own: Incarnation) -> Self {
        let named = |s: &&OriginState| {
            s.epoch != 0 && Incarnation { origin: s.origin, epoch: s.epoch } != own
        };
        let held = |s: &OriginState| {
            let (position, partial) = (s.position & !PARTIAL, s.position & PARTIAL != 0);
            let of = Incarnation { origin: s.origin, epoch: s.epoch };
            (of, Held { position, since: 0, closed: s.closed, partial })
        };
        Self { held: states.iter().filter(named).map(held).collect() }
    }

    /// Position up to which everything is held, if anything is known.
    pub fn position(&self, of: Incarnation) -> Option<u64> {
        self.held.get(&of).map(|h| h.position)
    }

    /// Closed time of an incarnation, 0 if nothing is known.
    pub fn closed(&self, of: Incarnation) -> u64 {
        self.held.get(&of).map_or(0, |h| h.closed)
    }

    /// Every incarnation and what is held of it.
    pub fn all(&self) -> impl Iterator<Item = (Incarnation, Held)> {
        self.held.iter().map(|(of, held)| (*of, *held))
    }

    /// True if something is held of the origin, and nothing of this incarnation.
    pub fn is_reborn(&self, of: Incarnation) -> bool {
        let known = |other: &Incarnation| other.origin == of.origin;
        !self.held.contains_key(&of) && self.held.keys().any(known)
    }

    /// Raises position and closed time.
    pub fn raise(&mut self, of: Incarnation, position: u64, closed: u64) {
        let held = self.held.entry(of).or_default();
        held.position = held.position.max(position);
        held.closed = held.closed.max(closed);
    }

    /// Nothing is known of it any more.
    pub fn forget(&mut self, of: Incarnation) {
        self.held.remove(&of);
    }

    /// There is more here than the position says; true if that is news.
    pub fn set_partial(&mut self, of: Incarnation) -> bool {
        !std::mem::replace(&mut self.held.entry(of).or_default().partial, true)
    }

    /// The position describes everything that is here.
    pub fn clear_partial(&mut self, of: Incarnation) {
        if let Some(held) = self.held.get_mut(&of) {
            held.partial = false;
        }
    }

    /// Notes where the claimed time of an incarnation begins, as the origin itself states it.
    pub fn set_since(&mut self, of: Incarnation, since: u64) {
        if since != 0 {
            self.held.entry(of).or_default().since = since;
        }
    }

    /// Takes over what the source of a complete image held.
    pub fn adopt(&mut self, claim: &WireClaim, own: Incarnation) {
        let of = Incarnation { origin: claim.origin.get(), epoch: claim.epoch.get() };
        if of == own {
            return;
        }
        self.raise(of, claim.position.get(), claim.closed.get());
        self.set_since(of, claim.since.get());
    }

    /// Writes what is held of an origin into the region.
    ///
    /// # Errors
    /// As the store.
    pub fn persist<S: Store>(
        &self,
        store: &mut S,
        region: RegionId,
        origin: u16,
    ) -> Result<(), StoreError> {
        for (of, held) in self.all().filter(|(of, _)| of.origin == origin) {
            let position = held.position | if held.partial { PARTIAL } else { 0 };
            let state = OriginState { origin, epoch: of.epoch, position, closed: held.closed };
            if held != (Held { since: held.since, ..Held::default() }) {
                store.set_origin_state(region, state)?;
            }
        }
        Ok(())
    }

    /// For a Have message.
    pub fn to_wire(&self) -> Vec<Holding> {
        let one = |(of, held): (&Incarnation, &Held)| Holding {
            origin: u32::from(of.origin),
            epoch: of.epoch,
            position: held.position,
            closed: held.closed,
            partial: held.partial,
        };
        self.held.iter().map(one).collect()
    }

    /// For the end of an image: everything but times that are not known to be sound.
    pub fn claims(&self) -> Vec<WireClaim> {
        self.held.iter().map(|(of, held)| claim(*of, *held)).collect()
    }

    /// For the request of a delta.
    pub fn spans(&self) -> Vec<Span> {
        let sound = |(of, held): (&Incarnation, &Held)| {
            let span =
                Span { origin: u32::from(of.origin), since: held.since, closed: held.closed };
            (held.since != 0 && held.since < held.closed).then_some(span)
        };
        self.held.iter().filter_map(sound).collect()
    }
}

/// A claim for the wire; times that are no sound interval are left out.
pub fn claim(of: Incarnation, held: Held) -> WireClaim {
    let sound = held.since != 0 && held.since < held.closed;
    let (since, closed) = if sound { (held.since, held.closed) } else { (0, 0) };
    WireClaim {
        origin: of.origin.into(),
        reserved: [0; 6],
        epoch: of.epoch.into(),
        position: held.position.into(),
        since: since.into(),
        closed: closed.into(),
    }
}

/// True if the claims prove that their maker had seen this version of this origin.
pub fn proves_seen(claims: &[WireClaim], version: u64, origin: u16) -> bool {
    let covers = |c: &WireClaim| {
        c.origin.get() == origin && c.since.get() < version && version <= c.closed.get()
    };
    claims.iter().any(covers)
}
