//! Operations on whole regions, which take place as a whole or not at all.

use super::oracle::encode;
use vug::{DataPolicy, Node, Region, Scope};

/// A region that is cleared and invalidated.
const WHOLE: &str = "whole";
/// A region that is made and destroyed.
const DOOMED: &str = "doomed";
/// A region that stores nothing.
const EMPTY: &str = "empty";

/// Entries from before a clear, and from after it.
const OLD: usize = 40;
const NEW: usize = 10;
/// Put behind the old ones: with it all of them are there.
const FULL: &str = "old-full";

fn put(region: &Region, key: &str) {
    region.put(key.as_bytes(), &encode(1, 100)).expect("put");
}

/// Clears, invalidates, destroys, and passes changes on.
pub(super) fn run(node: &Node) {
    let builder = node.region(WHOLE).max_bytes(1 << 20);
    let region = builder.open_or_create().expect("a region");
    for _ in 0..3 {
        (0..OLD).for_each(|n| put(&region, &format!("old-{n}")));
        put(&region, FULL);
        region.clear().expect("clear");
        (0..NEW).for_each(|n| put(&region, &format!("new-{n}")));
        region.invalidate_region().expect("invalidate");
        assert_eq!(region.len().expect("len"), NEW as u64);
        region.clear().expect("clear");
    }
    for _ in 0..3 {
        let doomed = node.region(DOOMED).max_bytes(1 << 20).open_or_create().expect("a region");
        put(&doomed, "k");
        doomed.destroy_region().expect("destroy");
    }
    let builder = node.region(EMPTY).data_policy(DataPolicy::Empty).scope(Scope::Local);
    let empty = builder.max_bytes(1 << 20).open_or_create().expect("a region");
    let mut events = empty.subscribe();
    (0..20).for_each(|n| put(&empty, &format!("k-{n}")));
    while events.poll().expect("events").is_some() {}
}

/// Whatever point a process of `run` died at, everything is whole.
///
/// # Panics
/// When it is not.
pub fn whole_or_nothing(node: &Node) {
    if let Ok(region) = node.region(WHOLE).open() {
        let keys: Vec<Vec<u8>> = region.keys().collect::<Result<_, _>>().expect("keys");
        assert_eq!(region.len().expect("len"), keys.len() as u64);
        let count = |prefix: &[u8]| keys.iter().filter(|key| key.starts_with(prefix)).count();
        let (old, new) = (count(b"old-"), count(b"new-"));
        assert!(old == 0 || new == 0, "{old} of before the clear, {new} of after it");
        let full = keys.iter().any(|key| key == FULL.as_bytes());
        assert!(!full || old == OLD + 1, "{old} are left");
        let values = region.iter().count();
        assert!(new < NEW || values == 0 || values == NEW, "{values} of {new} have a value");
        put(&region, "after");
        assert!(region.contains_key(b"after").expect("look"), "a write took place and is seen");
        region.clear().expect("clear");
        assert!(region.is_empty().expect("len"));
    }
    let doomed = node.region(DOOMED).max_bytes(1 << 20).open_or_create().expect("a region");
    put(&doomed, "k");
    doomed.destroy_region().expect("destroy");
    assert!(!node.regions().expect("names").iter().any(|name| name == DOOMED));
    if let Ok(empty) = node.region(EMPTY).open() {
        assert!(empty.is_empty().expect("len"));
        put(&empty, "k");
    }
}
