//! Regions that evict: bounds, what stays, and how often a request finds its entry.

mod policies;
mod traces;

use std::collections::HashSet;

use policies::{Policy, clock, lru, optimum, s3_fifo};
use traces::{Random, loops, with_scans, zipf};
use vug::{DataPolicy, Error, Eviction, Node, Region, Scope};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn audit(region: &Region) {
    let report = vug::check::check_file(region.path()).expect("the file can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
}

const VALUE: usize = 200;

/// Share of requests that find their key in a region that is filled by what is missing.
fn ask(region: &Region, trace: &[u64]) -> f64 {
    let mut hits = 0;
    for key in trace {
        let name = key.to_le_bytes();
        match region.get(&name).expect("get") {
            Some(value) => {
                assert_eq!(value[..8], name, "another key's value");
                hits += 1;
            }
            None => {
                let mut value = [0; VALUE];
                value[..8].copy_from_slice(&name);
                region.put(&name, &value).expect("an evicting region is never full");
            }
        }
    }
    f64::from(hits) / trace.len() as f64
}

const KEYS: usize = 20_000;
const REQUESTS: usize = 200_000;

/// Name, requests, entries that are held.
fn workloads() -> Vec<(String, Vec<u64>, usize)> {
    let mut list = Vec::new();
    for skew in [0.7, 0.9, 1.0, 1.2] {
        for capacity in [1000, 2000, 5000] {
            let name = format!("zipf {skew}, {} %", capacity * 100 / KEYS);
            list.push((name, zipf(KEYS, skew, REQUESTS, 42), capacity));
        }
    }
    list.push(("zipf 0.9 and scans, 10 %".into(), with_scans(KEYS, 0.9, REQUESTS, 7), 2000));
    list.push(("zipf 1.0 and scans, 10 %".into(), with_scans(KEYS, 1.0, REQUESTS, 8), 2000));
    list.push(("loop, 50 %".into(), loops(4000, REQUESTS), 2000));
    list
}

/// Less than this is noise of segments, of ghosts that collide and of the bound kept in steps.
const CLOSE: f64 = 0.015;

/// The bound on entries: the table of hit ratios.
#[test]
fn hit_ratios_bounded_by_entries() {
    const REFERENCES: [(&str, Policy); 4] =
        [("LRU", lru), ("CLOCK", clock), ("S3-FIFO", s3_fifo), ("optimum", optimum)];
    println!(
        "{:26} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "", "vug", "LRU", "CLOCK", "S3-FIFO", "optimum"
    );
    for (name, trace, capacity) in workloads() {
        let home = home();
        let node = Node::open(home.path()).expect("open");
        let region = node.region("r").max_bytes(16 << 20).eviction(Eviction::S3Fifo);
        let region = region.max_entries(capacity as u64).create().expect("create");
        let mine = ask(&region, &trace);
        let [lru, clock, s3_fifo, optimum] = REFERENCES.map(|(_, policy)| policy(&trace, capacity));
        println!("{name:26} {mine:7.4} {lru:7.4} {clock:7.4} {s3_fifo:7.4} {optimum:7.4}");
        let entries = region.len().expect("len");
        assert!(entries <= capacity as u64, "{name}: {entries} entries");
        assert!(mine <= optimum + 0.001, "{name}: better than possible");
        assert!(mine >= lru - CLOSE, "{name}: worse than LRU");
        assert!(mine >= clock - CLOSE, "{name}: worse than CLOCK");
        assert!(mine >= s3_fifo - 2.0 * CLOSE, "{name}: worse than S3-FIFO entry by entry");
        audit(&region);
    }
}

/// The bound on bytes: whole segments make room. How many entries that are the region says; the
/// other policies may hold as many.
#[test]
fn hit_ratios_bounded_by_bytes() {
    for skew in [0.8, 1.0] {
        let trace = zipf(KEYS, skew, REQUESTS, 99);
        let home = home();
        let node = Node::open(home.path()).expect("open");
        let region = node.region("r").max_bytes(2 << 20).segment_bytes(64 << 10);
        let region = region.eviction(Eviction::S3Fifo).create().expect("create");
        let mine = ask(&region, &trace);
        let capacity = region.len().expect("len") as usize;
        let [lru, s3_fifo, optimum] =
            [lru, s3_fifo, optimum].map(|policy| policy(&trace, capacity));
        println!(
            "zipf {skew}, {capacity} entries in 2 MiB: vug {mine:.4}, LRU {lru:.4}, \
             S3-FIFO {s3_fifo:.4}, optimum {optimum:.4}"
        );
        assert!(mine <= optimum + CLOSE && mine >= lru - CLOSE, "zipf {skew}");
        assert!(region.statistics().counters.evicted > 0);
        audit(&region);
    }
}

#[test]
fn entries_that_are_used_stay() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(1 << 20).eviction(Eviction::S3Fifo);
    let region = region.create().expect("create");
    let mut random = Random(1);
    for n in 0..50_000_u64 {
        region.put(&n.to_le_bytes(), &[n as u8; 300]).expect("an evicting region is never full");
        let hot = (random.next() % 50).to_le_bytes();
        if region.get(&hot).expect("get").is_none() {
            region.put(&hot, &[0; 300]).expect("put");
        }
    }
    let hot: Vec<u64> = (0..50).collect();
    let kept = |n: &&u64| region.contains_key(&n.to_le_bytes()).expect("token");
    assert!(hot.iter().filter(kept).count() >= 48, "the used ones are among the evicted");
    audit(&region);
}

