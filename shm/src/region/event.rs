//! What listeners are told: one change of a key or of a whole region, copied from the record that a
//! cell of the event ring names.

use std::fmt;

use crate::error::Result;
use crate::heap::record::{Mark, Record};
use crate::layout::word::{CellWord, Doer, Location, RegionOp, RingOp};
use crate::region::attributes::DataPolicy;
use crate::region::clear::LOCAL;
use crate::region::mapped::Mapped;
use crate::region::thread::Context;
use crate::region::{Kind, Token};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A key that was absent is there now; without a value if it was created invalid.
    Create,
    /// A key that was there has another value.
    Update,
    /// The key is there, its value is not any more.
    Invalidate,
    /// The same, only on this node.
    LocalInvalidate,
    /// The key is gone.
    Destroy,
    /// The same, only on this node.
    LocalDestroy,
    /// Its value expired.
    ExpireInvalidate,
    /// The entry expired.
    ExpireDestroy,
    /// The entry had to make room. Announced after it went, so perhaps behind the event of a newer
    /// entry of the key: the token is that of the entry that was evicted.
    Evict,
    /// Not a change: how the entry is, told while a listener resynchronises.
    Resync,
    /// All entries are gone whose version is below that of the token. Announced right after it took
    /// place, so perhaps behind the event of an entry that was written since: it has a higher
    /// version.
    Clear,
    /// The same, only on this node.
    LocalClear,
    /// All entries lost their values.
    RegionInvalidate,
    /// The same, only on this node.
    LocalRegionInvalidate,
    /// The region is no more: the last event.
    RegionDestroy,
    /// The same, only on this node.
    LocalRegionDestroy,
}

impl EventKind {
    /// Whether it is about the whole region; such an event has no key.
    pub fn is_of_region(self) -> bool {
        self >= Self::Clear
    }

    /// Whether it is the last event of the region.
    pub fn is_end(self) -> bool {
        matches!(self, Self::RegionDestroy | Self::LocalRegionDestroy)
    }

    /// Its name in lower case, words joined by hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Invalidate => "invalidate",
            Self::LocalInvalidate => "local-invalidate",
            Self::Destroy => "destroy",
            Self::LocalDestroy => "local-destroy",
            Self::ExpireInvalidate => "expire-invalidate",
            Self::ExpireDestroy => "expire-destroy",
            Self::Evict => "evict",
            Self::Resync => "resync",
            Self::Clear => "clear",
            Self::LocalClear => "local-clear",
            Self::RegionInvalidate => "region-invalidate",
            Self::LocalRegionInvalidate => "local-region-invalidate",
            Self::RegionDestroy => "region-destroy",
            Self::LocalRegionDestroy => "local-region-destroy",
        }
    }

    fn of_region(op: RegionOp) -> Option<Self> {
        Some(match op {
            RegionOp::LookAgain | RegionOp::Doom => return None,
            RegionOp::Clear => Self::Clear,
            RegionOp::LocalClear => Self::LocalClear,
            RegionOp::Invalidate => Self::RegionInvalidate,
            RegionOp::LocalInvalidate => Self::LocalRegionInvalidate,
            RegionOp::Destroy => Self::RegionDestroy,
            RegionOp::LocalDestroy => Self::LocalRegionDestroy,
        })
    }

    /// `None`: listeners have nothing to learn from it.
    fn of_entry(kind: Kind, mark: Mark, expiration: bool, local: bool) -> Option<Self> {
        Some(match (kind, mark, expiration, local) {
            (_, Mark::Silent, ..) => return None,
            (Kind::Tombstone, _, true, _) => Self::ExpireDestroy,
            (Kind::Tombstone, _, _, true) => Self::LocalDestroy,
            (Kind::Tombstone, ..) => Self::Destroy,
            (_, Mark::Created, ..) => Self::Create,
            (Kind::Value | Kind::Transit, ..) => Self::Update,
            (_, _, true, _) => Self::ExpireInvalidate,
            (Kind::LocalInvalid, ..) => Self::LocalInvalidate,
            (Kind::Invalid, ..) => Self::Invalidate,
        })
    }
}

