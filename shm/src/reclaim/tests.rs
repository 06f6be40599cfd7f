//! A collector that is stopped between its steps.

use super::*;
use crate::{Node, OwnedGuard, Region};

const SMALL: usize = 3000;

/// Fills four segments in which guards hold one value each, and lets go of these values in the
/// index.
fn hold(region: &Region, fill: u8) -> Vec<OwnedGuard> {
    let mut held = Vec::new();
    for _ in 0..4 {
        region.put(b"held", &[fill; SMALL]).expect("put");
        held.push(region.get_owned(b"held").expect("get").expect("there"));
        for _ in 0..21 {
            region.put(b"x", &[0xee; SMALL]).expect("put");
        }
    }
    region.put(b"held", &[0xdd; SMALL]).expect("put");
    held
}

/// A collector looks at all hazards and pins, is stopped, and goes on when others have freed,
/// filled and emptied the same segments again: what it saw says nothing about the guards that were
/// taken meanwhile. It frees a segment only in the generation that it had before its look.
#[test]
fn a_stopped_collector_frees_nothing_that_was_reused_meanwhile() {
    let home =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory");
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).create().expect("create");
    let mapped = &region.mapped;
    let context = mapped.context().expect("context");
    let mine = mapped.hazard(&context, 1);
    drop(hold(&region, 1));

    // The steps of `collect`, up to the look at the protectors.
    let seen = quarantined(&mapped.log, mine, false, &[]).expect("walk");
    assert!(!seen.is_empty(), "the segments are all dead");
    let free_to_go = protected(&mapped.log, mapped.protectors());
    // What others do while this collector is stopped.
    mapped.reclaim(&context, false).expect("reclaim");
    let guards = hold(&region, 7);
    for _ in 0..22 {
        region.put(b"x", &[0xee; SMALL]).expect("put");
    }
    mapped.reclaim(&context, false).expect("reclaim");
    let reused = |segment: u32| {
        let word = mapped.log.state(segment);
        word.state() == Some(SegmentState::Quarantine)
            && seen.iter().any(|&(number, old)| number == segment && old != word)
    };
    assert!((0..mapped.log.segments()).any(reused), "a segment is in quarantine once more");
    // It goes on.
    free(&mapped.log, &seen, &free_to_go);

    for _ in 0..400 {
        region.put(b"x", &[0xee; SMALL]).expect("put");
    }
    for guard in &guards {
        assert!(guard.iter().all(|byte| *byte == 7), "guarded bytes changed");
    }
}
