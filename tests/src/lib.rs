//! Support for the tests: temporary home directories, worker processes, waiting.
//!
//! Nothing here kills a process that this crate did not start, and every home directory is removed
//! when its owner goes out of scope, also when the test fails.

#![forbid(unsafe_code)]

mod audit;
mod bridged;
pub mod conformance;
pub mod damage;
mod home;
pub mod site;
mod storm;
pub mod told;
pub mod victim;
mod wait;
mod worker;

pub use audit::assert_clean;
pub use bridged::Bridged;
pub use home::TempHome;
pub use wait::{PATIENCE, wait_until};
pub use worker::{Answer, Worker, serve};

/// True when this process runs as root; otherwise says so in the test's output.
pub fn have_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}
