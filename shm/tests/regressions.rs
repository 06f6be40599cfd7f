//! Mistakes that were made once and that nobody shall make again.

use std::ops::ControlFlow;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vug::bridge::{Announced, Applied, Change, Drained, OriginState};
use vug::{DataPolicy, Error, Kind, Node, Notice, Region, RegionState, Scope};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn local(node: &Node) -> Region {
    node.region("r").max_bytes(1 << 20).create().expect("create")
}

fn distributed(node: &Node) -> Region {
    node.region("r")
        .scope(Scope::DistributedNoAck)
        .data_policy(DataPolicy::Replicate)
        .max_bytes(1 << 20)
        .create()
        .expect("create")
}

/// A process that leaves opens its segments for adoption. Segments with little room are adopted by
/// nobody with large values, and were never given back, because reclaiming looked at sealed ones
/// only: short-lived processes filled a region with dead bytes. An open segment that is all dead
/// is sealed first.
#[test]
fn dead_segments_of_processes_that_left_are_reused() {
    let home = home();
    let keep = Node::open(home.path()).expect("open");
    let kept = local(&keep);
    for n in 0..100 {
        let node = Node::open(home.path()).expect("open");
        let region = node.region("r").open().expect("open");
        for _ in 0..2 {
            if let Err(error) = region.put(b"k", &[n; 30_000]) {
                panic!("round {n}: {error}; {:?}", kept.statistics());
            }
        }
    }
}

/// Fills the region, and then destroys one entry and fills up again, over and over, so that records
/// of destroys would be spread over all segments.
fn destroy_and_refill(region: &Region) -> u32 {
    let mut next = 0_u32;
    let mut destroyed = 0;
    for oldest in (0..).step_by(7) {
        loop {
            match region.create(&next.to_le_bytes(), &[1; 200]) {
                Ok(_) => next += 1,
                Err(Error::OutOfSpace { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        if oldest >= next {
            break;
        }
        if let Err(error) = region.destroy(&u32::to_le_bytes(oldest)) {
            panic!("destroy {destroyed}: {error}; {:?}", region.statistics());
        }
        destroyed += 1;
    }
    destroyed
}

/// Destroying makes room, so it must not need any: when each destroy took memory for a record, a
/// reserve of one segment was used up by interleaved destroys and the region was full for good. In
/// a local region that nobody listens to, a destroy is one CAS and no record.
#[test]
fn a_full_region_takes_any_number_of_destroys() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    assert!(destroy_and_refill(&local(&node)) > 100);
}

/// The same while somebody listens: if there is no room for the record of the event, the listener
/// is told to look at the region again. It never misses a destroy without being told.
#[test]
fn a_full_region_takes_destroys_while_somebody_listens() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = local(&node);
    let mut next = 0_u32;
    while region.create(&next.to_le_bytes(), &[1; 200]).is_ok() {
        next += 1;
    }
    let mut events = region.subscribe();
    for n in 0..next {
        region.destroy(&n.to_le_bytes()).expect("destroy");
        match events.poll().expect("poll") {
            Some(Notice::Event(event)) => {
                assert_eq!(
                    (event.token.kind, &event.key[..]),
                    (Kind::Tombstone, &n.to_le_bytes()[..])
                );
            }
            Some(other) => assert!(matches!(other, Notice::Lapped { .. })),
            None => panic!("nobody told of destroy {n}"),
        }
    }
    assert!(region.is_empty().expect("len"));
}

/// In a distributed region a destroy needs a record, since the tombstone stays; a segment is kept
/// for that. When all writes shared it once it was taken, the first destroy gave it away to values.
#[test]
fn values_do_not_use_up_what_is_kept_for_tombstones() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = distributed(&node);
    let mut next = 0_u32;
    while region.create(&next.to_le_bytes(), &[1; 2000]).is_ok() {
        next += 1;
    }
    let filled = next;
    for n in (0..filled).step_by(2) {
        if let Err(error) = region.destroy(&n.to_le_bytes()) {
            panic!("destroy {n} of {filled}: {error}; {:?}", region.statistics());
        }
        // Every other value stays, so hardly any segment becomes free for these.
        while region.put(&next.to_le_bytes(), &[2; 2000]).is_ok() {
            next += 1;
        }
    }
}

/// A forked child has the parent's membership in its memory but is not that member: rows that it
/// claimed would be the parent's, and nobody would ever free them. Opening a region in it is
/// refused; the parent and others go on.
#[test]
fn a_forked_child_cannot_attach() {
    const ROWS: usize = 64;
    let home = home();
    let node = Node::open(home.path()).expect("open");
    local(&node);
    refused_in_a_child(|| {
        let refused =
            (0..ROWS + 1).all(|_| matches!(node.region("r").open(), Err(Error::ForkedChild)));
        let created =
            matches!(node.region("s").max_bytes(1 << 20).create(), Err(Error::ForkedChild));
        refused && created
    });
    let other = Node::open(home.path()).expect("open");
    other.region("r").open().expect("a row is free");
}

/// A child that is forked from a bridge is none: whatever it would do in the place of its parent is
/// refused, and the parent's words stay as they were.
#[test]
fn a_forked_child_is_no_bridge() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = distributed(&node);
    let seat = node.bridge_seat().expect("seat");
    let feed = seat.feed(&region).expect("feed");
    feed.publish(3, 2, 1).expect("publish");
    region.put(b"k", b"v").expect("put");
    seat.arm().expect("arm");
    region.put(b"k", b"w").expect("put, which rings");
    let state = OriginState { origin: 3, epoch: 1, position: 20, closed: 7 };
    refused_in_a_child(|| {
        fn is_refused<T>(result: Result<T, Error>) -> bool {
            matches!(result, Err(Error::ForkedChild))
        }
        let change = Change {
            position: 0,
            key: b"k",
            value: b"x",
            kind: Kind::Value,
            version: u64::MAX >> 1,
            origin: 3,
            deadline: None,
            expiration: false,
            created: true,
            bulk: false,
        };
        let at_once = |_: Change<'_>| ControlFlow::Break(());
        let seat = is_refused(seat.arm())
            && is_refused(seat.disarm())
            && is_refused(seat.quiet())
            && is_refused(seat.feed(&region));
        let reads = is_refused(feed.drain(feed.tail(), |_| ControlFlow::Break(())))
            && is_refused(feed.scan(0, at_once))
            && is_refused(feed.slots_in_use())
            && is_refused(feed.close_time());
        let writes = is_refused(feed.apply(change))
            && is_refused(feed.purge(b"k", 1, 1))
            && is_refused(feed.publish(9, 9, 9))
            && is_refused(feed.set_state(RegionState::Degraded))
            && is_refused(feed.set_origin_state(state));
        seat && reads && writes && feed.watermarks() == (3, 2, 1)
    });
    assert_eq!((feed.watermarks(), feed.origins()), ((3, 2, 1), Vec::new()));
    assert_eq!(region.statistics().state, RegionState::Ready);
    assert_eq!(region.get(b"k").expect("get").as_deref(), Some(&b"w"[..]));
    // The ring is still in the bell.
    let mut bell = [PollFd::new(seat.bell(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut bell, PollTimeout::ZERO).expect("poll"), 1);
}

/// Whether `f` is true in a forked child.
fn refused_in_a_child(f: impl FnOnce() -> bool) {
    // SAFETY: the child only calls what it tests and then leaves by `_exit`. It takes no lock that
    // a thread of the parent may have held: the calls fail before they get that far.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let refused = f();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!refused)) };
    }
    assert!(pid > 0, "fork");
    let mut status = 0;
    // SAFETY: waits for the child made above; `status` is valid for the call.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "the child was not refused");
}

