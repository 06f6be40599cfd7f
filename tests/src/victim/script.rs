//! What the victim binary does, and how tests start it.

use super::contend;
use super::expire;
use super::grow;
use super::history;
use super::labour;
use super::mixed::Mixed;
use super::oracle::{Oracle, Report, encode};
use super::tight;
use super::workload;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use vug::{DataPolicy, Eviction, MaintainOptions, Node, Region, Scope, WriteOptions};

/// A region of local scope.
pub const LOCAL: &str = "local";
/// A distributed region.
pub const DISTRIBUTED: &str = "distributed";
/// A region that evicts.
pub(super) const EVICTING: &str = "evicting";
/// A region with long chains.
pub const CROWD: &str = "crowd";

/// A value of three segments.
pub(super) const LARGE: usize = 150_000;

/// A home directory with the three regions that victims use.
#[derive(Debug)]
pub struct Nursery {
    directory: TempDir,
    victim: PathBuf,
}

/// How a victim ended and what it said.
#[derive(Debug)]
pub struct Spawned {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said.
    pub oracle: Oracle,
}

impl Spawned {
    /// Whether it was killed, and not merely failed.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(nix::libc::SIGKILL)
    }
}

impl Nursery {
    /// Makes the home directory. `victim` is the path of the victim binary; `VUG_VICTIM` names
    /// another one, so that a campaign is not disturbed by a build.
    ///
    /// # Panics
    /// When `/dev/shm` cannot be used.
    pub fn new(victim: &'static str) -> Nursery {
        Nursery::with_max_bytes(victim, 2 << 20)
    }

    /// The same with larger regions.
    ///
    /// # Panics
    /// As [`Nursery::new`].
    pub fn with_max_bytes(victim: &'static str, max_bytes: u64) -> Nursery {
        let directory = tempfile::Builder::new()
            .prefix("vug-test-")
            .tempdir_in("/dev/shm")
            .expect("/dev/shm takes a directory");
        let victim = std::env::var_os("VUG_VICTIM").unwrap_or_else(|| victim.into()).into();
        let nursery = Nursery { directory, victim };
        let node = nursery.node();
        let make = |name: &str, max_bytes: u64, scope: Scope| {
            let region = node.region(name).max_bytes(max_bytes).segment_bytes(64 << 10);
            let region = region.scope(scope).data_policy(DataPolicy::Replicate);
            region.create().expect("a new region");
        };
        make(LOCAL, max_bytes, Scope::Local);
        make(DISTRIBUTED, max_bytes, Scope::DistributedNoAck);
        make(CROWD, 1 << 20, Scope::Local);
        let evicting = node.region(EVICTING).max_bytes(1 << 20).segment_bytes(64 << 10);
        evicting.eviction(Eviction::S3Fifo).max_entries(900).create().expect("a new region");
        nursery
    }

    /// The home directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Opens the home directory as a new member.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn node(&self) -> Node {
        Node::open(self.path()).expect("the home directory opens")
    }

    /// A command for a victim in this home: `mode HOME arguments`.
    pub fn command(&self, mode: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.victim);
        command.arg(mode).arg(self.path()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        for name in ["VUG_CRASH_AT", "VUG_STOP_AT", "VUG_CRASH_LIST", "VUG_SKIP_HAZARD_SCAN"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a victim to its end. `at`: the crash point at which it dies.
    ///
    /// # Panics
    /// When it cannot be started, or fails in another way than being killed.
    pub fn run(&self, mode: &str, arguments: &[&str], at: Option<&str>) -> Spawned {
        let mut command = self.command(mode, arguments);
        if let Some(at) = at {
            command.env("VUG_CRASH_AT", at);
        }
        let output = command.output().expect("the victim starts");
        let mut oracle = Oracle::default();
        let said = String::from_utf8(output.stdout).expect("text");
        said.lines().for_each(|line| oracle.hear(line));
        let spawned = Spawned { status: output.status, oracle };
        assert!(
            output.status.success() || spawned.was_killed(),
            "{mode} {at:?}: {} {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        spawned
    }

    /// Starts a process that is attached to `region` when this returns, and will write `key` and
    /// die at the crash point `at` when [`let_die`](Self::let_die) says so.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_writer(&self, region: &str, key: &str, at: &str) -> Child {
        let mut command = self.command("write", &[region, key, "1", "wait"]);
        command.env("VUG_CRASH_AT", at).stdin(Stdio::piped());
        let mut child = command.spawn().expect("the victim starts");
        let mut ready = [0; 6];
        let out = child.stdout.as_mut().expect("a pipe");
        out.read_exact(&mut ready).expect("it says when it is attached");
        assert_eq!(&ready, b"ready\n");
        child
    }

    /// Lets a process of [`start_writer`](Self::start_writer) go to its death.
    ///
    /// # Panics
    /// When it does not die.
    pub fn let_die(mut child: Child) {
        drop(child.stdin.take());
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(nix::libc::SIGKILL));
    }
}

