//! Region files that are damaged at rest: how valid ones are made, how they are damaged, and what
//! is done with them afterwards. Every call may fail with an error; none may raise a signal, hang,
//! panic, or take memory without bound.

mod layout;
mod shape;
mod strike;
mod usage;

pub use layout::Layout;
pub use shape::{Shape, prepare};
pub use strike::{seal, strike};
pub use usage::{exercise, read_only};

/// SplitMix64: a seed is a case, on every machine.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % (end as u64).max(1)) as usize
    }
}
