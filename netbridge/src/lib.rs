//! Distributes vug regions to other machines.
//!
//! One bridge per node carries the changes of its regions to the bridges of other nodes over QUIC,
//! and applies what they send. It keeps no state that matters: cursors and watermarks live in the
//! shared-memory files or are learned again from the peers, so a killed bridge is simply started
//! again, and applications that read and write meanwhile do not notice.
//!
//! ```no_run
//! use std::path::Path;
//! use vug_netbridge::config::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load(Path::new("/etc/vug/bridge.toml"))?;
//! vug_netbridge::run(config, |address| println!("peers reach this node at {address}"))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! The protocol core ([`wire`], [`replica`], [`session`], [`engine`]) is sans-IO: a pure function
//! of its inputs (packets, ring cells, timers) to actions. It knows no socket, no clock and no
//! thread, so that the deterministic simulator and the bridge run the same code byte for byte.
//! Around it:
//!
//! | module | does | alone knows |
//! |---|---|---|
//! | `local` | the node's regions as the core's store | the crate `vug` |
//! | `transport` | QUIC connections with mutual TLS, framing | quinn, rustls |
//! | `service` | the loop that owns the core, the status socket | - |
//! | [`config`], [`cert`] | configuration file, certificates | - |
//!
//! Log messages go through `tracing` and are silent unless the process installs a subscriber.
#![forbid(unsafe_code)]

pub mod cert;
pub mod config;
pub mod engine;
mod error;
mod local;
mod member;
pub mod port;
pub mod replica;
mod service;
pub mod session;
#[cfg(test)]
mod sim;
mod transport;
pub mod wire;

pub use error::BridgeError;
pub use service::status::{events, reload, status, status_at, stop, stop_at};
pub use service::{check, run, run_with};
#[cfg(any(test, feature = "faults"))]
pub use transport::faults::Faults;
