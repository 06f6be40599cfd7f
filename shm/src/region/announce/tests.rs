//! Writers stopped before their change is announced, and others that go on.

use super::*;
use crate::journal::Cell;
use crate::layout::thread::OwnerWord;
use crate::layout::word::{SegmentState, SlotRef};
use crate::region::index::mover;
use crate::region::read::Search;
use crate::region::write::{NO_RECORD, PROMISE_REGION};
use crate::sync::Release;
use crate::{Eviction, Node, Notice, Region, Subscription};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(node: &Node) -> Region {
    node.region("r").max_bytes(1 << 20).create().expect("create")
}

/// Makes a put look as if its writer had been stopped between the CAS of the slot and the ring: the
/// change is in the index, an intent promises an announcement, and there is none.
fn stopped_put(region: &Region, key: &[u8]) -> Location {
    let mapped = &region.mapped;
    let words = mapped.words();
    let listened = words.journal_wanted.swap(0, SeqCst);
    region.put(key, b"stopped").expect("put");
    words.journal_wanted.store(listened, SeqCst);
    let location = locate(region, key);
    let thread = &mapped.threads[mapped.words().threads_used.load(SeqCst) as usize];
    crate::sync::raise(&words.threads_used, mapped.words().threads_used.load(SeqCst) + 1);
    thread.ring_start.store(mapped.journal().tail(), Release);
    thread.intent.announce.store(RingOp::Change.promise(), Release);
    thread.intent.slot.store(SlotRef::new(0, 0).to_word(), Release);
    thread.intent.record.store(location.0 + 1, Release);
    location
}

fn locate(region: &Region, key: &[u8]) -> Location {
    let mapped = &region.mapped;
    let context = mapped.context().expect("context");
    let pin = mapped.pin_table(mapped.descriptor(&context));
    let hazard = mapped.hazard(&context, 0);
    let thread = mapped.descriptor(&context);
    let place = mapped.place_for(mover(thread), pin.log2, mapped.hash(key)).expect("a chain");
    let search = mapped.search(&place, hazard, mapped.hash(key), key).expect("a sound index");
    let Search::Found(found) = search else { panic!("the key is there") };
    hazard.clear();
    pin.release();
    found.word.location()
}

fn values(events: &mut Subscription) -> Vec<Option<Vec<u8>>> {
    let next = || match events.poll().expect("poll") {
        Some(Notice::Event(event)) => Some(event.value),
        Some(other) => panic!("{other:?}"),
        None => None,
    };
    std::iter::from_fn(next).collect()
}

fn value(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

#[test]
fn who_replaces_a_record_announces_it_first() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut events = region.subscribe();
    let location = stopped_put(&region, b"k");
    assert_eq!(values(&mut events), []);
    region.put(b"k", b"2").expect("put");
    region.destroy(b"k").expect("destroy");
    assert_eq!(values(&mut events), [value("stopped"), value("2"), None]);
    // The stopped writer goes on, and a recoverer that takes it for dead.
    let again = Announcement { op: RingOp::Change, location, version: u64::MAX };
    let state = AtomicU16::new(STATE_HELPED);
    assert_eq!(region.mapped.announce_own(again, &state, 0), 1);
    assert_eq!(values(&mut events), []);
}

#[test]
fn who_moves_a_record_announces_it_first() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let _events = region.subscribe();
    let location = stopped_put(&region, b"k");
    let mapped = &region.mapped;
    let is_full = || mapped.log.state(location.segment()).state() == Some(SegmentState::Sealed);
    while !is_full() {
        region.put(b"other", &[0; 4096]).expect("put");
    }
    let announced = mapped.journal().tail();
    let context = mapped.context().expect("context");
    mapped.vacate(&context, location.segment()).expect("a sound region");
    assert_ne!(locate(&region, b"k"), location, "it was moved");
    // Listeners may come too late to read the record, but are told.
    let Cell::Written(cell) = mapped.journal().read(announced) else { panic!("no announcement") };
    assert_eq!((cell.op(), cell.location()), (RingOp::Change, location));
    region.put(b"k", b"2").expect("put");
    assert_eq!(mapped.journal().tail(), announced + 2);
}

