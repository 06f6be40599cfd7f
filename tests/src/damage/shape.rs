//! Valid files of many shapes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use vug::{DataPolicy, Eviction, Expiry, Node, Region, Scope, WriteOptions};

const MAX_BYTES: u64 = 1 << 20;

/// Fills a new region.
type Fill = fn(&Region);

/// A valid file to be damaged.
#[derive(Debug)]
pub struct Shape {
    /// What is in it.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Crash points at which writers die that leave their work in the shape `leftovers`.
const DEATHS: [&str; 8] = [
    "insert.claimed",
    "insert.published",
    "append.claimed",
    "append.committed",
    "write.intended",
    "write.replaced",
    "retire.marked",
    "pin.set",
];

/// Makes all shapes in a fresh home directory, which keeps its node file and loses the regions.
/// `victim` is the path of the victim binary; without it nobody dies and leaves something.
///
/// # Panics
/// When a valid file cannot be made.
pub fn prepare(victim: Option<&Path>, home: &Path) -> Vec<Shape> {
    let node = Node::open(home).expect("a fresh home directory opens");
    let made: [(&str, Fill); 7] = [
        ("small", small),
        ("deletes", deletes),
        ("crowd", crowd),
        ("tombstones", deletes),
        ("large", large),
        ("events", events),
        ("empty", |_| ()),
    ];
    for (name, fill) in made {
        let scope = if name == "tombstones" { Scope::DistributedNoAck } else { Scope::Local };
        let builder = node.region(name).max_bytes(MAX_BYTES).scope(scope);
        fill(&builder.data_policy(DataPolicy::Replicate).create().expect("a new region"));
    }
    mortal(&node);
    evicting(&node);
    if let Some(victim) = victim {
        leftovers(victim, home, &node);
    }
    let names = node.regions().expect("names");
    drop(node);
    let shapes = names.into_iter().map(|name| {
        let path = home.join(format!("{name}.region"));
        let bytes = std::fs::read(&path).expect("the region file");
        std::fs::remove_file(&path).expect("remove");
        Shape { name: name.leak(), bytes }
    });
    shapes.collect()
}

/// Entries that expire, each at a time of its own, and some that have.
fn mortal(node: &Node) {
    let builder = node.region("mortal").max_bytes(MAX_BYTES);
    let builder = builder.entry_ttl(Expiry::destroy(Duration::from_secs(1000)));
    let builder = builder.entry_idle(Expiry::invalidate(Duration::from_secs(500)));
    let region = builder.create().expect("a new region");
    for n in 0..200_u32 {
        let ttl = WriteOptions::ttl(Duration::from_micros(1 + u64::from(n) * 100_000));
        region.put_with(&n.to_le_bytes(), &[n as u8; 60], &ttl).expect("put");
    }
}

/// Small and main segments, frequencies, and fingerprints of what is gone.
fn evicting(node: &Node) {
    let builder = node.region("evicting").max_bytes(MAX_BYTES).segment_bytes(64 << 10);
    let builder = builder.eviction(Eviction::S3Fifo).max_entries(400);
    let region = builder.create().expect("a new region");
    for n in 0..3000_u32 {
        put(&region, n % 700, 100 + (n as usize * 37) % 900);
        drop(region.get(&(n % 50).to_le_bytes()).expect("get"));
    }
}

fn put(region: &Region, n: u32, len: usize) {
    region.put(&n.to_le_bytes(), &vec![n as u8; len]).expect("put");
}

fn small(region: &Region) {
    for n in 0..40 {
        put(region, n, n as usize * 3);
    }
}

/// Stamped empty words, sealed and freed segments, or tombstones.
fn deletes(region: &Region) {
    for n in 0..600 {
        put(region, n % 150, 100);
        if n % 3 == 0 {
            region.remove(&(n % 150).to_le_bytes()).expect("remove");
        }
    }
}

/// Chains of several buckets.
fn crowd(region: &Region) {
    for n in 0..4000 {
        put(region, n, n as usize % 24);
    }
}

/// Records of all sizes, many of them replaced.
fn large(region: &Region) {
    let limit = region.max_value_len(4);
    for n in 0..60 {
        put(region, n % 8, (n as usize * 1499) % 9000);
        if n % 20 == 0 {
            put(region, 8, limit.min(60_000));
        }
    }
    // Of several segments, where there is a window.
    let _ = region.put(&9_u32.to_le_bytes(), &[9; 200_000]);
    region.put(&[b'k'; 9000], b"a long key").expect("put");
}

/// A ring that went round.
fn events(region: &Region) {
    let _events = region.subscribe();
    for n in 0..5000 {
        put(region, n % 20, 10);
    }
}

/// What members left that died in the middle of a write: nobody recovers them here, because
/// nobody attaches between the last death and the end.
fn leftovers(victim: &Path, home: &Path, node: &Node) {
    let builder = node.region("leftovers").max_bytes(MAX_BYTES).scope(Scope::Local);
    let region = builder.data_policy(DataPolicy::Replicate).create().expect("a new region");
    small(&region);
    region.put(b"victim", b"before").expect("put");
    drop(region);
    let mut waiting = Vec::new();
    for at in DEATHS {
        let child = Command::new(victim)
            .args(["write".as_ref(), home.as_os_str(), "leftovers".as_ref(), "victim".as_ref()])
            .args(["1", "wait"])
            .env("VUG_CRASH_AT", at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("the victim starts");
        let mut ready = [0; 6];
        let out = child.stdout.as_mut().expect("a pipe");
        std::io::Read::read_exact(out, &mut ready).expect("it says when it is attached");
        waiting.push(child);
    }
    for mut child in waiting {
        drop(child.stdin.take());
        child.wait().expect("it ends");
    }
}
