//! Refusals and mismatches: two engines face to face, or one with hand-made messages.

use std::cell::RefCell;
use std::rc::Rc;

use super::model::{Handle, ModelStore};
use super::world::{Plan, World};
use crate::engine::{Action, ClusterEvent, ConnId, Engine, EngineConfig, Input};
use crate::engine::{PeerIdentity, Timing};
use crate::replica::store::{Policy, Scope};
use crate::session::close;
use crate::wire::control::{self, Body, Hello};

pub(super) fn engine(cluster: &str, origin: u16) -> Engine<Handle> {
    let store = ModelStore::new(origin, 8);
    let config = EngineConfig {
        cluster: cluster.into(),
        origin,
        node_id: 0xa000 + u128::from(origin),
        boot: 1,
        expected_peers: 1,
        timing: Timing::default(),
        address: None,
    };
    Engine::new(config, Handle(Rc::new(RefCell::new(store))))
}

pub(super) fn connect(e: &mut Engine<Handle>, conn: u64, cluster: &str, origin: u16) {
    let peer = PeerIdentity { cluster: cluster.into(), origin };
    let conn = ConnId(conn);
    e.handle(0, Input::Connected { conn, dialed: false, peer, max_datagram: 1_200, remote: None });
}

pub(super) fn hello(cluster: &str, origin: u32) -> Hello {
    Hello {
        protocol_min: 1,
        protocol_max: 1,
        cluster: cluster.into(),
        node_id: (0xb000 + u128::from(origin)).to_le_bytes().to_vec(),
        origin,
        boot: 1,
        features: 0,
        clock_ms: 0,
        address: String::new(),
    }
}

fn hello_ack() -> control::HelloAck {
    control::HelloAck { protocol: 1, ..control::HelloAck::default() }
}

pub(super) fn say(e: &mut Engine<Handle>, conn: u64, body: Body) {
    let payload = control::encode(body);
    e.handle(1, Input::Control { conn: ConnId(conn), payload: &payload });
}

pub(super) fn actions(e: &mut Engine<Handle>) -> Vec<Action> {
    std::iter::from_fn(|| e.poll_action()).collect()
}

/// The text of the Reject, which must come before the Close.
fn rejected(e: &mut Engine<Handle>) -> String {
    let text = actions(e).iter().find_map(|a| match a {
        Action::SendControl { payload, .. } => match control::decode(payload) {
            Ok(Some(Body::Reject(r))) => Some(r.text),
            _ => None,
        },
        _ => None,
    });
    e.handle(10_000, Input::Tick);
    let closes = |a: &Action| matches!(a, Action::Close { code: close::REFUSED, .. });
    assert!(actions(e).iter().any(closes));
    assert!(e.status().peers.is_empty());
    let text = text.expect("a Reject message");
    assert_eq!(e.status().refusals[0].text, text);
    text
}

#[test]
fn unknown_protocol_is_refused() {
    let mut e = engine("c", 1);
    connect(&mut e, 1, "c", 2);
    say(&mut e, 1, Body::Hello(Hello { protocol_min: 2, protocol_max: 3, ..hello("c", 2) }));
    let text = rejected(&mut e);
    assert!(text.contains("1 to 1") && text.contains("2 to 3"), "{text}");
}

#[test]
fn a_newer_peer_that_still_speaks_ours_is_accepted() {
    let mut e = engine("c", 1);
    connect(&mut e, 1, "c", 2);
    say(&mut e, 1, Body::Hello(Hello { protocol_max: 7, ..hello("c", 2) }));
    say(&mut e, 1, Body::HelloAck(hello_ack()));
    assert!(e.is_connected(2));
}

#[test]
fn other_cluster_is_refused() {
    let mut e = engine("ours", 1);
    connect(&mut e, 1, "theirs", 2);
    say(&mut e, 1, Body::Hello(hello("theirs", 2)));
    let text = rejected(&mut e);
    assert!(text.contains("`ours`") && text.contains("`theirs`"), "{text}");
    let mut e = engine("ours", 1);
    connect(&mut e, 2, "theirs", 2);
    say(&mut e, 2, Body::Hello(hello("ours", 2)));
    assert!(rejected(&mut e).contains("`theirs`"), "the certificate counts too");
}

