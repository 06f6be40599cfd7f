//! One process of a bench: waits for the start, works, and reports what it measured.
//!
//! Every eighth operation is timed, so that the clock does not become what is measured.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use vug::{Region, WriteOptions};

use super::requests::{Draws, Keys, Kind, Random, Trace};
use crate::args::{BenchWork, BenchWorker};
use crate::cmd::Context;
use crate::failure::{Failure, code};
use crate::parent;

/// One operation in so many is timed.
const TIMED: u64 = 8;
/// Operations between two looks at the clock.
const STEP: u64 = 256;
/// Latencies above that are counted as that.
const LONGEST_NS: u64 = 60_000_000_000;

/// What was measured of one kind of operation.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) count: u64,
    /// Reads that found the key, removals that removed something.
    pub(super) hits: u64,
    /// Writes that found no room, or no acknowledgement in time.
    pub(super) failures: u64,
    /// Latencies in nanoseconds and how often they occurred.
    pub(super) latencies: Vec<(u64, u64)>,
}

/// A histogram for all latencies that occur; it saturates at its bound, and does not grow.
fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are constants that fit"))
}

impl Measured {
    /// The latencies of all workers together.
    pub(super) fn histogram(&self) -> Histogram<u64> {
        let mut histogram = empty();
        for (latency, count) in &self.latencies {
            histogram.saturating_record_n(*latency, *count);
        }
        histogram
    }
}

/// What a worker reports; in the order of [`Kind::ALL`].
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) elapsed_ns: u64,
    pub(super) measured: [Measured; 3],
}

pub(in crate::cmd) fn run(context: &Context, args: &BenchWorker) -> Result<(), Failure> {
    parent::die_with(args.parent)?;
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let source = Source::new(&args.work, args.number)?;
    println!("ready");
    // The start is a byte on standard input.
    let started = io::stdin().lock().read(&mut [0]);
    started.map_err(|cause| failed(&format!("the start was not given: {cause}")))?;
    let begin = Instant::now();
    let workers = args.processes * args.work.threads;
    let report = std::thread::scope(|scope| {
        let first = args.number * args.work.threads;
        let threads: Vec<_> = (first..first + args.work.threads)
            .map(|number| {
                let (region, work, source) = (&region, &args.work, &source);
                scope.spawn(move || Thread::new(region, work).run(source, number, workers))
            })
            .collect();
        let mut report = Report::default();
        for thread in threads {
            let done = thread.join().map_err(|_| failed("a thread panicked"))?;
            report.add(done?);
        }
        Ok::<_, Failure>(report)
    })?;
    let report = Report { elapsed_ns: begin.elapsed().as_nanos() as u64, ..report };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &report)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(out))
        .map_err(|cause| Failure::output(&cause))
}

fn failed(what: &str) -> Failure {
    Failure::new(code::BENCH, what, "run the bench again; report it if it happens twice")
}

/// Where the operations come from.
enum Source {
    Mix(Keys, Arc<[u32]>),
    Trace(Trace),
}

impl Source {
    fn new(work: &BenchWork, process: u32) -> Result<Self, Failure> {
        match &work.trace {
            Some(path) => Trace::read(path, work.value_bytes).map(Self::Trace),
            None => Ok(Self::Mix(Keys::new(work)?, Draws::lap(work, process))),
        }
    }
}

impl Report {
    pub(super) fn add(&mut self, other: Report) {
        self.elapsed_ns = self.elapsed_ns.max(other.elapsed_ns);
        for (mine, theirs) in self.measured.iter_mut().zip(other.measured) {
            mine.count += theirs.count;
            mine.hits += theirs.hits;
            mine.failures += theirs.failures;
            mine.latencies.extend(theirs.latencies);
        }
    }
}

struct Thread<'a> {
    region: &'a Region,
    work: &'a BenchWork,
    options: WriteOptions,
    buffer: Vec<u8>,
    value: Vec<u8>,
    /// Operations of all kinds so far.
    number: u64,
    done: [(u64, u64, u64); 3],
    histograms: [Histogram<u64>; 3],
}

