//! The cluster: who came and went, and what is told about it.

use super::Engine;
use crate::member::ClusterEvent;
use crate::port::{Action, AlertLevel, ConnId};
use crate::replica::store::Store;
use crate::session::{Session, close};
use crate::wire::control::{self, Body, Bye, Roster, Swim};
use crate::wire::frame::{self, FrameHeader, kind};

/// What a node that stops says.
const GOODBYE: &str = "the bridge was stopped";

impl<S: Store> Engine<S> {
    /// A session has come up.
    pub(super) fn member_up(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.get(&conn) else {
            return;
        };
        let address = session.address.or(session.remote);
        let (origin, node_id, boot) = (session.peer.origin, session.node_id, session.boot);
        self.members.connected(self.now, origin, node_id, boot, address);
        // Changes are told to everybody; this peer may lack what is no change.
        self.send(conn, Body::Roster(Roster { nodes: self.members.roster() }));
    }

    pub(super) fn on_bye(&mut self, conn: ConnId, bye: Bye) {
        let Some(session) = self.sessions.get(&conn) else {
            return;
        };
        let origin = session.peer.origin;
        self.members.left(self.now, origin, bye.reason);
        let same = |s: &&Session| s.peer.origin == origin;
        let conns: Vec<ConnId> = self.sessions.values().filter(same).map(|s| s.conn).collect();
        for conn in conns {
            self.close(conn, close::GOODBYE, format!("node {origin} said goodbye"));
        }
    }

    pub(super) fn say_goodbye(&mut self) {
        self.tell_all(&Body::Bye(Bye { reason: GOODBYE.into() }));
        self.members.leave(self.now);
    }

    /// Hands on what the membership has to say.
    pub(super) fn members_turn(&mut self) {
        for event in self.members.take_events() {
            self.alert(AlertLevel::Info, event.to_string());
            if let ClusterEvent::NodeLeft { origin, .. }
            | ClusterEvent::NodeRemoved { origin, .. } = &event
            {
                self.pardon(*origin, None);
            }
            self.out.push_back(Action::Event(event));
        }
        for (origin, address) in self.members.take_dials() {
            self.out.push_back(match address {
                Some(address) => Action::Dial { origin, address },
                None => Action::Hang { origin },
            });
        }
        if self.members.take_stale() {
            self.tell_all(&Body::Roster(Roster { nodes: self.members.roster() }));
        }
        for (origin, message) in self.members.take_messages() {
            self.send_swim(origin, message);
        }
    }

    /// Only a connected node gets it: a dead link is what the detector is to notice.
    fn send_swim(&mut self, origin: u16, message: Vec<u8>) {
        let Some(session) = self.sessions.values().find(|s| s.is_up() && s.peer.origin == origin)
        else {
            return;
        };
        let conn = session.conn;
        if session.max_datagram < size_of::<FrameHeader>() + message.len() {
            let payload = control::encode(Body::Swim(Swim { message }));
            self.out.push_back(Action::SendControl { conn, payload });
            return;
        }
        let mut payload = Vec::new();
        frame::push_parts(&mut payload, kind::SWIM, 0, 1, 0, &[&message]);
        frame::may_skip(&mut payload, 0);
        self.out.push_back(Action::SendDatagram { conn, payload });
    }
}
