//! States of the segments.

use core::mem::offset_of;

use crate::check::findings::Findings;
use crate::check::owners::{Life, Owners};
use crate::check::source::Source;
use crate::check::words::{Plan, Words, field};
use crate::error::Result;
use crate::layout::segment::SegmentHeader;
use crate::layout::word::{RunWord, SegmentState, SegmentWord};

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
    /// Segments of the run that begins here.
    pub(super) run: Option<u32>,
    /// It is in state Run, and its head counts it.
    pub(super) in_run: bool,
}

impl Segment {
    /// Bytes that its records may take.
    pub(super) fn room(&self, segment_bytes: u64) -> u64 {
        segment_bytes * u64::from(self.run.unwrap_or(1))
    }

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
            run: None,
            in_run: false,
        };
        if segment.holds_records() {
            let run = RunWord(field!(header, SegmentHeader, run));
            let count = run.segments(word.generation());
            segment.run = count.filter(|&count| u64::from(count) <= map.segments - number);
        }
        let table = words.table_of(number).map(|table| u64::from(table.log2));
        check_state(number, word, &segment, table, words.current, owners, found);
        let room = segment.room(map.segment_bytes);
        if segment.committed > room || !segment.committed.is_multiple_of(8) {
            // That of an earlier run: whoever takes the segment clears it first.
            let earlier = segment.committed.is_multiple_of(8)
                && match segment.state {
                    Some(SegmentState::Active) => true,
                    _ => !segment.holds_records(),
                };
            if !earlier {
                let committed = segment.committed;
                found.problem(
                    format_args!("segment {number}"),
                    format_args!("committed is {committed}"),
                );
            }
            segment.committed = if earlier { 0 } else { segment.committed.min(room) & !7 };
        }
        segments.push(segment);
    }
    let words = headers.chunks_exact(header_words);
    let words: Vec<_> = words.map(|h| RunWord(field!(h, SegmentHeader, run))).collect();
    runs(&mut segments, &words, found);
    Ok(segments)
}

/// Each continuation has a head that counts it, and each head all of its continuations.
fn runs(segments: &mut [Segment], words: &[RunWord], found: &mut Findings) {
    for head in 0..segments.len() {
        let Segment { run: Some(count), generation, state, committed, .. } = segments[head] else {
            continue;
        };
        for steps in 1..count {
            let number = head + steps as usize;
            let named = words[number] == RunWord::continuation(steps, generation);
            segments[number].in_run = named && segments[number].state == Some(SegmentState::Run);
            // While it is written its segments join one by one, and they leave it before the head.
            // Sealed without a record: who made it died before all had joined.
            let whole = state == Some(SegmentState::Sealed) && committed > 0;
            if whole && !segments[number].in_run {
                let what = format_args!("is not part of the run of segment {head}");
                found.problem(format_args!("segment {number}"), what);
            }
        }
    }
    for (number, segment) in segments.iter().enumerate() {
        if segment.state == Some(SegmentState::Run) && !segment.in_run {
            let what = match words[number].steps() {
                Some(steps) => format!("its head, {steps} segments before it, does not count it"),
                None => "it names no head".into(),
            };
            let place = format_args!("segment {number}");
            found.problem(place, format_args!("is part of a run, but {what}"));
        }
    }
}

fn check_state(
    number: u64,
    word: SegmentWord,
    segment: &Segment,
    table: Option<u64>,
    current: u64,
    owners: &Owners,
    found: &mut Findings,
) {
    let place = format_args!("segment {number}");
    let Some(state) = segment.state else {
        found.problem(place, format_args!("state word {:#x} has no meaning", word.0));
        return;
    };
    let owner = u64::from(word.owner());
    match table {
        // It is being freed, segment by segment.
        Some(table) if table < current && (state != SegmentState::Index || owner > table) => {}
        // Its builder was stopped, or died, after it had named the table.
        Some(_) if state == SegmentState::Active => {}
        Some(table) if state != SegmentState::Index => {
            found.problem(place, format_args!("is {state:?}, but part of index table {table}"));
        }
        Some(table) if owner != table => {
            let what = format_args!("is of index table {owner}, but lies in table {table}");
            found.problem(place, what);
        }
        None if state == SegmentState::Index => {
            found.problem(place, "is Index, but not part of an index table");
        }
        _ => {}
    }
    if state == SegmentState::Index {
        return;
    }
    if !matches!(state, SegmentState::Active | SegmentState::Releasing) {
        if owner != 0 {
            found.problem(place, format_args!("is {state:?}, but has owner {owner}"));
        }
        return;
    }
    match owners.thread(owner).map(|thread| thread.life) {
        Some(Life::Dead) => found.recoverable(
            place,
            format_args!("is {state:?} for thread descriptor {owner}, whose owner is dead"),
        ),
        Some(Life::Alive | Life::Unknown) => {}
        Some(Life::Free) | None => found.problem(
            place,
            format_args!("is {state:?} for thread descriptor {owner}, which nobody uses"),
        ),
    }
}