impl PartialOrd for EventKind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some((*self as u8).cmp(&(*other as u8)))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The value that an entry had before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldValue {
    /// It had none: the key was absent, or invalid.
    None,
    /// This one.
    Value(Vec<u8>),
    /// The region does not keep old values, or the memory of this one has been used again.
    NotAvailable,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// This process.
    ThisMember,
    /// Another process of the node, by the number of its slot (see
    /// [`MemberInfo::slot`](crate::MemberInfo)).
    Member(u16),
    /// Another node, by its number.
    Node(u16),
    /// A process of the node that did not live to say so, or has not said so yet.
    Unknown,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Position in the event ring; of `Resync`, where the listener goes on.
    pub position: u64,
    /// Key that changed; empty in events of the region.
    pub key: Vec<u8>,
    /// Its new value; `None` if it has none (destroyed, invalidated).
    pub value: Option<Vec<u8>>,
    /// The value before, if the region keeps old values (`old_values`). Evictions tell it always.
    pub old: OldValue,
    /// Its new state; of an eviction the state it had. Versions of a key grow from event to event.
    /// In events of the region the version is the one below which entries are gone, or have lost
    /// their values, or 0. An event of an entry may come on the wrong side of one of the region:
    /// the versions tell.
    pub token: Token,
    /// Who did it.
    pub origin: Origin,
    /// Whether the change was made because the entry had expired.
    pub expiration: bool,
    /// Whether it was part of an operation on many keys.
    pub bulk: bool,
}

/// What a cell of the ring tells.
#[derive(Debug)]
pub(crate) enum Told {
    Event(Event),
    /// Nothing for listeners.
    Nothing,
    /// Something that no record tells.
    LookAgain,
    /// A change of which the memory was reused.
    Gone,
    /// The same of an eviction.
    EvictionGone,
}

/// What a record says about its entry: one in transit says it for other nodes.
pub(crate) fn meaning(record: &Record<'_>, kind: Kind) -> Kind {
    match kind {
        Kind::Transit if record.is_valueless() => Kind::Invalid,
        Kind::Transit => Kind::Value,
        kind => kind,
    }
}

