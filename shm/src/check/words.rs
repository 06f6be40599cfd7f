//! The immutable header, the map of the file, and the words of the region.

use core::mem::offset_of;

use crate::check::findings::Findings;
use crate::check::source::Source;
use crate::error::{Error, Result};
use crate::layout::header::{FileHeader, HEADER_BYTES};
use crate::layout::region::{
    GEOMETRY_WORDS, Geometry, HASH_XXH3, MAX_TABLE, PAGE, RegionWords, TABLES,
};
use crate::layout::schema::{self, SCHEMA_AT};
use crate::os::file::boot_id;
use crate::region::attributes::Attributes;
use crate::region::clear::{LOCAL, PENDING, UNIT};
use crate::region::file::MAGIC;
use crate::region::life::{DESTROYED, says_destroyed};

/// What the header says.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) geometry: Geometry,
    pub(super) hash_seed: u64,
    /// Of values.
    pub(super) alignment: usize,
    pub(super) node: [u64; 2],
    pub(super) boot: u128,
    /// No feature that may use reserved words is on.
    pub(super) plain: bool,
}

/// What the region words say, corrected to what the file has room for.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) threads_used: u64,
    pub(super) members_used: u64,
    pub(super) ring_tail: u64,
    pub(super) recoveries: u64,
    /// Whether any record was written with a deadline.
    pub(super) deadlines: bool,
    /// Name of the current table.
    pub(super) current: u64,
    /// Chains moved: see the format.
    pub(super) migrated: u64,
    /// All tables that lie inside the segments, older ones first.
    pub(super) tables: Vec<Table>,
}

impl Words {
    /// The table whose memory a segment is.
    pub(super) fn table_of(&self, segment: u64) -> Option<&Table> {
        self.tables.iter().find(|table| (table.first_segment..table.end_segment).contains(&segment))
    }
}

/// A table of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// Its name: binary logarithm of its primary buckets.
    pub(super) log2: u32,
    /// Offset in the file.
    pub(super) at: u64,
    pub(super) primaries: u64,
    /// Primary and overflow buckets.
    pub(super) buckets: u64,
    pub(super) first_segment: u64,
    pub(super) end_segment: u64,
}

/// Checks the header; it must be right, otherwise nothing else means anything.
pub(super) fn header(source: &Source<'_>, found: &mut Findings) -> Result<Plan> {
    let path = source.path();
    let mut bytes = [0; HEADER_BYTES];
    let have = source.len().min(HEADER_BYTES as u64) as usize;
    source.read(0, &mut bytes[..have])?;
    let boot = boot_id()?;
    let header = FileHeader::check(&bytes[..have], MAGIC, path, source.len(), boot)?;
    let damaged = |field| Error::DamagedHeader { path: path.into(), field };
    let geometry = Geometry::from_words(&header.geometry).ok_or_else(|| damaged("geometry"))?;
    if header.file_len != geometry.file_bytes {
        return Err(damaged("file length"));
    }
    let [attributes, hash_id, hash_seed] =
        core::array::from_fn(|i| header.geometry[GEOMETRY_WORDS + i]);
    let attributes =
        Attributes::from_word(attributes, &geometry).ok_or_else(|| damaged("attributes"))?;
    let alignment = attributes.alignment as usize;
    if hash_id != HASH_XXH3 {
        return Err(damaged("hash id"));
    }
    let schema_end = schema_end(source, &header)?;
    if source.len() > header.file_len {
        let more = source.len() - header.file_len;
        found.problem("file", format_args!("{more} bytes behind its end"));
    }
    let plain = header.compat == 0 && header.ro_compat == 0;
    let spare = header.geometry[schema::SPARE..].iter();
    if plain && spare.chain(&header.reserved).any(|&word| word != 0) {
        found.problem("header", "reserved words are not zero");
    }
    let plan = Plan { geometry, hash_seed, alignment, node: header.node, boot, plain };
    gaps(source, &plan, schema_end, found)?;
    Ok(plan)
}

/// Checks the text behind the header and says where it ends.
fn schema_end(source: &Source<'_>, header: &FileHeader) -> Result<u64> {
    let mut text = vec![0; schema::len(header, source.path())?];
    source.read(SCHEMA_AT as u64, &mut text)?;
    let end = SCHEMA_AT as u64 + text.len() as u64;
    schema::check(header, text, source.path())?;
    Ok(end)
}

