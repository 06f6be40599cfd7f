//! Group acknowledgement: who must have applied what before writers are released.
//!
//! **The set.** A peer enters when it subscribes to the region's live stream (Hello, Profile and
//! Have have been exchanged then). It counts from where that stream begins. It leaves when it has
//! been without a connection for `peer_timeout`; a shorter interruption is ridden out. After a
//! restart of this bridge every origin the region knows is taken for a member that has just been
//! lost, because writers may be waiting for it.
//!
//! **Hold.** A member whose stream had to skip (the ring no longer held what it lacks) keeps its
//! old position until it acknowledges something behind the cut that is not provisional: an image
//! has filled the gap then. Provisional acknowledgements count only for a member that entered the
//! set with this very cut; others may be left over from an earlier stream and prove nothing.
//!
//! **Watermarks** are minima over the set and never go back; with nobody in the set they are the
//! tail.

use std::collections::BTreeMap;

use super::defects::{Defect, seeded};

/// A node whose acknowledgement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Everything before it was handed to the transport.
    pub sent: u64,
    /// Everything before it has arrived there.
    pub received: u64,
    /// Everything before it is visible there.
    pub applied: u64,
    /// Positions before it do not need this member.
    pub counts_from: u64,
    /// The member lacks something before this cut.
    pub hold: Option<u64>,
    /// Provisional acknowledgements count.
    pub provisional: bool,
    /// Since when it has had no connection.
    pub lost_at: Option<u64>,
}

impl Member {
    /// Positions before it do not wait for this member.
    pub fn mark(&self, early: bool) -> u64 {
        if early { self.received } else { self.applied }
    }
}

/// The acknowledgement set of one region and its watermarks.
#[derive(Debug, Clone, Default)]
pub struct AckSet {
    members: BTreeMap<u16, Member>,
    published: (u64, u64, u64),
}

impl AckSet {
    /// After a restart: the watermarks as published, and the origins known to the region.
    pub fn recover(published: (u64, u64, u64), origins: &[u16], now: u64) -> Self {
        let (sent, received, applied) = published;
        let member = Member {
            sent,
            received,
            applied,
            counts_from: 0,
            hold: None,
            provisional: false,
            lost_at: Some(now),
        };
        Self { members: origins.iter().map(|o| (*o, member)).collect(), published }
    }

    /// The members, by origin.
    pub fn members(&self) -> &BTreeMap<u16, Member> {
        &self.members
    }

    /// Watermarks as last published.
    pub fn published(&self) -> (u64, u64, u64) {
        self.published
    }

    /// The member's stream begins at `position`; `cut`: it lacks what lies before.
    pub fn subscribed(&mut self, origin: u16, position: u64, cut: bool) {
        let fresh = Member {
            sent: position,
            received: position,
            applied: position,
            counts_from: position,
            hold: None,
            provisional: cut,
            lost_at: None,
        };
        let Some(member) = self.members.get_mut(&origin) else {
            self.members.insert(origin, fresh);
            return;
        };
        member.lost_at = None;
        member.hold = cut.then_some(position);
        member.provisional = false;
        if !cut {
            member.sent = member.sent.max(position);
            member.received = member.received.max(position);
            member.applied = member.applied.max(position);
        }
    }

    /// Everything before `position` was handed to the transport.
    pub fn sent(&mut self, origin: u16, position: u64) {
        if let Some(member) = self.members.get_mut(&origin) {
            member.sent = member.sent.max(position);
        }
    }

    /// An acknowledgement; false if it does not count now.
    pub fn acked(&mut self, origin: u16, received: u64, applied: u64, provisional: bool) -> bool {
        let Some(member) = self.members.get_mut(&origin) else {
            return false;
        };
        let early = seeded(Defect::ProvisionalCounts);
        if member.lost_at.is_some() || (provisional && !member.provisional && !early) {
            return false;
        }
        member.hold = member.hold.filter(|cut| provisional || applied < *cut);
        member.received = member.received.max(received);
        member.applied = member.applied.max(applied);
        true
    }

    /// The member has no connection any more.
    pub fn lost(&mut self, origin: u16, now: u64) {
        if let Some(member) = self.members.get_mut(&origin) {
            member.lost_at.get_or_insert(now);
        }
    }

    /// Removes members whose time is over, with what they had acknowledged; `expiry` says until
    /// when a node that was lost at a time is waited for.
    pub fn expire(&mut self, now: u64, expiry: impl Fn(u16, u64) -> u64) -> Vec<(u16, Member)> {
        let gone = |o: u16, m: &Member| m.lost_at.is_some_and(|at| now >= expiry(o, at));
        let left: Vec<(u16, Member)> =
            self.members.iter().filter(|(o, m)| gone(**o, m)).map(|(o, m)| (*o, *m)).collect();
        self.members.retain(|o, _| !left.iter().any(|(gone, _)| gone == o));
        left
    }

    /// When the next member expires.
    pub fn next_expiry(&self, expiry: impl Fn(u16, u64) -> u64) -> Option<u64> {
        self.members.iter().filter_map(|(o, m)| Some(expiry(*o, m.lost_at?))).min()
    }

    /// The member has this region no more.
    pub fn remove(&mut self, origin: u16) {
        self.members.remove(&origin);
    }

    /// New watermarks, if they moved.
    pub fn advance(&mut self, tail: u64) -> Option<(u64, u64, u64)> {
        let min = |f: fn(&Member) -> u64| self.members.values().map(f).min().unwrap_or(tail);
        let (sent, received, applied) = self.published;
        let next = (
            sent.max(min(|m| m.sent).min(tail)),
            received.max(min(|m| m.received).min(tail)),
            applied.max(min(|m| m.applied).min(tail)),
        );
        (next != self.published).then(|| {
            self.published = next;
            next
        })
    }

    /// Members that have not acknowledged everything before `tail`; with `early`, that have not
    /// received it.
    pub fn waiting_for(&self, tail: u64, early: bool) -> Vec<u16> {
        let behind = |(o, m): (&u16, &Member)| (m.mark(early) < tail).then_some(*o);
        self.members.iter().filter_map(behind).collect()
    }
}
