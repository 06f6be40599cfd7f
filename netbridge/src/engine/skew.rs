//! Clocks: versions are times, so a node whose clock runs ahead would win every conflict and make
//! the others follow. A peer whose clock is ahead of this node's by more than `max_skew` is refused
//! in the handshake, and disconnected when its clock runs away later. Being told takes time, which
//! makes a clock look behind and never ahead; so of two nodes one refuses, and that is enough.
//! From a fifth of the bound on there is a warning.

use super::Engine;
use crate::port::{AlertLevel, ConnId};
use crate::replica::store::Store;
use crate::session::{Refusal, close};
use crate::wire::control::{Body, Clock, Hello};

impl<S: Store> Engine<S> {
    /// This node's clock in milliseconds.
    fn clock_ms(&self) -> u64 {
        self.store.clock() / self.store.ticks_per_ms().max(1)
    }

    pub(super) fn own_hello(&self) -> Hello {
        Hello { clock_ms: self.clock_ms(), ..self.local.hello(self.members.own_address()) }
    }

    /// By how many milliseconds a clock is ahead; one that says nothing is not.
    fn ahead(&self, clock_ms: u64) -> u64 {
        if clock_ms == 0 { 0 } else { clock_ms.saturating_sub(self.clock_ms()) }
    }

    pub(super) fn refuses_clock(&self, hello: &Hello) -> Option<Refusal> {
        let ahead_ms = self.ahead(hello.clock_ms);
        let bound_ms = self.timing.max_skew;
        (ahead_ms > bound_ms).then_some(Refusal::Clock { ahead_ms, bound_ms })
    }

    pub(super) fn on_clock(&mut self, conn: ConnId, clock: &Clock) {
        let (ahead, bound) = (self.ahead(clock.clock_ms), self.timing.max_skew);
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let origin = session.peer.origin;
        if ahead > bound {
            let text = format!(
                "the clock of node {origin} is {ahead} ms ahead of this node's, more than {bound} \
                 ms: set the clock that is wrong"
            );
            self.alert(AlertLevel::Severe, text.clone());
            self.close(conn, close::CLOCK, text);
        } else if ahead > bound / 5 && !std::mem::replace(&mut session.skew_told, true) {
            let text = format!(
                "the clock of node {origin} is {ahead} ms ahead of this node's; from {bound} ms on \
                 it is refused"
            );
            self.alert(AlertLevel::Warning, text);
        }
    }

    /// Tells the peers this node's clock now and then.
    pub(super) fn tell_clock(&mut self) {
        if self.now < self.clock_at {
            return;
        }
        self.clock_at = self.now.saturating_add(self.timing.clock_every);
        self.tell_all(&Body::Clock(Clock { clock_ms: self.clock_ms() }));
    }

    pub(super) fn next_clock(&self) -> Option<u64> {
        let any = self.sessions.values().any(crate::session::Session::is_up);
        any.then_some(self.clock_at)
    }
}
