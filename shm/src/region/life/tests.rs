use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Node;
use crate::error::{Error, Result};
use crate::region::Region;

fn home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a home")
}

fn node(home: &TempDir) -> Node {
    Node::open(home.path()).expect("a node")
}

/// Some operation of each way into the region.
fn operations(region: &Region) -> Vec<Result<()>> {
    let mut events = region.subscribe();
    let deadline = Some(Instant::now() + Duration::from_secs(60));
    vec![
        region.get(b"k").map(|_| ()),
        region.get_owned(b"k").map(|_| ()),
        region.get_into(b"k", &mut Vec::new()).map(|_| ()),
        region.get_all(&[b"k"]).map(|_| ()),
        region.entry(b"k").map(|_| ()),
        region.handle(b"k").map(|_| ()),
        region.put(b"k", b"v").map(|_| ()),
        region.create(b"other", b"v").map(|_| ()),
        region.remove(b"k").map(|_| ()),
        region.increment(b"n", 1).map(|_| ()),
        region.put_all(&[("k", "v")]).map(|_| ()),
        region.len().map(|_| ()),
        region.iter().next().unwrap_or(Err(Error::ForkedChild)).map(|_| ()),
        region.keys().next().unwrap_or(Err(Error::ForkedChild)).map(|_| ()),
        region.scan(|_| std::ops::ControlFlow::Continue(())),
        region.set_entry_ttl(None),
        region.set_max_entries(1),
        region.clear(),
        region.invalidate_region(),
        region.destroy_region(),
        region.close(),
        region.wait_for_change(b"k", None, deadline).map(|_| ()),
        region.wait_for_region_change(u64::MAX, deadline).map(|_| ()),
        // First what happened before the end.
        loop {
            match events.wait(deadline) {
                Ok(Some(_)) => {}
                other => break other.map(|_| ()),
            }
        },
    ]
}

#[test]
fn every_member_learns_that_the_region_was_destroyed() {
    let home = home();
    let (mine, theirs) = (node(&home), node(&home));
    let region = mine.region("r").create().expect("a region");
    let other = theirs.region("r").open().expect("the region");
    region.put(b"k", b"v").expect("put");
    let reader = Node::open_read_only(home.path()).expect("a node");
    let reader = reader.region("r").expect("the region");
    let guard = other.get_owned(b"k").expect("get").expect("there");
    let handle = other.handle(b"k").expect("there");
    region.destroy_region().expect("it lives");
    assert!(!region.path().exists() && mine.regions().expect("names").is_empty());
    for (number, result) in operations(&other).into_iter().enumerate() {
        assert!(matches!(result, Err(Error::RegionDestroyed { .. })), "{number}: {result:?}");
    }
    assert!(matches!(handle.token(), Err(Error::RegionDestroyed { .. })));
    assert_eq!(&*guard, b"v", "what was lent stays");
    assert!(matches!(reader.get(b"k"), Err(Error::RegionDestroyed { .. })));
    assert!(matches!(reader.len(), Err(Error::RegionDestroyed { .. })));
    assert!(matches!(region.destroy_region(), Err(Error::RegionDestroyed { .. })));
    assert!(matches!(theirs.region("r").open(), Err(Error::RegionNotFound { .. })));
    let anew = theirs.region("r").create().expect("the name is free");
    assert!(anew.is_empty().expect("len"));
    let same = mine.region("r").open().expect("the new one");
    anew.put(b"k", b"new").expect("put");
    assert_eq!(same.get(b"k").expect("get").as_deref(), Some(&b"new"[..]));
    assert!(matches!(region.get(b"k"), Err(Error::RegionDestroyed { .. })));
}

#[test]
fn who_waits_is_woken_by_the_end() {
    let home = home();
    let node = node(&home);
    let region = node.region("r").create().expect("a region");
    let waiters: Vec<_> = (0..3)
        .map(|how| {
            let region = region.clone();
            std::thread::spawn(move || match how {
                0 => region.wait_for_change(b"k", None, None).map(|_| ()),
                1 => region
                    .subscribe()
                    .wait(None)
                    .and_then(|_| region.subscribe().wait(None))
                    .map(|_| ()),
                _ => region.wait_for_region_change(u64::MAX, None).map(|_| ()),
            })
        })
        .collect();
    region.local_destroy_region().expect("it lives");
    for waiter in waiters {
        let ended = waiter.join().expect("no panic");
        assert!(matches!(ended, Err(Error::RegionDestroyed { .. })), "{ended:?}");
    }
}

#[test]
fn closing_ends_it_for_this_process_only() {
    let home = home();
    let (mine, theirs) = (node(&home), node(&home));
    let region = mine.region("r").create().expect("a region");
    let clone = mine.region("r").open().expect("the same");
    let other = theirs.region("r").open().expect("the region");
    region.put(b"k", b"v").expect("put");
    region.close().expect("it is open");
    for (number, result) in operations(&clone).into_iter().enumerate() {
        assert!(matches!(result, Err(Error::RegionClosed { .. })), "{number}: {result:?}");
    }
    assert_eq!(other.get(b"k").expect("get").as_deref(), Some(&b"v"[..]));
    let again = mine.region("r").open().expect("it exists");
    assert_eq!(again.get(b"k").expect("get").as_deref(), Some(&b"v"[..]));
    assert!(matches!(region.get(b"k"), Err(Error::RegionClosed { .. })));
}

#[test]
fn of_all_who_destroy_one_wins() {
    let home = home();
    let node = node(&home);
    for _ in 0..20 {
        let regions: Vec<Region> = (0..4)
            .map(|_| self::node(&home).region("r").open_or_create().expect("a region"))
            .collect();
        let racers: Vec<_> =
            regions.into_iter().map(|r| std::thread::spawn(move || r.destroy_region())).collect();
        let results: Vec<_> = racers.into_iter().map(|r| r.join().expect("no panic")).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let lost = |result: &Result<()>| matches!(result, Err(Error::RegionDestroyed { .. }));
        assert_eq!(results.iter().filter(|result| lost(result)).count(), 3, "{results:?}");
        assert!(node.regions().expect("names").is_empty());
    }
}

#[test]
fn a_destroyed_region_whose_name_stayed_is_not_there() {
    use super::DESTROYED;
    use crate::sync::SeqCst;
    let home = home();
    let node = node(&home);
    for attempt in 0..3 {
        let region = node.region("r").create().expect("the name is free");
        region.mapped.words().table.fetch_or(DESTROYED, SeqCst);
        match attempt {
            0 => drop(node.region("r").create().expect("it is not there")),
            1 => {
                let missing = node.region("r").open();
                assert!(matches!(missing, Err(Error::RegionNotFound { .. })), "{missing:?}");
                continue;
            }
            _ => drop(node.region("r").open_or_create().expect("it is not there")),
        }
        assert!(matches!(region.get(b"k"), Err(Error::RegionDestroyed { .. })));
        node.remove_region("r").expect("the new one");
    }
}
