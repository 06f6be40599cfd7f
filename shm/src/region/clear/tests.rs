use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::{PENDING, Sweep};
use crate::Node;
use crate::region::attributes::Eviction;
use crate::region::expiry::Expiry;
use crate::region::{Kind, Region, Swap};
use crate::sync::SeqCst;

fn home() -> TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a home")
}

fn region(home: &TempDir) -> Region {
    let node = Node::open(home.path()).expect("a node");
    node.region("r").max_bytes(8 << 20).open_or_create().expect("a region")
}

#[test]
fn a_cleared_region_is_empty_for_every_operation() {
    let home = home();
    let (region, other) = (region(&home), region(&home));
    for n in 0..5_000_u32 {
        region.put(&n.to_le_bytes(), b"v").expect("put");
    }
    let key = 7_u32.to_le_bytes();
    // Far above the floor: a stamp that only follows the floor would leave it.
    for _ in 0..1_000 {
        region.put(&key, b"again").expect("put");
    }
    let (old, handle) = (other.token(&key).expect("look").expect("there"), other.handle(&key));
    let guard = other.get_owned(&key).expect("get").expect("there");
    region.clear().expect("cleared");
    assert_eq!(&*guard, b"again", "what was lent stays");
    assert_eq!(other.len().expect("len"), 0);
    assert_eq!(other.statistics().entries, 0);
    assert!(other.get(&key).expect("get").is_none() && !other.contains_key(&key).expect("look"));
    assert!(handle.expect("a handle").token().expect("look").is_none());
    assert_eq!(other.iter().count() + other.keys().count(), 0);
    assert_eq!(other.remove(&key).expect("remove"), None);
    assert_eq!(other.replace(&key, b"x").expect("replace"), None);
    assert_eq!(other.compare_and_swap(&key, old, b"x").expect("swap"), Swap::Changed(None));
    assert_eq!(other.increment(b"n", 1).expect("a counter"), 1);
    assert!(other.create(&key, b"new").expect("it is absent").token.version > old.version);
    assert_eq!(region.get(&key).expect("get").as_deref(), Some(&b"new"[..]));
    assert_eq!(region.len().expect("len"), 2);
    region.clear().expect("cleared again");
    assert!(region.is_empty().expect("len"));
}

#[test]
fn nobody_sees_an_entry_between_the_stamp_and_the_sweep() {
    let home = home();
    let (region, other) = (region(&home), region(&home));
    for n in 0..100_u32 {
        region.put(&n.to_le_bytes(), b"v").expect("put");
    }
    region.put(b"n", &5_i64.to_le_bytes()).expect("put");
    // As a caller that was killed then.
    region.mapped.stamp(Sweep::Clear);
    assert_eq!(other.mapped.count_entries().expect("count"), 101, "nothing is swept yet");
    assert!(other.get(b"n").expect("get").is_none());
    assert_eq!(other.iter().count() + other.keys().count(), 0);
    assert!(other.get_all(&[b"n"]).expect("get")[0].is_none());
    assert_eq!(other.increment(b"n", 1).expect("a counter"), 1, "from nothing");
    assert_eq!(other.len().expect("len"), 1, "who counts sweeps");
    assert_eq!(other.mapped.count_entries().expect("count"), 1);
}

#[test]
fn a_pending_clear_is_finished_by_the_next_writer() {
    let home = home();
    let (region, other) = (region(&home), region(&home));
    region.put(b"old", b"v").expect("put");
    let words = region.mapped.words();
    words.special.store(1, SeqCst);
    let pending = words.ceiling.load(SeqCst) + super::UNIT + super::STAMPED + Sweep::Clear as u64;
    words.ceiling.store(pending, SeqCst);
    assert!(other.get(b"old").expect("get").is_some(), "not cleared yet");
    other.put(b"new", b"v").expect("put");
    assert_eq!(words.ceiling.load(SeqCst) & PENDING, 0);
    assert!(other.get(b"old").expect("get").is_none());
    assert!(other.get(b"new").expect("get").is_some());
    assert_eq!(other.len().expect("len"), 1);
}

#[test]
fn a_full_region_whose_clearer_died_takes_writes() {
    let home = home();
    let region = region(&home);
    let value = vec![1; 10_000];
    let mut n = 0_u32;
    while region.put(&n.to_le_bytes(), &value).is_ok() {
        n += 1;
    }
    region.mapped.stamp(Sweep::Clear);
    for again in 0..n {
        region.put(&again.wrapping_add(1 << 20).to_le_bytes(), &value).expect("there is room");
    }
    assert_eq!(region.len().expect("len"), u64::from(n));
}

