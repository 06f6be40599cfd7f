//! Upkeep: what any member may do beside its work, so that writes need not do it.

use std::sync::Arc;
use std::time::Duration;

use crate::crash;

use crate::error::Result;
use crate::heap::release;
use crate::layout::word::SegmentState;
use crate::os::clock;
use crate::recover::Recovery;
use crate::region::Region;
use crate::region::clean::Goal;
use crate::region::mapped::Mapped;
use crate::region::sweep::Swept;
use crate::region::thread::Context;
use crate::sync::Relaxed;

/// A segment is not cleaned in the background for less than this part of its bytes.
const WORTH: u64 = 8;
/// A region from which no segment was taken for so long is idle.
const IDLE: Duration = Duration::from_secs(10);
/// The same in an evicting region, where copies are promoted.
const EVICTING_WORTH: u64 = 2;

/// How much one [`Region::maintain`](crate::Region::maintain) does.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MaintainOptions {
    /// Bytes of records that may be copied; a segment that was begun is finished. Default 64 MiB.
    pub copy_bytes: u64,
    /// Entries that may be looked at because they could have expired. Default 1 Mi.
    pub sweep: u64,
    /// Clean every segment of which an eighth is dead, not only until enough are free. Default
    /// false.
    pub compact: bool,
    /// Memory of free segments goes back to the system when no segment has been taken for so long,
    /// as this call and earlier ones of all members saw it. A thirty-second of the region and the
    /// reserve for cleaning keep theirs, so that a burst of writes does not have to ask for it.
    /// Default 10 s; `None`: never.
    pub idle: Option<Duration>,
}

impl Default for MaintainOptions {
    fn default() -> Self {
        Self { copy_bytes: 64 << 20, sweep: 1 << 20, compact: false, idle: Some(IDLE) }
    }
}

impl MaintainOptions {
    /// Everything that is worth it, without a limit.
    pub fn thorough() -> Self {
        Self { copy_bytes: u64::MAX, sweep: u64::MAX, compact: true, ..Self::default() }
    }
}

/// What a call of [`Region::maintain`](crate::Region::maintain) did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Maintenance {
    /// For dead members.
    pub recovery: Recovery,
    /// By the sweep for expired entries.
    pub swept: Swept,
    /// Segments emptied by copying what lived in them.
    pub segments_cleaned: u64,
    /// Records copied by that.
    pub records_moved: u64,
    /// Bytes of these.
    pub bytes_moved: u64,
    /// Segments that became free.
    pub segments_freed: u64,
    /// Bytes of memory given back to the system, because the region was idle.
    pub bytes_released: u64,
}

impl Maintenance {
    pub(crate) fn add(&mut self, other: &Self) {
        self.recovery.add(other.recovery);
        self.swept.add(&other.swept);
        self.segments_cleaned += other.segments_cleaned;
        self.records_moved += other.records_moved;
        self.bytes_moved += other.bytes_moved;
        self.segments_freed += other.segments_freed;
        self.bytes_released += other.bytes_released;
    }
}

impl Region {
    /// Does what writes would have to do sooner or later: recovers dead members, takes out expired
    /// entries, frees dead segments, and copies what lives in mostly dead ones until there is room
    /// to spare. Any member may call it at any time, several at once too; nobody waits for it.
    /// Processes that call it now and then keep this work out of the writes of all.
    ///
    /// # Errors
    /// `Damaged`, `TooManyThreads`, `ForkedChild`.
    pub fn maintain(&self, options: &MaintainOptions) -> Result<Maintenance> {
        self.mapped.maintain(options)
    }
}

impl Region {
    /// Gives the memory of segments that hold nothing back to the system, dead ones included, also
    /// those that a subscription has still to read; the number of bytes. Taken again as it is
    /// needed. What lives is not moved: after [`Region::maintain`] with
    /// [`MaintainOptions::thorough`] more segments hold nothing. Distributed regions keep what they
    /// need to store a destroy at any time. Nothing is given back while a process has the region
    /// open read-only, since it may look anywhere.
    ///
    /// # Errors
    /// `Io`, `Damaged`, `TooManyThreads`, `ForkedChild`.
    pub fn release_memory(&self) -> Result<u64> {
        self.mapped.release_memory()
    }
}

impl Mapped {
    fn release_memory(self: &Arc<Self>) -> Result<u64> {
        let context = self.context()?;
        for all in [false, true] {
            self.reclaim(&context, all)?;
        }
        self.forget_unread(&context)?;
        // What lives may have to be cleaned, also where the file system gives nothing any more.
        let keeps = self.is_distributed() || self.holds_anything();
        let keep = if keeps { self.log.reserve() } else { 0 };
        release::release(&self.log, context.index, keep, u32::MAX)
    }

    /// Whether any record lives, as far as the hints say.
    fn holds_anything(&self) -> bool {
        (0..self.log.segments()).any(|segment| {
            let empty = [SegmentState::Free, SegmentState::Unbacked, SegmentState::Index];
            let holds = self.log.state(segment).state().is_some_and(|it| !empty.contains(&it));
            let dead = self.log.header(segment).map_or(0, |header| header.dead.load(Relaxed));
            holds && dead < self.log.committed(segment) as u64
        })
    }

    /// Gives memory back if no segment was taken for `idle`. The two words are hints of all
    /// members: whoever finds that segments were taken says when, and nobody gives anything back
    /// before that is long ago.
    fn release_if_idle(&self, context: &Context, idle: Option<Duration>) -> Result<u64> {
        let (words, now) = (self.words(), clock::coarse_micros());
        let births = words.births.load(Relaxed);
        if words.quiet_births.load(Relaxed) != births {
            words.quiet_since.store(now, Relaxed);
            words.quiet_births.store(births, Relaxed);
            crash::point("maintain.noted");
        }
        let quiet = now.saturating_sub(words.quiet_since.load(Relaxed));
        if idle.is_none_or(|idle| u128::from(quiet) < idle.as_micros()) {
            return Ok(0);
        }
        release::release(&self.log, context.index, self.log.high_mark(), u32::MAX)
    }

    fn worth(&self) -> u64 {
        if self.evicts() { EVICTING_WORTH } else { WORTH }
    }

    fn maintain(self: &Arc<Self>, options: &MaintainOptions) -> Result<Maintenance> {
        let recovery = crate::recover::recover_all(self)?;
        let context = self.context()?;
        self.finish_growth(self.descriptor(&context))?;
        self.finish_clear()?;
        let swept = self.sweep(options.sweep)?;
        self.tidy_after_deaths(&context)?;
        let mut done = Maintenance { recovery, swept, ..Maintenance::default() };
        for all in [false, true] {
            done.segments_freed += self.reclaim(&context, all)?;
        }
        let goal = Goal {
            free: if options.compact { u32::MAX - 1 } else { self.log.high_mark() },
            worth: self.log.segment_bytes() as u64 / self.worth(),
            bytes: options.copy_bytes,
            held: true,
        };
        let cleaned = self.clean(&context, goal)?;
        done.segments_cleaned = cleaned.segments;
        done.records_moved = cleaned.records;
        done.bytes_moved = cleaned.bytes;
        done.segments_freed += cleaned.freed;
        done.bytes_released = self.release_if_idle(&context, options.idle)?;
        Ok(done)
    }
}
