//! Bad input is refused with a typed error that names the place and the remedy, and the region is
//! as it was.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use vug::{Attributes, DataPolicy, Error, Node, Region, Scope};
use vug_tests::{Answer, TempHome, Worker, assert_clean, have_root};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");
const MAX_BYTES: u64 = 1 << 20;
/// Where things are in the header, as shm/FORMAT.md says.
const VERSION_AT: usize = 8;
const BYTE_ORDER_AT: usize = 12;
const INCOMPATIBLE_AT: usize = 32;
const HEADER_BYTES: usize = 512;
/// What changes while a file is in use begins on the next page.
const HEADER_PAGE: usize = 4096;

/// A region with one entry that nobody has open, to be damaged.
struct Victim {
    home: TempHome,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Victim {
    fn new() -> Victim {
        let home = TempHome::new();
        let node = home.node();
        let region = node.region("victim").max_bytes(MAX_BYTES).create().expect("a new region");
        region.put(b"key", b"value").expect("put");
        let path = region.path().to_owned();
        drop((region, node));
        let bytes = fs::read(&path).expect("the region file");
        Victim { home, path, bytes }
    }

    fn write(&self, bytes: &[u8]) {
        fs::write(&self.path, bytes).expect("the region file takes the damage");
    }

    fn open(&self) -> vug::Result<Region> {
        Node::open(self.home.path())?.region("victim").open()
    }

    /// Opens the damaged file, which must fail and change nothing in it.
    fn refuse(&self) -> Error {
        let damaged = fs::read(&self.path).expect("the region file");
        let error = self.open().expect_err("a damaged file is refused");
        assert!(fs::read(&self.path).expect("still there") == damaged, "{error}: file changed");
        explains(&error, &self.path.display().to_string());
        error
    }

    /// Puts the bytes back as they were; the entry is there.
    fn restore(&self) {
        self.write(&self.bytes);
        let region = self.open().expect("the restored file opens");
        assert_eq!(region.get(b"key").expect("get").as_deref(), Some(&b"value"[..]));
    }
}

/// The text is one line, or a table below one, and names the place; the remedy is there.
fn explains(error: &Error, place: &str) {
    let text = error.to_string();
    assert!(text.contains(place), "`{text}` does not name {place}");
    let table = matches!(error, Error::AttributesDiffer { .. });
    assert!(text.contains('\n') == table, "`{text}` is more than one line");
    assert!(!error.help().trim().is_empty(), "`{text}` has no help");
    assert_ne!(error.code(), 0);
}

fn local(home: &TempHome, name: &str) -> Region {
    home.node().region(name).max_bytes(MAX_BYTES).create().expect("a new region")
}

#[test]
fn wrong_magic() {
    let victim = Victim::new();
    let mut bytes = victim.bytes.clone();
    bytes[..8].copy_from_slice(b"not vug!");
    victim.write(&bytes);
    assert!(matches!(victim.refuse(), Error::NotAVugFile { .. }));
    victim.restore();
}

#[test]
fn a_file_of_something_else() {
    let victim = Victim::new();
    victim.write(&b"key,value\n".repeat(1000));
    assert!(matches!(victim.refuse(), Error::NotAVugFile { .. }));
    victim.restore();
}

#[test]
fn case_09_truncated_file() {
    let victim = Victim::new();
    let mut len = victim.bytes.len() - 1;
    while len > 0 {
        victim.write(&victim.bytes[..len]);
        let error = victim.refuse();
        assert!(matches!(error, Error::Truncated { .. }), "{len} bytes: {error}");
        len /= 2;
    }
    victim.write(b"");
    assert!(matches!(victim.refuse(), Error::Truncated { .. } | Error::NotAVugFile { .. }));
    victim.restore();
}

#[test]
fn other_endianness() {
    let victim = Victim::new();
    let mut bytes = victim.bytes.clone();
    bytes[BYTE_ORDER_AT..BYTE_ORDER_AT + 4].reverse();
    victim.write(&bytes);
    let error = victim.refuse();
    assert!(matches!(error, Error::OtherEndianness { .. }), "{error}");
    victim.restore();
}

#[test]
fn newer_format() {
    let victim = Victim::new();
    let mut bytes = victim.bytes.clone();
    let newer = vug::FORMAT_VERSION + 1;
    bytes[VERSION_AT..VERSION_AT + 4].copy_from_slice(&newer.to_ne_bytes());
    victim.write(&bytes);
    match victim.refuse() {
        Error::UnsupportedFormat { found, supported, .. } => {
            assert_eq!((found, supported), (newer, vug::FORMAT_VERSION))
        }
        error => panic!("{error}"),
    }
    victim.restore();
}

#[test]
fn unknown_feature() {
    let victim = Victim::new();
    let mut bytes = victim.bytes.clone();
    bytes[INCOMPATIBLE_AT] |= 1;
    victim.write(&bytes);
    let error = victim.refuse();
    assert!(matches!(error, Error::UnknownFeatures { .. }), "{error}");
    victim.restore();
}

#[test]
fn flipped_bytes_of_the_node_file() {
    let home = TempHome::new();
    drop(home.node());
    let path = home.path().join("node");
    let original = fs::read(&path).expect("the node file");
    for at in 0..HEADER_BYTES {
        let mut bytes = original.clone();
        bytes[at] ^= 0xff;
        fs::write(&path, &bytes).expect("the node file takes the damage");
        let error = Node::open(home.path()).expect_err("a damaged node file is refused");
        explains(&error, &path.display().to_string());
        assert!((101..=111).contains(&error.code()), "byte {at}: {error}");
    }
    fs::write(&path, &original).expect("the node file");
    home.node();
}

#[test]
fn case_09_flipped_header_bytes() {
    let victim = Victim::new();
    for at in 0..HEADER_PAGE {
        let mut bytes = victim.bytes.clone();
        bytes[at] ^= 0xff;
        victim.write(&bytes);
        match victim.open() {
            Err(error) => {
                explains(&error, &victim.path.display().to_string());
                assert!((101..=111).contains(&error.code()), "byte {at}: {error}");
                let after = fs::read(&victim.path).expect("the region file");
                assert!(after == bytes, "byte {at}: file changed");
            }
            // The rest of the page has no meaning.
            Ok(region) => {
                assert!(at >= HEADER_BYTES, "byte {at} is not looked at");
                let found = region.get(b"key").expect("get");
                assert_eq!(found.as_deref(), Some(&b"value"[..]));
            }
        }
    }
    victim.restore();
}

#[test]
fn a_directory_in_the_place_of_a_file() {
    let home = TempHome::new();
    let path = home.region_file("folder");
    fs::create_dir(&path).expect("a folder");
    let error = home.node().region("folder").open().expect_err("a folder is no region");
    explains(&error, &path.display().to_string());
}

#[test]
fn a_symbolic_link_in_the_place_of_a_file() {
    let home = TempHome::new();
    let region = local(&home, "real");
    let link = home.region_file("link");
    std::os::unix::fs::symlink(region.path(), &link).expect("a link");
    let error = home.node().region("link").open().expect_err("links are not followed");
    explains(&error, &link.display().to_string());
}

#[test]
fn unreadable_file() {
    if !have_root() {
        // The same from an ordinary user's side, who owns the file.
        let victim = Victim::new();
        fs::set_permissions(&victim.path, fs::Permissions::from_mode(0o000)).expect("own file");
        let error = victim.open().expect_err("the file cannot be read");
        explains(&error, &victim.path.display().to_string());
        assert!(matches!(error, Error::Io { .. }), "{error}");
        return;
    }
    let home = TempHome::new();
    chown(home.path(), Some(NOBODY), Some(NOBODY)).expect("root gives it away");
    let path = home.path().display();
    let mut owner = nobody();
    assert_eq!(owner.ask(format_args!("open-or-create {path} victim {MAX_BYTES}")), done());
    let file = home.region_file("victim");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("root may");
    let mut reader = nobody();
    refused_by(&mut reader, &format!("open {path} victim"), 601, &file);
}

#[test]
fn foreign_owner() {
    if !have_root() {
        return;
    }
    let victim = Victim::new();
    chown(&victim.path, Some(NOBODY), None).expect("root gives it away");
    match victim.refuse() {
        Error::ForeignOwner { owner, expected, .. } => assert_eq!((owner, expected), (NOBODY, 0)),
        error => panic!("{error}"),
    }
    chown(&victim.path, Some(0), None).expect("root takes it back");
    victim.restore();
}

const NOBODY: u32 = 65534;

fn nobody() -> Worker {
    let mut worker = Worker::start(WORKER);
    assert_eq!(worker.ask(format_args!("become {NOBODY}")), done());
    worker
}

fn done() -> Answer {
    Answer::Ok(Vec::new())
}

fn refused_by(worker: &mut Worker, request: &str, code: u16, path: &Path) {
    match worker.ask(request) {
        Answer::Error(found, text) => {
            assert_eq!(found, code, "{text}");
            assert!(text.contains(&path.display().to_string()), "{text}");
        }
        other => panic!("{request}: {other:?}"),
    }
}

#[test]
fn region_names() {
    let home = TempHome::new();
    let node = home.node();
    let long = "n".repeat(129);
    for name in ["", "a/b", "/", "../up", "a b", "a\0b", "\u{e9}", long.as_str()] {
        for result in [node.region(name).create(), node.region(name).open()] {
            let error = result.expect_err("the name is refused");
            assert!(matches!(error, Error::InvalidRegionName { .. }), "{name:?}: {error}");
            assert!(!error.help().is_empty());
        }
    }
    for name in ["a", "A.b_c-9", "..", &long[..128]] {
        local(&home, name);
    }
    assert_eq!(node.regions().expect("names").len(), 4);
}

#[test]
fn key_lengths() {
    let home = TempHome::new();
    let region = home.node().region("keys").create().expect("a new region");
    for len in [0, 65_537, 100_000] {
        let key = vec![b'k'; len];
        let errors = [
            region.put(&key, b"v").err(),
            region.create(&key, b"v").err(),
            region.replace(&key, b"v").err(),
            region.get(&key).err(),
            region.token(&key).err(),
            region.destroy(&key).err(),
            region.remove(&key).err(),
        ];
        for error in errors {
            let error = error.expect("the key is refused");
            assert!(matches!(error, Error::InvalidKey { len: found } if found == len), "{error}");
            explains(&error, &len.to_string());
        }
    }
    assert_eq!(region.len().expect("len"), 0);
    for len in [1, 65_535, 65_536] {
        let key = vec![b'k'; len];
        region.put(&key, b"v").expect("a key of this length works");
        assert_eq!(region.get(&key).expect("get").as_deref(), Some(&b"v"[..]), "{len}");
    }
    assert_eq!(region.len().expect("len"), 3);
}

#[test]
fn value_over_the_limit() {
    let home = TempHome::new();
    let region = local(&home, "values");
    let limit = region.max_value_len(3);
    region.put(b"key", b"before").expect("put");
    let error = region.put(b"key", &vec![0; limit + 1]).expect_err("too large");
    match &error {
        Error::ValueTooLarge { len, max } => assert_eq!((*len, *max), (limit + 1, limit)),
        error => panic!("{error}"),
    }
    explains(&error, &limit.to_string());
    assert_eq!(region.get(b"key").expect("get").as_deref(), Some(&b"before"[..]));
    region.put(b"key", &vec![7; limit]).expect("a value of the limit works");
    assert_eq!(region.get(b"key").expect("get").map(|value| value.len()), Some(limit));
}

#[test]
fn a_full_region_says_so_and_keeps_everything() {
    let home = TempHome::new();
    let region = local(&home, "full");
    let value = [5; 1000];
    let mut stored = 0u32;
    let error = loop {
        match region.put(&stored.to_le_bytes(), &value) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(u64::from(stored) * 1000 < MAX_BYTES, "more stored than fits");
    };
    assert!(matches!(error, Error::OutOfSpace { .. }), "{error}");
    explains(&error, "full");
    assert!(stored > 100, "only {stored} entries of 1000 bytes in {MAX_BYTES}");
    for n in 0..stored {
        let found = region.get(&n.to_le_bytes()).expect("get");
        assert_eq!(found.as_deref(), Some(&value[..]), "entry {n}");
    }
    assert_eq!(region.len().expect("len"), u64::from(stored));
    assert_clean(region.path());
}

#[test]
fn existing_and_missing() {
    let home = TempHome::new();
    let node = home.node();
    let path = home.region_file("one").display().to_string();
    let error = node.region("one").open().expect_err("there is none");
    assert!(matches!(error, Error::RegionNotFound { .. }), "{error}");
    explains(&error, &path);
    let region = local(&home, "one");
    let error = node.region("one").create().expect_err("there is one");
    assert!(matches!(error, Error::RegionExists { .. }), "{error}");
    explains(&error, &path);
    let error = region.destroy(b"nobody").expect_err("no such entry");
    assert!(matches!(error, Error::EntryNotFound { .. }), "{error}");
    region.put(b"key", b"value").expect("put");
    let error = region.create(b"key", b"other").expect_err("the entry is there");
    assert!(matches!(error, Error::EntryExists { .. }), "{error}");
    assert_eq!(region.get(b"key").expect("get").as_deref(), Some(&b"value"[..]));
}

#[test]
fn attributes_that_cannot_be() {
    let home = TempHome::new();
    let node = home.node();
    for max_bytes in [0, 1, (1 << 20) - 1, (256 << 30) + 1, u64::MAX] {
        let error = node.region("size").max_bytes(max_bytes).create().expect_err("refused");
        assert!(matches!(error, Error::InvalidAttributes { .. }), "{max_bytes}: {error}");
        explains(&error, "size");
    }
    for segment_bytes in [1, 3 << 16, 16 << 20] {
        let builder = node.region("segment").segment_bytes(segment_bytes);
        let error = builder.create().expect_err("refused");
        assert!(matches!(error, Error::InvalidAttributes { .. }), "{segment_bytes}: {error}");
    }
    let mut early = Attributes::default();
    early.early_ack = true;
    let error = node.region("early").attributes(early).create().expect_err("refused");
    assert!(
        matches!(error, Error::NotBuiltYet { .. } | Error::InvalidAttributes { .. }),
        "{error}"
    );
    assert!(node.regions().expect("names").is_empty(), "something was created all the same");
}

#[test]
fn attributes_that_differ() {
    let home = TempHome::new();
    let region = local(&home, "mine");
    let node = home.node();
    node.region("mine").scope(Scope::Local).open().expect("what was asked for matches");
    let builder = node.region("mine").scope(Scope::DistributedAck);
    let error = builder.data_policy(DataPolicy::Replicate).open().expect_err("refused");
    match &error {
        Error::AttributesDiffer { differences, .. } => assert_eq!(differences.len(), 2, "{error}"),
        error => panic!("{error}"),
    }
    explains(&error, "mine");
    assert!(error.to_string().contains("distributed-ack"), "both sides are shown: {error}");
    assert_eq!(region.attributes().scope, Scope::Local);
}

/// A time that no clock reaches is no time to add to one.
#[test]
fn the_longest_waits_are_for_ever() {
    let home = TempHome::new();
    let node = home.node();
    let region = node
        .region("patient")
        .data_policy(DataPolicy::Replicate)
        .scope(Scope::DistributedAck)
        .max_bytes(MAX_BYTES)
        .create()
        .expect("a new region");
    let options = vug::WriteOptions::ack_within(std::time::Duration::MAX);
    region.put_with(b"key", b"value", &options).expect("put");
    let all = region.put_all_with(&[(b"other", b"value")], &options).expect("put all");
    assert_eq!((all.done(), all.acknowledged.is_ok()), (1, true));
    region.clear_with(&options).expect("clear");
    assert_eq!(region.len().expect("len"), 0);
}
