//! Reading without the right to write, beside writers that overwrite, destroy, clean and grow.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use vug::{Error, Kind, Node, ReadOnlyRegion, Region};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("a directory")
}

fn open(home: &tempfile::TempDir, bytes: u64) -> (Region, ReadOnlyRegion) {
    let node = Node::open(home.path()).expect("open");
    let region = node.region("r").max_bytes(bytes).create().expect("create");
    let reader = Node::open_read_only(home.path()).expect("open").region("r").expect("open");
    (region, reader)
}

#[test]
fn a_reader_sees_what_members_write() {
    let home = home();
    let (region, reader) = open(&home, 4 << 20);
    assert_eq!(reader.get(b"a").expect("get"), None);
    let token = region.put(b"a", b"one").expect("put").token;
    let entry = reader.get(b"a").expect("get").expect("there");
    assert_eq!((entry.key, entry.value, entry.token), (b"a".to_vec(), b"one".to_vec(), token));
    let mut value = b"old".to_vec();
    assert_eq!(reader.get_into(b"b", &mut value).expect("get"), None);
    assert_eq!(value, b"old");
    assert_eq!(reader.get_into(b"a", &mut value).expect("get"), Some(token));
    assert_eq!(value, b"one");
    region.destroy(b"a").expect("destroy");
    assert!(!reader.contains_key(b"a").expect("get"));
    assert!(matches!(reader.get(b""), Err(Error::InvalidKey { len: 0 })));
    // Enough for the index to grow.
    for n in 0..20_000_u32 {
        region.put(&n.to_le_bytes(), &n.to_be_bytes()).expect("put");
        if n % 97 == 0 {
            let value = reader.get(&n.to_le_bytes()).expect("get").expect("there").value;
            assert_eq!(value, n.to_be_bytes());
        }
    }
    assert_eq!(reader.len().expect("len"), 20_000);
    let seen: HashSet<Vec<u8>> = reader.iter().map(|entry| entry.expect("entry").key).collect();
    assert_eq!(seen.len(), 20_000);
    let statistics = reader.statistics().expect("statistics");
    assert_eq!(statistics.counters.puts, region.statistics().counters.puts);
    assert_eq!(reader.attributes(), region.attributes());
    assert!(reader.pins().is_empty());
}

#[test]
fn a_large_value_is_copied_whole() {
    let home = home();
    let (region, reader) = open(&home, 16 << 20);
    for round in 0..4_u8 {
        let value: Vec<u8> = (0..1_500_000_u32).map(|n| (n as u8).wrapping_add(round)).collect();
        region.put(b"large", &value).expect("put");
        assert_eq!(reader.get(b"large").expect("get").expect("there").value, value);
    }
}

#[test]
fn expired_entries_are_absent_for_readers_too() {
    let home = home();
    let (region, reader) = open(&home, 4 << 20);
    let mut options = vug::WriteOptions::default();
    options.ttl = Some(std::time::Duration::from_micros(1));
    region.put_with(b"short", b"1", &options).expect("put");
    region.put(b"long", b"2").expect("put");
    while region.contains_key(b"short").expect("get") {
        std::thread::yield_now();
    }
    assert!(!reader.contains_key(b"short").expect("get"));
    assert!(reader.contains_key(b"long").expect("get"));
}

/// The file of another user who lets everybody read.
#[test]
fn the_right_to_read_is_enough() {
    let home = home();
    let (region, reader) = open(&home, 1 << 20);
    region.put(b"key", b"value").expect("put");
    drop(reader);
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
    };
    mode(home.path(), 0o755);
    mode(region.path(), 0o444);
    if !nix::unistd::geteuid().is_root() {
        // The owner without the right to write is as good as another user.
        let reader = Node::open_read_only(home.path()).expect("open").region("r").expect("open");
        assert_eq!(reader.get(b"key").expect("get").expect("there").value, b"value");
        return;
    }
    let read = || {
        let node = Node::open_read_only(home.path()).map_err(|error| error.to_string())?;
        let reader = node.region("r").map_err(|error| error.to_string())?;
        let entry = reader.get(b"key").map_err(|error| error.to_string())?;
        Ok::<_, String>((entry.map(|entry| entry.value), reader.len().ok()))
    };
    // Only the calling thread changes its user, as the system call does.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let nobody = 65_534;
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(nobody));
            let denied = std::fs::OpenOptions::new().write(true).open(region.path());
            assert!(denied.is_err(), "another user cannot write");
            assert_eq!(read(), Ok((Some(b"value".to_vec()), Some(1))));
        });
        thread.join().expect("no panic");
    });
}

