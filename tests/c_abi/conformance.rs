//! The conformance suite through the C interface and its C++ wrapper: `tests/c/conformance.c` and
//! `tests/c/conformance.cpp` do the steps, this translates them and compares what they give.
//!
//! Left out are steps that ask for a time or a bound of 0, which here means "not given", and names
//! of regions that the line of a step cannot hold. They are to fail and change nothing, so the
//! others of their cases go on without them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Map, Value, json};
use vug_tests::conformance::{Case, canonical, cases, expected};

use crate::compile::{Program, c_compiler, cxx_compiler, home, root};

const POLICIES: [&str; 5] = ["empty", "normal", "preloaded", "replicate", "persistent-replicate"];
const SCOPES: [&str; 4] = ["local", "distributed-no-ack", "distributed-ack", "global"];
const EVICTIONS: [&str; 2] = ["none", "s3-fifo"];
const INTERESTS: [&str; 2] = ["cache-content", "all"];
const ACTIONS: [&str; 4] = ["destroy", "invalidate", "local-destroy", "local-invalidate"];
const EVENTS: [&str; 16] = [
    "create",
    "update",
    "invalidate",
    "local-invalidate",
    "destroy",
    "local-destroy",
    "expire-invalidate",
    "expire-destroy",
    "evict",
    "resync",
    "clear",
    "local-clear",
    "region-invalidate",
    "local-region-invalidate",
    "region-destroy",
    "local-region-destroy",
];

/// The number of a name in the header: 1 for the first.
fn number_of(names: &[&str], name: &Value) -> usize {
    let found = names.iter().position(|known| *name == **known);
    1 + found.unwrap_or_else(|| panic!("{name} is none of {names:?}"))
}

fn name_of(names: &[&str], number: &Value) -> Value {
    let number = number.as_u64().expect("a number") as usize;
    json!(names.get(number.wrapping_sub(1)).expect("a number of the header"))
}

fn switch(value: &Value) -> usize {
    if value.as_bool().expect("true or false") { 1 } else { 2 }
}

/// Bytes as the replayer reads them.
fn digits(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.bytes().fold("x".to_owned(), |digits, byte| format!("{digits}{byte:02x}"));
    }
    let once = value["hex"].as_str().expect("bytes");
    let times = value.get("times").map_or(1, |times| times.as_u64().expect("a number"));
    format!("x{}", once.repeat(times as usize))
}

fn digits_or(value: Option<&Value>, other: &str) -> String {
    value.map_or_else(|| other.to_owned(), digits)
}

/// A time and an action, as the words that options have for them.
fn expiry(value: &Value) -> (u64, usize) {
    let Some(ms) = value.get("ms") else { return (u64::MAX, 0) };
    let ms = ms.as_u64().expect("milliseconds");
    (ms.saturating_mul(1_000_000), number_of(&ACTIONS, &value["action"]))
}

fn attributes(step: &Value) -> Vec<String> {
    let empty = Map::new();
    let given = step.get("attributes").map_or(&empty, |given| given.as_object().expect("names"));
    let mut words = Vec::new();
    let mut set = |name: &str, value: String| words.push(format!("{name}={value}"));
    if let Some(shortcut) = given.get("shortcut") {
        let (policy, scope) = match shortcut.as_str().expect("a shortcut") {
            "local" => ("normal", "local"),
            "replicate-proxy" => ("empty", "distributed-ack"),
            other => (other, "distributed-ack"),
        };
        set("data_policy", number_of(&POLICIES, &json!(policy)).to_string());
        set("scope", number_of(&SCOPES, &json!(scope)).to_string());
    }
    for (name, value) in given {
        match name.as_str() {
            "shortcut" => {}
            "data_policy" => set(name, number_of(&POLICIES, value).to_string()),
            "scope" => set(name, number_of(&SCOPES, value).to_string()),
            "eviction" => set(name, number_of(&EVICTIONS, value).to_string()),
            "interest" => set(name, number_of(&INTERESTS, value).to_string()),
            "early_ack" | "concurrency_checks" | "old_values" => {
                set(name, switch(value).to_string());
            }
            "entry_ttl" | "entry_idle" => {
                let (after, action) = expiry(value);
                set(&format!("{name}_ns"), after.to_string());
                set(&format!("{name}_action"), action.to_string());
            }
            _ => set(name, value.to_string()),
        }
    }
    words
}

/// A step as a line for the replayer.
fn line_of(step: &Value) -> String {
    let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let ttl = step.get("ttl_ms").map_or(0, |ms| ms.as_u64().expect("a time") * 1_000_000);
    let op = text("op");
    let mut words = vec![op.clone(), step.get("region").map_or("r".into(), |_| text("region"))];
    let list = |name: &str| step[name].as_array().expect("a list").clone();
    match op.as_str() {
        "create_region" | "open_region" | "open_or_create_region" => {
            words.extend(attributes(step));
        }
        "set_entry_ttl" | "set_entry_idle" => {
            let (after, action) = expiry(&step["expiry"]);
            words.extend([after.to_string(), action.to_string()]);
        }
        "set_max_entries" => words.push(step["entries"].to_string()),
        "subscribe" => {
            let flag = |name: &str| u8::from(step[name] == json!(true)).to_string();
            words.extend([text("as"), digits_or(step.get("prefix"), "x")]);
            words.extend([flag("content"), flag("resynchronise")]);
        }
        "events" => words.push(text("of")),
        "get_all" => words.extend(list("keys").iter().map(digits)),
        "remove_all" => {
            words.push("0".into());
            words.extend(list("keys").iter().map(digits));
        }
        "put_all" => {
            words.push(ttl.to_string());
            words.extend(
                list("entries").iter().flat_map(|pair| [digits(&pair[0]), digits(&pair[1])]),
            );
        }
        _ => {
            let extra = if let Some(expected) = step.get("expected") {
                digits(expected)
            } else if let Some(delta) = step.get("delta") {
                delta.to_string()
            } else if step.get("token").is_some() {
                text("token")
            } else {
                text("since")
            };
            let (key, value) = (step.get("key"), step.get("value"));
            words.extend([text("save"), digits_or(key, "x"), digits_or(value, "x")]);
            words.extend([ttl.to_string(), extra]);
        }
    }
    words.join(" ")
}

