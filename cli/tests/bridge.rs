//! Bridges as an operator has them: supervised, killed, reloaded, looked at.

mod command;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use command::{Home, Run, command, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use vug::{DataPolicy, EventKind, Node, Notice, Region, Scope};

/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

fn vug(args: &[&str]) -> Run {
    let mut command = command();
    command.args(args);
    run(command, b"")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a process that a failed test would leave behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Site {
    home: Home,
    certs: PathBuf,
    address: String,
}

fn sites(count: u16) -> (Home, Vec<Site>) {
    let place = Home::new();
    let authority = place.path().join("ca");
    vug(&["cert", "init", text(&authority), "--cluster", "lab"]).ok();
    let site = |origin: u16| {
        let certs = place.path().join(format!("certs-{origin}"));
        let args = ["cert", "issue", text(&certs), "--ca", text(&authority), "--origin"];
        vug(&[&args[..], &[&origin.to_string()]].concat()).ok();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Site { home: Home::new(), certs, address: socket.local_addr().unwrap().to_string() }
    };
    let sites = (1..=count).map(site).collect();
    (place, sites)
}

impl Site {
    fn start(&self, more: &[&str]) -> Running {
        let mut command = command();
        command.env("VUG_HOME", self.home.path());
        command.args(["bridge", "run", "--cluster", "lab", "--certs", text(&self.certs)]);
        command.args(["--listen", &self.address]).args(more).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("listens on")));
        // The rest of its words must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let running = Running(child);
        assert!(said.is_some(), "the bridge ended");
        running
    }

    fn node(&self) -> Node {
        Node::open(self.home.path()).unwrap()
    }

    fn region(&self, node: &Node) -> Region {
        let builder = node.region("r").data_policy(DataPolicy::Replicate);
        builder.scope(Scope::DistributedNoAck).max_bytes(64 << 20).open_or_create().unwrap()
    }

    fn status(&self) -> Option<Value> {
        let run = self.home.vug(["bridge", "status", "--format", "json"]);
        (run.code == 0).then(|| serde_json::from_str(&run.out).unwrap())
    }

    fn wait_for_peer(&self) {
        until("the nodes are connected", || {
            (self.status()?["nodes"][0]["state"] == "up").then_some(())
        });
    }
}

/// Events of changes of one region, until told to end: how often each version of each key was told.
fn count_events(region: Region, done: Arc<AtomicBool>) -> BTreeMap<(Vec<u8>, u64), u32> {
    let mut told = BTreeMap::new();
    let mut events = region.subscribe();
    loop {
        let last = done.load(Ordering::Acquire);
        let deadline = Instant::now() + Duration::from_millis(20);
        while let Some(notice) = events.wait(Some(deadline)).unwrap() {
            if let Notice::Event(event) = notice
                && matches!(event.kind, EventKind::Create | EventKind::Update)
            {
                *told.entry((event.key, event.token.version)).or_insert(0) += 1;
            }
        }
        if last {
            return told;
        }
    }
}

/// Keys of the load.
const KEYS: u32 = 20_000;

