//! What peers say, handed to the region it is about.

use super::{Engine, status};
use crate::port::{AlertLevel, ConnId, Lane};
use crate::replica::region::Region;
use crate::replica::store::{Store, policy_name, scope_name};
use crate::session::{Session, close};
use crate::wire::WireError;
use crate::wire::control::{self, Ack, Body, Profile};
use crate::wire::frame::{self, Frames, PROVISIONAL};

impl<S: Store> Engine<S> {
    pub(super) fn on_control(&mut self, conn: ConnId, payload: &[u8]) {
        if !self.sessions.contains_key(&conn) {
            return;
        }
        let done = control::decode(payload).and_then(|body| match body {
            Some(body) => self.on_message(conn, body),
            None => Ok(()),
        });
        self.end_if_bad(conn, done);
    }

    fn end_if_bad(&mut self, conn: ConnId, done: Result<(), WireError>) {
        let Err(e) = done else { return };
        let origin = self.sessions.get(&conn).map_or(0, |s| s.peer.origin);
        let text = format!("node {origin} sent what protocol 1 does not allow: {e}");
        self.alert(AlertLevel::Severe, text);
        self.close(conn, close::PROTOCOL_ERROR, e.to_string());
    }

    fn on_message(&mut self, conn: ConnId, body: Body) -> Result<(), WireError> {
        let up = self.sessions.get(&conn).is_some_and(Session::is_up);
        match body {
            Body::Hello(hello) if !up => self.on_hello(conn, &hello),
            Body::HelloAck(_) => self.on_hello_ack(conn),
            Body::Reject(reject) => self.on_reject(conn, reject),
            // The peer may be up a moment before this side is; it is not before it has heard both.
            _ if !up => return Err(early()),
            Body::Hello(_) => {
                return Err(WireError::Control { reason: "second hello".into() });
            }
            Body::Profile(profile) => self.on_profile(conn, profile)?,
            Body::Withdraw(w) => self.on_withdraw(conn, control::number(w.region)?),
            Body::Have(have) => {
                let number = control::number(have.region)?;
                self.at_region(conn, number, |region, cx| region.on_have(cx, conn, have));
            }
            Body::Ack(ack) => {
                let number = control::number(ack.region)?;
                self.at_region(conn, number, |region, _| region.on_ack(conn, &ack));
            }
            Body::ImageRequest(ask) => {
                let number = control::number(ask.region)?;
                self.at_region(conn, number, |region, cx| region.on_image_request(cx, conn, ask));
            }
            Body::Stable(report) => {
                let number = control::number(report.region)?;
                self.at_region(conn, number, |region, cx| region.on_stable(cx, conn, report));
            }
            Body::Clock(clock) => self.on_clock(conn, &clock),
            Body::ImageRefused(no) => {
                let number = control::number(no.region)?;
                self.at_region(conn, number, |region, cx| region.on_image_refused(cx, conn, &no));
            }
        }
        Ok(())
    }

    /// Our number for what the peer calls `number`, if the two are paired.
    fn paired(&self, conn: ConnId, number: u16) -> Option<u16> {
        self.sessions.get(&conn)?.paired.get(&number).copied()
    }

    fn at_region(
        &mut self,
        conn: ConnId,
        number: u16,
        f: impl FnOnce(&mut Region, &mut crate::replica::Context<'_, S>),
    ) {
        // Unpaired: sent before the peer knew that the region is gone here, or mismatched.
        if let Some(ours) = self.paired(conn, number) {
            self.with_region(ours, f);
        }
    }

    fn on_profile(&mut self, conn: ConnId, profile: Profile) -> Result<(), WireError> {
        let number = control::number(profile.region)?;
        let name = profile.name.clone();
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.profiles.insert(number, profile);
        }
        self.pair_by_name(conn, &name);
        Ok(())
    }

    fn on_withdraw(&mut self, conn: ConnId, number: u16) {
        self.at_region(conn, number, |region, cx| region.unpair(cx, conn));
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let origin = session.peer.origin;
        session.paired.remove(&number);
        if let Some(profile) = session.profiles.remove(&number) {
            self.mismatches.remove(&(profile.name, origin));
        }
    }