#[test]
fn who_destroys_where_nobody_listened_tells_to_look_again() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    region.put(b"k", b"1").expect("put");
    let mut events = region.subscribe();
    // As a writer does that decided before, and is through now.
    assert_eq!(region.mapped.announce_region(RegionOp::LookAgain), 1);
    let notice = events.poll().expect("poll");
    assert!(matches!(notice, Some(Notice::Lapped { from: 0, to: 1 })), "{notice:?}");
}

#[test]
fn what_a_clear_removed_is_not_announced_behind_it() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut events = region.subscribe();
    stopped_put(&region, b"k");
    region.mapped.words().clear_stamp.store(100, SeqCst);
    region.mapped.words().floor.store(100, SeqCst);
    region.put(b"k", b"2").expect("put");
    assert_eq!(values(&mut events), [value("2")]);
}

#[test]
fn a_ring_that_went_round_says_so_before_the_change() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut events = region.subscribe();
    stopped_put(&region, b"k");
    let len = region.mapped.journal().len();
    for _ in 0..=len {
        region.put(b"other", b"1").expect("put");
        events.poll().expect("poll");
    }
    region.put(b"k", b"2").expect("put");
    assert!(matches!(events.poll(), Ok(Some(Notice::Lapped { .. }))));
    assert_eq!(values(&mut events), [value("stopped"), value("2")]);
}

/// The writer itself goes on after its change was announced for it, another took its place, and the
/// ring went round: it must not announce the old one behind the new.
#[test]
fn a_late_writer_does_not_announce_what_was_announced_for_it() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut events = region.subscribe();
    let location = stopped_put(&region, b"k");
    let mapped = &region.mapped;
    let thread = &mapped.threads[mapped.words().threads_used.load(SeqCst) as usize - 1];
    let from = thread.ring_start.load(Acquire);
    region.put(b"k", b"2").expect("put");
    for _ in 0..=mapped.journal().len() {
        region.put(b"other", b"1").expect("put");
        events.poll().expect("poll");
    }
    while events.poll().expect("poll").is_some() {}
    // Any that no clear removed.
    let (op, version) = (RingOp::Change, u64::MAX);
    let state = AtomicU16::new(STATE_HELPED | STATE_ANNOUNCED);
    mapped.announce_own(Announcement { op, location, version }, &state, from);
    assert!(matches!(events.poll(), Ok(Some(Notice::Lapped { .. }))));
    assert_eq!(values(&mut events), []);
}

#[test]
fn a_first_subscription_does_not_wait_for_a_stopped_writer() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region =
        node.region("r").max_bytes(1 << 20).eviction(Eviction::S3Fifo).create().expect("create");
    stopped_put(&region, b"k");
    let mut events = region.subscribe();
    region.put(b"l", b"1").expect("put");
    assert_eq!(values(&mut events), [value("1")]);
}

/// Killed between the stamp and its event, a clear would leave listeners with what is gone.
#[test]
fn listeners_learn_of_a_clear_whose_caller_died() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut events = region.subscribe();
    let mapped = &region.mapped;
    let words = mapped.words();
    let thread = &mapped.threads[words.threads_used.load(SeqCst) as usize];
    crate::sync::raise(&words.threads_used, words.threads_used.load(SeqCst) + 1);
    thread.intent.announce.store(PROMISE_REGION, Release);
    thread.intent.record.store(NO_RECORD, Release);
    // A member in this slot of the node file that is no more.
    thread.owner.store(OwnerWord::live(mapped.me + (1 << 16)).0, Release);
    assert_eq!(region.recover().expect("recover").events_announced, 1);
    assert!(matches!(events.poll(), Ok(Some(Notice::Lapped { from: 0, to: 1 }))));
    assert_eq!(values(&mut events), []);
}

/// An event of an entry may come on the wrong side of one of the region: then the versions tell.
#[test]
fn events_of_the_region_say_which_versions_they_concern() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut events = region.subscribe();
    let mut version = || match events.poll().expect("poll") {
        Some(Notice::Event(event)) => event.token.version,
        other => panic!("{other:?}"),
    };
    for whole in [Region::invalidate_region, Region::local_invalidate_region, Region::clear] {
        region.put(b"k", b"1").expect("put");
        whole(&region).expect("a local region");
        region.put(b"k", b"2").expect("put");
        let (before, at, after) = (version(), version(), version());
        assert!(before < at && at < after, "{before} {at} {after}");
    }
}
