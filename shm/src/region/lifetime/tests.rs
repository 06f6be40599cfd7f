use std::ops::ControlFlow;
use std::time::Duration;

use super::*;
use crate::region::atomic::PutIfAbsent;
use crate::region::attributes::{DataPolicy, Scope};
use crate::{Error, Node, Swap, WriteOptions};
use tempfile::TempDir;

const SECOND: u64 = 1_000_000;

/// A region of local scope and the home that keeps it.
fn region() -> (TempDir, Region) {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
    let node = Node::open(home.path()).unwrap();
    let region = node.region("r").max_bytes(1 << 20).create().unwrap();
    (home, region)
}

fn pass(time: Duration) {
    clock::advance(micros(time));
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn has(region: &Region, key: &[u8]) -> bool {
    region.get(key).unwrap().is_some()
}

#[test]
fn an_access_is_dated_to_a_tick() {
    let now = 1_800_000_000 * SECOND;
    assert!(accessed(now, ticks(now)) <= now);
    let earlier = now - 10 * SECOND;
    let dated = accessed(now, ticks(earlier));
    assert!(dated <= earlier + (1 << TICK_SHIFT) && dated + (2 << TICK_SHIFT) >= earlier);
    // A clock that was set back.
    assert_eq!(accessed(earlier, ticks(now)), earlier);
}

#[test]
fn the_grain_is_a_second_or_a_sixteenth() {
    assert_eq!(grain(1), SECOND);
    assert_eq!(grain(160 * SECOND), 10 * SECOND);
}

#[test]
fn an_entry_lives_to_its_deadline_and_no_read_finds_it_after() {
    let (_home, region) = region();
    region.put_with(b"k", b"v", &WriteOptions::ttl(seconds(60))).unwrap();
    region.put(b"stays", b"v").unwrap();
    pass(seconds(59));
    assert!(has(&region, b"k"));
    pass(seconds(2));
    let mut value = Vec::new();
    assert!(!has(&region, b"k"));
    assert!(region.get_owned(b"k").unwrap().is_none());
    assert_eq!(region.get_into(b"k", &mut value).unwrap(), None);
    assert_eq!(region.token(b"k").unwrap(), None);
    assert!(!region.contains_key(b"k").unwrap());
    let keys: Vec<_> = region.iter().map(|entry| entry.unwrap().key).collect();
    assert_eq!(keys, [b"stays"]);
    let mut visited = 0;
    region
        .scan(|view| {
            assert_eq!(view.key, b"stays");
            visited += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(visited, 1);
    // It counts until it is swept.
    assert_eq!(region.len().unwrap(), 2);
    assert_eq!(region.sweep(usize::MAX).unwrap().expired, 1);
    assert_eq!(region.len().unwrap(), 1);
}

#[test]
fn a_guard_keeps_what_it_found_alive() {
    let (_home, region) = region();
    region.put_with(b"k", b"v", &WriteOptions::ttl(seconds(1))).unwrap();
    let guard = region.get(b"k").unwrap().unwrap();
    pass(seconds(2));
    region.sweep(usize::MAX).unwrap();
    assert_eq!(&*guard, b"v");
    assert!(!has(&region, b"k"));
}

#[test]
fn writes_take_an_expired_entry_for_absent() {
    let (_home, region) = region();
    let expired = |key: &[u8]| {
        let token = region.put_with(key, b"7", &WriteOptions::ttl(seconds(1))).unwrap().token;
        pass(seconds(2));
        token
    };
    let old = expired(b"k");
    assert_eq!(region.replace(b"k", b"x").unwrap(), None);
    assert_eq!(region.compare_and_swap(b"k", old, b"x").unwrap(), Swap::Changed(None));
    assert_eq!(region.remove_if(b"k", old).unwrap(), Swap::Changed(None));
    assert_eq!(region.remove(b"k").unwrap(), None);
    assert!(matches!(region.destroy(b"k"), Err(Error::EntryNotFound { .. })));
    let new = region.create(b"k", b"x").unwrap();
    assert!(new.created && new.token.version > old.version);
    expired(b"k");
    assert!(region.put(b"k", b"x").unwrap().created);
    expired(b"k");
    assert!(matches!(region.put_if_absent(b"k", b"x").unwrap(), PutIfAbsent::Created(_)));
    region.put_with(b"n", &5_i64.to_le_bytes(), &WriteOptions::ttl(seconds(1))).unwrap();
    pass(seconds(2));
    assert_eq!(region.increment(b"n", 1).unwrap(), 1);
}

#[test]
fn a_time_to_live_of_the_region_holds_for_what_was_there_before() {
    let (_home, region) = region();
    region.put(b"old", b"v").unwrap();
    pass(seconds(100));
    region.set_entry_ttl(Some(Expiry::destroy(seconds(10)))).unwrap();
    // What is older than the first time to live counts as written with it.
    assert!(has(&region, b"old"));
    pass(seconds(5));
    region.put(b"new", b"v").unwrap();
    pass(seconds(6));
    assert!(!has(&region, b"old") && has(&region, b"new"));
    // Shorter or longer: at once, for all.
    region.set_entry_ttl(Some(Expiry::destroy(seconds(5)))).unwrap();
    assert!(!has(&region, b"new"));
    region.set_entry_ttl(Some(Expiry::destroy(seconds(60)))).unwrap();
    assert!(has(&region, b"new") && has(&region, b"old"));
    // An entry's own deadline is not moved.
    region.put_with(b"own", b"v", &WriteOptions::ttl(seconds(20))).unwrap();
    region.set_entry_ttl(None).unwrap();
    pass(seconds(19));
    assert!(has(&region, b"own"));
    pass(seconds(2));
    assert!(!has(&region, b"own") && has(&region, b"new"));
    assert_eq!(region.attributes().entry_ttl, None);
}

#[test]
fn a_write_starts_the_time_to_live_anew() {
    let (_home, region) = region();
    region.set_entry_ttl(Some(Expiry::destroy(seconds(10)))).unwrap();
    region.put(b"k", b"1").unwrap();
    pass(seconds(8));
    region.put(b"k", b"2").unwrap();
    pass(seconds(8));
    assert!(has(&region, b"k"));
    pass(seconds(3));
    assert!(!has(&region, b"k"));
}

#[test]
fn invalidation_looks_before_the_sweep_as_after_it() {
    let (_home, region) = region();
    region.set_entry_ttl(Some(Expiry::invalidate(seconds(10)))).unwrap();
    let value = region.put(b"k", b"v").unwrap().token;
    pass(seconds(11));
    for swept in [false, true] {
        assert!(!has(&region, b"k"));
        assert!(region.contains_key(b"k").unwrap());
        assert_eq!(region.token(b"k").unwrap().unwrap().kind, Kind::Invalid);
        assert!(matches!(region.create(b"k", b"x"), Err(Error::EntryExists { .. })));
        let swap = region.compare_and_swap(b"k", value, b"x").unwrap();
        assert!(matches!(swap, Swap::Changed(Some(_))));
        assert_eq!(region.sweep(usize::MAX).unwrap().expired, u64::from(!swept));
    }
    // Invalid already: no second expiry, ever.
    pass(seconds(100));
    assert_eq!(region.sweep(usize::MAX).unwrap().expired, 0);
    assert!(!region.replace(b"k", b"x").unwrap().unwrap().created);
    assert!(has(&region, b"k"));
}

#[test]
fn reading_keeps_an_entry_from_being_idle() {
    let (_home, region) = region();
    region.set_entry_idle(Some(Expiry::destroy(seconds(32)))).unwrap();
    region.put(b"read", b"v").unwrap();
    region.put(b"asked", b"v").unwrap();
    for _ in 0..5 {
        pass(seconds(20));
        assert!(has(&region, b"read"));
        // To ask whether it is there is not to use it.
        region.contains_key(b"asked").unwrap();
    }
    assert!(!has(&region, b"asked"));
    assert_eq!(region.sweep(usize::MAX).unwrap().expired, 1);
    // Never early, and at most 2 seconds (a sixteenth) and a tick late.
    pass(seconds(32));
    assert!(has(&region, b"read"));
    pass(seconds(35));
    assert!(!has(&region, b"read"));
}

#[test]
fn an_access_is_stored_once_per_grain() {
    let (_home, region) = region();
    region.set_entry_idle(Some(Expiry::destroy(seconds(32)))).unwrap();
    region.put(b"k", b"v").unwrap();
    let access = || {
        let seen = region.mapped.inspect(b"k", false, |record, _| record.access().load(Relaxed));
        seen.unwrap().unwrap()
    };
    let written = access();
    pass(Duration::from_millis(1500));
    assert!(has(&region, b"k"));
    assert_eq!(access(), written);
    pass(seconds(1));
    assert!(has(&region, b"k"));
    assert!(access() > written);
}

#[test]
fn idle_time_counts_from_when_it_was_set() {
    let (_home, region) = region();
    region.put(b"k", b"v").unwrap();
    pass(seconds(1000));
    region.set_entry_idle(Some(Expiry::destroy(seconds(10)))).unwrap();
    pass(seconds(9));
    assert!(region.contains_key(b"k").unwrap());
    pass(seconds(5));
    assert!(!region.contains_key(b"k").unwrap());
    region.set_entry_idle(None).unwrap();
    assert!(has(&region, b"k"));
}

#[test]
fn the_earlier_of_two_decides_with_its_action() {
    let (_home, region) = region();
    region.set_entry_ttl(Some(Expiry::invalidate(seconds(100)))).unwrap();
    region.set_entry_idle(Some(Expiry::destroy(seconds(16)))).unwrap();
    region.put(b"idle", b"v").unwrap();
    region.put(b"used", b"v").unwrap();
    for _ in 0..10 {
        pass(seconds(10));
        let _ = has(&region, b"used");
    }
    assert!(!region.contains_key(b"idle").unwrap());
    pass(seconds(1));
    assert!(region.contains_key(b"used").unwrap() && !has(&region, b"used"));
}

#[test]
fn what_cannot_work_is_refused_with_reason_and_remedy() {
    let (_home, local) = region();
    let node = Node::open(_home.path()).unwrap();
    let distributed = |name: &str| {
        let builder = node.region(name).max_bytes(1 << 20).scope(Scope::DistributedNoAck);
        builder.data_policy(DataPolicy::Replicate)
    };
    let second = seconds(1);
    let local_action = Expiry { after: second, action: ExpiryAction::LocalDestroy };
    let refused = distributed("d").entry_ttl(local_action).create().unwrap_err();
    assert!(matches!(refused, Error::InvalidAttributes { .. }), "{refused}");
    let refused = distributed("d").entry_idle(Expiry::destroy(second)).create().unwrap_err();
    assert!(matches!(refused, Error::NotBuiltYet { .. }), "{refused}");
    let made = distributed("d").entry_ttl(Expiry::destroy(second)).create().unwrap();
    assert!(made.set_entry_ttl(Some(local_action)).is_err());
    assert!(made.set_entry_idle(Some(Expiry::destroy(second))).is_err());
    assert_eq!(made.attributes().entry_ttl, Some(Expiry::destroy(second)));
    assert!(local.set_entry_ttl(Some(local_action)).is_ok());
    assert!(local.set_entry_ttl(Some(Expiry::destroy(Duration::ZERO))).is_err());
    let zero = local.put_with(b"k", b"v", &WriteOptions::ttl(Duration::ZERO)).unwrap_err();
    assert!(matches!(zero, Error::NotAllowed { .. }), "{zero}");
    // For ever is fine.
    local.put_with(b"k", b"v", &WriteOptions::ttl(Duration::MAX)).unwrap();
    assert!(has(&local, b"k"));
}

#[test]
fn a_region_that_exists_keeps_its_times() {
    let (home, first) = region();
    first.set_entry_ttl(Some(Expiry::destroy(seconds(7)))).unwrap();
    let node = Node::open(home.path()).unwrap();
    let other = node.region("r").entry_ttl(Expiry::invalidate(seconds(1)));
    let other = other.open_or_create().unwrap();
    assert_eq!(other.attributes().entry_ttl, Some(Expiry::destroy(seconds(7))));
}

#[test]
fn a_distributed_entry_ages_by_its_version_and_leaves_a_tombstone() {
    let (home, _local) = region();
    let node = Node::open(home.path()).unwrap();
    node.set_origin(3).unwrap();
    let builder = node.region("d").max_bytes(1 << 20).scope(Scope::DistributedNoAck);
    let builder = builder.data_policy(DataPolicy::Replicate);
    let region = builder.entry_ttl(Expiry::destroy(seconds(10))).create().unwrap();
    let mut subscription = region.subscribe();
    let written = region.put(b"k", b"v").unwrap().token;
    pass(seconds(11));
    assert!(!has(&region, b"k"));
    assert_eq!(region.sweep(usize::MAX).unwrap().expired, 1);
    let mut events = Vec::new();
    while let Some(crate::Notice::Event(event)) = subscription.poll().unwrap() {
        events.push((event.token.kind, event.expiration, event.token.version > written.version));
    }
    assert_eq!(events, [(Kind::Value, false, false), (Kind::Tombstone, true, true)]);
    assert_eq!(region.statistics().counters.expired, 1);
    assert_eq!(region.statistics().counters.destroys, 0);
}