/// Puts until told to end: the number of puts, and how long each took.
fn write(region: Region, done: Arc<AtomicBool>) -> (u32, Vec<Duration>) {
    let mut times = Vec::new();
    let mut n = 0_u32;
    while !done.load(Ordering::Acquire) {
        let start = Instant::now();
        region.put(&(n % KEYS).to_le_bytes(), &n.to_le_bytes()).unwrap();
        times.push(start.elapsed());
        n += 1;
        // A load, not a flood: the ring of 16,384 changes must not be lapped by it.
        if n.is_multiple_of(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    (n, times)
}

/// Entries with their versions.
type Content = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn content(region: &Region) -> Content {
    let entries = region.iter().map(|e| e.unwrap());
    entries.map(|e| (e.key, (e.value, e.token.version))).collect()
}

/// Kills the bridge of a node, puts a marker there, and says after how long the other node has it.
fn kill_bridge(here: &(Node, Region), there: &Region, round: u32) -> Duration {
    let (node, region) = here;
    let pid = until("a bridge", || node.bridge_pid());
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    let start = Instant::now();
    region.put(b"marker", &round.to_le_bytes()).unwrap();
    until("the change after the kill arrives", || {
        let value = there.get(b"marker").unwrap()?;
        (*value == round.to_le_bytes()).then_some(())
    });
    let arrived = start.elapsed();
    until("another bridge", || node.bridge_pid().filter(|new| *new != pid));
    arrived
}

/// What a list of times is like.
fn summary(mut times: Vec<Duration>) -> String {
    times.sort();
    let (count, last) = (times.len(), times.len().saturating_sub(1));
    let at = |share: usize| times[(count * share / 1_000).min(last)];
    format!("median {:?}, 99.9 % {:?}, longest {:?}", at(500), at(999), times[last])
}

/// The bridges of both nodes are killed in turns. `VUG_BRIDGE_KILLS=200` is the campaign; it prints
/// the latencies.
#[test]
fn a_supervised_bridge_that_is_killed_loses_and_repeats_nothing() {
    let kills: u32 =
        std::env::var("VUG_BRIDGE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let (_place, sites) = sites(2);
    let [a, b] = &sites[..] else { panic!("two sites") };
    let (node_a, node_b) = (a.node(), b.node());
    let (on_a, on_b) = (a.region(&node_a), b.region(&node_b));
    let mut supervised =
        [a.start(&["--supervise"]), b.start(&["--supervise", "--peer", &a.address])];
    a.wait_for_peer();
    let (done, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let listener = std::thread::spawn({
        let (on_b, heard) = (on_b.clone(), heard.clone());
        move || count_events(on_b, heard)
    });
    let writer = std::thread::spawn({
        let (on_a, done) = (on_a.clone(), done.clone());
        move || write(on_a, done)
    });
    let (here, there) = ((node_a, on_a), (node_b, on_b));
    let mut arrivals = [Vec::new(), Vec::new()];
    for round in 1..=kills {
        let (killed, other) = if round % 2 == 1 { (&here, &there) } else { (&there, &here) };
        let side = usize::from(round % 2 == 0);
        arrivals[side].push(kill_bridge(killed, &other.1, round));
    }
    done.store(true, Ordering::Release);
    let (count, times) = writer.join().unwrap();
    until("equal nodes", || (content(&here.1) == content(&there.1)).then_some(()));
    let held = content(&there.1);
    for key in 0..count.min(KEYS) {
        let last = (count - 1 - key) / KEYS * KEYS + key;
        let value = held.get(&key.to_le_bytes()[..]).map(|(value, _)| value.as_slice());
        assert_eq!(value, Some(&last.to_le_bytes()[..]), "key {key}");
    }
    heard.store(true, Ordering::Release);
    let told = listener.join().unwrap();
    let repeated = told.iter().filter(|(_, times)| **times > 1).count();
    assert_eq!(repeated, 0, "events told more than once");
    println!("{kills} kills, {count} puts: {}", summary(times));
    for (times, whose) in arrivals.into_iter().zip(["writing", "other"]) {
        println!("the bridge of the {whose} node was killed, and its next change arrived after");
        println!("  {}", summary(times));
    }
    for running in &mut supervised {
        kill(Pid::from_raw(running.0.id() as i32), Signal::SIGTERM).unwrap();
        running.0.wait().unwrap();
    }
    drop((here, there));
    for site in [a, b] {
        site.home.vug(["check", "r"]).ok();
    }
}

#[test]
fn a_supervisor_hands_on_signals_and_gives_up_where_it_must() {
    let (_place, sites) = sites(1);
    let mut running = sites[0].start(&["--supervise"]);
    let node = sites[0].node();
    let pid = until("a bridge", || node.bridge_pid());
    assert_ne!(pid, running.0.id());
    // A second one is told, and its supervisor does not try again.
    let mut second = command();
    second.env("VUG_HOME", sites[0].home.path());
    second.args(["bridge", "run", "--cluster", "lab", "--certs", text(&sites[0].certs)]);
    second.arg("--supervise");
    run(second, b"").failed(75);
    kill(Pid::from_raw(running.0.id() as i32), Signal::SIGHUP).unwrap();
    kill(Pid::from_raw(running.0.id() as i32), Signal::SIGTERM).unwrap();
    let status = until("the end", || running.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    assert_eq!(node.bridge_pid(), None);
    let args = ["bridge", "run", "--supervise", "--config", "/nowhere/bridge.toml"];
    sites[0].home.vug(args).failed(2);
}

/// A request over a connection of its own: status line and body.
fn http(address: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn get(address: &str, path: &str) -> (String, String) {
    http(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

#[test]
fn status_page_metrics_and_probes() {
    let (_place, sites) = sites(2);
    let [a, b] = &sites[..] else { panic!("two sites") };
    let (node_a, node_b) = (a.node(), b.node());
    let (on_a, _on_b) = (a.region(&node_a), b.region(&node_b));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let _first = a.start(&["--http", &free]);
    let _second = b.start(&["--peer", &a.address]);
    a.wait_for_peer();
    on_a.put(b"k", b"v").unwrap();
    until("ready", || get(&free, "/readyz").0.ends_with("200 OK").then_some(()));
    assert_eq!(get(&free, "/healthz").1, "ok\n");
    let page = get(&free, "/").1;
    assert!(page.starts_with("<!doctype html>"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing from elsewhere");
    for asset in ["/style.css", "/script.js"] {
        assert!(get(&free, asset).0.ends_with("200 OK"), "{asset}");
    }
    let status: Value = serde_json::from_str(&get(&free, "/api/v1/status").1).unwrap();
    assert_eq!(status["page"], format!("http://{free}/"));
    let metrics = get(&free, "/metrics").1;
    for line in ["vug_bridge_peer_up{peer=\"2\"} 1.0", "vug_region_entries{region=\"r\"} 1.0"] {
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }
    assert!(get(&free, "/nothing").0.contains("404"));
    let evil = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(http(&free, evil).0.contains("421"));
    let post = format!(
        "POST / HTTP/1.1\r\nHost: {free}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    assert!(http(&free, &post).0.contains("405"));
}

#[test]
fn configurations_are_checked_and_shown_with_their_origins() {
    let (_place, sites) = sites(1);
    let site = &sites[0];
    let example = vug(&["bridge", "config", "example"]).ok();
    assert!(example.contains("# peer_timeout = \"10s\""), "{example}");
    let file = site.home.file(
        "bridge.toml",
        format!(
            "[node]\nhome = \"{}\"\n[cluster]\nid = \"lab\"\n[listen]\naddress = \"{}\"\n[tls]\n\
             ca = \"{c}/ca.pem\"\ncert = \"{c}/node.pem\"\nkey = \"{c}/node.key\"\n",
            text(site.home.path()),
            site.address,
            c = text(&site.certs),
        )
        .as_bytes(),
    );
    vug(&["bridge", "config", "check", "--config", text(&file)]).ok();
    let mut shown = command();
    shown.env("VUG_BRIDGE__PEER_TIMEOUT", "3s");
    let show = ["bridge", "config", "show", "--config", text(&file), "--http", "127.0.0.1:7480"];
    shown.args(show).args(["--format", "jsonl"]);
    let shown = run(shown, b"").ok();
    let rows: Vec<Value> = shown.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let row = |key: &str| rows.iter().find(|r| r["setting"] == key).unwrap().clone();
    assert_eq!(row("bridge.peer_timeout")["from"], "environment VUG_BRIDGE__PEER_TIMEOUT");
    assert_eq!(row("http.address")["from"], "option --http");
    assert_eq!(row("cluster.id")["from"], format!("{}:4", text(&file)));
    assert_eq!(row("bridge.unreachable_timeout")["from"], "default");
    std::fs::write(site.certs.join("node.pem"), "nonsense").unwrap();
    let (error, _) = vug(&["bridge", "config", "check", "--config", text(&file)]).failed(2);
    assert!(error.contains("node.pem") && error.ends_with("(VUG-0702)"), "{error}");
}

#[test]
fn certificates_are_rotated_and_reloaded_under_a_running_bridge() {
    let (place, sites) = sites(2);
    let [a, b] = &sites[..] else { panic!("two sites") };
    let _first = a.start(&[]);
    let _second = b.start(&["--peer", &a.address]);
    a.wait_for_peer();
    let authority = place.path().join("ca");
    vug(&["cert", "rotate", text(&authority), "--authority"]).ok();
    for more in [&["--trust-only"][..], &[]] {
        for site in [a, b] {
            let args = ["cert", "rotate", text(&site.certs), "--ca", text(&authority)];
            vug(&[&args[..], more].concat()).ok();
            let told = site.home.vug(["bridge", "reload", "--format", "json"]).ok();
            let told: Value = serde_json::from_str(&told).unwrap();
            assert!(told["reloaded"].as_str().unwrap().contains("certificates"), "{told}");
        }
    }
    vug(&["cert", "rotate", text(&authority), "--retire"]).ok();
    let events = a.home.vug(["bridge", "events", "--count", "1", "--format", "jsonl"]).ok();
    let snapshot: Value = serde_json::from_str(&events).unwrap();
    assert_eq!(snapshot["nodes"][0]["state"], "up", "the connection has stayed");
}
