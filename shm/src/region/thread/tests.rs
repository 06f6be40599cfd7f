//! Contexts at the end of a thread.

use std::cell::RefCell;

use crate::region::guard::Guard;
use crate::sync::Acquire;
use crate::{Node, Region};

/// Looks at its value when it is dropped.
struct Keeper(Guard<'static>);

impl Drop for Keeper {
    fn drop(&mut self) {
        assert_eq!(&*self.0, b"value");
    }
}

thread_local! {
    static KEPT: RefCell<Vec<Keeper>> = const { RefCell::new(Vec::new()) };
}

/// A guard in a thread-local variable that outlives the list of contexts still protects its value,
/// and the descriptor is given back after it.
#[test]
fn a_guard_keeps_its_context_when_the_thread_ends() {
    let home =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory");
    let node = Node::open(home.path()).expect("open");
    let region: &'static Region =
        Box::leak(Box::new(node.region("r").max_bytes(1 << 20).create().expect("create")));
    region.put(b"k", b"value").expect("put");
    let thread = std::thread::spawn(|| {
        // Used before the list of contexts, so that it is destroyed after that.
        KEPT.with_borrow_mut(Vec::clear);
        for _ in 0..2 {
            let guard = region.get(b"k").expect("get").expect("there");
            KEPT.with_borrow_mut(|kept| kept.push(Keeper(guard)));
        }
    });
    thread.join().expect("the thread ends well");
    let mapped = &region.mapped;
    assert_eq!(mapped.idle_threads.lock().expect("not poisoned").len(), 1);
    let held = |word: &crate::sync::AtomicU64| word.load(Acquire) != 0;
    assert!(!mapped.threads.iter().any(|thread| thread.hazards.iter().any(held)));
}
