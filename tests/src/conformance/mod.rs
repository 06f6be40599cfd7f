//! The conformance suite: operations and their results as data, replayed in Rust.
//!
//! `tests/conformance/README.md` specifies the data. A [`Session`] is one process that runs steps;
//! `tests/conformance.rs` compares what they give with what they should.

mod args;
mod bytes;
mod session;
mod show;

use std::io::{BufRead, Write};
use std::path::Path;

use serde_json::{Value, json};

pub use bytes::canonical;
pub use session::Session;

/// A case: steps that begin with an empty home.
#[derive(Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Whether it may be shared out among several processes.
    pub shared: bool,
    /// The steps, with the numbers of their lines.
    pub steps: Vec<(usize, Value)>,
}

/// Reads a file of cases.
///
/// # Panics
/// When a line is not as the README says.
pub fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let step: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("line {number} is not JSON: {error}"));
        if let Some(name) = step.get("case") {
            let name = name.as_str().expect("a case has a name").to_owned();
            let shared = step.get("processes") != Some(&json!(1));
            cases.push(Case { name, shared, steps: Vec::new() });
        } else {
            assert!(step["op"].is_string(), "line {number} has neither `case` nor `op`");
            let expected = step.get("result").is_some() != step.get("error").is_some();
            assert!(expected, "line {number} needs one of `result` and `error`");
            cases.last_mut().expect("a file begins with a case").steps.push((number, step));
        }
    }
    cases
}

/// What a step should give, in the form in which a [`Session`] answers.
pub fn expected(step: &Value) -> Value {
    match step.get("error") {
        Some(code) => json!({ "error": code }),
        None => json!({ "result": canonical(&step["result"]) }),
    }
}

/// The side of a process that replays steps for another one: a line with a step and the tokens
/// that others saved, answered by a line with what it gave and the tokens that it saved.
///
/// # Panics
/// When a step is not as the README says, or nobody listens any more.
pub fn serve(home: &Path, steps: impl BufRead, mut answers: impl Write) {
    let mut session = Session::new(home);
    for line in steps.lines() {
        let step: Value = serde_json::from_str(&line.expect("a line")).expect("a step in JSON");
        session.learn(&step["tokens"]);
        let given = session.run(&step);
        let answer = json!({ "given": given, "tokens": session.saved() });
        writeln!(answers, "{answer}").and_then(|()| answers.flush()).expect("somebody listens");
    }
}
