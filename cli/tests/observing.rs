//! Commands that look at a node and do not join it: what they print, with the figures left out.
//!
//! `VUG_BLESS=1` writes the expected files anew.

mod command;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use command::Home;
use serde_json::Value;

/// Figures become `#`, the home directory and random numbers their names, columns two blanks.
fn scrubbed(text: &str, home: &Path) -> String {
    let text = text.replace(&home.display().to_string(), "HOME");
    let line = |line: &str| {
        let words: Vec<String> = line.split_whitespace().map(word).collect();
        let indent = line.len() - line.trim_start().len();
        format!("{}{}\n", " ".repeat(indent.min(2)), words.join(" "))
    };
    text.lines().map(line).collect()
}

fn word(word: &str) -> String {
    if word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return "ID".into();
    }
    let mut out = String::new();
    for c in word.chars() {
        let digit = c.is_ascii_digit();
        let inside = matches!(c, ',' | '.') && out.ends_with('#');
        if !(inside || digit && out.ends_with('#')) {
            out.push(if digit { '#' } else { c });
        }
    }
    out
}

#[track_caller]
fn expect(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(name);
    if std::env::var_os("VUG_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{}: VUG_BLESS=1 accepts it", path.display());
}

/// A region that one member has used and has left.
fn home() -> Home {
    let home = Home::new();
    home.vug(["create", "quotes", "--max-bytes", "4MiB", "--ttl", "1h"]).ok();
    for key in ["ibm", "sun"] {
        home.vug(["put", "quotes", key, "241.5"]).ok();
    }
    home.vug(["get", "quotes", "ibm"]).ok();
    home.vug(["get", "quotes", "absent"]).failed(4);
    home
}

#[test]
fn what_people_see() {
    let home = home();
    let shown = |args: &[&str]| scrubbed(&home.vug(args).ok(), home.path());
    expect("ls.txt", &shown(&["ls"]));
    expect("describe.txt", &shown(&["describe", "quotes"]));
    expect("check.txt", &shown(&["check"]));
    expect("stat.txt", &shown(&["stat"]));
    expect("watch.txt", &shown(&["stat", "quotes", "--watch", "50ms", "--count", "2"]));
    let top = home.vug(["top", "--once", "--interval", "50ms"]).ok();
    assert!(top.lines().all(|line| line.len() <= 100), "{top}");
    expect("top.txt", &scrubbed(&top, home.path()));
}

#[test]
fn a_member_shows_with_what_it_does() {
    let home = home();
    let node = vug::Node::open(home.path()).unwrap();
    let region = node.region("quotes").open().unwrap();
    let _events = region.subscribe();
    for n in 0..50_u32 {
        region.put(&n.to_le_bytes(), b"value").unwrap();
    }
    let _pin = region.get_owned(&1_u32.to_le_bytes()).unwrap();
    let shown: Value =
        serde_json::from_str(&home.vug(["describe", "quotes", "--format", "json"]).ok()).unwrap();
    let member = &shown["members"][0];
    assert_eq!(member["pid"], std::process::id());
    assert!(member["program"].as_str().unwrap().starts_with("observing"), "{member}");
    let figures = ["puts", "pins", "subscriptions", "lag"].map(|name| member[name].as_u64());
    assert_eq!(figures, [50, 1, 1, 50].map(Some), "{member}");
    assert_eq!(shown["counters"]["puts"], 52);
    assert_eq!(shown["counters"]["evicted"], 0, "programs get all of them");
    assert_eq!(shown["mutable_attributes"][1], "entry_ttl");
    assert_eq!(shown["pins"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["events"]["ring_lag"], 50);
    let top = home.vug(["top", "--once", "--interval", "50ms"]).ok();
    assert!(top.contains(&format!("{}", std::process::id())), "{top}");
    let ls: Value = serde_json::from_str(&home.vug(["ls", "--format", "json"]).ok()).unwrap();
    assert_eq!(ls[0]["members"], 1);
}

#[test]
fn lines_for_programs() {
    let home = home();
    let lines = home.vug(["stat", "--watch", "20ms", "--count", "3", "--format", "jsonl"]).ok();
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["entries"], &line["region"]), (&2.into(), &Value::Null));
        assert_eq!(line["puts_per_second"], 0.0);
    }
    let csv = home.vug(["stat", "quotes", "--watch", "20ms", "--count", "3", "--format", "csv"]);
    let csv = csv.ok();
    assert_eq!(csv.lines().count(), 4, "one line of names: {csv}");
    assert!(csv.starts_with("time_ms,region,entries,"), "{csv}");
}

#[test]
fn what_cannot_be_done_is_refused_with_a_remedy() {
    let home = home();
    let (error, help) = home.vug(["top"]).failed(2);
    assert!(error.contains("needs a terminal"), "{error}");
    assert!(help.contains("--once") && help.contains("stat --watch"), "{help}");
    let (error, _) = home.vug(["top", "--once", "--format", "json"]).failed(2);
    assert!(error.contains("for people"), "{error}");
    home.vug(["describe", "quotes", "--format", "csv"]).failed(2);
    home.vug(["stat", "--watch", "0"]).failed(2);
    home.vug(["stat", "--count", "3"]).failed(2);
    home.vug(["describe", "absent"]).failed(4);
    home.vug(["stat", "absent", "--watch"]).failed(4);
    let nowhere = home.path().join("nowhere");
    for args in [&["top", "--once"][..], &["describe", "quotes"], &["stat", "--watch"], &["ls"]] {
        let args = [&["--home", nowhere.to_str().unwrap()], args].concat();
        home.vug(args).failed(4);
    }
    assert!(!nowhere.exists());
}

/// Every file of a home with its time and content.
fn files(home: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let paths = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let content = |path: &Path| (path.metadata().unwrap().modified().unwrap(), read(path));
    paths.filter(|path| path.is_file()).map(|path| (path.clone(), content(&path))).collect()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn looking_writes_nothing() {
    let home = home();
    let before = files(home.path());
    home.vug(["ls"]).ok();
    home.vug(["stat"]).ok();
    home.vug(["stat", "quotes"]).ok();
    home.vug(["describe", "quotes"]).ok();
    home.vug(["stat", "--watch", "20ms", "--count", "2"]).ok();
    home.vug(["top", "--once", "--interval", "20ms"]).ok();
    assert!(before == files(home.path()), "nothing was written");
}

#[test]
fn several_nodes_in_one_frame() {
    let (one, two) = (home(), Home::with_region("other"));
    let homes = [one.path(), two.path()].map(|path| path.to_str().unwrap().to_owned());
    let mut args = vec!["top".to_owned(), "--once".into(), "--interval".into(), "20ms".into()];
    args.extend(homes);
    let top = one.vug(args).ok();
    assert!(top.contains("2 nodes") && top.contains("NODE"), "{top}");
    assert!(top.contains("quotes") && top.contains("other"), "{top}");
}
