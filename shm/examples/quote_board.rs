//! A board of quotes: one process writes structs, another reads them in place by handles.
//!
//! ```sh
//! cargo run --release -p vug --example quote_board
//! ```
//! prints
//!
//! ```text
//! the region holds str -> Quote { bid: f64 at 0, ask: f64 at 8, round: u64 at 16 } (24 bytes)
//! reading while another process writes
//! symbol     bid     ask   round
//! ACME     17.50   18.50   20000
//! GEODE     9.50   10.50   20000
//! VUG       3.50    4.50   20000
//! <number> reads by handle, <number> ns each; no quote was torn
//! a program that takes them for something else is told: bid is f64 at 0, asked for f32 at 0
//! ```

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use vug::typed::{Handle, Region};
use vug::{Error as VugError, Node};

vug::record! {
    /// The best prices of an instrument.
    struct Quote { bid: f64, ask: f64, round: u64 }
}

mod other {
    vug::record! {
        pub struct Quote { pub bid: f32, pub ask: f32, pub round: u64 }
    }
}

const SYMBOLS: [(&str, f64); 3] = [("ACME", 17.5), ("GEODE", 9.5), ("VUG", 3.5)];
const ROUNDS: u64 = 20_000;

fn open(home: &str) -> vug::Result<Region<str, Quote>> {
    Node::open(home)?.region("quotes").max_bytes(16 << 20).typed().open_or_create()
}

/// Prices go up and down and end where they began; ask is always bid + 1.
fn write(home: &str) -> Result<(), Box<dyn Error>> {
    let quotes = open(home)?;
    for round in 1..=ROUNDS {
        for (symbol, last) in SYMBOLS {
            let bid = last + ((ROUNDS - round) % 100) as f64 / 100.0;
            quotes.put(symbol, &Quote { bid, ask: bid + 1.0, round })?;
        }
    }
    Ok(())
}

/// Reads all quotes until each of them had its last round; how often, and how many were torn.
fn watch(board: &[(&str, Handle<Quote>)]) -> vug::Result<(u64, u64)> {
    let (mut reads, mut torn) = (0, 0);
    loop {
        let mut done = 0;
        for (_, handle) in board {
            // A guard: `quote` is a `&Quote` in shared memory.
            if let Some(quote) = handle.get()? {
                torn += u64::from(quote.ask != quote.bid + 1.0);
                done += usize::from(quote.round == ROUNDS);
            }
            reads += 1;
        }
        if done == board.len() {
            return Ok((reads, torn));
        }
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    if let Some(home) = std::env::args().nth(1) {
        return write(&home);
    }
    let dir = tempfile::Builder::new().prefix("vug-quotes-").tempdir_in("/dev/shm")?;
    let home = dir.path().to_str().ok_or("the path is not UTF-8")?;
    let quotes = open(home)?;
    println!("the region holds {}", quotes.untyped().schema().unwrap_or_default());

    // A handle finds its entry without hashing the key again and again.
    let handle = |(symbol, _)| Ok((symbol, quotes.handle(symbol)?));
    let board = SYMBOLS.map(handle).into_iter().collect::<vug::Result<Vec<_>>>()?;
    println!("reading while another process writes");
    let mut writer = Command::new(std::env::current_exe()?).arg(home).spawn()?;
    let start = Instant::now();
    let (reads, torn) = watch(&board)?;
    let nanos = start.elapsed().as_nanos() / u128::from(reads);
    assert!(writer.wait()?.success(), "the writer failed");

    println!("symbol     bid     ask   round");
    for (symbol, handle) in &board {
        let quote = handle.read()?.ok_or("no quote")?;
        println!("{symbol:<6}{:>8.2}{:>8.2}{:>8}", quote.bid, quote.ask, quote.round);
    }
    assert_eq!(torn, 0, "a quote was seen half written");
    println!("{reads} reads by handle, {nanos} ns each; no quote was torn");

    let node = Node::open(home)?;
    let refused = node.typed::<str, other::Quote>("quotes").open();
    if let Err(VugError::SchemaMismatch { differences, .. }) = refused {
        let first = differences.iter().find(|difference| difference.place == "bid");
        let first = first.ok_or("no difference")?;
        println!("a program that takes them for something else is told: {first}");
    }
    Ok(())
}
