//! What is counted, for whom, and who may look.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use vug::{Counters, DataPolicy, Error, MemberStatistics, Node, Region, Scope};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

/// A region of a member of its own.
fn member(home: &tempfile::TempDir) -> (Node, Region) {
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).open_or_create().expect("region");
    (node, region)
}

fn mine(node: &Node, region: &Region) -> MemberStatistics {
    let id = node.members().iter().find(|member| member.myself).expect("myself").id;
    let all = region.member_statistics();
    all.into_iter().find(|member| member.member == id).expect("listed")
}

#[test]
fn every_reason_has_a_counter_of_its_own() {
    let home = home();
    let (_node, region) = member(&home);
    region.put(b"a", b"1").expect("put");
    region.put(b"a", b"22").expect("put");
    assert!(matches!(region.create(b"a", b"3"), Err(Error::EntryExists { .. })));
    assert!(region.replace(b"b", b"3").expect("replace").is_none());
    assert!(region.remove(b"b").expect("remove").is_none());
    let old = region.token(b"a").expect("token").expect("there");
    region.compare_and_swap(b"a", old, b"4").expect("swap");
    region.compare_and_swap(b"a", old, b"5").expect("swap");
    assert!(region.get(b"a").expect("get").is_some());
    assert!(region.get(b"b").expect("get").is_none());
    region.destroy(b"a").expect("destroy");
    let counters = region.statistics().counters;
    // Looks are no reads.
    assert_eq!((counters.gets, counters.hits, counters.misses()), (2, 1, 1), "{counters:#?}");
    assert_eq!((counters.puts, counters.creates, counters.updates()), (3, 1, 2), "{counters:#?}");
    assert_eq!((counters.destroys, counters.bytes_written), (1, 2 + 3 + 2 + 1), "{counters:#?}");
    let refused = (counters.refused_present, counters.refused_absent, counters.refused_changed);
    assert_eq!(refused, (1, 2, 1), "{counters:#?}");
    let named = counters.iter().find(|(name, _)| *name == "refused_absent");
    assert_eq!(named, Some(("refused_absent", 2)));
    let nobody = Counters::default();
    assert_eq!((nobody.hit_ratio(), counters.hit_ratio()), (None, Some(0.5)));
}

/// A descriptor has a history: who takes it over does not inherit what was counted with it.
#[test]
fn members_count_for_themselves_and_the_region_for_all() {
    let home = home();
    let before = SystemTime::now();
    let (one, first) = member(&home);
    let (two, second) = member(&home);
    for n in 0..30_u32 {
        first.put(&n.to_le_bytes(), b"v").expect("put");
    }
    for n in 0..7_u32 {
        assert!(second.get(&n.to_le_bytes()).expect("get").is_some());
    }
    let (a, b) = (mine(&one, &first), mine(&two, &second));
    assert_eq!((a.counters.puts, a.counters.gets), (30, 0));
    assert_eq!((b.counters.puts, b.counters.hits), (0, 7));
    assert_eq!((a.pid, a.alive, a.threads), (Some(std::process::id()), Some(true), 1));
    assert!(a.program.starts_with("statistics"), "{}", a.program);
    assert!(a.since >= before - Duration::from_secs(1), "{:?}", a.since);
    let whole = first.statistics();
    assert_eq!((whole.counters.puts, whole.counters.hits, whole.members), (30, 7, 2));
    drop((second, two));
    let left = first.statistics();
    assert_eq!((left.counters, left.members, left.threads), (whole.counters, 1, 1));
    let (three, third) = member(&home);
    third.put(b"mine", b"v").expect("put");
    let c = mine(&three, &third).counters;
    assert_eq!((c.puts, c.creates, c.bytes_written, c.hits), (1, 1, 5, 0), "its own alone");
    assert_eq!(first.statistics().counters.puts, 31);
}

