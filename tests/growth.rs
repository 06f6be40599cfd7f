//! A region grows from one small table while several processes fill it and are killed.
//!
//! `VUG_GROWTH_KEYS` says how many keys each of the workers inserts (default 60,000).

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::thread::JoinHandle;
use std::time::Duration;

use vug::{MaintainOptions, Node, Region};
use vug_tests::victim::{GROWN, Nursery, grow};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const WORKERS: u64 = 4;

fn keys_per_worker() -> u64 {
    std::env::var("VUG_GROWTH_KEYS").map_or(60_000, |text| text.parse().expect("a number"))
}

/// A running worker and what it has said.
struct Worker {
    slot: u64,
    child: Child,
    listener: JoinHandle<u64>,
}

impl Worker {
    fn start(nursery: &Nursery, slot: u64, first: u64) -> Worker {
        let numbers = [slot, first, keys_per_worker()].map(|n| n.to_string());
        let [slot_text, first_text, end] = numbers.each_ref().map(String::as_str);
        let mut command = nursery.command("grow", &[slot_text, first_text, end]);
        let mut child = command.spawn().expect("the worker starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let listener = std::thread::spawn(move || {
            let lines = out.lines().map(|line| line.expect("text"));
            lines.map(|line| line.parse().expect("a number")).last().unwrap_or(first)
        });
        Worker { slot, child, listener }
    }

    /// Kills it, if it is not done. The first key that it has not inserted.
    fn kill(mut self, region: &Region) -> u64 {
        let _ = self.child.kill();
        let status = self.child.wait().expect("it ends");
        let was_killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
        assert!(was_killed || status.success(), "worker {} failed: {status}", self.slot);
        let said = self.listener.join().expect("a sound report");
        // Recovery finishes what it had begun; then nothing changes any more.
        region.recover().expect("recover");
        let there = |n: u64| region.contains_key(&grow::key(self.slot, n)).expect("get");
        let mut next = said;
        while (next..next + grow::LAG).any(there) {
            next += 1;
        }
        next
    }
}

/// Every key of the workers is there once, and nothing else.
fn verify(region: &Region, next: &[u64]) {
    let mut found: Vec<Vec<u32>> = next.iter().map(|&n| vec![0; n as usize]).collect();
    for entry in region.iter() {
        let entry = entry.expect("entry");
        let (slot, n) = grow::parse(&entry.key);
        assert_eq!(entry.value, n.to_le_bytes());
        found[slot as usize][n as usize] += 1;
    }
    let mut count = 0;
    for (slot, (&next, found)) in next.iter().zip(found).enumerate() {
        for (n, &times) in (0..).zip(&found) {
            let wanted = next.checked_sub(1).and_then(|last| grow::is_there(n, last));
            assert!(times <= 1, "key {n} of worker {slot} is there {times} times");
            assert!(wanted.is_none_or(|is| u32::from(is) == times), "key {n} of {slot}: {times}");
            count += u64::from(times);
        }
    }
    assert_eq!(region.len().expect("len"), count);
}

fn audit(region: &Region) {
    let report = vug::check::check_file(region.path()).expect("the file can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
}

fn grown(node: &Node) -> Region {
    // The address range is large, the memory what the keys need.
    let region = node.region(GROWN).max_bytes(64 << 30).segment_bytes(1 << 20);
    region.create().expect("create")
}

#[test]
fn processes_are_killed_while_a_region_grows() {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = grown(&node);
    let first_index = region.statistics().segments_index;
    let mut workers: Vec<Option<Worker>> =
        (0..WORKERS).map(|slot| Some(Worker::start(&nursery, slot, 0))).collect();
    let mut next = [0; WORKERS as usize];
    let (mut random, mut kills) = (88_172_645_463_325_252_u64, 0);
    while next.iter().any(|&next| next < keys_per_worker()) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_millis(5 + random % 25));
        let slot = (random >> 20) as usize % next.len();
        let Some(worker) = workers[slot].take() else {
            continue;
        };
        let reached = worker.kill(&region);
        assert!(reached >= next[slot], "worker {slot} lost keys: {reached} of {}", next[slot]);
        (next[slot], kills) = (reached, kills + 1);
        if reached < keys_per_worker() {
            workers[slot] = Some(Worker::start(&nursery, slot as u64, reached));
        }
    }
    node.recover().expect("recover");
    verify(&region, &next);
    audit(&region);
    let before = region.statistics();
    region.maintain(&MaintainOptions::default()).expect("maintain");
    let after = region.statistics();
    println!("{kills} kills, {} entries, {before:#?}", after.entries);
    assert!(after.segments_index <= before.segments_index, "old tables are freed");
    assert!(after.segments_index > first_index, "the region has grown");
    verify(&region, &next);
    audit(&region);
    let counters = region.statistics();
    assert_eq!((counters.threads, counters.pins), (1, 0));
}
