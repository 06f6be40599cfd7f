//! A home directory that exists as long as its test.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A home directory of its own in `/dev/shm`, removed on drop.
#[derive(Debug)]
pub struct TempHome {
    directory: TempDir,
}

impl TempHome {
    /// Makes a directory with mode 0700.
    ///
    /// # Panics
    /// When `/dev/shm` cannot be written to: no test can run then.
    pub fn new() -> TempHome {
        let directory = tempfile::Builder::new()
            .prefix("vug-test-")
            .tempdir_in("/dev/shm")
            .expect("/dev/shm takes a directory");
        TempHome { directory }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the file of the region `name` is.
    pub fn region_file(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.region"))
    }

    /// Opens the home directory as a node.
    ///
    /// # Panics
    /// When the node cannot be opened.
    pub fn node(&self) -> vug::Node {
        vug::Node::open(self.path()).expect("a fresh home directory opens")
    }
}

impl Default for TempHome {
    fn default() -> TempHome {
        TempHome::new()
    }
}
