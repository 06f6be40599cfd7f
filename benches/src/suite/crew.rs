//! The first process's side: a region, and processes that work on it together.

use super::task::{Job, Outcome, Task};
use super::worker;
use crate::mapping::scratch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;
use vug::{Eviction, Node, Region};
use vug_workload::{Distribution, Sizes};

/// A region of the suite, in a directory of its own.
pub(super) struct Place {
    pub(super) region: Region,
    _node: Node,
    home: TempDir,
    entries: u32,
    sizes: Sizes,
}

impl Place {
    /// An empty region of a given size.
    pub(super) fn empty(
        entries: u32,
        sizes: Sizes,
        max_bytes: u64,
        eviction: Eviction,
    ) -> Result<Place, String> {
        let home = scratch()?;
        let told = |error: vug::Error| error.to_string();
        let node = Node::open(home.path()).map_err(told)?;
        let builder = node.region("suite").max_bytes(max_bytes.max(16 << 20)).eviction(eviction);
        let region = builder.create().map_err(told)?;
        Ok(Place { region, _node: node, home, entries, sizes })
    }

    /// A region with all entries in it and three times the room they take.
    pub(super) fn filled(entries: u32, sizes: Sizes) -> Result<Place, String> {
        Place::filled_within(entries, sizes, roomy(entries, sizes))
    }

    /// A region of a given size with all entries in it.
    pub(super) fn filled_within(
        entries: u32,
        sizes: Sizes,
        max_bytes: u64,
    ) -> Result<Place, String> {
        let place = Place::empty(entries, sizes, max_bytes, Eviction::None)?;
        let mut key = Vec::new();
        let value = vec![b'v'; sizes.most as usize];
        for n in 0..entries {
            sizes.key_into(n, &mut key);
            let put = place.region.put(&key, &value[..sizes.value_len(n)]);
            put.map_err(|error| format!("filling: {error}"))?;
        }
        Ok(place)
    }

    /// A region so large that live data takes this share of what is not index.
    pub(super) fn filled_to(percent: u64, entries: u32, sizes: Sizes) -> Result<Place, String> {
        let statistics = Place::filled(entries, sizes)?.region.statistics();
        let max_bytes = statistics.index_bytes + statistics.live_bytes * 100 / percent;
        Place::filled_within(entries, sizes, max_bytes)
    }

    /// The work of one process of several.
    pub(super) fn task(&self, job: Job, distribution: Distribution, seconds: f64) -> Task {
        Task {
            home: self.home.path().to_owned(),
            job,
            entries: self.entries,
            sizes: self.sizes,
            distribution,
            threads: 1,
            first: 0,
            workers: 1,
            seconds,
            pace: None,
            cpu: None,
        }
    }
}

/// Three times what the entries take, header and index included.
pub(super) fn roomy(entries: u32, sizes: Sizes) -> u64 {
    3 * (sizes.bytes(entries) + u64::from(entries) * 72) + (32 << 20)
}

/// A worker process; killed on drop.
pub(super) struct Member {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Member {
    /// Starts it, and waits until it is ready.
    pub(super) fn start(task: &Task) -> Result<Member, String> {
        let told = |error: std::io::Error| format!("a worker: {error}");
        let mut child = Command::new(std::env::current_exe().map_err(told)?)
            .args(worker::arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(told)?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("a worker without output")?);
        let mut member = Member { child, input, output };
        member.tell(&serde_json::to_string(task).map_err(|error| error.to_string())?)?;
        match member.hear()?.as_str() {
            "ready" => Ok(member),
            other => Err(format!("a worker said {other:?} instead of ready")),
        }
    }

    /// Has it begin.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        self.tell("go")
    }

    /// Waits until it is done.
    pub(super) fn outcome(&mut self) -> Result<Outcome, String> {
        let line = self.hear()?;
        serde_json::from_str(&line).map_err(|_| "a worker ended without an outcome".into())
    }

    /// Stops it wherever it is.
    pub(super) fn stop(&self) -> Result<(), String> {
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, Signal::SIGSTOP).map_err(|error| error.to_string())
    }

    fn tell(&mut self, line: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("a worker without input")?;
        writeln!(input, "{line}").map_err(|error| format!("a worker: {error}"))
    }

    fn hear(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| format!("a worker: {error}"))?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It has ended, or is not wanted any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes that begin together.
pub(super) struct Crew(Vec<Member>);

impl Crew {
    /// So many processes with so many threads each; one thread a process stays on its processor.
    pub(super) fn start(task: &Task, processes: u32, threads: u32) -> Result<Crew, String> {
        let member = |number| {
            Member::start(&Task {
                threads,
                first: number * threads,
                workers: processes * threads,
                cpu: (threads == 1).then_some(number as usize),
                ..task.clone()
            })
        };
        Ok(Crew((0..processes).map(member).collect::<Result<_, String>>()?))
    }

    /// Has all begin.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        self.0.iter_mut().try_for_each(Member::begin)
    }

    /// Waits until all are done.
    pub(super) fn outcome(&mut self) -> Result<Outcome, String> {
        let mut sum = Outcome::default();
        for member in &mut self.0 {
            sum.add(member.outcome()?);
        }
        Ok(sum)
    }

    /// All of it.
    pub(super) fn run(task: &Task, processes: u32, threads: u32) -> Result<Outcome, String> {
        let mut crew = Crew::start(task, processes, threads)?;
        crew.begin()?;
        crew.outcome()
    }
}
