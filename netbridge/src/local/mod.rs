//! The node's regions, seen through the core's [`Store`] trait.
//!
//! This is the only module that knows the shared-memory library.

pub(crate) mod asks;
mod convert;
mod regions;
mod store;
mod usage;

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use crate::config::RegionConfig;
use crate::replica::store::{RegionId, Store};
use regions::Regions;
pub(crate) use usage::{RegionUsage, origin_of, usage};

pub(crate) use vug::Error as LibraryError;
use vug::bridge::Seat;

/// Bytes copied per region and round: the bridge has more urgent things to do.
const UPKEEP: u64 = 1 << 20;

/// What the hub needs of a node's regions besides the core's store. A clone is the same node.
pub(crate) trait Home: Store + Clone {
    /// Looks for regions that appeared or vanished since the last time. Costs one system call
    /// when there is none, unless `thorough`.
    fn refresh(&self, thorough: bool) -> Result<(), LibraryError>;
    /// A number that changes whenever a region was written to, or appeared or vanished.
    fn progress(&self) -> u64;
    /// Files that are no usable region, with the reason.
    fn unusable(&self) -> Vec<(String, String)>;
    /// Frees what dead members of the node left behind, and does a little of the upkeep of all
    /// regions, a few milliseconds at most; answers how many dead members there were.
    fn maintain(&self) -> Result<u32, LibraryError>;
    /// Announces sleep; look at [`progress`](Self::progress) once more before waiting.
    fn arm(&self);
    /// Takes the announcement back.
    fn disarm(&self);
    /// The region of an incarnation, if it is distributed.
    fn region_of(&self, incarnation: u64) -> Option<RegionId>;
    /// Bumped by every bridge that served this node.
    fn epoch(&self) -> u64;
    /// The bell, to be waited on: a FIFO that is readable when a writer rang.
    fn bell(&self) -> io::Result<OwnedFd>;
}

/// The home directory of a node, with the bridge's seat taken.
///
/// A clone is the same store: the engine has one and the hub another.
#[derive(Debug, Clone)]
pub(crate) struct LocalStore {
    node: vug::Node,
    seat: Rc<Seat>,
    regions: Rc<RefCell<Regions>>,
}

/// Why a node cannot be served.
#[derive(Debug)]
pub(crate) enum OpenError {
    Library(LibraryError),
    /// The node has this other origin.
    OtherOrigin(u16),
}

impl From<LibraryError> for OpenError {
    fn from(error: LibraryError) -> Self {
        Self::Library(error)
    }
}

impl LocalStore {
    /// Takes the bridge's seat of the node, gives the node its origin, and opens the configured
    /// regions and every other distributed region.
    pub(crate) fn open(
        home: &Path,
        origin: u16,
        configured: &[RegionConfig],
    ) -> Result<Self, OpenError> {
        let node = vug::Node::open(home)?;
        let seat = Rc::new(node.bridge_seat()?);
        match node.origin() {
            0 => node.set_origin(origin)?,
            own if own == origin => {}
            other => return Err(OpenError::OtherOrigin(other)),
        }
        for region in configured {
            convert::open_configured(&node, region)?;
        }
        let mut regions = Regions::default();
        regions.refresh(&node, &seat)?;
        Ok(Self { node, seat, regions: Rc::new(RefCell::new(regions)) })
    }

    /// Identity of the node.
    pub(crate) fn node_id(&self) -> u128 {
        self.node.id()
    }
}

impl Home for LocalStore {
    fn refresh(&self, thorough: bool) -> Result<(), LibraryError> {
        let mut regions = self.regions.borrow_mut();
        if thorough || regions.directory_changed(self.node.home()) {
            regions.refresh(&self.node, &self.seat)?;
        }
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.regions.borrow().progress()
    }

    fn unusable(&self) -> Vec<(String, String)> {
        self.regions.borrow().unusable()
    }

    fn maintain(&self) -> Result<u32, LibraryError> {
        let mut options = vug::MaintainOptions::default();
        options.copy_bytes = UPKEEP;
        self.node.maintain(&options).map(|done| done.recovery.members)
    }

    fn arm(&self) {
        // Only a forked child is refused, and this is the process that took the seat.
        let _ = self.seat.arm();
    }

    fn disarm(&self) {
        let _ = self.seat.disarm();
    }

    fn region_of(&self, incarnation: u64) -> Option<RegionId> {
        self.regions.borrow().of_incarnation(incarnation)
    }

    fn epoch(&self) -> u64 {
        self.seat.epoch()
    }

    fn bell(&self) -> io::Result<OwnedFd> {
        self.seat.bell().try_clone_to_owned()
    }
}
