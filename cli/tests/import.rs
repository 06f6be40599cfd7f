//! Imports that are checked, interrupted and resumed; dumps; sorted exports. The data are made
//! here.

mod command;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use command::{Home, Run, command};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// CSV in the order of its keys, with fields that need quotation marks.
fn table(rows: usize) -> String {
    let mut text = String::from("id,name,note\n");
    for row in 0..rows {
        let note = match row % 4 {
            0 => "\"a, b\"",
            1 => "\"say \"\"so\"\"\"",
            2 => "",
            _ => "\u{e4}\u{20ac}",
        };
        writeln!(text, "{row:08},name {},{note}", row * 7919 % 1000).unwrap();
    }
    text
}

fn large_home() -> Home {
    let home = Home::new();
    home.vug(["create", "r", "--max-bytes", "512MiB"]).ok();
    home
}

fn import(home: &Home, file: &Path, more: &[&str]) -> Run {
    home.vug([&["import", "r", file.to_str().unwrap()], more].concat())
}

fn export(home: &Home, more: &[&str]) -> String {
    home.vug([&["export", "r"], more].concat()).ok()
}

fn entries(home: &Home) -> u64 {
    let stat = home.vug(["stat", "r", "--format", "json"]).ok();
    serde_json::from_str::<Value>(&stat).unwrap()["entries"].as_u64().unwrap()
}

fn start(home: &Home, args: &[&str]) -> Child {
    let mut command = command();
    command.env("VUG_HOME", home.path()).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The checkpoints in a home.
fn checkpoints(home: &Home) -> Vec<PathBuf> {
    let files = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "import")).collect()
}

