//! A process of the suite: the bench binary itself, started again. It takes a task as a line of
//! JSON, opens the region, says `ready`, waits for a line, works, and tells the outcome as JSON.
//!
//! In a closed loop every eighth operation is timed, so that the clock does not become what is
//! measured. In an open loop every operation has a time when it ought to begin, and its latency is
//! counted from there: an operation that waits behind a slow one is slow, too, and is not left out
//! (coordinated omission).

use super::task::{BIN_MS, Job, Outcome, Task, empty};
use crate::second::pin_to;
use hdrhistogram::Histogram;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};
use vug::{Error, Node, Region, Values};
use vug_workload::{Draws, Mix, Operation};

const FLAG: &str = "--suite-worker";
/// In a closed loop one operation in so many is timed.
const TIMED: u64 = 8;
/// Guards that [`Job::Hold`] holds.
const HELD: u32 = 64;
/// The longest scan; lengths are drawn uniformly, as in YCSB.
const SCAN: u32 = 100;

/// The arguments that make the bench binary a worker.
pub(super) fn arguments() -> [&'static str; 1] {
    [FLAG]
}

/// In a worker: works and returns true. False in the first process.
///
/// # Panics
/// When the task cannot be done; the first process sees that the worker has ended.
pub fn work_if_asked() -> bool {
    if std::env::args().nth(1).as_deref() != Some(FLAG) {
        return false;
    }
    let mut line = String::new();
    stdin().lock().read_line(&mut line).expect("a task");
    let task: Task = serde_json::from_str(&line).expect("a task in JSON");
    if let Some(cpu) = task.cpu {
        pin_to(cpu);
    }
    let node = Node::open(&task.home).expect("the node of the suite");
    let region = node.region("suite").open().expect("the region of the suite");
    let draws = Draws::new(task.distribution, task.entries, 0);
    if let Job::Hold = task.job {
        hold(&task, &region);
        return true;
    }
    say("ready");
    stdin().lock().read_line(&mut line).expect("the start");
    let start = Instant::now();
    let outcome = std::thread::scope(|scope| {
        let threads: Vec<_> = (task.first..task.first + task.threads)
            .map(|number| {
                let (task, region) = (&task, &region);
                let draws = draws.fork(u64::from(number) + 1);
                scope.spawn(move || Worker::new(task, region, number, draws, start).run())
            })
            .collect();
        let mut sum = Outcome::default();
        for thread in threads {
            sum.add(thread.join().expect("a thread that ends"));
        }
        sum
    });
    say(&serde_json::to_string(&outcome).expect("an outcome in JSON"));
    true
}

fn say(line: &str) {
    let mut out = stdout().lock();
    // Nobody is there to be told when this fails.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Holds guards all over the log until standard input ends.
fn hold(task: &Task, region: &Region) {
    let mut key = Vec::new();
    let step = (task.entries / HELD).max(1);
    let mut held = Vec::new();
    for n in (0..task.entries).step_by(step as usize) {
        task.sizes.key_into(n, &mut key);
        held.extend(region.get_owned(&key).expect("a guard"));
    }
    say("ready");
    let mut line = String::new();
    while stdin().lock().read_line(&mut line).is_ok_and(|read| read > 0) {}
    drop(held);
}

struct Worker<'a> {
    task: &'a Task,
    region: &'a Region,
    number: u32,
    draws: Draws,
    start: Instant,
    until: Duration,
    /// Entries that this worker inserted.
    inserted: u32,
    key: Vec<u8>,
    value: Vec<u8>,
    buffer: Vec<u8>,
    many: Values,
    outcome: Outcome,
    latencies: [Histogram<u64>; 2],
}

