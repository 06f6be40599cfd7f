//! Regions that are made, altered, invalidated, cleared and destroyed.

mod command;

use command::{Home, Run};
use serde_json::Value;

fn json(run: Run) -> Value {
    serde_json::from_str(&run.ok()).unwrap()
}

/// Three entries.
fn some() -> Home {
    let home = Home::with_region("r");
    for key in ["a", "b", "c"] {
        home.vug(["put", "r", key, "v"]).ok();
    }
    home
}

fn entries(home: &Home) -> u64 {
    json(home.vug(["stat", "r", "--format", "json"]))["entries"].as_u64().unwrap()
}

/// The refusal of a command that would destroy something, and the remedy.
#[track_caller]
fn refused(home: &Home, args: &[&str], what: &str) {
    let (error, help) = home.vug(args).failed(2);
    let place = home.path().display().to_string();
    let want = format!("this would {what}, and there is no terminal to ask at (VUG-0905)");
    assert_eq!(error.replace(&place, "HOME"), want);
    assert_eq!(help, "add --yes to do it unasked");
}

#[test]
fn a_shortcut_and_its_attributes_are_equal() {
    let home = Home::new();
    let made = |name: &str, args: &[&str]| {
        let run = home.vug([&["create", name, "--format", "json"], args].concat());
        let mut made = json(run);
        for own in ["region", "path"] {
            made[own] = Value::Null;
        }
        made
    };
    let short = made("a", &["--shortcut", "replicate"]);
    assert_eq!(short["scope"], "distributed-ack");
    assert_eq!(short, made("b", &["--data-policy", "replicate"]));
    let named = ["--data-policy", "replicate", "--scope", "distributed-ack"];
    assert_eq!(short, made("c", &named));
    // Options win over the shortcut.
    let other = made("d", &["--shortcut", "replicate", "--scope", "distributed-no-ack"]);
    assert_eq!(other["scope"], "distributed-no-ack");
    assert_eq!(made("e", &["--shortcut", "local"]), made("f", &[]));
    let (error, help) = home.vug(["create", "g", "--shortcut", "empty"]).failed(2);
    assert!(error.contains("local, normal, preloaded, replicate, replicate-proxy"), "{error}");
    assert!(!help.is_empty());
    let evict = ["create", "h", "--shortcut", "replicate", "--eviction", "s3-fifo"];
    let (error, help) = home.vug(evict).failed(2);
    assert!(error.contains("a replicate region keeps every entry"), "{error}");
    assert!(help.contains("leave eviction at `none`"), "{help}");
}

#[test]
fn a_region_that_exists_says_how_to_go_on() {
    let home = Home::with_region("r");
    let (_, help) = home.vug(["create", "r"]).failed(1);
    assert_eq!(help, "`vug stat r` shows it, `vug rm r` removes it");
}

#[test]
fn attributes_change_while_the_region_is_in_use() {
    let home = Home::new();
    home.vug(["create", "r", "--eviction=s3-fifo", "--max-entries=1000", "--ttl=1h"]).ok();
    let alter =
        |args: &[&str]| json(home.vug([&["alter", "r", "--format", "json"], args].concat()));
    let changed = alter(&["--ttl", "10s", "--idle", "2m", "--idle-action", "invalidate"]);
    assert_eq!(changed["entry_ttl"], "10s destroy");
    assert_eq!(changed["entry_idle"], "120s invalidate");
    // The action stays what it is.
    let changed = alter(&["--idle", "3m", "--ttl", "none", "--max-entries", "500"]);
    assert_eq!(changed["entry_idle"], "180s invalidate");
    assert_eq!((&changed["entry_ttl"], &changed["max_entries"]), (&Value::Null, &500.into()));
    let shown = json(home.vug(["stat", "r", "--format", "json"]));
    assert_eq!(shown["entry_idle"], "180s invalidate");
    home.vug(["alter", "r"]).failed(2);
    home.vug(["alter", "r", "--ttl-action", "destroy"]).failed(2);
    home.vug(["alter", "absent", "--ttl", "1s"]).failed(4);
    home.vug(["create", "plain"]).ok();
    let (error, help) = home.vug(["alter", "plain", "--max-entries", "5"]).failed(2);
    assert!(error.contains("nothing is evicted"), "{error}");
    assert!(help.contains("eviction"), "{help}");
}

#[test]
fn entries_lose_their_values_and_keep_their_keys() {
    let home = some();
    home.vug(["invalidate", "r", "a"]).ok();
    let (error, help) = home.vug(["get", "r", "a"]).failed(4);
    assert_eq!(error, "r: the key `a` has no value: its entry is invalid (VUG-0903)");
    assert_eq!(help, "it was invalidated: whoever knows the value puts it again");
    let meta = home.vug(["get", "r", "a", "--meta"]).ok();
    assert!(meta.contains("kind         invalid") && meta.contains("value bytes  -"), "{meta}");
    assert_eq!(entries(&home), 3);
    // Those without value are listed only with what is known of them.
    assert_eq!(home.vug(["scan", "r", "--format", "jsonl"]).ok().lines().count(), 2);
    let lines = home.vug(["scan", "r", "--meta", "--format", "jsonl"]).ok();
    assert_eq!(lines.matches("\"kind\":\"invalid\"").count(), 1, "{lines}");
    let again = home.vug(["invalidate", "r", "a", "b", "--local", "--format", "json"]);
    let again = json(again);
    assert_eq!((&again[0]["invalidated"], &again[1]["invalidated"]), (&false.into(), &true.into()));
    let (error, _) = home.vug(["invalidate", "r", "nobody"]).failed(4);
    assert_eq!(error, "r: there is no key `nobody` (VUG-0903)");
    refused(&home, &["invalidate", "r", "--all"], "take the values of all 3 entries of region r");
    home.vug(["invalidate", "r", "--all", "--yes"]).ok();
    home.vug(["get", "r", "c"]).failed(4);
    assert_eq!(entries(&home), 3);
}

