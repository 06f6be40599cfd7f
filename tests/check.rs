//! The audit: it accepts what the library leaves, finds what is wrong, and survives any bytes.
//!
//! The tests with damaged files run them in child processes (this binary again), so that a signal
//! or an endless loop in the library is seen as such.

#[path = "fixtures/bytes.rs"]
mod bytes;
#[path = "fixtures/sample.rs"]
mod sample;

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use bytes::{file, home, seal, set_word, word};
use sample::{Map, create, fill};
use vug::check::{Report, check_file};

/// Tells a child what to do: `first..end` seeds and the home directory with the regions.
const CHILD: &str = "VUG_TEST_CHECK_CHILD";
/// Longest time for all runs of one child; a machine under load needs a fraction of it.
const DEADLINE: Duration = Duration::from_secs(240);

fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "{:#?}", report.problems);
    let sum = report.header_bytes
        + report.index_bytes
        + report.live_bytes
        + report.dead_bytes
        + report.free_bytes
        + report.unbacked_bytes;
    assert_eq!(sum, report.file_bytes, "every byte is accounted for");
}

#[test]
fn what_the_library_leaves_is_clean() {
    let home = home();
    fill(home.path());
    let local = check_file(&file(home.path(), "local")).expect("audit");
    assert_clean(&local);
    assert_eq!((local.entries, local.tombstones), (6363, 0));
    assert!(local.dead_bytes > 0 && local.free_bytes > 0 && local.unbacked_bytes > 0);
    let replicated = check_file(&file(home.path(), "replicated")).expect("audit");
    assert_clean(&replicated);
    assert_eq!((replicated.entries, replicated.tombstones), (6363, 637));
    assert_eq!(replicated.dead_members, 0);
}

#[test]
fn an_open_region_is_clean_while_nobody_writes() {
    let home = home();
    fill(home.path());
    let node = vug::Node::open(home.path()).expect("open");
    let region = node.region("local").open().expect("open");
    region.put(b"one more", b"value").expect("put");
    let guard = region.get(b"one more").expect("get");
    let owned = region.get_owned(b"one more").expect("get");
    assert_clean(&check_file(&file(home.path(), "local")).expect("audit"));
    drop((guard, owned));
}

/// Damages one word of a good file; returns what the audit says.
fn damaged(region: &str, damage: impl FnOnce(&mut [u8], &Map)) -> Report {
    let home = home();
    fill(home.path());
    let path = file(home.path(), region);
    let mut bytes = std::fs::read(&path).expect("read");
    let map = Map::of(&bytes);
    damage(&mut bytes, &map);
    std::fs::write(&path, &bytes).expect("write");
    check_file(&path).expect("the header is right")
}

fn assert_finds(report: &Report, place: &str, what: &str) {
    let found = |p: &vug::check::Problem| p.place.contains(place) && p.what.contains(what);
    assert!(report.problems.iter().any(found), "no `{place}: {what}` in {:#?}", report.problems);
}

/// Offset of the first occupied slot word.
fn occupied(bytes: &[u8], map: &Map) -> usize {
    let slots = (map.table..).step_by(8).filter(|at| !matches!(at % 64, 0 | 56));
    let visible = |at: &usize| word(bytes, *at) >> 55 > 1;
    slots.into_iter().find(visible).expect("an entry")
}

#[test]
fn a_slot_with_another_tag_is_found() {
    let report = damaged("local", |bytes, map| {
        let at = occupied(bytes, map);
        let seen = word(bytes, at);
        set_word(bytes, at, seen ^ (1 << 60));
    });
    assert_finds(&report, "bucket", "tag");
}

#[test]
fn a_lost_slot_leaves_a_record_that_is_found() {
    let report = damaged("local", |bytes, map| {
        let at = occupied(bytes, map);
        set_word(bytes, at, 0);
    });
    assert_finds(&report, "segment", "neither in the index nor marked dead");
    assert_eq!(report.entries, 6362);
}

#[test]
fn a_key_in_two_slots_is_found() {
    let report = damaged("local", |bytes, map| {
        let buckets = (map.table..).step_by(64);
        // The first bucket that has an entry and a free slot.
        let both = buckets.map(|bucket| {
            let slots = (1..7).map(|slot| bucket + slot * 8);
            let (occupied, free): (Vec<_>, Vec<_>) =
                slots.partition(|&at| word(bytes, at) >> 55 > 0);
            (occupied.into_iter().find(|&at| word(bytes, at) >> 55 > 1), free.first().copied())
        });
        let (at, free) = both.into_iter().find_map(|(at, free)| at.zip(free)).expect("one");
        let seen = word(bytes, at);
        set_word(bytes, free, seen);
    });
    assert_finds(&report, "bucket", "as another slot does");
}