#[test]
fn own_and_duplicate_numbers_are_refused() {
    let mut e = engine("c", 1);
    connect(&mut e, 1, "c", 1);
    say(&mut e, 1, Body::Hello(hello("c", 1)));
    assert!(rejected(&mut e).contains("both sides are node 1"));

    let mut e = engine("c", 1);
    for conn in [1, 2] {
        connect(&mut e, conn, "c", 2);
    }
    say(&mut e, 1, Body::Hello(hello("c", 2)));
    say(&mut e, 1, Body::HelloAck(hello_ack()));
    actions(&mut e);
    let other = Hello { node_id: 7u128.to_le_bytes().to_vec(), ..hello("c", 2) };
    say(&mut e, 2, Body::Hello(other));
    let refused = actions(&mut e).iter().any(|a| match a {
        Action::SendControl { payload, .. } => {
            matches!(control::decode(payload), Ok(Some(Body::Reject(r))) if r.code == 4)
        }
        _ => false,
    });
    assert!(refused);
    assert!(e.is_connected(2), "the first one stays");
}

fn cluster_events(e: &mut Engine<Handle>) -> Vec<ClusterEvent> {
    let events = actions(e).into_iter().filter_map(|action| match action {
        Action::Event(event) => Some(event),
        _ => None,
    });
    events.collect()
}

fn gone(e: &mut Engine<Handle>, conn: u64) {
    e.handle(2, Input::Disconnected { conn: ConnId(conn), reason: "closed by the peer".into() });
}

#[test]
fn a_peer_that_keeps_the_other_of_two_connections_was_never_away() {
    let mut e = engine("c", 1);
    for conn in [1, 2] {
        connect(&mut e, conn, "c", 2);
        say(&mut e, conn, Body::Hello(hello("c", 2)));
    }
    say(&mut e, 1, Body::HelloAck(hello_ack()));
    let events = cluster_events(&mut e);
    assert!(matches!(events[..], [ClusterEvent::NodeJoined { origin: 2, .. }]), "{events:?}");
    // The end of the first may come before the last word on the second.
    gone(&mut e, 1);
    say(&mut e, 2, Body::HelloAck(hello_ack()));
    assert!(e.is_connected(2));
    let events = cluster_events(&mut e);
    assert!(events.is_empty(), "{events:?}");

    connect(&mut e, 3, "c", 2);
    say(&mut e, 3, Body::Hello(hello("c", 2)));
    gone(&mut e, 2);
    gone(&mut e, 3);
    let events = cluster_events(&mut e);
    assert!(matches!(events[..], [ClusterEvent::NodeUnreachable { origin: 2 }]), "{events:?}");
}

#[test]
fn certificate_and_hello_must_agree() {
    let mut e = engine("c", 1);
    connect(&mut e, 1, "c", 3);
    say(&mut e, 1, Body::Hello(hello("c", 2)));
    let text = rejected(&mut e);
    assert!(text.contains("node 3") && text.contains("node 2"), "{text}");
}

#[test]
fn nothing_but_the_handshake_is_said_before_the_ack() {
    let mut e = engine("c", 1);
    e.store_mut().0.borrow_mut().create("r", Scope::DistributedAck, 5, 16);
    e.handle(0, Input::Local);
    connect(&mut e, 1, "c", 2);
    say(&mut e, 1, Body::Hello(hello("c", 2)));
    let said: Vec<Body> = actions(&mut e)
        .iter()
        .filter_map(|a| match a {
            Action::SendControl { payload, .. } => control::decode(payload).unwrap(),
            _ => None,
        })
        .collect();
    assert!(matches!(said.as_slice(), [Body::Hello(_), Body::HelloAck(_)]), "{said:?}");
    assert!(!e.is_connected(2));
    e.handle(20_000, Input::Tick);
    let closes = |a: &Action| matches!(a, Action::Close { code: close::HELLO_TIMEOUT, .. });
    assert!(actions(&mut e).iter().any(closes));
}

