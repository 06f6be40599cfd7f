use super::*;
use crate::region::write::{Change, Condition};
use crate::{Eviction, MaintainOptions, Node, Region};
use tempfile::TempDir;

fn region(bounded: bool) -> (TempDir, Region) {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
    let node = Node::open(home.path()).unwrap();
    let builder = node.region("r").max_bytes(2 << 20);
    let builder = match bounded {
        true => builder.eviction(Eviction::S3Fifo).max_entries(500),
        false => builder,
    };
    (home, builder.create().unwrap())
}

fn fill(region: &Region, count: u32) {
    for n in 0..count {
        region.put(&n.to_le_bytes(), b"v").unwrap();
    }
}

/// As if somebody had died and was recovered.
fn bury_somebody(region: &Region) {
    region.mapped.words().recoveries.fetch_add(1, SeqCst);
}

#[test]
fn a_count_that_a_death_made_wrong_is_corrected() {
    let (_home, region) = region(true);
    fill(&region, 100);
    let entries = &region.mapped.words().entries;
    for wrong in [107, 93, 0, u64::MAX - 5] {
        entries.store(wrong, SeqCst);
        region.maintain(&MaintainOptions::default()).unwrap();
        if wrong == 107 {
            assert_eq!(entries.load(SeqCst), wrong, "nobody died, nobody looks");
        }
        bury_somebody(&region);
        region.maintain(&MaintainOptions::default()).unwrap();
        assert_eq!(entries.load(SeqCst), 100, "it was {wrong}");
    }
}

#[test]
fn a_count_that_is_grossly_wrong_evicts_nothing() {
    let (_home, region) = region(true);
    fill(&region, 100);
    region.mapped.words().entries.store(1 << 40, SeqCst);
    region.put(b"one more", b"v").unwrap();
    assert_eq!(region.statistics().counters.evicted, 0);
    assert_eq!(region.len().unwrap(), 101);
    assert_eq!(region.mapped.words().entries.load(SeqCst), 101);
}

#[test]
fn a_small_difference_is_left_alone_while_others_write() {
    let (_home, region) = region(true);
    fill(&region, 100);
    let words = region.mapped.words();
    words.entries.store(101, SeqCst);
    let mapped = &region.mapped;
    let context = mapped.context().unwrap();
    // A write that runs.
    mapped.descriptor(&context).intent.record.store(1, SeqCst);
    assert!(!mapped.recount(&context).unwrap());
    assert_eq!(words.entries.load(SeqCst), 101);
    mapped.descriptor(&context).intent.record.store(0, SeqCst);
    assert!(mapped.recount(&context).unwrap());
    assert_eq!(words.entries.load(SeqCst), 100);
}

#[test]
fn a_tombstone_that_nobody_owns_goes() {
    let (_home, region) = region(false);
    let hidden = || {
        let counts = |word: SlotWord| word.tag() == HIDDEN_TAG && !word.is_empty();
        region.mapped.count_words(counts).unwrap()
    };
    // A write that no operation makes: it leaves what a destroy leaves whose recovery failed.
    let change = Change::new(b"k", &[], Kind::Tombstone, Condition::Always);
    region.mapped.write(change).unwrap();
    assert_eq!(hidden(), 1);
    bury_somebody(&region);
    region.maintain(&MaintainOptions::default()).unwrap();
    assert_eq!(hidden(), 0);
    let version = region.put(b"k", b"v").unwrap().token.version;
    assert!(version > 1, "versions do not go back");
}

#[test]
fn a_tombstone_that_a_running_destroy_names_stays() {
    let (_home, region) = region(false);
    let change = Change::new(b"k", &[], Kind::Tombstone, Condition::Always);
    region.mapped.write(change).unwrap();
    let mut hidden = None;
    let context = region.mapped.context().unwrap();
    let pick = |word: SlotWord| {
        if word.tag() == HIDDEN_TAG && !word.is_empty() {
            hidden = Some(word.location());
        }
    };
    region.mapped.look_through(&context, pick).unwrap();
    let intent = &region.mapped.descriptor(&context).intent;
    intent.record.store(hidden.unwrap().0 + 1, SeqCst);
    region.mapped.drop_leftover_tombstones(&context).unwrap();
    let counts = |word: SlotWord| word.tag() == HIDDEN_TAG && !word.is_empty();
    assert_eq!(region.mapped.count_words(counts).unwrap(), 1);
    intent.record.store(0, SeqCst);
}
