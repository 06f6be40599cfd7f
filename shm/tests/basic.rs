//! The operations of a region in one process.

use std::ops::ControlFlow;

use vug::{Error, Kind, Node, Notice, Swap};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

#[test]
fn entries_come_and_go() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    assert!(region.get(b"a").expect("get").is_none());
    let first = region.put(b"a", b"one").expect("put");
    assert!(first.created);
    assert_eq!(&*region.get(b"a").expect("get").expect("there"), b"one");
    let second = region.put(b"a", b"two").expect("put");
    assert!(!second.created && second.token > first.token);
    assert!(matches!(region.create(b"a", b"x"), Err(Error::EntryExists { .. })));
    assert_eq!(region.replace(b"b", b"x").expect("replace"), None);
    assert_eq!(
        region.compare_and_swap(b"a", first.token, b"x").expect("swap"),
        Swap::Changed(Some(second.token))
    );
    let Swap::Swapped(third) = region.compare_and_swap(b"a", second.token, b"three").expect("swap")
    else {
        panic!("the token is current")
    };
    assert_eq!(region.len().expect("len"), 1);
    let gone = region.destroy(b"a").expect("destroy");
    assert_eq!(gone.token.kind, Kind::Tombstone);
    assert!(gone.token.version > third.token.version);
    assert!(region.get(b"a").expect("get").is_none());
    assert!(matches!(region.destroy(b"a"), Err(Error::EntryNotFound { .. })));
    assert_eq!(region.remove(b"a").expect("remove"), None);
    assert!(region.is_empty().expect("len"));
    let again = region.create(b"a", b"four").expect("create");
    assert!(again.token.version > gone.token.version, "versions never go back");
}

#[test]
fn many_entries_fill_overflow_buckets_and_are_all_found() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).create().expect("create");
    let count = 20_000_u32;
    for n in 0..count {
        region.put(&n.to_le_bytes(), &(u64::from(n) * 3).to_le_bytes()).expect("put");
    }
    for n in 0..count {
        let value = region.get(&n.to_le_bytes()).expect("get").expect("there");
        assert_eq!(*value, (u64::from(n) * 3).to_le_bytes());
    }
    assert_eq!(region.len().expect("len"), u64::from(count));
    let mut seen = 0;
    region
        .scan(|_| {
            seen += 1;
            ControlFlow::Continue(())
        })
        .expect("scan");
    assert_eq!(seen, count);
    assert_eq!(region.iter().filter(|entry| entry.is_ok()).count(), count as usize);
}

#[test]
fn a_scan_in_parts_sees_what_is_there_all_the_time() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).create().expect("create");
    for n in 0..2_000_u32 {
        region.put(&n.to_le_bytes(), b"value").expect("put");
    }
    region.create_invalid(b"invalid").expect("create");
    let (mut seen, mut next, mut parts) = (std::collections::BTreeSet::new(), Some(0), 0_u32);
    while let Some(cursor) = next {
        next = region
            .scan_part(cursor, |entry| {
                let valid = entry.token.kind == Kind::Value;
                assert_eq!(entry.value, if valid { &b"value"[..] } else { b"" });
                seen.insert(entry.key.to_vec());
            })
            .expect("scan");
        parts += 1;
        // The index grows meanwhile.
        for n in 0..40 {
            let key = [parts.to_le_bytes(), u32::to_le_bytes(n)].concat();
            region.put(&key, b"value").expect("put");
        }
    }
    assert!(parts > 1 && seen.contains(&b"invalid"[..]));
    assert!((0..2_000_u32).all(|n| seen.contains(&n.to_le_bytes()[..])));
}

#[test]
fn overwriting_reuses_memory() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    let value = [7; 1000];
    for n in 0..20_000_u32 {
        region.put(&(n % 50).to_le_bytes(), &value).expect("20 MB go through 1 MiB");
    }
    assert_eq!(region.len().expect("len"), 50);
}

#[test]
fn a_full_region_says_so_and_loses_nothing() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    let mut stored = 0_u32;
    let error = loop {
        match region.create(&stored.to_le_bytes(), &[stored as u8; 900]) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::OutOfSpace { .. }), "{error}");
    for n in 0..stored {
        let value = region.get(&n.to_le_bytes()).expect("get").expect("there");
        assert_eq!(*value, [n as u8; 900]);
    }
    for n in 0..stored / 2 {
        region.destroy(&n.to_le_bytes()).expect("room for a tombstone record comes back");
    }
}

#[test]
fn guards_keep_their_value() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).create().expect("create");
    let mut held = Vec::new();
    let mut owned = Vec::new();
    for n in 0..20_u8 {
        region.put(b"k", &[n; 3000]).expect("put");
        held.push((n, region.get(b"k").expect("get").expect("there")));
        owned.push((n, region.get_owned(b"k").expect("get").expect("there")));
        for m in 0..100 {
            region.put(b"other", &[m; 3000]).expect("put");
        }
    }
    for (n, guard) in &held {
        assert!(guard.iter().all(|byte| byte == n));
    }
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (n, guard) in owned {
                assert!(guard.iter().all(|&byte| byte == n));
            }
        });
    });
}

#[test]
fn threads_hammer_one_region() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).create().expect("create");
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let region = &region;
            scope.spawn(move || {
                let mut random = thread * 7919 + 1;
                for round in 0..100_000_u64 {
                    random =
                        random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let key = ((random >> 33) % 64).to_le_bytes();
                    match random >> 60 {
                        0..6 => {
                            let fill = [(round % 251) as u8; 200];
                            region.put(&key, &fill).expect("put");
                        }
                        6..8 => drop(region.remove(&key).expect("remove")),
                        _ => {
                            if let Some(value) = region.get(&key).expect("get") {
                                assert_eq!(value.len(), 200);
                                assert!(value.iter().all(|byte| *byte == value[0]), "torn");
                            }
                        }
                    }
                }
            });
        }
    });
    let by_iteration = region.iter().count() as u64;
    assert_eq!(region.len().expect("len"), by_iteration);
}

#[test]
fn a_subscription_sees_changes_in_order() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    region.put(b"before", b"0").expect("put");
    let mut events = region.subscribe();
    region.put(b"a", b"1").expect("put");
    region.destroy(b"a").expect("destroy");
    let Some(Notice::Event(put)) = events.poll().expect("poll") else { panic!("no event") };
    assert_eq!((put.key.as_slice(), put.value.as_deref()), (&b"a"[..], Some(&b"1"[..])));
    let Some(Notice::Event(gone)) = events.poll().expect("poll") else { panic!("no event") };
    assert_eq!((gone.value, gone.token.kind), (None, Kind::Tombstone));
    assert_eq!(events.poll().expect("poll"), None);
    let waiter = std::thread::spawn(move || events.wait(None).expect("wait"));
    region.put(b"b", b"2").expect("put");
    assert!(matches!(waiter.join().expect("no panic"), Some(Notice::Event(_))));
}