/// What a replayer gave, in the words of the suite.
fn translated(op: &str, mut given: Value) -> Value {
    let Some(result) = given.get_mut("result") else { return given };
    match op {
        "keys" | "entries" => {
            // Digits are in the order of the bytes.
            let mut parts = result.as_array().expect("a list").clone();
            let first = |part: &Value| match part {
                Value::Array(pair) => pair[0]["hex"].to_string(),
                key => key["hex"].to_string(),
            };
            let order = |part: &Value| first(part).trim_matches('"').to_owned();
            parts.sort_by_key(order);
            parts.dedup_by_key(|part| order(part));
            *result = Value::Array(parts);
        }
        "events" => {
            for event in result.as_array_mut().expect("a list") {
                event["kind"] = match event["kind"].as_u64() {
                    Some(100) => json!("lapped"),
                    Some(101) => json!("in-sync"),
                    _ => name_of(&EVENTS, &event["kind"]),
                };
            }
        }
        "attributes" => *result = shown(result),
        _ => {}
    }
    json!({ "result": canonical(result) })
}

fn shown(numbers: &Value) -> Value {
    let expiry = |at: usize| match numbers[at].as_u64() {
        Some(u64::MAX) => Value::Null,
        after => json!({
            "ms": after.expect("a time") / 1_000_000,
            "action": name_of(&ACTIONS, &numbers[at + 1]),
        }),
    };
    let on = |at: usize| json!(numbers[at] == json!(1));
    json!({
        "data_policy": name_of(&POLICIES, &numbers[0]),
        "scope": name_of(&SCOPES, &numbers[1]),
        "early_ack": on(2),
        "concurrency_checks": on(3),
        "interest": name_of(&INTERESTS, &numbers[4]),
        "old_values": on(5),
        "max_bytes": numbers[6],
        "segment_bytes": numbers[7],
        "alignment": numbers[8],
        "entry_ttl": expiry(9),
        "entry_idle": expiry(11),
        "eviction": name_of(&EVICTIONS, &numbers[13]),
        "max_entries": numbers[14],
    })
}

/// Whether a step gives a zero, which the interface takes for nothing, or a name that is no word.
fn is_left_out(step: &Value) -> bool {
    let no_word = |name: &str| name.is_empty() || name.contains(' ');
    let zero = |value: &Value| value.get("ms") == Some(&json!(0));
    let times = ["entry_ttl", "entry_idle"];
    step["region"].as_str().is_some_and(no_word)
        || step.get("ttl_ms") == Some(&json!(0))
        || step.get("entries") == Some(&json!(0))
        || zero(&step["expiry"])
        || times.iter().any(|name| zero(&step["attributes"][*name]))
}

/// Runs a case; what each step gave.
fn run(program: &Program, case: &Case, home: &Path) -> Vec<Value> {
    let mut command = program.command();
    let mut child = command
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the replayer runs");
    let mut steps = child.stdin.take().expect("its input");
    let mut answers = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut given = Vec::new();
    for (number, step) in &case.steps {
        writeln!(steps, "{}", line_of(step)).expect("the replayer listens");
        let answer = answers.next().unwrap_or_else(|| panic!("line {number}: no answer"));
        let answer = serde_json::from_str(&answer.expect("an answer")).expect("JSON");
        given.push(translated(step["op"].as_str().expect("an operation"), answer));
    }
    drop(steps);
    assert!(child.wait().expect("it ends").success());
    given
}

#[test]
fn the_suite_through_the_c_interface() {
    if let Some(compiler) = c_compiler() {
        replay(&Program::compile(&compiler, "tests/c/conformance.c", &[]));
    }
}

#[test]
fn the_suite_through_the_wrapper_for_cxx() {
    if let Some(compiler) = cxx_compiler() {
        replay(&Program::compile(&compiler, "tests/c/conformance.cpp", &[]));
    }
}

fn replay(program: &Program) {
    let (mut wrong, mut replayed, mut left_out) = (Vec::new(), 0, 0);
    for file in std::fs::read_dir(root().join("tests/conformance")).expect("the suite") {
        let file = file.expect("a file").path();
        if file.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a file of cases");
        for mut case in cases(&text) {
            case.steps.retain(|(line, step)| {
                let left = is_left_out(step);
                assert!(!left || step.get("error").is_some(), "line {line} would be missed");
                left_out += usize::from(left);
                !left
            });
            let home = home();
            for ((line, step), given) in case.steps.iter().zip(run(program, &case, home.path())) {
                let wanted = expected(step);
                if given != wanted {
                    let at = format!("{}:{line}: {}", file.display(), case.name);
                    wrong.push(format!("{at}: {given}, not {wanted}"));
                }
            }
            replayed += case.steps.len();
        }
    }
    println!("{replayed} steps, {left_out} left out");
    assert!(wrong.is_empty(), "{} steps went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(left_out < 20 && replayed > 300, "{left_out} of {replayed} are left out");
}
