//! A guard keeps its bytes and one segment while all other memory is used again and again; the
//! segment comes back when the guard is dropped or its process is dead.

use crate::WORKER;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vug::Region;
use vug_tests::victim::encode;
use vug_tests::{Answer, TempHome, Worker, assert_clean};

const MAX_BYTES: u64 = 2 << 20;
const SEGMENT: u64 = 64 << 10;
/// How often every segment but the protected one is used again.
const TIMES: u64 = 1000;

fn region(home: &TempHome) -> Region {
    let node = home.node();
    let builder = node.region("held").max_bytes(MAX_BYTES).segment_bytes(SEGMENT);
    builder.create().expect("a new region")
}

/// Puts so much through the region that each of its segments is recycled `times` times.
fn recycle(region: &Region, times: u64) {
    for n in 0..times * (MAX_BYTES / SEGMENT) {
        region.put(b"flood", &encode(n, SEGMENT as usize - 1500)).expect("put");
    }
}

/// A worker that holds a guard on a value that is replaced then.
fn reader(home: &TempHome, region: &Region) -> (Worker, String) {
    let kept = "kept".repeat(500);
    region.put(b"kept", kept.as_bytes()).expect("put");
    let mut reader = Worker::open(WORKER, home.path(), "held");
    assert_eq!(reader.ask("hold kept").word(), kept);
    // In another segment, so that the first one holds nothing that lives.
    region.put(b"flood", &encode(0, SEGMENT as usize - 1500)).expect("put");
    region.put(b"kept", b"another").expect("put");
    (reader, kept)
}

fn quarantined(region: &Region) -> u32 {
    // Whoever needs memory looks whether what waits may be used.
    recycle(region, 2);
    region.statistics().segments_quarantined
}

#[test]
fn case_04_guard_is_dropped() {
    let home = TempHome::new();
    let region = region(&home);
    let (mut reader, kept) = reader(&home, &region);
    recycle(&region, TIMES);
    assert_eq!(quarantined(&region), 1);
    assert_eq!(reader.ask("drop").word(), kept);
    assert_eq!(quarantined(&region), 0);
    reader.exit();
    assert_clean(region.path());
}

#[test]
fn case_04_reader_is_killed() {
    let home = TempHome::new();
    let region = region(&home);
    let (reader, _) = reader(&home, &region);
    recycle(&region, 20);
    assert_eq!(quarantined(&region), 1);
    reader.kill();
    region.recover().expect("recover");
    assert_eq!(quarantined(&region), 0);
    assert_clean(region.path());
}

#[test]
fn case_04_reader_is_stopped() {
    let home = TempHome::new();
    let region = region(&home);
    recycle(&region, 20);
    let before = region.statistics().backed_bytes;
    let (mut reader, kept) = reader(&home, &region);
    let pid = Pid::from_raw(i32::try_from(reader.pid()).expect("a pid"));
    kill(pid, Signal::SIGSTOP).expect("own child");
    recycle(&region, 100);
    let counters = region.statistics();
    // The segment with the kept value, and the one that the reader may have begun.
    assert!(counters.backed_bytes <= before + 2 * SEGMENT, "{before}: {counters:#?}");
    assert_eq!(quarantined(&region), 1);
    kill(pid, Signal::SIGCONT).expect("own child");
    assert_eq!(reader.ask("drop").word(), kept);
    assert_eq!(reader.ask("get kept"), Answer::Ok(vec!["another".into()]));
    assert_eq!(quarantined(&region), 0);
}