/// Records of several segments are evicted like others; those that are used are spared.
#[test]
fn large_entries_are_evicted() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).segment_bytes(64 << 10);
    let region = region.eviction(Eviction::S3Fifo).max_entries(8).create().expect("create");
    for n in 0..60_u8 {
        region.put(&[n + 1], &vec![n; 150_000]).expect("put");
        assert_eq!(region.get(&[1]).expect("get").as_deref(), Some(&vec![0; 150_000][..]), "{n}");
    }
    assert!(region.len().expect("len") <= 8);
    audit(&region);
}

/// Bounded by bytes alone, and every one of them used as often as is counted.
#[test]
fn large_entries_make_room_for_each_other_and_for_small_ones() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).segment_bytes(64 << 10);
    let region = region.eviction(Eviction::S3Fifo).create().expect("create");
    for n in 0..200_u32 {
        let value = vec![n as u8; if n % 50 < 40 { 150_000 } else { 40_000 }];
        region.put(&n.to_le_bytes(), &value).unwrap_or_else(|error| panic!("{n}: {error}"));
        for _ in 0..4 {
            assert!(region.get(&n.to_le_bytes()).expect("get").is_some(), "{n}");
        }
    }
    assert!(region.statistics().counters.evicted > 0);
    audit(&region);
}

/// What is replaced makes room for what replaces it, and not everything else first.
#[test]
fn replacing_a_large_value_evicts_little_else() {
    const SMALL: u32 = 2400;
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).segment_bytes(64 << 10);
    let region = region.eviction(Eviction::S3Fifo).create().expect("create");
    // In the first half, so that no half is left for the new value.
    for n in 0..SMALL / 2 {
        region.put(&n.to_le_bytes(), &[1; 600]).expect("put");
    }
    region.put(b"large", &vec![0; 1_800_000]).expect("put");
    for n in SMALL / 2..SMALL {
        region.put(&n.to_le_bytes(), &[1; 600]).expect("put");
    }
    let before = region.len().expect("len");
    for n in 1..20 {
        region.put(b"large", &vec![n; 1_800_000]).expect("put");
        assert_eq!(region.get(b"large").expect("get").expect("there")[0], n);
    }
    let after = region.len().expect("len");
    assert!(after * 2 > before, "{after} of {before} entries are left");
    audit(&region);
}

/// Threads that meet the same surplus do not each evict all of it.
#[test]
fn threads_do_not_evict_more_than_the_surplus() {
    const BOUND: u64 = 640;
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(8 << 20).segment_bytes(64 << 10);
    let region = region.eviction(Eviction::S3Fifo).max_entries(BOUND).create().expect("create");
    for n in 0..BOUND {
        region.put(&n.to_le_bytes(), b"v").expect("put");
    }
    const THREADS: u64 = 16;
    let all = std::sync::Barrier::new(THREADS as usize);
    let spare = BOUND / 128;
    for round in 0..200 {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (region, all) = (&region, &all);
                scope.spawn(move || {
                    all.wait();
                    let key = (1 + round) << 32 | thread;
                    region.put(&key.to_le_bytes(), b"v").expect("put");
                });
            }
        });
        let entries = region.len().expect("len");
        // Each may be at its last one when another takes that.
        assert!(entries + spare + THREADS >= BOUND && entries <= BOUND, "{entries} entries");
    }
    audit(&region);
}

#[test]
fn threads_share_an_evicting_region() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(2 << 20).segment_bytes(64 << 10);
    let region = region.eviction(Eviction::S3Fifo).max_entries(3000).create().expect("create");
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let region = &region;
            scope.spawn(move || ask(region, &zipf(KEYS, 0.8, 100_000, seed)));
        }
    });
    let entries = region.len().expect("len");
    assert!(entries <= 3000, "{entries} entries");
    let distinct: HashSet<Vec<u8>> = region.iter().map(|entry| entry.expect("entry").key).collect();
    assert_eq!(distinct.len() as u64, entries);
    audit(&region);
}

#[test]
fn versions_do_not_go_back_when_an_entry_was_evicted() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").eviction(Eviction::S3Fifo).max_entries(10);
    let region = region.create().expect("create");
    let mut last = 0;
    for n in 0..200_u32 {
        last = last.max(region.put(b"k", b"v").expect("put").token.version);
        for other in 0..20 {
            region.put(format!("{n}-{other}").as_bytes(), b"v").expect("put");
        }
        let again = region.put(b"k", b"v").expect("put").token.version;
        assert!(again > last);
    }
    assert!(region.statistics().counters.evicted > 3000);
}

#[test]
fn what_must_not_be_evicted_is_refused_with_the_remedy() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = || node.region("r").eviction(Eviction::S3Fifo);
    let refused = [
        region().data_policy(DataPolicy::Replicate).create(),
        region().data_policy(DataPolicy::Replicate).scope(Scope::DistributedAck).create(),
        node.region("r").max_entries(5).create(),
    ];
    for result in refused {
        let error = result.expect_err("refused");
        assert!(matches!(error, Error::InvalidAttributes { .. }), "{error}");
    }
    let made = region().max_entries(7).create().expect("create");
    assert_eq!((made.attributes().eviction, made.attributes().max_entries), (Eviction::S3Fifo, 7));
    drop(made);
    let node = Node::open(home.path()).expect("open");
    let found = node.region("r").open().expect("open").attributes();
    assert_eq!((found.eviction, found.max_entries), (Eviction::S3Fifo, 7));
    let differs = node.region("r").max_entries(8).open();
    assert!(matches!(differs, Err(Error::AttributesDiffer { .. })));
}
