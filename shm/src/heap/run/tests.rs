//! Windows in a region that other writes use.

use super::*;
use crate::layout::word::Location;
use crate::{Node, Region};

/// Takes segments in the name of a thread descriptor and reclaims nothing.
struct Taker(u32);

impl Author for Taker {
    fn thread(&self) -> u32 {
        self.0
    }

    fn announce(&self, _: Location) {}

    fn reclaim(&self, _: bool) -> Result<bool> {
        Ok(false)
    }

    fn make_room(&self) -> Result<bool> {
        Ok(false)
    }

    fn may_use_reserve(&self) -> bool {
        false
    }

    fn lives_long(&self) -> bool {
        false
    }
}

fn region(home: &tempfile::TempDir) -> Region {
    let node = Node::open(home.path()).expect("open");
    node.region("r").max_bytes(2 << 20).segment_bytes(64 << 10).create().expect("create")
}

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn free(log: &Log) -> u32 {
    (0..log.segments()).filter(|&segment| is_free(log, segment)).count() as u32
}

#[test]
fn windows_come_from_the_top_and_single_segments_from_the_bottom() {
    let home = home();
    let region = region(&home);
    let log = &region.mapped.log;
    let context = region.mapped.context().expect("context");
    let taker = Taker(context.index);
    let top = log.segments();
    region.put(b"k", b"v").expect("put");
    assert_eq!(claim_window(log, &taker, 3).expect("claim"), Some(top - 3));
    assert_eq!(claim_window(log, &taker, 2).expect("claim"), Some(top - 5));
    for segment in top - 5..top {
        let word = log.state(segment);
        assert_eq!((word.state(), word.owner()), (Some(SegmentState::Active), context.index));
    }
    // Not those of others.
    give_back(log, context.index + 1, top - 3, 3);
    assert_eq!(claim_window(log, &taker, 1).expect("claim"), Some(top - 6));
    give_back(log, context.index, top - 3, 3);
    assert_eq!(claim_window(log, &taker, 4).expect("claim"), Some(top - 10));
    assert_eq!(claim_window(log, &taker, 3).expect("claim"), Some(top - 3));
    for n in 0..200u32 {
        region.put(&n.to_le_bytes(), &[7; 500]).expect("put");
    }
    assert_eq!(log.state(top - 11).state(), Some(SegmentState::Unbacked));
    give_back(log, context.index, top - 10, 10);
}

#[test]
fn a_window_that_is_not_there_costs_nothing() {
    let home = home();
    let region = region(&home);
    let log = &region.mapped.log;
    let context = region.mapped.context().expect("context");
    let taker = Taker(context.index);
    let all = free(log);
    assert_eq!(claim_window(log, &taker, all + 1).expect("claim"), None);
    assert_eq!(claim_window(log, &taker, u32::MAX).expect("claim"), None);
    assert_eq!(claim_window(log, &taker, 0).expect("claim"), None);
    assert_eq!(free(log), all);
    let most = all - log.reserve();
    let first = claim_window(log, &taker, most).expect("claim").expect("all are free");
    assert_eq!(claim_window(log, &taker, 1).expect("claim"), None, "the rest is for cleaners");
    give_back(log, context.index, first, most);
    assert_eq!(free(log), all);
}

/// Threads that all want windows get different ones, and all of them.
#[test]
fn windows_do_not_overlap() {
    let home = home();
    let region = region(&home);
    let log = &region.mapped.log;
    let all = free(log);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let context = region.mapped.context().expect("context");
                let taker = Taker(context.index);
                for round in 0..2000 {
                    let count = 1 + round % 3;
                    let Some(first) = claim_window(log, &taker, count).expect("claim") else {
                        continue;
                    };
                    for segment in first..first + count {
                        let start = log.segment_start(segment).expect("inside");
                        let owner = log.state(segment).owner();
                        assert_eq!((owner, start.is_aligned()), (context.index, true));
                    }
                    give_back(log, context.index, first, count);
                }
            });
        }
    });
    assert_eq!(free(log), all);
}
