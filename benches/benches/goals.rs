//! The goals table with the controls that need nothing but Rust.
//!
//! `cargo bench -p vug-bench --bench goals -- [--quick | --smoke] [--report DIRECTORY] [PART ...]`
//!
//! The same with LMDB, Boost.Interprocess and iceoryx2 beside it, which is the full table:
//! `cargo bench --manifest-path benches/compare/Cargo.toml`

use vug_bench::goals::{Controls, run};
use vug_bench::report::machine::locked;
use vug_bench::{Peer, PointerChase, RobustMutex, Vug, serve_if_asked};

fn main() {
    if serve_if_asked(&[&Vug, &PointerChase, &RobustMutex]) {
        return;
    }
    let peers: [&dyn Peer; 1] = [&RobustMutex];
    let versions = locked(include_str!("../../Cargo.lock"), &["papaya"]);
    if let Err(text) = run(&Controls { peers: &peers, held: None, versions }) {
        eprintln!("error: {text}");
        std::process::exit(2);
    }
}
