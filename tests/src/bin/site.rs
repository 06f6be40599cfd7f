//! A child of the cluster's storm: a bridge, or a writer of a node. See `vug_tests::site`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match vug_tests::site::run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("site {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}
