//! What this node holds of every origin.
//!
//! **Invariant H.** An entry (origin X, epoch E) with position p says: for every change of X's
//! incarnation E at a position below p, this region holds the change or something newer for its
//! key. It is raised only by (a) the ordered live stream of X, when that stream began at or below
//! p, and (b) a complete image from a node that stated the same about itself before its scan.
//! Changes that arrive behind a cut, before the image is complete, do not raise it.
//!
//! **Invariant C.** An entry with `since < closed` says: every change of X with a version in
//! `(since, closed]` is held in the same sense. `closed` comes from X's own CLOSED(pos, C) once p
//! has reached pos. `since` is X's closed time when its present incarnation was initialised; what
//! X made before that is not claimed, because an X that lost its region cannot know what its
//! former self has sent to whom. Assumption: a node's clock does not run back by more than the time
//! it takes to lose a region and initialise it again.

use std::collections::BTreeMap;

use super::store::{OriginState, RegionId, Store, StoreError};
use crate::wire::control::Holding;
use crate::wire::frame::WireClaim;

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
}

/// Everything this node holds of one region.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    held: BTreeMap<Incarnation, Held>,
    /// The incarnation of each origin that is stored in the region.
    current: BTreeMap<u16, u64>,
}

impl Holdings {
    /// From the region, without this node's own entry and bare member marks.
    pub fn load(states: &[OriginState], myself: u16) -> Self {
        let mut all = Self::default();
        for s in states.iter().filter(|s| s.origin != myself && s.epoch != 0) {
            let of = Incarnation { origin: s.origin, epoch: s.epoch };
            let held = Held { position: s.position, since: 0, closed: s.closed };
            all.held.insert(of, held);
            all.current.insert(s.origin, s.epoch);
        }
        all
    }

    /// Position up to which everything is held, if anything is known.
    pub fn position(&self, of: Incarnation) -> Option<u64> {
        self.held.get(&of).map(|h| h.position)
    }

    /// Raises position and closed time.
    pub fn raise(&mut self, of: Incarnation, position: u64, closed: u64) {
        let held = self.held.entry(of).or_default();
        held.position = held.position.max(position);
        held.closed = held.closed.max(closed);
        self.current.entry(of.origin).or_insert(of.epoch);
    }

    /// Makes this the stored incarnation of its origin.
    pub fn set_current(&mut self, of: Incarnation) {
        self.held.entry(of).or_default();
        self.current.insert(of.origin, of.epoch);
    }

    /// The stored incarnation of an origin.
    pub fn current(&self, origin: u16) -> Option<u64> {
        self.current.get(&origin).copied()
    }

    /// Notes where the claimed time of an incarnation begins, as the origin itself states it.
    pub fn set_since(&mut self, of: Incarnation, since: u64) {
        if since != 0 {
            self.held.entry(of).or_default().since = since;
        }
    }

    /// Takes over what the source of a complete image held.
    pub fn adopt(&mut self, claim: &WireClaim, myself: u16) {
        let of = Incarnation { origin: claim.origin.get(), epoch: claim.epoch.get() };
        self.raise(of, claim.position.get(), claim.closed.get());
        self.set_since(of, claim.since.get());
        if of.origin == myself {
            // Only this node's present incarnation is stored, and that by `initialised`.
            self.current.remove(&myself);
        }
    }

    /// Writes the stored incarnation of an origin into the region.
    ///
    /// # Errors
    /// As the store.
    pub fn persist<S: Store>(
        &self,
        store: &mut S,
        region: RegionId,
        origin: u16,
    ) -> Result<(), StoreError> {
        let Some(&epoch) = self.current.get(&origin) else {
            return Ok(());
        };
        let held = self.held.get(&Incarnation { origin, epoch }).copied().unwrap_or_default();
        let state = OriginState { origin, epoch, position: held.position, closed: held.closed };
        store.set_origin_state(region, state)
    }

    /// Origins with a stored incarnation.
    pub fn stored(&self) -> Vec<u16> {
        self.current.keys().copied().collect()
    }

    /// For a Have message.
    pub fn to_wire(&self) -> Vec<Holding> {
        let one = |(of, held): (&Incarnation, &Held)| Holding {
            origin: u32::from(of.origin),
            epoch: of.epoch,
            position: held.position,
            closed: held.closed,
        };
        self.held.iter().map(one).collect()
    }

    /// For the end of an image: everything but times that are not known to be sound.
    pub fn claims(&self) -> Vec<WireClaim> {
        self.held.iter().map(|(of, held)| claim(*of, *held)).collect()
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
