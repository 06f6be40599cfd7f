//! The goals table with the controls that need nothing but Rust.
//!
//! `cargo bench -p vug-bench --bench goals -- [--quick] [--rounds N] [PART ...]`
//!
//! The same with LMDB, Boost.Interprocess and iceoryx2 beside it, which is the full table:
//! `cargo bench --manifest-path benches/compare/Cargo.toml`

use vug_bench::goals::{Controls, run};
use vug_bench::{Peer, PointerChase, RobustMutex, Vug, serve_if_asked};

fn main() {
    if serve_if_asked(&[&Vug, &PointerChase, &RobustMutex]) {
        return;
    }
    let peers: [&dyn Peer; 1] = [&RobustMutex];
    if let Err(text) = run(&Controls { peers: &peers, held: None }) {
        eprintln!("error: {text}");
        std::process::exit(2);
    }
}
