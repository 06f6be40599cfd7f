//! Processes killed at a named place, and what the survivors find. Each child is this test program
//! once more: it does one thing and kills itself on the way.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use vug::{Kind, Node, Notice, Region, Subscription};

const ROLE: &str = "VUG_TEST_ROLE";
const HOME: &str = "VUG_TEST_HOME";
/// For conditions that hold soon unless the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(node: &Node) -> Region {
    node.region("r").max_bytes(1 << 20).create().expect("create")
}

/// Runs `role` in a child; true if it was killed at the crash point.
fn child(role: &str, home: &Path, crash_at: &str) -> bool {
    let status = Command::new(std::env::current_exe().expect("own path"))
        .args(["--exact", "child_entry"])
        .env(ROLE, role)
        .env(HOME, home)
        .env("VUG_CRASH_AT", crash_at)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("start a child");
    assert!(status.success() || status.signal() == Some(9), "{role}: {status}");
    !status.success()
}

fn killed(role: &str, home: &Path, crash_at: &str) {
    assert!(child(role, home, crash_at), "{role} never passed {crash_at}");
}

/// What children do; in the test run itself nothing.
#[test]
fn child_entry() {
    let (Ok(role), Ok(home)) = (std::env::var(ROLE), std::env::var(HOME)) else { return };
    let node = Node::open(home).expect("open");
    let region = node.region("r").open().expect("open");
    match role.as_str() {
        "attach" => {}
        "put" => drop(region.put(b"k", &[9; 100]).expect("put")),
        "put large" => drop(region.put(b"k", &[9; 30_000]).expect("put")),
        "destroy" => drop(region.destroy(b"k").expect("destroy")),
        "two threads" => {
            region.put(b"a", &[1; 100]).expect("put");
            std::thread::scope(|scope| {
                scope.spawn(|| region.put(b"b", &[2; 100]).expect("put"));
            });
        }
        other => panic!("no role {other}"),
    }
}

/// Kind and version of the events that are there.
fn events(events: &mut Subscription) -> Vec<(Kind, u64)> {
    std::iter::from_fn(|| events.poll().expect("poll"))
        .map(|notice| match notice {
            Notice::Event(event) => (event.token.kind, event.token.version),
            other => panic!("the ring is long enough: {other:?}"),
        })
        .collect()
}

/// Two threads of a dead process wrote to one segment. One recoverer opened it for adoption and
/// died before it came to the second thread, whose intent named a record that `committed` did not
/// cover yet. A survivor adopted the segment and wrote a live record at that very place, and the
/// recovery of the second thread marked it dead: its memory was reused. What the dead were filling
/// is sealed, so nobody writes there in this generation.
#[test]
fn recovery_leaves_the_records_of_survivors_alone() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    killed("two threads", home.path(), "append.announced:2");
    killed("attach", home.path(), "recover.freed:1");
    region.put(b"victim", &[7; 96]).expect("put");
    region.recover().expect("recover");
    for n in 0..100 {
        region.put(b"x", &[n; 1000]).expect("put");
    }
    region.put(b"a", &[3; 100]).expect("put");
    for n in 0..2000_u32 {
        region.put(b"x", &[n as u8; 1000]).expect("put");
    }
    let value = region.get(b"victim").expect("get").expect("there");
    assert!(value.iter().all(|byte| *byte == 7), "its memory was reused");
}

/// Killed just before the CAS that destroys an entry, with somebody listening; then the entry gets
/// another value. Recovery saw that the slot had changed and announced a destroy that never took
/// place. The record of the event takes the slot first: it is announced only if it was there.
#[test]
fn a_destroy_that_did_not_take_place_is_not_announced() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut listener = region.subscribe();
    region.put(b"k", b"1").expect("put");
    killed("destroy", home.path(), "write.intended:1");
    region.put(b"k", b"2").expect("put");
    region.recover().expect("recover");
    let seen = events(&mut listener);
    assert!(seen.iter().all(|(kind, _)| *kind == Kind::Value), "{seen:?}");
}