impl Mapped {
    /// Reads the change that a cell names. `wanted` decides by key and record before anything is
    /// copied.
    pub(crate) fn told(
        &self,
        context: &Context,
        position: u64,
        cell: CellWord,
        wanted: impl Fn(&Record<'_>) -> bool,
    ) -> Result<Told> {
        if let Some((op, by)) = RegionOp::of(cell.location()) {
            if op == RegionOp::Doom {
                return Ok(Told::Nothing);
            }
            let event = |kind| Told::Event(self.region_event(kind, position, Some(by)));
            return Ok(EventKind::of_region(op).map_or(Told::LookAgain, event));
        }
        let hazard = self.hazard(context, 0);
        let seen = self.announced(cell, hazard, |record, token| {
            if !wanted(record) {
                return Told::Nothing;
            }
            match cell.op() {
                RingOp::Region => Told::Event(self.eviction(position, record, token)),
                op => self.change(context, position, op, record, token),
            }
        });
        hazard.clear();
        let gone = if cell.op() == RingOp::Region { Told::EvictionGone } else { Told::Gone };
        Ok(seen?.unwrap_or(gone))
    }

    fn origin_of(&self, member: u16) -> Origin {
        if member == self.me as u16 { Origin::ThisMember } else { Origin::Member(member) }
    }

    /// `by`: who caused it, if that is known.
    pub(crate) fn region_event(&self, kind: EventKind, position: u64, by: Option<Doer>) -> Event {
        let version = match kind {
            EventKind::Clear | EventKind::LocalClear => {
                self.words().clear_stamp.load(crate::sync::Acquire)
            }
            EventKind::RegionInvalidate | EventKind::LocalRegionInvalidate => {
                self.words().invalid_stamp.load(crate::sync::Acquire) & !LOCAL
            }
            _ => 0,
        };
        let origin = match by {
            None => Origin::Unknown,
            Some(Doer::Member(slot)) => self.origin_of(slot),
            Some(Doer::Node(node)) => Origin::Node(node),
        };
        let node = if let Origin::Node(node) = origin { node } else { self.members.origin() };
        let token = Token { version, origin: node, kind: Kind::Tombstone };
        Event {
            kind,
            position,
            key: Vec::new(),
            value: None,
            old: OldValue::NotAvailable,
            token,
            origin,
            expiration: false,
            bulk: false,
        }
    }

    fn eviction(&self, position: u64, record: &Record<'_>, token: Token) -> Event {
        let value = (token.kind == Kind::Value).then(|| record.value().to_vec());
        Event {
            kind: EventKind::Evict,
            position,
            key: record.key().to_vec(),
            value: None,
            old: value.map_or(OldValue::None, OldValue::Value),
            token,
            origin: self.origin_of(record.member()),
            expiration: false,
            bulk: false,
        }
    }

    /// How an entry is, for a listener that resynchronises and goes on at `position`.
    pub(crate) fn resync_event(&self, position: u64, record: &Record<'_>, token: Token) -> Event {
        Event {
            kind: EventKind::Resync,
            position,
            key: record.key().to_vec(),
            value: (token.kind == Kind::Value).then(|| record.value().to_vec()),
            old: OldValue::NotAvailable,
            token,
            origin: self.origin_of_record(record, token),
            expiration: record.is_expiration(),
            bulk: record.is_bulk(),
        }
    }

    fn origin_of_record(&self, record: &Record<'_>, token: Token) -> Origin {
        if record.is_remote() {
            Origin::Node(token.origin)
        } else {
            self.origin_of(record.member())
        }
    }

    fn change(
        &self,
        context: &Context,
        position: u64,
        op: RingOp,
        record: &Record<'_>,
        token: Token,
    ) -> Told {
        let (mark, expiration) = (record.mark(), record.is_expiration());
        let became = meaning(record, token.kind);
        let Some(kind) = EventKind::of_entry(became, mark, expiration, op == RingOp::Local) else {
            return Told::Nothing;
        };
        Told::Event(Event {
            kind,
            position,
            key: record.key().to_vec(),
            value: (became == Kind::Value).then(|| record.value().to_vec()),
            old: self.old_value(context, record),
            token,
            origin: self.origin_of_record(record, token),
            expiration,
            bulk: record.is_bulk(),
        })
    }

    /// The value of the record that a record replaced.
    fn old_value(&self, context: &Context, record: &Record<'_>) -> OldValue {
        if self.attributes.data_policy == DataPolicy::Empty {
            return OldValue::NotAvailable;
        }
        if record.mark() == Mark::Created {
            return OldValue::None;
        }
        let Some(previous) = record.previous() else { return OldValue::NotAvailable };
        let Some(previous) = previous.checked_sub(1).map(Location::from_word) else {
            return OldValue::None;
        };
        let hazard = self.hazard(context, 1);
        let old = self.recorded(previous, hazard, |old, token| match token.kind {
            // A damaged file may name any record.
            _ if old.key() != record.key() => OldValue::NotAvailable,
            Kind::Value => OldValue::Value(old.value().to_vec()),
            _ => OldValue::None,
        });
        hazard.clear();
        old.ok().flatten().unwrap_or(OldValue::NotAvailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_what_became_of_the_entry() {
        use EventKind as E;
        let of = |kind, mark, expiration, local| E::of_entry(kind, mark, expiration, local);
        let table = [
            (of(Kind::Value, Mark::Created, false, false), Some(E::Create)),
            (of(Kind::Value, Mark::Changed, false, false), Some(E::Update)),
            (of(Kind::Invalid, Mark::Created, false, false), Some(E::Create)),
            (of(Kind::Invalid, Mark::Changed, false, false), Some(E::Invalidate)),
            (of(Kind::LocalInvalid, Mark::Changed, false, true), Some(E::LocalInvalidate)),
            (of(Kind::Invalid, Mark::Changed, true, false), Some(E::ExpireInvalidate)),
            (of(Kind::Tombstone, Mark::Changed, true, false), Some(E::ExpireDestroy)),
            (of(Kind::Tombstone, Mark::Changed, false, true), Some(E::LocalDestroy)),
            (of(Kind::Tombstone, Mark::Changed, false, false), Some(E::Destroy)),
            (of(Kind::Tombstone, Mark::Silent, false, false), None),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
        assert!(E::Clear.is_of_region() && !E::Resync.is_of_region());
        assert_eq!(E::LocalRegionDestroy.to_string(), "local-region-destroy");
    }
}
