//! Sequences of key numbers with a fixed seed.

/// Deterministic numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Keys of 0..`keys`, of which the n-th is asked for in proportion to 1 / n^skew.
pub(crate) fn zipf(keys: usize, skew: f64, len: usize, seed: u64) -> Vec<u64> {
    let mut sums = Vec::with_capacity(keys);
    let mut sum = 0.0;
    for n in 1..=keys {
        sum += (n as f64).powf(-skew);
        sums.push(sum);
    }
    let mut random = Random(seed);
    (0..len)
        .map(|_| {
            let at = random.unit() * sum;
            sums.partition_point(|&s| s < at).min(keys - 1) as u64
        })
        .collect()
}

/// A skewed trace into which scans of keys that never come again are mixed.
pub(crate) fn with_scans(keys: usize, skew: f64, len: usize, seed: u64) -> Vec<u64> {
    let (mut fresh, mut trace) = (1 << 40, Vec::with_capacity(len));
    for part in zipf(keys, skew, len / 2, seed).chunks(keys / 4) {
        trace.extend(part);
        trace.extend(fresh..fresh + part.len() as u64);
        fresh += part.len() as u64;
    }
    trace
}

/// The same keys again and again in the same order.
pub(crate) fn loops(keys: usize, len: usize) -> Vec<u64> {
    (0..keys as u64).cycle().take(len).collect()
}
