//! A second process that works on the same store while the first is measured.
//!
//! It is the bench binary itself, started again with [`FLAG`] as its first argument. It takes one
//! line per piece of work, says `ready`, works until the next line comes, and then says how many
//! operations it did per nanosecond. It ends with its standard input.

use crate::peer::Peer;
use crate::workload::{Distribution, Load, Requests, Work};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const FLAG: &str = "--second-process";

/// How long it works before it says that it is ready.
const WARM_UP: Duration = Duration::from_millis(50);

/// The running second process; stopped on drop.
#[derive(Debug)]
pub struct SecondProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl SecondProcess {
    /// Starts it. It does nothing yet.
    ///
    /// # Errors
    /// Why it does not start, in words.
    pub fn start(peer: &str, place: &Path, load: Load) -> Result<SecondProcess, String> {
        let mut child = Command::new(std::env::current_exe().map_err(|error| error.to_string())?)
            .args([FLAG, peer])
            .arg(place)
            .args([load.entries.to_string(), load.value_len.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("a second process: {error}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("a second process without output")?;
        let mut second = SecondProcess { child, input, output: BufReader::new(output) };
        second.expect("open")?;
        Ok(second)
    }

    /// Has it work until [`SecondProcess::pause`].
    ///
    /// # Errors
    /// What it said instead of `ready`.
    pub fn work(&mut self, work: Work, distribution: Distribution) -> Result<(), String> {
        self.tell(&format!("{work} {distribution}"))?;
        self.expect("ready")
    }

    /// Has it pause and returns its rate in operations per nanosecond.
    ///
    /// # Errors
    /// What it said instead of a rate.
    pub fn pause(&mut self) -> Result<f64, String> {
        self.tell("pause")?;
        let line = self.hear()?;
        line.parse().map_err(|_| format!("second process: {line}"))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// The system's words.
    pub fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| error.to_string())?;
        self.child.wait().map(|_| ()).map_err(|error| error.to_string())
    }

    fn tell(&mut self, line: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the second process was stopped")?;
        writeln!(input, "{line}").map_err(|error| format!("the second process: {error}"))
    }

    fn hear(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        read.map_err(|error| format!("the second process: {error}"))?;
        Ok(line.trim().to_owned())
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        let line = self.hear()?;
        if line == wanted {
            return Ok(());
        }
        Err(format!("the second process said {line:?} instead of {wanted:?}"))
    }
}

impl Drop for SecondProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        // Fails only when it is gone already.
        let _ = self.child.wait();
    }
}

/// In the second process: works until told to stop and returns true. False in the first process.
///
/// # Panics
/// When the arguments after the flag are not those that [`SecondProcess::start`] gives.
pub fn serve_if_asked(peers: &[&dyn Peer]) -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, peer, place, entries, value_len] = arguments.as_slice() else {
        return false;
    };
    if flag != FLAG {
        return false;
    }
    let load = Load {
        entries: entries.parse().expect("entries"),
        value_len: value_len.parse().expect("value length"),
    };
    let peer = peers.iter().find(|known| known.name() == peer).expect("a known peer");
    pin_to(1);
    serve(*peer, Path::new(place), load);
    true
}

fn serve(peer: &dyn Peer, place: &Path, load: Load) {
    let store = peer.open(place, load).expect("the store opens");
    let mut value = vec![0; load.value_len];
    let mut orders = HashMap::new();
    let (lines, told) = listen();
    println!("open");
    while let Ok(line) = lines.recv() {
        let Some((work, distribution)) = line.split_once(' ') else {
            continue;
        };
        let work: Work = work.parse().expect("kind of work");
        // Another order than the first process has.
        let requests = orders
            .entry(distribution.to_owned())
            .or_insert_with(|| Requests::new(distribution.parse().expect("distribution"), load, 2));
        let mut batch = || {
            let batch = requests.next_batch();
            store.run(work, load, batch, &mut value).map(|()| batch.len() as u64)
        };
        let start = Instant::now();
        let mut working = Ok(0);
        while working.is_ok() && start.elapsed() < WARM_UP {
            working = batch();
        }
        told.store(false, Ordering::Relaxed);
        println!("ready");
        let start = Instant::now();
        let mut done = 0;
        while !told.load(Ordering::Relaxed) && working.is_ok() {
            working = batch();
            done += *working.as_ref().unwrap_or(&0);
        }
        match working {
            Ok(_) => println!("{}", done as f64 / start.elapsed().as_nanos() as f64),
            Err(why) => println!("{why}"),
        }
    }
}

/// Lines of standard input, and a flag that is raised when one came. The end counts as one.
fn listen() -> (Receiver<String>, Arc<AtomicBool>) {
    let (sender, lines) = channel();
    let told = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&told);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            flag.store(true, Ordering::Relaxed);
            if sender.send(line).is_err() {
                return;
            }
        }
        flag.store(true, Ordering::Relaxed);
    });
    (lines, told)
}

/// Lets the calling thread, and those that it starts, run on every processor again.
pub(crate) fn unpin() {
    let mut set = nix::sched::CpuSet::new();
    // The system leaves out those that are not there.
    for cpu in 0..nix::sched::CpuSet::count() {
        let _ = set.set(cpu);
    }
    let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set);
}

/// Keeps the calling thread, and those that it starts, on one processor, if there are that many.
pub fn pin_to(cpu: usize) {
    let mut set = nix::sched::CpuSet::new();
    // Not `available_parallelism`: a second process inherits the mask of the first.
    let all = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    let many = all.ok().flatten().is_some_and(|count| count > cpu as i64);
    // Without it the numbers are noisier, and true all the same.
    if many && set.set(cpu).is_ok() {
        let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set);
    }
}
