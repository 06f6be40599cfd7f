//! Nodes and bridges inside one process: each bridge runs on a thread of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use vug::{DataPolicy, Node, Region, Scope};
use vug_netbridge::BridgeError;
use vug_netbridge::cert;
use vug_netbridge::config::{Config, PeerConfig};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done` gives a value.
pub(crate) fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn temp() -> TempDir {
    tempfile::Builder::new()
        .prefix("vug-test-")
        .tempdir_in("/dev/shm")
        .expect("temporary directory")
}

/// A cluster with its authority.
pub(crate) struct Cluster {
    dir: TempDir,
    id: String,
}

impl Cluster {
    pub(crate) fn new(id: &str) -> Self {
        let dir = temp();
        cert::init(dir.path(), id, false).expect("authority");
        Self { dir, id: id.to_owned() }
    }

    /// Directory of the authority.
    pub(crate) fn authority(&self) -> &Path {
        self.dir.path()
    }

    /// A node of the cluster, without a bridge.
    pub(crate) fn site(&self, origin: u16) -> Site {
        let home = temp();
        let certs = temp();
        cert::issue(self.dir.path(), certs.path(), origin, None, false).expect("certificate");
        std::fs::copy(self.dir.path().join("ca.pem"), certs.path().join("ca.pem")).expect("copy");
        let node = Node::open(home.path()).expect("node");
        let mut config = Config::new(home.path(), &self.id, certs.path());
        config.listen = free_address();
        Site { node, config, bridge: None, _home: home, certs }
    }
}

/// A loopback address that is free now and stays the same when a bridge is restarted.
fn free_address() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    socket.local_addr().expect("address")
}

/// A node, and perhaps its bridge.
pub(crate) struct Site {
    pub(crate) node: Node,
    pub(crate) config: Config,
    bridge: Option<JoinHandle<Result<(), BridgeError>>>,
    _home: TempDir,
    certs: TempDir,
}

impl Site {
    pub(crate) fn home(&self) -> PathBuf {
        self.config.home.clone()
    }

    pub(crate) fn certs(&self) -> &Path {
        self.certs.path()
    }

    pub(crate) fn add_peer(&mut self, peer: &Site, origin: Option<u16>) {
        let address = peer.config.listen;
        self.config.peers.push(PeerConfig { address, origin });
    }

    pub(crate) fn region(&self, name: &str, scope: Scope) -> Region {
        let builder = self.node.region(name).data_policy(DataPolicy::Replicate);
        builder.scope(scope).max_bytes(64 << 20).open_or_create().expect("region")
    }

    /// Starts the bridge and waits until it is ready.
    pub(crate) fn start(&mut self) {
        let config = self.config.clone();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            vug_netbridge::run(config, move |address| {
                ready.send(address).expect("the test waits");
            })
        });
        match started.recv_timeout(PATIENCE) {
            Ok(address) => assert_eq!(address, self.config.listen),
            Err(_) => panic!("no bridge: {:?}", thread.join()),
        }
        self.bridge = Some(thread);
    }

    pub(crate) fn stop(&mut self) {
        let bridge = self.bridge.take().expect("a running bridge");
        vug_netbridge::stop(&self.config.home).expect("stop");
        bridge.join().expect("no panic").expect("no error");
    }

    pub(crate) fn status(&self) -> Value {
        vug_netbridge::status(&self.config.home).expect("status")
    }

    /// Waits until the status shows a session with that node.
    pub(crate) fn wait_for_peer(&self, origin: u16) {
        until("session", || {
            let status = self.status();
            let peers = status["peers"].as_array()?;
            let up = |p: &Value| p["origin"] == origin && p["state"] == "up";
            peers.iter().any(up).then_some(())
        });
    }

    /// Waits until that node must acknowledge what is written here to the region.
    pub(crate) fn wait_for_member(&self, region: &str, origin: u16) {
        until("membership", || {
            let status = self.status();
            let regions = status["regions"].as_array()?;
            let region = regions.iter().find(|r| r["name"] == region)?;
            let members = region["members"].as_array()?;
            members.iter().any(|m| m["origin"] == origin).then_some(())
        });
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(bridge) = self.bridge.take() {
            let _ = vug_netbridge::stop(&self.config.home);
            let _ = bridge.join();
        }
    }
}

/// Starts two nodes that dial each other.
pub(crate) fn pair(cluster: &Cluster) -> (Site, Site) {
    let (mut a, mut b) = (cluster.site(1), cluster.site(2));
    a.add_peer(&b, Some(2));
    b.add_peer(&a, None);
    (a, b)
}

pub(crate) fn value_of(region: &Region, key: &[u8]) -> Option<Vec<u8>> {
    region.get(key).expect("get").map(|guard| guard.to_vec())
}

/// Everything in a region, in order.
pub(crate) fn content(region: &Region) -> Vec<(Vec<u8>, Vec<u8>, u64)> {
    let mut all: Vec<_> = region
        .iter()
        .map(|entry| entry.expect("entry"))
        .map(|entry| (entry.key, entry.value, entry.token.version))
        .collect();
    all.sort();
    all
}

/// Whether a path still has a status socket.
pub(crate) fn has_socket(home: &Path) -> bool {
    home.join("bridge.sock").exists()
}
