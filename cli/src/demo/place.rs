//! The temporary place of the demonstration: home directories, certificates, addresses.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cmd::cert;
use crate::failure::{Failure, code};

/// Room for overwritten values, which stay until all of their log segment is dead.
const HEADROOM: u64 = 128 << 20;
const PER_ENTRY: u64 = 2 << 10;
const CLUSTER: &str = "demo";

#[derive(Debug)]
pub(super) struct Place {
    directory: TempDir,
    homes: Vec<PathBuf>,
    max_bytes: u64,
}

impl Place {
    pub(super) fn new(memory: &Path, nodes: u16, entries: usize) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("vug-demo-")
            .tempdir_in(memory)
            .map_err(|cause| failed(memory, &cause))?;
        let mut homes = Vec::new();
        for number in 1..=nodes {
            let home = directory.path().join(format!("node-{number}"));
            fs::create_dir(&home).map_err(|cause| failed(&home, &cause))?;
            homes.push(home);
        }
        let addresses = free_addresses(nodes).map_err(|cause| failed(directory.path(), &cause))?;
        let max_bytes = HEADROOM + entries as u64 * PER_ENTRY;
        let place = Self { directory, homes, max_bytes };
        place.make_certificates()?;
        place.write_configurations(&addresses)?;
        Ok(place)
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn homes(&self) -> &[PathBuf] {
        &self.homes
    }

    /// Where the configuration of a node's bridge is.
    pub(super) fn bridge_config(&self, index: usize) -> PathBuf {
        self.path().join(format!("bridge-{}.toml", index + 1))
    }

    /// One authority, and a certificate for every node.
    fn make_certificates(&self) -> Result<(), Failure> {
        let authority = self.path().join("ca");
        cert::init(&authority, CLUSTER, false)?;
        for index in 0..self.homes.len() {
            cert::issue(&authority, &self.certs(index), index as u16 + 1, None, false)?;
        }
        Ok(())
    }

    fn certs(&self, index: usize) -> PathBuf {
        self.path().join(format!("certs-{}", index + 1))
    }

    /// The files that an operator would write.
    fn write_configurations(&self, addresses: &[SocketAddr]) -> Result<(), Failure> {
        for (index, home) in self.homes.iter().enumerate() {
            let certs = self.certs(index);
            let mut text = format!(
                "[node]\nhome = {home:?}\norigin = {}\n[cluster]\nid = {CLUSTER:?}\n\
                 [listen]\naddress = \"{}\"\n\
                 [tls]\nca = {:?}\ncert = {:?}\nkey = {:?}\n",
                index + 1,
                addresses[index],
                certs.join("ca.pem"),
                certs.join("node.pem"),
                certs.join("node.key"),
            );
            for (other, address) in addresses.iter().enumerate().filter(|(i, _)| *i != index) {
                let peer = format!("[[peer]]\naddress = \"{address}\"\norigin = {}\n", other + 1);
                text.push_str(&peer);
            }
            let path = self.bridge_config(index);
            fs::write(&path, text).map_err(|cause| failed(&path, &cause))?;
        }
        Ok(())
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Where a child's words go; shown when it fails.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.log"))
    }
}

/// Addresses nobody listens on now. All are held until all are known, so that no two are the same.
fn free_addresses(count: u16) -> io::Result<Vec<SocketAddr>> {
    let sockets: Vec<UdpSocket> =
        (0..count).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<_>>()?;
    sockets.iter().map(UdpSocket::local_addr).collect()
}

pub(super) fn failed(path: &Path, cause: &io::Error) -> Failure {
    let text = format!("{}: the demonstration cannot be set up: {cause}", path.display());
    Failure::new(
        code::DEMO,
        text,
        "it needs a writable memory-backed directory (--dir) and the loopback interface",
    )
}
