//! Building the next table: memory for it is taken, filled with zeros, and named.
//!
//! That takes milliseconds for a large table, so it is begun while overflow buckets are left, and
//! each insert of the process does a piece of it ([`PIECE`] bytes, or one segment of memory). Who
//! finds no overflow bucket any more is *urgent*, and does all that is left. Others do not help
//! before the table has a name: a helper that was stopped could zero a word that is in use by then.
//! Whoever is urgent in another process builds a table of its own; the directory takes one of
//! them, and the other is given back.
//!
//! What is under way is private to the process; in the region it is segments that are active in
//! the name of one of its threads and say which table they are for, as they always were. The table
//! gets its name only from a thread that has pinned the table before it, and has seen after that
//! that this is still the current one: so a table of that number cannot have come and gone.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | a segment is claimed, and says for which table | active, owner dead | recovery: Active -> Sealed |
//! | a piece is filled with zeros | the same | the same |
//! | directory names the table | as in [`index`](super) | the same |
//!
//! A process that writes no more keeps the memory of a table that it has begun until it makes room,
//! maintains the region, or leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::append::Author;
use crate::heap::{Log, run};
use crate::layout::region::MAX_TABLE;
use crate::layout::word::{RunWord, SegmentState};
use crate::region::mapped::Mapped;
use crate::sync::{Acquire, Relaxed, Release, SeqCst};
use crate::table::tables;

/// Bytes that an insert fills with zeros.
const PIECE: usize = 64 << 10;

/// The table that this process builds.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// Whether there is one: a hint that spares the lock.
    busy: AtomicBool,
    build: Mutex<Option<Build>>,
}

/// A table under way.
#[derive(Debug, Clone, Copy)]
struct Build {
    /// Its name.
    table: u32,
    /// In whose name its segments are active.
    thread: u32,
    first: u32,
    count: u32,
    /// Segments claimed so far, from the highest down.
    claimed: u32,
    /// Bytes filled with zeros, from the start.
    zeros: usize,
}

