//! Regions and entries through the command line, each step a process of its own.

mod command;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use command::Home;
use serde_json::Value;

#[test]
fn what_one_process_puts_another_gets() {
    let home = Home::with_region("quotes");
    assert_eq!(home.vug(["put", "quotes", "ibm", "241.5"]).ok(), "");
    assert_eq!(home.vug(["get", "quotes", "ibm"]).ok(), "241.5");
    home.vug(["put", "quotes", "ibm", "-242"]).ok();
    assert_eq!(home.vug(["get", "quotes", "ibm"]).ok(), "-242");
}

#[test]
fn values_from_a_file_and_from_standard_input() {
    let home = Home::with_region("r");
    let file = home.file("value", b"line\n");
    home.vug([OsStr::new("put"), "r".as_ref(), "f".as_ref(), "--file".as_ref(), file.as_ref()])
        .ok();
    assert_eq!(home.vug(["get", "r", "f"]).ok(), "line\n");
    home.vug_with(["put", "r", "i", "-"], b"piped").ok();
    assert_eq!(home.vug(["get", "r", "i"]).ok(), "piped");
    home.vug_with(["put", "r", "empty", "-"], b"").ok();
    assert_eq!(home.vug(["get", "r", "empty"]).ok(), "");
    let (error, _) = home.vug(["put", "r", "f", "--file", "/nowhere/value"]).failed(1);
    assert!(error.starts_with("/nowhere/value: cannot be read"), "{error}");
    assert_eq!(home.vug(["get", "r", "f"]).ok(), "line\n");
}

#[test]
fn keys_and_values_that_are_no_text() {
    let home = Home::with_region("r");
    let key = OsStr::from_bytes(b"\xff\xfe");
    let value = OsStr::from_bytes(b"\x80\x81");
    home.vug([OsStr::new("put"), "r".as_ref(), key, value]).ok();
    let run = home.vug([
        OsStr::new("get"),
        "r".as_ref(),
        key,
        "--format=json".as_ref(),
        "--meta".as_ref(),
    ]);
    let entry: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!((&entry["key_base64"], &entry["value_base64"]), (&"//4=".into(), &"gIE=".into()));
    assert_eq!(entry["value_bytes"], 2);
}

#[test]
fn the_longest_key_works() {
    let home = Home::with_region("r");
    let key = "k".repeat(65_536);
    home.vug(["put", "r", &key, "v"]).ok();
    assert_eq!(home.vug(["get", "r", &key]).ok(), "v");
}

#[test]
fn versions_grow_and_creation_is_told() {
    let home = Home::with_region("r");
    let put = |value: &str| -> Value {
        let run = home.vug(["put", "r", "k", value, "--format", "jsonl"]);
        serde_json::from_str(&run.ok()).unwrap()
    };
    let (first, second) = (put("1"), put("2"));
    assert_eq!((&first["created"], &second["created"]), (&true.into(), &false.into()));
    assert!(first["version"].as_u64() < second["version"].as_u64());
    let got: Value =
        serde_json::from_str(&home.vug(["get", "r", "k", "--format", "json"]).ok()).unwrap();
    assert_eq!(got["version"], second["version"]);
    assert_eq!((&got["value"], &got["origin"]), (&"2".into(), &second["origin"]));
}

#[test]
fn removing_keys() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "a", "1"]).ok();
    home.vug(["put", "r", "b", "1"]).ok();
    assert_eq!(home.vug(["del", "r", "a"]).ok(), "");
    home.vug(["get", "r", "a"]).failed(4);
    let (error, _) = home.vug(["del", "r", "a", "b"]).failed(4);
    assert_eq!(error, "r: there is no key `a` (VUG-0903)");
    home.vug(["get", "r", "b"]).failed(4);
}

#[test]
fn a_missing_key_and_a_missing_region_exit_with_4() {
    let home = Home::with_region("r");
    let (error, help) = home.vug(["get", "r", "nobody"]).failed(4);
    assert_eq!(error, "r: there is no key `nobody` (VUG-0903)");
    assert_eq!(help, "`vug scan r --keys` lists what is there");
    for args in [
        &["get", "absent", "k"][..],
        &["put", "absent", "k", "v"],
        &["del", "absent", "k"],
        &["stat", "absent"],
        &["export", "absent"],
        &["check", "absent"],
    ] {
        let (error, help) = home.vug(args).failed(4);
        assert!(error.ends_with("(VUG-0206)"), "{args:?}: {error}");
        assert_eq!(help, "`vug create absent` makes it, `vug ls` lists what is there");
    }
}