/// Starts an import and signals it once it has left a checkpoint.
fn interrupted(home: &Home, file: &Path, signal: Signal) -> Run {
    let args = ["import", "r", file.to_str().unwrap(), "--key", "id", "--unchecked"];
    let child = start(home, &args);
    let deadline = Instant::now() + PATIENCE;
    while checkpoints(home).is_empty() {
        assert!(Instant::now() < deadline, "no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

#[test]
fn a_sorted_file_comes_back_byte_by_byte() {
    let home = large_home();
    let text = table(20_000);
    let file = home.file("x.csv", text.as_bytes());
    import(&home, &file, &["--key", "id"]).ok();
    let sorted = ["--to", "csv", "--key", "id", "--sort"];
    assert!(export(&home, &sorted) == text);
    // The same with so little memory that many runs are merged.
    assert!(export(&home, &[&sorted[..], &["--sort-memory", "64KiB"]].concat()) == text);
    let lines = export(&home, &["--to", "jsonl", "--sort"]);
    let keys: Vec<&str> = lines.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert!(keys.is_sorted() && keys.len() == 20_000);
    let few = export(&home, &["--to", "csv", "--key", "id", "--sort", "--prefix", "0000000"]);
    assert_eq!(few.lines().count(), 11);
    assert!(text.starts_with(&few));
}

#[test]
fn a_killed_import_goes_on_where_it_stopped() {
    let home = large_home();
    let text = table(400_000);
    let file = home.file("x.csv", text.as_bytes());
    assert_eq!(interrupted(&home, &file, Signal::SIGKILL).code, -1);
    let before = entries(&home);
    assert!((1..400_000).contains(&before), "{before}");
    let more = ["--key", "id", "--unchecked", "--resume", "--format", "json"];
    let done: Value = serde_json::from_str(&import(&home, &file, &more).ok()).unwrap();
    let resumed = done["resumed_after"].as_u64().unwrap();
    assert!((1..=before).contains(&resumed), "{resumed} of {before}");
    assert_eq!(done["rows"], 400_000);
    assert_eq!(entries(&home), 400_000);
    assert!(checkpoints(&home).is_empty());
    assert!(export(&home, &["--to", "csv", "--key", "id", "--sort"]) == text);
}

#[test]
fn an_interrupted_import_says_how_to_go_on() {
    let home = large_home();
    let file = home.file("x.csv", table(400_000).as_bytes());
    let (error, help) = interrupted(&home, &file, Signal::SIGINT).failed(1);
    assert!(error.starts_with("interrupted; ") && error.contains(" rows before it were written; "));
    assert!(error.ends_with("the same command with --resume goes on there (VUG-0952)"), "{error}");
    assert_eq!(help, "nothing is lost; begin again, or go on");
    // What is not as it was is refused.
    let more = ["--key", "name", "--unchecked", "--resume"];
    let (error, help) = import(&home, &file, &more).failed(1);
    assert!(error.contains("its import had other options"), "{error}");
    assert!(help.starts_with("leave --resume out"), "{help}");
    let resume = ["--key", "id", "--unchecked", "--resume"];
    std::fs::write(&file, "id,name\n1,2\n").unwrap();
    let (error, _) = import(&home, &file, &resume).failed(1);
    assert!(error.contains("it was changed since the import stopped"), "{error}");
    // From the beginning it works, and the checkpoint is gone.
    import(&home, &file, &["--key", "id"]).ok();
    assert!(checkpoints(&home).is_empty());
    let run = import(&home, &file, &resume);
    assert!(run.err.starts_with("there is no checkpoint of "), "{run:?}");
    run.ok();
}

#[test]
fn an_import_that_finds_no_room_can_be_resumed() {
    let home = Home::new();
    home.vug(["create", "r", "--max-bytes", "4MiB"]).ok();
    let file = home.file("x.csv", table(100_000).as_bytes());
    let run = import(&home, &file, &["--key", "id"]);
    let (error, _) = run.failed(1);
    assert!(error.contains("--resume goes on there (VUG-0301)"), "{error}");
    assert_eq!(checkpoints(&home).len(), 1);
}

#[test]
fn a_dry_run_writes_nothing() {
    let home = Home::with_region("r");
    let file = home.file("x.csv", b"id,a\n1,2\n2\n1,3\n4,5\n");
    let run = import(&home, &file, &["--key", "id", "--dry-run", "--on-error", "skip"]);
    assert!(run.err.contains("2 rows are good for r, 2 are not\n"), "{run:?}");
    run.failed(1);
    assert_eq!(entries(&home), 0);
    let (error, _) = import(&home, &file, &["--key", "id", "--dry-run"]).failed(1);
    assert!(error.contains("x.csv:3: "), "{error}");
    let more = ["--key", "id", "--dry-run", "--on-duplicate", "last", "--on-error", "skip"];
    let run = import(&home, &file, &[&more[..], &["--format", "json"]].concat());
    let done: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&done["rows"], &done["skipped"]), (&3.into(), &1.into()));
}

#[test]
fn skipped_rows_are_reported() {
    let home = Home::with_region("r");
    let mut text = String::from("id,a\n");
    for row in 0..20 {
        writeln!(text, "{row},a\n{row},b\nbad").unwrap();
    }
    let (file, report) = (home.file("x.csv", text.as_bytes()), home.path().join("report"));
    let more = ["--key", "id", "--value", "a", "--on-error", "skip"];
    let run = import(&home, &file, &[&more[..], &["--report", report.to_str().unwrap()]].concat());
    assert_eq!(run.err.matches("skipped: ").count(), 11, "{run:?}");
    assert!(run.err.contains("skipped: 30 more rows\n"), "{run:?}");
    let (error, _) = run.failed(1);
    assert_eq!(error, "40 rows were skipped (VUG-0919)");
    // Of equal keys the first stays.
    assert_eq!(home.vug(["get", "r", "7"]).ok(), "a");
    let report = std::fs::read_to_string(report).unwrap();
    let lines: Vec<Value> =
        report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 40);
    assert_eq!(lines[0]["line"], 3);
    assert!(lines[0]["error"].as_str().unwrap().ends_with(":3: the key `0` was on line 2 already"));
    assert!(lines[1]["help"].as_str().unwrap().starts_with("mend the row"));
}

