//! Several processes write entries that expire, and sweep them, and are killed.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::process::Child;
use std::time::Duration;
use vug::{Expiry, Node, WriteOptions};
use vug_tests::victim::{BUDGET, LOCAL, Nursery, capacity};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");

fn audit(node: &Node) {
    let region = node.region(LOCAL).open().expect("open");
    let report = vug::check::check_file(region.path()).expect("the file can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
}

/// What a process has said it expired.
fn told(out: &str) -> u64 {
    let counts = out.lines().filter_map(|line| line.strip_prefix("expired "));
    counts.map(|count| count.parse::<u64>().expect("a number")).sum()
}

/// Each entry is taken out by exactly one of them: the counts add up, and so do the bytes that
/// are counted as dead, which the audit compares with the marks when nobody is there any more.
#[test]
fn four_sweepers_expire_every_entry_once() {
    const ENTRIES: u64 = 20_000;
    let nursery = Nursery::with_max_bytes(VICTIM, 16 << 20);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let life = WriteOptions::ttl(Duration::from_secs(3600));
    for n in 0..ENTRIES {
        region.put_with(format!("entry-{n}").as_bytes(), b"value", &life).expect("put");
    }
    let sweepers = [(); 4].map(|()| {
        let mut command = nursery.command("sweep", &[]);
        command.env("VUG_CLOCK_AHEAD", (7200 * 1_000_000_u64).to_string());
        command.spawn().expect("a sweeper starts")
    });
    let expired = sweepers.map(|sweeper| {
        let output = sweeper.wait_with_output().expect("it ends");
        assert!(output.status.success());
        told(&String::from_utf8_lossy(&output.stdout))
    });
    assert_eq!(expired.iter().sum::<u64>(), ENTRIES, "{expired:?}");
    assert_eq!(region.len().expect("len"), 0);
    assert_eq!(region.statistics().counters.expired, ENTRIES);
    let path = region.path().to_owned();
    drop((region, node));
    let report = vug::check::check_file(&path).expect("the file can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
    assert_eq!((report.entries, report.live_bytes), (0, 0));
}

/// A cleaner is stopped between the copy of a record and the CAS that puts it in place; what is
/// read meanwhile counts as used all the same.
#[test]
fn an_access_while_an_entry_is_moved_is_not_forgotten() {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let hour = Duration::from_secs(3600);
    region.set_entry_idle(Some(Expiry::destroy(hour))).expect("an idle time");
    let key = |n: u32| format!("entry-{n}").into_bytes();
    for n in 0..100 {
        region.put(&key(n), &[n as u8; 3000]).expect("put");
    }
    let kept = || (0..100).step_by(10);
    for n in (0..100).filter(|n| n % 10 != 0) {
        region.remove(&key(n)).expect("remove");
    }
    let mut command = nursery.command("maintain", &[]);
    let mut cleaner = command.env("VUG_STOP_AT", "clean.intended").spawn().expect("it starts");
    let pid = Pid::from_raw(cleaner.id() as i32);
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).expect("own child");
    assert_eq!(stopped, WaitStatus::Stopped(pid, Signal::SIGSTOP));
    vug::advance_clock(hour * 3 / 4);
    for n in kept() {
        assert!(region.get(&key(n)).expect("get").is_some(), "{n}");
    }
    kill(pid, Signal::SIGCONT).expect("own child");
    assert!(cleaner.wait().expect("own child").success());
    vug::advance_clock(hour * 3 / 4);
    for n in kept() {
        assert!(region.get(&key(n)).expect("get").is_some(), "{n} was used not long ago");
    }
    audit(&node);
}

/// Kills a process and returns what it had said.
fn end(mut child: Child) -> u64 {
    assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
    child.kill().expect("kill");
    let output = child.wait_with_output().expect("it ends");
    told(&String::from_utf8_lossy(&output.stdout))
}

#[test]
fn sweepers_and_writers_are_killed() {
    const KILLS: u64 = 40;
    let nursery = Nursery::with_max_bytes(VICTIM, 8 << 20);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let _events = region.subscribe();
    // The first time the index grows to its size.
    capacity(&region);
    let room = capacity(&region);
    let start = |generation: u64| {
        let mut command = nursery.command("mortal", &[&(generation << 32).to_string()]);
        command.spawn().expect("a writer starts")
    };
    let mut writers: Vec<Child> = (1..=4).map(start).collect();
    let mut expired = 0;
    for kill_number in 0..KILLS {
        // Long enough to be at work; what is asserted does not depend on it.
        std::thread::sleep(Duration::from_millis(15 + kill_number * 7 % 20));
        let place = (kill_number * 5 % 4) as usize;
        expired += end(std::mem::replace(&mut writers[place], start(10 + kill_number)));
    }
    expired += writers.into_iter().map(end).sum::<u64>();
    node.recover().expect("recover");
    audit(&node);
    let counted = region.statistics().counters.expired;
    // Who is killed may have counted what it could not say, or taken out what it could not count.
    let unsaid = (KILLS + 4) * BUDGET as u64;
    assert!(expired <= counted && counted <= expired + unsaid, "{expired} of {counted}");
    vug::advance_clock(Duration::from_secs(60));
    let entries = region.len().expect("len");
    let immortal = region.iter().count() as u64;
    let swept = region.sweep(usize::MAX).expect("sweep");
    assert_eq!((swept.expired, swept.stuck), (entries - immortal, 0));
    let keys: Vec<_> = region.iter().map(|entry| entry.expect("entry").key).collect();
    for key in keys {
        region.destroy(&key).expect("destroy");
    }
    assert_eq!(region.len().expect("len"), 0);
    // The first time some space is lost in segments that dead writers had begun.
    capacity(&region);
    let found = capacity(&region);
    let per_segment = region.statistics().segment_bytes / 1000;
    assert!(found + per_segment >= room, "room for {found} of {room}: {:#?}", region.statistics());
    let counters = region.statistics();
    assert_eq!((counters.threads, counters.pins), (1, 0));
    audit(&node);
}
