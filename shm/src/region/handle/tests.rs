//! What handles leave behind.

use crate::reclaim::hazard::Hazard;
use crate::{Eviction, Node};

/// A repeated read by a handle counts as a use of the entry where entries are evicted.
#[test]
fn reads_of_a_handle_raise_the_frequency() {
    let home =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory");
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").eviction(Eviction::S3Fifo).create().expect("create");
    region.put(b"k", b"value").expect("put");
    let handle = region.handle(b"k").expect("handle");
    let mut value = [0; 8];
    for _ in 0..4 {
        assert_eq!(handle.read(&mut value).expect("read"), Some(5));
    }
    let mapped = &region.mapped;
    let mine = mapped.context().expect("context");
    let hazard = Hazard::new(&mine.thread.hazards[0]);
    let hit = mapped.find(mine.local(), hazard, mapped.hash(b"k"), b"k").expect("find");
    assert_eq!(hit.expect("there").word.frequency(), 3);
    hazard.clear();
}
