//! Pin words: protection that outlives an operation and may change threads.
//!
//! A member has a row of pin words in the region. One word names one segment, however many guards
//! of the process look at it: the count is private to the process, under a process-private mutex.
//! A pin is taken while a hazard protects the segment and the hazard is cleared only afterwards;
//! reclaimers read hazards first and pins second, so they see one or the other.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::crash;
use crate::layout::thread::{Attachment, PINS};
use crate::os::clock::coarse_micros;
use crate::sync::{Relaxed, Release, SeqCst, raise};

#[derive(Debug, Default)]
struct Table {
    /// Segment -> (pin word, guards).
    held: HashMap<u32, (usize, u32)>,
    free: Vec<usize>,
    next: usize,
}

/// The pins of this process in one region.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    table: Mutex<Table>,
}

impl Pins {
    /// Pins a segment that the caller protects by a hazard. False: all words are in use.
    pub(crate) fn pin(&self, row: &Attachment, segment: u32) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, guards)) = table.held.get_mut(&segment) {
            *guards += 1;
            return true;
        }
        let word = match table.free.pop() {
            Some(word) => word,
            None if table.next < PINS => {
                table.next += 1;
                table.next - 1
            }
            None => return false,
        };
        raise(&row.pins_used, word as u64 + 1);
        row.pinned_at[word].store(coarse_micros(), Relaxed);
        row.pins[word].store(u64::from(segment) + 1, SeqCst);
        crash::point("pin.set");
        table.held.insert(segment, (word, 1));
        true
    }

    /// Drops one guard's pin.
    pub(crate) fn unpin(&self, row: &Attachment, segment: u32) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((word, guards)) = table.held.get_mut(&segment) else {
            return;
        };
        *guards -= 1;
        if *guards == 0 {
            let word = *word;
            row.pins[word].store(0, Release);
            table.held.remove(&segment);
            table.free.push(word);
        }
    }
}
