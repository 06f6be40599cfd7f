//! What is done to all entries of a region: clear and invalidate, and what only passes through.
//!
//! Each is a *stamp*: entries with a lower version are cleared, or have no value, on every node and
//! whenever they come. The higher stamp stays, so it does not matter how often or in which order
//! stamps arrive. A node that makes one announces it in its stream, in the order of its own
//! changes, and is acknowledged by position as for any change. Every node also tells its stamps in
//! its Profile, when a connection begins and when they move: so one that was away learns what it
//! missed, also if who cleared is gone, and a newcomer knows it before an image brings what was
//! cleared. The Profile of a third node may come before the author's own announcement, so it says
//! whose each stamp is.

use super::Context;
use super::early::Arrived;
use super::region::Region;
use super::store::{Policy, Store, StoreError, Whole};
use crate::port::{AlertLevel, ConnId};
use crate::wire::control::Profile;
use crate::wire::frame;

/// How long what only passes through is kept at least.
pub(super) const PASSING: u64 = 1_000;

/// Where no replicate was met for so long there is probably none.
const NO_REPLICATE: u64 = 60_000;

/// What only passes through this region, and will be dropped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Passing {
    /// There is something, to be looked at then.
    pub(super) due: Option<u64>,
    /// Waits until everything before this position is applied everywhere; then what has at most
    /// this version is dropped.
    waits: Option<(u64, u64)>,
    /// Tail when it was looked at last.
    seen: u64,
    met_replicate: bool,
}

/// Who made the stamps of a region, as far as this bridge saw it. The region's file has the stamps
/// alone, so what was made before this bridge started has no author until a peer names one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Authors {
    cleared: (u64, u16),
    invalidated: (u64, u16),
}

impl Authors {
    fn place(&mut self, whole: Whole) -> Option<&mut (u64, u16)> {
        match whole {
            Whole::Clear => Some(&mut self.cleared),
            Whole::Invalidate => Some(&mut self.invalidated),
            Whole::Destroy => None,
        }
    }

    /// Node `origin` made this stamp. A lower one than is known is history.
    fn note(&mut self, whole: Whole, stamp: u64, origin: u16) {
        if let Some(place) = self.place(whole).filter(|(known, _)| *known < stamp) {
            *place = (stamp, origin);
        }
    }

    /// Who made this stamp; 0 if it is not known.
    pub(super) fn of(mut self, whole: Whole, stamp: u64) -> u32 {
        let made = self.place(whole).filter(|(known, _)| *known == stamp);
        made.map_or(0, |(_, origin)| u32::from(*origin))
    }
}

