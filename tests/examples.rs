//! Each example prints what the comment at its head promises, and leaves nothing behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use vug_tests::wait_until;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shm/examples")
}

/// The text block of the comment at the head of an example.
fn promised(name: &str) -> Vec<String> {
    let path = folder().join(name).with_extension("rs");
    let text = std::fs::read_to_string(&path).expect("read the example");
    let head = text.lines().map_while(|line| line.strip_prefix("//!"));
    head.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned())
        .skip_while(|line| line != "```text")
        .skip(1)
        .take_while(|line| line != "```")
        .collect()
}

/// Whether a line is the promised one, in which `<number>` stands for any number.
fn fits(promised: &str, line: &str) -> bool {
    let Some((before, after)) = promised.split_once("<number>") else {
        return promised == line;
    };
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    digits > 0 && fits(after, &rest[digits..])
}

/// Home directories of examples that are there.
fn homes(prefix: &str) -> BTreeSet<String> {
    let names = std::fs::read_dir("/dev/shm").expect("read").filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.starts_with(prefix).then_some(name)
    });
    names.collect()
}

fn run(name: &str, prefix: &str) {
    let promised = promised(name);
    assert!(promised.len() > 1, "{name} promises nothing");
    let before = homes(prefix);
    let output = Command::new(env!("CARGO_BIN_EXE_example"))
        .env("VUG_EXAMPLE", name)
        .output()
        .expect("the example starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed: {errors}\n{said}");
    let lines: Vec<&str> = said.lines().collect();
    let as_promised = lines.len() == promised.len()
        && lines.iter().zip(&promised).all(|(line, promised)| fits(promised, line));
    assert!(as_promised, "{name} prints\n{said}\ninstead of\n{}", promised.join("\n"));
    // Another run of the same example on this machine makes and removes its own meanwhile.
    let left: BTreeSet<String> = homes(prefix).difference(&before).cloned().collect();
    wait_until(&format!("{name} has removed {left:?}"), || homes(prefix).is_disjoint(&left));
}

#[test]
fn every_example_is_tested() {
    let files = std::fs::read_dir(folder()).expect("read").map(|e| e.expect("entry").path());
    let names: BTreeSet<String> =
        files.map(|path| path.file_stem().expect("a name").to_string_lossy().into()).collect();
    let tested =
        ["async_wait", "event_watcher", "hello", "quote_board", "shared_counter", "warm_restart"];
    assert_eq!(names, tested.map(str::to_owned).into());
}

#[test]
fn hello() {
    run("hello", "vug-hello-");
}

#[test]
fn shared_counter() {
    run("shared_counter", "vug-counter-");
}

#[test]
fn quote_board() {
    run("quote_board", "vug-quotes-");
}

#[test]
fn event_watcher() {
    run("event_watcher", "vug-events-");
}

#[test]
fn warm_restart() {
    run("warm_restart", "vug-restart-");
}

#[test]
fn async_wait() {
    run("async_wait", "vug-wait-");
}

#[test]
fn numbers_fit_and_other_texts_do_not() {
    assert!(fits("<number> of <number>", "12 of 7"));
    assert!(!fits("<number> of <number>", "12 of x"));
    assert!(!fits("a <number>", "a "));
    assert!(!fits("a", "b"));
}
