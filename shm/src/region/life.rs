//! The end of a region: closing it in one process, destroying it for all.
//!
//! # Destroyed
//!
//! The word `table` of the region names the current index table, and every operation begins by
//! reading it. A destroyed region has the bits of [`DESTROYED`] set in it: no table has such a
//! number, so the operation ends where a damaged index would end it, and says `RegionDestroyed`.
//! Living regions pay nothing for that. One instruction sets them: the linearization point, and
//! who loses the race is told that the region was destroyed. Operations that had read the word
//! before it take place before it.
//!
//! Then the name goes. That is done under a lock that the kernel holds for the file (not for its
//! name), so that whoever helps never takes the name from the next region.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | `destroy.marked` | destroyed for all; the file has its name | who creates or opens the name |
//! | `destroy.unnamed` | done, nobody woken | they look again by themselves, see `wait` |
//!
//! The memory goes back when the last process has let go of its mapping.
//!
//! # Closed
//!
//! A process-private matter: threads find their context by the number of the instance, and a closed
//! instance has a number that is never found.

use std::sync::atomic::Ordering;

use crate::crash;
use crate::error::{Error, Result};
use crate::layout::region::TABLES;
use crate::layout::word::{Doer, RegionOp};
use crate::region::file;
use crate::region::mapped::Mapped;
use crate::region::{Region, WriteOptions};
use crate::sync::SeqCst;

/// What a destroyed region has in its word `table` beside the number of the table: so many bits
/// that damage does not look like it. As a number of a table it is beyond all that exist.
pub(crate) const DESTROYED: u64 = 0x6465_7374_726f_7900;
/// Bits of `table` for the number.
const NUMBER: u64 = 0x3f;
const _: () = assert!(DESTROYED as u32 as usize >= TABLES && DESTROYED & NUMBER == 0);

/// Whether this is the word `table` of a destroyed region.
pub(crate) fn says_destroyed(table: u64) -> bool {
    table & !NUMBER == DESTROYED
}

/// Number of an instance that is closed.
pub(crate) const CLOSED: u64 = u64::MAX;

impl Mapped {
    pub(crate) fn is_destroyed(&self) -> bool {
        says_destroyed(self.words().table.load(SeqCst))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.instance.load(Ordering::Relaxed) == CLOSED
    }

    /// Neither destroyed nor closed.
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_closed() && !self.is_destroyed()
    }

    /// Whether operations are possible at all; those that look at the index need not ask.
    pub(crate) fn check_life(&self) -> Result<()> {
        self.members.check_process()?;
        if self.is_closed() {
            return Err(Error::RegionClosed { region: self.name.clone() });
        }
        if self.is_destroyed() {
            return Err(Error::RegionDestroyed { region: self.name.clone() });
        }
        Ok(())
    }

    /// Tells everybody who waits or listens that something happened to all of the region. Position
    /// behind the announcement.
    pub(crate) fn tell_all(&self, op: RegionOp, by: Doer) -> u64 {
        let position = self.announce_by(op, by);
        self.wake_listeners();
        self.wake_all_keys();
        position
    }

    /// Destroys the region because node `origin` did; false if it was destroyed already.
    pub(crate) fn destroy_as(&self, origin: u16) -> Result<bool> {
        match self.destroy(RegionOp::Destroy, Doer::Node(origin)) {
            Err(Error::RegionDestroyed { .. }) => Ok(false),
            destroyed => destroyed.map(|()| true),
        }
    }

    fn destroy(&self, op: RegionOp, by: Doer) -> Result<()> {
        self.check_life()?;
        let table = &self.words().table;
        let marked = table.fetch_or(DESTROYED, SeqCst);
        if says_destroyed(marked) {
            return Err(Error::RegionDestroyed { region: self.name.clone() });
        }
        crash::point("destroy.marked");
        let id = self.log.file_id();
        let unnamed = id.map_or(Ok(()), |_| file::unname(self.path(), id));
        crash::point("destroy.unnamed");
        self.tell_all(op, by);
        self.wake_writers();
        unnamed
    }

    fn close(&self) -> Result<()> {
        self.check_life()?;
        self.instance.store(CLOSED, Ordering::Relaxed);
        // Those of other processes look, and sleep again.
        self.wake_listeners();
        self.wake_all_keys();
        Ok(())
    }
}

impl Region {
    /// Closes the region in this process: for this handle, its clones, and all others of this
    /// process, which share what one of them opened. Other processes go on. What runs in other
    /// threads meanwhile may still take place.
    ///
    /// Dropping the last handle leaves the region as well; this is for telling everybody in the
    /// process that it is over. A [`Handle`](crate::Handle) and guards that exist stay valid.
    ///
    /// # Errors
    /// `RegionClosed`, `RegionDestroyed`, `ForkedChild`.
    pub fn close(&self) -> Result<()> {
        self.mapped.close()
    }

    /// Destroys the region with all its entries, on every node that has it.
    ///
    /// In a distributed region, whatever its scope, the others go first: this one is destroyed when
    /// every node that can be reached has done so. A caller that is killed meanwhile leaves it
    /// here; so does a node keep its copy that was away for longer than the bridge waits.
    ///
    /// # Errors
    /// `RegionDestroyed` if somebody else was faster, `RegionClosed`, `ForkedChild`. `Io` if the
    /// file could not be removed: the region is destroyed, and who creates it anew tries again.
    pub fn destroy_region(&self) -> Result<()> {
        self.destroy_region_with(&WriteOptions::default())
    }

    /// [`Region::destroy_region`], waiting for other nodes as the options say.
    ///
    /// # Errors
    /// As [`Region::destroy_region`]; `AckTimeout`, then other nodes may have destroyed it, and
    /// this one has not: call again, or [`Region::local_destroy_region`].
    pub fn destroy_region_with(&self, options: &WriteOptions) -> Result<()> {
        self.mapped.check_life()?;
        if self.mapped.has_others() {
            let position = self.mapped.announce_region(RegionOp::Doom);
            match self.wait_everywhere(position, options) {
                // So did another node at the same time.
                Err(Error::RegionDestroyed { .. }) => return Ok(()),
                waited => waited?,
            }
        }
        self.mapped.destroy(RegionOp::Destroy, Doer::Member(self.mapped.me as u16))
    }

    /// Destroys the region with all its entries on this node, for all its processes. There is no
    /// event for each entry.
    ///
    /// # Errors
    /// As [`Region::destroy_region`], and allowed in every region.
    pub fn local_destroy_region(&self) -> Result<()> {
        let me = Doer::Member(self.mapped.me as u16);
        self.mapped.destroy(RegionOp::LocalDestroy, me)
    }

    /// What takes entries from one replicate only is refused: replicates hold everything.
    pub(crate) fn may_differ(&self, operation: &str) -> Result<()> {
        let attributes = &self.mapped.attributes;
        self.mapped.check_life()?;
        if attributes.scope.is_distributed() && attributes.data_policy.is_replicate() {
            return Err(Error::NotAllowed {
                region: self.name().into(),
                what: format!(
                    "`{operation}` with data policy `{}` in a distributed scope",
                    attributes.data_policy
                ),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
