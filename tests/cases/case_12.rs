//! Lost wake-up: nobody sleeps past a change, and a waiter that is killed costs nothing for long.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use crate::WORKER;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vug::Region;
use vug_tests::{Answer, TempHome, Worker, wait_until};

const MAX_BYTES: u64 = 4 << 20;
/// Rounds of each pair; a million with `VUG_ROUNDS=1000000`.
const ROUNDS: u64 = 5000;

fn rounds() -> u64 {
    std::env::var("VUG_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"))
}

/// A worker that looks again only when it is woken: a lost wake would be an endless sleep.
fn trusting(home: &TempHome) -> Worker {
    let mut command = Command::new(WORKER);
    command.env("VUG_TRUST_WAKES", "1");
    let mut worker = Worker::start_command(command);
    let answer = worker.ask(format_args!("open {} r", home.path().display()));
    assert_eq!(answer, Answer::Ok(Vec::new()));
    worker
}

fn new_region(home: &TempHome) -> (vug::Node, Region) {
    let node = home.node();
    let region = node.region("r").max_bytes(MAX_BYTES).create().expect("a new region");
    (node, region)
}

/// Three pairs of processes on whatever cores there are, each waiting for the other in turn, in
/// another way each.
#[test]
fn case_12_no_wake_up_is_lost() {
    let home = TempHome::new();
    let (_node, _region) = new_region(&home);
    let mut workers = Vec::new();
    for how in ["key", "region", "events"] {
        for (mine, theirs) in [("a", "b"), ("b", "a")] {
            let mut worker = trusting(&home);
            let keys = format!("{how}-{mine} {how}-{theirs}");
            worker.send(format_args!("ping-pong {how} {keys} {}", rounds()));
            workers.push(worker);
        }
    }
    for worker in &mut workers {
        assert_eq!(worker.answer(), Answer::Ok(Vec::new()));
    }
}

/// Who waits for an entry hears that it was evicted.
#[test]
fn case_12_an_eviction_wakes() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(MAX_BYTES).eviction(vug::Eviction::S3Fifo);
    let region = region.max_entries(20).create().expect("a new region");
    region.put(b"k", b"v").expect("put");
    let mut worker = trusting(&home);
    worker.send("wait k");
    wait_until("somebody sleeps", || sleepers(region.path()).1 != 0);
    // The last of these writes evicts it after it woke those who wait for its own key.
    // Used once, the others are kept beside it, so that it is its turn at last. A walk over all
    // entries does not count as a use of them.
    for n in 0_u32.. {
        assert!(n < 100_000, "it is not evicted");
        region.put(&n.to_le_bytes(), b"v").expect("put");
        drop(region.get(&n.to_le_bytes()).expect("get"));
        if !region.iter().any(|entry| entry.expect("entry").key == b"k") {
            break;
        }
    }
    assert_eq!(worker.answer(), Answer::Ok(Vec::new()));
}

/// The words that say who sleeps (shm/FORMAT.md): `event_sleepers`, the bits of `key_sleepers`.
fn sleepers(region: &Path) -> (u32, u32) {
    let file = std::fs::File::open(region).expect("the region file");
    let word = |at| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at).expect("a word");
        u32::from_le_bytes(bytes)
    };
    (word(4096 + 192 + 4) & 1, word(4096 + 192 + 8))
}

#[test]
fn case_12_a_killed_waiter_leaves_no_cost() {
    let home = TempHome::new();
    let (node, region) = new_region(&home);
    for round in 0..20_u8 {
        let mut waiter = trusting(&home);
        waiter.send("wait key");
        wait_until("it sleeps", || sleepers(region.path()).1 != 0);
        waiter.kill();
        assert_ne!(sleepers(region.path()).1, 0, "nobody clears for the dead");
        region.put(b"key", &[round]).expect("put");
        assert_eq!(sleepers(region.path()), (0, 0), "the next writer does");
    }
    node.recover().expect("recover");
}

/// Others of the node are stopped at no particular place while two play on.
#[test]
fn case_12_waiting_among_stopped_processes() {
    let home = TempHome::new();
    let (_node, region) = new_region(&home);
    let mut stopped = Worker::open(WORKER, home.path(), "r");
    let pid = Pid::from_raw(i32::try_from(stopped.pid()).expect("a pid"));
    stopped.send("loop-put noise 0");
    let before = region.statistics().counters.puts;
    wait_until("it writes", || region.statistics().counters.puts > before + 50);
    for round in 0..20 {
        kill(pid, Signal::SIGSTOP).expect("own child");
        let mut players: Vec<Worker> = Vec::new();
        for (mine, theirs) in [("a", "b"), ("b", "a")] {
            let mut player = trusting(&home);
            player.send(format_args!("ping-pong key {round}-{mine} {round}-{theirs} 100"));
            players.push(player);
        }
        for player in &mut players {
            assert_eq!(player.answer(), Answer::Ok(Vec::new()));
        }
        kill(pid, Signal::SIGCONT).expect("own child");
        let before = region.statistics().counters.puts;
        wait_until("it goes on", || region.statistics().counters.puts > before + 10);
    }
    stopped.kill();
}
