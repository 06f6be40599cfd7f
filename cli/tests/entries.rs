//! Reading, writing, listing and removing entries: every form in which bytes go in and out.

mod command;

use std::collections::BTreeSet;

use command::{Home, temporary};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}

/// Keys `a1` to `a3` and `b1`.
fn some() -> Home {
    let home = Home::with_region("r");
    for (key, value) in [("a1", "one"), ("a2", "two"), ("a3", "{\"n\": 3}"), ("b1", "four")] {
        home.vug(["put", "r", key, value]).ok();
    }
    home
}

#[test]
fn several_keys_at_once() {
    let home = some();
    assert_eq!(home.vug(["get", "r", "b1", "a1"]).ok(), "four\none\n");
    assert_eq!(home.vug(["get", "r", "b1", "a1", "--null"]).ok(), "four\0one\0");
    let run = home.vug(["get", "r", "a1", "nobody", "a2"]);
    assert_eq!(run.out, "one\ntwo\n");
    let (error, _) = run.failed(4);
    assert_eq!(error, "r: there is no key `nobody` (VUG-0903)");
    let run = home.vug(["get", "r", "a3", "nobody", "--format", "json"]);
    let all = json(&run.out);
    assert_eq!((&all[0]["value"]["n"], &all[1]["value"]), (&3.into(), &Value::Null));
    assert_eq!(all[1]["version"], Value::Null);
    run.failed(4);
    let table = home.vug(["get", "r", "a1", "a2", "--format", "table"]).ok();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.starts_with("KEY"), "{table}");
}

#[test]
fn what_is_known_of_an_entry() {
    let home = some();
    let meta = home.vug(["get", "r", "a3", "--meta"]).ok();
    for line in ["kind         value", "key bytes    2 B", "value bytes  8 B"] {
        assert!(meta.contains(line), "{meta}");
    }
    assert!(!meta.contains("\"n\""), "{meta}");
    let one = json(&home.vug(["get", "r", "a3", "--meta", "--format", "json"]).ok());
    assert_eq!((&one["kind"], &one["value_bytes"]), (&"value".into(), &8.into()));
    assert_eq!(one["value"]["n"], 3);
}

#[test]
fn hexadecimal_keys_and_values() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "00ff", "fe0a", "--hex"]).ok();
    assert_eq!(home.vug(["get", "r", "00FF", "--hex"]).ok(), "fe0a\n");
    let scan = home.vug(["scan", "r", "--hex", "--format", "csv"]).ok();
    assert!(scan.contains("\n00ff,") && scan.ends_with(",fe0a\n"), "{scan}");
    assert_eq!(home.vug(["scan", "r", "--prefix", "00", "--hex", "--format=raw"]).ok(), "fe0a\n");
    let (error, _) = home.vug(["scan", "r", "--format", "csv"]).failed(1);
    assert_eq!(error, "the entry `\\0\\xff` is not UTF-8, so it does not fit into CSV (VUG-0921)");
    assert_eq!(home.vug(["incr", "r", "00", "--hex"]).ok(), "1\n");
    home.vug(["wait", "r", "00", "--hex", "--since", "0"]).ok();
    home.vug(["del", "r", "00", "00ff", "--hex"]).ok();
    for (digits, wrong) in [
        ("0", "the key `0`: 1 hexadecimal digits are no whole bytes (VUG-0901)"),
        ("0x", "the key `0x`: `x` at place 2 is no hexadecimal digit (VUG-0901)"),
    ] {
        let (error, help) = home.vug(["get", "r", digits, "--hex"]).failed(2);
        assert_eq!(error, wrong);
        assert_eq!(help, "--hex wants two digits of 0-9 a-f per byte, such as 00ff");
    }
}

#[test]
fn values_that_must_be_json() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "k", " {\"a\": 1.50} ", "--json"]).ok();
    assert_eq!(home.vug(["get", "r", "k"]).ok(), " {\"a\": 1.50} ");
    let (error, help) = home.vug(["put", "r", "k", "{\"a\": }", "--json"]).failed(1);
    let want = "the value is not a JSON document: expected value at line 1 column 7 (VUG-0916)";
    assert_eq!(error, want);
    assert_eq!(help, "mend it, or leave --json out to store any bytes");
    home.vug_with(["put", "r", "k", "--file", "-"], b"any").ok();
    assert_eq!(home.vug(["get", "r", "k"]).ok(), "any");
}

#[test]
fn a_key_that_must_be_absent() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "k", "1", "--if-absent"]).ok();
    let (error, _) = home.vug(["put", "r", "k", "2", "--if-absent"]).failed(1);
    assert_eq!(error, "r: the key `k` is there already (VUG-0906)");
    assert_eq!(home.vug(["get", "r", "k"]).ok(), "1");
}

