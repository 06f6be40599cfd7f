//! Records that subscriptions have still to read: segments that hold them are reused last.
//!
//! A ring cell names a record, and tells nothing once the segment of the record is used again. Of
//! few keys that change often all segments but the youngest are dead at once, so a region that
//! reused them first would tell a listener no more than what fits into them, however much memory
//! there is. So memory is taken in this order:
//!
//! 1. dead segments that no listed subscription has still to read;
//! 2. segments without memory, up to the bound of the region;
//! 3. when fewer are left than maintenance aims at, the dead ones that are still to be read, those
//!    that were announced first before the others.
//!
//! Nothing that lives is moved or given up for a subscription, and no write fails because of one:
//! whoever finds no room otherwise takes 3 at once. A subscription that is behind by more than the
//! ring counts no more, so one that is stopped for good costs as much memory as the ring has
//! records, for as long.
//!
//! All of it is a guess that decides about memory only. The cells between the oldest cursor and
//! the end of the ring say which segments these are; of many cells some are looked at, and a
//! segment that none of these names is one of few records.

use std::sync::atomic::Ordering;

use crate::error::Result;
use crate::journal::Cell;
use crate::reclaim;
use crate::region::mapped::Mapped;
use crate::region::thread::Context;

/// Cells that are looked at, at most.
const LOOKS: u64 = 1 << 16;

impl Mapped {
    /// Frees what is dead, but for what is to be kept for subscriptions; the number of segments.
    pub(crate) fn reclaim_read(&self, context: &Context, all: bool) -> Result<u32> {
        let unread = self.unread();
        let wanted = self.log.high_mark() as usize + 1;
        let missing = wanted.saturating_sub(self.log.count_free(wanted));
        // Several at once, so that not every segment that is taken needs another look.
        let given_up = if missing == 0 { 0 } else { missing + unread.len() / 16 };
        let spared = unread.get(given_up..).unwrap_or_default();
        self.keeps_unread.store(!spared.is_empty(), Ordering::Relaxed);
        let mine = self.hazard(context, 1);
        reclaim::collect_but(&self.log, self.protectors(), mine, all, spared)
    }

    /// Frees what was kept for subscriptions; the number of segments.
    pub(crate) fn forget_unread(&self, context: &Context) -> Result<u32> {
        if !self.keeps_unread.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let mine = self.hazard(context, 1);
        reclaim::collect(&self.log, self.protectors(), mine, false)
    }

    /// Dead segments with records that a listed subscription has still to read, in the order in
    /// which they were announced.
    fn unread(&self) -> Vec<u32> {
        let mut unread = Vec::new();
        let ring = self.log.geometry().ring_len;
        let Some(behind) = self.users().behind(ring).filter(|_| self.is_wanted()) else {
            return unread;
        };
        let journal = self.journal();
        let (mut position, tail) = (behind, journal.tail());
        let step = (tail.saturating_sub(behind) / LOOKS).max(1);
        let mut noted = vec![false; self.log.segments() as usize];
        while position < tail {
            if let Cell::Written(cell) = journal.read(position)
                && let Some(noted) = noted.get_mut(cell.location().segment() as usize)
                && !*noted
                && self.log.holds(cell.location())
                && self.log.seems_dead(cell.location().segment())
            {
                *noted = true;
                unread.push(cell.location().segment());
            }
            position += step;
        }
        unread
    }
}

#[cfg(test)]
mod tests;