impl<'a> Worker<'a> {
    fn new(
        task: &'a Task,
        region: &'a Region,
        number: u32,
        draws: Draws,
        start: Instant,
    ) -> Worker<'a> {
        Worker {
            task,
            region,
            number,
            draws,
            start,
            until: Duration::from_secs_f64(task.seconds),
            inserted: 0,
            key: Vec::new(),
            value: vec![b'v'; task.sizes.most as usize],
            buffer: Vec::new(),
            many: Values::new(),
            outcome: Outcome::default(),
            latencies: [empty(), empty()],
        }
    }

    fn run(mut self) -> Outcome {
        match self.task.pace {
            Some(pace) => self.open_loop(pace),
            None => self.closed_loop(),
        }
        let seconds = self.start.elapsed().as_secs_f64();
        self.outcome.rate = self.outcome.operations as f64 / seconds;
        for (kept, histogram) in self.outcome.latencies.iter_mut().zip(&self.latencies) {
            let recorded = histogram.iter_recorded();
            *kept = recorded.map(|v| (v.value_iterated_to(), v.count_at_value())).collect();
        }
        self.outcome
    }

    fn closed_loop(&mut self) {
        loop {
            let begin = self.start.elapsed();
            if begin >= self.until || self.is_done() {
                return;
            }
            let written = self.operate();
            let end = self.start.elapsed();
            self.time(written, end - begin);
            for _ in 1..TIMED {
                self.operate();
            }
            self.count(end, TIMED);
        }
    }

    /// Begins an operation every so often, late if the one before took long.
    fn open_loop(&mut self, pace: f64) {
        let gap = Duration::from_secs_f64(1.0 / pace);
        // Workers do not begin at the same instant.
        let mut due = gap.mul_f64(f64::from(self.number) / f64::from(self.task.workers));
        while due < self.until && !self.is_done() {
            while self.start.elapsed() < due {
                std::hint::spin_loop();
            }
            let written = self.operate();
            let end = self.start.elapsed();
            self.time(written, end.saturating_sub(due));
            self.count(end, 1);
            due += gap;
        }
    }

    fn time(&mut self, written: bool, latency: Duration) {
        let histogram = &mut self.latencies[usize::from(written)];
        histogram.saturating_record((latency.as_nanos() as u64).max(1));
    }

    fn count(&mut self, now: Duration, operations: u64) {
        let bin = (now.as_millis() as u64 / BIN_MS) as usize;
        if self.outcome.timeline.len() <= bin {
            self.outcome.timeline.resize(bin + 1, 0);
        }
        self.outcome.timeline[bin] += operations;
        self.outcome.operations += operations;
    }

    fn is_done(&self) -> bool {
        matches!(self.task.job, Job::Grow) && self.next_new() >= self.task.entries
    }

    /// The entry that this worker inserts next: workers take turns, and never collide.
    fn next_new(&self) -> u32 {
        let base = if let Job::Grow = self.task.job { 0 } else { self.task.entries };
        base + self.inserted * self.task.workers + self.number
    }

    /// One operation; true if it wrote.
    fn operate(&mut self) -> bool {
        match self.task.job {
            Job::Mix(mix) => self.mixed(mix),
            Job::LookAside => {
                let n = self.draws.next_entry();
                let missed = !self.read(n);
                if missed {
                    self.write(n);
                }
                missed
            }
            Job::Grow => {
                self.insert();
                true
            }
            Job::Hold => false,
        }
    }

    fn mixed(&mut self, mix: Mix) -> bool {
        let operation = mix.next_operation(&mut self.draws);
        let now = self.task.entries + self.inserted * self.task.workers;
        match operation {
            Operation::Insert => self.insert(),
            Operation::Scan => self.scan(now),
            _ => {
                let n = self.draws.next_of(now);
                if operation != Operation::Update {
                    self.read(n);
                }
                if operation != Operation::Read {
                    self.write(n);
                }
            }
        }
        !matches!(operation, Operation::Read | Operation::Scan)
    }

    fn read(&mut self, n: u32) -> bool {
        self.task.sizes.key_into(n, &mut self.key);
        let found = self.region.get_into(&self.key, &mut self.buffer);
        let hit = found.expect("a read that succeeds").is_some();
        self.outcome.hits += u64::from(hit);
        self.outcome.misses += u64::from(!hit);
        hit
    }

    fn write(&mut self, n: u32) {
        self.task.sizes.key_into(n, &mut self.key);
        let len = self.task.sizes.value_len(n);
        match self.region.put(&self.key, &self.value[..len]) {
            Ok(_) => {}
            Err(Error::OutOfSpace { .. }) => self.outcome.failures += 1,
            Err(error) => panic!("put: {error}"),
        }
    }

    fn insert(&mut self) {
        self.write(self.next_new());
        self.inserted += 1;
    }

    /// Reads entries with neighbouring numbers: a hash table has no order to scan in.
    fn scan(&mut self, now: u32) {
        let first = self.draws.next_of(now);
        let last = first.saturating_add(1 + self.draws.below(SCAN)).min(now);
        let key = |n| {
            let mut key = Vec::new();
            self.task.sizes.key_into(n, &mut key);
            key
        };
        let keys: Vec<Vec<u8>> = (first..last).map(key).collect();
        self.region.get_many_into(&keys, &mut self.many).expect("reads that succeed");
        let found = self.many.iter().flatten().count() as u64;
        self.outcome.hits += found;
        self.outcome.misses += keys.len() as u64 - found;
    }
}