#[test]
fn a_mismatched_region_is_left_out_and_the_others_go_on() {
    let plan = Plan {
        regions: vec![("good", Scope::DistributedAck), ("bad", Scope::DistributedAck)],
        ..Plan::default()
    };
    let mut w = World::new(1, plan);
    let wrong = |i: &mut crate::replica::store::RegionInfo| i.scope = Scope::DistributedNoAck;
    w.nodes[1].store.borrow_mut().edit("bad", wrong);
    w.start_all();
    w.run(3_000);
    let good = w.write_now(0, 0, 1, Some(b"x".to_vec()));
    w.write_now(0, 1, 1, Some(b"x".to_vec()));
    assert!(w.run_until(1_000, |w| w.region(0, 0).watermarks.2 > good));
    w.run(1_000);
    assert!(w.region(1, 0).table.contains_key(&1));
    assert!(!w.region(1, 1).table.contains_key(&1));
    for n in 0..2 {
        let status = w.nodes[n].engine.as_ref().unwrap().status();
        let [mismatch] = status.mismatches.as_slice() else { panic!("{status:?}") };
        let both = format!("{} | {}", mismatch.ours, mismatch.theirs);
        assert!(both.contains("scope distributed-ack"), "{both}");
        assert!(both.contains("scope distributed-no-ack"), "{both}");
        let told = w.nodes[n].alerts.iter().filter(|(_, t)| t.contains("is not replicated"));
        assert_eq!(told.count(), 1);
    }
    // Mended on one side: removed and created anew with the right attributes.
    w.nodes[1].store.borrow_mut().remove("bad");
    w.input(1, Input::Local);
    w.nodes[1].store.borrow_mut().create("bad", Scope::DistributedAck, 99, 64);
    w.input(1, Input::Local);
    assert!(w.run_until(3_000, |w| w.region(1, 1).table.contains_key(&1)));
    assert!(w.nodes[0].engine.as_ref().unwrap().status().mismatches.is_empty());
}

#[test]
fn what_is_not_built_yet_is_said() {
    let mut e = engine("c", 1);
    for (name, scope) in [("g", Scope::Global), ("l", Scope::Local), ("n", Scope::DistributedAck)] {
        e.store_mut().0.borrow_mut().create(name, scope, 5, 16);
    }
    e.store_mut().0.borrow_mut().edit("n", |i| i.policy = Policy::PersistentReplicate);
    e.handle(0, Input::Local);
    let unsupported = e.status().unsupported;
    assert_eq!(unsupported.len(), 2, "{unsupported:?}");
    assert!(unsupported[0].contains("scope global is not built yet"), "{unsupported:?}");
    assert!(
        unsupported[1].contains("data policy persistent-replicate is not built yet"),
        "{unsupported:?}"
    );
}

#[test]
fn garbage_ends_the_connection_and_nothing_else() {
    let mut random = super::Random(9);
    for round in 0..2_000u64 {
        let mut e = engine("c", 1);
        e.store_mut().0.borrow_mut().create("r", Scope::DistributedAck, 5, 16);
        connect(&mut e, 1, "c", 2);
        say(&mut e, 1, Body::Hello(hello("c", 2)));
        say(&mut e, 1, Body::HelloAck(hello_ack()));
        let len = random.range(0, 200);
        let garbage: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        let (conn, payload) = (ConnId(1), garbage.as_slice());
        e.handle(
            2,
            match round % 3 {
                0 => Input::Control { conn, payload },
                1 => Input::Data { conn, payload },
                _ => Input::Datagram { conn, payload },
            },
        );
        e.handle(3, Input::Tick);
        actions(&mut e);
        e.status();
    }
}
