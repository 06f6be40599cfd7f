//! `vug demo`: the whole thing at work on real data, and a comparison at the end.
//!
//! Every node has its own home directory and its own bridge process. One process loads, others
//! read, four write while they and a bridge are killed. Then all nodes must hold the same entries,
//! none older than what a writer was told is acknowledged, and every region file must pass its
//! audit.

mod bridges;
mod child;
mod compare;
mod data;
mod frame;
mod load;
mod native;
mod pause;
mod place;
mod read;
mod report;
mod storm;
mod tally;
mod write;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vug::{Node, Region};

use self::pause::Pause;
use crate::args::{Demo, DemoWorker, Role};
use crate::cmd::Context;
use crate::failure::{Failure, code};
use crate::interrupt::Interrupt;
use crate::parent;

use self::bridges::Bridges;
use self::child::Child;
use self::data::Data;
use self::place::Place;
use self::report::{Audit, Report};
use self::tally::Tally;

/// The region that is replicated to all nodes.
const SHARED: &str = "airports";
/// A region of one node, written beside the shared one: its puts wait for nobody.
const LOCAL: &str = "scratch";
/// How long anything that must happen may take before the demonstration is called failed.
const PATIENCE: Duration = Duration::from_secs(30);

type SharedTally = Arc<Mutex<Tally>>;

pub(crate) fn run(context: &Context, args: &Demo) -> Result<(), Failure> {
    let begin = Instant::now();
    let interrupt = Interrupt::listen()?;
    let data = Data::new(args.entries)?;
    let place = Place::new(&args.dir, args.nodes, data.len())?;
    let tally: SharedTally = Arc::new(Mutex::new(Tally::new(data.len())));
    let sites = open_sites(&place)?;
    let mut report = Report::new(args, &data);

    let mut bridges = Bridges::new(&place);
    bridges.start(0)?;
    report.loading = load(&place, &data, &tally, &interrupt)?;
    let image_begin = Instant::now();
    for index in 1..sites.len() {
        bridges.start(index)?;
    }
    await_image(&sites, &data, &mut bridges, &interrupt)?;
    report.image = image_begin.elapsed();

    let mut readers = Readers::start(&place, &data, &tally)?;
    report.readers = readers.rust.len();
    report.storm = storm::run(&place, args, &tally, &mut bridges, &mut readers, &interrupt)?;
    readers.finish(&interrupt)?;

    let acked = tally::lock(&tally).acked().to_vec();
    let regions: Vec<&Region> = sites.iter().map(|site| &site.shared).collect();
    report.comparison = compare::until_equal(&regions, &data, &acked, &mut bridges, &interrupt)?;
    report.native = match &mut readers.native {
        Ok(native) => {
            let differences = native.verify(&regions, &interrupt)?;
            report.comparison.differences.extend(differences);
            Ok(native.done)
        }
        Err(reason) => Err(reason.clone()),
    };
    for site in &sites {
        site.node.recover()?;
        for region in [&site.shared, &site.local] {
            report.recoveries += region.statistics().recoveries;
        }
    }
    drop(sites);
    bridges.stop(&interrupt)?;
    report.audits = audit(&place)?;
    report.tally = std::mem::replace(&mut *tally::lock(&tally), Tally::new(0));
    report.elapsed = begin.elapsed();
    report.write(context.format())?;
    report.verdict()
}

/// Runs as one of the processes that `run` starts.
pub(crate) fn work(context: &Context, args: &DemoWorker) -> Result<(), Failure> {
    parent::die_with(args.parent)?;
    let data = Data::new(args.entries)?;
    match args.role {
        Role::Load => load::run(&context.home, &data),
        Role::Read => read::run(&context.home, &data, args.seed),
        Role::Write => write::run(&context.home, &data, args.seed),
    }
}

/// One node as this process sees it.
struct Site {
    node: Node,
    shared: Region,
    local: Region,
}

fn open_sites(place: &Place) -> Result<Vec<Site>, Failure> {
    let mut sites = Vec::new();
    for home in place.homes() {
        let node = Node::open(home)?;
        let shared = node
            .region(SHARED)
            .data_policy(vug::DataPolicy::Replicate)
            .scope(vug::Scope::DistributedAck)
            .max_bytes(place.max_bytes())
            .create()?;
        let local = node.region(LOCAL).max_bytes(place.max_bytes()).create()?;
        sites.push(Site { node, shared, local });
    }
    Ok(sites)
}

fn load(
    place: &Place,
    data: &Data,
    tally: &SharedTally,
    interrupt: &Interrupt,
) -> Result<Duration, Failure> {
    let begin = Instant::now();
    let mut loader = Child::worker(place, 0, Role::Load, data.len(), 0, Some(tally))?;
    loader.await_end(PATIENCE + Duration::from_millis(data.len() as u64), interrupt)?;
    Ok(begin.elapsed())
}

/// Waits until every node holds every entry of the first one.
fn await_image(
    sites: &[Site],
    data: &Data,
    bridges: &mut Bridges<'_>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE + Duration::from_millis(data.len() as u64);
    for (index, site) in sites.iter().enumerate() {
        loop {
            let entries = site.shared.len()?;
            if entries == data.len() as u64 {
                break;
            }
            if Instant::now() > deadline {
                let text = format!(
                    "node {} has {entries} of {} entries {PATIENCE:?} after its bridge started",
                    index + 1,
                    data.len()
                );
                return Err(failed(text).and(bridges.last_words()));
            }
            bridges.check()?;
            interrupt.pause(Duration::from_millis(1))?;
        }
    }
    Ok(())
}

/// The processes that read while others write.
struct Readers<'p> {
    entries: u64,
    rust: Vec<Child>,
    /// The C program, or why there is none.
    native: Result<native::Reader<'p>, String>,
}

impl<'p> Readers<'p> {
    fn start(place: &'p Place, data: &Data, tally: &SharedTally) -> Result<Self, Failure> {
        let mut rust = Vec::new();
        for index in 0..place.homes().len() {
            rust.push(Child::worker(place, index, Role::Read, data.len(), 7, Some(tally))?);
        }
        let native = native::build(place).map(|program| native::Reader::new(place, program));
        Ok(Self { entries: data.len() as u64, rust, native })
    }

    /// Looks after the readers; to be called every few milliseconds.
    fn turn(&mut self) -> Result<(), Failure> {
        self.rust.iter_mut().try_for_each(Child::ended_early)?;
        match &mut self.native {
            Ok(native) => native.turn(self.entries),
            Err(_) => Ok(()),
        }
    }

    fn finish(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        self.rust.iter_mut().for_each(Child::close_input);
        for reader in &mut self.rust {
            reader.await_end(PATIENCE, interrupt)?;
        }
        match &mut self.native {
            Ok(native) => native.pause(self.entries, interrupt),
            Err(_) => Ok(()),
        }
    }
}

fn audit(place: &Place) -> Result<Vec<Audit>, Failure> {
    let mut audits = Vec::new();
    for (index, home) in place.homes().iter().enumerate() {
        for region in [SHARED, LOCAL] {
            let report = vug::check::check_file(&home.join(format!("{region}.region")))?;
            audits.push(Audit { node: index + 1, region, report });
        }
    }
    Ok(audits)
}

fn failed(text: impl Into<String>) -> Failure {
    let help = "run it again; if it happens again, please report it with this output";
    Failure::new(code::DEMO, text, help)
}
