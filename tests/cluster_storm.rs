//! Three nodes with four writing processes each, while writers and bridges are killed and stopped
//! and links are cut, lossy and slow: at the end all nodes hold the same entries with the same
//! versions, nothing that a writer was told is lost, and the audit finds nothing.
//!
//! `VUG_CLUSTER_SECONDS` = how long; `VUG_SEED` replays the same misfortunes, as far as time does;
//! `VUG_KEEP` = a directory that gets the region files if something was wrong.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use vug::{Node, Region};
use vug_netbridge::cert;
use vug_tests::damage::Random;
use vug_tests::site::{CLUSTER, SHARED, TOLD, create_regions, number};
use vug_tests::{TempHome, assert_clean, wait_until};

const SITE: &str = env!("CARGO_BIN_EXE_site");
const NODES: usize = 3;
const WRITERS: usize = 4;
const SECONDS: u64 = 5;
/// Between two misfortunes at most, in milliseconds.
const QUIET: usize = 120;

/// A child that is killed when its owner goes out of scope.
struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    stopped: bool,
}

impl Process {
    fn start(words: &[&str], says_ready: bool) -> Process {
        let mut command = Command::new(SITE);
        let out = if says_ready { Stdio::piped() } else { Stdio::null() };
        command.args(words).stdin(Stdio::piped()).stdout(out);
        let mut child = command.spawn().expect("a child");
        let orders = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).expect("a line");
            assert_eq!(line, "ready\n", "{words:?}");
        }
        Process { child, orders, stopped: false }
    }

    fn signal(&mut self, signal: Signal) {
        self.stopped = signal == Signal::SIGSTOP;
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("a child of ours");
    }

    fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it was not told to end");
        writeln!(orders, "{order}").expect("the child listens");
    }

    #[track_caller]
    fn assert_lives(&mut self) {
        let ended = self.child.try_wait().expect("a child of ours");
        assert!(ended.is_none(), "a child ended by itself: {ended:?}");
    }

    /// Tells it to end and waits until it has.
    fn end(mut self) {
        drop(self.orders.take());
        let ended = self.child.wait().expect("a child of ours");
        assert!(ended.success(), "{ended}");
    }

    fn kill(mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Site {
    home: TempHome,
    certs: TempDir,
    address: SocketAddr,
    peers: Vec<String>,
    node: Node,
    regions: Vec<Region>,
    bridge: Option<Process>,
    writers: Vec<Process>,
    /// When a bridge that is away comes back.
    back_at: Option<Instant>,
}

impl Site {
    fn start_bridge(&mut self) {
        let address = self.address.to_string();
        let (home, certs) = (text(self.home.path()), text(self.certs.path()));
        let mut words = vec!["bridge", home, certs, address.as_str()];
        words.extend(self.peers.iter().map(String::as_str));
        self.bridge = Some(Process::start(&words, true));
        self.back_at = None;
    }

    fn start_writer(&self, name: &str, seed: u64) -> Process {
        Process::start(&["write", text(self.home.path()), name, &seed.to_string()], false)
    }

    /// All entries with their versions.
    fn content(&self, region: usize) -> BTreeMap<Vec<u8>, (Vec<u8>, u64)> {
        let entries = self.regions[region].iter().map(|entry| entry.expect("an entry"));
        entries.map(|e| (e.key, (e.value, e.token.version))).collect()
    }

    fn is_ready(&self) -> bool {
        let Ok(status) = vug_netbridge::status(self.home.path()) else { return false };
        let ready = |region: &serde_json::Value| {
            let members = region["members"].as_array().map_or(0, Vec::len);
            region["state"] == "ready" && members == NODES - 1
        };
        let regions = status["regions"].as_array().map_or(&[][..], Vec::as_slice);
        regions.len() == SHARED.len() && regions.iter().all(ready)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// How often what happened.
#[derive(Debug, Default)]
struct Tally {
    writers_killed: u32,
    bridges_killed: u32,
    stopped: u32,
    cut: u32,
    lossy: u32,
}

struct Storm {
    _authority: TempDir,
    sites: Vec<Site>,
    random: Random,
    tally: Tally,
    /// Bridges whose socket is to be good again: when, and which.
    faulty: BTreeMap<usize, Instant>,
    /// Stopped children that are to go on: node, writer (or the bridge), when.
    asleep: Vec<(usize, Option<usize>, Instant)>,
}

impl Storm {
    fn new(seed: u64) -> Storm {
        let authority = tempfile::tempdir().expect("a directory");
        cert::init(authority.path(), CLUSTER, false).expect("an authority");
        let mut sites: Vec<Site> = Vec::new();
        for origin in 1..=NODES as u16 {
            let (home, certs) = (TempHome::new(), tempfile::tempdir().expect("a directory"));
            cert::issue(authority.path(), certs.path(), origin, None, false).expect("issued");
            std::fs::copy(authority.path().join("ca.pem"), certs.path().join("ca.pem"))
                .expect("a copy");
            let node = home.node();
            create_regions(&node).expect("regions");
            let open = |name: &&str| node.region(name).open().expect("a region");
            let regions = SHARED.iter().map(open).collect();
            let address = free_address();
            // Each knows the one before it: the others they hear of.
            let peers = sites.last().map(|site| site.address.to_string()).into_iter().collect();
            let (bridge, writers, back_at) = (None, Vec::new(), None);
            let site =
                Site { home, certs, address, peers, node, regions, bridge, writers, back_at };
            sites.push(site);
        }
        sites.iter_mut().for_each(Site::start_bridge);
        wait_until("all regions are ready", || sites.iter().all(Site::is_ready));
        let mut storm = Storm {
            _authority: authority,
            sites,
            random: Random(seed),
            tally: Tally::default(),
            faulty: BTreeMap::new(),
            asleep: Vec::new(),
        };
        for (node, writer) in all_writers() {
            let process = storm.new_writer(node, writer);
            storm.sites[node].writers.push(process);
        }
        storm
    }

    fn new_writer(&mut self, node: usize, writer: usize) -> Process {
        let seed = self.random.number();
        self.sites[node].start_writer(&writer_name(node, writer), seed)
    }

    fn later(&mut self, most_ms: usize) -> Instant {
        Instant::now() + Duration::from_millis(self.random.below(most_ms) as u64)
    }

    fn rage(&mut self, end: Instant) {
        while Instant::now() < end {
            self.misfortune();
            let pause = self.random.below(QUIET) as u64;
            std::thread::sleep(Duration::from_millis(pause));
            self.repair(Instant::now());
            for site in &mut self.sites {
                site.writers.iter_mut().chain(&mut site.bridge).for_each(Process::assert_lives);
            }
        }
    }

    fn misfortune(&mut self) {
        let node = self.random.below(NODES);
        let writer = self.random.below(WRITERS);
        match self.random.below(12) {
            0..4 => self.kill_writer(node, writer),
            4..7 => self.kill_bridge(node),
            7 => self.stop(node, Some(writer)),
            8 => self.stop(node, None),
            9..11 => self.cut(node),
            _ => self.disturb(node),
        }
    }

    fn kill_writer(&mut self, node: usize, writer: usize) {
        self.asleep.retain(|asleep| (asleep.0, asleep.1) != (node, Some(writer)));
        let new = self.new_writer(node, writer);
        std::mem::replace(&mut self.sites[node].writers[writer], new).kill();
        self.tally.writers_killed += 1;
    }

    fn kill_bridge(&mut self, node: usize) {
        self.asleep.retain(|asleep| (asleep.0, asleep.1) != (node, None));
        self.faulty.remove(&node);
        // Mostly it comes back at once; sometimes after it was removed.
        let away = if self.random.below(4) == 0 { 2_500 } else { 50 };
        let back_at = self.later(away);
        let Some(bridge) = self.sites[node].bridge.take() else { return };
        bridge.kill();
        self.sites[node].back_at = Some(back_at);
        self.tally.bridges_killed += 1;
    }

    fn stop(&mut self, node: usize, writer: Option<usize>) {
        let until = self.later(3_000);
        let site = &mut self.sites[node];
        let process = match writer {
            Some(writer) => site.writers.get_mut(writer),
            None => site.bridge.as_mut(),
        };
        let Some(process) = process.filter(|process| !process.stopped) else { return };
        process.signal(Signal::SIGSTOP);
        self.asleep.push((node, writer, until));
        self.tally.stopped += 1;
    }

    /// Cuts the way to another node; mostly the way back, too.
    fn cut(&mut self, node: usize) {
        let other = (node + 1 + self.random.below(NODES - 1)) % NODES;
        let one_way = self.random.below(3) == 0;
        let (here, there) = (self.sites[node].address, self.sites[other].address);
        self.fault(node, &format!("cut {there}"));
        if !one_way {
            self.fault(other, &format!("cut {here}"));
        }
        self.tally.cut += 1;
    }

    fn disturb(&mut self, node: usize) {
        let order = match self.random.below(2) {
            0 => format!("lose {}", 50 + self.random.below(250)),
            _ => format!("delay {}", 1 + self.random.below(20)),
        };
        self.fault(node, &order);
        self.tally.lossy += 1;
    }

    fn fault(&mut self, node: usize, order: &str) {
        let until = self.later(3_500);
        if let Some(bridge) = &mut self.sites[node].bridge {
            bridge.order(order);
            self.faulty.entry(node).or_insert(until);
        }
    }

    /// Ends what has lasted long enough.
    fn repair(&mut self, now: Instant) {
        let healed: Vec<usize> =
            self.faulty.iter().filter(|f| *f.1 <= now).map(|(node, _)| *node).collect();
        for node in healed {
            self.faulty.remove(&node);
            if let Some(bridge) = &mut self.sites[node].bridge {
                bridge.order("heal");
            }
        }
        let (awake, asleep) = self.asleep.drain(..).partition(|asleep| asleep.2 <= now);
        self.asleep = asleep;
        let awake: Vec<(usize, Option<usize>, Instant)> = awake;
        for (node, writer, _) in awake {
            let site = &mut self.sites[node];
            let process = match writer {
                Some(writer) => site.writers.get_mut(writer),
                None => site.bridge.as_mut(),
            };
            if let Some(process) = process {
                process.signal(Signal::SIGCONT);
            }
        }
        for site in &mut self.sites {
            if site.back_at.is_some_and(|at| at <= now) {
                site.start_bridge();
            }
        }
    }

    /// Everything is repaired, nobody writes any more, and what is left of the writers is freed.
    fn calm(&mut self) {
        let (faulty, asleep) = (&mut self.faulty, &mut self.asleep);
        let now = Instant::now();
        faulty.values_mut().chain(asleep.iter_mut().map(|a| &mut a.2)).for_each(|at| *at = now);
        self.sites.iter_mut().filter_map(|s| s.back_at.as_mut()).for_each(|at| *at = now);
        self.repair(now);
        for site in &mut self.sites {
            site.writers.drain(..).for_each(Process::kill);
            site.node.recover().expect("recovery");
        }
    }

    /// What differs between two nodes, in a few words; nothing: they are equal.
    fn difference(&self) -> Option<String> {
        for (region, name) in SHARED.iter().enumerate() {
            let first = self.sites[0].content(region);
            for node in 1..NODES {
                let other = self.sites[node].content(region);
                if first == other {
                    continue;
                }
                let keys = first.keys().chain(other.keys());
                let differs = |key: &&Vec<u8>| first.get(*key) != other.get(*key);
                let version = |of: &BTreeMap<Vec<u8>, (Vec<u8>, u64)>, key| {
                    of.get(key).map(|(value, version)| (value.len(), *version))
                };
                let some = keys.filter(differs).take(4).map(|key| {
                    let key_name = String::from_utf8_lossy(key);
                    format!("{key_name}: {:?} and {:?}", version(&first, key), version(&other, key))
                });
                let some = some.collect::<Vec<_>>().join("; ");
                let (ours, theirs) = (first.len(), other.len());
                return Some(format!(
                    "{name}: node 1 has {ours} entries, node {} {theirs}: {some}",
                    node + 1
                ));
            }
        }
        None
    }

    /// Numbers that a writer was told and that no node has any more.
    fn lost(&self) -> Vec<String> {
        let mut lost = Vec::new();
        for site in &self.sites {
            let told = site.node.region(TOLD).open().expect("a region");
            for entry in told.iter().map(|entry| entry.expect("an entry")) {
                let key = String::from_utf8(entry.key).expect("text");
                let (region, key) = key.split_once('/').expect("region and key");
                let told = u64::from_le_bytes(entry.value.try_into().expect("a number"));
                let which = SHARED.iter().position(|name| *name == region).expect("known");
                let has = number(&site.regions[which], key.as_bytes()).expect("a look");
                if has < told {
                    lost.push(format!("{region} {key}: {has}, told {told}"));
                }
            }
        }
        lost
    }

    fn keep_files(&self) {
        let Some(keep) = std::env::var_os("VUG_KEEP") else { return };
        for (n, site) in self.sites.iter().enumerate() {
            let place = Path::new(&keep).join(format!("node-{}", n + 1));
            std::fs::create_dir_all(&place).expect("a directory");
            let status = vug_netbridge::status(site.home.path()).map(|s| s.to_string());
            std::fs::write(place.join("status.json"), status.unwrap_or_default()).expect("kept");
            for name in SHARED.iter().chain(&[TOLD]) {
                let file = format!("{name}.region");
                std::fs::copy(site.home.path().join(&file), place.join(&file)).expect("a copy");
            }
        }
    }
}

fn all_writers() -> impl Iterator<Item = (usize, usize)> {
    (0..NODES).flat_map(|node| (0..WRITERS).map(move |writer| (node, writer)))
}

fn writer_name(node: usize, writer: usize) -> String {
    format!("writer-{}-{}", node + 1, writer + 1)
}

fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("its address")
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nodes_are_equal_after_a_storm() {
    let seconds = from_environment("VUG_CLUSTER_SECONDS").unwrap_or(SECONDS);
    let seed = from_environment("VUG_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("VUG_SEED={seed}");
    let mut storm = Storm::new(seed);
    storm.rage(Instant::now() + Duration::from_secs(seconds));
    storm.calm();
    let begin = Instant::now();
    let mut difference = None;
    let equal = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the nodes are equal", || {
            difference = storm.difference();
            difference.is_none()
        });
    }));
    let lost = storm.lost();
    if equal.is_err() || !lost.is_empty() {
        storm.keep_files();
    }
    assert!(equal.is_ok(), "VUG_SEED={seed}: {difference:?}");
    assert!(lost.is_empty(), "VUG_SEED={seed}: {lost:?}");
    let puts = |site: &Site| site.regions.iter().map(|r| r.statistics().counters.puts).sum::<u64>();
    println!(
        "{seconds} s, {} changes by {} writers, each on all nodes: {:?}; equal after {:?}: \
         {} and {} entries",
        storm.sites.iter().map(puts).sum::<u64>(),
        NODES * WRITERS,
        storm.tally,
        begin.elapsed(),
        storm.sites[0].content(0).len(),
        storm.sites[0].content(1).len(),
    );
    for site in std::mem::take(&mut storm.sites) {
        site.bridge.expect("a bridge").end();
        drop((site.regions, site.node));
        for name in SHARED.iter().chain(&[TOLD]) {
            assert_clean(&site.home.region_file(name));
        }
    }
}
