//! What a worker process is told to do, and what it tells afterwards.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use vug_workload::{Distribution, Mix, Sizes};

/// Width of a bin of [`Outcome::timeline`] in milliseconds.
pub(super) const BIN_MS: u64 = 20;
/// Latencies above a minute count as a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// Kind of work.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Job {
    /// Operations of a mix.
    Mix(Mix),
    /// A cache beside a store: what a read does not find is put.
    LookAside,
    /// Stores entries that were not there until all are, each worker its share.
    Grow,
    /// Holds guards, and does nothing until it is killed.
    Hold,
}

/// One process's work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    /// Where the region is.
    pub(super) home: PathBuf,
    pub(super) job: Job,
    pub(super) entries: u32,
    pub(super) sizes: Sizes,
    pub(super) distribution: Distribution,
    pub(super) threads: u32,
    /// Number of the first thread among those of all processes.
    pub(super) first: u32,
    /// Threads of all processes.
    pub(super) workers: u32,
    pub(super) seconds: f64,
    /// Operations a second that each thread begins, whether or not it is done with those before.
    pub(super) pace: Option<f64>,
    /// Processor of the process, if it is to stay there.
    pub(super) cpu: Option<usize>,
}

/// What one or more workers did.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) operations: u64,
    /// Operations a second, of all workers together.
    pub(super) rate: f64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    /// Writes that found no room.
    pub(super) failures: u64,
    /// Latencies in nanoseconds and how often they occurred: of reads, and of writes.
    pub(super) latencies: [Vec<(u64, u64)>; 2],
    /// Operations in each bin since the start.
    pub(super) timeline: Vec<u64>,
}

impl Outcome {
    pub(super) fn add(&mut self, other: Outcome) {
        self.operations += other.operations;
        self.rate += other.rate;
        self.hits += other.hits;
        self.misses += other.misses;
        self.failures += other.failures;
        for (mine, theirs) in self.latencies.iter_mut().zip(other.latencies) {
            mine.extend(theirs);
        }
        let bins = self.timeline.len().max(other.timeline.len());
        self.timeline.resize(bins, 0);
        self.timeline.iter_mut().zip(other.timeline).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Latencies of writes.
    pub(super) fn writes(&self) -> Histogram<u64> {
        histogram(&self.latencies[1..])
    }

    /// Latencies of all operations.
    pub(super) fn all(&self) -> Histogram<u64> {
        histogram(&self.latencies)
    }

    /// Percent of the reads that found their entry.
    pub(super) fn hit_percent(&self) -> f64 {
        self.hits as f64 * 100.0 / (self.hits + self.misses).max(1) as f64
    }
}

fn histogram(parts: &[Vec<(u64, u64)>]) -> Histogram<u64> {
    let mut histogram = empty();
    for &(latency, count) in parts.iter().flatten() {
        histogram.saturating_record_n(latency, count);
    }
    histogram
}

/// Three digits; saturates at its bound, and does not grow.
pub(super) fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds that are constants and valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_added() {
        let one = Outcome {
            operations: 3,
            rate: 1.5,
            hits: 1,
            misses: 1,
            latencies: [vec![(100, 2)], vec![(1000, 1)]],
            timeline: vec![3],
            ..Outcome::default()
        };
        let mut both = one.clone();
        both.add(Outcome { timeline: vec![1, 2], ..one });
        assert_eq!((both.operations, both.hits, both.timeline), (6, 2, vec![4, 2]));
        let sum = histogram(&both.latencies);
        assert_eq!((sum.len(), sum.value_at_quantile(0.5)), (6, 100));
        assert!(sum.max().abs_diff(1000) < 2);
    }
}
