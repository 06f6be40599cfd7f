//! Tasks of a runtime wait for changes that other processes make.

use std::time::Duration;

use vug::{Node, Notice, Region};
use vug_tests::{Answer, PATIENCE, TempHome, Worker, wait_until};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");
/// Name of the one thread that the library starts, by request.
const THREAD: &str = "vug-parker";

fn new_region(home: &TempHome) -> (Node, Region) {
    let node = home.node();
    let region = node.region("r").max_bytes(8 << 20).create().expect("a new region");
    (node, region)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn waiting_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("our threads");
    let names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == THREAD).count()
}

/// One test, because it counts the threads of its process.
#[test]
fn tasks_wait_for_other_processes() {
    let home = TempHome::new();
    let (_node, region) = new_region(&home);
    let mut worker = Worker::open(WORKER, home.path(), "r");
    assert_eq!(waiting_threads(), 0);
    runtime().block_on(async {
        // A hundred tasks, each for a key of its own; a subscription; and one that gives up.
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let region = region.clone();
                let key = format!("key-{n}");
                tokio::spawn(async move { region.changed_async(key.as_bytes(), None).await })
            })
            .collect();
        let never = region.changed_async(b"never", None);
        let given_up = tokio::time::timeout(Duration::from_millis(20), never).await;
        assert!(given_up.is_err(), "nobody writes this key");
        assert_eq!(waiting_threads(), 1);
        let mut events = region.subscribe();
        for n in 0..100 {
            worker.send(format_args!("put key-{n} value"));
        }
        for task in tasks {
            let changed = tokio::time::timeout(PATIENCE, task).await.expect("a wake");
            assert!(changed.expect("no panic").expect("no error").is_some());
        }
        for _ in 0..100 {
            let notice = tokio::time::timeout(PATIENCE, events.next_async()).await;
            let notice = notice.expect("a wake").expect("no error");
            assert!(matches!(notice, Some(Notice::Event(_))));
        }
    });
    for _ in 0..100 {
        assert!(matches!(worker.answer(), Answer::Ok(_)));
    }
    wait_until("nobody waits, so the thread ends", || waiting_threads() == 0);
    worker.exit();
}
