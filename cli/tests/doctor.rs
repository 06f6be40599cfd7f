//! `vug doctor` on homes that have been prepared: what it finds, what it mends, how it ends.

mod command;

use std::fs::{File, Permissions, read, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use command::{Home, Run};
use serde_json::Value;

/// Tells a child of this program in which home it is to live.
const CHILD: &str = "VUG_TEST_DOCTOR_CHILD";
/// Findings about the machine that runs the test.
const OF_THE_MACHINE: [&str; 6] =
    ["disk", "file-system-size", "file-system-full", "descriptors", "mappings", "huge-pages"];

/// A member that is killed. Runs in a child.
#[test]
fn member() {
    let Some(home) = std::env::var_os(CHILD) else { return };
    let node = vug::Node::open(home).unwrap();
    let region = node.region("quotes").open().unwrap();
    region.put(b"key", b"value").unwrap();
    let _pin = region.get_owned(b"key").unwrap();
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn private(home: Home) -> Home {
    set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    home
}

/// A node with a region.
fn node() -> Home {
    private(Home::with_region("quotes"))
}

fn start_member(home: &Home) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "member", "--nocapture"])
        .env(CHILD, home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0);
    }
    child
}

/// Severity, kind and finding of what it says, without what depends on the machine.
fn findings(run: &Run) -> Vec<[String; 3]> {
    let value: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let all = value.as_array().unwrap().iter().map(|finding| {
        assert!(!text(finding, "place").is_empty() && !text(finding, "finding").is_empty());
        ["severity", "kind", "finding"].map(|name| text(finding, name))
    });
    all.filter(|[_, kind, _]| !OF_THE_MACHINE.contains(&kind.as_str())).collect()
}

fn doctor(home: &Home, arguments: &[&str]) -> Run {
    home.vug([&["doctor", "--format", "json"], arguments].concat())
}

fn kinds(run: &Run) -> Vec<String> {
    findings(run).into_iter().map(|[severity, kind, _]| format!("{severity} {kind}")).collect()
}

fn stat(home: &Home) -> String {
    home.vug(["stat", "quotes", "--format", "json"]).ok()
}

#[test]
fn nothing_is_wrong_with_a_new_node() {
    let home = node();
    assert!(kinds(&doctor(&home, &[])).is_empty());
    let all = findings(&doctor(&home, &["--all"]));
    assert_eq!(all, [["info", "format", "format 1, 0 entries"].map(str::to_owned)]);
    home.vug(["doctor", "--yes"]).failed(2);
}

#[test]
fn a_dead_member_is_found_and_recovered() {
    let home = node();
    let mut child = start_member(&home);
    // Alive, it keeps a segment, which is its right.
    assert!(kinds(&doctor(&home, &[])).is_empty());
    assert!(kinds(&doctor(&home, &["--all"])).contains(&"info held-segment".to_owned()));
    child.kill().unwrap();
    child.wait().unwrap();
    let run = doctor(&home, &[]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(kinds(&run), ["warning dead-member", "warning unfinished-work"]);
    let text = home.vug(["doctor"]);
    assert!(text.out.contains("warning   dead-member  "), "{text:?}");
    assert!(text.failed(1).1.contains("vug doctor --fix"));
    assert!(kinds(&doctor(&home, &["--fix"])).is_empty());
    assert!(stat(&home).contains("\"pins\": 0"), "{}", stat(&home));
}

#[test]
fn files_that_nobody_can_use_are_removed_on_demand() {
    let home = node();
    let temporary = home.file(".quotes.region.0123456789abcdef", b"half");
    let old = SystemTime::now() - Duration::from_secs(3600);
    File::options().write(true).open(&temporary).unwrap().set_modified(old).unwrap();
    home.file(".young.region.0123456789abcdef", b"its creator may live");
    // A region of another boot.
    let mut bytes = read(home.path().join("quotes.region")).unwrap();
    bytes[56] ^= 1;
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..504]);
    bytes[504..512].copy_from_slice(&sum.to_ne_bytes());
    let stale = home.file("stale.region", &bytes);
    let run = doctor(&home, &[]);
    assert_eq!(kinds(&run), ["warning temporary-file", "warning stale-file"]);
    assert_eq!(run.code, 1);
    // Nobody confirms.
    let run = doctor(&home, &["--fix"]);
    assert!(temporary.exists() && stale.exists());
    let (error, help) = run.failed(2);
    assert!(error.contains("there is no terminal to ask at"), "{error}");
    assert_eq!(help, "add --yes to do it unasked");
    assert!(kinds(&doctor(&home, &["--fix", "--yes"])).is_empty());
    assert!(!temporary.exists() && !stale.exists());
    home.vug(["put", "quotes", "k", "v"]).ok();
}

#[test]
fn permissions_and_foreign_files() {
    let home = node();
    set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    home.file("notes.txt", b"mine");
    let run = doctor(&home, &["--all"]);
    assert_eq!(kinds(&run), ["warning permissions", "info foreign-file", "info format"]);
    assert_eq!(run.code, 1);
}

#[test]
fn damage_ends_with_3() {
    let home = node();
    home.vug(["put", "quotes", "k", "v"]).ok();
    let path = home.path().join("quotes.region");
    let good = read(&path).unwrap();
    let mut bytes = good.clone();
    bytes[300] ^= 1;
    write(&path, &bytes).unwrap();
    let run = doctor(&home, &[]);
    assert_eq!((run.code, kinds(&run)), (3, vec!["critical unusable-file".to_owned()]));
    // A state of a segment that is none: the file can be read, but is damaged.
    let mut bytes = good;
    let states = u64::from_ne_bytes(bytes[96 + 72..96 + 80].try_into().unwrap()) as usize;
    bytes[states + 8 * 5 + 7] = 0xf0;
    write(&path, &bytes).unwrap();
    let run = doctor(&home, &[]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(kinds(&run).iter().all(|kind| kind == "critical damage"), "{run:?}");
}

#[test]
fn a_home_that_is_not_there() {
    let home = private(Home::new());
    let missing = home.path().join("missing");
    let run = home.vug(["doctor".as_ref(), "--home".as_ref(), missing.as_os_str()]);
    run.failed(4);
    assert!(!missing.exists());
    assert!(kinds(&doctor(&home, &[])).is_empty());
}
