//! A node as a process sees it that may only read its files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::layout::header::{FileHeader, whole};
use crate::layout::node::{self, NODE_MAGIC, NodeWords, WORDS_OFFSET};
use crate::node::{Node, is_valid_name, region_names};
use crate::os::file;
use crate::os::mapping::{Mapping, Window};
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
    node: Option<(u128, Arc<Window<NodeWords>>)>,
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
        let path = home.join("node");
        let node = match file::open_for_reading(&path, found.uid()) {
            Ok(file) => Some(read_node(&file, &path)?),
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

fn read_node(file: &File, path: &Path) -> Result<(u128, Arc<Window<NodeWords>>)> {
    let header = FileHeader::read(file, NODE_MAGIC, path, file::boot_id()?)?;
    node::check_geometry(&header, path)?;
    let mapping = Mapping::map_read_only(file, header.file_len, path)?;
    let outside =
        || Error::Truncated { path: path.into(), expected: WORDS_OFFSET, found: header.file_len };
    let words = mapping.window(WORDS_OFFSET, 1).ok_or_else(outside)?;
    Ok((whole(header.id), Arc::new(words)))
}

impl ReadOnlyNode {
    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.home
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
        let node = self.node.as_ref().map(|(id, words)| (*id, Arc::clone(words)));
        open_read_only(name, &path, self.owner, node).map(ReadOnlyRegion::new)
    }
}
