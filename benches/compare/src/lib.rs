//! Peers of vug that need more than Rust, or many packages.

#![deny(unsafe_code)]

mod blackboard;
#[expect(unsafe_code, reason = "a peer in C++")]
mod boost;
#[expect(unsafe_code, reason = "heed's flags and mapping")]
mod lmdb;

pub use blackboard::Blackboard;
pub use boost::Boost;
pub use lmdb::Lmdb;
