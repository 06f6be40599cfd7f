//! Importing and exporting: what goes in comes out, and bad rows are named.

mod command;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Stdio;

use command::{Home, airports, command, temporary};
use serde_json::Value;

fn import(home: &Home, name: &str, content: &[u8], more: &[&str]) -> command::Run {
    let file = home.file(name, content);
    let args = ["import", "r", file.to_str().unwrap(), "--key", "id"];
    home.vug([&args[..], more].concat())
}

fn count(home: &Home) -> u64 {
    let stat = home.vug(["stat", "r", "--format", "json"]).ok();
    serde_json::from_str::<Value>(&stat).unwrap()["entries"].as_u64().unwrap()
}

#[test]
fn airports_go_in_and_come_out_the_same() {
    let home = Home::with_region("airports");
    let file = airports();
    let args = [OsStr::new("import"), "airports".as_ref(), file.as_ref(), "--key=iata".as_ref()];
    let run = home.vug(args);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.err, "imported 3,376 rows into airports (3,376 new, 0 replaced, 0 skipped)\n");
    assert_eq!(
        home.vug(["get", "airports", "JFK"]).ok(),
        "{\"iata\":\"JFK\",\"name\":\"John F Kennedy Intl\",\"city\":\"New York\",\"state\":\"NY\",\
         \"country\":\"USA\",\"latitude\":\"40.63975111\",\"longitude\":\"-73.77892556\"}"
    );

    let out = home.vug(["export", "airports", "--format", "csv", "--key", "iata"]).ok();
    let original = std::fs::read_to_string(&file).unwrap();
    let rows = |text: &str| -> BTreeSet<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    assert_eq!(rows(&out), rows(&original));
    assert_eq!(out.lines().next(), original.lines().next().map(str::trim_end));

    // The same as JSON lines, into another region and out again.
    let lines = home.path().join("airports.jsonl");
    let path = lines.to_str().unwrap();
    let run = home.vug(["export", "airports", "-o", path]);
    assert_eq!(run.err, format!("exported 3,376 entries of airports to {path}\n"));
    home.vug(["create", "copy"]).ok();
    home.vug(["import", "copy", path, "--key", "key", "--value", "value"]).ok();
    let again = home.vug(["export", "copy", "--format", "csv", "--key", "iata"]).ok();
    assert_eq!(rows(&again), rows(&original));
}

#[test]
fn bad_rows_name_file_and_line_and_leave_the_region_as_it_was() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "before", "1"]).ok();
    let cases: [(&[u8], &str); 9] = [
        (b"", "x.csv:1: there is no header line; nothing was written (VUG-0912)"),
        (b"a,b\n1,2\n", "x.csv:1: there is no column `id`; nothing was written (VUG-0912)"),
        (b"id,id\n1,2\n", "x.csv:1: two columns are named `id`; nothing was written (VUG-0912)"),
        (
            b"id,a\n1,2\n2,3\n1,4\n",
            "x.csv:4: the key `1` was on line 2 already; nothing was written (VUG-0913)",
        ),
        (
            b"id,a\n1,2\n2\n",
            "x.csv:3: the row has 1 fields, the header has 2; nothing was written (VUG-0914)",
        ),
        (
            b"id,a\n1,2,3\n",
            "x.csv:2: the row has 3 fields, the header has 2; nothing was written (VUG-0914)",
        ),
        (
            b"id,a\n1,2\n2,\xff\n",
            "x.csv:3: column `a` (field 2) is not valid UTF-8 from its byte 1 on; \
             nothing was written (VUG-0915)",
        ),
        (
            b"id,\xff\n1,2\n",
            "x.csv:1: the header is not valid UTF-8; nothing was written (VUG-0915)",
        ),
        (b"id,a\n1,2\n,3\n", "x.csv:3: the key in `id` is empty; nothing was written (VUG-0917)"),
    ];
    for (content, want) in cases {
        let (error, _) = import(&home, "x.csv", content, &[]).failed(1);
        assert!(error.ends_with(want), "{error}\n{want}");
        assert!(error.starts_with(home.path().to_str().unwrap()), "{error}");
        assert_eq!(count(&home), 1, "{want}");
    }
    assert_eq!(home.vug(["get", "r", "before"]).ok(), "1");
}

#[test]
fn bad_json_lines() {
    let home = Home::with_region("r");
    let cases: [(&[u8], &str); 5] = [
        (b"{\"id\":\"1\"}\n{\"id\":", "x.jsonl:2:6: the line is not a JSON object: EOF while"),
        (b"{\"id\":\"1\"}\n[1]\n", "x.jsonl:2:1: the line is not a JSON object: invalid type"),
        (b"{\"id\":\"1\"}\n\n{\"a\":1}\n", "x.jsonl:3: there is no field `id`"),
        (b"{\"id\":\"\xff\"}\n", "x.jsonl:1:8: the line is not valid UTF-8"),
        (b"{\"id\":1}\n{\"id\":\"1\"}\n", "x.jsonl:2: the key `1` was on line 1 already"),
    ];
    for (content, want) in cases {
        let (error, _) = import(&home, "x.jsonl", content, &[]).failed(1);
        assert!(error.contains(want), "{error}\n{want}");
        assert!(error.contains("nothing was written"), "{error}");
        assert_eq!(count(&home), 0);
    }
}

