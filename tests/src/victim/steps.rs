//! One operation between two stops, for a parent that traces it and kills it on the way.

use super::grow::GROWN;
use super::oracle::encode;
use super::script::LOCAL;
use nix::sys::signal::{Signal, raise};
use std::path::Path;
use std::time::Duration;
use vug::{MaintainOptions, Node, Region, WriteOptions};

/// The key that the operation is about. The parent prepares it.
const KEY: &[u8] = b"stepped";

/// Inserts of the operation "grow": the table is built and its first chains are moved.
const GROWTH_STEPS: u64 = 40;

/// Does the operation `kind` with the value of `tag`.
pub(super) fn run(home: &Path, kind: &str, tag: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(LOCAL).open().expect("open");
    let _events = region.subscribe();
    for _ in 0..2 {
        // Descriptor and segment are taken, and the code is there.
        region.put(b"warm", &encode(tag, 64)).expect("put");
        drop(region.get(b"warm").expect("get"));
    }
    let grown = (kind == "grow").then(|| node.region(GROWN).open().expect("open"));
    if let Some(region) = &grown {
        // Up to the beginning of a table, which is when memory for it is taken.
        let segments = |region: &Region| region.statistics().segments_active;
        region.put(&growing(0), b"").expect("put");
        let before = segments(region);
        let many = (1..100_000).find(|n| {
            region.put(&growing(*n), b"").expect("put");
            segments(region) > before || region.statistics().growths > 0
        });
        assert!(many.is_some(), "it never grows");
    }
    let token = region.token(KEY).expect("token");
    let value = encode(tag, if kind == "large" { 150_000 } else { 64 });
    nix::sys::ptrace::traceme().expect("a parent may trace");
    raise(Signal::SIGSTOP).expect("raise");
    match kind {
        "put" | "replace" | "large" => drop(region.put(KEY, &value).expect("put")),
        "create" => drop(region.create(KEY, &value).expect("create")),
        "swap" => {
            let token = token.expect("the key is there");
            region.compare_and_swap(KEY, token, &value).expect("swap");
        }
        "remove" => drop(region.remove(KEY).expect("remove")),
        "increment" => drop(region.increment(b"count", 1).expect("increment")),
        "mortal" => {
            let hour = WriteOptions::ttl(Duration::from_secs(3600));
            region.put_with(KEY, &value, &hour).expect("put");
        }
        "get" => look(&region),
        "sweep" => drop(region.sweep(1000).expect("sweep")),
        "clean" => drop(region.maintain(&MaintainOptions::thorough()).expect("maintain")),
        "grow" => grow(&grown.expect("a region that is about to grow")),
        "recover" => drop(region.recover().expect("recover")),
        "leave" => {
            drop((_events, region));
            drop(node);
        }
        _ => panic!("no kind of operation: {kind}"),
    }
    raise(Signal::SIGSTOP).expect("raise");
}

fn growing(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

/// Inserts until some pieces of a table are built, or chains moved.
fn grow(region: &Region) {
    let first = region.len().expect("len");
    for n in first..first + GROWTH_STEPS {
        region.put(&growing(n), b"").expect("put");
    }
}

fn look(region: &Region) {
    let guard = region.get(KEY).expect("get");
    let owned = region.get_owned(KEY).expect("get");
    drop((guard, owned));
}
