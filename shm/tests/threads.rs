//! Threads that come and go.

use std::sync::{Arc, Barrier};

use vug::{Error, Node, Region};

/// Thread descriptors of a region.
const DESCRIPTORS: usize = 1023;

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(home: &tempfile::TempDir) -> (Node, Region) {
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).open_or_create().expect("region");
    (node, region)
}

/// Starts threads that all have used the region when this returns, and stay until the barrier.
fn start(region: &Region, count: usize) -> (Arc<Barrier>, Vec<std::thread::JoinHandle<()>>) {
    let (used, end) = (Arc::new(Barrier::new(count + 1)), Arc::new(Barrier::new(count + 1)));
    let threads = (0..count)
        .map(|n| {
            let (region, used, end) = (region.clone(), Arc::clone(&used), Arc::clone(&end));
            let run = move || {
                let key = format!("thread-{}", n % 100);
                let result = region.put(key.as_bytes(), b"x");
                used.wait();
                end.wait();
                result.expect("a descriptor for everybody");
            };
            std::thread::Builder::new().stack_size(128 << 10).spawn(run).expect("a thread")
        })
        .collect();
    used.wait();
    (end, threads)
}

fn stop((end, threads): (Arc<Barrier>, Vec<std::thread::JoinHandle<()>>)) {
    end.wait();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn five_thousand_short_threads() {
    let home = home();
    let (_node, region) = region(&home);
    for _ in 0..50 {
        let threads: Vec<_> = (0..100_u32)
            .map(|n| {
                let region = region.clone();
                std::thread::spawn(move || {
                    region.increment(b"count", 1).expect("increment");
                    region.put(&n.to_le_bytes(), b"value").expect("put");
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    }
    assert_eq!(region.increment(b"count", 0).expect("increment"), 5000);
    let left = region.statistics().threads;
    assert!(left < 100, "{left} descriptors for one thread");
}

/// All descriptors in use: a clear error, and nothing else stops working. Their end is the remedy.
#[test]
fn a_full_table_is_an_error_that_passes() {
    let home = home();
    let (_node, region) = region(&home);
    let others = start(&region, DESCRIPTORS);
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| region.put(b"one more", b"x")).join().expect("no panic")
    });
    let Err(error @ Error::TooManyThreads { max: DESCRIPTORS, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.help().contains("1023 threads"), "{}", error.help());
    stop(others);
    region.put(b"one more", b"x").expect("put");
    assert_eq!(region.len().expect("len"), 101);
}

/// A process that had many threads does not keep the descriptors from others.
#[test]
fn descriptors_go_back_to_the_table() {
    let home = home();
    let (_node, region) = region(&home);
    stop(start(&region, DESCRIPTORS));
    let left = region.statistics().threads as usize;
    assert!(left < 100, "{left} descriptors for no thread");
    let (_other_node, other) = self::region(&home);
    stop(start(&other, DESCRIPTORS - left));
    stop(start(&region, left));
}
