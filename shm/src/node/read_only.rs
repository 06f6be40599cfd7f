//! A node as a process sees it that may only read its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::member::{MemberInfo, Watch};
use crate::node::{Node, is_valid_name, region_names};
use crate::region::file::{EXTENSION, open_read_only};
use crate::region::read_only::ReadOnlyRegion;
use std::os::unix::fs::MetadataExt;

/// A home directory opened for reading only: [`Node::open_read_only`].
///
/// The process is not a member of the node: it takes no slot and is not listed.
#[derive(Debug, Clone)]
pub struct ReadOnlyNode {
    home: PathBuf,
    owner: u32,
    /// The node file, if this user may read it.
    node: Option<Arc<Watch>>,
}

impl Node {
    /// Opens a home directory for reading only. Nothing is made or written there; the user needs
    /// the right to enter the directory and to read the region files (and the node file, if
    /// tokens are to name this node: else its origin reads 0).
    ///
    /// Whoever reads the files of another user trusts him not to cut them off while they are in
    /// use, which would end the reader by SIGBUS.
    ///
    /// # Errors
    /// `Io`, those of the 1xx range if the node file cannot be used.
    pub fn open_read_only(home: impl AsRef<Path>) -> Result<ReadOnlyNode> {
        let home = home.as_ref();
        let io = |source| Error::Io { op: "examine", path: home.into(), source };
        let found = home.metadata().map_err(io)?;
        if !found.is_dir() {
            return Err(io(std::io::ErrorKind::NotADirectory.into()));
        }
        let node = match Watch::open(home, found.uid()) {
            Ok(node) => Some(Arc::new(node)),
            Err(Error::Io { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                None
            }
            Err(error) => return Err(error),
        };
        Ok(ReadOnlyNode { home: home.into(), owner: found.uid(), node })
    }
}

impl ReadOnlyNode {
    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Random identity of the node; `None` if the node file cannot be read.
    pub fn id(&self) -> Option<u128> {
        self.node.as_ref().map(|node| node.node_id())
    }

    /// Number of the node in its cluster; 0 until one is assigned, or if the node file cannot be
    /// read.
    pub fn origin(&self) -> u16 {
        self.node.as_ref().map_or(0, |node| node.origin())
    }

    /// The members of the node, dead ones too until they are recovered; none if the node file
    /// cannot be read.
    pub fn members(&self) -> Vec<MemberInfo> {
        self.node.as_ref().map_or_else(Vec::new, |node| node.list())
    }

    /// Process id of the running bridge.
    pub fn bridge_pid(&self) -> Option<u32> {
        self.node.as_ref()?.bridge_pid()
    }

    /// Names of the region files in the home directory, sorted, whether they may be read or not.
    ///
    /// # Errors
    /// `Io`.
    pub fn regions(&self) -> Result<Vec<String>> {
        region_names(&self.home)
    }

    /// Opens a region.
    ///
    /// # Errors
    /// `RegionNotFound`, `InvalidRegionName`, `Io`, those of the 1xx range if the file cannot be
    /// used.
    pub fn region(&self, name: &str) -> Result<ReadOnlyRegion> {
        if !is_valid_name(name) {
            return Err(Error::InvalidRegionName { name: name.into() });
        }
        let path = self.home.join(format!("{name}.{EXTENSION}"));
        open_read_only(name, &path, self.owner, self.node.clone()).map(ReadOnlyRegion::new)
    }
}
