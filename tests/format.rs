//! `shm/FORMAT.md` says what the code does, and files of this format stay readable.

#[path = "fixtures/bytes.rs"]
mod bytes;
#[path = "fixtures/golden.rs"]
mod golden;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use bytes::{file, home, seal, set_word, word};
use golden::{Entries, Golden};
use vug::check::check_file;
use vug::{DataPolicy, Node, Region, Scope};

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shm/FORMAT.md")
}

/// Text between `<!-- layout: NAME -->` and the next `<!-- end -->`.
fn between<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let start = format!("<!-- layout: {name} -->\n");
    let from = text.find(&start)? + start.len();
    let len = text[from..].find("<!-- end -->")?;
    Some(&text[from..from + len])
}

/// With `VUG_BLESS=1` in the environment the tables are written instead.
#[test]
fn tables_in_the_specification_are_those_of_the_code() {
    let path = document();
    let mut text = std::fs::read_to_string(&path).expect("read FORMAT.md");
    let bless = std::env::var_os("VUG_BLESS").is_some_and(|value| value == "1");
    let mut differences = String::new();
    let tables = vug::format::tables();
    for (name, table) in &tables {
        let Some(seen) = between(&text, name) else { panic!("FORMAT.md has no table `{name}`") };
        if seen == table {
            continue;
        }
        if bless {
            let start = format!("<!-- layout: {name} -->\n");
            text = text.replacen(&format!("{start}{seen}"), &format!("{start}{table}"), 1);
        } else {
            let _ = writeln!(differences, "table `{name}`:\n{seen}\ninstead of\n{table}");
        }
    }
    let markers = text.matches("<!-- layout: ").count();
    assert_eq!(markers, tables.len(), "every marker has a table in the code");
    if bless {
        std::fs::write(&path, text).expect("write FORMAT.md");
    }
    assert!(differences.is_empty(), "set VUG_BLESS=1 to accept:\n{differences}");
}

const GOLDEN: &str = "fixtures/format-1/regions.txt";
/// Word 16 of the geometry: the seed of the hash.
const SEED_AT: usize = 96 + 16 * 8;

/// Keys of one bucket, enough for an overflow bucket behind it.
fn crowded_keys(region: &Path) -> Vec<Vec<u8>> {
    let seed = word(&std::fs::read(region).expect("read"), SEED_AT);
    let keys = (0_u32..).map(|n| format!("crowded-{n}").into_bytes());
    let in_bucket = |key: &Vec<u8>| xxhash_rust::xxh3::xxh3_64_with_seed(key, seed) % 2048 == 77;
    keys.filter(in_bucket).take(9).collect()
}

/// Writes what a golden region holds and says what it is.
fn fill_golden(region: &Region, path: &Path) -> Entries {
    let distributed = region.attributes().scope != Scope::Local;
    let mut entries = Entries::new();
    let names = (0..20_u32).map(|n| format!("key-{n}").into_bytes());
    for (n, key) in names.chain(crowded_keys(path)).enumerate() {
        let value = vec![n as u8; n * 5];
        region.put(&key, b"replaced").expect("put");
        region.put(&key, &value).expect("put");
        entries.insert(key, Some(value));
    }
    for key in [b"key-3".as_slice(), b"key-4"] {
        region.destroy(key).expect("destroy");
        if distributed {
            entries.insert(key.to_vec(), None);
        } else {
            entries.remove(key);
        }
    }
    entries
}

/// Makes new golden files with the code as it is now.
fn make_golden() -> Golden {
    let home = home();
    let node = Node::open(home.path()).expect("open");
    let mut golden = Golden::default();
    for (name, policy, scope) in [
        ("local", DataPolicy::Normal, Scope::Local),
        ("replicated", DataPolicy::Replicate, Scope::DistributedAck),
    ] {
        let builder = node.region(name).max_bytes(1 << 20).data_policy(policy).scope(scope);
        let region = builder.create().expect("create");
        let entries = fill_golden(&region, &file(home.path(), name));
        golden.entries.insert(name.into(), entries);
    }
    let typed = node.region("typed").max_bytes(1 << 20).typed::<str, u64>();
    let entries =
        fill_golden(typed.create().expect("create").untyped(), &file(home.path(), "typed"));
    golden.entries.insert("typed".into(), entries);
    drop(node);
    for name in ["node", "local.region", "replicated.region", "typed.region"] {
        let mut bytes = std::fs::read(home.path().join(name)).expect("read");
        golden::set_boot(&mut bytes, [0, 0]);
        seal(&mut bytes);
        golden.files.insert(name.into(), bytes);
    }
    golden
}

