//! Subscriptions as streams, driven by whoever knows streams only.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use futures_core::Stream;
use futures_core::stream::FusedStream;
use vug::typed::Notice as Typed;
use vug::{Error, EventKind, Node, Notice};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The next item, with the thread parked until there may be one.
fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match pin!(&mut *stream).poll_next(&mut context) {
            Poll::Ready(item) => return item,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn is_pending<S: Stream + Unpin>(stream: &mut S) -> bool {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop())).is_pending()
}

fn node() -> (tempfile::TempDir, Node) {
    let home =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory");
    let node = Node::open(home.path()).expect("open");
    (home, node)
}

#[test]
fn a_subscription_is_a_stream_that_ends_with_its_region() {
    const CHANGES: u32 = 1000;
    let (_home, node) = node();
    let region = node.region("r").max_bytes(4 << 20).create().expect("create");
    let mut changes = region.subscribe();
    assert!(is_pending(&mut changes) && !changes.is_terminated());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..CHANGES {
                region.put(&n.to_le_bytes(), b"v").expect("put");
            }
            region.clone().destroy_region().expect("destroy");
        });
        let mut seen = 0;
        while let Some(notice) = next(&mut changes) {
            match notice.expect("no error") {
                Notice::Event(event) if event.kind == EventKind::Create => seen += 1,
                Notice::Event(event) => assert!(event.kind.is_end(), "{event:?}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, CHANGES);
    });
    assert!(changes.is_terminated() && next(&mut changes).is_none());
}

#[test]
fn a_typed_one_goes_on_behind_bytes_of_another_type() {
    let (_home, node) = node();
    let stock = node.region("stock").max_bytes(4 << 20).typed::<str, u32>().create();
    let stock = stock.expect("create");
    let mut changes = stock.subscribe();
    assert!(is_pending(&mut changes));
    stock.untyped().put(b"pears", b"no u32").expect("put");
    stock.put("pears", &4).expect("put");
    assert!(matches!(next(&mut changes), Some(Err(Error::NotOfType { .. }))));
    let Some(Ok(Typed::Event(event))) = next(&mut changes) else { panic!("an event") };
    assert_eq!((event.key.as_str(), event.value), ("pears", Some(4)));
    assert!(is_pending(&mut changes) && !changes.is_terminated());
}
