//! Certificates, bridges and the demonstration through the command line.

mod command;

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use command::{Home, Run, airports, command, run, temporary};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

fn vug(args: &[&str]) -> Run {
    let mut command = command();
    command.args(args);
    run(command, b"")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// Kills a process that a failed test would leave behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    #[track_caller]
    fn await_end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "still running");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Two homes with the certificates of one cluster and a replicated region.
struct Cluster {
    homes: [Home; 2],
    addresses: [String; 2],
}

impl Cluster {
    fn new() -> Self {
        let homes = [Home::new(), Home::new()];
        let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let addresses = sockets.map(|socket| socket.local_addr().unwrap().to_string());
        let authority = homes[0].path().join("ca");
        vug(&["cert", "init", text(&authority), "--cluster", "lab"]).ok();
        for (origin, home) in ["1", "2"].iter().zip(&homes) {
            let certs = home.path().join("certs");
            let args = ["cert", "issue", text(&certs), "--ca", text(&authority)];
            vug(&[&args[..], &["--origin", origin]].concat()).ok();
            let policy = ["--data-policy", "replicate", "--scope", "distributed-ack"];
            home.vug([&["create", "r"][..], &policy].concat()).ok();
        }
        Self { homes, addresses }
    }

    fn arguments(&self, index: usize) -> Vec<String> {
        let certs = self.homes[index].path().join("certs");
        let peer = format!("{}@{}", 2 - index, self.addresses[1 - index]);
        ["bridge", "run", "--cluster", "lab", "--certs", text(&certs)]
            .into_iter()
            .chain(["--listen", &self.addresses[index], "--peer", &peer])
            .map(str::to_owned)
            .collect()
    }

    /// Starts a bridge and waits until it says that it listens.
    fn start(&self, index: usize) -> Running {
        let mut child = command()
            .env("VUG_HOME", self.homes[index].path())
            .args(self.arguments(index))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("listens on")));
        // The rest of its words must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let running = Running(child);
        assert!(said.is_some(), "the bridge ended");
        running
    }
}

#[test]
fn a_write_on_one_node_is_read_on_the_other() {
    let cluster = Cluster::new();
    let [first, second] = &cluster.homes;
    let mut bridges = [cluster.start(0), cluster.start(1)];
    until("the nodes are connected", || {
        let run = first.vug(["bridge", "status", "--format", "json"]);
        let status: Value = serde_json::from_str(&run.ok()).unwrap();
        status["peers"][0]["state"] == "up"
    });
    first.vug(["put", "r", "k", "v", "--ack-within", "60s"]).ok();
    until("the value arrives", || second.vug(["get", "r", "k"]).out == "v");
    second.vug(["put", "r", "k", "w", "--ack-within", "60s"]).ok();
    until("the value comes back", || first.vug(["get", "r", "k"]).out == "w");

    // Acknowledged in batches, and all of it is there when the import is done.
    let file = airports();
    let import = ["import", "r", text(&file), "--key", "iata", "--ack-within", "60s"];
    let run = first.vug(import);
    assert!(run.err.starts_with("imported 3,376 rows into r (3,376 new, "), "{run:?}");
    let stat: Value =
        serde_json::from_str(&second.vug(["stat", "r", "--format", "json"]).ok()).unwrap();
    assert_eq!(stat["entries"], 3377);

    let table = first.vug(["bridge", "status"]).ok();
    assert!(table.contains("peers:\n") && table.contains("regions:\n"), "{table}");
    first.vug(["bridge", "stop"]).ok();
    assert_eq!(bridges[0].await_end(), 0);
    signal(&bridges[1].0, Signal::SIGTERM);
    assert_eq!(bridges[1].await_end(), 0);
    for home in [first, second] {
        let (error, _) = home.vug(["bridge", "stop"]).failed(4);
        assert!(error.ends_with("no bridge runs here (VUG-0961)"), "{error}");
        home.vug(["bridge", "status"]).failed(4);
    }
}

#[test]
fn a_second_bridge_is_told_that_one_runs() {
    let cluster = Cluster::new();
    let _first = cluster.start(0);
    let (error, help) = cluster.homes[0].vug(cluster.arguments(0)).failed(75);
    assert!(error.ends_with("(VUG-0502)"), "{error}");
    assert!(!help.is_empty());
}