/// The golden files as committed; `VUG_BLESS=new-format` makes new ones.
fn committed() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("VUG_BLESS").is_some_and(|value| value == "new-format") {
        std::fs::write(&path, make_golden().to_text()).expect("write the golden file");
    }
    Golden::of_text(&std::fs::read_to_string(path).expect("read the golden file"))
}

/// Every visible entry.
fn entries_of(region: &Region) -> Entries {
    let mut entries = Entries::new();
    region
        .scan(|view| {
            entries.insert(view.key.to_vec(), Some(view.value.to_vec()));
            std::ops::ControlFlow::Continue(())
        })
        .expect("scan");
    entries
}

#[test]
fn golden_files_of_format_1_are_read_and_written() {
    let golden = committed();
    let home = home();
    golden.install(home.path());
    for (name, wanted) in &golden.entries {
        let path = file(home.path(), name);
        let report = check_file(&path).expect("audit");
        assert!(report.is_clean(), "{name}: {:#?}", report.problems);
        let tombstones = wanted.values().filter(|value| value.is_none()).count() as u64;
        assert_eq!(report.tombstones, tombstones);
        assert_eq!(report.entries, wanted.len() as u64 - tombstones);
        let node = Node::open(home.path()).expect("open the node");
        let region = node.region(name).open().expect("open");
        assert_eq!(region.schema(), (name == "typed").then_some("str -> u64"));
        let mut visible = wanted.clone();
        visible.retain(|_, value| value.is_some());
        assert!(entries_of(&region) == visible, "{name} has other entries");
        for (key, value) in wanted {
            let seen = region.get(key).expect("get");
            assert_eq!(seen.as_deref(), value.as_deref());
        }
        region.put(b"key-3", b"written by this version").expect("put");
        drop((region, node));
        let report = check_file(&path).expect("audit");
        assert!(report.is_clean(), "{name}: {:#?}", report.problems);
        assert_eq!(report.entries, wanted.len() as u64 - tombstones + 1);
    }
}

