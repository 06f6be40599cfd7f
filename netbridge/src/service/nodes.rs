//! Where the other nodes were when the bridge last knew: a file in the home directory.
//!
//! A bridge that is killed is dialed by nobody until its peers notice; the next one dials them, as
//! it reads here whom it knew. The file is a hint and nothing more: what cannot be read is ignored,
//! who answers must show a certificate of the cluster, and a node that has moved says so itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Name of the file in the home directory.
const FILE_NAME: &str = "bridge.nodes";
/// Far more than a roster takes.
const LIMIT: u64 = 1 << 20;

/// The nodes to dial, by number. The file follows every change.
#[derive(Debug)]
pub(super) struct Nodes {
    path: PathBuf,
    addresses: BTreeMap<u16, SocketAddr>,
}

impl Nodes {
    /// What the last bridge of this home directory knew.
    pub(super) fn read(home: &Path) -> Self {
        let path = home.join(FILE_NAME);
        let addresses = load(&path).unwrap_or_default();
        Self { path, addresses }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = (u16, SocketAddr)> {
        self.addresses.iter().map(|(origin, address)| (*origin, *address))
    }

    /// The node is there from now on.
    ///
    /// # Errors
    /// The file could not be written; what it says is out of date.
    pub(super) fn set(&mut self, origin: u16, address: SocketAddr) -> io::Result<()> {
        if self.addresses.insert(origin, address) == Some(address) {
            return Ok(());
        }
        self.write()
    }

    /// The node need not be dialed any more.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(super) fn remove(&mut self, origin: u16) -> io::Result<()> {
        if self.addresses.remove(&origin).is_none() {
            return Ok(());
        }
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let mut text = String::new();
        for (origin, address) in &self.addresses {
            text += &format!("{origin}@{address}\n");
        }
        // Whoever is killed in between leaves the old file as it was.
        let new = self.path.with_extension("nodes.new");
        fs::write(&new, text)?;
        fs::rename(&new, &self.path)
    }
}

fn load(path: &Path) -> Option<BTreeMap<u16, SocketAddr>> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(LIMIT).read_to_string(&mut text).ok()?;
    let node = |line: &str| {
        let (origin, address) = line.split_once('@')?;
        Some((origin.parse().ok().filter(|origin| *origin != 0)?, address.parse().ok()?))
    };
    Some(text.lines().filter_map(node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_is_known_again_and_nonsense_is_ignored() {
        let home = tempfile::tempdir().expect("a directory");
        let (first, second) = (([10, 0, 0, 1], 7).into(), ([10, 0, 0, 2], 7).into());
        let mut nodes = Nodes::read(home.path());
        assert_eq!(nodes.addresses().count(), 0);
        nodes.set(3, first).expect("written");
        nodes.set(4, first).expect("written");
        nodes.set(4, second).expect("written");
        nodes.remove(3).expect("written");
        let again: Vec<_> = Nodes::read(home.path()).addresses().collect();
        assert_eq!(again, [(4, second)]);
        fs::write(home.path().join(FILE_NAME), "0@10.0.0.1:7\nx\n5@10.0.0.1:7\n6@nowhere")
            .expect("written");
        let again: Vec<_> = Nodes::read(home.path()).addresses().collect();
        assert_eq!(again, [(5, first)]);
    }
}
