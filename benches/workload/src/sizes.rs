//! How long keys and values are: one length, or drawn as published studies of caches found them.
//! Only the parameters of their models are used; no data of theirs is here.

use crate::random::{Random, mix};
use serde::{Deserialize, Serialize};

/// How a length is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Skew {
    /// Always the same.
    Fixed(u32),
    /// Either of two, alike.
    Either(u32, u32),
    /// Generalized Pareto.
    Pareto {
        /// The least.
        location: f64,
        /// How fast it grows.
        scale: f64,
        /// How heavy the tail is.
        shape: f64,
    },
    /// Generalized extreme value.
    Extreme {
        /// Near the most frequent.
        location: f64,
        /// How far they spread.
        scale: f64,
        /// How heavy the tail is.
        shape: f64,
    },
}

impl Skew {
    /// The length at a point of at least 0, below 1, by the inverse of the distribution function.
    fn at(self, point: f64) -> f64 {
        match self {
            Skew::Fixed(length) => f64::from(length),
            Skew::Either(one, other) => f64::from(if point < 0.5 { one } else { other }),
            Skew::Pareto { location, scale, shape } => {
                location + scale * ((1.0 - point).powf(-shape) - 1.0) / shape
            }
            Skew::Extreme { location, scale, shape } => {
                let point = point.max(f64::MIN_POSITIVE);
                location + scale * ((-point.ln()).powf(-shape) - 1.0) / shape
            }
        }
    }
}

/// Lengths of keys and values of one workload, and its share of reads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Of keys in bytes.
    pub key: Skew,
    /// Of values in bytes.
    pub value: Skew,
    /// Percent of the operations.
    pub reads: u8,
    /// No key and no value is longer.
    pub most: u32,
}

impl Sizes {
    /// Studies by name, and where they are published.
    pub const PUBLISHED: [(&'static str, Sizes, &'static str); 3] = [
        (
            "ETC",
            Sizes {
                key: Skew::Extreme { location: 30.7984, scale: 8.20449, shape: 0.078_688 },
                value: Skew::Pareto { location: 15.0, scale: 214.476, shape: 0.348_238 },
                reads: 97,
                most: 1 << 20,
            },
            "Atikoglu et al., Workload Analysis of a Large-Scale Key-Value Store, SIGMETRICS 2012: \
             pool ETC, 30 reads for each write; values of under 15 bytes are left out",
        ),
        (
            "USR",
            Sizes { key: Skew::Either(16, 21), value: Skew::Fixed(2), reads: 99, most: 21 },
            "the same: pool USR, values of 2 bytes, 99.8 % reads, here 99",
        ),
        (
            "ZippyDB",
            Sizes {
                key: Skew::Fixed(48),
                value: Skew::Pareto { location: 0.0, scale: 25.45, shape: 0.2615 },
                reads: 85,
                most: 1 << 20,
            },
            "Cao et al., Characterizing, Modeling, and Benchmarking RocksDB Key-Value Workloads, \
             FAST 2020: sizes and share of reads of ZippyDB, without its seeks",
        ),
    ];

    /// One length for all.
    pub const fn fixed(key: u32, value: u32, reads: u8) -> Sizes {
        let most = if key > value { key } else { value };
        Sizes { key: Skew::Fixed(key), value: Skew::Fixed(value), reads, most }
    }

    /// Length of the key of entry `n`: at least 8, so that keys can differ.
    pub fn key_len(&self, n: u32) -> usize {
        let point = Random(mix(u64::from(n))).unit();
        (self.key.at(point) as usize).clamp(8, self.most.min(65_536) as usize)
    }

    /// Length of the value of entry `n`, at least 1.
    pub fn value_len(&self, n: u32) -> usize {
        let point = Random(mix(!u64::from(n))).unit();
        (self.value.at(point) as usize).clamp(1, self.most as usize)
    }

    /// Puts the key of entry `n` into a buffer.
    #[inline]
    pub fn key_into(&self, n: u32, key: &mut Vec<u8>) {
        key.clear();
        key.extend_from_slice(&mix(u64::from(n) + 1).to_le_bytes());
        let len = match self.key {
            Skew::Fixed(len) => len.max(8) as usize,
            _ => self.key_len(n),
        };
        key.resize(len, b'k');
    }

    /// Bytes of the keys and values of the first `entries`.
    pub fn bytes(&self, entries: u32) -> u64 {
        // A sample of a hundred thousand stands for all.
        let sample = entries.clamp(1, 100_000);
        let sum: u64 = (0..sample).map(|n| (self.key_len(n) + self.value_len(n)) as u64).sum();
        sum * u64::from(entries) / u64::from(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn means_are_those_of_the_models() {
        let mean = |sizes: &Sizes| {
            (0..200_000).map(|n| sizes.value_len(n) as f64).sum::<f64>() / 200_000.0
        };
        // location + scale / (1 - shape)
        let [(_, etc, _), (_, usr, _), (_, zippy, _)] = Sizes::PUBLISHED;
        assert!((mean(&etc) - 344.0).abs() < 10.0, "{}", mean(&etc));
        assert!((mean(&usr) - 2.0).abs() < 0.01);
        assert!((mean(&zippy) - 34.5).abs() < 2.0, "{}", mean(&zippy));
        let keys = (0..100_000).map(|n| etc.key_len(n) as f64).sum::<f64>() / 100_000.0;
        assert!((30.0..42.0).contains(&keys), "{keys}");
    }

    #[test]
    fn keys_differ_and_have_their_length() {
        for (_, sizes, _) in Sizes::PUBLISHED {
            let mut keys = HashSet::new();
            for n in 0..10_000 {
                let mut key = Vec::new();
                sizes.key_into(n, &mut key);
                assert_eq!(key.len(), sizes.key_len(n));
                keys.insert(key);
            }
            assert_eq!(keys.len(), 10_000);
        }
    }
}
