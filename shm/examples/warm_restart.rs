//! A program that dies and starts again finds its cache as it was: the region outlives the process.
//!
//! ```sh
//! cargo run --release -p vug --example warm_restart
//! ```
//! prints
//!
//! ```text
//! first run: computed 20000 answers, then was killed
//! second run: 20000 answers were there after <number> ms, 0 had to be computed
//! second run: what the dead process left is recovered, the audit finds nothing wrong
//! ```

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use vug::Node;
use vug::check::check_file;
use vug::typed::Region;

const ANSWERS: u64 = 20_000;

fn open(home: &str) -> vug::Result<Region<u64, u64>> {
    Node::open(home)?.region("answers").max_bytes(16 << 20).typed().open_or_create()
}

/// Something that takes a while.
fn compute(question: u64) -> u64 {
    (0..200).fold(question, |answer, n| answer.rotate_left(7) ^ answer.wrapping_mul(31 + n))
}

/// The answers, from the cache where it has them; how many had to be computed.
fn answer_all(answers: &Region<u64, u64>) -> vug::Result<u64> {
    let mut computed = 0;
    for question in 0..ANSWERS {
        if answers.get(&question)?.is_none() {
            answers.put(&question, &compute(question))?;
            computed += 1;
        }
    }
    Ok(computed)
}

fn first_run(home: &str) -> Result<(), Box<dyn Error>> {
    let answers = open(home)?;
    let computed = answer_all(&answers)?;
    println!("computed {computed} answers");
    loop {
        std::thread::park(); // until it is killed: no destructor, no goodbye
    }
}

fn second_run(home: &str) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let answers = open(home)?;
    let found = answers.len()?;
    let millis = start.elapsed().as_millis();
    let computed = answer_all(&answers)?;
    println!(
        "second run: {found} answers were there after {millis} ms, {computed} had to be computed"
    );
    answers.untyped().recover()?;
    let report = check_file(answers.untyped().path())?;
    assert!(report.is_clean(), "{:?}", report.problems);
    println!("second run: what the dead process left is recovered, the audit finds nothing wrong");
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1..).unwrap_or_default() {
        [home, run] if run == "1" => return first_run(home),
        [home, _] => return second_run(home),
        _ => {}
    }
    let dir = tempfile::Builder::new().prefix("vug-restart-").tempdir_in("/dev/shm")?;
    let run = |number: &str| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(dir.path()).arg(number).stdout(Stdio::piped()).spawn()
    };
    let mut first = run("1")?;
    let mut said = String::new();
    BufReader::new(first.stdout.take().ok_or("no output")?).read_line(&mut said)?;
    first.kill()?;
    first.wait()?;
    println!("first run: {}, then was killed", said.trim());

    let second = run("2")?.wait_with_output()?;
    print!("{}", String::from_utf8_lossy(&second.stdout));
    assert!(second.status.success(), "the second run failed");
    Ok(())
}
