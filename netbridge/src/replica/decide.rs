//! What a region does about what it lacks: take an image, subscribe again, or declare itself
//! complete. The argument is in [`super`].

use super::Context;
use super::holdings::Incarnation;
use super::link::Link;
use super::region::{Region, START_WAIT};
use super::sources::{self, Sources};
use super::store::{OriginState, State, Store};
use crate::port::{AlertLevel, ConnId};
use crate::wire::control::Holding;

impl Region {
    /// Asks for an image when something is missing that no live stream will bring.
    pub(super) fn decide_image<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        if self.fetch.is_some() || self.sweep.is_some() || cx.now < self.retry_at {
            return;
        }
        if self.links.values().any(|l| awaits_start(l, cx.now)) || self.resubscribe(cx) {
            return;
        }
        let gaps: Vec<(ConnId, Holding)> = self.links.values().filter_map(gap).collect();
        if !gaps.is_empty() && !self.info.policy.begins_whole() && self.is_bare(cx) {
            self.lacks_nothing(cx);
            return;
        }
        let mut sources = self.first_sources(cx);
        if sources.is_empty() && !gaps.is_empty() && !self.info.policy.is_replicate() {
            // It tells what is dead, too.
            let replicates = self.links.values().filter(|l| l.has_all() && l.initialised);
            sources = replicates.map(|l| l.conn).collect();
        }
        let in_vain = !self.info.policy.is_replicate() && self.attempts >= sources.len();
        if sources.is_empty() || in_vain {
            sources.extend(gaps.iter().map(|(conn, _)| *conn));
            sources.dedup();
        }
        if sources.is_empty() && self.info.policy.is_replicate() {
            let has_more = |l: &&Link| l.has_all() && self.lacks(l, cx.myself);
            sources = self.links.values().filter(has_more).map(|l| l.conn).collect();
        }
        if sources.is_empty() {
            return;
        }
        let Some(&source) = sources.get(self.attempts % sources.len()) else {
            return;
        };
        // A source that cannot reach some origin refuses the whole plan; in the second round each
        // is asked for nothing but itself.
        let whole = self.attempts < sources.len();
        let wanted = |(conn, _): &&(ConnId, Holding)| whole || *conn == source;
        let plan = gaps.iter().filter(wanted).map(|(_, h)| h.clone()).collect();
        self.request_image(cx, source, plan);
    }

    /// Sources of the first image; none if this copy has met the others.
    fn first_sources<S: Store>(&mut self, cx: &mut Context<'_, S>) -> Vec<ConnId> {
        if self.joined {
            return Vec::new();
        }
        match sources::first_image(self.info.policy, self.links.values()) {
            Sources::None => Vec::new(),
            Sources::One(any) => {
                self.union = None;
                // Others of the same kind may have content of their own, and no more than that.
                let settled = |conn: &ConnId| self.links.get(conn).is_some_and(|l| l.joined);
                let met: Vec<ConnId> = any.iter().copied().filter(settled).collect();
                if met.is_empty() { any } else { met }
            }
            Sources::Union(all) => self.next_of_union(cx, all),
        }
    }

    /// The next source of a union. One that went away is left out and counted.
    fn next_of_union<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        all: Vec<ConnId>,
    ) -> Vec<ConnId> {
        let (left, _) = self.union.get_or_insert((all, 0));
        let before = left.len();
        left.retain(|conn| self.links.contains_key(conn));
        cx.counters.union_partial += (before - left.len()) as u64;
        left.first().copied().into_iter().collect()
    }

    /// An image of a union's source has ended; true if the copy is complete by that.
    pub(super) fn one_of_union<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        conn: ConnId,
        taken: bool,
    ) -> bool {
        let Some((left, gave)) = self.union.as_mut() else {
            return taken;
        };
        let before = left.len();
        left.retain(|source| *source != conn && self.links.contains_key(source));
        *gave += u32::from(taken);
        let lost = before - left.len() - usize::from(taken);
        cx.counters.union_partial += lost as u64;
        if !left.is_empty() {
            return false;
        }
        if self.union.take().is_some_and(|(_, gave)| gave == 0) {
            let text = format!(
                "region {}: every node that had a copy went away before it was taken; the region \
                 begins with what had arrived",
                self.info.name
            );
            cx.alert(AlertLevel::Warning, text);
        }
        true
    }

    /// A copy of a part that has nothing lacks nothing, whatever it has not heard.
    fn lacks_nothing<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let mut complete = Vec::new();
        for link in self.links.values_mut() {
            if let Some(incoming) = link.incoming.as_mut().filter(|i| !i.complete) {
                incoming.complete = true;
                complete.push(link.conn);
            }
        }
        for conn in complete {
            self.applied(cx, conn);
        }
    }

    /// Subscribes again where an image of another source has brought a position that the ring may
    /// still reach; true if that was tried.
    fn resubscribe<S: Store>(&mut self, cx: &mut Context<'_, S>) -> bool {
        let better = |l: &&Link| {
            let provisional = l.incoming.filter(|i| !i.complete);
            let held = provisional.and_then(|i| self.holdings.position(i.of));
            held.is_some_and(|held| held > l.offered)
        };
        let conns: Vec<ConnId> = self.links.values().filter(better).map(|l| l.conn).collect();
        for conn in &conns {
            self.subscribe(cx, *conn);
        }
        !conns.is_empty()
    }

    /// True if the peer holds changes that this node does not and that no live stream brings.
    fn lacks(&self, link: &Link, myself: u16) -> bool {
        if self.info.policy.is_replicate() && sources::may_hold_more(link) {
            return true;
        }
        link.have.iter().any(|h| {
            let Ok(origin) = u16::try_from(h.origin) else {
                return false;
            };
            let of = Incarnation { origin, epoch: h.epoch };
            let mine = origin == myself && h.epoch == self.info.epoch;
            let live = |l: &Link| l.origin == origin && l.epoch == h.epoch;
            let expected = self.acks.members().get(&origin).is_some_and(|m| m.lost_at.is_some());
            let comes = mine || expected || self.links.values().any(live);
            let behind = self.holdings.position(of).unwrap_or(0) < h.position;
            !comes && (behind || (h.partial && !link.repaired.contains(&of)))
        })
    }

    /// What this source could not describe by positions has come with its image.
    pub(super) fn note_repaired(&mut self, source: u16) {
        for link in self.links.values_mut().filter(|l| l.origin == source) {
            let named = |h: &Holding| {
                let origin = u16::try_from(h.origin).ok().filter(|_| h.partial)?;
                Some(Incarnation { origin, epoch: h.epoch })
            };
            link.compared = true;
            link.repaired.extend(link.have.iter().filter_map(named));
        }
    }

    /// Declares the region complete when it is.
    pub(super) fn settle<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let busy = self.fetch.is_some() || self.sweep.is_some();
        if self.since.is_some() || busy || !self.refused_by.is_empty() {
            return;
        }
        let unsettled = |l: &Link| awaits_start(l, cx.now) || gap(l).is_some();
        if self.links.values().any(unsettled) {
            return;
        }
        if !self.joined {
            let waited = cx.now >= self.opened_at.saturating_add(cx.timing.initial_wait);
            let present = self.links.len() >= cx.expected_peers;
            let somebody = |l: &Link| l.initialised && l.stores();
            if self.links.values().any(somebody) || !(waited || present) {
                return;
            }
        }
        self.since = Some(cx.store.close_time(self.info.id));
        self.joined |= !self.links.is_empty();
        self.persist_own(cx);
        self.announce = true;
        cx.store.set_state(self.info.id, State::Ready);
    }

    /// The region has met the others: by an image of one that is initialised, by an image to one
    /// that was not, or by becoming ready together. A region that became ready alone has not, and
    /// takes an image of the first initialised peer it meets, whatever the rings still hold.
    pub(crate) fn meet<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        if !std::mem::replace(&mut self.joined, true) {
            self.persist_own(cx);
            self.announce = true;
        }
    }

    /// The node's own origin state says that its copy is initialised: `closed` is the start of
    /// claimed time, `position` is 1 when it has met the others.
    fn persist_own<S: Store>(&self, cx: &mut Context<'_, S>) {
        let Some(closed) = self.since else { return };
        let position = if self.joined { self.first.saturating_add(1) } else { 0 };
        let own = OriginState { origin: cx.myself, epoch: self.info.epoch, position, closed };
        if let Err(e) = cx.store.set_origin_state(self.info.id, own) {
            let text = format!("region {}: readiness cannot be kept: {e}", self.info.name);
            cx.alert(AlertLevel::Warning, text);
        }
    }
}

fn awaits_start(link: &Link, now: u64) -> bool {
    link.asked_at.is_some_and(|at| now < at.saturating_add(START_WAIT))
}

fn gap(link: &Link) -> Option<(ConnId, Holding)> {
    let incoming = link.incoming.filter(|i| !i.complete)?;
    let holding = Holding {
        origin: u32::from(incoming.of.origin),
        epoch: incoming.of.epoch,
        position: incoming.cut,
        closed: 0,
        partial: false,
    };
    Some((link.conn, holding))
}