impl Builder {
    fn lock(&self) -> MutexGuard<'_, Option<Build>> {
        self.build.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back what was taken for a table without a name; whether there was one.
    pub(crate) fn give_up(&self, log: &Log) -> bool {
        self.try_lock().is_some_and(|mut build| self.drop_build(&mut build, log))
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Option<Build>>> {
        match self.build.try_lock() {
            Ok(build) => Some(build),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether segments may be active in the name of a thread that has begun a table; asked by
    /// that thread.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    fn drop_build(&self, build: &mut Option<Build>, log: &Log) -> bool {
        self.busy.store(false, Ordering::Relaxed);
        let given_up = build.take();
        if let Some(Build { thread, first, count, claimed, .. }) = given_up {
            run::give_back(log, thread, first + count - claimed, claimed);
        }
        given_up.is_some()
    }
}

impl Mapped {
    /// Builds the table of twice the size beside table `log2`, unless somebody has or, if it is not
    /// `urgent`, does: then it is only begun. False: there is no memory for it. The author's thread
    /// has pinned table `log2` or an earlier one.
    pub(crate) fn build_next(&self, author: &impl Author, log2: u32, urgent: bool) -> Result<bool> {
        let words = self.words();
        if words.table.load(SeqCst) != u64::from(log2) || self.grows_from(log2) {
            // Nobody makes the index of a destroyed region larger.
            return if self.is_destroyed() { Err(self.damaged_table(log2)) } else { Ok(true) };
        }
        let next = log2 + 1;
        if next > MAX_TABLE {
            return Ok(false);
        }
        if !urgent && words.builder.load(Relaxed) >> 32 == u64::from(log2) {
            return Ok(true);
        }
        words.builder.store(u64::from(log2) << 32 | u64::from(author.thread()), Relaxed);
        self.retire_tables();
        let count = u32::try_from(self.log.geometry().table_segments(next)).unwrap_or(u32::MAX);
        let mut slot = self.builder.lock();
        if let Some(build) = slot.filter(|build| build.table != next || !urgent) {
            if build.table == next {
                return Ok(true);
            }
            self.builder.drop_build(&mut slot, &self.log);
        }
        let thread = author.thread();
        let build = |first, claimed| Build { table: next, thread, first, count, claimed, zeros: 0 };
        if slot.is_none() && !urgent {
            let Some(first) = run::find_window(&self.log, author, count)? else {
                return Ok(false);
            };
            *slot = Some(build(first, 0));
            self.builder.busy.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        while slot.is_some() {
            self.build_piece(&mut slot, log2, usize::MAX)?;
        }
        if self.grows_from(log2) {
            return Ok(true);
        }
        let Some(first) = run::claim_or_compact(&self.log, author, count)? else {
            return Ok(false);
        };
        for segment in first..first + count {
            self.say_for_table(segment, next);
        }
        *slot = Some(build(first, count));
        while slot.is_some() {
            self.build_piece(&mut slot, log2, usize::MAX)?;
        }
        Ok(true)
    }

    /// A piece of the table that this process builds, if it does. `log2`: the table of the caller's
    /// pin.
    #[inline]
    pub(crate) fn build_some(&self, log2: u32) -> Result<()> {
        if !self.builder.busy.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.builder.try_lock() {
            Some(mut build) => self.build_piece(&mut build, log2, PIECE),
            None => Ok(()),
        }
    }

    /// All that is left of it.
    pub(crate) fn finish_build(&self, log2: u32) -> Result<()> {
        let mut build = self.builder.lock();
        while build.is_some() {
            self.build_piece(&mut build, log2, usize::MAX)?;
        }
        Ok(())
    }

    /// Does a piece of what `slot` says, and empties it when that is done or of no use any more.
    fn build_piece(&self, slot: &mut Option<Build>, pinned: u32, piece: usize) -> Result<()> {
        let Some(build) = slot else {
            return Ok(());
        };
        let log = &self.log;
        let current = self.words().table.load(SeqCst);
        let of_use = current + 1 == u64::from(build.table)
            && u64::from(pinned) <= current
            && !self.grows_from(build.table - 1);
        if !of_use {
            self.builder.drop_build(slot, log);
            return Ok(());
        }
        let bytes = build.count as usize * log.segment_bytes();
        if build.claimed < build.count {
            let segment = build.first + build.count - build.claimed - 1;
            let left = build.count - build.claimed;
            match run::claim_one(log, build.thread, segment, left) {
                Ok(true) => {
                    self.say_for_table(segment, build.table);
                    build.claimed += 1;
                }
                // Somebody was faster, or there is no memory but what others must have: whoever
                // needs the table tries again.
                other => {
                    self.words().builder.store(0, Relaxed);
                    self.builder.drop_build(slot, log);
                    return match other {
                        Ok(_) | Err(Error::FileSystemFull { .. }) => Ok(()),
                        Err(error) => Err(error),
                    };
                }
            }
        } else if build.zeros < bytes {
            let segment = build.first + (build.zeros / log.segment_bytes()) as u32;
            let from = build.zeros % log.segment_bytes();
            let to = from.saturating_add(piece).min(log.segment_bytes());
            log.wipe(segment, build.thread, from..to);
            build.zeros += to - from;
            crash::point("grow.zeroed");
        } else if self.is_ours(build) {
            self.name_table(*build);
            *slot = None;
            self.builder.busy.store(false, Ordering::Relaxed);
        } else {
            self.builder.drop_build(slot, log);
        }
        Ok(())
    }

    /// Whether its segments are as they were claimed: else somebody took this process for dead, or
    /// the file is damaged.
    fn is_ours(&self, build: &Build) -> bool {
        (build.first..build.first + build.count).all(|segment| {
            let word = self.log.state(segment);
            let named = RunWord::table(build.table, word.generation()).0;
            word.state() == Some(SegmentState::Active)
                && word.owner() == build.thread
                && self.log.header(segment).is_some_and(|header| header.run.load(Acquire) == named)
        })
    }

    /// The caller has pinned the table before it, or an earlier one, and seen that it is current.
    fn name_table(&self, Build { table, thread, first, count, .. }: Build) {
        crash::point("grow.built");
        let word = &self.words().tables[table as usize];
        let named = word.compare_exchange(0, u64::from(first) + 1, SeqCst, SeqCst);
        crash::point("grow.named");
        match named {
            Ok(_) => self.settle_table(table),
            Err(_) => run::give_back(&self.log, thread, first, count),
        }
    }

    /// A claimed segment says for which table it is, in this generation of it.
    fn say_for_table(&self, segment: u32, table: u32) {
        if let Some(header) = self.log.header(segment) {
            let generation = self.log.state(segment).generation();
            header.run.store(RunWord::table(table, generation).0, Release);
        }
        crash::point("grow.claimed");
    }

    /// Whether somebody has memory for the table of twice the size, which has no name yet.
    pub(crate) fn is_being_built(&self, log2: u32) -> bool {
        (0..self.log.segments()).any(|segment| {
            let word = self.log.state(segment);
            let built = RunWord::table(log2 + 1, word.generation()).0;
            word.state() == Some(SegmentState::Active)
                && self.log.header(segment).is_some_and(|header| header.run.load(Acquire) == built)
        })
    }

    /// Active -> Index for all segments of a table that the directory names, whoever built it.
    pub(super) fn settle_table(&self, log2: u32) {
        let Some((first, count)) = tables::place(&self.log, log2) else {
            return;
        };
        for segment in first..first + count {
            let word = self.log.state(segment);
            if word.state() == Some(SegmentState::Active)
                && tables::is_part(&self.log, log2, segment, word)
                && self.log.transition(segment, word, word.becomes(SegmentState::Index, log2))
            {
                crash::point("grow.settled");
            }
        }
    }
}
