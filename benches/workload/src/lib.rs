//! What is asked of a cache, defined once for all benchmarks: which entries, how often, by which
//! operations, of which sizes; or all of it from a trace, in the format of `vug bench`.
//!
//! Everything is reproducible: the same seed draws the same requests.

#![forbid(unsafe_code)]

mod draws;
mod mix;
mod random;
mod sizes;
mod trace;

pub use draws::{Distribution, Draws};
pub use mix::{Mix, Operation};
pub use random::{Random, mix};
pub use sizes::{Sizes, Skew};
pub use trace::{Kind, MAX_KEY, MAX_VALUE, Step, Trace, TraceError};
