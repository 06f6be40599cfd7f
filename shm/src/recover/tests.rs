//! What dead threads left that makes no sense.

use super::*;
use crate::{Node, Region};
use tempfile::TempDir;

fn region() -> (TempDir, Region) {
    let home = tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").unwrap();
    let node = Node::open(home.path()).unwrap();
    let region = node.region("r").max_bytes(2 << 20).create().unwrap();
    for n in 0..200_u32 {
        region.put(&n.to_le_bytes(), &[n as u8; 100]).unwrap();
    }
    (home, region)
}

fn all_are_there(region: &Region) {
    for n in 0..200_u32 {
        let value = region.get(&n.to_le_bytes()).unwrap();
        assert_eq!(value.as_deref(), Some(&[n as u8; 100][..]), "{n}");
    }
}

/// A descriptor of a member that never was.
fn dead_thread(region: &Region) -> &ThreadDescriptor {
    let index = 9;
    region.mapped.words().threads_used.fetch_max(index + 1, SeqCst);
    let thread = &region.mapped.threads[index as usize];
    thread.owner.store(0x1234 << 16 | 77, SeqCst);
    thread
}

fn problems(region: &Region) -> Vec<String> {
    let report = crate::check::check_file(region.path()).unwrap();
    report.problems.into_iter().map(|problem| problem.what).collect()
}

/// It says that another word took the place of a record, which is there.
fn says_nonsense(region: &Region, thread: &ThreadDescriptor) {
    let mapped = &region.mapped;
    let log2 = mapped.words().table.load(SeqCst) as u32;
    let table = mapped.tables.view(&mapped.log, log2).unwrap();
    let occupied = |slot: &&AtomicU64| !SlotWord(slot.load(SeqCst)).is_empty();
    let live = table.buckets.iter().flat_map(|bucket| &bucket.slots).find(occupied).unwrap();
    let free = table.buckets.iter().position(|bucket| !occupied(&&bucket.slots[0])).unwrap();
    thread.intent.old.store(live.load(SeqCst), SeqCst);
    thread.intent.new.store(SlotWord::empty(9, 1).0, SeqCst);
    thread.intent.slot.store(SlotRef::new(free as u32, 0).in_table(log2).to_word(), SeqCst);
    thread.intent.record.store(NO_RECORD, SeqCst);
}

#[test]
fn a_damaged_intent_is_set_aside_once() {
    let (_home, region) = region();
    let thread = dead_thread(&region);
    says_nonsense(&region, thread);
    let done = region.recover().unwrap();
    assert_eq!((done.threads, done.set_aside), (1, 1));
    assert_eq!(thread.owner.load(SeqCst), 0);
    assert_eq!(thread.intent.record.load(SeqCst), 0);
    let again = region.recover().unwrap();
    assert_eq!((again.threads, again.set_aside), (0, 0));
    all_are_there(&region);
    let found = problems(&region);
    assert!(matches!(&found[..], [what] if what.starts_with("1 unfinished")), "{found:?}");
}

#[test]
fn an_insert_that_nobody_describes_blocks_nobody() {
    let (_home, region) = region();
    let mapped = &region.mapped;
    let table = mapped.tables.view(&mapped.log, mapped.words().table.load(SeqCst) as u32).unwrap();
    for (round, thread) in [9, 0, 0xfff].into_iter().enumerate() {
        for bucket in &table.buckets[..table.primaries()] {
            let header = HeaderWord(bucket.header.load(SeqCst));
            bucket.header.store(header.claim(thread, 5).0, SeqCst);
        }
        all_are_there(&region);
        for n in 0..400_u32 {
            let n = n + 400 * (round as u32 + 1);
            region.put(&n.to_le_bytes(), b"new").unwrap();
            region.remove(&n.to_le_bytes()).unwrap();
        }
    }
    all_are_there(&region);
    let set_aside = mapped.words().set_aside.load(SeqCst);
    assert!(set_aside > 0 && set_aside <= 3 * table.primaries() as u64, "{set_aside}");
    assert!(problems(&region).iter().any(|what| what.contains("given up")));
}
