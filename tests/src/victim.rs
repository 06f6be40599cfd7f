//! Processes that are killed in the middle of their work, and what may be found afterwards.
//!
//! A victim prints `try ...` before each write and `ack ...` after it, each with one system call.
//! What was acknowledged must survive its death; the one write that was tried and not acknowledged
//! may have taken place or not, but not halfway: see [`Oracle`].

mod contend;
mod expire;
pub mod grow;
mod history;
mod labour;
mod mixed;
mod oracle;
mod script;
#[cfg(target_arch = "x86_64")]
mod steps;
mod stress;
pub mod tight;
mod whole;
mod workload;

pub use expire::BUDGET;
pub use grow::GROWN;
pub use history::{History, KEYS};
pub use labour::keeps_its_entries;
pub use mixed::{Mixed, capacity};
pub use oracle::{Oracle, Report, decode, encode};
pub use script::{CROWD, DISTRIBUTED, LOCAL, Nursery, Spawned, main};
pub use stress::FOLLOWED;
pub use whole::whole_or_nothing;
