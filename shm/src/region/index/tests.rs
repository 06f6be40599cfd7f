//! Tables that go while their segments are in use again.

use super::*;
use crate::region::maintain::MaintainOptions;
use crate::{Node, Region};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

/// A region whose index has grown, its first table gone.
fn grown(home: &tempfile::TempDir) -> (Region, u32) {
    let node = Node::open(home.path()).expect("open");
    let region =
        node.region("r").max_bytes(4 << 20).segment_bytes(64 << 10).create().expect("create");
    let words = region.mapped.words();
    let first = words.table.load(SeqCst);
    let mut n = 0_u32;
    while words.table.load(SeqCst) == first {
        region.put(&n.to_le_bytes(), b"value").expect("put");
        n += 1;
    }
    region.maintain(&MaintainOptions::default()).expect("maintain");
    region.mapped.retire_tables();
    assert_eq!(words.tables[first as usize].load(SeqCst), 0, "the first table is still there");
    (region, n)
}

/// Who frees a table may be stopped before the directory forgets it. Its segments are taken by
/// writers meanwhile, and the next one who frees tables must not take them for the table.
#[test]
fn segments_of_a_table_that_went_are_not_taken_back() {
    let home = home();
    let (region, keys) = grown(&home);
    let words = region.mapped.words();
    let log = &region.mapped.log;
    let first = words.table.load(SeqCst) - 1;
    let mut round = 0_u32;
    while log.state(0).state() != Some(SegmentState::Active) {
        round += 1;
        region.put(&(round % keys).to_le_bytes(), &round.to_le_bytes()).expect("put");
    }
    words.tables[first as usize].store(1, SeqCst);
    region.mapped.retire_tables();
    assert_eq!(log.state(0).state(), Some(SegmentState::Active));
    assert_eq!(tables::holder(log, 0, log.state(0)), None);
    assert_eq!(words.tables[first as usize].load(SeqCst), 0);
    assert!(region.contains_key(&(round % keys).to_le_bytes()).expect("read"));
}