#[test]
fn mistakes_in_the_configuration_are_named_with_their_place() {
    let home = Home::new();
    let file = home.file("bridge.toml", b"[node]\nhome = \"/dev/shm/x\"\nhoem = 1\n");
    let (error, _) = home.vug(["bridge", "run", "--config", text(&file)]).failed(2);
    assert!(error.contains("bridge.toml:3") && error.ends_with("(VUG-0701)"), "{error}");
    let (error, _) = home.vug(["bridge", "run", "--config", "/nowhere/b.toml"]).failed(2);
    assert!(error.contains("/nowhere/b.toml"), "{error}");
    let (error, help) = home.vug(["bridge", "run"]).failed(2);
    assert_eq!(error, "the bridge does not know its cluster (VUG-0901)");
    assert!(help.contains("--config"), "{help}");
}

#[test]
fn certificates_are_not_overwritten_unasked() {
    let place = temporary();
    let (ca, node) = (place.path().join("ca"), place.path().join("node"));
    let init = ["cert", "init", text(&ca), "--format", "json"];
    let made: Value = serde_json::from_str(&vug(&init).ok()).unwrap();
    assert_eq!(made["cluster"], "vug");
    assert_eq!(made["certificate"], text(&ca.join("ca.pem")));
    let (error, _) = vug(&init).failed(1);
    assert!(error.ends_with("(VUG-0713)"), "{error}");
    let issue = ["cert", "issue", text(&node), "--ca", text(&ca), "--origin", "7"];
    vug(&issue).ok();
    assert_eq!(
        std::fs::read(node.join("ca.pem")).unwrap(),
        std::fs::read(ca.join("ca.pem")).unwrap()
    );
    vug(&issue).failed(1);
    vug(&[&issue[..], &["--force"]].concat()).ok();
    let (error, _) = vug(&["cert", "init", text(&ca), "--cluster", "No Label"]).failed(1);
    assert!(error.ends_with("(VUG-0711)"), "{error}");
}

fn demo(place: &Path, more: &[&str]) -> Run {
    let args = ["demo", "--dir", text(place), "--seconds", "1", "--format", "json"];
    vug(&[&args[..], more].concat())
}

#[test]
fn the_demonstration_finds_no_difference_and_leaves_nothing() {
    let place = temporary();
    let report: Value = serde_json::from_str(&demo(place.path(), &[]).ok()).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(report["keys_compared"], 3376);
    assert_eq!(report["files_checked"], 4);
    assert_eq!(report["bridges_killed"], 1);
    assert!(report["writers_killed"].as_u64() >= Some(1), "{report}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn three_nodes_and_few_entries() {
    let place = temporary();
    let run = demo(place.path(), &["--nodes", "3", "--entries", "20"]);
    let report: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!((&report["ok"], &report["nodes"]), (&true.into(), &3.into()));
    assert_eq!(report["files_checked"], 6);
}

/// A demonstration that goes on for long, once its writers write.
fn long_demo(place: &Path) -> Running {
    let child = command()
        .args(["demo", "--dir", text(place), "--seconds", "600"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = Running(child);
    until("the demonstration is under way", || {
        let Some(Ok(entry)) = std::fs::read_dir(place).unwrap().next() else { return false };
        entry.path().join("writer-4.log").exists()
    });
    running
}

/// Processes whose command line names this directory.
fn processes_of(place: &Path) -> usize {
    let place = text(place).as_bytes();
    let names = |path: std::path::PathBuf| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        line.windows(place.len()).any(|part| part == place)
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter(|entry| entry.as_ref().is_ok_and(|entry| names(entry.path())))
        .count()
}

#[test]
fn an_interrupted_demonstration_leaves_nothing() {
    let place = temporary();
    let mut demo = long_demo(place.path());
    signal(&demo.0, Signal::SIGINT);
    assert_eq!(demo.await_end(), 1);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    assert_eq!(processes_of(place.path()), 0);
}

#[test]
fn the_children_of_a_killed_demonstration_die() {
    let place = temporary();
    let mut demo = long_demo(place.path());
    assert!(processes_of(place.path()) > 4);
    demo.0.kill().unwrap();
    demo.await_end();
    until("the children are gone", || processes_of(place.path()) == 0);
}
