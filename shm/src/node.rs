//! Layer 5: the node, a home directory with its regions.

mod builder;
mod read_only;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::bridge::Seat;
use crate::error::{Error, Result};
use crate::member::{MemberInfo, Members};
use crate::recover::Recovery;
use crate::region::file::{self, EXTENSION};
use crate::region::maintain::{MaintainOptions, Maintenance};
use crate::region::mapped::Mapped;

pub use builder::RegionBuilder;
pub use read_only::ReadOnlyNode;

/// One machine's cache: a home directory in memory that holds the region files. A process that
/// opens it is a member of the node until it closes it, exits, or dies.
///
/// Cheap to clone; the member leaves when the last clone and the last region are gone.
///
/// # fork
///
/// The child of a `fork` is not a member. Every call on an inherited handle fails with
/// `ForkedChild`, guards it inherited protect nothing, and dropping either touches nothing shared,
/// at `exit` as at `_exit`; the parent does not notice. The child becomes a member of its own by
/// [`Node::reopen_after_fork`], also when the parent has many threads, and opens its regions from
/// there. That is not done behind its back: a handle is lent to guards and subscriptions, which
/// would change their member under them. `exec` needs nothing: it closes and unmaps everything.
#[derive(Debug, Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    members: Arc<Members>,
    /// Regions this process has open, so that opening one twice attaches once.
    open: Mutex<HashMap<String, Weak<Mapped>>>,
}

impl Node {
    /// `$VUG_HOME`, else `/dev/shm/vug-<uid>`.
    pub fn default_home() -> PathBuf {
        std::env::var_os("VUG_HOME").map_or_else(
            || PathBuf::from(format!("/dev/shm/vug-{}", nix::unistd::geteuid())),
            PathBuf::from,
        )
    }

    /// Opens a home directory, making it (mode 0700) if it is missing, and joins its members.
    ///
    /// # Errors
    /// Those of the 1xx range if the files there cannot be used, `TooManyMembers`,
    /// `FileSystemFull`, `NotMemoryBacked`, `Io`.
    pub fn open(home: impl AsRef<Path>) -> Result<Self> {
        let members = Members::open(home.as_ref())?;
        Ok(Self { inner: Arc::new(Inner { members, open: Mutex::default() }) })
    }

    /// [`Node::open`] of [`Node::default_home`].
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn open_default() -> Result<Self> {
        Self::open(Self::default_home())
    }

    /// The same node for a forked child: joins it as a new member. In the process that opened this
    /// handle, a clone of it.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn reopen_after_fork(&self) -> Result<Self> {
        if self.inner.members.is_forked_child() {
            Self::open(self.home())
        } else {
            Ok(self.clone())
        }
    }

    /// Leaves the node, if this was the last that held the membership; returns whether it was.
    ///
    /// Dropping the handle does the same. Clones of it, regions, owned guards, subscriptions and a
    /// bridge's seat hold the membership, too.
    pub fn close(self) -> bool {
        let members = Arc::downgrade(&self.inner.members);
        drop(self);
        members.strong_count() == 0
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        self.inner.members.home()
    }

    /// Random identity of the node, made with it.
    pub fn id(&self) -> u128 {
        self.inner.members.node_id()
    }

    /// Number of this node in its cluster; 0 until one is assigned.
    pub fn origin(&self) -> u16 {
        self.inner.members.origin()
    }

    /// Assigns the number of this node in its cluster.
    ///
    /// # Errors
    /// `OriginTaken` if it has another number already.
    pub fn set_origin(&self, origin: u16) -> Result<()> {
        self.inner.members.set_origin(origin)
    }

    /// Starts to create or open the region `name` (1 to 128 of `A-Z a-z 0-9 . _ -`).
    pub fn region(&self, name: &str) -> RegionBuilder<'_> {
        RegionBuilder::new(self, name)
    }

    /// Names of the region files in the home directory, sorted.
    ///
    /// # Errors
    /// `Io`.
    pub fn regions(&self) -> Result<Vec<String>> {
        region_names(self.home())
    }

    /// Removes the file of a region. Members that have it open keep using their copy, which
    /// nobody else can open any more.
    ///
    /// # Errors
    /// `InvalidRegionName`, `RegionNotFound`, `Io`.
    pub fn remove_region(&self, name: &str) -> Result<()> {
        let path = self.region_path(name)?;
        self.inner.members.check_process()?;
        self.open_regions().remove(name);
        file::remove(&path)
    }

    /// The members of the node, dead ones too until they are recovered.
    pub fn members(&self) -> Vec<MemberInfo> {
        self.inner.members.list()
    }

    /// Recovers every dead member, in the node and in all its regions.
    ///
    /// # Errors
    /// The first error of a region; the others are recovered all the same.
    pub fn recover(&self) -> Result<Recovery> {
        let mut report = Recovery::default();
        let mut failed = None;
        for name in self.regions()? {
            match self.recover_region(&name) {
                Ok(found) => report.add(found),
                Err(Error::RegionNotFound { .. } | Error::RegionDestroyed { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        report.members += self.inner.members.recover_dead();
        failed.map_or(Ok(report), Err)
    }

    /// [`Region::maintain`](crate::Region::maintain) of every region, and recovery of every dead
    /// member of the node.
    ///
    /// # Errors
    /// The first error of a region; the others are maintained all the same.
    pub fn maintain(&self, options: &MaintainOptions) -> Result<Maintenance> {
        let mut report = Maintenance::default();
        let mut failed = None;
        for name in self.regions()? {
            match self.region(&name).open().and_then(|region| region.maintain(options)) {
                Ok(done) => report.add(&done),
                Err(Error::RegionNotFound { .. } | Error::RegionDestroyed { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        report.recovery.members += self.inner.members.recover_dead();
        failed.map_or(Ok(report), Err)
    }

    fn recover_region(&self, name: &str) -> Result<Recovery> {
        let region = self.region(name).open()?;
        region.recover()
    }

    /// Takes the seat of the bridge of this node.
    ///
    /// # Errors
    /// `BridgeRuns` with the process that has it.
    pub fn bridge_seat(&self) -> Result<Seat> {
        Seat::take(&self.inner.members)
    }

    /// Process id of the running bridge.
    pub fn bridge_pid(&self) -> Option<u32> {
        self.inner.members.bridge_pid()
    }

    /// Takes the name from the file of a region if the region is destroyed: whoever did that died.
    fn finish_destroy(&self, path: &Path) -> bool {
        // A file that cannot be looked at is there, and not to be made.
        file::finish_destroy(path, &self.inner.members).unwrap_or(false)
    }

    fn region_path(&self, name: &str) -> Result<PathBuf> {
        if is_valid_name(name) {
            Ok(self.home().join(format!("{name}.{EXTENSION}")))
        } else {
            Err(Error::InvalidRegionName { name: name.into() })
        }
    }

    fn open_regions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Weak<Mapped>>> {
        self.inner.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn region_names(home: &Path) -> Result<Vec<String>> {
    let io = |source| Error::Io { op: "read directory", path: home.into(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(home).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_region = path.extension().is_some_and(|extension| extension == EXTENSION);
        if let (true, Some(stem)) = (is_region, path.file_stem().and_then(|s| s.to_str()))
            && is_valid_name(stem)
        {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn is_valid_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(valid)
}
