//! The goals table with all controls.
//!
//! `cargo bench --manifest-path benches/compare/Cargo.toml -- [--quick] [--rounds N] [PART ...]`

use vug_bench::goals::{Controls, run};
use vug_bench::{Peer, PointerChase, RobustMutex, Vug, serve_if_asked};
use vug_compare::{Blackboard, Boost, Lmdb};

fn main() {
    if serve_if_asked(&[&Vug, &PointerChase, &RobustMutex, &Boost, &Lmdb]) {
        return;
    }
    let peers: [&dyn Peer; 3] = [&Boost, &Lmdb, &RobustMutex];
    let controls = Controls { peers: &peers, held: Some(&Blackboard::with_keys) };
    if let Err(text) = run(&controls) {
        eprintln!("error: {text}");
        std::process::exit(2);
    }
}
