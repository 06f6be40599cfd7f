//! Creating and opening regions.
//!
//! # Any number of creators
//!
//! A region file is filled before it has a name, and gets its name by one `linkat`: of all creators
//! one succeeds, the others find the region there, and nobody ever opens a file that is not whole.
//! The file has no name until then, so a creator that is killed leaves nothing behind.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | the file was made, filled, sealed | no name: it is gone with the process | - |
//! | `linkat` | the region exists, whole | - |
//! | the creator's attachment | one of a dead member | recovery, as for any |

use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::node::Node;
use crate::region::Region;
use crate::region::attributes::differences::Given;
use crate::region::attributes::{Attributes, DataPolicy, Eviction, Interest, Scope, Shortcut};
use crate::region::expiry::Expiry;
use crate::region::file;
use crate::region::mapped::Mapped;

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

impl<'n> RegionBuilder<'n> {
    pub(super) fn new(node: &'n Node, name: &str) -> Self {
        let (wanted, given) = (Attributes::LOCAL, Given::default());
        Self { node, name: name.into(), wanted, given, schema: String::new() }
    }

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

    /// Sets data policy and scope by the name of their combination.
    pub fn shortcut(self, shortcut: Shortcut) -> Self {
        let Attributes { data_policy, scope, .. } = Attributes::of(shortcut);
        self.data_policy(data_policy).scope(scope)
    }

    /// Sets all attributes.
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.wanted = attributes;
        self.given = Given::all();
        self
    }

    /// What this node stores. A region whose data policy is named and whose scope is not is
    /// distributed-ack, as the shortcuts are; without either it is [`Shortcut::Local`].
    pub fn data_policy(mut self, policy: DataPolicy) -> Self {
        self.wanted.data_policy = policy;
        self.given.data_policy = true;
        if !self.given.scope {
            self.wanted.scope = Scope::DistributedAck;
        }
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

    /// Of which changes made elsewhere this node hears.
    pub fn interest(mut self, interest: Interest) -> Self {
        self.wanted.interest = interest;
        self.given.interest = true;
        self
    }

    /// Whether events tell the value that an entry had before.
    pub fn old_values(mut self, on: bool) -> Self {
        self.wanted.old_values = on;
        self.given.old_values = true;
        self
    }

    /// Acknowledge changes on receipt instead of after applying them. Not built yet.
    pub fn early_ack(mut self, on: bool) -> Self {
        self.wanted.early_ack = on;
        self.given.early_ack = true;
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
        let mapped = loop {
            match file::create(
                &self.name,
                &path,
                &self.wanted,
                &self.schema,
                &self.node.inner.members,
            ) {
                // What is there may be destroyed and have its name still.
                Err(Error::RegionExists { .. }) if self.node.finish_destroy(&path) => {}
                made => break made?,
            }
        };
        if mapped.is_distributed() {
            // The bridge finds it at once, not at its next look around.
            self.node.inner.members.ring_bell_if_asleep();
        }
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
        let current = |mapped: &Arc<Mapped>| mapped.log.is_file_at(&path) && mapped.is_usable();
        let mapped = match known.filter(current) {
            Some(mapped) => mapped,
            None => {
                let mapped = file::open(&self.name, &path, &self.node.inner.members)?;
                open.insert(self.name.clone(), Arc::downgrade(&mapped));
                mapped
            }
        };
        drop(open);
        let region = Region { mapped };
        let differences = self.wanted.differences(&region.attributes(), self.given);
        if differences.is_empty() {
            Ok(region)
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
