//! The records: a walk over every segment that meets the references of the index in order.

use core::mem::offset_of;
use std::iter::Peekable;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::check::Report;
use crate::check::findings::Findings;
use crate::check::index::Reference;
use crate::check::owners::Owners;
use crate::check::segments::Segment;
use crate::check::source::Source;
use crate::check::words::{Plan, Words};
use crate::error::Result;
use crate::layout::record::{
    DEADLINE_BYTES, FLAG_BULK, FLAG_DEADLINE, FLAG_EXPIRATION, FLAG_PREVIOUS, FLAG_REMOTE,
    FLAG_VALUELESS, PREVIOUS_BYTES, RECORD_HEADER, RecordHeader, STATE_ABANDONED, STATE_ANNOUNCED,
    STATE_CREATED, STATE_DEAD, STATE_HELPED, STATE_PUBLISHED, STATE_SILENT,
};
use crate::layout::word::{HIDDEN_TAG, Location, SegmentState, tag_of};
use crate::region::Kind;

/// A record as its bytes say.
struct Parsed<'b> {
    key: &'b [u8],
    /// Bytes up to the next record.
    len: usize,
    hash: u32,
    kind: Option<Kind>,
    flags: u8,
    extensions: usize,
    deadline: u64,
    state: u16,
}

/// Three numbers of a record header, of 2, 2 and 4 bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Enough of a run to know all of its record but the value.
const RUN_PREFIX: u64 = 1 << 18;

/// The record at the start of `bytes`, which are all of the `room` it may take, or as much of it
/// as header and key need. `None` if it does not end there.
fn parse<'b>(bytes: &'b [u8], room: u64, plan: &Plan) -> Option<Parsed<'b>> {
    let word = |at| number(bytes, at).map(u16::from_ne_bytes);
    let long = |at| number(bytes, at).map(u32::from_ne_bytes);
    let key_len = usize::from(word(offset_of!(RecordHeader, key_len_less_one))?) + 1;
    let value_len = long(offset_of!(RecordHeader, value_len))? as usize;
    let extensions = usize::from(word(offset_of!(RecordHeader, extension_bytes))?);
    let key_at = RECORD_HEADER + extensions.next_multiple_of(8);
    let value_at = (key_at + key_len).next_multiple_of(plan.alignment);
    let len = (value_at + value_len).next_multiple_of(plan.alignment);
    (len as u64 <= room).then_some(Parsed {
        key: bytes.get(key_at..key_at + key_len)?,
        len,
        hash: long(offset_of!(RecordHeader, hash))?,
        kind: bytes.get(offset_of!(RecordHeader, kind)).and_then(|&kind| Kind::from_byte(kind)),
        flags: *bytes.get(offset_of!(RecordHeader, flags))?,
        extensions,
        deadline: number(bytes, RECORD_HEADER).map_or(0, u64::from_ne_bytes),
        state: word(offset_of!(RecordHeader, state))?,
    })
}

struct Walk<'a> {
    plan: &'a Plan,
    deadlines: bool,
    owners: &'a Owners,
    report: &'a mut Report,
    found: &'a mut Findings,
}

/// Bytes of one segment by what they are; they add up to its size.
#[derive(Default)]
struct Share {
    live: u64,
    dead: u64,
    /// Of the dead ones, those that are marked.
    marked: u64,
}

/// Walks all segments and fills the byte counts of the report.
#[expect(clippy::too_many_arguments, reason = "every step of the audit feeds this one")]
pub(super) fn walk(
    source: &Source<'_>,
    plan: &Plan,
    words: &Words,
    segments: &[Segment],
    owners: &Owners,
    references: &mut [Reference],
    report: &mut Report,
    found: &mut Findings,
) -> Result<()> {
    references.sort_unstable_by_key(|reference| reference.location.0);
    let size = plan.geometry.segment_bytes;
    let mut walk = Walk { plan, deadlines: words.deadlines, owners, report, found };
    let mut rest = references;
    for (number, segment) in segments.iter().enumerate() {
        let count = rest.partition_point(|r| r.location.segment() as usize <= number);
        let (here, later) = rest.split_at_mut(count);
        rest = later;
        if segment.holds_records() {
            let have = segment.committed.min(RUN_PREFIX.max(size));
            let mut bytes = vec![0; have as usize];
            let at = plan.geometry.segment_at(number as u32);
            source.read(at, &mut bytes)?;
            let share = walk.segment(number as u32, segment, &bytes, here);
            walk.account(&segments[number..], &share);
            walk.compare_hint(number, segment, &share, words.recoveries);
            continue;
        }
        match segment.state {
            _ if !segment.backed => walk.report.unbacked_bytes += size,
            // Accounted for with its head.
            Some(SegmentState::Run) if segment.in_run => {}
            Some(SegmentState::Index) => walk.report.index_bytes += size,
            Some(SegmentState::Free | SegmentState::Unbacked) => walk.report.free_bytes += size,
            // Reserved or damaged: reported already; nobody can use the memory.
            _ => walk.report.dead_bytes += size,
        }
    }
    Ok(())
}