/// Lets another process die at a crash point while it writes `key`.
pub(super) fn sacrifice(
    report: &Report,
    home: &Path,
    region: &Region,
    at: &str,
    key: &str,
    tag: u64,
) {
    report.attempt(region, key, Some(tag));
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(program)
        .args(["write".as_ref(), home.as_os_str()])
        .args([region.name(), key, &tag.to_string()])
        .env_remove("VUG_CRASH_LIST")
        .env("VUG_CRASH_AT", at)
        .stdout(Stdio::null())
        .status()
        .expect("it starts");
    assert_eq!(status.signal(), Some(nix::libc::SIGKILL), "{at}");
}

/// Lets another process come, leave a segment that is nearly full, and go.
pub(super) fn visit(home: &Path) {
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(program)
        .args(["overwrite".as_ref(), home.as_os_str(), "63".as_ref()])
        .env_remove("VUG_CRASH_LIST")
        .env_remove("VUG_CRASH_AT")
        .status();
    assert!(status.expect("it starts").success());
}

/// Runs the victim binary.
///
/// # Panics
/// When something fails: the test sees the exit status.
pub fn main(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [mode, home, rest @ ..] = words.as_slice() else {
        panic!("usage: victim MODE HOME ...");
    };
    let home = Path::new(home);
    match (*mode, rest) {
        ("script", []) => workload::run(home),
        ("write", [region, key, tag, wait @ ..]) => {
            let tag = tag.parse().expect("a tag");
            write(home, region, key, tag, !wait.is_empty());
        }
        ("destroy", [region, key]) => {
            let node = Node::open(home).expect("open");
            let region = node.region(region).open().expect("open");
            region.destroy(key.as_bytes()).expect("destroy");
        }
        ("recover", []) => {
            Node::open(home).expect("open").recover().expect("recover");
        }
        ("maintain", []) => {
            let region = Node::open(home).expect("open").region(LOCAL).open().expect("open");
            region.maintain(&MaintainOptions::thorough()).expect("maintain");
        }
        ("sweep", []) => expire::sweeper(home),
        ("mortal", [first]) => expire::mortal(home, first.parse().expect("a number")),
        ("survive", [name]) => survive(home, name),
        ("churn", [slot, start]) => churn(home, slot, start.parse().expect("a number")),
        ("contend", [place, role @ ..]) => {
            contend::run(home, place.parse().expect("a number"), !role.is_empty());
        }
        ("brawl", [seed]) => brawl(home, seed.parse().expect("a number")),
        ("flood", [region, prefix, count]) => {
            flood(home, region, prefix, count.parse().expect("a number"));
        }
        ("produce", [region, first, count]) => {
            let [first, count] = [first, count].map(|n| n.parse().expect("a number"));
            produce(home, region, first, count);
        }
        ("labour", [slot, first]) => {
            labour::run(home, slot, first.parse().expect("a number"));
        }
        ("grow", [slot, first, end]) => {
            let [slot, first, end] = [slot, first, end].map(|n| n.parse().expect("a number"));
            grow::run(home, slot, first, end);
        }
        ("rewrite", [seed, count, threads]) => {
            let [seed, count, threads] =
                [seed, count, threads].map(|n| n.parse().expect("a number"));
            tight::run(home, seed, count, threads);
        }
        ("stress", [start]) => super::stress::run(home, start.parse().expect("a number")),
        ("history", [start]) => history::record(home, start.parse().expect("a number")),
        ("overwrite", [count]) => overwrite(home, count.parse().expect("a number")),
        #[cfg(target_arch = "x86_64")]
        ("step", [kind, tag]) => super::steps::run(home, kind, tag.parse().expect("a tag")),
        _ => panic!("unknown mode {mode} {rest:?}"),
    }
}

