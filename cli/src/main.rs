//! The `vug` binary; everything is in the library beside it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    vug_cli::main(std::env::args_os())
}