impl<'a> Thread<'a> {
    fn new(region: &'a Region, work: &'a BenchWork) -> Self {
        Self {
            region,
            work,
            options: WriteOptions::ack_within(work.ack.ack_within),
            buffer: Vec::new(),
            value: Vec::new(),
            number: 0,
            done: [(0, 0, 0); 3],
            histograms: [empty(), empty(), empty()],
        }
    }

    /// Worker `number` of `workers`, of all processes.
    fn run(mut self, source: &Source, number: u32, workers: u32) -> Result<Report, Failure> {
        let until = Instant::now() + self.work.time;
        match source {
            Source::Mix(keys, lap) => {
                let draws = Draws::new(self.work, lap, (u64::from(number) + 1) << 32);
                self.mix(keys, draws, until)?;
            }
            Source::Trace(trace) => {
                self.replay(trace, number as usize, workers as usize, until)?;
            }
        }
        let mut report = Report::default();
        for (index, measured) in report.measured.iter_mut().enumerate() {
            (measured.count, measured.hits, measured.failures) = self.done[index];
            let recorded = self.histograms[index].iter_recorded();
            measured.latencies =
                recorded.map(|value| (value.value_iterated_to(), value.count_at_value())).collect();
        }
        Ok(report)
    }

    fn mix(&mut self, keys: &Keys, mut draws: Draws, until: Instant) -> Result<(), Failure> {
        self.fill(self.work.value_bytes as usize);
        while !(self.number.is_multiple_of(STEP) && Instant::now() >= until) {
            let key = keys.key(draws.next());
            let kind = if draws.reads(self.work.reads) { Kind::Get } else { Kind::Put };
            self.operate(kind, key, self.value.len())?;
        }
        Ok(())
    }

    /// Every worker plays its share, in order.
    fn replay(
        &mut self,
        trace: &Trace,
        number: usize,
        workers: usize,
        until: Instant,
    ) -> Result<(), Failure> {
        self.fill(trace.longest());
        for step in (number..trace.len()).step_by(workers) {
            if self.number.is_multiple_of(STEP) && Instant::now() >= until {
                break;
            }
            let (kind, key, length) = trace.step(step);
            self.operate(kind, key, length)?;
        }
        Ok(())
    }

    /// Values that do not compress, should anybody try.
    fn fill(&mut self, length: usize) {
        let mut random = Random(self.number);
        self.value = (0..length).map(|_| random.below(256) as u8).collect();
    }

    #[inline]
    fn operate(&mut self, kind: Kind, key: &[u8], length: usize) -> Result<(), Failure> {
        let begin = self.number.is_multiple_of(TIMED).then(Instant::now);
        self.number += 1;
        let result = match kind {
            Kind::Get => self.region.get_into(key, &mut self.buffer).map(|found| found.is_some()),
            Kind::Put => {
                self.region.put_with(key, &self.value[..length], &self.options).map(|_| true)
            }
            Kind::Del => self.region.remove_with(key, &self.options).map(|found| found.is_some()),
        };
        let index = kind as usize;
        if let Some(begin) = begin {
            self.histograms[index].saturating_record(begin.elapsed().as_nanos() as u64);
        }
        let (count, hits, failures) = &mut self.done[index];
        *count += 1;
        match result {
            Ok(hit) => *hits += u64::from(hit),
            Err(vug::Error::OutOfSpace { .. } | vug::Error::AckTimeout { .. }) => *failures += 1,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_latencies_stay_long() {
        let second = 1_000_000_000;
        let latencies = vec![(100, 998), (second, 1), (LONGEST_NS, 1)];
        let histogram = Measured { latencies, ..Measured::default() }.histogram();
        assert_eq!(histogram.value_at_quantile(0.5), 100);
        assert!(histogram.value_at_quantile(0.999).abs_diff(second) < second / 500);
        assert!(histogram.max().abs_diff(LONGEST_NS) < LONGEST_NS / 500);
    }
}
