//! The goals table with all peers: what one would use instead.
//!
//! `cargo bench --manifest-path benches/compare/Cargo.toml -- [--quick | --smoke] [--rounds N]
//! [--report DIRECTORY] [--record FILE] [PART ...]`

use vug_bench::goals::{Controls, run};
use vug_bench::report::machine::{Named, locked, said};
use vug_bench::{Peer, PointerChase, RobustMutex, Vug, serve_if_asked};
use vug_compare::{
    Blackboard, Boost, DashMap, Lmdb, Memcached, Moka, QuickCache, Redb, Redis, Scc, Sqlite,
};

const PEERS: [&dyn Peer; 11] = [
    &RobustMutex,
    &Boost,
    &Lmdb,
    &Sqlite,
    &Redis,
    &Memcached,
    &Redb,
    &DashMap,
    &Scc,
    &QuickCache,
    &Moka,
];

const PACKAGES: [&str; 9] = [
    "dashmap",
    "heed",
    "iceoryx2",
    "libsqlite3-sys",
    "moka",
    "papaya",
    "quick_cache",
    "redb",
    "scc",
];

fn main() {
    let known: Vec<&dyn Peer> =
        PEERS.into_iter().chain([&Vug as &dyn Peer, &PointerChase]).collect();
    if serve_if_asked(&known) {
        return;
    }
    let mut versions = locked(include_str!("../Cargo.lock"), &PACKAGES);
    versions.push(Named { name: "SQLite".into(), value: vug_compare::sqlite_version().into() });
    for server in ["redis-server", "memcached"] {
        let value = said(server, &["--version"]).unwrap_or_else(|| "not installed".into());
        versions.push(Named { name: server.into(), value });
    }
    let controls = Controls { peers: &PEERS, held: Some(&Blackboard::with_keys), versions };
    if let Err(text) = run(&controls) {
        eprintln!("error: {text}");
        std::process::exit(2);
    }
}
