//! Keys and the order in which they are asked for.

pub use vug_workload::Distribution;
pub(crate) use vug_workload::mix;
use vug_workload::{Draws, Random};

/// Length of every key in bytes.
pub const KEY_LEN: usize = 16;

/// How many entries of which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Number of entries.
    pub entries: u32,
    /// Length of every value in bytes.
    pub value_len: usize,
}

impl Load {
    /// The four sizes of the published tables.
    pub const ALL: [Load; 4] = [
        Load { entries: 100_000, value_len: 64 },
        Load { entries: 100_000, value_len: 1024 },
        Load { entries: 2_000_000, value_len: 64 },
        Load { entries: 2_000_000, value_len: 1024 },
    ];

    /// Bytes of keys and values.
    pub fn bytes(&self) -> u64 {
        u64::from(self.entries) * (KEY_LEN + self.value_len) as u64
    }

    /// True if the machine has three times the memory this takes; otherwise says so.
    pub fn fits(&self) -> bool {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let available = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemAvailable:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            .map_or(u64::MAX, |kib| kib << 10);
        let fits = available / 6 > self.bytes();
        if !fits {
            println!("skipped: {self}: not enough memory free");
        }
        fits
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.entries {
            n if n >= 1_000_000 && n % 100_000 == 0 => write!(f, "{}M", f64::from(n) / 1e6)?,
            n if n >= 1000 && n % 1000 == 0 => write!(f, "{}k", n / 1000)?,
            n => write!(f, "{n}")?,
        }
        write!(f, " x {} B", self.value_len)
    }
}

/// What is done with the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Reads entries that are there.
    Get,
    /// Overwrites entries.
    Put,
    /// Asks for entries that are not there.
    Miss,
    /// Reads or overwrites, each half of the time at random: YCSB's workload A.
    Mixed,
}

impl Work {
    const NAMES: [(Work, &str); 4] =
        [(Work::Get, "get"), (Work::Put, "put"), (Work::Miss, "miss"), (Work::Mixed, "mixed")];
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let found = Work::NAMES.iter().find(|(work, _)| work == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl std::str::FromStr for Work {
    type Err = String;

    fn from_str(text: &str) -> Result<Work, String> {
        let found = Work::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(work, _)| *work).ok_or_else(|| format!("unknown work {text}"))
    }
}

/// The key of entry `n`.
pub fn key(n: u32) -> [u8; KEY_LEN] {
    let mut key = [0; KEY_LEN];
    key[..8].copy_from_slice(&u64::from(n).to_le_bytes());
    key[8..].copy_from_slice(&mix(u64::from(n)).to_le_bytes());
    key
}

/// Numbers of entries in the order of the requests: one lap, or as many draws as there are entries,
/// of what is drawn by rank a million.
pub fn sequence(distribution: Distribution, entries: u32, seed: u64) -> Vec<u32> {
    match distribution {
        Distribution::Laps => {
            let mut random = Random(seed);
            let mut order: Vec<u32> = (0..entries).collect();
            for last in (1..order.len()).rev() {
                order.swap(last, random.below(last as u64 + 1) as usize);
            }
            order
        }
        _ => {
            let mut draws = Draws::new(distribution, entries, seed);
            let ranked = matches!(distribution, Distribution::Zipf | Distribution::Latest);
            let len = if ranked { 1_000_000 } else { entries };
            (0..len).map(|_| draws.next_entry()).collect()
        }
    }
}

/// Requests without end.
#[derive(Debug)]
pub struct Requests {
    entries: u32,
    random: Random,
    /// Repeated for ever; empty if each request is drawn anew.
    lap: Vec<u32>,
    at: usize,
    batch: [u32; Requests::BATCH],
}

impl Requests {
    /// How many come at once.
    pub const BATCH: usize = 256;

    /// Requests for a load; other seeds give others.
    pub fn new(distribution: Distribution, load: Load, seed: u64) -> Requests {
        let lap = match distribution {
            Distribution::Uniform => Vec::new(),
            _ => sequence(distribution, load.entries, seed),
        };
        let batch = [0; Requests::BATCH];
        Requests { entries: load.entries, random: Random(mix(seed)), lap, at: 0, batch }
    }

    /// The next ones.
    pub fn next_batch(&mut self) -> &[u32] {
        if self.lap.is_empty() {
            self.batch.fill_with(|| self.random.below(u64::from(self.entries)) as u32);
            return &self.batch;
        }
        let start = self.at;
        let end = (start + Requests::BATCH).min(self.lap.len());
        self.at = if end == self.lap.len() { 0 } else { end };
        &self.lap[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_lap_visits_every_entry_once() {
        let lap = sequence(Distribution::Laps, 1000, 1);
        assert_eq!(lap.len(), 1000);
        assert_eq!(lap.iter().collect::<HashSet<_>>().len(), 1000);
        assert_ne!(lap, sequence(Distribution::Laps, 1000, 2));
    }

    #[test]
    fn zipf_prefers_few() {
        let requests = sequence(Distribution::Zipf, 1000, 1);
        let mut counts = vec![0u32; 1000];
        requests.iter().for_each(|&n| counts[n as usize] += 1);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let total: u32 = counts.iter().sum();
        // The first of a thousand gets 1/H of all requests, H being about 7.7.
        let share = f64::from(counts[0]) / f64::from(total);
        assert!((0.11..0.15).contains(&share), "{share}");
        assert!(counts[..100].iter().sum::<u32>() * 2 > total);
    }

    #[test]
    fn requests_repeat_laps_and_draw_anew() {
        let load = Load { entries: 300, value_len: 8 };
        let mut laps = Requests::new(Distribution::Laps, load, 1);
        let first: Vec<u32> = (0..2).flat_map(|_| laps.next_batch().to_vec()).collect();
        assert_eq!(first, sequence(Distribution::Laps, 300, 1));
        assert_eq!(laps.next_batch(), &first[..Requests::BATCH]);
        let mut uniform = Requests::new(Distribution::Uniform, load, 1);
        let first = uniform.next_batch().to_vec();
        assert!(first.iter().all(|&n| n < 300));
        assert_ne!(uniform.next_batch(), first);
    }

    #[test]
    fn keys_differ() {
        let keys: HashSet<_> = (0..10_000).map(key).collect();
        assert_eq!(keys.len(), 10_000);
    }
}
