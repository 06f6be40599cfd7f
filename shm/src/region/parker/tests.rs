use super::*;
use crate::os::fork::tests::status_of_child;
use crate::{Node, Notice, Region};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake};
use tempfile::TempDir;

/// For conditions that hold soon unless the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts its calls and unparks the thread that made it.
struct Counter {
    calls: AtomicU64,
    thread: std::thread::Thread,
}

impl Counter {
    fn new() -> Arc<Self> {
        Arc::new(Self { calls: AtomicU64::new(0), thread: std::thread::current() })
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// The smallest runtime.
fn run<T>(future: impl Future<Output = T>) -> T {
    let waker = Counter::new().into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        assert!(Instant::now() < deadline, "the task sleeps on");
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

fn new_region() -> (TempDir, Node, Region) {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
    let node = Node::open(home.path()).unwrap();
    let region = node.region("r").max_bytes(1 << 20).create().unwrap();
    (home, node, region)
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn tasks_hear_of_keys_and_of_regions() {
    let (_home, _node, region) = new_region();
    let start = region.position();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..200_u64 {
                region.put(b"k", &n.to_le_bytes()).unwrap();
                region.put(b"other", b"x").unwrap();
                while region.get(b"seen").unwrap().as_deref() != Some(&n.to_le_bytes()[..]) {
                    std::thread::yield_now();
                }
            }
        });
        let mut seen = None;
        for n in 0..200_u64 {
            seen = run(region.changed_async(b"k", seen)).unwrap();
            assert!(seen.is_some());
            region.put(b"seen", &n.to_le_bytes()).unwrap();
        }
    });
    assert_eq!(run(region.region_changed_async(start)).unwrap(), region.position());
}

#[test]
fn a_subscription_gives_every_change_to_a_task() {
    let (_home, _node, region) = new_region();
    let mut events = region.subscribe();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..2000_u32 {
                region.put(b"k", &n.to_le_bytes()).unwrap();
            }
        });
        for n in 0..2000_u32 {
            let Some(Notice::Event(event)) = run(events.next_async()).unwrap() else {
                panic!("the ring is long enough");
            };
            assert_eq!(event.value.as_deref(), Some(&n.to_le_bytes()[..]));
        }
    });
}

/// A future that is dropped leaves neither its waker nor its place in the list.
#[test]
fn a_cancelled_wait_leaves_nothing() {
    let (_home, _node, region) = new_region();
    let counter = Counter::new();
    let waker = counter.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut events = region.subscribe();
    for _ in 0..100 {
        let mut waits: [Pin<Box<dyn Future<Output = ()>>>; 3] = [
            Box::pin(async { drop(region.changed_async(b"k", None).await) }),
            Box::pin(async { drop(region.region_changed_async(u64::MAX - 1).await) }),
            Box::pin(async { drop(events.next_async().await) }),
        ];
        for wait in &mut waits {
            assert!(wait.as_mut().poll(&mut context).is_pending());
        }
    }
    assert!(events.poll_next(&mut context).is_pending());
    drop(events);
    drop(waker);
    assert_eq!(Arc::strong_count(&counter), 1, "somebody still has the waker");
    region.put(b"k", b"v").unwrap();
    // Only the waker of a task that waits is called: perhaps once for each before it was dropped.
    assert!(counter.calls() <= 301);
}

/// The thread comes with the first wait and goes after the last, and comes again.
#[test]
fn the_thread_ends_when_nobody_waits() {
    let (_home, _node, region) = new_region();
    for _ in 0..2 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                region.put(b"k", b"v").unwrap();
            });
            run(region.changed_async(b"k", region.token(b"k").unwrap())).unwrap();
        });
        // Other tests of the process may wait as well, but not for ever.
        eventually("the thread ends", || !parker().unwrap().state().running);
    }
}

#[test]
fn more_regions_than_the_kernel_takes_at_once() {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
    let node = Node::open(home.path()).unwrap();
    let regions: Vec<Region> = (0..futex::MOST_WORDS + 2)
        .map(|n| node.region(&format!("r{n}")).max_bytes(1 << 20).create().unwrap())
        .collect();
    let counter = Counter::new();
    let waker = counter.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut waits: Vec<_> =
        regions.iter().map(|region| Box::pin(region.changed_async(b"k", None))).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut context).is_pending());
    }
    for (n, region) in regions.iter().enumerate() {
        region.put(b"k", b"v").unwrap();
        eventually("the task is called", || {
            counter.calls() > 0 && waits[n].as_mut().poll(&mut context).is_ready()
        });
    }
}

/// In a forked child the parent's tasks are stale, dropping them does nothing, and the child's own
/// wait starts a thread of its own.
#[test]
fn a_forked_child_waits_by_itself() {
    let (home, _node, region) = new_region();
    let counter = Counter::new();
    let waker = counter.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut inherited = Some(Box::pin(region.changed_async(b"k", None)));
    assert!(inherited.as_mut().unwrap().as_mut().poll(&mut context).is_pending());
    let status = status_of_child(|| {
        drop(inherited.take());
        if run(region.changed_async(b"k", None)).is_ok() {
            return 1;
        }
        let Ok(own) = Node::open(home.path()).and_then(|node| node.region("r").open()) else {
            return 2;
        };
        let put = own.put(b"child", b"v").is_ok();
        let heard = matches!(run(own.changed_async(b"child", None)), Ok(Some(_)));
        let again = std::thread::scope(|scope| {
            let since = own.token(b"child").unwrap_or_default();
            scope.spawn(|| own.put(b"child", b"w").is_ok());
            matches!(run(own.changed_async(b"child", since)), Ok(Some(_)))
        });
        if put && heard && again { 0 } else { 3 }
    });
    assert_eq!(status, 0);
    region.put(b"k", b"v").unwrap();
    eventually("the parent's task is called", || counter.calls() > 0);
    assert!(inherited.unwrap().as_mut().poll(&mut context).is_ready());
}