/// A value that shows whether it is whole: its length follows from its first bytes, and all other
/// bytes from these.
fn value_of(seed: u64, value: &mut Vec<u8>) {
    value.clear();
    value.extend_from_slice(&seed.to_le_bytes());
    let len = 8 + (seed % 3000) as usize;
    let mut state = seed;
    while value.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        value.extend_from_slice(&state.to_le_bytes());
    }
    value.truncate(len);
}

fn check(value: &[u8]) {
    let seed = u64::from_le_bytes(value[..8].try_into().expect("eight bytes"));
    let mut expected = Vec::new();
    value_of(seed, &mut expected);
    assert!(expected == value, "torn: {} bytes of seed {seed}", value.len());
}

/// Writers go through the memory of a small region many times: segments are cleaned and used
/// again, the index grows, and no reader ever gets a value in parts.
#[test]
fn copies_are_never_torn() {
    let home = home();
    let (region, reader) = open(&home, 4 << 20);
    let done = AtomicBool::new(false);
    let mut value = Vec::new();
    value_of(1, &mut value);
    region.put(b"fixed", &value).expect("put");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (reader, done) = (reader.clone(), &done);
            scope.spawn(move || {
                let mut value = Vec::new();
                let mut found = 0_u64;
                let mut n = 0_u32;
                while !done.load(Ordering::Relaxed) || found == 0 {
                    n = n.wrapping_add(7);
                    let key = (n % 600).to_le_bytes();
                    if let Some(token) = reader.get_into(&key, &mut value).expect("get") {
                        assert_eq!(token.kind, Kind::Value);
                        check(&value);
                        found += 1;
                    }
                    assert!(reader.contains_key(b"fixed").expect("get"), "it is there always");
                    if n.is_multiple_of(4096) {
                        for entry in reader.iter() {
                            check(&entry.expect("entry").value);
                        }
                    }
                }
            });
        }
        let mut value = Vec::new();
        for seed in 0..60_000_u64 {
            let key = ((seed.wrapping_mul(2_654_435_761) >> 7) as u32 % 600).to_le_bytes();
            if seed % 5 == 0 {
                region.remove(&key).expect("remove");
            } else {
                value_of(seed, &mut value);
                region.put(&key, &value).expect("put");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Everything that is known of an entry, as members know it.
#[test]
fn a_reader_knows_of_entries_what_members_know() {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let hour = vug::Expiry::destroy(std::time::Duration::from_secs(3600));
    let builder = node.region("r").max_bytes(4 << 20).entry_idle(hour);
    let region = builder.create().expect("create");
    let reader = Node::open_read_only(home.path()).expect("open").region("r").expect("open");
    assert_eq!(reader.entry(b"a").expect("entry"), None);
    assert!(!reader.contains_value_for_key(b"a").expect("a look"));
    let before = std::time::SystemTime::now();
    region.put(b"a", b"one").expect("put");
    let known = reader.entry(b"a").expect("entry").expect("there");
    assert_eq!(known.value.as_deref(), Some(b"one".as_slice()));
    assert_eq!(Some(known.token), region.token(b"a").expect("token"));
    // To a tick of 65 ms, and one of the clock.
    let accessed = known.accessed.expect("noted where entries can be idle");
    assert!(accessed + std::time::Duration::from_millis(70) > before, "{accessed:?} {before:?}");
    assert!(known.expires.expect("it can be idle") > accessed);
    assert!(reader.contains_value_for_key(b"a").expect("a look"));
    region.invalidate(b"a").expect("invalidate");
    let invalid = reader.entry(b"a").expect("entry").expect("there");
    assert_eq!((invalid.value, invalid.token.kind), (None, Kind::Invalid));
    assert!(!reader.contains_value_for_key(b"a").expect("a look"));
    assert!(reader.contains_key(b"a").expect("a look"));
    assert!(matches!(reader.entry(b""), Err(Error::InvalidKey { len: 0 })));

    region.set_entry_idle(None).expect("alter");
    let both = [region.entry(b"a"), reader.entry(b"a")];
    for known in both {
        assert_eq!(known.expect("entry").expect("there").accessed, None, "nobody notes it");
    }
}