#[test]
fn lists_of_entries() {
    let home = some();
    let keys = |args: &[&str]| -> BTreeSet<String> {
        let raw = ["--keys", "--format", "raw"];
        let out = home.vug([&["scan", "r"], args, &raw].concat()).ok();
        out.lines().map(str::to_owned).collect()
    };
    let set = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(keys(&[]), set(&["a1", "a2", "a3", "b1"]));
    assert_eq!(keys(&["--prefix", "a"]), set(&["a1", "a2", "a3"]));
    assert_eq!(keys(&["--match", "1$"]), set(&["a1", "b1"]));
    assert_eq!(keys(&["--match", "1$", "--prefix", "b"]), set(&["b1"]));
    assert_eq!(keys(&["--limit", "2"]).len(), 2);
    assert_eq!(keys(&["--limit", "0"]).len(), 0);
    let lines = home.vug(["scan", "r", "--format", "jsonl", "--meta"]).ok();
    assert_eq!(lines.lines().count(), 4);
    assert!(lines.lines().all(|line| json(line)["kind"] == "value"), "{lines}");
    let table = home.vug(["scan", "r", "--keys"]).ok();
    assert_eq!(table.lines().next(), Some("KEY  VERSION  ORIGIN"));
    let (error, _) = home.vug(["scan", "r", "--match", "["]).failed(2);
    assert!(error.contains("regex parse error"), "{error}");
}

#[test]
fn what_is_listed_can_be_imported() {
    let home = Home::with_region("r");
    for (key, value) in [("6b", "fe0a00"), ("ff", "7b7d"), ("22", "226122")] {
        home.vug(["put", "r", key, value, "--hex"]).ok();
    }
    let lines = home.vug(["scan", "r", "--format", "jsonl"]).ok();
    home.vug(["create", "copy"]).ok();
    let args = ["import", "copy", "-", "--from", "jsonl", "--key", "key", "--value", "value"];
    home.vug_with(args, lines.as_bytes()).ok();
    let of = |region| -> BTreeSet<String> {
        let out = home.vug(["scan", region, "--hex", "--format", "csv"]).ok();
        let pair = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            format!("{} {}", fields[0], fields[3])
        };
        out.lines().map(pair).collect()
    };
    assert_eq!(of("copy"), of("r"));
}

#[test]
fn removing_by_prefix_names_what_it_does_and_needs_consent() {
    let home = some();
    let args = ["del", "r", "--prefix", "a"];
    let (error, help) = home.vug(args).failed(2);
    assert_eq!(
        error,
        "this would remove 3 entries from r: keys that begin with `a`, \
         and there is no terminal to ask at (VUG-0905)"
    );
    assert_eq!(help, "add --yes to do it unasked");
    let run = home.vug([&args[..], &["--dry-run"]].concat());
    assert_eq!(run.err, "would remove 3 entries of r\n");
    home.vug(["get", "r", "a1"]).ok();
    let run = home.vug([&args[..], &["--yes"]].concat());
    assert_eq!(run.err, "removed 3 entries of r\n");
    home.vug(["get", "r", "a1"]).failed(4);
    home.vug(["get", "r", "b1"]).ok();
    // Nothing to remove needs no consent.
    assert_eq!(home.vug(args).err, "removed 0 entries of r\n");
    let run = home.vug(["del", "r", "--match", ".", "--yes", "--format", "json"]);
    assert_eq!(json(&run.ok())["removed"], 1);
}

#[test]
fn removing_what_a_file_names() {
    let home = some();
    let place = temporary();
    let file = place.path().join("gone");
    std::fs::write(&file, "a1\r\nnobody\n\na3").unwrap();
    let args = ["del", "r", "--keys-from", file.to_str().unwrap()];
    home.vug(args).failed(2);
    assert_eq!(home.vug([&args[..], &["--dry-run"]].concat()).err, "would remove 2 entries of r\n");
    assert_eq!(home.vug([&args[..], &["--yes"]].concat()).err, "removed 2 entries of r\n");
    let run = home.vug_with(["del", "r", "--keys-from", "-", "--hex", "--yes"], b"6231\n6g\n");
    let (error, help) = run.failed(1);
    assert_eq!(
        error,
        "-:2: `g` at place 2 is no hexadecimal digit; 1 entries were removed before (VUG-0917)"
    );
    assert_eq!(help, "each line holds one key of 1 to 65536 bytes; with --hex as digits");
    home.vug(["del", "r", "a2", "--prefix", "a"]).failed(2);
}

#[test]
fn raw_output_is_for_bytes() {
    let home = some();
    let (error, help) = home.vug(["ls", "--format", "raw"]).failed(2);
    assert_eq!(error, "raw output is for values and keys: `get` and `scan` have it (VUG-0901)");
    assert_eq!(help, "choose --format table, json, jsonl or csv");
    assert_eq!(home.vug(["get", "r", "a1", "--format", "raw"]).ok(), "one");
}
