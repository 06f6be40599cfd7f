//! One process changes a region, another follows the changes in order, and catches up when it was
//! too slow.
//!
//! ```sh
//! cargo run --release -p vug --example event_watcher
//! ```
//! prints
//!
//! ```text
//! create   pears = 3
//! create   apples = 5
//! update   pears = 4
//! destroy  apples
//! a watcher that slept through 10000 changes was told that it missed some
//! it looked at the region instead: pears is 10000
//! ```

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use vug::Node;
use vug::typed::{Notice, Region};

const CHANGES: u32 = 10_000;

fn open(home: &str) -> vug::Result<Region<str, u32>> {
    // As small as it can be: its ring has room for 4096 announcements.
    Node::open(home)?.region("stock").max_bytes(1 << 20).typed().open_or_create()
}

fn change(home: &str) -> Result<(), Box<dyn Error>> {
    let stock = open(home)?;
    stock.put("pears", &3)?;
    stock.put("apples", &5)?;
    stock.put("pears", &4)?;
    stock.destroy("apples")?;
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    if let Some(home) = std::env::args().nth(1) {
        return change(&home);
    }
    let dir = tempfile::Builder::new().prefix("vug-events-").tempdir_in("/dev/shm")?;
    let home = dir.path().to_str().ok_or("the path is not UTF-8")?;
    let stock = open(home)?;
    let mut changes = stock.subscribe();
    let mut slow = stock.subscribe();
    let status = Command::new(std::env::current_exe()?).arg(home).status()?;
    assert!(status.success(), "the other process failed");

    let deadline = Some(Instant::now() + Duration::from_secs(60));
    for _ in 0..4 {
        match changes.wait(deadline)?.ok_or("no change")? {
            Notice::Event(event) => {
                let kind = event.untyped.kind.name();
                let value = event.value.map(|count| format!(" = {count}")).unwrap_or_default();
                println!("{kind:<9}{}{value}", event.key);
            }
            other => return Err(format!("four changes cannot lap anybody: {other:?}").into()),
        }
    }

    for count in 1..=CHANGES {
        stock.put("pears", &count)?;
    }
    // Nobody waited for the slow one. What it missed is not there any more, but it knows.
    while let Some(notice) = slow.poll()? {
        if let Notice::Lapped { .. } = notice {
            println!("a watcher that slept through {CHANGES} changes was told that it missed some");
            break;
        }
    }
    let pears = stock.get_copy("pears")?.ok_or("no pears")?;
    println!("it looked at the region instead: pears is {pears}");
    Ok(())
}