/// Threads that end give descriptors back, and others take them: no count moves.
#[test]
fn threads_come_and_go_and_nothing_is_lost() {
    const THREADS: u64 = 40;
    let home = home();
    let (node, region) = member(&home);
    let (_other_node, other) = member(&home);
    for round in 1..=3 {
        std::thread::scope(|scope| {
            let barrier = std::sync::Barrier::new(THREADS as usize);
            let (region, barrier) = (&region, std::sync::Arc::new(barrier));
            for n in 0..THREADS {
                let barrier = std::sync::Arc::clone(&barrier);
                scope.spawn(move || {
                    region.put(&n.to_le_bytes(), b"v").expect("put");
                    barrier.wait();
                });
            }
        });
        for n in 0..THREADS {
            let _ = other.get(&n.to_le_bytes()).expect("get");
        }
        // The thread-locals of a scoped thread may end after the scope.
        let deadline = Instant::now() + Duration::from_secs(60);
        while mine(&node, &region).threads as u64 > THREADS / 2 {
            assert!(Instant::now() < deadline, "descriptors come back");
            std::thread::yield_now();
        }
        assert_eq!(mine(&node, &region).counters.puts, round * THREADS);
        assert_eq!(region.statistics().counters.puts, round * THREADS);
        assert_eq!(region.statistics().counters.gets, round * THREADS);
    }
}

#[test]
fn the_slowest_subscription_is_visible_until_it_ends() {
    let home = home();
    let (node, region) = member(&home);
    let mut fast = region.subscribe();
    let slow = region.subscribe();
    assert_eq!(region.statistics().ring_lag(), 0);
    for n in 0..10_u32 {
        region.put(&n.to_le_bytes(), b"v").expect("put");
    }
    while fast.poll().expect("poll").is_some() {}
    let statistics = region.statistics();
    let oldest = statistics.oldest_consumer.expect("two are listed");
    assert_eq!((statistics.subscriptions, statistics.ring_lag(), oldest.lag), (2, 10, 10));
    assert_eq!(statistics.counters.events_delivered, 10);
    assert_eq!(mine(&node, &region).oldest_consumer, Some(oldest));
    drop(slow);
    let statistics = region.statistics();
    assert_eq!((statistics.subscriptions, statistics.ring_lag()), (1, 0));
    // More than can be listed work all the same.
    let mut many: Vec<_> = (0..100).map(|_| region.subscribe()).collect();
    assert_eq!(region.statistics().subscriptions, 64);
    region.put(b"last", b"v").expect("put");
    assert!(many.iter_mut().all(|one| one.poll().expect("poll").is_some()));
    drop(many);
    assert_eq!(region.statistics().subscriptions, 1);
    drop(fast);
    assert_eq!(region.statistics().oldest_consumer, None);
}

#[test]
fn a_subscription_that_was_lapped_says_by_how_much() {
    let home = home();
    let (_node, region) = member(&home);
    let mut subscription = region.subscribe();
    let statistics = region.statistics();
    for n in 0..statistics.ring_len + 100 {
        region.put(&(n % 50).to_le_bytes(), b"v").expect("put");
    }
    while subscription.poll().expect("poll").is_some() {}
    let counters = region.statistics().counters;
    assert!(counters.events_lapped >= 100, "{counters:#?}");
    assert!(counters.events_delivered > 0, "{counters:#?}");
}

#[test]
fn a_writer_that_waits_for_other_nodes_is_visible() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let builder = node.region("d").data_policy(DataPolicy::Replicate).scope(Scope::DistributedAck);
    let region = builder.create().expect("create");
    let position = region.put(b"a", b"1").expect("put").position;
    let until = |wanted: u32| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while region.statistics().ack_waiters != wanted {
            assert!(Instant::now() < deadline, "{:#?}", region.statistics());
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let until = Instant::now() + Duration::from_millis(400);
            let timed_out = region.wait_applied(position, Some(until));
            assert!(matches!(timed_out, Err(Error::AckTimeout { .. })));
        });
        until(1);
        let oldest = region.statistics().oldest_ack_wait.expect("one waits");
        assert_eq!(oldest.position, position);
    });
    until(0);
    let counters = region.statistics().counters;
    assert_eq!((counters.ack_waits, counters.ack_timeouts), (1, 1));
}

