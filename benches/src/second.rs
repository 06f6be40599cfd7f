//! A second process that works on the same region while the first is measured.
//!
//! It is the bench binary itself, started again with [`FLAG`] as its first argument. It says
//! `ready`, works until its standard input closes, and says how many operations it did per
//! nanosecond.

use crate::store::{Shared, Store};
use crate::workload::{Distribution, Load, sequence};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const FLAG: &str = "--second-process";

/// What the second process does all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Reads entries that are there.
    Get,
    /// Overwrites entries.
    Put,
    /// Asks for entries that are not there.
    Miss,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Work::Get => "get",
            Work::Put => "put",
            Work::Miss => "miss",
        }
    }

    /// Does one operation and says whether it found something.
    pub fn step(self, store: &impl Store, load: Load, n: u32, value: &mut [u8]) -> bool {
        match self {
            Work::Get => store.get(n, value),
            Work::Put => {
                store.put(n, value);
                true
            }
            Work::Miss => store.get(n + load.entries, value),
        }
    }
}

/// The running second process; stopped on drop.
#[derive(Debug)]
pub struct SecondProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl SecondProcess {
    /// Starts it and waits until it is at work.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(home: &Path, load: Load, work: Work, distribution: Distribution) -> SecondProcess {
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .arg(FLAG)
            .arg(home)
            .args([load.entries.to_string(), load.value_len.to_string()])
            .args([work.name().to_owned(), distribution.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the second process starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the second process speaks");
        assert_eq!(line.trim(), "ready", "the second process failed");
        SecondProcess { child, output }
    }

    /// Stops it and returns its rate in operations per nanosecond.
    ///
    /// # Panics
    /// When it failed.
    pub fn stop(mut self) -> f64 {
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the second process speaks");
        line.trim().parse().expect("the second process tells its rate")
    }
}

impl Drop for SecondProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Fails only when it is gone already.
        let _ = self.child.wait();
    }
}

/// In the second process: works until told to stop and returns true. False in the first process.
///
/// # Panics
/// When the arguments after the flag are not those that [`SecondProcess::start`] gives.
pub fn serve_if_asked() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, home, entries, value_len, work, distribution] = arguments.as_slice() else {
        return false;
    };
    if flag != FLAG {
        return false;
    }
    let load = Load {
        entries: entries.parse().expect("entries"),
        value_len: value_len.parse().expect("value length"),
    };
    let works = [Work::Get, Work::Put, Work::Miss];
    let work = works.into_iter().find(|w| w.name() == work).expect("kind of work");
    let distributions = [Distribution::Uniform, Distribution::Zipf];
    let named = distributions.into_iter().find(|d| d.to_string() == *distribution);
    serve(Path::new(home), load, work, named.expect("distribution"));
    true
}

fn serve(home: &Path, load: Load, work: Work, distribution: Distribution) {
    let store = Shared::open(home);
    // Another order than the first process has.
    let requests = sequence(distribution, load.entries, 2);
    let mut value = vec![0; load.value_len];
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    });
    println!("ready");
    let start = Instant::now();
    let mut done = 0u64;
    'work: loop {
        for batch in requests.chunks(256) {
            for &n in batch {
                black_box(work.step(&store, load, n, &mut value));
            }
            done += batch.len() as u64;
            if stop.load(Ordering::Relaxed) {
                break 'work;
            }
        }
    }
    println!("{}", done as f64 / start.elapsed().as_nanos() as f64);
}
