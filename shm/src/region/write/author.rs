//! What a write does when there is no segment for its record.

use crate::error::Result;
use crate::heap::append::Author;
use crate::layout::word::Location;
use crate::region::Kind;
use crate::region::clean::Goal;
use crate::region::write::Writer;
use crate::sync::Release;

impl Author for Writer<'_> {
    fn thread(&self) -> u32 {
        self.context.index
    }

    fn announce(&self, location: Location) {
        self.thread.intent.record.store(location.0 + 1, Release);
    }

    fn reclaim(&self, all: bool) -> Result<bool> {
        Ok(self.region.reclaim(self.context, all)? > 0)
    }

    fn forget_unread(&self) -> Result<bool> {
        Ok(self.region.forget_unread(self.context)? > 0)
    }

    fn make_room(&self) -> Result<bool> {
        self.let_go();
        self.region.make_room(self.context)
    }

    fn make_room_for(&self, segments: u32) -> Result<bool> {
        self.make_way(segments)
    }

    fn clean_for(&self, segments: u32) -> Result<bool> {
        if self.appended.is_some() || self.region.evicts() {
            return Ok(false);
        }
        self.let_go();
        let free = self.region.log.reserve().saturating_add(segments);
        let goal = Goal { free, worth: 0, bytes: u64::MAX, held: false };
        Ok(self.region.clean(self.context, goal)?.freed > 0)
    }

    fn vacate(&self, segment: u32) -> Result<bool> {
        // Cleaning needs the intent.
        if self.appended.is_some() {
            return Ok(false);
        }
        self.let_go();
        self.region.vacate(self.context, segment)
    }

    fn wait_for_room(&self) -> bool {
        self.region.is_waited_for(&self.way)
    }

    fn may_use_reserve(&self) -> bool {
        // Destroys of local regions can do without a record.
        self.change.kind == Kind::Tombstone && self.region.is_distributed()
    }

    fn lives_long(&self) -> bool {
        self.lives_long
    }
}
