//! Peers of vug that need more than Rust, or many packages.

#![deny(unsafe_code)]

mod blackboard;
#[expect(unsafe_code, reason = "a peer in C++")]
mod boost;
mod inside;
#[expect(unsafe_code, reason = "heed's flags and mapping")]
mod lmdb;
mod memcached;
mod redb;
mod redis;
mod server;
mod sqlite;

pub use blackboard::Blackboard;
pub use boost::Boost;
pub use inside::{DashMap, Moka, QuickCache, Scc};
pub use lmdb::Lmdb;
pub use memcached::Memcached;
pub use redb::Redb;
pub use redis::Redis;
pub use sqlite::Sqlite;

/// Version of the SQLite that was compiled in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
