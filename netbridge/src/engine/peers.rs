//! Connections: handshake, refusal, replacement, loss.

use super::{Engine, status};
use crate::port::{Action, AlertLevel, ConnId};
use crate::replica::store::Store;
use crate::session::{self, Phase, Refusal, Session, close};
use crate::wire::control::{self, Body, Hello, HelloAck, Reject};

impl<S: Store> Engine<S> {
    pub(super) fn on_connected(&mut self, session: Session) {
        let conn = session.conn;
        self.sessions.insert(conn, session);
        self.send(conn, Body::Hello(self.own_hello()));
    }

    pub(super) fn on_hello(&mut self, conn: ConnId, hello: &Hello) {
        let Some(mut session) = self.sessions.remove(&conn) else {
            return;
        };
        let taken = |origin, node_id| {
            let other = |s: &&Session| s.is_up() && s.peer.origin == origin && s.node_id != node_id;
            let connected = self.sessions.values().find(other).map(|s| s.node_id);
            connected.or_else(|| self.members.taken(origin, node_id))
        };
        let verdict = session.on_hello(&self.local, hello, taken);
        let verdict = match self.refuses_clock(hello) {
            Some(refusal) if verdict.is_ok() => Err(refusal),
            _ => verdict,
        };
        if verdict.is_err() {
            let close_at = self.now.saturating_add(session::REJECT_LINGER);
            session.phase = Phase::Refused { close_at };
        }
        let origin = session.peer.origin;
        self.sessions.insert(conn, session);
        match verdict {
            Ok(ack) => {
                self.send(conn, Body::HelloAck(ack));
                self.check_up(conn);
            }
            Err(refusal) => self.refuse(conn, origin, &refusal),
        }
    }

    fn refuse(&mut self, conn: ConnId, origin: u16, refusal: &Refusal) {
        let text = refusal.to_string();
        self.send(conn, Body::Reject(Reject { code: refusal.code(), text: text.clone() }));
        self.alert(AlertLevel::Warning, format!("peer node {origin} refused: {text}"));
        self.note_refusal(origin, refusal.code(), text, true);
    }

    pub(super) fn on_reject(&mut self, conn: ConnId, reject: Reject) {
        let Some(session) = self.sessions.get(&conn) else {
            return;
        };
        let origin = session.peer.origin;
        let text = format!("refused by peer node {origin}: {}", reject.text);
        self.alert(AlertLevel::Warning, text.clone());
        self.note_refusal(origin, reject.code, reject.text, false);
        self.close(conn, close::REFUSED, text);
    }

    fn note_refusal(&mut self, origin: u16, code: u32, text: String, by_this_node: bool) {
        let at_ms = self.now;
        self.refusals.retain(|r| (r.origin, r.code) != (origin, code));
        // A peer that is refused for ever new reasons must not fill the memory.
        if self.refusals.len() >= 64 {
            self.refusals.remove(0);
        }
        self.refusals.push(status::Rejected { origin, code, text, by_this_node, at_ms });
    }

    pub(super) fn on_hello_ack(&mut self, conn: ConnId, ack: &HelloAck) {
        if let Ok(address) = ack.observed.parse() {
            self.members.observed(address);
        }
        if let Some(session) = self.sessions.get_mut(&conn).filter(|s| !s.is_up()) {
            session.on_hello_ack();
            self.check_up(conn);
        }
    }

    /// A session that has just come up replaces an older one to the same node, or yields to it.
    fn check_up(&mut self, conn: ConnId) {
        let Some(new) = self.sessions.get(&conn).filter(|s| s.is_up()) else {
            return;
        };
        let origin = new.peer.origin;
        let twin = |s: &&Session| s.conn != conn && s.is_up() && s.peer.origin == origin;
        let old = self.sessions.values().find(twin);
        let loser =
            old.map(|old| if session::replaces(new, old, &self.local) { old.conn } else { conn });
        if let Some(loser) = loser {
            let reason = format!("another connection to node {origin} is used");
            self.close(loser, close::DUPLICATE, reason);
            if loser == conn {
                return;
            }
        }
        self.refusals.retain(|r| r.origin != origin);
        self.member_up(conn);
        let profiles: Vec<_> = self.regions.values().map(|r| r.profile()).collect();
        for profile in profiles {
            self.send(conn, Body::Profile(profile));
        }
    }

    pub(super) fn session_timers(&mut self) {
        let now = self.now;
        let due = |s: &&Session| s.next_timeout().is_some_and(|at| now >= at);
        let ended: Vec<(ConnId, bool)> = self
            .sessions
            .values()
            .filter(due)
            .map(|s| (s.conn, matches!(s.phase, Phase::Refused { .. })))
            .collect();
        for (conn, refused) in ended {
            if refused {
                self.close(conn, close::REFUSED, "refused".into());
            } else {
                self.close(conn, close::HELLO_TIMEOUT, "no hello from the peer in time".into());
            }
        }
    }

    pub(super) fn close(&mut self, conn: ConnId, code: u32, reason: String) {
        self.forget(conn);
        self.out.push_back(Action::Close { conn, code, reason });
    }

    pub(super) fn forget(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.remove(&conn) else {
            return;
        };
        let numbers: Vec<u16> = self.regions.keys().copied().collect();
        for number in numbers {
            self.with_region(number, |region, cx| region.unpair(cx, conn, false));
        }
        let origin = session.peer.origin;
        // Of two connections the peer may have ended this one before it confirmed the other here:
        // the node was away for nobody, unless that other one ends, too.
        let greeted = |s: &Session| matches!(s.phase, Phase::Greeting { accepted: true, .. });
        let left = |s: &Session| s.peer.origin == origin && (s.is_up() || greeted(s));
        if !self.sessions.values().any(left) && (session.is_up() || greeted(&session)) {
            self.mismatches.retain(|(_, o), _| *o != origin);
            self.members.disconnected(self.now, origin);
        }
    }

    pub(super) fn send(&mut self, conn: ConnId, body: Body) {
        self.out.push_back(Action::SendControl { conn, payload: control::encode(body) });
    }
}