/// What is done to the bytes of a good file, and the code of the error that follows.
type Damage = (&'static str, fn(&mut Vec<u8>), u16);

/// Sets one 32-bit field of the header and makes the checksum right.
fn set_half(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    seal(bytes);
}

/// Sets one word of the header and makes the checksum right.
fn set(bytes: &mut [u8], at: usize, value: u64) {
    set_word(bytes, at, value);
    seal(bytes);
}

/// Headers that any kind of file may have.
const MALFORMED: &[Damage] = &[
    ("magic", |b| b[0] ^= 1, 101),
    ("text mode transfer", |b| drop(b.drain(5..6)), 101),
    ("shorter than a header", |b| b.truncate(511), 104),
    ("other byte order", |b| b[12..16].reverse(), 102),
    ("no byte order", |b| set_half(b, 12, 7), 105),
    ("older version", |b| set_half(b, 8, 0), 103),
    ("newer version", |b| set_half(b, 8, 2), 103),
    ("incompatible feature", |b| set(b, 32, 1 << 40), 109),
    ("flipped bit of the id", |b| b[40] ^= 16, 105),
    ("flipped bit of a reserved word", |b| b[400] ^= 16, 105),
    ("flipped bit of the checksum", |b| b[511] ^= 128, 105),
    ("other boot", |b| set(b, 56, 1), 107),
    ("file length 0", |b| set(b, 88, 0), 105),
    ("longer than the file", |b| set(b, 88, 1 << 40), 104),
    ("one byte cut off", |b| b.truncate(b.len() - 1), 104),
    ("geometry word 0", |b| set(b, 96, 12345), 105),
    ("geometry word 1", |b| set(b, 104, 0), 105),
    ("geometry word 2", |b| set(b, 112, u64::MAX), 105),
];

/// Headers that are wrong for a region.
const MALFORMED_REGION: &[Damage] = &[
    ("segments", |b| set(b, 96 + 2 * 8, 15), 105),
    ("ring length", |b| set(b, 96 + 5 * 8, 4097), 105),
    ("offset of the segments", |b| set(b, 96 + 12 * 8, 0), 105),
    ("length in the geometry", |b| set(b, 96 + 13 * 8, 0), 105),
    ("unknown attribute", |b| set(b, 96 + 16 * 8, 1 << 40), 105),
    ("unknown data policy", |b| set(b, 96 + 16 * 8, 9), 105),
    ("unknown scope", |b| set(b, 96 + 16 * 8, 9 << 8), 105),
    ("unknown hash", |b| set(b, 96 + 17 * 8, 2), 105),
    ("schema beyond the page", |b| set(b, 96 + 19 * 8, 3585), 105),
    ("schema that is not there", |b| set(b, 96 + 19 * 8, 4), 105),
    ("sum of no schema", |b| set(b, 96 + 20 * 8, 4), 105),
];

fn code_of<T>(result: vug::Result<T>) -> Option<u16> {
    result.err().map(|error| error.code())
}

#[test]
fn malformed_region_headers_are_refused_with_their_error() {
    let golden = committed();
    for (name, damage, code) in MALFORMED.iter().chain(MALFORMED_REGION) {
        let home = home();
        golden.install(home.path());
        let path = file(home.path(), "local");
        let mut bytes = std::fs::read(&path).expect("read");
        damage(&mut bytes);
        std::fs::write(&path, &bytes).expect("write");
        assert_eq!(code_of(check_file(&path)), Some(*code), "audit, {name}");
        let node = Node::open(home.path()).expect("the node is good");
        assert_eq!(code_of(node.region("local").open()), Some(*code), "open, {name}");
        assert_eq!(std::fs::read(&path).expect("read"), bytes, "{name}: left as it was");
        assert!(node.region("replicated").open().is_ok());
    }
}

#[test]
fn malformed_node_headers_are_refused_with_their_error() {
    let golden = committed();
    for (name, damage, code) in MALFORMED {
        let home = home();
        golden.install(home.path());
        let path = home.path().join("node");
        let mut bytes = std::fs::read(&path).expect("read");
        damage(&mut bytes);
        std::fs::write(&path, &bytes).expect("write");
        assert_eq!(code_of(Node::open(home.path())), Some(*code), "open, {name}");
        assert_eq!(std::fs::read(&path).expect("read"), bytes, "{name}: left as it was");
        let report = check_file(&file(home.path(), "local")).expect("the region is good");
        assert!(report.is_clean() && report.notes.is_empty(), "nobody is to be judged");
    }
}

#[test]
fn features_are_refused_to_those_who_must_know_them() {
    let golden = committed();
    let home = home();
    golden.install(home.path());
    let node = Node::open(home.path()).expect("open");
    let path = file(home.path(), "local");
    let good = std::fs::read(&path).expect("read");
    let with = |at: usize, value: u64| {
        let mut bytes = good.clone();
        set(&mut bytes, at, value);
        std::fs::write(&path, &bytes).expect("write");
        let audit = check_file(&path);
        (code_of(audit), code_of(node.region("local").open()))
    };
    assert_eq!(with(16, 1), (None, None), "compatible");
    assert_eq!(with(24, 1), (None, Some(109)), "for readers only");
    assert_eq!(with(32, 1), (Some(109), Some(109)), "incompatible");
    assert_eq!(with(72, 1), (None, Some(111)), "of another node");
}

#[test]
fn a_flipped_bit_of_the_schema_is_seen() {
    let golden = committed();
    let home = home();
    golden.install(home.path());
    let path = file(home.path(), "typed");
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[515] ^= 4;
    std::fs::write(&path, &bytes).expect("write");
    assert_eq!(code_of(check_file(&path)), Some(105));
    let node = Node::open(home.path()).expect("open");
    assert_eq!(code_of(node.region("typed").open()), Some(105));
    assert_eq!(code_of(node.typed::<str, u64>("typed").open()), Some(105));
}
