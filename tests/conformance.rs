//! The conformance suite in Rust: by one process, and by two that take turns.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use vug_tests::TempHome;
use vug_tests::conformance::{Case, Session, cases, expected};

/// Every file of the suite.
const FILES: &[&str] = &[
    "attributes",
    "bulk",
    "conditions",
    "counters",
    "entries",
    "events",
    "expiry",
    "iteration",
    "life",
    "limits",
    "waiting",
];

fn read(file: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let text = std::fs::read_to_string(folder.join(format!("{file}.jsonl"))).expect("a file");
    cases(&text)
}

/// Runs all cases; `run` takes a case, and gives what each step gave.
fn replay(run: impl Fn(&Case, &Path) -> Vec<Value>) {
    let mut wrong = Vec::new();
    for file in FILES {
        for case in read(file) {
            let home = TempHome::new();
            let given = run(&case, home.path());
            for ((line, step), given) in case.steps.iter().zip(&given) {
                let wanted = expected(step);
                if *given != wanted {
                    let name = &case.name;
                    wrong.push(format!("{file}.jsonl:{line}: {name}: {given}, not {wanted}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} steps went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_file_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let paths =
        std::fs::read_dir(folder).expect("the suite").map(|entry| entry.expect("a file").path());
    let mut found: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, FILES);
}

#[test]
fn one_process() {
    replay(|case, home| {
        let mut session = Session::new(home);
        case.steps.iter().map(|(_, step)| session.run(step)).collect()
    });
}

#[test]
fn two_processes_that_take_turns() {
    for first in [0, 1] {
        replay(|case, home| Pair::new(home, first).run(case));
    }
}

/// A step that gives what it should not is found.
#[test]
fn a_wrong_result_is_found() {
    let text = "{\"case\":\"control\"}\n\
        {\"op\":\"create_region\",\"result\":null}\n\
        {\"op\":\"put\",\"key\":\"a\",\"value\":\"1\",\"result\":{\"created\":false}}\n";
    let home = TempHome::new();
    let mut session = Session::new(home.path());
    let case = cases(text).remove(0);
    let right: Vec<bool> =
        case.steps.iter().map(|(_, step)| session.run(step) == expected(step)).collect();
    assert_eq!(right, [true, false]);
}

/// This process and a child, with the same home.
struct Pair {
    here: Session,
    there: Option<Remote>,
    turn: usize,
    /// Who made a subscription: its events are told there only.
    owners: HashMap<String, usize>,
    home: std::path::PathBuf,
}

impl Pair {
    fn new(home: &Path, turn: usize) -> Self {
        let owners = HashMap::new();
        Self { here: Session::new(home), there: None, turn, owners, home: home.to_owned() }
    }

    fn run(&mut self, case: &Case) -> Vec<Value> {
        case.steps.iter().map(|(_, step)| self.step(step, case.shared)).collect()
    }

    fn step(&mut self, step: &Value, shared: bool) -> Value {
        if !shared {
            return self.here.run(step);
        }
        let who = match step["of"].as_str() {
            Some(name) => self.owners[name],
            None => {
                self.turn += 1;
                self.turn % 2
            }
        };
        if let Some(name) = step["as"].as_str() {
            self.owners.insert(name.to_owned(), who);
        }
        let given = self.ask(who, step);
        let opens = ["create_region", "open_region", "open_or_create_region"];
        if given.get("result").is_some() && opens.iter().any(|op| step["op"] == *op) {
            let name = step.get("region").cloned().unwrap_or_else(|| json!("r"));
            let opened = self.ask(1 - who, &json!({ "op": "open_region", "region": name }));
            assert_eq!(opened, json!({ "result": null }), "the other process opens {name}");
        }
        given
    }

    fn ask(&mut self, who: usize, step: &Value) -> Value {
        if who == 0 {
            return self.here.run(step);
        }
        let there = self.there.get_or_insert_with(|| Remote::start(&self.home));
        let mut step = step.clone();
        step["tokens"] = self.here.saved();
        let answer = there.ask(&step);
        self.here.learn(&answer["tokens"]);
        answer["given"].clone()
    }
}

struct Remote {
    child: Child,
    steps: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Remote {
    fn start(home: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .arg(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let steps = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, steps, answers }
    }

    fn ask(&mut self, step: &Value) -> Value {
        writeln!(self.steps.as_mut().expect("open"), "{step}").expect("the child listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the child answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the child ended at {step}"))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.steps.take());
        let status = self.child.wait().expect("own child");
        assert!(status.success() || std::thread::panicking(), "the child ended with {status}");
    }
}
