//! What deaths leave in the index that no recovery can tell: found by one look through it.
//!
//! 1. *The count of entries*, kept where a bound asks for it. Who dies between the change of a slot
//!    and its count makes it wrong for good.
//! 2. *Tombstones of local regions* that are hidden in the index after they were announced. Their
//!    thread takes them out, or recovery for it; if that fails, nobody else knows of them.
//!
//! Maintenance looks after recoveries, once for each that it has not looked after; writers go on.
//!
//! | killed after | state |
//! |---|---|
//! | `leftovers.counted` (count corrected by one CAS) | right |
//! | `purge.unlinked` (a tombstone left its slot) | recovery marks the record, as after a purge |
//!
//! The count of a look is exact if no write was running meanwhile. Else it is wrong by no more than
//! their number, which intents and counters tell, and a smaller difference is left for another
//! time. The correction is a CAS from the count at the end of the look, so whatever is counted
//! later comes on top, and of two who look at the same time one corrects.

use std::sync::atomic::Ordering;

use crate::crash;
use crate::error::Result;
use crate::heap::record::Record;
use crate::layout::word::{HIDDEN_TAG, Location, SlotWord};
use crate::region::Kind;
use crate::region::index::{Located, mover};
use crate::region::mapped::Mapped;
use crate::region::read::Found;
use crate::region::thread::Context;
use crate::sync::{Acquire, Relaxed, SeqCst, raise};

/// Looks after one recovery that find no quiet moment before it is left at that.
const LOOKS: u64 = 8;

impl Mapped {
    /// Repairs what deaths left, if there were any since the last time.
    pub(crate) fn tidy_after_deaths(&self, context: &Context) -> Result<()> {
        let recoveries = self.words().recoveries.load(Acquire);
        let before = self.looked_through.load(Ordering::Relaxed);
        let looks = if before / LOOKS == recoveries { before % LOOKS } else { 0 };
        if recoveries == 0 || looks + 1 == LOOKS {
            return Ok(());
        }
        if !self.is_distributed() {
            self.drop_leftover_tombstones(context)?;
        }
        let exact = self.attributes.max_entries == 0 || self.recount(context)?;
        let looks = if exact { LOOKS - 1 } else { looks + 1 };
        self.looked_through.store(recoveries * LOOKS + looks, Ordering::Relaxed);
        Ok(())
    }

    /// Corrects the count of entries as far as that is certain; false if it was not.
    pub(crate) fn recount(&self, context: &Context) -> Result<bool> {
        let words = self.words();
        let (running, changes) = (self.intended().len() as u64, self.changes());
        let mut seen: i64 = 0;
        self.look_through(context, |word| seen += i64::from(word.tag() > HIDDEN_TAG))?;
        let counted = words.entries.load(SeqCst);
        let unsure = self.changes().wrapping_sub(changes) + running + self.intended().len() as u64;
        let wrong_by = seen.wrapping_sub(counted as i64);
        if wrong_by.unsigned_abs() > unsure {
            let _ = words.entries.compare_exchange(counted, seen as u64, SeqCst, Relaxed);
            crash::point("leftovers.counted");
        }
        Ok(unsure == 0)
    }

    /// At least as many more than before as entries came and went: an insert has a number, an empty
    /// slot word a stamp, and what is replaced in a distributed region is announced.
    fn changes(&self) -> u64 {
        let words = self.words();
        let used = words.threads_used.load(SeqCst) as usize;
        let of_threads = self.threads.iter().take(used).map(|thread| {
            thread.insert.sequence.load(SeqCst).wrapping_add(thread.stamp.load(SeqCst))
        });
        of_threads.fold(words.ring_tail.load(SeqCst), u64::wrapping_add)
    }

    fn drop_leftover_tombstones(&self, context: &Context) -> Result<()> {
        let mut hidden: Vec<Location> = Vec::new();
        self.look_through(context, |word| {
            if word.tag() == HIDDEN_TAG && !word.is_empty() {
                hidden.push(word.location());
            }
        })?;
        if hidden.is_empty() {
            return Ok(());
        }
        // Read after the slots: who published one of them has named it before.
        let running = self.intended();
        for location in hidden.into_iter().filter(|location| !running.contains(location)) {
            self.drop_leftover(context, location)?;
        }
        Ok(())
    }

    fn drop_leftover(&self, context: &Context, location: Location) -> Result<()> {
        let mine = self.hazard(context, 1);
        mine.announce(location.segment());
        let mut dropped = Ok(());
        if self.log.holds(location) {
            // SAFETY: the hazard was announced before `holds` found the segment in use.
            let record = unsafe { Record::read(&self.log, location) };
            dropped = record.and_then(|record| {
                if record.head().kind != Kind::Tombstone as u8 {
                    return Ok(());
                }
                if self.is_wanted() {
                    self.settle(location, &record);
                }
                raise(&self.words().floor, record.head().version);
                let thread = self.descriptor(context);
                let pin = self.pin_table(thread);
                let hash = record.head().hash;
                let dropped = loop {
                    let at = match self.locate(mover(thread), pin.log2, hash, location) {
                        Ok(Some(at)) => at,
                        // Somebody replaced it, and retires it.
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    };
                    let Located { slot, place, word } = at;
                    // If not, its chain was moved meanwhile, or it was replaced.
                    if self.unlink(context, &Found { slot, place, word, record }) {
                        break Ok(());
                    }
                };
                pin.release();
                dropped
            });
        }
        mine.clear();
        dropped
    }

    fn look_through(&self, context: &Context, f: impl FnMut(SlotWord)) -> Result<()> {
        let pin = self.pin_table(self.descriptor(context));
        let looked = self.each_word(pin.log2, f);
        pin.release();
        looked
    }
}

#[cfg(all(test, not(vug_loom)))]
mod tests;