#[test]
fn sizes_add_up() {
    let home = home();
    let (_node, region) = member(&home);
    let empty = region.statistics();
    assert_eq!(empty.index_bytes + empty.free_bytes, empty.max_bytes, "{empty:#?}");
    assert_eq!(empty.fragmentation(), 0.0);
    for n in 0..3_000_u32 {
        region.put(&(n % 1000).to_le_bytes(), &[7; 300]).expect("put");
    }
    let full = region.statistics();
    assert!(full.largest_free_bytes <= full.free_bytes, "{full:#?}");
    assert!(full.fragmentation() > 0.2 && full.fragmentation() <= 1.0, "{full:#?}");
    assert!(full.sealed_dead_bytes <= full.dead_bytes, "{full:#?}");
    let used = full.index_bytes + full.live_bytes + full.dead_bytes + full.free_bytes;
    assert!(used <= full.max_bytes, "{full:#?}");
}

fn bytes(home: &Path) -> Vec<(std::path::PathBuf, SystemTime, Vec<u8>)> {
    let files = std::fs::read_dir(home).expect("read").map(|entry| entry.expect("entry").path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    let changed = |path: &Path| path.metadata().and_then(|found| found.modified()).expect("time");
    files.into_iter().map(|path| (path.clone(), changed(&path), read(&path))).collect()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("read")
}

#[test]
fn who_is_no_member_sees_the_same_and_writes_nothing() {
    let home = home();
    let (node, region) = member(&home);
    let mut subscription = region.subscribe();
    for n in 0..3000_u32 {
        region.put(&n.to_le_bytes(), b"value").expect("put");
    }
    assert!(subscription.poll().expect("poll").is_some());
    let pinned = region.get_owned(&1_u32.to_le_bytes()).expect("get").expect("there");
    let (known, expected) = (region.statistics(), region.member_statistics());
    let before = bytes(home.path());
    let watcher = Node::open_read_only(home.path()).expect("open");
    let watched = watcher.region("r").expect("open");
    let seen = watched.statistics().expect("statistics");
    let glance = watched.statistics_at_a_glance().expect("statistics");
    let members = watched.member_statistics();
    assert_eq!((watcher.id(), watcher.origin()), (Some(node.id()), 0));
    assert_eq!(watcher.bridge_pid(), None);
    assert!(before == bytes(home.path()), "nothing was written");
    assert_eq!((seen.counters, seen.entries), (known.counters, 3000));
    assert_eq!((glance.entries, seen.pins, seen.ring_lag()), (3000, 1, known.ring_lag()));
    assert_eq!((members.len(), expected.len()), (1, 1));
    assert_eq!((members[0].counters, members[0].pid), (expected[0].counters, expected[0].pid));
    assert_eq!((&members[0].program, members[0].alive), (&expected[0].program, Some(true)));
    assert_eq!(watcher.members().len(), 1, "it is not one itself");
    assert!(!watcher.members()[0].myself);
    drop((pinned, region, subscription));
    assert_eq!(watched.member_statistics().len(), 0);
    assert_eq!(watched.statistics().expect("statistics").counters.puts, 3000);
}

/// What reads do not see any more, and other nodes have to hear of, is counted by itself.
#[test]
fn tombstones_are_no_entries() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let counted = |region: &Region| {
        let reader = Node::open_read_only(home.path()).expect("open");
        let reader = reader.region(region.name()).expect("open");
        let statistics = region.statistics();
        for other in [reader.statistics(), reader.statistics_at_a_glance()] {
            let other = other.expect("statistics");
            assert_eq!(
                (other.entries, other.tombstones),
                (statistics.entries, statistics.tombstones)
            );
        }
        (statistics.entries, statistics.tombstones)
    };
    let builder = node.region("shared").max_bytes(4 << 20).data_policy(DataPolicy::Replicate);
    let shared = builder.scope(Scope::DistributedNoAck).create().expect("create");
    let local = node.region("local").max_bytes(4 << 20).create().expect("create");
    for region in [&shared, &local] {
        for key in [b"a", b"b", b"c"] {
            region.put(key, b"value").expect("put");
        }
        assert_eq!(counted(region), (3, 0));
        region.destroy(b"a").expect("destroy");
        region.invalidate(b"b").expect("invalidate");
    }
    assert_eq!(counted(&shared), (2, 1));
    assert_eq!(counted(&local), (2, 0), "nobody has to hear of it");
    shared.put(b"a", b"again").expect("put");
    assert_eq!(counted(&shared), (3, 0));
}
