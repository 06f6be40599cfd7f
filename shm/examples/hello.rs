//! The first steps: a region, a few operations, and a second process that sees the same bytes.
//!
//! ```sh
//! cargo run --release -p vug --example hello
//! ```
//! prints
//!
//! ```text
//! stored ACME = 17.25
//! read in place: 17.25
//! another process reads 17.25 and stores 17.50
//! a swap with the old token is refused: somebody else was here
//! a swap with the new token is done: 18.00
//! 2 entries: ACME = 18.00, VUG = 3.10
//! ```

use std::error::Error;
use std::process::Command;

use vug::{Node, Region, Swap};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn open(home: &str) -> vug::Result<Region> {
    // Everybody says the same, and whoever comes first makes the region.
    Node::open(home)?.region("prices").max_bytes(16 << 20).open_or_create()
}

/// What the second process does: no server, it maps the same file.
fn child(home: &str) -> Result<(), Box<dyn Error>> {
    let prices = open(home)?;
    let price = prices.get(b"ACME")?.ok_or("no price")?;
    println!("another process reads {} and stores 17.50", text(&price));
    prices.put(b"ACME", b"17.50")?;
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    if let Some(home) = std::env::args().nth(1) {
        return child(&home);
    }
    // A home directory of our own; `Node::open_default` opens the one that all programs share.
    let dir = tempfile::Builder::new().prefix("vug-hello-").tempdir_in("/dev/shm")?;
    let home = dir.path().to_str().ok_or("the path is not UTF-8")?;

    let prices = open(home)?;
    let stored = prices.put(b"ACME", b"17.25")?;
    println!("stored ACME = 17.25");

    // A guard: the bytes in shared memory, which stay as they are while the guard lives.
    let price = prices.get(b"ACME")?.ok_or("no price")?;
    println!("read in place: {}", text(&price));
    drop(price);

    let status = Command::new(std::env::current_exe()?).arg(home).status()?;
    assert!(status.success(), "the other process failed");

    if let Swap::Changed(Some(now)) = prices.compare_and_swap(b"ACME", stored.token, b"18.00")? {
        println!("a swap with the old token is refused: somebody else was here");
        if let Swap::Swapped(_) = prices.compare_and_swap(b"ACME", now, b"18.00")? {
            println!("a swap with the new token is done: 18.00");
        }
    }

    prices.create(b"VUG", b"3.10")?;
    let mut all = prices.iter().collect::<vug::Result<Vec<_>>>()?;
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let list: Vec<_> =
        all.iter().map(|e| format!("{} = {}", text(&e.key), text(&e.value))).collect();
    println!("{} entries: {}", all.len(), list.join(", "));
    Ok(())
}
