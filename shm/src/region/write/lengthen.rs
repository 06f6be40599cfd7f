//! A new key whose chain is full.

use crate::error::Result;
use crate::layout::word::HeaderWord;
use crate::region::index::{Place, mover};
use crate::region::write::{Attempt, Writer};
use crate::sync::{Acquire, SeqCst};
use crate::table::linked;
use crate::table::overflow::{self, Extended};

/// Overflow buckets in use, in parts of 1024 of all, from which on the index should grow.
const NEARLY_FULL: u64 = 717;
/// The same in the next table while chains are moved there: the others are for these chains.
const LEFT_TO_MOVERS: u64 = 384;
/// Overflow buckets that a write looks at before it finds that the table is full.
const PROBES: usize = 256;

impl<'m> Writer<'m> {
    /// The chain is full: an overflow bucket, else a larger table.
    #[cold]
    pub(super) fn lengthen(
        &mut self,
        place: &Place<'m>,
        last: u32,
        full_length: bool,
    ) -> Result<Attempt> {
        let (region, table) = (self.region, place.table);
        // While chains are moved here, they must find the overflow buckets they need: no more than
        // those of the old table, which is half of them. The margin is for writers who look at the
        // count at the same time.
        let moving = region.words().table.load(Acquire) < u64::from(table.log2);
        let load = region.overflow_load(table);
        if !(full_length || moving && load >= LEFT_TO_MOVERS) {
            match self.extend(place, last, PROBES)? {
                Extended::Added if load >= NEARLY_FULL && !moving => {
                    // There is room yet: whoever finds none will say why.
                    let _ = region.build_next(self, table.log2, false);
                    return Ok(Attempt::Again);
                }
                Extended::Added | Extended::Changed => return Ok(Attempt::Again),
                Extended::Full => {}
            }
        }
        if moving {
            region.move_all(mover(self.thread), table.log2 - 1)?;
            return Ok(Attempt::Again);
        }
        let mut built = region.build_next(self, table.log2, true);
        if !matches!(built, Ok(true)) && self.give_up() {
            built = region.build_next(self, table.log2, true);
        }
        if matches!(built, Ok(true)) {
            return Ok(Attempt::Again);
        }
        // No memory for it: the rest of what is there.
        if !full_length && self.extend(place, last, usize::MAX)? != Extended::Full {
            return Ok(Attempt::Again);
        }
        if region.evicts() && region.evict_from_chain(self.context, place)? {
            return Ok(Attempt::Again);
        }
        // Somebody else may have built it meanwhile, with the memory that was missing here.
        if region.grows_from(table.log2) {
            return Ok(Attempt::Again);
        }
        // Dead members may hold what is missing.
        if crate::recover::recover_region(region).is_ok_and(|freed| freed > 0) {
            return Ok(Attempt::Again);
        }
        // Or has that memory and no name for the table yet. It may be stopped or die: then there is
        // none after all.
        if region.is_being_built(table.log2) && self.way.wait() {
            return Ok(Attempt::Again);
        }
        Err(built.err().unwrap_or_else(|| self.out_of_space("index")))
    }

    fn extend(&self, place: &Place<'m>, last: u32, probes: usize) -> Result<Extended> {
        let table = place.table;
        let extended = overflow::extend(table, &self.thread.overflow_claim, last, probes);
        match extended {
            Extended::Added => self.region.count_overflow(table.log2),
            // Linked by others, or frozen; a frozen link under an idle header is damage.
            Extended::Changed => {
                let link = table.buckets[last as usize].link.load(SeqCst);
                let header = &table.buckets[place.primary as usize].header;
                if linked(link).is_none() && !HeaderWord(header.load(SeqCst)).is_frozen() {
                    return Err(self.region.damaged_bucket(last));
                }
            }
            Extended::Full => {}
        }
        Ok(extended)
    }
}
