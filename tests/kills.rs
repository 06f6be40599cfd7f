//! Processes are killed, one after the other, at crash points of the library and at random, while
//! others work on: `.ci/kill-campaign` makes as many deaths as one asks for.
//!
//! Each victim does a bit of everything in every region and says what it writes. After some deaths
//! all is recovered, and then: what was acknowledged is there, the audit finds nothing wrong, no
//! member, thread, pin or segment is without an owner, and the region takes as much as a new one.
//!
//! `VUG_KILLS` = how many deaths; `VUG_KILL_SECONDS` = how long; `VUG_SEED`; `VUG_KEEP` = a
//! directory that gets the files of a home in which something was wrong.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vug::{Expiry, MaintainOptions, Node, Region};
use vug_tests::damage::Random;
use vug_tests::victim::{DISTRIBUTED, LOCAL, Mixed, Nursery, Oracle, capacity, keeps_its_entries};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
/// Victims that live at the same time.
const PLACES: usize = 4;
/// Deaths between two audits.
const EPOCH: u64 = 60;
/// Epochs in one home.
const EPOCHS: u64 = 6;
/// A point that was tried so often in vain is hard to get to; it is tried less.
const IN_VAIN: u64 = 12;

/// How often a point was chosen, and how often it killed.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    tried: u64,
    killed: u64,
}

/// Where and when victims die.
struct Fates {
    random: Random,
    points: BTreeMap<String, Tally>,
    at_random: u64,
    lived: u64,
}

impl Fates {
    /// With the crash points that the script of all operations passes.
    fn new(seed: u64) -> Fates {
        let nursery = Nursery::new(VICTIM);
        let list = nursery.path().join("points");
        let mut command = nursery.command("script", &[]);
        let output = command.env("VUG_CRASH_LIST", &list).output().expect("start");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(&list).expect("a list");
        let points = text.lines().map(|name| (name.to_owned(), Tally::default())).collect();
        Fates { random: Random(seed), points, at_random: 0, lived: 0 }
    }

    fn kills(&self) -> u64 {
        self.at_random + self.points.values().map(|tally| tally.killed).sum::<u64>()
    }

    /// A point to die at; `None`: at some instant.
    fn point(&mut self) -> Option<String> {
        if self.random.below(4) == 0 {
            return None;
        }
        loop {
            let place = self.random.below(self.points.len());
            let (name, tally) = self.points.iter().nth(place).expect("a point");
            let vain = tally.tried > IN_VAIN * (tally.killed + 1);
            let name = name.clone();
            if !vain || self.random.below(20) == 0 {
                return Some(name);
            }
        }
    }

    fn died(&mut self, at: Option<&str>, killed: bool) {
        match at.and_then(|at| self.points.get_mut(at)) {
            Some(tally) => {
                tally.tried += 1;
                tally.killed += u64::from(killed);
            }
            None => self.at_random += u64::from(killed),
        }
        self.lived += u64::from(!killed);
    }

    fn print(&self) {
        let hit = self.points.iter().filter(|(_, tally)| tally.killed > 0);
        let list: Vec<String> =
            hit.map(|(name, tally)| format!("{name} {}", tally.killed)).collect();
        println!("killed at: at random {}, {}", self.at_random, list.join(", "));
        let never = self.points.iter().filter(|(_, tally)| tally.killed == 0);
        let list: Vec<&str> = never.map(|(name, _)| name.as_str()).collect();
        println!("never killed at: {}; {} victims lived", list.join(", "), self.lived);
    }
}

/// A victim and what it will die of.
struct Victim {
    child: Child,
    at: Option<String>,
    dies: Option<Instant>,
}

/// One home with its regions, and what the victims in each place have said.
struct Epochs {
    nursery: Nursery,
    node: Node,
    regions: Vec<Region>,
    /// Entries and index segments of a new region.
    room: u64,
    index: u32,
    oracles: Vec<Oracle>,
    generation: u64,
}

