//! The event ring: no holes below the tail, nothing above it.

use crate::check::findings::Findings;
use crate::check::source::Source;
use crate::check::words::{Plan, Words};
use crate::error::Result;
use crate::layout::word::{CellWord, MAX_SEGMENTS, RingOp};

pub(super) fn check(
    source: &Source<'_>,
    plan: &Plan,
    words: &Words,
    found: &mut Findings,
) -> Result<()> {
    let len = plan.geometry.ring_len;
    let tail = words.ring_tail;
    let cells = source.words(plan.geometry.ring_at, len as usize)?;
    for (index, &cell) in cells.iter().enumerate() {
        let index = index as u64;
        let place = format_args!("ring cell {index}");
        // The last position of this cell below the tail, if there is one.
        let ahead = (tail.wrapping_sub(index + 1)) / len * len;
        let written = (index < tail).then(|| index + ahead);
        let lap = |position: u64| CellWord::lap_bits(position / len + 1);
        // A producer that died or was stopped between cell and tail; the next one helps it.
        if index == tail % len && CellWord(cell).lap() == lap(tail) && cell != 0 {
            found.note(format_args!("{place}: written, the tail {tail} is behind"));
            check_location(place, CellWord(cell), plan, found);
            continue;
        }
        match written {
            None if cell != 0 => {
                found.problem(place, format_args!("is {cell:#x} above the tail {tail}"));
            }
            None => {}
            Some(position) => {
                let (seen, wanted) = (CellWord(cell).lap(), lap(position));
                if seen != wanted {
                    found.problem(place, format_args!("has lap {seen} instead of {wanted}"));
                }
                check_location(place, CellWord(cell), plan, found);
            }
        }
    }
    Ok(())
}

fn check_location(
    place: std::fmt::Arguments<'_>,
    cell: CellWord,
    plan: &Plan,
    found: &mut Findings,
) {
    let location = cell.location();
    let segment = u64::from(location.segment());
    if cell.op() == RingOp::Region && segment == MAX_SEGMENTS {
        return;
    }
    let outside = location.offset() as u64 >= plan.geometry.segment_bytes;
    if segment >= plan.geometry.segments || outside {
        let offset = location.offset();
        found.problem(
            place,
            format_args!("names segment {segment} offset {offset}, where no record can be"),
        );
    }
}
