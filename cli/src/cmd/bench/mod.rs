//! `vug bench`

mod requests;
pub(super) mod worker;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use vug::{Node, Region, WriteOptions};

use self::requests::{Keys, Kind};
use self::worker::Report;
use super::{Context, stdout};
use crate::args::{Bench, BenchWork, Distribution};
use crate::consent;
use crate::failure::{Failure, code};
use crate::interrupt::Interrupt;
use crate::progress::{Measure, Progress};
use crate::render::{Cell, Sheet, grouped};

/// Entries that are written or removed at a time.
const STEP: usize = 1024;

pub(super) fn run(context: &Context, args: &Bench) -> Result<(), Failure> {
    let keys = match args.work.trace {
        Some(_) => None,
        None => Some(Keys::new(&args.work)?),
    };
    let region = match &args.region {
        Some(name) => {
            let node = context.node()?;
            let region = context.region(&node, name)?;
            consent::ask(&what(args, name), args.yes)?;
            region
        }
        None => {
            let node = Node::open(&context.home)?;
            let name = format!("vug-bench-{}", std::process::id());
            node.region(&name).max_bytes(args.max_bytes).create()?
        }
    };
    let interrupt = Interrupt::listen()?;
    let measured = measure(context, args, &region, keys.as_ref(), &interrupt);
    let cleaned = clean(args, &region, keys.as_ref());
    let report = measured?;
    cleaned?;
    show(context, args, region.name(), &report)
}

fn what(args: &Bench, region: &str) -> String {
    let seconds = args.work.time.as_secs_f64();
    match &args.work.trace {
        Some(path) => {
            format!("write to region {region} for up to {seconds} s what {} says", path.display())
        }
        None => format!(
            "write {} entries with the prefix `{}` to region {region} for {seconds} s{}",
            grouped(args.work.entries.into()),
            args.work.prefix,
            if args.keep { "" } else { ", then remove them" }
        ),
    }
}

/// Fills the region and lets the workers work.
fn measure(
    context: &Context,
    args: &Bench,
    region: &Region,
    keys: Option<&Keys>,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    if let Some(keys) = keys {
        fill(args, region, keys, interrupt)?;
    }
    let workers: Result<Vec<_>, _> =
        (0..args.processes).map(|number| Worker::start(context, args, region, number)).collect();
    let mut workers = workers?;
    workers.iter_mut().try_for_each(Worker::await_ready)?;
    workers.iter_mut().try_for_each(Worker::begin)?;
    let mut report = Report::default();
    for worker in &mut workers {
        report.add(worker.report(interrupt)?);
    }
    Ok(report)
}

fn fill(args: &Bench, region: &Region, keys: &Keys, interrupt: &Interrupt) -> Result<(), Failure> {
    let work = &args.work;
    let total = u64::from(work.entries);
    let progress = Progress::new("filling", Measure::Entries, Some(total), 0, false);
    let value = vec![b'v'; work.value_bytes as usize];
    for first in (0..work.entries).step_by(STEP) {
        let batch: Vec<_> = batch(args, first).map(|n| (keys.key(n), &value)).collect();
        let done = region.put_all_with(&batch, &options(args)).and_then(vug::Bulk::all);
        done.map_err(|error| {
            progress.clear();
            Failure::from(error)
                .and(format!("{} entries were written before", grouped(first.into())))
        })?;
        progress.set(first.into(), first.into());
        check(interrupt)?;
    }
    progress.clear();
    Ok(())
}

/// The numbers of the entries that are written or removed together with `first`.
fn batch(args: &Bench, first: u32) -> std::ops::Range<u32> {
    first..args.work.entries.min(first.saturating_add(STEP as u32))
}

fn options(args: &Bench) -> WriteOptions {
    WriteOptions::ack_within(args.work.ack.ack_within)
}

fn check(interrupt: &Interrupt) -> Result<(), Failure> {
    if interrupt.is_raised() {
        let help = "its entries were removed, unless --keep was given";
        return Err(Failure::new(code::INTERRUPTED, "the bench was interrupted", help));
    }
    Ok(())
}

/// Removes what the bench made.
fn clean(args: &Bench, region: &Region, keys: Option<&Keys>) -> Result<(), Failure> {
    if args.new {
        return Ok(region.destroy_region()?);
    }
    let Some(keys) = keys.filter(|_| !args.keep) else { return Ok(()) };
    for first in (0..args.work.entries).step_by(STEP) {
        let batch: Vec<_> = batch(args, first).map(|number| keys.key(number)).collect();
        region.remove_all_with(&batch, &options(args))?.all()?;
    }
    Ok(())
}