impl Walk<'_> {
    /// Adds the bytes of a segment with records, and those of the run that begins there.
    fn account(&mut self, segments: &[Segment], share: &Share) {
        let size = self.plan.geometry.segment_bytes;
        let (mut live, mut dead) = (share.live, share.dead);
        let count = segments[0].run.unwrap_or(1) as usize;
        for (steps, segment) in segments[..count].iter().enumerate() {
            let live_here = live.min(size);
            let dead_here = dead.min(size - live_here);
            (live, dead) = (live - live_here, dead - dead_here);
            // What is not in the run yet, or not any more, is accounted for by itself.
            if steps > 0 && !segment.in_run {
                continue;
            }
            self.report.live_bytes += live_here;
            self.report.dead_bytes += dead_here;
            self.report.free_bytes += size - live_here - dead_here;
        }
    }

    fn segment(
        &mut self,
        number: u32,
        segment: &Segment,
        bytes: &[u8],
        references: &mut [Reference],
    ) -> Share {
        let mut share = Share::default();
        let mut references = references.iter_mut().peekable();
        let mut offset = 0;
        while offset < bytes.len() {
            let room = segment.committed - offset as u64;
            let Some(record) = parse(&bytes[offset..], room, self.plan) else {
                let place = format_args!("segment {number} offset {offset}");
                self.found.problem(place, "no record, or one that ends behind the records");
                break;
            };
            let location = Location::new(number, segment.generation, offset);
            let live = self.record(location, segment, &record, &mut references);
            let dead = record.state & STATE_DEAD != 0;
            *(if live { &mut share.live } else { &mut share.dead }) += record.len as u64;
            share.marked += if dead { record.len as u64 } else { 0 };
            offset += record.len;
        }
        // Unreadable memory is lost, like that of dead records.
        share.dead += segment.committed - offset as u64;
        for reference in references {
            self.not_a_record(reference);
        }
        share
    }

    fn not_a_record(&mut self, reference: &Reference) {
        let location = reference.location;
        self.found.problem(
            slot(reference),
            format_args!(
                "names segment {} offset {}, where no record begins",
                location.segment(),
                location.offset()
            ),
        );
    }

    /// Checks one record against the references to it. True if the index refers to it.
    fn record<'r>(
        &mut self,
        location: Location,
        segment: &Segment,
        record: &Parsed<'_>,
        references: &mut Peekable<impl Iterator<Item = &'r mut Reference>>,
    ) -> bool {
        let place = format!("segment {} offset {}", location.segment(), location.offset());
        let hash = xxh3_64_with_seed(record.key, self.plan.hash_seed);
        self.content(&place, record, hash);
        let offset = location.offset();
        while let Some(early) = references.next_if(|r| r.location.offset() < offset) {
            self.not_a_record(early);
        }
        let mut live = false;
        while let Some(reference) = references.next_if(|r| r.location.offset() == offset) {
            if live {
                self.found
                    .problem(slot(reference), format_args!("names {place}, as another slot does"));
                continue;
            }
            live = true;
            reference.hash = hash;
            reference.right = self.slot_agrees(reference, record, hash);
        }
        let dead = record.state & STATE_DEAD != 0;
        match (live, dead) {
            (true, true) => self.found.problem(&place, "is in the index, but marked dead"),
            (true, false) => match record.kind {
                Some(kind) if kind.is_visible() => self.report.entries += 1,
                Some(Kind::Tombstone) => self.report.tombstones += 1,
                _ => {}
            },
            (false, true) => {}
            (false, false) => {
                let life = self.owners.intending(location.0);
                let what = "neither in the index nor marked dead";
                if segment.state == Some(SegmentState::Quarantine) {
                    self.found.problem(&place, format_args!("{what}, in quarantine"));
                } else {
                    self.found.unfinished(life, &place, what);
                }
            }
        }
        live
    }

    fn content(&mut self, place: &str, record: &Parsed<'_>, hash: u64) {
        if record.hash != hash as u32 {
            let seen = record.hash;
            self.found.problem(place, format_args!("hash {seen:#x} is not that of its key"));
        }
        if record.kind.is_none() {
            self.found.problem(place, "its kind is none");
        }
        self.extensions(place, record);
        let known = STATE_DEAD
            | STATE_ABANDONED
            | STATE_PUBLISHED
            | STATE_ANNOUNCED
            | STATE_HELPED
            | STATE_CREATED
            | STATE_SILENT;
        if self.plan.plain && record.state & !known != 0 {
            self.found.problem(place, "its state has reserved bits");
        }
        if record.state & (STATE_DEAD | STATE_ABANDONED) == STATE_ABANDONED {
            self.found.problem(place, "is marked abandoned, but not dead");
        }
    }

    /// Whether the flags name exactly the extensions that are there, and the deadline is a time.
    fn extensions(&mut self, place: &str, record: &Parsed<'_>) {
        let known = FLAG_DEADLINE
            | FLAG_PREVIOUS
            | FLAG_BULK
            | FLAG_VALUELESS
            | FLAG_EXPIRATION
            | FLAG_REMOTE;
        if self.plan.plain && record.flags & !known != 0 {
            self.found.problem(place, format_args!("has reserved flags {:#x}", record.flags));
        }
        let has_deadline = record.flags & FLAG_DEADLINE != 0;
        let has_previous = record.flags & FLAG_PREVIOUS != 0;
        let wanted = if has_deadline { DEADLINE_BYTES } else { 0 }
            + if has_previous { PREVIOUS_BYTES } else { 0 };
        if record.extensions < wanted || (self.plan.plain && record.extensions != wanted) {
            let what = format_args!(
                "has {} bytes of extensions, its flags want {wanted}",
                record.extensions
            );
            self.found.problem(place, what);
        } else if has_deadline && record.deadline == 0 {
            self.found.problem(place, "its deadline is no time");
        } else if has_deadline && !self.deadlines {
            self.found.problem(place, "has a deadline, but the region knows of none");
        }
    }

    fn slot_agrees(&mut self, reference: &Reference, record: &Parsed<'_>, hash: u64) -> bool {
        let mut agrees = true;
        let chain = hash & ((1 << reference.table) - 1);
        if u64::from(reference.chain) != chain {
            agrees = false;
            let what = format_args!("holds a key of bucket {chain}");
            self.found.problem(slot(reference), what);
        }
        let visible = record.kind.is_none_or(Kind::is_visible);
        let (tag, wanted) =
            (u64::from(reference.tag), if visible { tag_of(hash) } else { HIDDEN_TAG });
        if tag != wanted {
            agrees = false;
            let what = format_args!("has tag {tag}, its record wants {wanted}");
            self.found.problem(slot(reference), what);
        }
        agrees
    }

    /// The hint must not be above the truth; it is below it after deaths and while others write.
    fn compare_hint(&mut self, number: usize, segment: &Segment, share: &Share, recoveries: u64) {
        let place = format_args!("segment {number}");
        let (hint, truth) = (segment.dead, share.marked);
        if hint > truth {
            let what = format_args!("{hint} bytes are counted as dead, {truth} are");
            self.found.problem(place, what);
        } else if hint < truth {
            let what = format_args!("only {hint} of {truth} dead bytes are counted");
            if recoveries > 0 || self.owners.any_dead() || self.owners.anybody {
                self.found.note(format_args!("{place}: {what}"));
            } else {
                self.found.problem(place, what);
            }
        }
    }
}

