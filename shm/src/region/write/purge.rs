//! Dropping an entry of which other nodes need not hear: a tombstone that did its service.

use std::sync::Arc;

use crate::crash;
use crate::error::Result;
use crate::reclaim::retire;
use crate::region::index::mover;
use crate::region::mapped::Mapped;
use crate::region::read::{Found, Search};
use crate::region::thread::Context;
use crate::region::write::NO_RECORD;
use crate::sync::{Relaxed, Release, SeqCst, raise};
use crate::table::pin::TablePin;

impl Mapped {
    /// Drops exactly this version of an entry from the index, without an announcement.
    pub(crate) fn purge(self: &Arc<Self>, key: &[u8], version: u64, origin: u16) -> Result<bool> {
        Self::check_key(key)?;
        let context = self.context()?;
        let pin = self.pin_table(self.descriptor(&context));
        let purged = self.purge_pinned(&context, pin, key, (version, origin));
        pin.release();
        purged
    }

    fn purge_pinned(
        &self,
        context: &Context,
        pin: TablePin<'_>,
        key: &[u8],
        wanted: (u64, u16),
    ) -> Result<bool> {
        let thread = self.descriptor(context);
        let hazard = self.hazard(context, 0);
        let hash = self.hash(key);
        loop {
            let place = self.place_for(mover(thread), pin.log2, hash)?;
            let search = self.search(&place, hazard, hash, key);
            let found = match search.map_err(|broken| self.damaged(broken))? {
                Search::Found(found) => found,
                Search::Frozen => continue,
                Search::Absent { .. } => return Ok(false),
            };
            let token = self.token(&found.record).map_err(|broken| self.damaged(broken));
            if !token.as_ref().is_ok_and(|t| (t.version, t.origin) == wanted) {
                hazard.clear();
                return token.map(|_| false);
            }
            if self.is_wanted() {
                self.settle(found.word.location(), &found.record);
            }
            raise(&self.words().floor, wanted.0);
            let purged = self.unlink(context, &found);
            hazard.clear();
            if purged {
                return Ok(true);
            }
        }
    }

    /// Takes a record, which the caller protects, out of its slot, without an announcement. False:
    /// the slot has changed. The calling thread has no other intent.
    ///
    /// | killed after | recovery |
    /// |---|---|
    /// | `purge.intended` | finds the old word in the slot: nothing happened |
    /// | `purge.unlinked` | does not, and marks the record dead |
    pub(crate) fn unlink(&self, context: &Context, found: &Found<'_>) -> bool {
        let Found { slot, place, word, record } = found;
        let (intent, empty) = (&self.descriptor(context).intent, self.next_empty(context));
        intent.slot.store(0, Release);
        intent.announce.store(0, Release);
        intent.record.store(NO_RECORD, Release);
        intent.old.store(word.0, Release);
        intent.new.store(empty.0, Release);
        intent.slot.store(place.to_word(), Release);
        crash::point("purge.intended");
        let unlinked = slot.compare_exchange(word.0, empty.0, SeqCst, Relaxed).is_ok();
        crash::point("purge.unlinked");
        if unlinked {
            self.count_change(*word, empty);
            retire(&self.log, word.location(), record);
            self.wake_key(record.head().hash);
        }
        intent.record.store(0, Release);
        intent.slot.store(0, Release);
        unlinked
    }
}