/// A process that works.
struct Worker {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended, or is not wanted any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Worker {
    fn start(
        context: &Context,
        args: &Bench,
        region: &Region,
        number: u32,
    ) -> Result<Self, Failure> {
        let failed = |cause: std::io::Error| failed(&format!("a worker cannot start: {cause}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut process = Command::new(program)
            .arg("--home")
            .arg(&context.home)
            .args(["bench-worker", region.name(), "--number", &number.to_string()])
            .args(["--processes", &args.processes.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .args(arguments(&args.work))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let Some(output) = process.stdout.take() else {
            return Err(self::failed("a worker has no output"));
        };
        Ok(Self { process, output: BufReader::new(output) })
    }

    fn await_ready(&mut self) -> Result<(), Failure> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(_) if line == "ready\n" => Ok(()),
            _ => Err(failed("a worker ended before the start; see its words above")),
        }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let input = self.process.stdin.as_mut();
        let begun = input.map(|input| input.write_all(b"\n").and_then(|()| input.flush()));
        match begun {
            Some(Ok(())) => Ok(()),
            _ => Err(failed("a worker does not listen")),
        }
    }

    fn report(&mut self, interrupt: &Interrupt) -> Result<Report, Failure> {
        while matches!(self.process.try_wait(), Ok(None)) && self.output.buffer().is_empty() {
            check(interrupt)?;
            std::thread::sleep(Duration::from_millis(5));
            if self.has_said_something() {
                break;
            }
        }
        let mut text = String::new();
        let read = self.output.read_to_string(&mut text);
        check(interrupt)?;
        let report = read.ok().and_then(|_| serde_json::from_str(&text).ok());
        report.ok_or_else(|| failed("a worker ended without a report; see its words above"))
    }

    /// Whether reading would not block.
    fn has_said_something(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::os::fd::AsFd;
        let output = self.output.get_ref().as_fd();
        let mut fds = [PollFd::new(output, PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

/// The work as a worker's arguments.
fn arguments(work: &BenchWork) -> Vec<std::ffi::OsString> {
    let mut all: Vec<std::ffi::OsString> = Vec::new();
    let mut add = |name: &str, value: &dyn AsRef<std::ffi::OsStr>| {
        all.push(name.into());
        all.push(value.as_ref().into());
    };
    add("--value-bytes", &work.value_bytes.to_string());
    add("--threads", &work.threads.to_string());
    add("--time", &format!("{}ms", work.time.as_millis()));
    add("--ack-within", &format!("{}ms", work.ack.ack_within.as_millis()));
    if let Some(path) = &work.trace {
        add("--trace", path);
        return all;
    }
    add("--entries", &work.entries.to_string());
    add("--reads", &work.reads.to_string());
    add("--key-bytes", &work.key_bytes.to_string());
    add("--prefix", &work.prefix);
    let distribution = match work.distribution {
        Distribution::Uniform => "uniform",
        Distribution::Zipf => "zipf",
    };
    add("--distribution", &distribution);
    all
}

fn failed(what: &str) -> Failure {
    Failure::new(code::BENCH, what, "run the bench again; report it if it happens twice")
}

fn show(context: &Context, args: &Bench, region: &str, report: &Report) -> Result<(), Failure> {
    let mut sheet = Sheet::new(&[
        "operation",
        "count",
        "per_second",
        "hits",
        "failures",
        "p50_ns",
        "p90_ns",
        "p99_ns",
        "p999_ns",
        "max_ns",
    ]);
    let seconds = (report.elapsed_ns.max(1)) as f64 / 1e9;
    for (measured, (_, name)) in report.measured.iter().zip(Kind::ALL) {
        if measured.count == 0 {
            continue;
        }
        let histogram = measured.histogram();
        let at = |quantile: f64| Cell::Nanos(histogram.value_at_quantile(quantile));
        sheet.push(vec![
            Cell::text(name),
            Cell::Count(measured.count),
            Cell::Rate(measured.count as f64 / seconds),
            Cell::Count(measured.hits),
            Cell::Count(measured.failures),
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            Cell::Nanos(histogram.max()),
        ]);
    }
    if context.format.is_none() {
        let workers = args.processes * args.work.threads;
        eprintln!("{workers} workers in {region} for {seconds:.2} s; one operation in 8 is timed");
    }
    sheet.write(&mut stdout(), context.format())
}
