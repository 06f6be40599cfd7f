//! Regions whose memory is nearly full of live entries are overwritten without end.

use std::collections::HashMap;

use vug::{MaintainOptions, Node, Region};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

const VALUE: usize = 200;
/// Header, key of 8 bytes, value.
const RECORD: u64 = 32 + 8 + VALUE as u64;

fn value(tag: u64) -> [u8; VALUE] {
    let mut value = [tag as u8; VALUE];
    value[..8].copy_from_slice(&tag.to_le_bytes());
    value
}

/// Entries whose records take `percent` of the memory for records.
fn entries(region: &Region, percent: u64) -> u64 {
    let numbers = region.statistics();
    // The index grows with them; in the end it takes about a twelfth of the region.
    let segments = u64::from(numbers.segments_total) * 11 / 12;
    segments * (numbers.segment_bytes / RECORD) * percent / 100
}

fn audit(region: &Region) {
    let report = vug::check::check_file(region.path()).expect("the file can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
}

/// Fills a region to `percent` and overwrites random entries; `writes` times its memory.
fn overwrite(percent: u64, times: u64) {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region =
        node.region("r").max_bytes(16 << 20).segment_bytes(64 << 10).create().expect("create");
    let count = entries(&region, percent);
    let mut model = HashMap::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for n in 0..count {
        region.put(&n.to_le_bytes(), &value(n)).expect("fill");
        model.insert(n, n);
    }
    let writes = times * (16 << 20) / RECORD;
    let start = std::time::Instant::now();
    for n in 0..writes {
        let key = random.below(count);
        let put = region.put(&key.to_le_bytes(), &value(n));
        put.unwrap_or_else(|error| panic!("write {n}: {error}: {:#?}", region.statistics()));
        model.insert(key, n);
    }
    let rate = writes as f64 / start.elapsed().as_secs_f64();
    let numbers = region.statistics();
    println!(
        "{percent} %: {:.2} M writes/s, {} segments cleaned, {:.2} bytes copied per byte written, \
         {:.4} of the writes cleaned",
        rate / 1e6,
        numbers.segments_cleaned,
        numbers.bytes_moved as f64 / (writes * RECORD) as f64,
        numbers.counters.foreground_cleans as f64 / writes as f64,
    );
    for (key, tag) in &model {
        let found = region.get(&key.to_le_bytes()).expect("get").expect("there");
        assert_eq!(*found, value(*tag), "key {key}");
    }
    assert_eq!(region.len().expect("len"), count);
    if percent > 40 {
        assert!(numbers.records_moved > 0, "{numbers:#?}");
    }
    audit(&region);
}

#[test]
fn a_region_is_overwritten_for_ever() {
    for percent in [10, 50, 80, 90] {
        overwrite(percent, 10);
    }
}

/// Processes that leave make their segments open for adoption. Such a one with little room left
/// for large values, much of it dead and a little alive, was neither adopted nor sealed, and only
/// sealed ones were cleaned.
#[test]
fn open_segments_of_processes_that_left_are_cleaned() {
    let home = home();
    let keep = Node::open(home.path()).expect("open");
    let kept = keep.region("r").max_bytes(1 << 20).create().expect("create");
    for n in 0..100_u32 {
        let node = Node::open(home.path()).expect("open");
        let region = node.region("r").open().expect("open");
        for (key, len) in [(u32::MAX, 40_000), (n, 100)] {
            if let Err(error) = region.put(&key.to_le_bytes(), &vec![7; len]) {
                panic!("round {n}: {error}; {:#?}", kept.statistics());
            }
        }
    }
    assert_eq!(kept.len().expect("len"), 101);
    audit(&kept);
}

/// The same of what cleaners leave open, by themselves.
#[test]
fn large_values_are_overwritten_for_ever() {
    for (len, percent) in [(9_000, 60), (12_000, 60), (14_000, 60), (20_000, 60), (30_000, 50)] {
        let home = home();
        let node = Node::open(home.path()).expect("open");
        let region =
            node.region("r").max_bytes(4 << 20).segment_bytes(64 << 10).create().expect("create");
        let per_segment = (64 << 10) / (len + 40) as u64;
        let count = (62 - 2) * per_segment * percent / 100;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for n in 0..count {
            region.put(&n.to_le_bytes(), &vec![1; len]).expect("fill");
        }
        for n in 0..20_000_u32 {
            // Most writes go to few keys; the others stay.
            let keys = if random.below(100) < 99 { count / 4 } else { count };
            let key = random.below(keys);
            let put = region.put(&key.to_le_bytes(), &vec![n as u8; len]);
            put.unwrap_or_else(|error| {
                panic!("{len} bytes, write {n}: {error}: {:#?}", region.statistics())
            });
        }
        audit(&region);
    }
}

/// A write that looks at the entry it replaces, while it makes room, holds the segment of that
/// entry. When nothing else was in the way, it was told that the region is full, and was not when
/// it tried again.
#[test]
fn a_write_is_not_in_its_own_way() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region =
        node.region("r").max_bytes(1 << 20).segment_bytes(64 << 10).create().expect("create");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut filled = 0_u64;
    while region.create(&filled.to_le_bytes(), &[0; 7000]).is_ok() {
        filled += 1;
    }
    let count = filled * 85 / 100;
    for n in count..filled {
        region.destroy(&n.to_le_bytes()).expect("destroy");
    }
    for n in 0..20_000_u32 {
        let key = random.below(count).to_le_bytes();
        let updated = region.update(&key, |_| Some(vec![n as u8; 7000]));
        updated.unwrap_or_else(|error| panic!("write {n}: {error}: {:#?}", region.statistics()));
    }
    audit(&region);
}

/// The index grows into memory that is there, but nowhere side by side.
#[test]
fn the_index_grows_into_a_window_that_is_made_for_it() {
    let home =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory");
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(4 << 20).segment_bytes(64 << 10);
    let region = region.create().expect("create");
    // Every segment has something that lives.
    let mut filled = 0_u32;
    while region.put(&filled.to_le_bytes(), &[1; 3000]).is_ok() {
        filled += 1;
    }
    for n in (0..filled).filter(|n| n % 20 != 0) {
        region.remove(&n.to_le_bytes()).expect("remove");
    }
    let mut tiny = 0_u32;
    let error = loop {
        match region.put(format!("tiny-{tiny}").as_bytes(), b"") {
            Ok(_) => tiny += 1,
            Err(error) => break error,
        }
    };
    let used = region.maintain(&MaintainOptions::thorough()).map(|_| region.statistics());
    println!("{tiny} tiny entries, then {error}: {used:#?}");
    assert!(tiny > 40_000, "{tiny} entries, then {error}");
    let report = vug::check::check_file(region.path()).expect("it can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
}
