use std::time::Duration;

use tempfile::TempDir;

use crate::Node;
use crate::error::Error;
use crate::region::attributes::{DataPolicy, Scope};
use crate::region::events::Notice;
use crate::region::expiry::Expiry;
use crate::region::{Kind, Region};

fn home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a home")
}

fn region(home: &TempDir, policy: DataPolicy) -> Region {
    let node = Node::open(home.path()).expect("a node");
    let builder = node.region("r").data_policy(policy).scope(Scope::Local).max_bytes(4 << 20);
    builder.create().expect("a region")
}

/// The kinds of all events that are there.
fn kinds(events: &mut crate::Subscription) -> Vec<Kind> {
    std::iter::from_fn(|| events.poll().expect("events"))
        .map(|notice| match notice {
            Notice::Event(event) => event.token.kind,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn an_invalid_entry_is_present_without_a_value() {
    for policy in [DataPolicy::Normal, DataPolicy::Preloaded, DataPolicy::Replicate] {
        let home = home();
        let region = region(&home, policy);
        assert!(region.create_invalid(b"k").expect("created").created);
        assert!(region.contains_key(b"k").expect("look"));
        assert!(!region.contains_value_for_key(b"k").expect("look"));
        assert!(region.get(b"k").expect("get").is_none());
        assert_eq!(region.entry(b"k").expect("look").expect("there").value, None);
        for exists in [region.create(b"k", b"v"), region.create_invalid(b"k")] {
            assert!(matches!(exists, Err(Error::EntryExists { .. })), "{exists:?}");
        }
        assert_eq!(region.len().expect("len"), 1);
        assert_eq!(region.iter().count(), 0);
        let keys: Vec<_> = region.keys().collect::<Result<_, _>>().expect("keys");
        assert_eq!(keys, [b"k"]);
        assert!(!region.put(b"k", b"v").expect("put").created, "the key was there");
        assert!(region.contains_value_for_key(b"k").expect("look"));
    }
}

#[test]
fn invalidating_twice_does_nothing_the_second_time() {
    let home = home();
    let region = region(&home, DataPolicy::Normal);
    let mut events = region.subscribe();
    let absent = region.invalidate(b"k");
    assert!(matches!(absent, Err(Error::EntryNotFound { .. })), "{absent:?}");
    region.put(b"k", b"v").expect("put");
    let first = region.invalidate(b"k").expect("present").expect("it had a value");
    assert_eq!((first.token.kind, first.created), (Kind::Invalid, false));
    let (token, count) =
        (region.token(b"k").expect("look"), region.statistics().counters.invalidates);
    assert_eq!(region.invalidate(b"k").expect("present"), None);
    assert_eq!(region.local_invalidate(b"k").expect("present"), None);
    assert_eq!(region.token(b"k").expect("look"), token, "nothing was written");
    assert_eq!(region.statistics().counters.invalidates, count);
    assert_eq!(kinds(&mut events), [Kind::Value, Kind::Invalid]);
}

#[test]
fn local_forms_take_the_entry_from_every_process_of_the_node() {
    let home = home();
    let region = region(&home, DataPolicy::Replicate);
    let other = Node::open(home.path()).expect("a node");
    let other = other.region("r").open().expect("the region");
    region.put(b"k", b"v").expect("put");
    let outcome = other.local_invalidate(b"k").expect("present").expect("it had a value");
    assert_eq!(outcome.token.kind, Kind::LocalInvalid);
    assert!(region.get(b"k").expect("get").is_none());
    other.local_destroy(b"k").expect("present");
    assert!(!region.contains_key(b"k").expect("look"));
    let missing = [region.local_destroy(b"k").err(), region.local_invalidate(b"k").err()];
    assert!(missing.iter().all(|error| matches!(error, Some(Error::EntryNotFound { .. }))));
}

#[test]
fn a_distributed_replicate_refuses_the_local_forms() {
    let home = home();
    let node = Node::open(home.path()).expect("a node");
    let region = node.region("r").data_policy(DataPolicy::Replicate).create().expect("a region");
    assert_eq!(region.attributes().scope, Scope::DistributedAck, "that of the shortcut");
    region.put(b"k", b"v").expect("put");
    for refused in [
        region.local_destroy(b"k").err(),
        region.local_invalidate(b"k").err(),
        region.local_invalidate(b"missing").err(),
        region.local_clear().err(),
        region.local_invalidate_region().err(),
    ] {
        assert!(matches!(refused, Some(Error::NotAllowed { .. })), "{refused:?}");
    }
    assert_eq!(region.get(b"k").expect("get").as_deref(), Some(&b"v"[..]));
    assert_eq!(region.invalidate(b"k").expect("present").map(|o| o.created), Some(false));
}

#[test]
fn swapping_returns_what_was_there() {
    let home = home();
    let region = region(&home, DataPolicy::Normal);
    let (first, none) = region.swap_value(b"k", b"1").expect("put");
    assert!(first.created && none.is_none());
    let (second, old) = region.swap_value(b"k", b"2").expect("put");
    assert!(!second.created && second.token.version > first.token.version);
    assert_eq!(old.as_deref(), Some(&b"1"[..]));
    region.invalidate(b"k").expect("present");
    assert_eq!(region.swap_value(b"k", b"3").expect("put").1, None);
}

#[test]
fn an_entry_tells_when_it_was_written_and_expires() {
    let home = home();
    let region = region(&home, DataPolicy::Normal);
    region.put(b"k", b"v").expect("put");
    let info = region.entry(b"k").expect("look").expect("there");
    assert_eq!((info.value.as_deref(), info.expires), (Some(&b"v"[..]), None));
    let hour = Duration::from_secs(3600);
    region.set_entry_ttl(Some(Expiry::destroy(hour))).expect("set");
    region.put(b"k", b"v").expect("put");
    let info = region.entry(b"k").expect("look").expect("there");
    let written = info.modified.expect("versions are times now");
    let left = info.expires.expect("it expires").duration_since(written).expect("later");
    assert_eq!(left, hour);
    assert_eq!(region.entry(b"missing").expect("look"), None);
}

#[test]
fn an_empty_region_stores_nothing_and_announces_everything() {
    let home = home();
    let region = region(&home, DataPolicy::Empty);
    region.put(b"k", b"before anybody listens").expect("put");
    let mut events = region.subscribe();
    for _ in 0..2 {
        assert!(region.put(b"k", b"v").expect("put").created);
        assert!(region.create(b"k", b"w").expect("never there").created);
    }
    region.create_invalid(b"k").expect("never there");
    assert!(region.invalidate(b"k").expect("announced").is_some());
    region.destroy(b"k").expect("announced");
    assert!(region.remove(b"k").expect("announced").is_some());
    assert_eq!(region.len().expect("len"), 0);
    assert!(region.get(b"k").expect("get").is_none());
    assert!(!region.contains_key(b"k").expect("look"));
    assert_eq!(region.iter().count() + region.keys().count(), 0);
    for missing in [region.local_destroy(b"k").err(), region.local_invalidate(b"k").err()] {
        assert!(matches!(missing, Some(Error::EntryNotFound { .. })), "{missing:?}");
    }
    for refused in [region.replace(b"k", b"v").err(), region.increment(b"k", 1).err()] {
        assert!(matches!(refused, Some(Error::NotAllowed { .. })), "{refused:?}");
    }
    use Kind::{Invalid, Tombstone, Value};
    let all = [Value, Value, Value, Value, Invalid, Invalid, Tombstone, Tombstone];
    assert_eq!(kinds(&mut events), all);
}

#[test]
fn an_empty_region_never_fills() {
    let home = home();
    let region = region(&home, DataPolicy::Empty);
    let mut events = region.subscribe();
    let value = vec![7; 10_000];
    for n in 0..2_000_u32 {
        region.put(&n.to_le_bytes(), &value).expect("put");
    }
    let mut last = 0;
    while let Some(notice) = events.poll().expect("events") {
        if let Notice::Event(event) = notice {
            assert!(event.token.version > last);
            last = event.token.version;
            assert_eq!(event.value.as_deref(), Some(&value[..]));
        }
    }
    assert!(last > 0);
}