/// One put and a guard that keeps a pin word busy. `wait`: attaches, says so, and goes on when its
/// standard input ends.
fn write(home: &Path, region: &str, key: &str, tag: u64, wait: bool) {
    let node = Node::open(home).expect("open");
    let region = node.region(region).open().expect("open");
    let _events = region.subscribe();
    if wait {
        println!("ready");
        let _ = std::io::stdin().read(&mut [0]);
    }
    Report.put(&region, key, tag, if key == "large" { LARGE } else { 100 });
    let _pinned = region.get_owned(key.as_bytes()).expect("get");
    region.release_memory().expect("release");
}

fn survive(home: &Path, name: &str) {
    let node = Node::open(home).expect("open");
    for region in [LOCAL, DISTRIBUTED] {
        let region = node.region(region).open().expect("open");
        let mut mixed = Mixed::new(&region, name);
        mixed.run(5000);
        mixed.leave();
    }
    workload::evict(&node.region(EVICTING).open().expect("open"));
}

/// Writes until it is killed: keys of its own and keys it shares with the others.
fn churn(home: &Path, slot: &str, start: u64) {
    let node = Node::open(home).expect("open");
    let regions = [LOCAL, DISTRIBUTED].map(|name| node.region(name).open().expect("open"));
    let mut random = start.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for tag in start.. {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let region = &regions[(tag % 2) as usize];
        let key = format!("churn-{slot}-{}", (random >> 20) % 24);
        if random >> 62 == 0 && region.contains_key(key.as_bytes()).expect("token") {
            Report.destroy(region, &key);
        } else {
            Report.put(region, &key, tag, 8 + (random >> 40) as usize % 1500);
        }
        let shared = format!("shared-{}", (random >> 30) % 8);
        region.put(shared.as_bytes(), &encode(tag, 300)).expect("put");
        if random >> 60 == 0 {
            region.remove(shared.as_bytes()).expect("remove");
        }
    }
}

/// All that can happen to a record, to the same four of them.
fn brawl(home: &Path, seed: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(LOCAL).open().expect("open");
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for n in 0..600 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = format!("brawl-{}", (random >> 20) % 4);
        let value = encode(n, 100 + (random >> 40) as usize % 3000);
        let soon = WriteOptions::ttl(Duration::from_micros(1 + (random >> 30) % 3000));
        match (random >> 10) % 12 {
            0..5 => drop(region.put(key.as_bytes(), &value).expect("put")),
            5..7 => drop(region.remove(key.as_bytes()).expect("remove")),
            7..10 => drop(region.put_with(key.as_bytes(), &value, &soon).expect("put")),
            10 => drop(region.sweep(1000).expect("sweep")),
            _ => drop(region.maintain(&MaintainOptions::thorough()).expect("maintain")),
        }
    }
}

/// Tiny entries, until the region is full.
fn flood(home: &Path, region: &str, prefix: &str, count: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(region).open().expect("open");
    for n in 0..count {
        match region.put(format!("{prefix}-{n}").as_bytes(), &encode(n, 8)) {
            Ok(_) | Err(vug::Error::OutOfSpace { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Changes of a few keys, for whoever follows the region.
fn produce(home: &Path, region: &str, first: u64, count: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(region).open().expect("open");
    let mut random = first.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for tag in first..first + count {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = format!("product-{}", (random >> 20) % 40);
        if random >> 62 == 0 && region.contains_key(key.as_bytes()).expect("token") {
            Report.destroy(&region, &key);
        } else {
            Report.put(&region, &key, tag, 8 + (random >> 40) as usize % 100);
        }
    }
}

/// Sends memory through a few keys of the local region.
fn overwrite(home: &Path, count: u64) {
    let node = Node::open(home).expect("open");
    let region = node.region(LOCAL).open().expect("open");
    for n in 0..count {
        let key = format!("flood-{}", n % 10);
        region.put(key.as_bytes(), &encode(n, 1000)).expect("put");
    }
}
