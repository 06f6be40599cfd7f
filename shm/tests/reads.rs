//! Ways to read besides `get`: many at once, pins that are listed.

use std::time::Duration;

use vug::{Node, Region};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(home: &tempfile::TempDir, bytes: u64) -> (Node, Region) {
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(bytes).create().expect("create");
    (node, region)
}

#[test]
fn pins_and_guards_are_listed_with_their_member() {
    let home = home();
    let (node, region) = region(&home, 1 << 20);
    region.put(b"key", b"value").expect("put");
    assert!(region.pins().is_empty());
    assert_eq!(region.statistics().oldest_pin, None);
    let owned = region.get_owned(b"key").expect("get").expect("there");
    let guard = region.get(b"key").expect("get").expect("there");
    let me = node.members().into_iter().find(|member| member.myself).expect("a member").id;
    let pins = region.pins();
    assert_eq!(pins.len(), 2);
    assert!(pins.iter().all(|pin| pin.member == me && pin.segment == pins[0].segment));
    let age = pins.iter().find_map(|pin| pin.age).expect("the owned guard notes its time");
    assert!(age < Duration::from_secs(3600), "{age:?}");
    assert!(pins.iter().any(|pin| pin.age.is_none()), "the guard does not");
    let statistics = region.statistics();
    assert_eq!(statistics.pins, 1);
    assert!(statistics.oldest_pin >= Some(age));
    drop((owned, guard));
    assert!(region.pins().is_empty());
}