/// And one that did is announced once, wherever its writer was killed, and leaves the index.
#[test]
fn a_destroy_that_took_place_is_announced_once() {
    for crash_at in ["write.replaced", "write.retired", "write.announced", "write.dropped"] {
        let home = home();
        let node = Node::open(home.path()).expect("open");
        let region = region(&node);
        let mut listener = region.subscribe();
        let put = region.put(b"k", b"1").expect("put");
        killed("destroy", home.path(), crash_at);
        region.recover().expect("recover");
        let seen = events(&mut listener);
        let kinds: Vec<Kind> = seen.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Kind::Value, Kind::Tombstone], "{crash_at}");
        assert_eq!(region.token(b"k").expect("token"), None, "{crash_at}");
        let feed = node.bridge_seat().expect("seat").feed(&region).expect("feed");
        assert_eq!(
            feed.slots_in_use().expect("count"),
            0,
            "{crash_at}: the tombstone stays in the index"
        );
        let again = region.put(b"k", b"2").expect("put");
        assert!(again.created, "{crash_at}");
        assert!(again.token.version > seen[1].1 && seen[1].1 > put.token.version, "{crash_at}");
    }
}

/// Killed after the CAS and before the announcement; then a survivor replaces the entry. Recovery
/// did not find the record in its slot and took it for one that was never published. The mark that
/// the survivor set tells: dead and not abandoned means that it was in the index.
#[test]
fn a_change_that_was_replaced_before_recovery_is_announced() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut listener = region.subscribe();
    region.put(b"k", b"1").expect("put");
    killed("put", home.path(), "write.replaced:1");
    let version = region.token(b"k").expect("token").expect("there").version;
    region.put(b"k", b"2").expect("put");
    region.recover().expect("recover");
    let seen = events(&mut listener);
    assert!(seen.contains(&(Kind::Value, version)), "{seen:?} lacks {version}");
}

/// The opposite: a record that never was in the index is marked dead by a recovery that dies right
/// after. The next recovery must not take the mark for the sign of a publication.
#[test]
fn a_change_that_was_never_published_is_not_announced_by_a_second_recovery() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut listener = region.subscribe();
    let put = region.put(b"k", b"1").expect("put");
    killed("put", home.path(), "write.intended:1");
    killed("attach", home.path(), "recover.own:1");
    region.recover().expect("recover");
    assert_eq!(events(&mut listener), [(Kind::Value, put.token.version)]);
}

/// Killed between a dead mark and its count, a writer leaves the segment's hint too low for good.
/// Reclaiming goes by the hint; so it looks at every sealed segment once after each recovery, and
/// such deaths cost no memory, however many they are.
#[test]
fn deaths_between_mark_and_count_cost_no_memory() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    region.put(b"k", &[1; 30_000]).expect("put");
    for round in 0..40 {
        killed("put large", home.path(), "retire.marked:1");
        region.recover().expect("recover");
        if let Err(error) = region.put(b"k", &[1; 30_000]) {
            panic!("round {round}: {error}; {:?}", region.statistics());
        }
    }
}

/// A producer took the flag "somebody sleeps", was killed before the wake, and nobody who came
/// later saw a reason to wake the sleeper. The flag is cleared after the wake, and only if nobody
/// set it anew: killed in between, a producer leaves one wake too many.
#[test]
fn a_listener_is_woken_although_a_producer_died_waking_it() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut listener = region.subscribe();
    let (heard, notices) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(Some(notice)) = listener.wait(None) {
            let Notice::Event(event) = notice else { panic!("the ring is long enough") };
            if heard.send(event.token.version).is_err() || event.key == b"end" {
                return;
            }
        }
    });
    let wait_for = |version: u64| loop {
        match notices.recv_timeout(PATIENCE) {
            Ok(seen) if seen == version => return,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => panic!("the listener sleeps on"),
            Err(RecvTimeoutError::Disconnected) => panic!("the listener is gone"),
        }
    };
    // Only if the listener sleeps does the child pass the place.
    let killed = (0..1000).any(|_| child("put", home.path(), "listeners.woken:1"));
    assert!(killed, "the listener never slept");
    wait_for(region.token(b"k").expect("token").expect("there").version);
    wait_for(region.put(b"k", b"2").expect("put").token.version);
    wait_for(region.put(b"end", b"").expect("put").token.version);
}
