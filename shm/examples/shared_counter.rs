//! Several processes add to the same counters at once. Nothing is lost, although nobody locks.
//!
//! ```sh
//! cargo run --release -p vug --example shared_counter
//! ```
//! prints
//!
//! ```text
//! 4 processes, each adds 1 to `hits` and its number to `sum` 50000 times
//! hits = 200000
//! sum  = 300000
//! <number> additions per second
//! ```

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use vug::Node;
use vug::typed::Region;

const PROCESSES: i64 = 4;
const ROUNDS: i64 = 50_000;

fn open(home: &str) -> vug::Result<Region<str, i64>> {
    Node::open(home)?.region("counters").max_bytes(16 << 20).typed().open_or_create()
}

fn child(home: &str, number: i64) -> Result<(), Box<dyn Error>> {
    let counters = open(home)?;
    for _ in 0..ROUNDS {
        counters.increment("hits", 1)?;
        counters.increment("sum", number)?;
    }
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, home, number] = arguments.as_slice() {
        return child(home, number.parse()?);
    }
    let dir = tempfile::Builder::new().prefix("vug-counter-").tempdir_in("/dev/shm")?;
    let home = dir.path().to_str().ok_or("the path is not UTF-8")?;
    let counters = open(home)?;
    println!("{PROCESSES} processes, each adds 1 to `hits` and its number to `sum` {ROUNDS} times");

    let start = Instant::now();
    let program = std::env::current_exe()?;
    let spawn = |number: i64| Command::new(&program).arg(home).arg(number.to_string()).spawn();
    let children = (0..PROCESSES).map(spawn).collect::<Result<Vec<_>, _>>()?;
    for mut child in children {
        assert!(child.wait()?.success(), "a process failed");
    }
    let seconds = start.elapsed().as_secs_f64();

    println!("hits = {}", counters.get_copy("hits")?.unwrap_or(0));
    println!("sum  = {}", counters.get_copy("sum")?.unwrap_or(0));
    println!("{:.0} additions per second", (2 * PROCESSES * ROUNDS) as f64 / seconds);
    Ok(())
}
