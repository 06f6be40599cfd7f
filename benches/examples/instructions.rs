//! Instructions of the hot operations, counted by callgrind: the same on every run and on a busy
//! machine, to within what the random seed of the hash does.
//!
//! `cargo build --release -p vug-bench --example instructions`, then
//! `target/release/examples/instructions` prints a line for each operation. `.ci/instructions`
//! compares them with the checked-in table, or two commits with each other.

use std::hint::black_box;
use std::process::{Command, ExitCode};
use vug::{Handle, Node, Region, Token};
use vug_bench::{key, scratch};

const ENTRIES: u32 = 20_000;
const VALUE: [u8; 64] = [7; 64];

/// A region with all entries, and what the operations need beside it.
struct Bench {
    region: Region,
    handles: Vec<Handle>,
    tokens: Vec<Token>,
}

type Operation = (&'static str, fn(&Bench));

const OPERATIONS: [Operation; 10] = [
    ("get-hit", |bench| each(|n| assert!(read(bench, n)))),
    ("get-miss", |bench| each(|n| assert!(!read(bench, n + ENTRIES)))),
    ("get-guard", |bench| {
        each(|n| {
            let guard = bench.region.get(&key(n)).expect("get").expect("an entry");
            black_box(guard[0]);
        });
    }),
    ("handle-read", |bench| {
        let mut value = VALUE;
        for handle in &bench.handles {
            assert!(handle.read(&mut value).expect("read").is_some());
            black_box(&value);
        }
    }),
    ("put-new", |bench| each(|n| put(bench, n + ENTRIES))),
    ("put-replace", |bench| each(|n| put(bench, n))),
    ("create", |bench| {
        each(|n| {
            black_box(bench.region.create(&key(n + ENTRIES), &VALUE).expect("a new entry"));
        });
    }),
    ("compare-and-swap", |bench| {
        for (n, token) in (0..).zip(&bench.tokens) {
            let swap = bench.region.compare_and_swap(&key(n), *token, &VALUE);
            black_box(swap.expect("an entry"));
        }
    }),
    ("increment", |bench| {
        each(|n| {
            black_box(bench.region.increment(&key(n + ENTRIES), 1).expect("a number"));
        });
    }),
    ("destroy", |bench| {
        each(|n| {
            black_box(bench.region.destroy(&key(n)).expect("an entry"));
        });
    }),
];

#[inline(always)]
fn each(operation: impl Fn(u32)) {
    (0..ENTRIES).for_each(operation);
}

#[inline(always)]
fn put(bench: &Bench, n: u32) {
    black_box(bench.region.put(&key(n), &VALUE).expect("room"));
}

#[inline(always)]
fn read(bench: &Bench, n: u32) -> bool {
    let mut value = VALUE;
    let found = bench.region.read(&key(n), &mut value).expect("read").is_some();
    black_box(&value);
    found
}

/// Not inlined: where callgrind begins to count, and where it stops.
#[inline(never)]
fn counted(operation: fn(&Bench), bench: &Bench) {
    operation(black_box(bench));
}

/// Does one operation with every entry.
fn once(name: &str) -> Result<(), String> {
    let found = OPERATIONS.iter().find(|(known, _)| *known == name);
    let (_, operation) = found.ok_or_else(|| format!("no operation {name}"))?;
    let home = scratch()?;
    let told = |error: vug::Error| error.to_string();
    let node = Node::open(home.path()).map_err(told)?;
    let region = node.region("counted").max_bytes(64 << 20).create().map_err(told)?;
    (0..ENTRIES).try_for_each(|n| region.put(&key(n), &VALUE).map(drop)).map_err(told)?;
    if name == "increment" {
        // Of counters that are there.
        let count = |n| region.increment(&key(n + ENTRIES), 1).map(drop);
        (0..ENTRIES).try_for_each(count).map_err(told)?;
    }
    let handles: Result<_, _> = (0..ENTRIES).map(|n| region.handle(&key(n))).collect();
    let tokens: Result<Vec<_>, _> = (0..ENTRIES).map(|n| region.token(&key(n))).collect();
    let tokens = tokens.map_err(told)?.into_iter().flatten().collect();
    let bench = Bench { handles: handles.map_err(told)?, tokens, region };
    counted(*operation, &bench);
    Ok(())
}

/// Instructions of one operation, by a run of this program under callgrind.
fn count(name: &str) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=instructions::counted*")
        .arg(std::env::current_exe().ok()?)
        .args(["--only", name])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    let all: u64 = line.rsplit(' ').next()?.parse().ok()?;
    Some(all / u64::from(ENTRIES))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == "--only"
    {
        return match once(name) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::FAILURE
            }
        };
    }
    for (name, _) in OPERATIONS {
        let Some(count) = count(name) else {
            eprintln!("skipped: valgrind is not installed, or does not run this");
            return ExitCode::FAILURE;
        };
        println!("{name} {count}");
    }
    ExitCode::SUCCESS
}
