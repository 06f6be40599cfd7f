//! What the benchmarks share: workloads, the stores that are compared, a second process, and the
//! goals.
//!
//! Every store holds the same entries: keys of 16 bytes, values of one length. An operation copies
//! the value into or out of a buffer of the caller, in every store alike, so that the raw copy of
//! the same bytes is a lower bound and an in-process map is the fair opponent.

#![deny(unsafe_code)]

mod chase;
pub mod goals;
#[expect(unsafe_code, reason = "a control that uses the mutexes of the C library")]
mod locked;
#[expect(unsafe_code, reason = "a view of mapped memory as words")]
mod mapping;
mod pages;
mod peer;
pub mod report;
mod second;
mod store;
pub mod suite;
mod workload;

pub use chase::PointerChase;
pub use locked::RobustMutex;
pub use mapping::{scratch, scratch_prefix, sweep};
pub use pages::{Mappings, Pages};
pub use peer::Peer;
pub use second::{SecondProcess, pin_to, serve_if_asked};
pub use store::{Flat, InProcess, Mixer, Papaya, Shared, Store, Vug};
pub use workload::{Distribution, KEY_LEN, Load, Requests, Work, key, sequence};