#[test]
fn making_regions() {
    let home = Home::new();
    let args = ["create", "a", "--data-policy", "replicate", "--scope", "distributed-ack"];
    home.vug([&args[..], &["--max-bytes", "8MiB", "--no-concurrency-checks"]].concat()).ok();
    let (error, _) = home.vug(["create", "a"]).failed(1);
    assert!(error.ends_with("(VUG-0205)"), "{error}");
    let stat: Value =
        serde_json::from_str(&home.vug(["stat", "a", "--format", "json"]).ok()).unwrap();
    assert_eq!(stat["data_policy"], "replicate");
    assert_eq!(stat["scope"], "distributed-ack");
    assert_eq!(stat["max_bytes"], 8 << 20);
    assert_eq!(stat["concurrency_checks"], false);
    for name in ["", "a/b", &"x".repeat(129)] {
        let (error, _) = home.vug(["create", name]).failed(2);
        assert!(error.ends_with("(VUG-0201)"), "{error}");
    }
    let (error, _) = home.vug(["create", "tiny", "--max-bytes", "1KiB"]).failed(2);
    assert!(error.ends_with("(VUG-0204)"), "{error}");
    assert_eq!(home.vug(["ls", "--format", "csv"]).ok().lines().count(), 2);
}

#[test]
fn the_list_of_regions() {
    let home = Home::new();
    home.vug(["ls"]).failed(4);
    assert!(!home.path().join("node").exists(), "looking makes nothing");
    home.vug(["create", "beta"]).ok();
    home.vug([
        "create",
        "alpha",
        "--data-policy=replicate",
        "--scope=local",
        "--max-bytes",
        "2MiB",
    ])
    .ok();
    home.vug(["put", "alpha", "k", "v"]).ok();
    let table = home.vug(["ls"]).ok();
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    let header = "REGION DATA POLICY SCOPE STATE ENTRIES LIVE BYTES BACKED BYTES MAX BYTES MEMBERS";
    assert_eq!(lines[0].join(" "), header);
    assert_eq!(lines[1][..5], ["alpha", "replicate", "local", "ready", "1"]);
    assert_eq!(lines[1][lines[1].len() - 3..], ["2.0", "MiB", "0"]);
    assert_eq!(lines[2][..5], ["beta", "normal", "local", "ready", "0"]);
    let json: Value = serde_json::from_str(&home.vug(["ls", "--format", "json"]).ok()).unwrap();
    let names: Vec<&Value> = json.as_array().unwrap().iter().map(|row| &row["region"]).collect();
    assert_eq!(names, ["alpha", "beta"]);
}

#[test]
fn the_figures_of_a_node() {
    let home = Home::with_region("r");
    let stat: Value = serde_json::from_str(&home.vug(["stat", "--format", "jsonl"]).ok()).unwrap();
    assert_eq!(stat["regions"], 1);
    assert_eq!(stat["bridge_pid"], Value::Null);
    assert_eq!(stat["node_id"].as_str().map(str::len), Some(32));
}

#[test]
fn a_sound_region_passes_its_audit_and_a_damaged_one_does_not() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "k", "v"]).ok();
    let report: Value =
        serde_json::from_str(&home.vug(["check", "--format", "json"]).ok()).unwrap();
    let report = &report[0];
    assert_eq!((&report["region"], &report["entries"]), (&"r".into(), &1.into()));
    assert_eq!(report["problems"], Value::Array(vec![]));
    let parts =
        ["header_bytes", "index_bytes", "live_bytes", "dead_bytes", "free_bytes", "unbacked_bytes"];
    let sum: u64 = parts.iter().map(|part| report[part].as_u64().unwrap()).sum();
    assert_eq!(sum, report["file_bytes"].as_u64().unwrap(), "{report}");

    let file = home.path().join("r.region");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let (error, _) = home.vug(["check", "r"]).failed(3);
    assert!(error.ends_with(")"), "{error}");
    std::fs::write(&file, b"this is no region").unwrap();
    let run = home.vug(["ls"]);
    assert!(run.out.contains("unreadable"), "{run:?}");
    run.failed(3);
}

