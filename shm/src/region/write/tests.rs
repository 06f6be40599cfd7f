//! Writers stopped between the steps of a write.

use super::*;
use crate::{DataPolicy, Node, Region, Scope};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn writer<'m>(region: &'m Region, context: &'m Context, kind: Kind) -> Writer<'m> {
    let condition = if kind == Kind::Tombstone { Condition::Present } else { Condition::Always };
    Writer {
        region: &region.mapped,
        thread: region.mapped.descriptor(context),
        context,
        change: Change::new(b"k", b"v", kind, condition),
        hash: region.mapped.hash(b"k"),
        op: RingOp::Change,
        appended: None,
        pin: region.mapped.pin_table(region.mapped.descriptor(context)),
        lives_long: false,
        way: Way::default(),
    }
}

/// Waits until the clock that versions come from shows another time.
fn tick() {
    let before = crate::os::clock::realtime_micros();
    while crate::os::clock::realtime_micros() == before {
        std::thread::yield_now();
    }
}

/// A bridge tells other nodes "no change up to this time is still to come from here". A writer that
/// was stopped after it had read the clock, with the time being closed over and over meanwhile,
/// would prove it a liar. So a writer publishes a lower bound of its version before it reads the
/// clock, and closed time stays below the bounds of all running writers.
#[test]
fn closed_time_stays_below_what_a_stopped_writer_publishes() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node
        .region("r")
        .scope(Scope::DistributedNoAck)
        .data_policy(DataPolicy::Replicate)
        .max_bytes(1 << 20)
        .create()
        .expect("create");
    let feed = node.bridge_seat().expect("seat").feed(&region).expect("feed");
    let context = region.mapped.context().expect("context");
    let writer = writer(&region, &context, Kind::Value);

    let idle = feed.close_time().expect("time");
    tick();
    writer.begin(false);
    let stopped_before_the_clock = feed.close_time().expect("time");
    tick();
    let version = writer.version(0);
    let closed: Vec<u64> = std::iter::repeat_with(|| {
        tick();
        feed.close_time().expect("time")
    })
    .take(4)
    .collect();
    writer.end(&Ok(Written::Refused(None)));

    assert!(idle < version);
    assert!(stopped_before_the_clock < version, "{stopped_before_the_clock} {version}");
    assert!(closed.iter().all(|&closed| closed < version), "{closed:?} {version}");
    assert!(feed.close_time().expect("time") > version, "nobody holds time back any more");
}

/// A destroy that nobody listens to needs no record and says so to recovery. When its CAS loses
/// and somebody subscribed meanwhile, the next attempt has a record: recovery must not go by what
/// the first attempt said, or the event of a writer killed at this moment is lost. Each attempt
/// says anew what it will announce.
#[test]
fn an_attempt_with_a_record_says_so_after_one_without() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    region.put(b"k", b"1").expect("put");
    let mapped = &region.mapped;
    let context = mapped.context().expect("context");
    let mut writer = writer(&region, &context, Kind::Tombstone);
    writer.begin(false);

    let hazard = mapped.hazard(&context, 0);
    let place = mapped.place_for(mover(writer.thread), writer.pin.log2, writer.hash);
    let place = place.expect("a chain");
    let Search::Found(found) = mapped.search(&place, hazard, writer.hash, b"k").expect("search")
    else {
        panic!("the key is there")
    };
    // Replaced by another thread between the search and the CAS.
    std::thread::scope(|scope| {
        scope.spawn(|| region.put(b"k", b"2").expect("put"));
    });
    assert!(matches!(writer.replace(&found), Ok(Attempt::Again)));
    let intent = &mapped.descriptor(&context).intent;
    assert_eq!(intent.announce.load(Acquire), RingOp::Region as u64 + 1);

    let mut events = region.subscribe();
    let Ok(Attempt::Done(written)) = writer.attempt() else { panic!("nobody is in the way") };
    assert_eq!(intent.announce.load(Acquire), RingOp::Change as u64 + 1);
    writer.end(&Ok(written));
    let notice = events.poll().expect("poll");
    let Some(crate::Notice::Event(event)) = notice else { panic!("{notice:?}") };
    assert_eq!(event.token.kind, Kind::Tombstone);
}

/// A destroy that somebody listens to puts its record in the index and takes it out again. When the
/// second half failed, as it does in a chain that cannot be moved, the write failed, and its record
/// was given up as one that was never published: marked dead while the index named it.
#[test]
fn a_record_in_the_index_is_not_given_up() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    let _events = region.subscribe();
    region.put(b"k", b"1").expect("put");
    let mapped = &region.mapped;
    let context = mapped.context().expect("context");
    let mut writer = writer(&region, &context, Kind::Tombstone);
    writer.begin(false);
    writer.begin_attempt();
    let place = mapped.place_for(mover(writer.thread), writer.pin.log2, writer.hash);
    let place = place.expect("a chain");
    let hazard = mapped.hazard(&context, 0);
    let Search::Found(found) = mapped.search(&place, hazard, writer.hash, b"k").expect("search")
    else {
        panic!("the key is there")
    };
    // There is no table to move it to.
    let header = &place.table.buckets[place.primary as usize].header;
    header.store(place.header.frozen().0, SeqCst);
    let attempt = writer.replace(&found);
    header.store(place.header.0, SeqCst);
    let Ok(Attempt::Done(written)) = attempt else { panic!("the destroy has taken place") };
    writer.end(&Ok(written));

    let Search::Found(found) = mapped.search(&place, hazard, writer.hash, b"k").expect("search")
    else {
        panic!("the record of the destroy is there")
    };
    assert_eq!(found.word.tag(), HIDDEN_TAG);
    assert!(!found.record.is_dead());
    hazard.clear();
    assert!(!region.contains_key(b"k").expect("read"));
    region.put(b"k", b"2").expect("put");
    assert_eq!(region.get(b"k").expect("get").as_deref(), Some(&b"2"[..]));
}
