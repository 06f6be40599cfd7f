//! Giving memory back to the system.
//!
//! A free segment becomes *releasing* in the name of the thread that found it free, so that nobody
//! else takes it; its memory goes by punching a hole into the file; then it has none. The
//! generation goes up by one, so a taker that gave memory to it in vain sees that it did.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | Free -> Releasing | releasing, owner dead | recovery goes on |
//! | `committed`, `run`, `dead` = 0 | the same | the same |
//! | hole punched | the same | the same |
//! | Releasing -> Unbacked | - | - |
//!
//! Whoever maps the file read-only cannot announce what it looks at, so it holds a shared lock on
//! one byte of the file, and nobody punches a hole without the exclusive lock. Recovery that does
//! not get it leaves the memory to a segment that has none by its state: the next thread that takes
//! it gives it what it has, and the next release gives it back. The same holds for memory that a
//! taker gave to a segment before it died; the length of the file in blocks tells about both.

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::Log;
use crate::layout::region::READERS_LOCK;
use crate::layout::word::{SegmentState, SegmentWord};
use crate::os::ofd_lock::LockFile;
use crate::sync::{Relaxed, Release, lower};

/// Gives the memory of free segments back, those with the highest numbers first, in the name of
/// `thread`; the number of bytes. `keep`: so many free segments keep theirs; `most`: of no more
/// than so many. Nothing happens while somebody maps the file read-only, or gives memory back as
/// well.
pub(crate) fn release(log: &Log, thread: u32, keep: u32, most: u32) -> Result<u64> {
    let Some(_lock) = exclusive(log)? else {
        return Ok(0);
    };
    let free = |state| {
        let all = (0..log.segments()).rev();
        all.filter(move |&segment| log.state(segment).state() == Some(state))
    };
    let mut released = 0;
    let with_memory = free(SegmentState::Free).count();
    let count = with_memory.saturating_sub(keep as usize).min(most as usize);
    for segment in free(SegmentState::Free).take(count) {
        released += release_segment(log, thread, segment)?;
    }
    if log.has_stray_memory()? {
        for segment in free(SegmentState::Unbacked) {
            // Not counted: by their states they had none.
            release_segment(log, thread, segment)?;
        }
    }
    Ok(released)
}

/// The lock without which no hole may be punched; it goes with the value.
fn exclusive(log: &Log) -> Result<Option<LockFile>> {
    let failed = |source| Error::Io { op: "lock", path: log.path().into(), source };
    let lock = LockFile::beside(log.file()).map_err(failed)?;
    Ok(lock.try_lock(READERS_LOCK).map_err(failed)?.then_some(lock))
}

/// All steps for one segment that was free or without memory a moment ago; its bytes.
fn release_segment(log: &Log, thread: u32, segment: u32) -> Result<u64> {
    let word = log.state(segment);
    if !matches!(word.state(), Some(SegmentState::Free | SegmentState::Unbacked)) {
        return Ok(0);
    }
    let mine = word.becomes(SegmentState::Releasing, thread);
    if !log.transition(segment, word, mine) {
        return Ok(0);
    }
    crash::point("release.claimed");
    empty(log, segment);
    let punched = log.punch(segment);
    crash::point("release.punched");
    // Without memory also if that failed: a part of it may be gone.
    forsake(log, segment, mine);
    punched?;
    log.words().segments_released.fetch_add(1, Relaxed);
    Ok(log.segment_bytes() as u64)
}

/// What the header says of the last use must not be believed when the records are gone.
fn empty(log: &Log, segment: u32) {
    if let Some(header) = log.header(segment) {
        header.dead.store(0, Relaxed);
        header.run.store(0, Relaxed);
        header.committed.store(0, Release);
    }
    crash::point("release.emptied");
}

/// Releasing -> Unbacked.
fn forsake(log: &Log, segment: u32, word: SegmentWord) {
    let unbacked = SegmentWord::new(SegmentState::Unbacked, 0, word.generation() + 1);
    if log.transition(segment, word, unbacked) {
        crash::point("release.unbacked");
        lower(&log.words().unbacked_hint, u64::from(segment));
    }
}

/// Goes on with a segment that a dead thread was releasing. Only the one recovery that has the
/// thread's descriptor comes here. Best effort: see the module.
pub(crate) fn recover(log: &Log, segment: u32, word: SegmentWord) {
    empty(log, segment);
    if let Ok(Some(_lock)) = exclusive(log) {
        let _ = log.punch(segment);
    }
    forsake(log, segment, word);
}
