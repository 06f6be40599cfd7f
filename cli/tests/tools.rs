//! Measuring, and what is generated from the command line.

mod command;

use command::{Home, command, run, temporary};
use serde_json::Value;

fn entries(home: &Home) -> u64 {
    let stat = home.vug(["stat", "r", "--format", "json"]).ok();
    serde_json::from_str::<Value>(&stat).unwrap()["entries"].as_u64().unwrap()
}

fn value_bytes(home: &Home, key: &str) -> u64 {
    let meta = home.vug(["get", "r", key, "--meta", "--format", "json"]).ok();
    serde_json::from_str::<Value>(&meta).unwrap()["value_bytes"].as_u64().unwrap()
}

/// The rows of a bench by operation.
fn bench(home: &Home, args: &[&str]) -> Vec<Value> {
    let run = home.vug([&["bench"], args, &["--format", "json"]].concat());
    serde_json::from_str::<Value>(&run.ok()).unwrap().as_array().unwrap().clone()
}

#[test]
fn a_bench_of_processes_and_threads() {
    let home = Home::new();
    let small = ["--new", "--entries", "1000", "--time", "200ms", "--reads", "50"];
    let more = ["--processes", "2", "--threads", "2", "--distribution", "zipf"];
    let rows = bench(&home, &[&small[..], &more].concat());
    let names: Vec<&Value> = rows.iter().map(|row| &row["operation"]).collect();
    assert_eq!(names, ["get", "put"]);
    for row in &rows {
        assert!(row["count"].as_u64() > Some(0), "{row}");
        assert_eq!(row["hits"], row["count"], "{row}");
        assert_eq!(row["failures"], 0);
        let [p50, p99, max] = ["p50_ns", "p99_ns", "max_ns"].map(|name| row[name].as_u64());
        assert!(p50 > Some(0) && p50 <= p99 && p99 <= max, "{row}");
    }
    // The region that was made for it is gone.
    assert_eq!(home.vug(["ls", "--format", "json"]).ok(), "[]\n");
}

#[test]
fn a_bench_asks_and_cleans_up() {
    let home = Home::with_region("r");
    home.vug(["put", "r", "mine", "v"]).ok();
    let args = ["r", "--entries", "2000", "--time", "50ms"];
    let (error, help) = home.vug([&["bench"], &args[..]].concat()).failed(2);
    assert_eq!(
        error,
        "this would write 2,000 entries with the prefix `vug-bench:` to region r for 0.05 s, \
         then remove them, and there is no terminal to ask at (VUG-0905)"
    );
    assert_eq!(help, "add --yes to do it unasked");
    bench(&home, &[&args[..], &["--yes"]].concat());
    assert_eq!(entries(&home), 1);
    bench(&home, &[&args[..], &["--yes", "--keep", "--prefix", "p"]].concat());
    assert_eq!(entries(&home), 2001);
    let key = format!("p{:023}", 1999);
    assert_eq!(value_bytes(&home, &key), 64);
    let (error, _) = home.vug(["bench", "--new", "--key-bytes", "12"]).failed(2);
    assert!(error.contains("do not hold `vug-bench:` and a number"), "{error}");
}

#[test]
fn a_trace_is_replayed() {
    let home = Home::with_region("r");
    let trace = home.file("trace", b"put,a,10\nput,b\nget,a\nget,nobody\ndel,b\n");
    let path = trace.to_str().unwrap();
    let rows = bench(&home, &["r", "--trace", path, "--yes"]);
    let counts: Vec<_> =
        rows.iter().map(|row| (row["count"].as_u64(), row["hits"].as_u64())).collect();
    assert_eq!(counts, [(Some(2), Some(1)), (Some(2), Some(2)), (Some(1), Some(1))]);
    assert_eq!(value_bytes(&home, "a"), 10);
    home.vug(["get", "r", "b"]).failed(4);
    std::fs::write(&trace, b"put,a\ngot,a\n").unwrap();
    let run = home.vug(["bench", "r", "--trace", path, "--yes"]);
    assert!(run.err.contains("trace:2: `got` is no operation (VUG-0982)"), "{run:?}");
    run.failed(1);
}

fn vug(args: &[&str]) -> String {
    let mut command = command();
    command.args(args);
    run(command, b"").ok()
}

#[test]
fn completion_scripts_know_the_commands() {
    for (shell, mark) in [("bash", "_vug()"), ("zsh", "#compdef vug"), ("fish", "complete -c vug")]
    {
        let script = vug(&["gen", "completions", shell]);
        assert!(script.contains(mark) && script.contains("import"), "{shell}");
    }
    // The shell that reads it agrees, where there is one.
    let place = temporary();
    let file = place.path().join("vug.bash");
    std::fs::write(&file, vug(&["gen", "completions", "bash"])).unwrap();
    if let Ok(status) = std::process::Command::new("bash").arg("-n").arg(&file).status() {
        assert!(status.success());
    }
}

#[test]
fn manual_pages_for_every_command() {
    let first = vug(&["gen", "man"]);
    assert!(first.starts_with(".ie") && first.contains(".TH vug 1"), "{first}");
    let place = temporary();
    let dir = place.path().join("man1");
    assert_eq!(vug(&["gen", "man", dir.to_str().unwrap()]), "");
    for page in ["vug.1", "vug-get.1", "vug-import.1", "vug-bridge-run.1"] {
        let text = std::fs::read_to_string(dir.join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(!dir.join("vug-demo-worker.1").exists());
}
