//! Collects what an audit finds, in bounded memory however damaged the file is.

use std::fmt::Display;

use crate::check::Problem;
use crate::check::owners::Life;

/// Problems that are listed; of the others only the number is kept.
const LISTED: usize = 1000;
/// Notes that are kept.
const NOTES: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
    notes: Vec<String>,
    more: u64,
    more_unrecoverable: bool,
}

impl Findings {
    /// Something that no death at any instruction explains.
    pub(super) fn problem(&mut self, place: impl Display, what: impl Display) {
        self.add(place, what, false);
    }

    /// Something that a death leaves and recovery mends.
    pub(super) fn recoverable(&mut self, place: impl Display, what: impl Display) {
        self.add(place, what, true);
    }

    /// An unfinished step of an owner: work in progress while it lives, recoverable when it is
    /// dead, and never right when there is no owner.
    pub(super) fn unfinished(&mut self, life: Life, place: impl Display, what: impl Display) {
        match life {
            Life::Dead => self.recoverable(place, what),
            Life::Alive | Life::Unknown => self.note(format_args!("{place}: {what}")),
            Life::Free => self.problem(place, what),
        }
    }

    pub(super) fn note(&mut self, what: impl Display) {
        if self.notes.len() < NOTES {
            self.notes.push(what.to_string());
        }
    }

    fn add(&mut self, place: impl Display, what: impl Display, recoverable: bool) {
        if self.problems.len() < LISTED - 1 {
            self.problems.push(Problem {
                place: place.to_string(),
                what: what.to_string(),
                recoverable,
            });
        } else {
            self.more += 1;
            self.more_unrecoverable |= !recoverable;
        }
    }

    /// Problems and notes.
    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<String>) {
        if self.more > 0 {
            self.problems.push(Problem {
                place: "file".into(),
                what: format!("{} more problems that are not listed", self.more),
                recoverable: !self.more_unrecoverable,
            });
        }
        (self.problems, self.notes)
    }
}
