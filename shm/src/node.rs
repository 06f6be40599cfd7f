//! Layer 5: the node, a home directory with its regions.

mod read_only;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::bridge::Seat;
use crate::error::{Error, Result};
use crate::member::{MemberInfo, Members};
use crate::recover::Recovery;
use crate::region::Region;
use crate::region::attributes::{Attributes, DataPolicy, Eviction, Given, Scope};
use crate::region::expiry::Expiry;
use crate::region::file::{self, EXTENSION};
use crate::region::maintain::{MaintainOptions, Maintenance};
use crate::region::mapped::Mapped;

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
        RegionBuilder {
            node: self,
            name: name.into(),
            wanted: Attributes::default(),
            given: Given::default(),
            schema: String::new(),
        }
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
        std::fs::remove_file(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::RegionNotFound { path: path.clone() },
            _ => Error::Io { op: "remove", path: path.clone(), source },
        })
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
                Err(Error::RegionNotFound { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        report.members += self.inner.members.recover_dead();
        failed.map_or(Ok(report), Err)
    }

    /// [`Region::maintain`] of every region, and recovery of every dead member of the node.
    ///
    /// # Errors
    /// The first error of a region; the others are maintained all the same.
    pub fn maintain(&self, options: &MaintainOptions) -> Result<Maintenance> {
        let mut report = Maintenance::default();
        let mut failed = None;
        for name in self.regions()? {
            match self.region(&name).open().and_then(|region| region.maintain(options)) {
                Ok(done) => report.add(&done),
                Err(Error::RegionNotFound { .. }) => {}
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

/// Creates or opens a region. Attributes that are set are wanted: a region that has others is
/// refused with all differences.
#[derive(Debug)]
#[must_use = "call create, open or open_or_create"]
pub struct RegionBuilder<'n> {
    node: &'n Node,
    name: String,
    wanted: Attributes,
    given: Given,
    /// Which types a new region holds; empty = none.
    schema: String,
}

impl RegionBuilder<'_> {
    /// Name of the region.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The alignment that was asked for, if one was.
    pub(crate) fn given_alignment(&self) -> Option<u64> {
        self.given.alignment.then_some(self.wanted.alignment)
    }

    /// A new region begins values at multiples of `alignment` and says that it holds `schema`; one
    /// that exists is opened whatever it has.
    pub(crate) fn of_types(mut self, alignment: u64, schema: String) -> Self {
        self.wanted.alignment = alignment;
        self.schema = schema;
        self
    }

    /// Sets all attributes.
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.wanted = attributes;
        self.given = Given::all();
        self
    }

    /// What this node stores.
    pub fn data_policy(mut self, policy: DataPolicy) -> Self {
        self.wanted.data_policy = policy;
        self.given.data_policy = true;
        self
    }

    /// How changes are distributed.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.wanted.scope = scope;
        self.given.scope = true;
        self
    }

    /// Upper bound on memory in bytes.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.wanted.max_bytes = bytes;
        self.given.max_bytes = true;
        self
    }

    /// Unit of memory in bytes; 0 chooses.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.wanted.segment_bytes = bytes;
        self.given.segment_bytes = bytes != 0;
        self
    }

    /// Each value begins at a multiple of this many bytes: a power of two, 8 to 4096.
    pub fn alignment(mut self, bytes: u64) -> Self {
        self.wanted.alignment = bytes;
        self.given.alignment = true;
        self
    }

    /// What makes room when the region is full.
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.wanted.eviction = eviction;
        self.given.eviction = true;
        self
    }

    /// Bound on the number of entries, with eviction; 0 = none.
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.wanted.max_entries = entries;
        self.given.max_entries = true;
        self
    }

    /// Whether newer versions win on every node.
    pub fn concurrency_checks(mut self, on: bool) -> Self {
        self.wanted.concurrency_checks = on;
        self.given.concurrency_checks = true;
        self
    }

    /// After which time since they were written entries expire. Counts when the region is made; one
    /// that exists keeps its own, see [`Region::set_entry_ttl`].
    pub fn entry_ttl(mut self, ttl: Expiry) -> Self {
        self.wanted.entry_ttl = Some(ttl);
        self
    }

    /// After which time without a read or write entries expire. Counts when the region is made;
    /// one that exists keeps its own, see [`Region::set_entry_idle`].
    pub fn entry_idle(mut self, idle: Expiry) -> Self {
        self.wanted.entry_idle = Some(idle);
        self
    }

    /// Creates the region.
    ///
    /// # Errors
    /// `RegionExists`, `InvalidRegionName`, `InvalidAttributes`, `NotBuiltYet`, `FileSystemFull`.
    pub fn create(self) -> Result<Region> {
        let path = self.node.region_path(&self.name)?;
        let mapped =
            file::create(&self.name, &path, &self.wanted, &self.schema, &self.node.inner.members)?;
        self.node.open_regions().insert(self.name, Arc::downgrade(&mapped));
        Ok(Region { mapped })
    }

    /// Opens the region.
    ///
    /// # Errors
    /// `RegionNotFound`, `AttributesDiffer`, `InvalidRegionName`, those of the 1xx range if the
    /// file cannot be used, `TooManyMembers`.
    pub fn open(self) -> Result<Region> {
        // Before the lock: another thread of the parent may have held it at the fork.
        self.node.inner.members.check_process()?;
        let path = self.node.region_path(&self.name)?;
        let mut open = self.node.open_regions();
        let known = open.get(&self.name).and_then(Weak::upgrade);
        let mapped = match known.filter(|mapped| mapped.log.is_file_at(&path)) {
            Some(mapped) => mapped,
            None => {
                let mapped = file::open(&self.name, &path, &self.node.inner.members)?;
                open.insert(self.name.clone(), Arc::downgrade(&mapped));
                mapped
            }
        };
        drop(open);
        let differences = self.wanted.differences(&mapped.attributes, self.given);
        if differences.is_empty() {
            Ok(Region { mapped })
        } else {
            Err(Error::AttributesDiffer { region: self.name, differences })
        }
    }

    /// Opens the region, creating it if it is missing. Safe among any number of callers.
    ///
    /// # Errors
    /// As [`RegionBuilder::open`] and [`RegionBuilder::create`].
    pub fn open_or_create(self) -> Result<Region> {
        loop {
            let again = || RegionBuilder {
                node: self.node,
                name: self.name.clone(),
                wanted: self.wanted.clone(),
                given: self.given,
                schema: self.schema.clone(),
            };
            match again().open() {
                Err(Error::RegionNotFound { .. }) => {}
                other => return other,
            }
            match again().create() {
                Err(Error::RegionExists { .. }) => {}
                other => return other,
            }
        }
    }
}