#[test]
fn a_changed_key_and_a_wrong_generation_are_found() {
    let report = damaged("local", |bytes, map| {
        let location = word(bytes, occupied(bytes, map)) & ((1 << 52) - 1);
        let segment = (location >> 34) as usize;
        let offset = (location as usize & 0xf_ffff) << 3;
        bytes[map.segments_at + segment * map.segment_bytes + offset + 32] ^= 1;
    });
    assert_finds(&report, "segment", "is not that of its key");
    let report = damaged("local", |bytes, map| {
        let at = occupied(bytes, map);
        let seen = word(bytes, at);
        set_word(bytes, at, seen ^ (1 << 20));
    });
    assert_finds(&report, "bucket", "names generation");
}

#[test]
fn a_pending_insert_and_a_stamp_from_the_future_are_found() {
    let report = damaged("local", |bytes, map| {
        let at = occupied(bytes, map) / 64 * 64;
        set_word(bytes, at, 1 << 32 | 1 << 20 | 1);
    });
    assert_finds(&report, "bucket", "an insert is pending");
    let report = damaged("local", |bytes, map| {
        let slots = (map.table..).step_by(8).filter(|at| !matches!(at % 64, 0 | 56));
        let empty = |at: &usize| word(bytes, *at) == 0;
        let at = slots.into_iter().find(empty).expect("an empty slot");
        set_word(bytes, at, 1 << 40 | 1 << 30);
    });
    assert_finds(&report, "bucket", "above its counter");
}

#[test]
fn links_that_cross_or_leave_the_table_are_found() {
    for (value, what) in [(1, "no overflow bucket"), (1 << 40, "no overflow bucket")] {
        let report = damaged("local", |bytes, map| set_word(bytes, map.table + 56, value));
        assert_finds(&report, "bucket 0", what);
    }
    let report = damaged("local", |bytes, map| {
        let links = (0..map.primaries).map(|bucket| map.table + bucket * 64 + 56);
        let linked: Vec<usize> = links.filter(|&at| word(bytes, at) != 0).collect();
        let second = word(bytes, linked[1]);
        set_word(bytes, linked[0], second);
    });
    assert_finds(&report, "bucket", "linked already");
    assert_finds(&report, "bucket", "whose claim is");
}

#[test]
fn a_current_table_that_no_region_has_is_found() {
    let report = damaged("local", |bytes, _| {
        let words = word(bytes, 96 + 8 * 6) as usize;
        for at in (words..words + 512).step_by(8) {
            set_word(bytes, at, u64::MAX);
        }
    });
    assert_finds(&report, "region words", "");
}

#[test]
fn wrong_states_hints_and_ring_cells_are_found() {
    let report = damaged("local", |bytes, map| set_word(bytes, map.states + 8 * 4, 0xf << 60));
    assert_finds(&report, "segment 4", "no meaning");
    let report = damaged("local", |bytes, map| {
        let seen = word(bytes, map.headers + 64 * 4 + 8);
        set_word(bytes, map.headers + 64 * 4 + 8, seen + 8);
    });
    assert_finds(&report, "segment 4", "counted as dead");
    let report = damaged("replicated", |bytes, map| set_word(bytes, map.ring + 8 * 9, 0));
    assert_finds(&report, "ring cell 9", "lap");
    let report = damaged("local", |bytes, map| set_word(bytes, map.ring + 8 * 9, 7));
    assert_finds(&report, "ring cell 9", "above the tail");
    let report = damaged("local", |bytes, map| set_word(bytes, map.threads + 512 + 8, 5));
    assert_finds(&report, "thread descriptor 1", "hazard 1 is set without an owner");
}

#[test]
fn files_that_are_no_regions_are_refused() {
    let home = home();
    fill(home.path());
    let code = |path: &Path| check_file(path).expect_err("no region").code();
    assert_eq!(code(&home.path().join("none.region")), 206);
    assert_eq!(code(home.path()), 101);
    assert_eq!(code(&home.path().join("node")), 101);
    let path = file(home.path(), "local");
    let bytes = std::fs::read(&path).expect("read");
    let put = |bytes: &[u8]| std::fs::write(&path, bytes).expect("write");
    put(&[]);
    assert!(matches!(code(&path), 101 | 104));
    put(&bytes[..bytes.len() - 1]);
    assert_eq!(code(&path), 104);
    let mut other = bytes.clone();
    other[300] ^= 1;
    put(&other);
    assert_eq!(code(&path), 105);
    set_word(&mut other, 96 + 8, 12345);
    seal(&mut other);
    put(&other);
    assert_eq!(code(&path), 105);
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Damages the node file; regions and audit must do without it.
fn each_damaged_node(seeds: std::ops::Range<u64>, home: &Path) {
    let path = home.join("node");
    let template = std::fs::read(&path).expect("read");
    for name in ["local", "replicated"] {
        std::fs::rename(home.join(format!("{name}.good")), file(home, name)).expect("rename");
    }
    for seed in seeds {
        let mut random = Random(seed);
        let mut bytes = template.clone();
        for _ in 0..=random.below(6) {
            let (start, end) =
                [(0, 512), (4096, 4352), (8192, 8192 + 4 * 128), (8192, 40960)][random.below(4)];
            let at = (start + random.below(end - start)) & !7;
            let values = [0, 1, u64::MAX, random.next(), word(&bytes, at) ^ (1 << (seed % 64))];
            set_word(&mut bytes, at, values[random.below(values.len())]);
        }
        if random.below(4) != 0 {
            seal(&mut bytes);
        }
        std::fs::remove_file(&path).expect("remove");
        std::fs::write(&path, &bytes).expect("write");
        std::fs::write(home.join("seed"), seed.to_string()).expect("write");
        let _ = check_file(&file(home, "local"));
        let Ok(node) = vug::Node::open(home) else { continue };
        let _ = (node.members(), node.origin(), node.recover());
        let Ok(region) = node.region("replicated").open() else { continue };
        let _ = region.put(b"key", b"value");
        let _ = region.get(b"key");
        let _ = check_file(&file(home, "replicated"));
    }
}

fn seeds(text: &str) -> std::ops::Range<u64> {
    let (first, end) = text.split_once("..").expect("a range");
    first.parse().expect("a number")..end.parse().expect("a number")
}

/// The part of the tests below that runs in children.
#[test]
fn child() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let mut parts = task.splitn(3, ' ');
    let (what, range) = (parts.next(), parts.next().map(seeds));
    let (Some(home), Some(range)) = (parts.next().map(Path::new), range) else {
        panic!("a task has three parts")
    };
    match what {
        Some("node") => each_damaged_node(range, home),
        Some("write") => write_until_killed(home),
        other => panic!("there is no task {other:?}"),
    }
}

