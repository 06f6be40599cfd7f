//! Which operations, in which shares: the core workloads of YCSB (Cooper et al., Benchmarking Cloud
//! Serving Systems with YCSB, SoCC 2010).

use crate::draws::{Distribution, Draws};
use serde::{Deserialize, Serialize};

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Reads an entry.
    Read,
    /// Overwrites an entry.
    Update,
    /// Stores an entry that was not there.
    Insert,
    /// Reads many entries.
    Scan,
    /// Reads an entry and overwrites it.
    ReadModifyWrite,
}

impl Operation {
    /// All of them, by name.
    pub const NAMES: [(Operation, &'static str); 5] = [
        (Operation::Read, "read"),
        (Operation::Update, "update"),
        (Operation::Insert, "insert"),
        (Operation::Scan, "scan"),
        (Operation::ReadModifyWrite, "read-modify-write"),
    ];
}

/// Shares of the operations in percent; together 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// In the order of [`Operation::NAMES`].
    pub percent: [u8; 5],
}

impl Mix {
    /// The six of YCSB: name, shares, and which entries are asked for.
    pub const YCSB: [(&'static str, Mix, Distribution); 6] = [
        ("A", Mix { percent: [50, 50, 0, 0, 0] }, Distribution::Zipf),
        ("B", Mix { percent: [95, 5, 0, 0, 0] }, Distribution::Zipf),
        ("C", Mix { percent: [100, 0, 0, 0, 0] }, Distribution::Zipf),
        ("D", Mix { percent: [95, 0, 5, 0, 0] }, Distribution::Latest),
        ("E", Mix { percent: [0, 0, 5, 95, 0] }, Distribution::Zipf),
        ("F", Mix { percent: [50, 0, 0, 0, 50] }, Distribution::Zipf),
    ];

    /// Reads and overwrites only.
    pub const fn reads(percent: u8) -> Mix {
        Mix { percent: [percent, 100 - percent, 0, 0, 0] }
    }

    /// Draws the next operation.
    #[inline]
    pub fn next_operation(&self, draws: &mut Draws) -> Operation {
        let mut left = draws.percent();
        for (share, (operation, _)) in self.percent.into_iter().zip(Operation::NAMES) {
            if left < share {
                return operation;
            }
            left -= share;
        }
        Operation::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept() {
        for (name, mix, distribution) in Mix::YCSB {
            assert_eq!(mix.percent.iter().sum::<u8>(), 100, "{name}");
            let mut draws = Draws::new(distribution, 1000, 1);
            let mut counts = [0u32; 5];
            for _ in 0..100_000 {
                counts[mix.next_operation(&mut draws) as usize] += 1;
            }
            for (count, percent) in counts.into_iter().zip(mix.percent) {
                let share = f64::from(count) / 1000.0;
                assert!((share - f64::from(percent)).abs() < 1.0, "{name}: {share} of {percent}");
            }
        }
    }
}
