//! Regions of which most lives: writers clean, several at a time, while some of them are stopped or
//! killed in the middle of it, or keep what was emptied. None may be told that there is no space.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use vug::{MaintainOptions, Node, Region};
use vug_tests::victim::tight::{fill, rewrite};
use vug_tests::{TempHome, assert_clean};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");

/// Another process that overwrites; killed if it is left alone.
struct Cleaner(Child);

impl Cleaner {
    /// It is attached when this returns, and waits. `at`: where it stops.
    fn new(home: &TempHome, seed: u64, count: u64, threads: u64, at: Option<&str>) -> Cleaner {
        let mut command = Command::new(VICTIM);
        command.arg("rewrite").arg(home.path());
        command.args([seed, count, threads].map(|n| n.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(at) = at {
            command.env("VUG_STOP_AT", at);
        }
        let mut child = command.spawn().expect("the victim starts");
        let mut ready = [0; 6];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut ready).expect("it attaches");
        Cleaner(child)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"))
    }

    fn start(&mut self) {
        self.0.stdin.as_mut().expect("a pipe").write_all(b"!").expect("it listens");
    }

    /// Lets it work until it stops in the middle of cleaning.
    fn run_to_stop(&mut self) {
        self.start();
        match waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).expect("own child") {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Lets it go on, and waits for its good end.
    fn resume(mut self) {
        kill(self.pid(), Signal::SIGCONT).expect("own child");
        self.end();
    }

    fn end(&mut self) {
        let status = self.0.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn filled(home: &TempHome, segments: u64, live: u64) -> (Node, Region, u64) {
    let node = home.node();
    let (region, entries) = fill(&node, segments, live);
    (node, region, entries)
}

/// Each of them has taken a segment for copies, and none has made one free.
#[test]
fn cleaners_that_are_stopped_leave_room_for_others() {
    for at in ["clean.moved", "clean.claimed", "append.announced", "reclaim.quarantined"] {
        let home = TempHome::new();
        let (node, region, entries) = filled(&home, 128, 75);
        let new = |seed| Cleaner::new(&home, seed, 3000, 1, Some(at));
        let mut others: Vec<Cleaner> = (1..4).map(new).collect();
        // Whoever writes next restores the reserve for as many.
        rewrite(&region, entries, 77, 2000);
        others.iter_mut().for_each(Cleaner::run_to_stop);
        rewrite(&region, entries, 78, 15_000);
        let killed = others.pop().expect("three");
        drop(killed);
        rewrite(&region, entries, 79, 3000);
        others.into_iter().for_each(Cleaner::resume);
        rewrite(&region, entries, 80, 3000);
        node.recover().expect("recover");
        assert_eq!(region.len().expect("len"), entries, "{at}");
        assert_clean(region.path());
    }
}

/// More processes than the reserve of so small a region is for, and more threads than lanes.
#[test]
fn many_clean_at_the_same_time() {
    for (segments, live, processes, threads) in [(128, 78, 2, 1), (128, 60, 5, 4), (64, 40, 3, 8)] {
        let home = TempHome::new();
        let (node, region, entries) = filled(&home, segments, live);
        let count = 24_000 / processes / threads;
        let new = |seed| Cleaner::new(&home, seed, count, threads, None);
        let mut others: Vec<Cleaner> = (1..=processes).map(new).collect();
        others.iter_mut().for_each(Cleaner::start);
        rewrite(&region, entries, 90, 4000);
        others.iter_mut().for_each(Cleaner::end);
        node.recover().expect("recover");
        region.maintain(&MaintainOptions::default()).expect("maintain");
        assert_eq!(region.len().expect("len"), entries);
        assert_clean(region.path());
    }
}

/// Guards keep segments that would be the best to clean.
#[test]
fn what_guards_keep_is_not_cleaned_in_vain() {
    let home = TempHome::new();
    let (_node, region, entries) = filled(&home, 128, 70);
    let kept: Vec<_> = region
        .iter()
        .step_by(entries as usize / 12)
        .map(|entry| region.get_owned(&entry.expect("entry").key).expect("get").expect("there"))
        .collect();
    let before: Vec<Vec<u8>> = kept.iter().map(|value| value.to_vec()).collect();
    assert!(kept.len() >= 12);
    rewrite(&region, entries, 5, 30_000);
    assert!(kept.iter().zip(&before).all(|(now, before)| **now == before[..]));
    drop(kept);
    rewrite(&region, entries, 6, 1000);
    assert_clean(region.path());
}