#[test]
fn a_missing_column_lists_what_is_there() {
    let home = Home::with_region("r");
    let (_, help) = import(&home, "x.csv", b"a,b\n1,2\n", &[]).failed(1);
    assert_eq!(help, "the columns are: a, b");
    let (error, _) = import(&home, "x.csv", b"id,b\n1,2\n", &["--value", "c"]).failed(1);
    assert!(error.contains("there is no column `c`"), "{error}");
}

#[test]
fn bad_rows_can_be_left_out() {
    let home = Home::with_region("r");
    let content = b"id,a\n1,2\n2\n3,\xff\n1,5\n4,6\n";
    let run = import(&home, "x.csv", content, &["--on-error", "skip"]);
    assert_eq!(run.err.matches("skipped: ").count(), 3, "{run:?}");
    let (error, _) = run.failed(1);
    assert_eq!(error, "3 rows were skipped (VUG-0919)");
    assert_eq!(count(&home), 2);
    assert_eq!(home.vug(["get", "r", "4"]).ok(), r#"{"id":"4","a":"6"}"#);
}

#[test]
fn the_last_of_equal_keys_can_win() {
    let home = Home::with_region("r");
    let more = ["--on-duplicate", "last", "--value", "a"];
    import(&home, "x.csv", b"id,a\n1,2\n1,5\n", &more).ok();
    assert_eq!(home.vug(["get", "r", "1"]).ok(), "5");
}

#[test]
fn standard_input_is_streamed_up_to_the_bad_row() {
    let home = Home::with_region("r");
    let args = ["import", "r", "-", "--from", "csv", "--key", "id", "--value", "a"];
    let (error, _) = home.vug_with(args, b"id,a\n1,2\n2,3\n3\n4,5\n").failed(1);
    assert_eq!(
        error,
        "standard input:4: the row has 1 fields, the header has 2; \
         2 rows before it were written (VUG-0914)"
    );
    assert_eq!(count(&home), 2);
    home.vug_with(args, b"id,a\n4,5\n").ok();
    assert_eq!(home.vug(["get", "r", "4"]).ok(), "5");
}

#[test]
fn the_result_of_an_import_as_data() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "1", "x"]).ok();
    let run = import(&home, "x.csv", b"id,a\n1,2\n2,3\n", &["--format", "json"]);
    let done: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!((&done["created"], &done["replaced"]), (&1.into(), &1.into()));
}

#[test]
fn a_file_that_cannot_be_read() {
    let home = Home::with_region("r");
    for file in ["/nowhere/x.csv", "/dev/shm"] {
        let args = ["import", "r", file, "--from", "csv", "--key", "id"];
        let (error, _) = home.vug(args).failed(1);
        assert!(error.starts_with(&format!("{file}: cannot be read")), "{error}");
    }
}

#[test]
fn values_of_every_kind_survive_json_lines() {
    let home = Home::with_region("r");
    let values: [&[u8]; 6] =
        [b"text", b"{\"a\": 1.50}", b"{\"a\":\n1}", b"\xff\x00", b"", b"\"quoted\""];
    for (index, value) in values.iter().enumerate() {
        home.vug_with(["put", "r", &format!("k{index}"), "-"], value).ok();
    }
    let lines = home.vug(["export", "r"]).ok();
    assert!(lines.contains(r#""value":{"a": 1.50}"#), "{lines}");
    home.vug(["create", "copy"]).ok();
    let args = ["import", "copy", "-", "--from", "jsonl", "--key", "key", "--value", "value"];
    home.vug_with(args, lines.as_bytes()).ok();
    for index in 0..values.len() {
        let key = format!("k{index}");
        let get = |region: &str| home.vug(["get", region, &key, "--format", "json"]).ok();
        let value = |text: &str| {
            let entry: Value = serde_json::from_str(text).unwrap();
            (entry["value"].clone(), entry["value_base64"].clone())
        };
        assert_eq!(value(&get("r")), value(&get("copy")), "{key}");
    }
}

#[test]
fn what_does_not_fit_into_csv_is_refused_and_no_file_is_left() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "k", "text"]).ok();
    let place = temporary();
    let file = place.path().join("r.csv");
    let (error, help) = home.vug(["export", "r", "-o", file.to_str().unwrap()]).failed(1);
    assert!(error.contains("the value of `k` is not a JSON object"), "{error}");
    assert_eq!(help, "export one column with --value NAME, or JSON lines with --to jsonl");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn columns_are_the_union_of_all_fields() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "k1", r#"{"a":1}"#]).ok();
    home.vug(["put", "r", "k2", r#"{"b":"x,y"}"#]).ok();
    let out = home.vug(["export", "r", "--format", "csv"]).ok();
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let mut header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[0], "key");
    header.sort();
    assert_eq!(header, ["a", "b", "key"]);
    assert_eq!(reader.records().count(), 2);
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let home = Home::with_region("airports");
    let file = airports();
    home.vug([OsStr::new("import"), "airports".as_ref(), file.as_ref(), "--key=iata".as_ref()])
        .ok();
    let mut child = command()
        .env("VUG_HOME", home.path())
        .args(["export", "airports"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The output is larger than a pipe: the command writes when nobody reads any more.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
