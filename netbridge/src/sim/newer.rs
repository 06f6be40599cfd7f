//! A peer of the next release: what it says that this build does not know is passed over.

use super::handshake::{actions, connect, engine, hello, say};
use crate::engine::{Action, ConnId, Engine, Input};
use crate::replica::store::Scope;
use crate::session::close;
use crate::wire::control::{self, Body, Hello, HelloAck, Profile};
use crate::wire::frame::{self, kind};

/// A field of a number no message has, with text in it.
fn unknown_field(tag: u32) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(5, &mut out);
    out.extend_from_slice(b"later");
    out
}

/// The message as a later release would send it: with a field more in it.
fn with_unknown_field(body: Body) -> Vec<u8> {
    let plain = control::encode(body);
    // Envelope: one length-delimited field that holds the message.
    let mut rest = plain.as_slice();
    let key = prost::encoding::decode_varint(&mut rest).expect("key");
    let _length = prost::encoding::decode_varint(&mut rest).expect("length");
    let message = [rest, &unknown_field(999)].concat();
    let mut out = Vec::new();
    prost::encoding::encode_varint(key, &mut out);
    prost::encoding::encode_varint(message.len() as u64, &mut out);
    [out, message].concat()
}

fn unknown_frame(may_skip: bool) -> Vec<u8> {
    let mut out = Vec::new();
    frame::push_parts(&mut out, 200, 0, 7, 9, &[b"what a later release has to say"]);
    if may_skip {
        frame::may_skip(&mut out, 0);
    }
    out
}

fn deliver(e: &mut Engine<super::model::Handle>, payload: &[u8]) {
    e.handle(1, Input::Control { conn: ConnId(1), payload });
}

/// An engine that is connected to a node that speaks the next protocol, too.
fn connected() -> Engine<super::model::Handle> {
    let mut e = engine("c", 1);
    e.store_mut().0.borrow_mut().create("r", Scope::DistributedAck, 5, 16);
    e.handle(0, Input::Local);
    connect(&mut e, 1, "c", 2);
    let newer = Hello { protocol_max: 2, features: u64::MAX, ..hello("c", 2) };
    deliver(&mut e, &with_unknown_field(Body::Hello(newer)));
    let ack = HelloAck { protocol: 1, features: 0, observed: String::new() };
    deliver(&mut e, &with_unknown_field(Body::HelloAck(ack)));
    assert!(e.is_connected(2));
    e
}

fn closed_with(e: &mut Engine<super::model::Handle>) -> Option<u32> {
    actions(e).iter().find_map(|a| match a {
        Action::Close { code, .. } => Some(*code),
        _ => None,
    })
}

#[test]
fn unknown_messages_and_fields_are_passed_over() {
    let mut e = connected();
    // A message of a kind that does not exist yet.
    deliver(&mut e, &unknown_field(500));
    let profile = Profile {
        region: 3,
        name: "r".into(),
        policy: 3,
        scope: 2,
        concurrency_checks: true,
        epoch: 8,
        initialised: true,
        since: 1,
        ..Profile::default()
    };
    deliver(&mut e, &with_unknown_field(Body::Profile(profile)));
    assert_eq!(closed_with(&mut e), None);
    let status = e.status();
    assert_eq!(status.nodes[0].regions, ["r"], "what is known of the message counts");
    assert!(status.mismatches.is_empty());
}

#[test]
fn unknown_frames_that_may_be_skipped_are() {
    let mut e = connected();
    let conn = ConnId(1);
    // Before, between and behind frames that are known.
    let mut payload = unknown_frame(true);
    let start = frame::Start { epoch: 8.into(), position: 0.into() };
    frame::push(&mut payload, kind::START, 3, &start);
    payload.extend(unknown_frame(true));
    e.handle(2, Input::Data { conn, payload: &payload });
    e.handle(2, Input::Datagram { conn, payload: &unknown_frame(true) });
    assert_eq!(closed_with(&mut e), None);
    assert!(e.is_connected(2));
}

#[test]
fn unknown_frames_that_must_be_understood_end_the_connection() {
    let mut e = connected();
    e.handle(2, Input::Data { conn: ConnId(1), payload: &unknown_frame(false) });
    assert_eq!(closed_with(&mut e), Some(close::PROTOCOL_ERROR));
}

/// The other way round: this build's own additions are such that a release without them goes on.
#[test]
fn messages_of_the_failure_detector_may_be_skipped() {
    let mut e = connected();
    let swim = |a: &Action| match a {
        Action::SendDatagram { payload, .. } => payload[4] == kind::SWIM,
        _ => false,
    };
    let mut seen = 0;
    while seen == 0 {
        let due = e.next_timeout().expect("the detector has plans");
        e.handle(due, Input::Tick);
        for action in actions(&mut e).iter().filter(|a| swim(a)) {
            let Action::SendDatagram { payload, .. } = action else { continue };
            assert_eq!(payload[5] & frame::MAY_SKIP, frame::MAY_SKIP);
            seen += 1;
        }
    }
    say(&mut e, 1, Body::Bye(control::Bye { reason: "enough".into() }));
    assert_eq!(closed_with(&mut e), Some(close::GOODBYE));
}