#[test]
fn dumps_keep_kind_and_expiry() {
    let home = some();
    home.vug(["invalidate", "r", "a"]).ok();
    home.vug(["put", "r", "b", "v", "--ttl", "1h"]).ok();
    home.vug(["put", "r", "gone", "v", "--ttl", "100ms"]).ok();
    let dump = home.path().join("r.dump");
    home.vug(["export", "r", "--meta", "--sort", "-o", dump.to_str().unwrap()]).ok();
    // The clock goes on by itself: sooner or later the entry has expired in the dump, too.
    while home.vug(["get", "r", "gone"]).code == 0 {}
    home.vug(["clear", "r", "--yes"]).ok();
    home.vug(["import", "r", dump.to_str().unwrap()]).ok();
    assert_eq!(entries(&home), 3);
    let meta = |key: &str| json(home.vug(["get", "r", key, "--meta", "--format", "json"]));
    assert_eq!(meta("a")["kind"], "invalid");
    assert!(meta("b")["expires_ms"].as_u64() > Some(1 << 40), "{}", meta("b"));
    assert_eq!(meta("c")["expires_ms"], Value::Null);
    home.vug(["get", "r", "gone"]).failed(4);
}

#[test]
fn clearing_names_the_region_and_needs_consent() {
    let home = some();
    refused(&home, &["clear", "r"], "remove all 3 entries of region r in HOME");
    assert_eq!(entries(&home), 3);
    assert_eq!(home.vug(["clear", "r", "--yes"]).ok(), "");
    assert_eq!(entries(&home), 0);
    home.vug(["put", "r", "a", "again"]).ok();
    assert_eq!(home.vug(["get", "r", "a"]).ok(), "again");
    let done = json(home.vug(["clear", "r", "--local", "--yes", "--format", "json"]));
    assert_eq!((&done["entries"], &done["local"]), (&1.into(), &true.into()));
    home.vug(["clear", "absent", "--yes"]).failed(4);
}

#[test]
fn destroying_names_the_region_and_needs_consent() {
    let home = some();
    refused(&home, &["rm", "r"], "destroy region r with 3 entries in HOME");
    assert_eq!(entries(&home), 3);
    home.vug(["destroy-region", "r", "--yes"]).ok();
    home.vug(["get", "r", "a"]).failed(4);
    assert_eq!(home.vug(["ls", "--format", "json"]).ok(), "[]\n");
    home.vug(["create", "r"]).ok();
    assert_eq!(entries(&home), 0);
    home.vug(["rm", "absent", "--yes"]).failed(4);
}

/// A file that no library can open is removed all the same.
#[test]
fn a_file_is_removed_whatever_is_in_it() {
    let home = some();
    refused(&home, &["rm", "r", "--file"], "remove the file of region r in HOME");
    assert_eq!(entries(&home), 3);
    home.file("damaged.region", b"no region at all");
    home.vug(["rm", "damaged", "--yes"]).failed(3);
    let done = json(home.vug(["rm", "damaged", "--file", "--yes", "--format", "json"]));
    assert_eq!((&done["region"], &done["file"]), (&"damaged".into(), &true.into()));
    home.vug(["rm", "damaged", "--file", "--yes"]).failed(4);
    home.vug(["rm", "r", "--file", "--yes"]).ok();
    assert_eq!(home.vug(["ls", "--format", "json"]).ok(), "[]\n");
    home.vug(["rm", "r", "--file", "--local"]).failed(2);
}

#[test]
fn an_import_can_replace_everything() {
    let home = some();
    let file = home.file("x.csv", b"id,v\nc,new\nd,new\n");
    let args = ["import", "r", file.to_str().unwrap(), "--key", "id", "--value", "v", "--replace"];
    refused(&home, &args, "remove all 3 entries of region r, then import");
    // A bad row is found before anything is removed.
    let bad = home.file("bad.csv", b"id,v\nc\n");
    let bad = ["import", "r", bad.to_str().unwrap(), "--key", "id", "--replace", "--yes"];
    home.vug(bad).failed(1);
    assert_eq!(entries(&home), 3);
    home.vug([&args[..], &["--yes"]].concat()).ok();
    assert_eq!(entries(&home), 2);
    assert_eq!(home.vug(["get", "r", "c"]).ok(), "new");
    home.vug(["get", "r", "a"]).failed(4);
}