#[test]
fn quiet_is_quiet() {
    let home = Home::with_region("r");
    let file = home.file("x.csv", b"id,a\n1,2\n");
    assert_eq!(import(&home, &file, &["--key", "id", "--quiet"]).err, "");
    let out = home.path().join("out.csv");
    let run = home.vug(["export", "r", "-q", "-o", out.to_str().unwrap()]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

/// Three entries that are no text.
fn bytes() -> Home {
    let home = Home::with_region("r");
    for (key, value) in [("6b", "fe0a00"), ("ff00", ""), ("22", "226122")] {
        home.vug(["put", "r", key, value, "--hex"]).ok();
    }
    home
}

#[test]
fn dumps_hold_every_byte() {
    let home = bytes();
    let before = export(&home, &["--to", "csv", "--value", "v", "--hex", "--sort"]);
    assert_eq!(before, "key,v\n22,226122\n6b,fe0a00\nff00,\n");
    let dump = home.path().join("r.dump");
    let path = dump.to_str().unwrap();
    home.vug(["export", "r", "-o", path, "--meta", "--sort"]).ok();
    home.vug(["del", "r", "--match", ".|^$", "--yes"]).ok();
    home.vug(["del", "r", "ff00", "--hex"]);
    assert_eq!(entries(&home), 0);
    let run = import(&home, &dump, &[]);
    assert_eq!(run.err, "imported 3 rows into r (3 new, 0 replaced, 0 skipped)\n");
    assert_eq!(export(&home, &["--to", "csv", "--value", "v", "--hex", "--sort"]), before);

    // A byte is changed: the whole dump is refused before anything is written.
    let mut bytes = std::fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&dump, &bytes).unwrap();
    home.vug(["del", "r", "6b", "--hex"]).ok();
    let (error, help) = import(&home, &dump, &[]).failed(3);
    assert!(error.contains("checksum of a block differs"), "{error}");
    assert!(error.ends_with("nothing was written (VUG-0920)"), "{error}");
    assert!(help.contains("copy the dump anew"), "{help}");
    assert_eq!(entries(&home), 2);
    let text = home.file("text.dump", b"id,a\n1,2\n");
    let (error, _) = import(&home, &text, &[]).failed(1);
    assert!(error.contains("does not begin like a dump of vug"), "{error}");
}

#[test]
fn two_columns_of_hexadecimal_digits() {
    let home = bytes();
    let text = export(&home, &["--to", "csv", "--value", "v", "--hex", "--sort"]);
    let file = home.file("x.csv", text.as_bytes());
    home.vug(["create", "copy"]).ok();
    let args = ["import", "copy", file.to_str().unwrap(), "--key", "1", "--value", "2", "--hex"];
    home.vug(args).ok();
    let again = ["export", "copy", "--to", "csv", "--value", "v", "--hex", "--sort"];
    assert_eq!(home.vug(again).ok(), text);
    let (error, help) = home.vug(["export", "r", "--to", "csv", "--value", "v"]).failed(1);
    assert!(error.contains("is not UTF-8"), "{error}");
    assert_eq!(help, "add --hex, or export JSON lines with --to jsonl");
}

#[test]
fn a_file_without_header() {
    let home = Home::with_region("r");
    let file = home.file("x.csv", b"a,1\nb,2\n");
    import(&home, &file, &["--key", "1", "--no-header"]).ok();
    assert_eq!(home.vug(["get", "r", "a"]).ok(), r#"{"1":"a","2":"1"}"#);
}

#[test]
fn what_cannot_be_done_with_an_input() {
    let home = Home::with_region("r");
    let file = home.file("x.csv", b"id,a\n1,2\n");
    for (args, want) in [
        (&["import", "r", "-", "--from=csv", "--key=id", "--resume"][..], "--resume reads on"),
        (
            &["import", "r", "-", "--from=csv", "--key=id", "--on-duplicate=stop"],
            "--on-duplicate stop looks at all keys first",
        ),
        (&["import", "r", "x.dump", "--key=id"], "a dump has no columns"),
        (&["import", "r", "x.jsonl", "--key=id", "--no-header"], "--no-header is for CSV"),
        (&["import", "r", file.to_str().unwrap()], "nothing says which column holds the key"),
        (&["export", "r", "--to=csv", "--meta"], "--meta is for dumps and JSON"),
        (&["export", "r", "--value=v"], "--value names a column of CSV"),
        (&["export", "r", "--to=csv", "--value=key"], "key and value have the same column"),
    ] {
        let (error, _) = home.vug(args).failed(2);
        assert!(error.contains(want), "{args:?}: {error}");
    }
}

/// Anonymous memory of a process in KiB; `None` when it has ended.
fn anonymous(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let home = large_home();
    let file = home.file("x.csv", table(300_000).as_bytes());
    let csv = file.to_str().unwrap();
    let sorted = home.path().join("sorted.csv");
    let peak = |args: &[&str]| {
        let mut child = start(&home, args);
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            peak = peak.max(anonymous(&child).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(child.wait().unwrap().code(), Some(0));
        peak
    };
    let import = peak(&["import", "r", csv, "--key", "id"]);
    let args = ["export", "r", "--sort", "--sort-memory", "8MiB", "--key", "id", "-o"];
    let export = peak(&[&args[..], &[sorted.to_str().unwrap()]].concat());
    // The rows are 30 MiB in the region.
    assert!(import < 32 << 10, "{import} KiB");
    assert!(export < 24 << 10, "{export} KiB");
    assert!(std::fs::read(&sorted).unwrap() == std::fs::read(&file).unwrap());
}
