//! How far behind a subscription may be, and that it costs nobody anything.

use crate::{Error, Node, Notice, Region, Subscription};

fn home() -> (tempfile::TempDir, Node) {
    let home =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory");
    let node = Node::open(home.path()).expect("open");
    (home, node)
}

fn region(node: &Node) -> Region {
    node.region("r").max_bytes(16 << 20).segment_bytes(1 << 16).create().expect("create")
}

/// Updates 16 keys in turn, `count` times.
fn update(region: &Region, count: u64) {
    for n in 0..count {
        region.put(&(n % 16).to_le_bytes(), &[7; 100]).expect("put");
    }
}

/// Events until nothing is left, and those that are missed.
fn read(subscription: &mut Subscription) -> (u64, u64) {
    let (mut told, mut missed) = (0, 0);
    while let Some(notice) = subscription.poll().expect("poll") {
        match notice {
            Notice::Event(_) => told += 1,
            Notice::Lapped { from, to } => missed += to - from,
            Notice::InSync { .. } => panic!("not asked for"),
        }
    }
    (told, missed)
}

/// Few keys, so that all segments but the youngest are dead: the ring is the only limit.
#[test]
fn a_subscription_may_be_behind_by_the_whole_ring() {
    let (_home, node) = home();
    let region = region(&node);
    let mut subscription = region.subscribe();
    let ring = region.statistics().ring_len;
    update(&region, ring);
    assert_eq!(read(&mut subscription), (ring, 0));
    // Memory that nobody has still to read is used again.
    let backed = region.statistics().backed_bytes;
    for _ in 0..20 {
        update(&region, ring);
        assert_eq!(read(&mut subscription), (ring, 0));
    }
    assert!(region.statistics().backed_bytes <= backed + (1 << 20));
}

/// One that nobody reads costs as many records as the ring has cells, not all memory.
#[test]
fn a_subscription_that_is_lapped_keeps_nothing() {
    let (_home, node) = home();
    let region = region(&node);
    update(&region, 100);
    let mut subscription = region.subscribe();
    let ring = region.statistics().ring_len;
    update(&region, 40 * ring);
    let backed = region.statistics().backed_bytes;
    assert!(backed < 4 << 20, "{backed}");
    let (told, missed) = read(&mut subscription);
    assert_eq!(told + missed, 40 * ring);
}

/// A listener's unread memory goes before anything is refused or evicted, the oldest first.
#[test]
fn what_is_unread_goes_before_a_write_fails() {
    let (_home, node) = home();
    let region = node.region("r").max_bytes(1 << 20).segment_bytes(1 << 16).create();
    let region = region.expect("create");
    // Most of the memory lives.
    let mut filled = 0_u64;
    while region.statistics().free_bytes > 600 << 10 {
        region.put(&(1 << 32 | filled).to_le_bytes(), &[1; 1000]).expect("room");
        filled += 1;
    }
    let mut subscription = region.subscribe();
    update(&region, 20_000);
    assert_eq!(region.len().expect("len"), filled + 16);
    let (told, missed) = read(&mut subscription);
    assert_eq!(told + missed, 20_000);
    assert!(told > 500, "the youngest are there: {told}");
    assert!(missed > 10_000, "memory is bounded: {missed}");
    assert_eq!(region.statistics().counters.out_of_space, 0);
    // Nor does it stand in the way of a value that needs several segments side by side.
    update(&region, 1000);
    match region.put(b"large", &vec![2; 100 << 10]) {
        Ok(_) => {}
        Err(Error::OutOfSpace { .. }) => panic!("{:#?}", region.statistics()),
        Err(other) => panic!("{other}"),
    }
}

/// Giving memory back is asked for by somebody who needs it: nothing is kept then but the reserve.
#[test]
fn released_memory_is_not_kept_for_subscriptions() {
    let (_home, node) = home();
    let region = region(&node);
    let mut subscription = region.subscribe();
    let ring = region.statistics().ring_len;
    update(&region, ring);
    let unread = region.mapped.unread();
    assert!(unread.len() > 4, "{unread:?}");
    let context = region.mapped.context().expect("context");
    assert_eq!(region.mapped.reclaim_read(&context, false).expect("reclaim"), 0);
    let given = unread.len() as u64 - u64::from(region.mapped.log.reserve());
    assert!(region.release_memory().expect("release") >= given * (1 << 16));
    assert!(region.mapped.unread().is_empty());
    let (told, missed) = read(&mut subscription);
    assert!(told > 0 && told + missed == ring);
}