/// Writes, holds guards, and never ends by itself.
fn write_until_killed(home: &Path) {
    let node = vug::Node::open(home).expect("open");
    let region = node.region("local").open().expect("open");
    let replicated = node.region("replicated").open().expect("open");
    let _guard = region.get(&1_u32.to_le_bytes()).expect("get");
    let _owned = region.get_owned(&2_u32.to_le_bytes()).expect("get");
    for n in 0_u32.. {
        let key = (n % 300).to_le_bytes();
        region.put(&key, &[n as u8; 20]).expect("put");
        replicated.put(&(n % 300).to_le_bytes(), b"new").expect("put");
        region.remove(&(n.wrapping_mul(7) % 300).to_le_bytes()).expect("remove");
        if n == 100 {
            std::fs::write(home.join("started"), "").expect("write");
        }
    }
}

#[test]
fn what_a_killed_writer_leaves_is_recoverable_and_recovered() {
    let home = home();
    create(home.path(), 4 << 20);
    let regions = ["local", "replicated"].map(|name| file(home.path(), name));
    for round in 0..20 {
        let _ = std::fs::remove_file(home.path().join("started"));
        let mut child = child_with(&format!("write 0..0 {}", home.path().display()));
        let start = Instant::now();
        while !home.path().join("started").exists() {
            assert!(start.elapsed() < DEADLINE, "the writer does not start");
            assert!(child.try_wait().expect("wait").is_none(), "the writer fails");
            std::thread::yield_now();
        }
        // Another instant of the write in each round.
        let until = Instant::now() + Duration::from_micros(round * 137);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().expect("kill");
        child.wait().expect("wait");
        for path in &regions {
            let report = check_file(path).expect("audit");
            assert_eq!(report.dead_members, 1);
            assert!(!report.is_clean());
            for problem in &report.problems {
                assert!(problem.recoverable, "round {round}: {problem:?}");
            }
        }
        let node = vug::Node::open(home.path()).expect("open");
        node.recover().expect("recover");
        drop(node);
        for path in &regions {
            assert_clean(&check_file(path).expect("audit"));
        }
    }
}

fn child_with(task: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, task)
        .spawn()
        .expect("start a child")
}

fn run_child(what: &str, range: std::ops::Range<u64>) {
    let home = home();
    fill(home.path());
    for name in ["local", "replicated"] {
        let good = home.path().join(format!("{name}.good"));
        std::fs::rename(file(home.path(), name), good).expect("rename");
    }
    let task = format!("{what} {}..{} {}", range.start, range.end, home.path().display());
    let mut child = child_with(&task);
    let status = wait(&mut child);
    let seed = std::fs::read_to_string(home.path().join("seed")).unwrap_or_default();
    match status {
        Some(status) => assert!(status.success(), "{what}: seed {seed} ends with {status}"),
        None => panic!("{what}: seed {seed} did not end within {DEADLINE:?}"),
    }
}

/// `None` after the deadline; then the child is killed.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            return Some(status);
        }
        if start.elapsed() > DEADLINE {
            child.kill().expect("kill the child");
            child.wait().expect("wait");
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Seeds of one test; `VUG_TEST_DAMAGED` in the environment makes a longer campaign.
fn campaign(usual: u64) -> std::ops::Range<u64> {
    let wanted = std::env::var("VUG_TEST_DAMAGED").ok();
    0..wanted.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn a_damaged_node_file_is_survived() {
    run_child("node", campaign(1000));
}