/// Bytes between the parts of the file belong to nobody and stay zero.
fn gaps(source: &Source<'_>, plan: &Plan, schema_end: u64, found: &mut Findings) -> Result<()> {
    let map = &plan.geometry;
    let gaps = [
        (schema_end, map.words_at),
        (map.states_at + map.segments * 8, map.headers_at),
        (map.headers_at + map.segments * 64, map.ring_at),
        (map.ring_at + map.ring_len * 8, map.ghosts_at),
        (map.ghosts_at + map.ghosts * 8, map.segments_at),
    ];
    for (start, end) in gaps {
        let mut bytes = vec![0; end.saturating_sub(start) as usize];
        source.read(start, &mut bytes)?;
        if plan.plain && bytes.iter().any(|&byte| byte != 0) {
            found.problem(format_args!("bytes {start} to {end}"), "not zero");
        }
    }
    Ok(())
}

/// Index of a field in the words of its structure.
macro_rules! field {
    ($words:expr, $structure:ty, $($field:tt)+) => {
        $words[offset_of!($structure, $($field)+) / 8]
    };
}
pub(super) use field;

/// Reads the page of region words.
pub(super) fn region(source: &Source<'_>, plan: &Plan, found: &mut Findings) -> Result<Words> {
    const PLACE: &str = "region words";
    let map = &plan.geometry;
    let page = source.words(map.words_at, (PAGE / 8) as usize)?;
    let mut limited = |name: &str, value: u64, limit: u64| {
        if value > limit {
            found.problem(PLACE, format_args!("{name} is {value}, more than {limit}"));
        }
        value.min(limit)
    };
    limited("state", field!(page, RegionWords, state), 2);
    limited("journal_wanted", field!(page, RegionWords, journal_wanted), 1);
    let words = Words {
        threads_used: limited("threads_used", field!(page, RegionWords, threads_used), map.threads),
        members_used: limited("members_used", field!(page, RegionWords, members_used), map.members),
        ring_tail: field!(page, RegionWords, ring_tail),
        recoveries: field!(page, RegionWords, recoveries),
        deadlines: limited("deadlines", field!(page, RegionWords, deadlines), 1) == 1,
        current: current(&page, found),
        migrated: field!(page, RegionWords, migrated),
        tables: Vec::new(),
    };
    for (name, mark) in [
        ("sent", field!(page, RegionWords, sent)),
        ("received", field!(page, RegionWords, received)),
        ("applied", field!(page, RegionWords, applied)),
    ] {
        if mark > words.ring_tail.saturating_add(1) {
            let tail = words.ring_tail;
            found
                .note(format_args!("{PLACE}: watermark {name} is {mark}, the ring ends at {tail}"));
        }
    }
    let set_aside = field!(page, RegionWords, set_aside);
    if set_aside > 0 {
        let what = "unfinished operations were damaged and have been given up";
        found.problem(PLACE, format_args!("{set_aside} {what}"));
    }
    expiry(&page, found);
    stamps(&page, found);
    if plan.plain {
        reserved(&page, found);
    }
    let tables = tables(&page, map, words.current, found);
    if !tables.iter().any(|table| u64::from(table.log2) == words.current) {
        found.problem(PLACE, format_args!("the index table {} is not there", words.current));
    }
    let (migrated, base) = (field!(page, RegionWords, migrated), 1 << words.current.min(62));
    if !(base..=2 * base).contains(&migrated) {
        found.problem(PLACE, format_args!("migrated is {migrated}, not {base} to twice that"));
    }
    Ok(Words { tables, ..words })
}

/// Number of the current table; a region that was destroyed still has what it had.
fn current(page: &[u64], found: &mut Findings) -> u64 {
    let word = field!(page, RegionWords, table);
    if !says_destroyed(word) {
        return word;
    }
    found.note("the region was destroyed; its file has a name still");
    word & !DESTROYED
}