    /// Pairs the region of this name with the peer's, or says why not.
    pub(super) fn pair_by_name(&mut self, conn: ConnId, name: &str) {
        let Some(session) = self.sessions.get_mut(&conn).filter(|s| s.is_up()) else {
            return;
        };
        let (Some((number, theirs)), Some(region)) = (
            session.profiles.iter().find(|(_, p)| p.name == name),
            self.regions.values().find(|r| r.info.name == name),
        ) else {
            return;
        };
        let (origin, number, theirs) = (session.peer.origin, *number, theirs.clone());
        let (ours, our_number) = (region.profile(), region.number);
        if alike(&ours, &theirs) {
            session.paired.insert(number, our_number);
            self.mismatches.remove(&(name.to_owned(), origin));
            self.with_region(our_number, |region, cx| region.pair(cx, conn, origin, &theirs));
            return;
        }
        if session.paired.remove(&number).is_some() {
            self.with_region(our_number, |region, cx| region.unpair(cx, conn));
        }
        let mismatch = status::Mismatch {
            region: name.to_owned(),
            origin,
            ours: describe(&ours),
            theirs: describe(&theirs),
        };
        let text = format!(
            "region {name} is not replicated with node {origin}: here {}, there {}; create it with \
             the same attributes on both",
            mismatch.ours, mismatch.theirs
        );
        let key = (name.to_owned(), origin);
        if self.mismatches.insert(key, mismatch.clone()) != Some(mismatch) {
            self.alert(AlertLevel::Warning, text);
        }
    }

    pub(super) fn on_data(&mut self, conn: ConnId, payload: &[u8]) {
        let done = self.frames(conn, payload);
        self.end_if_bad(conn, done);
    }

    pub(super) fn on_datagram(&mut self, conn: ConnId, payload: &[u8]) {
        let done = self.frames(conn, payload);
        self.end_if_bad(conn, done);
    }

    fn frames(&mut self, conn: ConnId, payload: &[u8]) -> Result<(), WireError> {
        if !self.sessions.get(&conn).is_some_and(Session::is_up) {
            return Ok(());
        }
        let mut frames = Frames::new(payload);
        let mut touched = None;
        while let Some((number, body)) = frames.next_frame()? {
            if let frame::Body::Ack(acks) = body {
                self.on_acks(conn, acks);
                continue;
            }
            let Some(ours) = self.paired(conn, number) else {
                continue;
            };
            touched = Some(ours);
            let mut done = Ok(());
            self.with_region(ours, |region, cx| {
                match body {
                    frame::Body::Start(start) => region.on_start(cx, conn, &start),
                    frame::Body::Records(records) => done = region.on_records(cx, conn, records),
                    frame::Body::Skip(skip) => region.on_skip(conn, skip.position.get()),
                    frame::Body::Closed(closed) => region.on_closed(conn, &closed),
                    frame::Body::Image(transfer, records) => {
                        done = region.on_image(cx, conn, transfer, records);
                    }
                    frame::Body::ImageBegin(transfer, begin, claims) => {
                        region.on_image_begin(cx, conn, transfer, &begin, claims);
                    }
                    frame::Body::ImageCursor(transfer, cursor) => {
                        region.on_image_cursor(conn, transfer, cursor);
                    }
                    frame::Body::ImageEnd(transfer, end, claims) => {
                        region.on_image_end(cx, conn, transfer, &end, claims);
                    }
                    frame::Body::Ack(_) => {}
                };
            });
            done?;
        }
        if let Some(ours) = touched {
            self.with_region(ours, |region, cx| region.applied(cx, conn));
        }
        Ok(())
    }

    fn on_acks(&mut self, conn: ConnId, acks: &[frame::WireAck]) {
        for ack in acks {
            let number = ack.region.get();
            let ack = Ack {
                region: u32::from(number),
                epoch: ack.epoch.get(),
                received: ack.received.get(),
                applied: ack.applied.get(),
                provisional: ack.flags.get() & PROVISIONAL != 0,
            };
            self.at_region(conn, number, |region, _| region.on_ack(conn, &ack));
        }
    }

    pub(super) fn on_sent(&mut self, conn: ConnId, lane: Lane) {
        let (Lane::Region(number) | Lane::Image(number)) = lane;
        self.with_region(number, |region, _| region.on_sent(conn, lane));
    }
}

fn early() -> WireError {
    WireError::Control { reason: "a message before the handshake was complete".into() }
}

fn alike(a: &Profile, b: &Profile) -> bool {
    (a.policy, a.scope, a.concurrency_checks) == (b.policy, b.scope, b.concurrency_checks)
}

fn describe(p: &Profile) -> String {
    let checks = if p.concurrency_checks { "on" } else { "off" };
    let (policy, scope) = (policy_name(p.policy), scope_name(p.scope));
    format!("data policy {policy}, scope {scope}, concurrency checks {checks}")
}