impl Region {
    /// A peer has done something to all entries.
    pub(crate) fn on_whole<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        body: &frame::Whole,
    ) {
        if !self.queue_behind(conn, Arrived::Whole(*body)) {
            self.apply_all(cx, conn, body);
        }
    }

    pub(super) fn apply_all<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        body: &frame::Whole,
    ) {
        let Some(link) = self.links.get_mut(&conn) else {
            return;
        };
        let (origin, position) = (link.origin, body.position.get());
        let Some(incoming) = link.incoming.as_mut().filter(|i| position >= i.position) else {
            return;
        };
        let whole = match body.what {
            1 => Whole::Clear,
            2 => Whole::Invalidate,
            3 => Whole::Destroy,
            // Of a later protocol: passed over, as its sender allows.
            _ => {
                incoming.position = position + 1;
                return;
            }
        };
        if whole == Whole::Destroy {
            let text = format!("region {} was destroyed on node {origin}", self.info.name);
            cx.alert(AlertLevel::Info, text);
        }
        match cx.store.apply_whole(self.info.id, whole, body.stamp.get(), origin) {
            Ok(_) => {
                incoming.position = position + 1;
                self.authors.note(whole, body.stamp.get(), origin);
            }
            Err(e) => self.block(cx, conn, position, &e),
        }
    }

    /// Takes over the stamps that a peer knows.
    pub(super) fn adopt_stamps<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        origin: u16,
        profile: &Profile,
    ) {
        let (cleared, invalidated) = cx.store.stamps(self.info.id);
        let mut failed: Option<StoreError> = None;
        for (whole, theirs, ours, by) in [
            (Whole::Clear, profile.cleared, cleared, profile.cleared_by),
            (Whole::Invalidate, profile.invalidated, invalidated, profile.invalidated_by),
        ] {
            let named = u16::try_from(by).ok().filter(|by| *by != 0);
            if let Some(by) = named.filter(|_| theirs >= ours) {
                self.authors.note(whole, theirs, by);
            }
            if theirs > ours {
                let by = named.unwrap_or(origin);
                failed = cx.store.apply_whole(self.info.id, whole, theirs, by).err().or(failed);
            }
        }
        if let Some(e) = failed {
            let text = format!(
                "region {}: cannot be cleared as node {origin} was: {e}; it is tried again when \
                 they meet again",
                self.info.name
            );
            cx.alert(AlertLevel::Severe, text);
        }
    }

    /// Tells the peers when a stamp has moved.
    pub(super) fn tell_stamps<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let stamps = cx.store.stamps(self.info.id);
        let told = std::mem::replace(&mut self.stamps, stamps);
        if told == stamps {
            return;
        }
        self.announce = true;
        // What came from elsewhere was noted when it was applied; `note` leaves that as it is.
        for (whole, told, stamp) in
            [(Whole::Clear, told.0, stamps.0), (Whole::Invalidate, told.1, stamps.1)]
        {
            if stamp != told {
                self.authors.note(whole, stamp, cx.myself);
            }
        }
    }

    /// Something passes through.
    pub(super) fn passing(&mut self, now: u64) {
        self.passing.due.get_or_insert(now.saturating_add(PASSING));
    }

    /// Drops what has passed: what was made here before every member had everything up to then,
    /// and answers that were fetched long ago.
    pub(super) fn forget_passed<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let tail = cx.store.tail(self.info.id);
        if self.info.policy == Policy::Empty && tail != self.passing.seen {
            self.passing.seen = tail;
            self.passing(cx.now);
        }
        if self.passing.waits.is_none() && self.passing.due.is_some_and(|due| cx.now >= due) {
            self.passing.due = None;
            // Time first: what has at most this version is before the tail.
            let upto = cx.store.close_time(self.info.id);
            self.passing.waits = Some((cx.store.tail(self.info.id), upto));
        }
        let Some((_, upto)) = self.passing.waits.filter(|(tail, _)| self.has_arrived(cx, *tail))
        else {
            return;
        };
        self.passing.waits = None;
        if let Err(e) = cx.store.forget_passed(self.info.id, upto) {
            self.passing(cx.now);
            let text = format!("region {}: what has passed is not forgotten: {e}", self.info.name);
            cx.alert(AlertLevel::Warning, text);
        }
    }

    /// Whether what was made here before a position may be dropped here: every member has it, and
    /// a replicate among them, which gives it to those that come later. Where none was met for a
    /// while there is none.
    fn has_arrived<S: Store>(&mut self, cx: &Context<'_, S>, tail: u64) -> bool {
        let mut replicates = self.links.values().filter(|l| l.has_all()).peekable();
        self.passing.met_replicate |= replicates.peek().is_some();
        let kept = replicates.any(|l| l.whole >= tail);
        let alone = !self.passing.met_replicate
            && !self.links.is_empty()
            && cx.now >= self.opened_at.saturating_add(NO_REPLICATE);
        self.acks.published().2 >= tail && (kept || alone)
    }

    pub(super) fn passing_timeout(&self) -> Option<u64> {
        let alone_at = self.opened_at.saturating_add(NO_REPLICATE);
        match self.passing.waits {
            None => self.passing.due,
            Some(_) => (!self.passing.met_replicate).then_some(alone_at),
        }
    }
}
