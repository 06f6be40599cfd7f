//! Many processes on one region, in every way that a cache is used or mistreated.
//!
//! `cargo bench -p vug-bench --bench suite -- [--quick | --smoke] [--rounds N] [--report DIRECTORY]
//! [PART ...]`

use vug_bench::suite::{run, work_if_asked};

fn main() {
    if work_if_asked() {
        return;
    }
    if let Err(text) = run(Vec::new()) {
        eprintln!("error: {text}");
        std::process::exit(2);
    }
}
