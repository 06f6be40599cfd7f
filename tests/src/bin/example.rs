//! The examples of the library in one program; `VUG_EXAMPLE` says which one to run. They start
//! themselves again as other processes, which inherit it.

#![forbid(unsafe_code)]

use std::error::Error;

#[path = "../../../shm/examples/async_wait.rs"]
mod async_wait;
#[path = "../../../shm/examples/event_watcher.rs"]
mod event_watcher;
#[path = "../../../shm/examples/hello.rs"]
mod hello;
#[path = "../../../shm/examples/quote_board.rs"]
mod quote_board;
#[path = "../../../shm/examples/shared_counter.rs"]
mod shared_counter;
#[path = "../../../shm/examples/warm_restart.rs"]
mod warm_restart;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::var("VUG_EXAMPLE")?.as_str() {
        "async_wait" => async_wait::main(),
        "event_watcher" => event_watcher::main(),
        "hello" => hello::main(),
        "quote_board" => quote_board::main(),
        "shared_counter" => shared_counter::main(),
        "warm_restart" => warm_restart::main(),
        other => Err(format!("there is no example {other}").into()),
    }
}
