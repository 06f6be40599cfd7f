//! Records larger than a segment, and values that must be aligned.

use std::ops::ControlFlow;

use vug::{Error, Node, Notice, Region, Swap};

const SEGMENT: usize = 64 << 10;

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn region(home: &tempfile::TempDir, max_bytes: u64) -> Region {
    let node = Node::open(home.path()).expect("open");
    let builder = node.region("r").max_bytes(max_bytes).segment_bytes(SEGMENT as u64);
    builder.create().expect("create")
}

/// Bytes that differ from those of every other `seed` in every segment.
fn value(seed: u64, len: usize) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    });
    let mut bytes: Vec<u8> = words.take(len.div_ceil(8)).flat_map(u64::to_le_bytes).collect();
    bytes.truncate(len);
    bytes
}

fn assert_clean(region: &Region) {
    let report = vug::check::check_file(region.path()).expect("it can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
}

/// Segments without records, once everything dead is reused.
fn free(region: &Region) -> u32 {
    let figures = region.statistics();
    figures.segments_total
        - figures.segments_index
        - figures.segments_quarantined
        - figures.segments_sealed
        - figures.segments_active
}

#[test]
fn values_of_all_sizes_round_trip() {
    let home = home();
    let region = region(&home, 8 << 20);
    let lens = [0, 1, SEGMENT - 40, SEGMENT - 39, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 1_000_003];
    for (seed, len) in lens.into_iter().enumerate() {
        let (key, bytes) = (format!("key-{len}"), value(seed as u64, len));
        assert!(region.put(key.as_bytes(), &bytes).expect("put").created, "{len}");
        assert!(*region.get(key.as_bytes()).expect("get").expect("there") == bytes, "{len}");
        let mut copy = Vec::new();
        region.get_into(key.as_bytes(), &mut copy).expect("get").expect("there");
        assert!(copy == bytes, "{len}");
    }
    assert_clean(&region);
    let mut seen = 0;
    for entry in region.iter() {
        let entry = entry.expect("entry");
        let at = lens.iter().position(|len| *len == entry.value.len()).expect("one of them");
        assert!(entry.value == value(at as u64, lens[at]));
        seen += 1;
    }
    assert_eq!(seen, lens.len());
    region
        .scan(|view| {
            seen -= usize::from(lens.contains(&view.value.len()));
            ControlFlow::Continue(())
        })
        .expect("scan");
    assert_eq!(seen, 0);
    // Replaced by smaller and larger ones.
    for (seed, len) in lens.into_iter().rev().enumerate() {
        let key = format!("key-{}", lens[seed]);
        let token = region.token(key.as_bytes()).expect("token").expect("there");
        let bytes = value(100 + seed as u64, len);
        let swapped = region.compare_and_swap(key.as_bytes(), token, &bytes).expect("swap");
        assert!(matches!(swapped, Swap::Swapped(_)));
        assert!(*region.get(key.as_bytes()).expect("get").expect("there") == bytes);
    }
    for len in lens {
        region.destroy(format!("key-{len}").as_bytes()).expect("destroy");
    }
    assert_clean(&region);
}

#[test]
fn keys_of_64_kib_in_segments_of_64_kib() {
    let home = home();
    let region = region(&home, 2 << 20);
    let keys = [1 << 16, (1 << 16) - 1, SEGMENT - 40].map(|len| value(7, len));
    for key in &keys {
        region.put(key, &value(8, 100)).expect("put");
    }
    assert!(matches!(region.put(&value(7, (1 << 16) + 1), b""), Err(Error::InvalidKey { .. })));
    for key in &keys {
        assert!(*region.get(key).expect("get").expect("there") == value(8, 100));
    }
    assert_clean(&region);
    for key in &keys {
        region.destroy(key).expect("destroy");
        assert!(region.get(key).expect("get").is_none());
    }
    assert_clean(&region);
}

#[test]
fn the_largest_value_is_as_large_as_the_region() {
    let home = home();
    let region = region(&home, 4 << 20);
    let max = region.max_value_len(3);
    assert!(max > 2 << 20, "{max}");
    assert!(matches!(
        region.put(b"key", &vec![1; max + 1]),
        Err(Error::ValueTooLarge { max: told, .. }) if told == max
    ));
    for seed in 0..20 {
        let bytes = value(seed, max);
        region.put(b"key", &bytes).expect("put");
        assert!(*region.get(b"key").expect("get").expect("there") == bytes);
        assert_clean(&region);
        region.destroy(b"key").expect("destroy");
    }
    region.put(b"key", &vec![2; max]).expect("put");
    // There is no room for another one beside it.
    assert!(matches!(region.put(b"kez", &vec![3; max]), Err(Error::OutOfSpace { .. })));
    assert!(region.get(b"key").expect("get").expect("there").iter().all(|byte| *byte == 2));
    assert_clean(&region);
}

#[test]
fn guards_and_pins_keep_all_segments_of_a_run() {
    let home = home();
    let region = region(&home, 2 << 20);
    let bytes = value(1, 5 * SEGMENT);
    region.put(b"kept", &bytes).expect("put");
    region.put(b"owned", &bytes).expect("put");
    let guard = region.get(b"kept").expect("get").expect("there");
    let owned = region.get_owned(b"owned").expect("get").expect("there");
    region.destroy(b"kept").expect("destroy");
    region.destroy(b"owned").expect("destroy");
    for seed in 0..100 {
        region.put(b"other", &value(seed, 3 * SEGMENT + seed as usize)).expect("put");
        region.put(b"small", &value(seed, 900)).expect("put");
    }
    assert!(*guard == bytes);
    assert!(std::thread::spawn(move || *owned == bytes).join().expect("a thread"));
    drop(guard);
    assert_clean(&region);
}

#[test]
fn events_of_large_values() {
    let home = home();
    let region = region(&home, 4 << 20);
    let mut events = region.subscribe();
    let bytes = value(3, 4 * SEGMENT);
    region.put(b"large", &bytes).expect("put");
    let Some(Notice::Event(event)) = events.poll().expect("poll") else { panic!("a change") };
    assert!(event.value.as_deref() == Some(&bytes[..]));
}

/// Runs come and go in many sizes; what is free in the end is what was free in the beginning.
#[test]
fn many_runs_leave_nothing_behind() {
    let home = home();
    let region = region(&home, 4 << 20);
    let mut random = 88_172_645_463_325_252_u64;
    let mut kept = std::collections::HashMap::new();
    for seed in 0..3000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = format!("key-{}", random % 12);
        let len = (random >> 20) as usize % (4 * SEGMENT);
        match region.put(key.as_bytes(), &value(seed, len)) {
            Ok(_) => _ = kept.insert(key, (seed, len)),
            Err(Error::OutOfSpace { .. }) => {
                for (key, (seed, len)) in kept.drain() {
                    let found = region.get(key.as_bytes()).expect("get").expect("there");
                    assert!(*found == value(seed, len));
                    drop(found);
                    region.destroy(key.as_bytes()).expect("destroy");
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_clean(&region);
    for key in kept.keys() {
        region.destroy(key.as_bytes()).expect("destroy");
    }
    // All of it at once: only if no segment is lost.
    let max = region.max_value_len(3);
    drop(region);
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").open().expect("open");
    region.put(b"key", &value(1, max)).expect("all of the region");
    assert!(free(&region) <= 3, "{:#?}", region.statistics());
    assert_clean(&region);
}

/// Small entries live in every segment: there is room, but nowhere side by side.
#[test]
fn a_window_is_made_where_little_lives() {
    let home = home();
    let region = region(&home, 8 << 20);
    let mut count = 0_u32;
    while region.put(&count.to_le_bytes(), &value(u64::from(count), 1000)).is_ok() {
        count += 1;
    }
    for n in (0..count).filter(|n| n % 20 != 0) {
        region.destroy(&n.to_le_bytes()).expect("destroy");
    }
    for round in 0..20 {
        let bytes = value(round, 20 * SEGMENT);
        region.put(b"large", &bytes).expect("put");
        assert!(*region.get(b"large").expect("get").expect("there") == bytes);
        region.destroy(b"large").expect("destroy");
    }
    for n in (0..count).step_by(20) {
        let found = region.get(&n.to_le_bytes()).expect("get").expect("there");
        assert!(*found == value(u64::from(n), 1000));
    }
    assert_clean(&region);
}

#[test]
fn values_lie_where_they_are_asked_to() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    for alignment in [8_u64, 16, 64, 512, 4096] {
        let name = format!("aligned-{alignment}");
        let builder = node.region(&name).max_bytes(8 << 20).alignment(alignment);
        let region = builder.create().expect("create");
        assert_eq!(region.attributes().alignment, alignment);
        for n in 0..40_usize {
            let key = vec![b'k'; 1 + 17 * n];
            region.put(&key, &value(n as u64, 100 * n)).expect("put");
            if n % 10 == 0 {
                region.put(&key, &value(n as u64, 3 * SEGMENT + n)).expect("put");
            }
        }
        let mut seen = 0;
        region
            .scan(|view| {
                assert!(view.value.as_ptr().addr().is_multiple_of(alignment as usize));
                seen += 1;
                ControlFlow::Continue(())
            })
            .expect("scan");
        assert_eq!(seen, 40);
        assert_clean(&region);
        // Another process finds what the first one chose.
        let other = Node::open(home.path()).expect("open");
        let found = other.region(&name).open().expect("open");
        assert_eq!(found.attributes().alignment, alignment);
        assert!(matches!(
            other.region(&name).alignment(1024).open_or_create(),
            Err(Error::AttributesDiffer { .. })
        ));
    }
    for wrong in [0, 4, 24, 8192] {
        let made = node.region("wrong").alignment(wrong).create();
        assert!(matches!(made, Err(Error::InvalidAttributes { .. })), "{wrong}");
    }
}

/// Bytes that the machine can give without pressing others.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    number.unwrap_or(0) << 10
}

#[test]
fn a_value_of_one_gib() {
    if available() < 6 << 30 {
        println!("skipped: needs 6 GiB of memory");
        return;
    }
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(3 << 30).create().expect("create");
    assert_eq!(region.max_value_len(1000), 1 << 30);
    assert!(matches!(
        region.put(b"key", &vec![0; (1 << 30) + 1]),
        Err(Error::ValueTooLarge { .. })
    ));
    let bytes = value(5, 1 << 30);
    match region.put(b"key", &bytes) {
        Err(Error::FileSystemFull { .. }) => {
            println!("skipped: /dev/shm has no room for it");
            return;
        }
        other => other.expect("put"),
    };
    assert!(*region.get(b"key").expect("get").expect("there") == bytes[..]);
    assert_clean(&region);
    region.put(b"key", &bytes[..1 << 29]).expect("put");
    region.put(b"key", &bytes).expect("put");
    assert!(*region.get(b"key").expect("get").expect("there") == bytes[..]);
    assert_clean(&region);
}

/// The largest region there can be, by default segments of it: it costs what it holds.
#[test]
fn the_largest_region_takes_the_largest_value() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(256 << 30).create().expect("create");
    let figures = region.statistics();
    assert_eq!(u64::from(figures.segments_total) * figures.segment_bytes, 256 << 30);
    region.put(b"small", b"value").expect("put");
    let bytes = value(5, 300 << 20);
    region.put(b"key", &bytes).expect("put");
    assert!(*region.get(b"key").expect("get").expect("there") == bytes);
    region.put(b"key", b"small, too").expect("put");
    region.maintain(&vug::MaintainOptions::default()).expect("maintain");
    region.release_memory().expect("release");
    assert_eq!(&*region.get(b"small").expect("get").expect("there"), b"value");
    assert_clean(&region);
}
