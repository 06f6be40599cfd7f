//! A bridge killed between two stores.

use std::time::{Duration, Instant};

use super::*;
use crate::{DataPolicy, Node, Scope};

/// A bridge that is killed after it moved the watermark and before it woke the writers that the
/// watermark covers leaves them asleep, and the next bridge has no reason to wake them: to it the
/// positions were applied all the time. So a bridge that takes over a region lets all writers look
/// again.
#[test]
fn a_new_bridge_wakes_the_writers_that_the_last_one_left_asleep() {
    let home =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory");
    let node = Node::open(home.path()).expect("open");
    let region = node
        .region("r")
        .scope(Scope::DistributedNoAck)
        .data_policy(DataPolicy::Replicate)
        .max_bytes(1 << 20)
        .create()
        .expect("create");
    let seat = node.bridge_seat().expect("seat");
    let feed = seat.feed(&region).expect("feed");
    let words = region.mapped.words();
    let deadline = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| region.mapped.wait_released(5, Some(deadline)));
        while words.ack_sleepers.load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        // The first steps of `publish_watermarks`; then the bridge is killed.
        words.applied.store(10, SeqCst);
        words.ack_sleepers.store(0, SeqCst);
        drop((feed, seat));

        let seen = words.ack_word.load(SeqCst);
        let seat = node.bridge_seat().expect("the seat is free again");
        let feed = seat.feed(&region).expect("feed");
        assert_ne!(words.ack_word.load(SeqCst), seen, "whoever sleeps on the old word is woken");
        feed.publish(10, 10, 10).expect("publish");
        writer.join().expect("no panic").expect("the position is applied");
    });
}

fn acked(home: &std::path::Path, early: bool) -> (Node, Region) {
    let node = Node::open(home).expect("open");
    let builder = node.region("r").data_policy(DataPolicy::Replicate);
    let builder = builder.scope(Scope::DistributedAck).early_ack(early).max_bytes(1 << 20);
    let region = builder.create().expect("create");
    (node, region)
}

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

#[test]
fn early_acknowledgement_is_satisfied_by_receipt_and_nothing_less() {
    for early in [true, false] {
        let home = home();
        let (node, region) = acked(home.path(), early);
        let seat = node.bridge_seat().expect("seat");
        let feed = seat.feed(&region).expect("feed");
        let at_once = crate::WriteOptions::ack_within(Duration::ZERO);
        let put = |key: &[u8]| region.put_with(key, b"v", &at_once).map(|_| ());
        feed.publish(9, 0, 0).expect("no fork");
        assert!(matches!(put(b"a"), Err(Error::AckTimeout { .. })), "sent is not received");
        feed.publish(9, 9, 0).expect("no fork");
        assert_eq!(put(b"b").is_ok(), early);
        feed.publish(9, 9, 9).expect("no fork");
        put(b"c").expect("applied");
    }
}

#[test]
fn who_was_released_by_a_departure_is_told_who_left() {
    let home = home();
    let (node, region) = acked(home.path(), false);
    let seat = node.bridge_seat().expect("seat");
    let feed = seat.feed(&region).expect("feed");
    feed.publish(1, 1, 1).expect("no fork");
    let before = region.put(b"a", b"v").expect("applied");
    assert!(before.departed.is_empty());
    // Positions 1 and 2 are released although nodes 7 and 65535 did not acknowledge them.
    feed.note_departure(7, 1, 3).expect("no fork");
    feed.note_departure(u16::MAX, 2, 3).expect("no fork");
    feed.publish(3, 3, 3).expect("no fork");
    let names: Vec<Vec<u16>> = [b"b", b"c"]
        .map(|key| region.put(key, b"v").expect("released").departed.nodes().to_vec())
        .to_vec();
    assert_eq!(names, [vec![7], vec![7, u16::MAX]]);
    feed.publish(9, 9, 9).expect("no fork");
    assert!(region.put(b"d", b"v").expect("applied").departed.is_empty());
    for leaver in 10..30 {
        feed.note_departure(leaver, 4, 5).expect("no fork");
    }
    let many = region.put(b"e", b"v").expect("released").departed;
    let mut nodes = many.nodes().to_vec();
    nodes.sort_unstable();
    assert_eq!(nodes, (22..30).collect::<Vec<u16>>(), "the latest eight");
}

#[test]
fn changes_up_to_the_horizon_are_refused_for_absent_keys() {
    let home = home();
    let (node, region) = acked(home.path(), false);
    let seat = node.bridge_seat().expect("seat");
    let feed = seat.feed(&region).expect("feed");
    let change = |key, version| Change {
        position: 0,
        key,
        value: b"v",
        kind: Kind::Value,
        version,
        origin: 2,
        deadline: None,
        expiration: false,
        created: true,
        bulk: false,
    };
    assert_eq!(feed.apply(change(b"here", 10)).expect("apply"), Applied::Newer);
    feed.raise_horizon(20).expect("no fork");
    assert_eq!(feed.apply(change(b"gone", 20)).expect("apply"), Applied::Older);
    assert_eq!(feed.merge(change(b"here", 15), true).expect("merge"), Applied::Newer);
    assert_eq!(feed.apply(change(b"gone", 21)).expect("apply"), Applied::Newer);
    assert!(!feed.restamp(b"here", 10, 2).expect("restamp"), "it has changed since");
    assert!(feed.restamp(b"here", 15, 2).expect("restamp"));
    let token = region.token(b"here").expect("token").expect("there");
    assert!(token.version > 21 && token.origin == 0, "{token:?}");
    assert_eq!(region.get(b"here").expect("get").expect("there").to_vec(), b"v");
}

#[test]
fn incarnations_of_one_origin_are_kept_apart_and_forgotten_one_by_one() {
    let home = home();
    let (node, region) = acked(home.path(), false);
    let feed = node.bridge_seat().expect("seat").feed(&region).expect("feed");
    let state = |epoch, position| OriginState { origin: 4, epoch, position, closed: position };
    for stored in [state(0, 0), state(11, 5), state(12, 6), state(11, 7)] {
        feed.set_origin_state(stored).expect("room");
    }
    assert_eq!(feed.origins(), [state(11, 7), state(12, 6)]);
    feed.forget_origin(4, 11).expect("no fork");
    assert_eq!(feed.origins(), [state(12, 6)]);
}
