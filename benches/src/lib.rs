//! What the benchmarks share: workloads, the stores that are compared, and a second process.
//!
//! Every store holds the same entries: keys of 16 bytes, values of one length. An operation copies
//! the value into or out of a buffer of the caller, in every store alike, so that the raw copy of
//! the same bytes is a lower bound and an in-process map is the fair opponent.

#![forbid(unsafe_code)]

mod second;
mod store;
mod workload;

pub use second::{SecondProcess, Work, serve_if_asked};
pub use store::{Flat, InProcess, Shared, Store};
pub use workload::{Distribution, KEY_LEN, Load, key, sequence};