#[test]
fn an_invalidated_region_keeps_its_keys() {
    let home = home();
    let (region, other) = (region(&home), region(&home));
    for n in 0..100_u32 {
        region.put(&n.to_le_bytes(), b"v").expect("put");
    }
    let key = 7_u32.to_le_bytes();
    let old = region.token(&key).expect("look").expect("there");
    region.invalidate_region().expect("local scope");
    assert_eq!(other.len().expect("len"), 100);
    assert_eq!((other.iter().count(), other.keys().count()), (0, 100));
    let token = other.token(&key).expect("look").expect("there");
    assert_eq!((token.version, token.kind), (old.version, Kind::Invalid));
    assert_eq!(other.invalidate(&key).expect("present"), None, "it is invalid already");
    assert_eq!(
        other.compare_and_swap(&key, old, b"x").expect("swap"),
        Swap::Changed(Some(token)),
        "the old token had a value"
    );
    assert!(matches!(other.compare_and_swap(&key, token, b"x"), Ok(Swap::Swapped(_))));
    assert_eq!(region.get(&key).expect("get").as_deref(), Some(&b"x"[..]));
    region.local_invalidate_region().expect("local scope");
    let kind = |key: &[u8]| region.token(key).expect("look").expect("there").kind;
    assert_eq!(kind(&key), Kind::LocalInvalid);
    region.put(&key, b"y").expect("put");
    assert_eq!(kind(&key), Kind::Value);
    region.destroy(&8_u32.to_le_bytes()).expect("present");
    region.local_clear().expect("local scope");
    assert!(region.is_empty().expect("len"));
}

#[test]
fn words_that_cannot_be_do_not_hang_a_write() {
    for (floor, ceiling, clear, invalid) in [
        (u64::MAX, 0, 0, 0),
        (0, u64::MAX, 0, 0),
        (7, super::STAMPED | 1, 0, 0),
        (7, super::STAMPED, u64::MAX, 0),
        (7, super::STAMPED, 1 << 60, u64::MAX),
        (7, u64::MAX - 5, 1 << 63, 1 << 62),
    ] {
        let home = home();
        let region = region(&home);
        region.put(b"k", b"v").expect("put");
        let words = region.mapped.words();
        words.special.store(1, SeqCst);
        words.floor.store(floor, SeqCst);
        words.clear_stamp.store(clear, SeqCst);
        words.invalid_stamp.store(invalid, SeqCst);
        words.ceiling.store(ceiling, SeqCst);
        for key in [b"k", b"l"] {
            for _ in 0..3 {
                let _ = (region.put(key, b"v"), region.increment(key, 1), region.create(key, b"w"));
                let _ = (region.clear(), region.len(), region.invalidate_region());
            }
        }
    }
}

#[test]
fn clears_do_not_carry_time_away() {
    let home = home();
    let region = region(&home);
    region.set_entry_ttl(Some(Expiry::destroy(Duration::from_secs(3600)))).expect("set");
    for _ in 0..300 {
        region.put(b"k", b"v").expect("put");
        region.clear().expect("cleared");
    }
    region.put(b"k", b"v").expect("put");
    let written = region.entry(b"k").expect("look").expect("there").modified.expect("a time");
    let ahead = written.duration_since(std::time::SystemTime::now()).unwrap_or_default();
    assert!(ahead < Duration::from_secs(2), "{ahead:?}");
}

#[test]
fn cleared_entries_do_not_count_against_a_bound() {
    let home = home();
    let node = Node::open(home.path()).expect("a node");
    let builder = node.region("r").eviction(Eviction::S3Fifo).max_entries(50);
    let region = builder.create().expect("a region");
    for round in 0..3_u32 {
        for n in 0..40_u32 {
            region.put(&(round << 8 | n).to_le_bytes(), b"v").expect("put");
        }
        assert_eq!(region.len().expect("len"), 40, "round {round}");
        assert_eq!(region.mapped.words().entries.load(SeqCst), 40);
        region.clear().expect("cleared");
    }
    assert_eq!(region.statistics().counters.evicted, 0);
}

/// As long as one entry stays, no clear came in between, so no other entry goes: an entry that is
/// written during a clear must not survive it if others that were seen after it do not.
#[test]
fn a_clear_takes_everything_at_one_instant() {
    let home = home();
    let over = AtomicBool::new(false);
    let clears = AtomicU64::new(0);
    let open = || region(&home);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let region = open();
                while !over.load(Ordering::Relaxed) {
                    region.clear().expect("cleared");
                    clears.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let writer = scope.spawn(|| {
            let region = open();
            for n in 0..20_000_u64 {
                let key: &[u8] = if n % 2 == 0 { b"first" } else { b"second" };
                region.put(key, &n.to_le_bytes()).expect("put");
            }
        });
        let region = open();
        let token = |key: &[u8]| region.token(key).expect("look");
        while !writer.is_finished() {
            let (kept, before, after, still) =
                (token(b"first"), token(b"second"), token(b"second"), token(b"first"));
            if kept.is_some() && kept == still && before.is_some() {
                assert!(after.is_some(), "{kept:?} stayed and {before:?} went");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(clears.load(Ordering::Relaxed) > 0);
    let region = open();
    region.clear().expect("cleared");
    assert!(region.is_empty().expect("len"));
}