impl Epochs {
    fn new() -> Epochs {
        let nursery = Nursery::with_max_bytes(VICTIM, 16 << 20);
        let node = nursery.node();
        let mortal = node.region("mortal").max_bytes(2 << 20).segment_bytes(64 << 10);
        let mortal = mortal.entry_ttl(Expiry::destroy(Duration::from_millis(30)));
        let mortal = mortal.entry_idle(Expiry::destroy(Duration::from_millis(12)));
        mortal.create().expect("a new region");
        let names = node.regions().expect("names");
        let regions: Vec<Region> =
            names.iter().map(|name| node.region(name).open().expect("open")).collect();
        let local = regions.iter().find(|region| region.name() == LOCAL).expect("it is made");
        let room = capacity(local);
        let index = local.statistics().segments_index;
        let oracles = vec![Oracle::default(); PLACES];
        Epochs { nursery, node, regions, room, index, oracles, generation: 0 }
    }

    fn start(&mut self, place: usize, fates: &mut Fates) -> Victim {
        self.generation += 1;
        let (slot, first) = (place.to_string(), (self.generation << 32).to_string());
        let mut command: Command = self.nursery.command("labour", &[&slot, &first]);
        let at = fates.point();
        let mut dies = None;
        match &at {
            Some(at) => {
                let about = 1 << fates.random.below(8);
                let pass = 1 + fates.random.below(about);
                command.env("VUG_CRASH_AT", format!("{at}:{pass}"));
            }
            None => {
                let life = Duration::from_micros(fates.random.number() % 15_000);
                dies = Some(Instant::now() + life);
            }
        }
        let said = File::create(self.said(place)).expect("a file");
        let child = command.stdout(Stdio::from(said)).stderr(Stdio::piped());
        Victim { child: child.spawn().expect("the victim starts"), at, dies }
    }

    fn said(&self, place: usize) -> std::path::PathBuf {
        self.nursery.path().join(format!("said-{place}"))
    }

    /// True if the victim has ended, and was heard.
    fn ended(&mut self, place: usize, victim: &mut Victim, fates: &mut Fates) -> bool {
        if victim.dies.is_some_and(|dies| dies <= Instant::now()) {
            victim.child.kill().expect("own child");
            victim.dies = None;
        }
        let Some(status) = victim.child.try_wait().expect("own child") else { return false };
        let killed = status.signal() == Some(nix::libc::SIGKILL);
        if !killed && !status.success() {
            let mut text = String::new();
            let errors = victim.child.stderr.as_mut().expect("a pipe");
            std::io::Read::read_to_string(errors, &mut text).expect("text");
            self.keep();
            panic!("a victim that was to die at {:?} failed: {status}: {text}", victim.at);
        }
        fates.died(victim.at.as_deref(), killed);
        let said = fs::read_to_string(self.said(place)).expect("text");
        // A death may cut the last line short where it crosses a page; it counts as not said.
        let whole = said.rfind('\n').map_or("", |end| &said[..end]);
        whole.lines().for_each(|line| self.oracles[place].hear(line));
        true
    }

    /// Deaths, and a survivor that works meanwhile; then all that must hold.
    fn run(&mut self, deaths: u64, fates: &mut Fates) {
        let end = fates.kills() + deaths;
        let mut survivors: Vec<Mixed> =
            self.lasting().map(|region| Mixed::crowded(region, "survivor")).collect();
        let mut victims: Vec<Victim> = (0..PLACES).map(|n| self.start(n, fates)).collect();
        while fates.kills() < end {
            for (place, victim) in victims.iter_mut().enumerate() {
                if self.ended(place, victim, fates) {
                    *victim = self.start(place, fates);
                }
            }
            survivors.iter_mut().for_each(|survivor| survivor.run(5));
            std::thread::sleep(Duration::from_micros(300));
        }
        for (place, victim) in victims.iter_mut().enumerate() {
            victim.child.kill().expect("own child");
            victim.child.wait().expect("it ends");
            victim.at = None;
            assert!(self.ended(place, victim, fates));
        }
        survivors.into_iter().for_each(Mixed::leave);
        self.settle();
    }

