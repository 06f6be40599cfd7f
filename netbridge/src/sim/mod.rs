//! Deterministic simulation of whole clusters: real engines over model stores, a network with
//! latency, jitter, datagram loss, disconnects and partitions, bridges that are killed at any
//! action, writers that wait for acknowledgements. Virtual time; one seed decides everything.

mod campaign;
mod cases;
mod handshake;
mod model;
mod newer;
mod oracle;
mod repair;
mod world;

/// A small generator (splitmix64): the simulation must not depend on a library's stream.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}
