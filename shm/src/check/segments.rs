//! States of the segments.

use core::mem::offset_of;

use crate::check::findings::Findings;
use crate::check::owners::{Life, Owners};
use crate::check::source::Source;
use crate::check::words::{Plan, Words, field};
use crate::error::Result;
use crate::layout::segment::SegmentHeader;
use crate::layout::word::{SegmentState, SegmentWord};

/// One segment, `committed` corrected to what it has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// `None` for a number that no state has.
    pub(super) state: Option<SegmentState>,
    pub(super) generation: u64,
    pub(super) committed: u64,
    /// The hint of dead bytes as it is.
    pub(super) dead: u64,
    pub(super) backed: bool,
}

impl Segment {
    /// Slots may refer to records in it.
    pub(super) fn may_be_referred_to(&self) -> bool {
        self.backed
            && matches!(
                self.state,
                Some(SegmentState::Active | SegmentState::Open | SegmentState::Sealed)
            )
    }

    /// It holds records, perhaps dead ones only.
    pub(super) fn holds_records(&self) -> bool {
        self.may_be_referred_to() || (self.backed && self.state == Some(SegmentState::Quarantine))
    }
}

pub(super) fn read(
    source: &Source<'_>,
    plan: &Plan,
    words: &Words,
    owners: &Owners,
    found: &mut Findings,
) -> Result<Vec<Segment>> {
    let map = &plan.geometry;
    let header_words = size_of::<SegmentHeader>() / 8;
    let states = source.words(map.states_at, map.segments as usize)?;
    let headers = source.words(map.headers_at, map.segments as usize * header_words)?;
    let mut segments = Vec::with_capacity(states.len());
    for (number, (&state, header)) in
        states.iter().zip(headers.chunks_exact(header_words)).enumerate()
    {
        let number = number as u64;
        let word = SegmentWord(state);
        let mut segment = Segment {
            state: word.state(),
            generation: word.generation(),
            committed: field!(header, SegmentHeader, committed),
            dead: field!(header, SegmentHeader, dead),
            backed: !matches!(word.state(), Some(SegmentState::Unbacked | SegmentState::Releasing)),
        };
        let in_table = words
            .table
            .is_some_and(|table| (table.first_segment..table.end_segment).contains(&number));
        check_state(number, word, &segment, in_table, owners, found);
        if segment.committed > map.segment_bytes || !segment.committed.is_multiple_of(8) {
            let committed = segment.committed;
            found.problem(
                format_args!("segment {number}"),
                format_args!("committed is {committed}"),
            );
            segment.committed = segment.committed.min(map.segment_bytes) & !7;
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn check_state(
    number: u64,
    word: SegmentWord,
    segment: &Segment,
    in_table: bool,
    owners: &Owners,
    found: &mut Findings,
) {
    let place = format_args!("segment {number}");
    let Some(state) = segment.state else {
        found.problem(place, format_args!("state word {:#x} has no meaning", word.0));
        return;
    };
    if matches!(state, SegmentState::Releasing | SegmentState::Run) {
        found.problem(place, format_args!("state {state:?} is reserved"));
    }
    if (state == SegmentState::Index) != in_table {
        let not = if in_table { "" } else { "not " };
        found.problem(place, format_args!("is {state:?}, but {not}part of the index table"));
    }
    let owner = u64::from(word.owner());
    if state != SegmentState::Active {
        if owner != 0 {
            found.problem(place, format_args!("is {state:?}, but has owner {owner}"));
        }
        return;
    }
    match owners.thread(owner).map(|thread| thread.life) {
        Some(Life::Dead) => found.recoverable(
            place,
            format_args!("is active for thread descriptor {owner}, whose owner is dead"),
        ),
        Some(Life::Alive | Life::Unknown) => {}
        Some(Life::Free) | None => found.problem(
            place,
            format_args!("is active for thread descriptor {owner}, which nobody uses"),
        ),
    }
}
