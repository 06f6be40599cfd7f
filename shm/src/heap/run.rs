//! Windows: segments that lie side by side, for what one segment cannot hold.
//!
//! A window is claimed segment by segment, each by the CAS that takes a single one, so that every
//! moment of it is a state that recovery knows: segments that are active in the name of a thread.
//! Whoever finds one of them taken gives back what it has and looks further down. All claim from
//! the highest segment of a window to the lowest, and search from the highest window to the
//! lowest, so of two that collide the one that was first goes on.
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | each claim | active, owner dead | recovery: Active -> Sealed, empty, reclaimed |
//! | a segment given back | the others are active, owner dead | the same |

use crate::error::{Error, Result};
use crate::heap::Log;
use crate::heap::append::{self, Author};
use crate::layout::word::SegmentState;

/// Claims `count` segments side by side in the author's name; the number of the first. All have
/// memory, of any content, and are active and empty. `None`: there is no such window, and nobody
/// freed a segment during the search.
pub(crate) fn claim_window(log: &Log, author: &impl Author, count: u32) -> Result<Option<u32>> {
    loop {
        let before = log.progress();
        let found = search(log, author, count);
        if let Ok(Some(_)) = found {
            return found;
        }
        let reclaimed = author.reclaim(false)? | author.reclaim(true)?;
        let again = match found {
            Ok(_) | Err(Error::FileSystemFull { .. }) => reclaimed || log.progress() != before,
            Err(_) => false,
        };
        if !again {
            return found;
        }
    }
}

/// Gives a window back that `thread` claimed and nothing in the region refers to.
pub(crate) fn give_back(log: &Log, thread: u32, first: u32, count: u32) {
    for segment in first..first.saturating_add(count).min(log.segments()) {
        let word = log.state(segment);
        if word.state() == Some(SegmentState::Active) && word.owner() == thread {
            // Of the same generation: no location names it, and who waits for segments to become
            // free must not take this for progress.
            log.transition(segment, word, word.becomes(SegmentState::Free, 0));
            log.note_free(segment);
        }
    }
}

/// One pass over all windows, the highest first. An error only if no window could be had.
fn search(log: &Log, author: &impl Author, count: u32) -> Result<Option<u32>> {
    let mut full = None;
    let mut end = log.segments();
    while let Some(first) = end.checked_sub(count).filter(|_| count > 0) {
        if let Some(taken) = (first..end).rev().find(|&segment| !is_free(log, segment)) {
            end = taken;
            continue;
        }
        if !leaves_enough(log, author, count) {
            break;
        }
        match claim_all(log, author.thread(), first, end) {
            Ok(None) => return Ok(Some(first)),
            Ok(Some(taken)) => end = taken,
            Err((segment, error)) => {
                full = Some(error);
                end = segment;
            }
        }
    }
    full.map_or(Ok(None), Err)
}

fn is_free(log: &Log, segment: u32) -> bool {
    matches!(log.state(segment).state(), Some(SegmentState::Free | SegmentState::Unbacked))
}

/// Whether enough segments stay free for those who must have one.
fn leaves_enough(log: &Log, author: &impl Author, count: u32) -> bool {
    let kept = append::kept(log, author);
    let wanted = count as usize + kept;
    kept == 0 || (0..log.segments()).filter(|&s| is_free(log, s)).take(wanted).count() == wanted
}

/// Claims a window. Some = this segment was taken by somebody else, and the window was given back.
fn claim_all(
    log: &Log,
    thread: u32,
    first: u32,
    end: u32,
) -> std::result::Result<Option<u32>, (u32, Error)> {
    for segment in (first..end).rev() {
        let word = log.state(segment);
        let backed = match word.state() {
            Some(SegmentState::Free) => Ok(true),
            Some(SegmentState::Unbacked) => log.back(segment).map(|()| true),
            _ => Ok(false),
        };
        let claimed = backed.map(|free| free && log.claim(segment, word, thread, 0).is_some());
        if !matches!(claimed, Ok(true)) {
            give_back(log, thread, segment + 1, end - segment - 1);
            return claimed.map(|_| Some(segment)).map_err(|error| (segment, error));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