/// The times of the region: an action needs a time, and a time to live versions that are times.
fn expiry(page: &[u64], found: &mut Findings) {
    let ttl = field!(page, RegionWords, entry_ttl);
    for (name, word) in [("entry_ttl", ttl), ("entry_idle", field!(page, RegionWords, entry_idle))]
    {
        if word != 0 && word >> 2 == 0 {
            found.problem("region words", format_args!("{name} is an action without a time"));
        }
    }
    let idle = field!(page, RegionWords, entry_idle);
    if ttl | idle != 0 && field!(page, RegionWords, special) == 0 {
        found.problem("region words", "there are times and nothing is special");
    }
    if ttl != 0 && field!(page, RegionWords, timed_since) == 0 {
        found.problem("region words", "entry_ttl without timed_since");
    }
}

/// Stamps, and the ceiling that they come from.
fn stamps(page: &[u64], found: &mut Findings) {
    let ceiling = field!(page, RegionWords, ceiling);
    let clear = field!(page, RegionWords, clear_stamp);
    let invalid = field!(page, RegionWords, invalid_stamp) & !LOCAL;
    for (name, stamp) in [("clear_stamp", clear), ("invalid_stamp", invalid)] {
        if stamp % UNIT != 0 || stamp > ceiling {
            found.problem("region words", format_args!("{name} is {stamp}, the ceiling {ceiling}"));
        }
        if stamp != 0 && field!(page, RegionWords, special) == 0 {
            found.problem("region words", format_args!("{name} is {stamp} and nothing is special"));
        }
    }
    if ceiling & PENDING > 3 {
        found.problem("region words", format_args!("ceiling {ceiling} is impossible"));
    }
}

/// Words that this version never writes.
fn reserved(page: &[u64], found: &mut Findings) {
    let singles = [
        ("lease_deadline", offset_of!(RegionWords, lease_deadline)),
        ("line_reserved", offset_of!(RegionWords, line_reserved)),
        ("durable", offset_of!(RegionWords, durable)),
        ("lock_table", offset_of!(RegionWords, lock_table)),
    ];
    let runs = [
        (offset_of!(RegionWords, ring_reserved), 7),
        (offset_of!(RegionWords, event_reserved), 5),
        (offset_of!(RegionWords, ack_reserved), 3),
        (offset_of!(RegionWords, rare_reserved), 1),
        (offset_of!(RegionWords, floor_reserved), 5),
        (offset_of!(RegionWords, growth_reserved), 6),
        (offset_of!(RegionWords, reserved), 103),
        (offset_of!(RegionWords, search_reserved), 7),
    ];
    let runs = runs.map(|(at, count)| ("reserved words", at, count));
    for (name, at, count) in singles.map(|(name, at)| (name, at, 1)).into_iter().chain(runs) {
        if page[at / 8..at / 8 + count].iter().any(|&word| word != 0) {
            found.problem(format_args!("region words, byte {at}"), format_args!("{name} not zero"));
        }
    }
}

/// The tables that the directory names, in their order.
fn tables(page: &[u64], map: &Geometry, current: u64, found: &mut Findings) -> Vec<Table> {
    let first = offset_of!(RegionWords, tables) / 8;
    let mut tables: Vec<Table> = Vec::new();
    for (log2, &word) in page[first..first + TABLES].iter().enumerate() {
        let Some(first_segment) = word.checked_sub(1) else {
            continue;
        };
        let place = format_args!("index table {log2}");
        let log2 = log2 as u32;
        if log2 > MAX_TABLE || u64::from(log2) > current.saturating_add(1) {
            found.problem(place, format_args!("is named, but the current table is {current}"));
            continue;
        }
        let end_segment = first_segment.saturating_add(map.table_segments(log2));
        if end_segment > map.segments {
            found.problem(place, "does not lie in the segments");
            continue;
        }
        let overlaps =
            |other: &Table| first_segment < other.end_segment && other.first_segment < end_segment;
        if let Some(other) = tables.iter().find(|other| overlaps(other)) {
            found.problem(place, format_args!("lies where table {} does", other.log2));
            continue;
        }
        tables.push(Table {
            log2,
            at: map.segments_at + first_segment * map.segment_bytes,
            primaries: 1 << log2,
            buckets: Geometry::table_buckets(log2),
            first_segment,
            end_segment,
        });
    }
    tables
}
