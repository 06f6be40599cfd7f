//! Whole bridges in this process, on sockets that misbehave.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::config::{Config, PeerConfig};
use crate::transport::faults::Faults;
use crate::{BridgeError, cert};

const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    config: Config,
    faults: Arc<Faults>,
    bridge: Option<JoinHandle<Result<(), BridgeError>>>,
}

impl Site {
    fn new(place: &Path, origin: u16) -> Self {
        let home = place.join(format!("home-{origin}"));
        let certs = place.join(format!("certs-{origin}"));
        std::fs::create_dir(&home).expect("home");
        cert::issue(&place.join("ca"), &certs, origin, None, false).expect("certificate");
        cert::trust(&place.join("ca"), &certs).expect("trust");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
        let mut config = Config::new(&home, "lab", &certs);
        config.listen = socket.local_addr().expect("address");
        config.peer_timeout = Duration::from_secs(2);
        config.unreachable_timeout = Duration::from_secs(4);
        Self { faults: Faults::at(config.listen), config, bridge: None }
    }

    fn address(&self) -> SocketAddr {
        self.config.listen
    }

    fn start(&mut self) {
        let (config, (ready, started)) = (self.config.clone(), channel());
        let thread = std::thread::spawn(move || {
            crate::run(config, move |_| ready.send(()).expect("the test waits"))
        });
        if started.recv_timeout(PATIENCE).is_err() {
            panic!("no bridge: {:?}", thread.join());
        }
        self.bridge = Some(thread);
    }

    fn status(&self) -> Value {
        crate::status(&self.config.home).expect("status")
    }

    fn state_of(&self, origin: u16) -> Option<String> {
        let status = self.status();
        let node = status["nodes"].as_array()?.iter().find(|n| n["origin"] == origin)?;
        node["state"].as_str().map(str::to_owned)
    }

    #[track_caller]
    fn wait_for_state(&self, origin: u16, state: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.state_of(origin).as_deref() != Some(state) {
            assert!(Instant::now() < deadline, "node {origin} is not {state}: {}", self.status());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(bridge) = self.bridge.take() {
            let _ = crate::stop(&self.config.home);
            let _ = bridge.join();
        }
    }
}

/// Nodes 1 to `count`, each connected to each.
fn cluster(count: u16) -> (tempfile::TempDir, Vec<Site>) {
    let place =
        tempfile::Builder::new().prefix("vug-test-").tempdir_in("/dev/shm").expect("tempdir");
    cert::init(&place.path().join("ca"), "lab", false).expect("authority");
    let mut sites: Vec<Site> = (1..=count).map(|n| Site::new(place.path(), n)).collect();
    let first = sites[0].address();
    for site in &mut sites[1..] {
        site.config.peers = vec![PeerConfig { address: first, origin: None }];
    }
    for site in &mut sites {
        site.start();
    }
    for (n, site) in sites.iter().enumerate() {
        for other in (1..=count).filter(|other| usize::from(*other) != n + 1) {
            site.wait_for_state(other, "up");
        }
    }
    (place, sites)
}

fn cut(a: &Site, b: &Site) {
    a.faults.cut(b.address());
    b.faults.cut(a.address());
}

#[test]
fn a_partial_partition_is_noticed_by_the_link_alone_and_heals() {
    let (_place, sites) = cluster(3);
    let [a, b, c] = &sites[..] else { panic!("three nodes") };
    // Two that dial each other at once may see one connection go for the other.
    let comings = |status: &Value| {
        let events = status["events"].as_array().expect("events").iter();
        events.filter(|e| e["event"] != "node-joined").count()
    };
    let before = comings(&c.status());
    cut(a, b);
    a.wait_for_state(2, "unreachable");
    b.wait_for_state(1, "unreachable");
    // The third reaches both, so the detector says nothing, and the longer time counts.
    a.wait_for_state(2, "removed");
    let status = a.status();
    let removed = status["events"].as_array().expect("events").iter();
    let removed = removed.filter(|e| e["event"] == "node-removed").collect::<Vec<_>>();
    assert_eq!(removed.len(), 1, "{status}");
    assert_eq!(removed[0]["partial"], true, "{status}");
    assert!(removed[0]["unreachable_ms"].as_u64() >= Some(4_000), "{status}");
    assert_eq!(c.state_of(1).as_deref(), Some("up"));
    assert_eq!(c.state_of(2).as_deref(), Some("up"));
    for site in [a, b] {
        site.faults.heal();
    }
    a.wait_for_state(2, "up");
    b.wait_for_state(1, "up");
    // Those who never lost each other have seen nothing of it.
    let status = c.status();
    assert_eq!(comings(&status), before, "{status}");
}

#[test]
fn one_way_loss_ends_the_link_at_both_ends() {
    let (_place, sites) = cluster(2);
    let [a, b] = &sites[..] else { panic!("two nodes") };
    a.faults.cut(b.address());
    a.wait_for_state(2, "removed");
    b.wait_for_state(1, "removed");
    assert_eq!(
        a.status()["peers"]
            .as_array()
            .expect("peers")
            .iter()
            .filter(|p| p["state"] == "up")
            .count(),
        0
    );
    a.faults.heal();
    a.wait_for_state(2, "up");
    b.wait_for_state(1, "up");
}

#[test]
fn loss_delay_and_reordering_remove_nobody() {
    let (_place, sites) = cluster(2);
    let [a, b] = &sites[..] else { panic!("two nodes") };
    for site in [a, b] {
        site.faults.lose(100);
        site.faults.delay(Duration::from_millis(2), Duration::from_millis(6));
    }
    let dropped = a.faults.dropped();
    let deadline = Instant::now() + PATIENCE;
    // Long enough for probes and keep-alives in both directions.
    while a.faults.dropped() < dropped + 5 || b.faults.dropped() < 5 {
        assert!(Instant::now() < deadline, "nothing was lost");
        std::thread::sleep(Duration::from_millis(5));
    }
    for (site, other) in [(a, 2), (b, 1)] {
        let state = site.state_of(other);
        assert!(matches!(state.as_deref(), Some("up" | "unreachable")), "{state:?}");
    }
}