/// What a visitor is lent was protected by the hazard word that every operation of the thread uses.
/// A visitor that used the region moved the word away, and the lent bytes changed under safe code.
/// Visits have a hazard word of their own.
#[test]
fn lent_bytes_stay_while_the_visitor_uses_the_region() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = distributed(&node);
    let feed = node.bridge_seat().expect("seat").feed(&region).expect("feed");
    let overwrite = |lent: &[u8]| {
        for n in 0..1000_u32 {
            region.put(b"k", &[n as u8; 3000]).expect("put");
        }
        assert!(lent.iter().all(|byte| *byte == 7), "lent bytes changed");
    };
    let mut seen = 0;
    region.put(b"k", &[7; 3000]).expect("put");
    let drained = feed.drain(0, |announced| {
        let Announced::Entry(change) = announced else { panic!("{announced:?}") };
        overwrite(change.value);
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!(drained.expect("drain"), Drained::Upto(0));
    region.put(b"k", &[7; 3000]).expect("put");
    feed.scan(0, |change| {
        overwrite(change.value);
        seen += 1;
        ControlFlow::Break(())
    })
    .expect("scan");
    region.put(b"k", &[7; 3000]).expect("put");
    region
        .scan(|entry| {
            overwrite(entry.value);
            seen += 1;
            ControlFlow::Break(())
        })
        .expect("scan");
    assert_eq!(seen, 3);
}

/// Guards hold hazard words of their thread. Whoever only copies must not depend on one being left.
#[test]
fn guards_are_not_in_the_way_of_events_and_iterators() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = local(&node);
    let mut events = region.subscribe();
    region.put(b"k", b"v").expect("put");
    let guards: Vec<_> = (0..10).map(|_| region.get(b"k").expect("get").expect("there")).collect();
    assert!(matches!(events.poll(), Ok(Some(Notice::Event(_)))));
    assert_eq!(region.iter().filter(|entry| entry.is_ok()).count(), 1);
    assert!(matches!(region.scan(|_| ControlFlow::Continue(())), Err(Error::TooManyPins { .. })));
    drop(guards);
    region.scan(|_| ControlFlow::Continue(())).expect("hazard words are back");
}

/// A version of another node that leaves no room above it would stop the entry's versions, or wrap
/// them round, so that old changes win. It is refused and changes nothing.
#[test]
fn absurd_versions_of_other_nodes_are_refused() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = distributed(&node);
    let feed = node.bridge_seat().expect("seat").feed(&region).expect("feed");
    let change = |version| Change {
        position: 0,
        key: b"k",
        value: b"theirs",
        kind: Kind::Value,
        version,
        origin: 9,
        deadline: None,
        expiration: false,
        created: true,
        bulk: false,
    };
    for version in [u64::MAX, u64::MAX - 1, u64::MAX - 1000] {
        assert!(matches!(feed.apply(change(version)), Err(Error::NotAllowed { .. })));
    }
    assert_eq!(region.token(b"k").expect("token"), None);
    let highest = u64::MAX - (1 << 40);
    assert_eq!(feed.apply(change(highest)).expect("apply"), Applied::Newer);
    let ours = region.put(b"k", b"ours").expect("put");
    assert!(ours.token.version > highest);
    assert_eq!(feed.apply(change(highest)).expect("apply"), Applied::Older);
}
