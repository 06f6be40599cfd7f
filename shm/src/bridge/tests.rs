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
        let writer = scope.spawn(|| region.wait_applied(5, Some(deadline)));
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
