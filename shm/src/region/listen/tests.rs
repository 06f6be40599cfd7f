use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::{Event, EventKind, Node, OldValue, Origin, WriteOptions};

const PATIENCE: Duration = Duration::from_secs(60);

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(node: &Node) -> Region {
    node.region("r").max_bytes(1 << 20).create().expect("create")
}

/// A listener that sends what it hears.
fn hear(region: &Region, options: ListenOptions) -> (Listener, mpsc::Receiver<Notice>) {
    let (tell, told) = mpsc::channel();
    let listener = region.listen(options, move |notice| _ = tell.send(notice.clone()));
    (listener.expect("listen"), told)
}

fn next(told: &mpsc::Receiver<Notice>) -> Notice {
    told.recv_timeout(PATIENCE).expect("a notice")
}

fn event(told: &mpsc::Receiver<Notice>) -> Event {
    match next(told) {
        Notice::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_listener_hears_what_happens_until_it_is_stopped() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let (mut listener, told) = hear(&region, ListenOptions::new());
    region.put(b"k", b"1").expect("put");
    region.put(b"k", b"2").expect("put");
    region.invalidate(b"k").expect("invalidate");
    region.put_with(b"k", b"3", &WriteOptions::ttl(Duration::from_micros(1))).expect("put");
    while region.sweep(1000).expect("sweep").expired == 0 {
        std::thread::yield_now();
    }
    let kinds: Vec<EventKind> = (0..5).map(|_| event(&told).kind).collect();
    use EventKind as E;
    assert_eq!(kinds, [E::Create, E::Update, E::Invalidate, E::Update, E::ExpireDestroy]);
    region.put(b"k", b"4").expect("put");
    let last = event(&told);
    assert_eq!((last.kind, last.old, last.origin), (E::Create, OldValue::None, Origin::ThisMember));
    region.clear().expect("clear");
    assert_eq!(event(&told).kind, E::Clear);
    listener.stop();
    region.put(b"k", b"5").expect("put");
    assert!(listener.is_finished() && told.recv().is_err());
}

#[test]
fn a_panic_is_counted_and_the_next_notice_comes() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let (tell, told) = mpsc::channel();
    let listener = region.listen(ListenOptions::new(), move |notice| {
        let Notice::Event(event) = notice else { return };
        assert_ne!(event.key, b"bad", "a bad key");
        _ = tell.send(event.key.clone());
    });
    let listener = listener.expect("listen");
    for key in [b"bad", b"two"] {
        region.put(key, b"1").expect("put");
    }
    assert_eq!(told.recv_timeout(PATIENCE).expect("a key"), b"two");
    assert_eq!(listener.panics(), 1);
    assert_eq!(region.statistics().counters.listener_panics, 1);
    assert!(listener.last_panic().expect("a text").contains("a bad key"));
}

#[test]
fn a_listener_stops_itself() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let own: Arc<Mutex<Option<Listener>>> = Arc::default();
    let (inner, (tell, told)) = (Arc::clone(&own), mpsc::channel());
    let listener = region.listen(ListenOptions::new(), move |_| {
        let listener = locked(&inner).take();
        drop(listener);
        _ = tell.send(());
    });
    *locked(&own) = Some(listener.expect("listen"));
    region.put(b"k", b"1").expect("put");
    told.recv_timeout(PATIENCE).expect("a call");
    region.put(b"k", b"2").expect("put");
    assert!(told.recv().is_err(), "called again");
}

#[test]
fn a_slow_listener_is_told_what_it_missed_and_how_everything_is() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let (go, wait) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let options = ListenOptions::new().resynchronise(true).prefix(b"k");
    let listener = region.listen(options, move |notice| {
        _ = tell.send(notice.clone());
        _ = wait.recv();
    });
    let _listener = listener.expect("listen");
    region.put(b"k1", b"1").expect("put");
    assert_eq!(event(&told).kind, EventKind::Create);
    for n in 0..10_000_u32 {
        region.put(b"k1", &n.to_le_bytes()).expect("put");
    }
    region.put(b"k2", b"2").expect("put");
    region.put(b"other", b"3").expect("put");
    drop(go);
    let Notice::Lapped { from, to } = next(&told) else { panic!("it was lapped") };
    assert!(to - from > 1000);
    let mut entries = [event(&told), event(&told)];
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    assert!(entries.iter().all(|entry| entry.kind == EventKind::Resync));
    assert_eq!(entries[0].value.as_deref(), Some(&9999_u32.to_le_bytes()[..]));
    assert_eq!(entries[1].key, b"k2");
    assert_eq!(next(&told), Notice::InSync { position: to });
}

#[test]
fn the_end_of_the_region_is_the_last_event() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let (listener, told) = hear(&region, ListenOptions::new());
    let mut events = region.subscribe();
    region.put(b"k", b"1").expect("put");
    region.destroy_region().expect("destroy");
    assert_eq!(event(&told).kind, EventKind::Create);
    let end = event(&told);
    assert!(end.kind.is_end() && end.kind.is_of_region() && end.key.is_empty());
    assert!(told.recv().is_err(), "the thread has ended");
    assert!(listener.error().is_none());
    let kinds: Vec<bool> = events.by_ref().map(|n| matches!(n, Ok(Notice::Event(_)))).collect();
    assert_eq!((kinds, events.is_ended()), (vec![true, true], true));
    assert!(matches!(
        region.listen(ListenOptions::new(), |_| ()),
        Err(Error::RegionDestroyed { .. })
    ));
}

#[test]
fn content_comes_first_if_asked_for() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    region.put(b"k", b"1").expect("put");
    let (_listener, told) = hear(&region, ListenOptions::new().content(true));
    let there = event(&told);
    assert_eq!((there.kind, there.value.as_deref()), (EventKind::Resync, Some(&b"1"[..])));
    assert!(matches!(next(&told), Notice::InSync { .. }));
    region.remove(b"k").expect("remove");
    assert_eq!(event(&told).kind, EventKind::Destroy);
}

#[test]
fn old_values_are_told_where_they_are_kept() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    for kept in [false, true] {
        let name = if kept { "kept" } else { "not" };
        let region = node.region(name).max_bytes(1 << 20).old_values(kept).create();
        let region = region.expect("create");
        let mut events = region.subscribe();
        let hour = WriteOptions::ttl(Duration::from_secs(3600));
        region.put(b"k", b"1").expect("put");
        region.put_with(b"k", b"2", &hour).expect("put");
        region.put_with(b"k", b"3", &hour).expect("put");
        region.invalidate(b"k").expect("invalidate");
        region.put(b"k", b"4").expect("put");
        region.destroy(b"k").expect("destroy");
        let value = |text: &str| match kept {
            true => OldValue::Value(text.as_bytes().to_vec()),
            false => OldValue::NotAvailable,
        };
        let none = if kept { OldValue::None } else { OldValue::NotAvailable };
        let expected = [OldValue::None, value("1"), value("2"), value("3"), none, value("4")];
        for expected in expected {
            let Some(Notice::Event(event)) = events.poll().expect("poll") else { panic!("{name}") };
            assert_eq!(event.old, expected, "{event:?}");
        }
    }
}

#[test]
fn notices_until_a_deadline() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = region(&node);
    let mut events = region.subscribe();
    region.put(b"k", b"1").expect("put");
    let soon = std::time::Instant::now() + Duration::from_millis(20);
    assert_eq!(events.until(soon).count(), 1);
    assert_eq!((events.position(), events.missed(), events.is_ended()), (1, 0, false));
}
