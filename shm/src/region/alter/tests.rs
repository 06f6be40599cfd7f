use crate::Node;
use crate::error::Error;
use crate::region::attributes::Eviction;

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a home")
}

#[test]
fn a_lower_bound_holds_for_every_member() {
    let home = home();
    let (node, other) =
        (Node::open(home.path()).expect("a node"), Node::open(home.path()).expect("a node"));
    let builder = node.region("r").eviction(Eviction::S3Fifo).max_entries(100);
    let region = builder.create().expect("a region");
    let seen = other.region("r").open().expect("the region");
    for n in 0..100_u32 {
        region.put(&n.to_le_bytes(), b"v").expect("put");
    }
    region.set_max_entries(10).expect("a lower bound");
    assert_eq!(seen.attributes().max_entries, 10);
    seen.put(b"one more", b"v").expect("put");
    assert!(seen.len().expect("len") <= 10);
    seen.set_max_entries(50).expect("a higher bound");
    for n in 0..100_u32 {
        region.put(&n.to_le_bytes(), b"v").expect("put");
    }
    assert!((11..=50).contains(&region.len().expect("len")));
}

#[test]
fn what_cannot_be_changed_is_refused() {
    let home = home();
    let node = Node::open(home.path()).expect("a node");
    let plain = node.region("plain").create().expect("a region");
    let unbounded = node.region("unbounded").eviction(Eviction::S3Fifo).create().expect("a region");
    let bounded = node.region("bounded").eviction(Eviction::S3Fifo).max_entries(5);
    let bounded = bounded.create().expect("a region");
    for refused in
        [plain.set_max_entries(5), unbounded.set_max_entries(5), bounded.set_max_entries(0)]
    {
        assert!(matches!(refused, Err(Error::InvalidAttributes { .. })), "{refused:?}");
    }
    assert_eq!(bounded.attributes().max_entries, 5);
}

/// So much lower that the count of entries is doubted first.
#[test]
fn a_bound_can_be_lowered_by_much() {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("home");
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(8 << 20).eviction(Eviction::S3Fifo);
    let region = region.max_entries(10_000).create().expect("create");
    for n in 0..10_000u32 {
        region.put(&n.to_le_bytes(), b"value").expect("put");
    }
    region.set_max_entries(100).expect("a lower bound");
    region.put(b"one more", b"value").expect("put");
    assert!(region.len().expect("len") <= 100);
}