    /// Regions whose entries do not go by themselves.
    fn lasting(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().filter(|region| keeps_its_entries(region))
    }

    /// Recovers, and looks at everything.
    fn settle(&self) {
        self.node.recover().expect("recover");
        self.node.maintain(&MaintainOptions::default()).expect("maintain");
        for region in &self.regions {
            let counters = region.statistics();
            assert!(counters.threads <= 1, "{}: {counters:#?}", region.name());
            assert_eq!(counters.pins, 0, "{}", region.name());
            let report = vug::check::check_file(region.path()).expect("an audit");
            if !report.is_clean() {
                self.keep();
                panic!("{}: {:#?}", region.name(), report.problems);
            }
        }
        assert!(self.node.members().iter().all(|member| member.myself));
        self.oracles.iter().for_each(|oracle| oracle.verify(&self.node));
    }

    /// Empties the regions: the local one takes what it took when it was new.
    fn leave(self) {
        for region in &self.regions {
            let keys: Vec<Vec<u8>> = region.iter().map(|entry| entry.expect("entry").key).collect();
            for key in keys {
                region.remove(&key).expect("remove");
            }
        }
        let local = self.regions.iter().find(|region| region.name() == LOCAL).expect("there");
        // The first time some space is lost in segments that dead writers had begun.
        capacity(local);
        let found = capacity(local);
        let counters = local.statistics();
        let per_segment = counters.segment_bytes / 900;
        // A larger index takes room for good; the one before it must be gone.
        let grown = u64::from(counters.segments_index - self.index);
        let least = self.room.saturating_sub(per_segment * (1 + grown));
        assert!(found >= least, "{found} of {}: {counters:#?}", self.room);
        self.node.maintain(&MaintainOptions::thorough()).expect("maintain");
        self.settle_empty();
    }

    fn settle_empty(&self) {
        for region in &self.regions {
            let report = vug::check::check_file(region.path()).expect("an audit");
            assert!(report.is_clean(), "{}: {:#?}", region.name(), report.problems);
            assert_eq!(report.entries, 0);
            assert!(report.tombstones == 0 || region.name() == DISTRIBUTED);
        }
    }

    /// Copies the files for somebody to look at, if asked to.
    fn keep(&self) {
        let Some(to) = std::env::var_os("VUG_KEEP") else { return };
        fs::create_dir_all(&to).expect("a directory");
        for entry in fs::read_dir(self.nursery.path()).expect("the home") {
            let path = entry.expect("an entry").path();
            if path.is_file() && !path.ends_with("bell") {
                let name = path.file_name().expect("a name");
                fs::copy(&path, std::path::Path::new(&to).join(name)).expect("copy");
            }
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn case_01_nothing_is_lost_or_leaked() {
    let seconds = number("VUG_KILL_SECONDS").map(Duration::from_secs);
    let kills = number("VUG_KILLS").unwrap_or(if seconds.is_some() { u64::MAX } else { 240 });
    let started = Instant::now();
    let mut fates = Fates::new(number("VUG_SEED").unwrap_or(1));
    let on = |fates: &Fates| {
        fates.kills() < kills && seconds.is_none_or(|seconds| started.elapsed() < seconds)
    };
    let mut told = 0;
    while on(&fates) {
        let mut epochs = Epochs::new();
        for _ in 0..EPOCHS {
            if on(&fates) {
                let deaths = EPOCH.min(kills - fates.kills());
                epochs.run(deaths, &mut fates);
            }
        }
        epochs.leave();
        if fates.kills() / 10_000 > told {
            told = fates.kills() / 10_000;
            println!("{} kills, 0 failures so far", fates.kills());
        }
    }
    fates.print();
    let seconds = started.elapsed().as_secs_f64();
    println!("{} kills in {seconds:.0} s, 0 failures", fates.kills());
}
