//! What peers say, handed to the region it is about.

use super::compat::{self, Refused};
use super::{Engine, status};
use crate::port::{AlertLevel, ConnId, Lane};
use crate::replica::region::Region;
use crate::replica::store::Store;
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
            Body::HelloAck(ack) => self.on_hello_ack(conn, &ack),
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
            Body::Bye(bye) => self.on_bye(conn, bye),
            Body::Roster(roster) => self.members.learn(&roster.nodes),
            Body::Swim(swim) => self.members.swim(self.now, &swim.message),
            Body::Search(search) => {
                let number = control::number(search.region)?;
                self.at_region(conn, number, |region, cx| region.on_search(cx, conn, search));
            }
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
            self.members.region_arrived(session.peer.origin, &name);
        }
        self.pair_by_name(conn, &name);
        Ok(())
    }

    fn on_withdraw(&mut self, conn: ConnId, number: u16) {
        self.at_region(conn, number, |region, cx| region.departed(cx, conn));
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let origin = session.peer.origin;
        session.paired.remove(&number);
        if let Some(profile) = session.profiles.remove(&number) {
            self.members.region_departed(origin, &profile.name);
            self.pardon(origin, Some(&profile.name));
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
        let differences = compat::differences(&ours, &theirs);
        if differences.is_empty() {
            if region.refused_by.is_empty() {
                session.paired.insert(number, our_number);
                self.mismatches.remove(&(name.to_owned(), origin));
                self.with_region(our_number, |region, cx| region.pair(cx, conn, origin, &theirs));
            }
            return;
        }
        if session.paired.remove(&number).is_some() {
            self.with_region(our_number, |region, cx| region.departed(cx, conn));
        }
        self.mismatched(our_number, origin, &ours, &theirs, differences);
    }

    /// Tells of two regions that may not be replicated, and refuses ours if it came later.
    fn mismatched(
        &mut self,
        number: u16,
        origin: u16,
        ours: &Profile,
        theirs: &Profile,
        differences: Vec<compat::Difference>,
    ) {
        let name = &ours.name;
        let refused = compat::newcomer(ours, theirs);
        if refused == Refused::Here {
            self.refuse_region(number, origin);
        }
        let text = compat::explain(name, origin, refused, &differences);
        let mismatch = status::Mismatch {
            region: name.clone(),
            origin,
            ours: compat::describe(ours),
            theirs: compat::describe(theirs),
            differences,
            refused,
        };
        let key = (name.clone(), origin);
        if self.mismatches.insert(key, mismatch.clone()) != Some(mismatch) {
            self.alert(AlertLevel::Warning, text);
        }
    }

    /// The region is replicated with nobody while that node has another one.
    fn refuse_region(&mut self, number: u16, origin: u16) {
        if let Some(region) = self.regions.get_mut(&number) {
            region.refused_by.insert(origin);
        }
        let mut ended = Vec::new();
        for session in self.sessions.values_mut() {
            session.paired.retain(|_, ours| {
                let other = *ours != number;
                ended.extend((!other).then_some(session.conn));
                other
            });
        }
        for conn in ended {
            self.with_region(number, |region, cx| region.departed(cx, conn));
        }
    }

    /// That node, or its region of this name, is gone: what it refused may go on.
    pub(super) fn pardon(&mut self, origin: u16, name: Option<&str>) {
        let concerned = |r: &&mut Region| name.is_none_or(|name| r.info.name == name);
        let mut pardoned = Vec::new();
        for region in self.regions.values_mut().filter(concerned) {
            if region.refused_by.remove(&origin) && region.refused_by.is_empty() {
                pardoned.push((region.number, region.info.name.clone()));
            }
        }
        let conns: Vec<ConnId> = self.sessions.keys().copied().collect();
        for (number, name) in pardoned {
            for conn in &conns {
                self.pair_by_name(*conn, &name);
            }
            self.turned.insert(number);
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
            if let frame::Body::Swim(message) = body {
                self.members.swim(self.now, message);
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
                    frame::Body::Closed(closed) => region.on_closed(cx, conn, &closed),
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
                    frame::Body::Whole(whole) => region.on_whole(cx, conn, &whole),
                    frame::Body::Answer(answer, records) => {
                        done = region.on_answer(cx, conn, &answer, records);
                    }
                    frame::Body::Ack(_) | frame::Body::Swim(_) => {}
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