fn slot(reference: &Reference) -> String {
    format!("table {} bucket {} slot {}", reference.table, reference.bucket, reference.slot)
}

/// A key may be in one slot of its chain only.
pub(super) fn find_duplicates(
    source: &Source<'_>,
    plan: &Plan,
    segments: &[Segment],
    mut references: Vec<Reference>,
    found: &mut Findings,
) -> Result<()> {
    references.retain(|reference| reference.right);
    let chain = |r: &Reference| (r.table, r.chain, r.hash);
    references.sort_unstable_by_key(chain);
    for group in references.chunk_by(|a, b| chain(a) == chain(b)) {
        let mut keys = Vec::new();
        for reference in group.iter().filter(|_| group.len() > 1) {
            let key = key_at(source, plan, segments, reference.location)?;
            if keys.contains(&key) {
                let chain = reference.chain;
                let what = format_args!("its key is in the chain of bucket {chain} twice");
                found.problem(slot(reference), what);
            }
            keys.push(key);
        }
    }
    Ok(())
}

fn key_at(
    source: &Source<'_>,
    plan: &Plan,
    segments: &[Segment],
    location: Location,
) -> Result<Vec<u8>> {
    let at = plan.geometry.segment_at(location.segment());
    let size = plan.geometry.segment_bytes;
    let room = segments.get(location.segment() as usize).map_or(size, |s| s.room(size));
    let rest = room.saturating_sub(location.offset() as u64);
    let mut bytes = vec![0; rest.min(RUN_PREFIX.max(size)) as usize];
    source.read(at + location.offset() as u64, &mut bytes)?;
    Ok(parse(&bytes, rest, plan).map_or_else(Vec::new, |record| record.key.to_vec()))
}
