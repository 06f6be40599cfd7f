//! Processes that live no longer than their parent.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::frame::Frame;
use super::pause::Pause;
use super::place::Place;
use super::{SharedTally, failed, tally};
use crate::args::Role;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// More than a program that answers in a line has to say.
const MAX_OUTPUT: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct Child {
    name: String,
    process: Process,
    input: Option<ChildStdin>,
    collector: Option<JoinHandle<()>>,
    log: PathBuf,
}

impl Child {
    /// Starts this program again as a demonstration worker on node `site`.
    pub(super) fn worker(
        place: &Place,
        site: usize,
        role: Role,
        entries: usize,
        seed: u64,
        tally: Option<&SharedTally>,
    ) -> Result<Self, Failure> {
        let (verb, name) = match role {
            Role::Load => ("load", "loader".to_owned()),
            Role::Read => ("read", format!("reader-{}", site + 1)),
            Role::Write => ("write", format!("writer-{seed}")),
        };
        let mut command = this_program()?;
        command
            .arg("--home")
            .arg(&place.homes()[site])
            .args(["demo-worker", verb, "--entries", &entries.to_string()])
            .args(["--seed", &seed.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = Self::spawn(place, name, command)?;
        if let (Some(tally), Some(output)) = (tally, child.process.stdout.take()) {
            child.collector = Some(collect(output, Arc::clone(tally)));
        }
        Ok(child)
    }

    /// Starts `command`; its words go to a log file of the place.
    pub(super) fn spawn(
        place: &Place,
        name: String,
        mut command: Command,
    ) -> Result<Self, Failure> {
        let log = place.log(&name);
        let words = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|cause| super::place::failed(&log, &cause))?;
        // A group of its own: Ctrl-C is for the parent, which ends its children in order.
        let mut process = command
            .stderr(words)
            .process_group(0)
            .spawn()
            .map_err(|cause| failed(format!("{name} cannot be started: {cause}")))?;
        let input = process.stdin.take();
        Ok(Self { name, process, input, collector: None, log })
    }

    /// What the process wrote to its standard output; for short answers, after its end.
    pub(super) fn output(&mut self) -> Result<String, Failure> {
        let mut text = String::new();
        if let Some(output) = self.process.stdout.take() {
            output
                .take(MAX_OUTPUT)
                .read_to_string(&mut text)
                .map_err(|cause| self.complaint(&format!("said nothing readable: {cause}")))?;
        }
        Ok(text)
    }

    /// True after a successful end.
    pub(super) fn has_ended(&mut self) -> Result<bool, Failure> {
        match self.process.try_wait() {
            Ok(None) => Ok(false),
            Ok(Some(status)) if status.success() => Ok(true),
            Ok(Some(status)) => Err(self.failed_with(status)),
            Err(cause) => Err(self.complaint(&format!("cannot be observed: {cause}"))),
        }
    }

    /// Tells a worker to finish what it does and end.
    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    pub(super) fn terminate(&self) {
        // It may have ended by itself; the caller waits for it in either case.
        let _ = kill(Pid::from_raw(self.process.id() as i32), Signal::SIGTERM);
    }

    /// Ends the process at whatever instruction it is, and takes in what it had reported.
    pub(super) fn kill(mut self) -> Result<(), Failure> {
        self.ended_early()?;
        self.end();
        Ok(())
    }

    /// Fails if the process is not running any more.
    pub(super) fn ended_early(&mut self) -> Result<(), Failure> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.complaint(&format!("ended too early ({status})"))),
            Err(cause) => Err(self.complaint(&format!("cannot be observed: {cause}"))),
        }
    }

    /// Waits for a successful end.
    pub(super) fn await_end(
        &mut self,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + patience;
        let status = loop {
            match self.process.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() > deadline => {
                    return Err(self.complaint(&format!("did not end within {patience:?}")));
                }
                Ok(None) => interrupt.pause(Duration::from_millis(1))?,
                Err(cause) => return Err(self.complaint(&format!("cannot be observed: {cause}"))),
            }
        };
        if let Some(collector) = self.collector.take() {
            collector
                .join()
                .map_err(|_| failed(format!("the reports of {} are lost", self.name)))?;
        }
        if status.success() { Ok(()) } else { Err(self.failed_with(status)) }
    }

    fn failed_with(&self, status: ExitStatus) -> Failure {
        self.complaint(&format!("failed ({status})"))
    }

    fn complaint(&self, what: &str) -> Failure {
        let text = format!("{} {what}", self.name);
        match self.last_words() {
            Some(words) => failed(text).and(format!("its last words: {words}")),
            None => failed(text),
        }
    }

    /// The last lines of the child's log.
    pub(super) fn last_words(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&fs::read(&self.log).ok()?).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(3)..].join(" | ");
        (!last.is_empty()).then_some(last)
    }

    fn end(&mut self) {
        // Both fail only if the process is gone, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(collector) = self.collector.take() {
            let _ = collector.join();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// A command that runs this very program.
pub(super) fn this_program() -> Result<Command, Failure> {
    let path = std::env::current_exe()
        .map_err(|cause| failed(format!("this program does not know where it is: {cause}")))?;
    Ok(Command::new(path))
}

fn collect(output: ChildStdout, tally: SharedTally) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut input = BufReader::with_capacity(64 << 10, output);
        // A frame that makes no sense ends the reports; the sums then show what is missing.
        while let Ok(Some(frame)) = Frame::read(&mut input) {
            tally::lock(&tally).add(&frame);
        }
    })
}