#[test]
fn recovering_without_the_dead() {
    let home = Home::with_region("r");
    assert_eq!(
        home.vug(["recover"]).ok(),
        "members            0\n\
         threads            0\n\
         inserts finished   0\n\
         events announced   0\n\
         segments released  0\n\
         set aside          0\n"
    );
    let line = home.vug(["recover", "--format", "jsonl"]).ok();
    assert!(line.starts_with("{\"members\":0,\"threads\":0,"), "{line}");
}

#[test]
fn maintaining_what_is_in_order() {
    let home = Home::with_region("r");
    let line = home.vug(["maintain", "--format", "jsonl"]).ok();
    assert!(line.starts_with("{\"members_recovered\":0,\"threads_recovered\":0,"), "{line}");
    assert_eq!(home.vug(["maintain", "r", "--thorough", "--format", "jsonl"]).ok(), line);
    home.vug(["maintain", "absent"]).failed(4);
}

#[test]
fn tables_of_entries() {
    let home = Home::with_region("r");
    let put = home.vug(["put", "r", "key", "a\nb", "--format", "json"]).ok();
    let version = serde_json::from_str::<Value>(&put).unwrap()["version"].to_string();
    let width = version.len().max("VERSION".len());
    assert_eq!(
        home.vug(["export", "r", "--format", "table"]).ok(),
        format!(
            "KEY  {:>width$}  ORIGIN  VALUE\nkey  {version:>width$}       0  a\\nb\n",
            "VERSION"
        )
    );
    assert_eq!(
        home.vug(["get", "r", "key", "--format", "table"]).ok(),
        format!(
            "region       r\nkey          key\nkind         value\nversion      {version}\n\
             origin       0\nkey bytes    3 B\nvalue bytes  3 B\n\
             value        a\\nb\n"
        )
    );
}

#[test]
fn entries_expire() {
    let home = Home::new();
    home.vug(["create", "r", "--ttl", "1h", "--idle", "2m", "--idle-action", "invalidate"]).ok();
    let stat: Value = serde_json::from_str(&home.vug(["stat", "r", "--format=json"]).ok()).unwrap();
    assert_eq!(stat["entry_ttl"], "3600s destroy");
    assert_eq!(stat["entry_idle"], "120s invalidate");
    home.vug(["put", "r", "stays", "v"]).ok();
    home.vug(["put", "r", "goes", "v", "--ttl", "1ms"]).ok();
    // The clock goes on by itself: sooner or later the entry is gone.
    while home.vug(["get", "r", "goes"]).code == 0 {}
    assert_eq!(home.vug(["get", "r", "stays"]).ok(), "v");
    let (error, _) = home.vug(["put", "r", "k", "v", "--ttl", "0s"]).failed(1);
    assert!(error.contains("zero"), "{error}");
    let (error, help) = home.vug(["create", "z", "--ttl", "0s"]).failed(2);
    assert!(error.contains("entry_ttl") && help.contains("longer"), "{error} {help}");
}

#[test]
fn counters_count() {
    let home = Home::with_region("r");
    assert_eq!(home.vug(["incr", "r", "n"]).ok(), "1\n");
    assert_eq!(home.vug(["incr", "r", "n", "-5"]).ok(), "-4\n");
    let run = home.vug(["incr", "r", "n", "14", "--format", "json"]);
    let shown: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!(shown["value"], "10");
    home.vug(["put", "r", "n", "10"]).ok();
    let (error, help) = home.vug(["incr", "r", "n"]).failed(1);
    assert!(error.contains("not a counter") && error.ends_with("(VUG-0405)"), "{error}");
    assert!(help.contains("eight bytes"), "{help}");
}

#[test]
fn waiting_ends_with_a_change_or_in_time() {
    let home = Home::with_region("r");
    let (error, _) = home.vug(["wait", "r", "k", "--timeout", "10ms"]).failed(1);
    assert!(error.contains("did not change"), "{error}");
    home.vug(["put", "r", "k", "v"]).ok();
    // The key was absent when the caller looked; it need not look again.
    let run = home.vug(["wait", "r", "k", "--since", "0", "--format", "json"]);
    let shown: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!(shown["present"], true);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| home.vug(["wait", "r", "k"]));
        let mut n = 0;
        while !waiting.is_finished() {
            n += 1;
            home.vug(["put", "r", "k", &n.to_string()]).ok();
        }
        assert_eq!(waiting.join().unwrap().ok(), "");
    });
}
