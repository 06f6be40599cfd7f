//! The index: headers, chains, and what the slots say. Records are looked at later.

use std::collections::BTreeSet;

use crate::check::findings::Findings;
use crate::check::owners::{Life, Owners, strongest};
use crate::check::segments::Segment;
use crate::check::source::{Source, words_of};
use crate::check::words::{Plan, Table, Words};
use crate::error::Result;
use crate::layout::bucket::{MAX_OVERFLOW, SLOTS};
use crate::layout::word::{GENERATION_MASK, HeaderWord, LINK_FROZEN, Location, SlotRef, SlotWord};

/// An occupied slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    pub(super) location: Location,
    /// Hash of the key, once the record was read.
    pub(super) hash: u64,
    /// Table it is in.
    pub(super) table: u8,
    /// Primary bucket of the chain.
    pub(super) chain: u32,
    pub(super) bucket: u32,
    pub(super) tag: u16,
    pub(super) slot: u8,
    /// The record is what the slot says.
    pub(super) right: bool,
}

/// Number of the bucket that a link names.
fn linked(link: u64) -> Option<u64> {
    (link & !LINK_FROZEN).checked_sub(1)
}

/// Bucket words: header, slots, link.
type Bucket = [u64; 8];
const BUCKET_BYTES: u64 = 64;
/// Buckets read at a time.
const STEP: u64 = 4096;

/// What the header of a primary bucket says about its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    /// Its slots count.
    Counts,
    /// They count, while they are copied to the next table.
    Frozen,
    /// The next table counts.
    Moved,
    /// It is a child of a chain that is not moved: empty, or partly a copy.
    NotYet,
}

struct Scan<'a> {
    source: &'a Source<'a>,
    table: Table,
    segments: &'a [Segment],
    owners: &'a Owners,
    found: &'a mut Findings,
    references: Vec<Reference>,
    /// Empty words that were stamped: each may exist once.
    stamps: Vec<u64>,
    /// Of the overflow buckets: a chain led there.
    reached: Vec<bool>,
    /// Of the chains of the table before this one; empty if this is the current one.
    before: Vec<Force>,
    /// Of the chains of this table.
    force: Vec<Force>,
    /// Words in frozen chains, as they were before, which are all that may be in their children.
    copied: BTreeSet<u64>,
    grows: bool,
}

/// One reference per slot in force that names a possible record.
pub(super) fn scan(
    source: &Source<'_>,
    plan: &Plan,
    words: &Words,
    segments: &[Segment],
    owners: &Owners,
    found: &mut Findings,
) -> Result<Vec<Reference>> {
    // Older tables wait to be freed; nobody reads them any more.
    let tables = words.tables.iter().filter(|table| u64::from(table.log2) >= words.current);
    let tables: Vec<Table> = tables.copied().collect();
    let Some(&table) = tables.first() else {
        return Ok(Vec::new());
    };
    let mut scan = Scan {
        source,
        table,
        segments,
        owners,
        found,
        references: Vec::new(),
        stamps: Vec::new(),
        reached: Vec::new(),
        before: Vec::new(),
        force: Vec::new(),
        copied: BTreeSet::new(),
        grows: tables.len() > 1,
    };
    for table in tables {
        debug_assert!(table.at + table.buckets * BUCKET_BYTES <= plan.geometry.file_bytes);
        scan.begin(table);
        scan.chains()?;
        if u64::from(table.log2) == words.current {
            scan.check_migrated(words.migrated);
        }
    }
    scan.repeated_stamps();
    Ok(scan.references)
}

impl Scan<'_> {
    fn buckets(&self, start: u64, end: u64) -> Result<Vec<Bucket>> {
        let mut bytes = vec![0; ((end - start) * BUCKET_BYTES) as usize];
        self.source.read(self.table.at + start * BUCKET_BYTES, &mut bytes)?;
        let words: Vec<u64> = words_of(&bytes).collect();
        Ok(words.as_chunks::<8>().0.to_vec())
    }

    fn bucket(&self, number: u64) -> Result<Bucket> {
        self.source.array(self.table.at + number * BUCKET_BYTES)
    }

    fn begin(&mut self, table: Table) {
        self.grows = self.grows && table.log2 == self.table.log2;
        self.table = table;
        self.before = std::mem::take(&mut self.force);
        self.reached = vec![false; (table.buckets - table.primaries) as usize];
    }

    fn chains(&mut self) -> Result<()> {
        let table = self.table;
        for start in (0..table.primaries).step_by(STEP as usize) {
            let end = (start + STEP).min(table.primaries);
            for (number, bucket) in (start..end).zip(self.buckets(start, end)?) {
                self.chain(number, &bucket)?;
            }
        }
        for start in (table.primaries..table.buckets).step_by(STEP as usize) {
            let end = (start + STEP).min(table.buckets);
            for (number, bucket) in (start..end).zip(self.buckets(start, end)?) {
                if !self.reached[(number - table.primaries) as usize] {
                    self.unreached(number, &bucket);
                }
            }
        }
        Ok(())
    }

    /// All chains that the region counts as moved are.
    fn check_migrated(&mut self, migrated: u64) {
        let moved = migrated.saturating_sub(self.table.primaries) as usize;
        let below = self.force.iter().take(moved);
        if let Some(chain) = below.into_iter().position(|force| *force != Force::Moved) {
            let what = format_args!("{moved} chains count as moved, but chain {chain} is not");
            self.found.problem(format_args!("index table {}", self.table.log2), what);
        }
    }

    fn force_of(&mut self, primary: u64, header: HeaderWord) -> Force {
        let parent = primary as usize & (self.before.len().max(1) - 1);
        let force = match self.before.get(parent) {
            Some(Force::Moved) | None if header.is_moved() => Force::Moved,
            Some(Force::Moved) | None if header.is_frozen() => Force::Frozen,
            Some(Force::Moved) | None => Force::Counts,
            Some(_) => Force::NotYet,
        };
        self.force.push(force);
        let place = format_args!("table {} bucket {primary}", self.table.log2);
        match force {
            Force::Moved | Force::Frozen if !self.grows => {
                self.found.problem(place, "is frozen, but the next table is not there");
            }
            Force::Frozen => self.found.note(format_args!("{place} is being moved")),
            Force::NotYet if header.0 != 0 => {
                self.found.problem(place, "is used before the chain it comes from is moved");
            }
            _ => {}
        }
        force
    }

    fn chain(&mut self, primary: u64, bucket: &Bucket) -> Result<()> {
        let mut chain = vec![primary];
        let force = self.force_of(primary, HeaderWord(bucket[0]));
        self.slots(force, primary, primary, bucket);
        let (mut parent, mut link) = (primary, bucket[7]);
        while let Some(number) = linked(link) {
            let place = format!("table {} bucket {parent}", self.table.log2);
            if !(self.table.primaries..self.table.buckets).contains(&number) {
                let what = format_args!("links to {number}, which is no overflow bucket");
                self.found.problem(place, what);
                break;
            }
            if chain.len() > MAX_OVERFLOW {
                let what = format_args!("the chain of bucket {primary} is too long");
                self.found.problem(place, what);
                break;
            }
            let reached = &mut self.reached[(number - self.table.primaries) as usize];
            if std::mem::replace(reached, true) {
                let what = format_args!("links to {number}, which is linked already");
                self.found.problem(place, what);
                break;
            }
            let bucket = self.bucket(number)?;
            if bucket[0] != parent + 1 {
                let what = format_args!("links to {number}, whose claim is {}", bucket[0]);
                self.found.problem(place, what);
            }
            self.slots(force, primary, number, &bucket);
            chain.push(number);
            (parent, link) = (number, bucket[7]);
        }
        if link & LINK_FROZEN != 0 && matches!(force, Force::Counts | Force::NotYet) {
            self.found
                .problem(format_args!("bucket {parent}"), "its link is frozen, its chain not");
        }
        self.header(primary, HeaderWord(bucket[0]), &chain);
        Ok(())
    }

    /// Header of a primary bucket.
    fn header(&mut self, primary: u64, header: HeaderWord, chain: &[u64]) {
        let place = format_args!("table {} bucket {primary}", self.table.log2);
        if !header.is_pending() {
            let right = [header.finished(), header.frozen(), header.moved()];
            if !right.contains(&header) {
                let what = format_args!("idle header {:#x} has bits that no one sets", header.0);
                self.found.problem(place, what);
            }
            return;
        }
        let number = u64::from(header.thread());
        let Some(thread) = self.owners.thread(number).filter(|_| number != 0) else {
            let what = format_args!("an insert is pending for thread {number}, which is none");
            self.found.problem(place, what);
            return;
        };
        let described = SlotRef::from_word(thread.insert_slot)
            .filter(|slot| slot.table() == self.table.log2)
            .is_some_and(|slot| chain.contains(&(slot.bucket() as u64)) && slot.slot() < SLOTS);
        let same = thread.insert_sequence & HeaderWord::SEQUENCE_MASK == header.sequence();
        if !described || !same {
            let what = format_args!("an insert is pending that thread {number} does not describe");
            self.found.problem(place, what);
        } else if thread.life == Life::Dead {
            let what = format_args!("an insert of thread {number} is pending, its owner is dead");
            self.found.recoverable(place, what);
        } else {
            let what = format_args!("an insert of thread {number} is pending");
            self.found.problem(place, what);
        }
    }

    fn slots(&mut self, force: Force, chain: u64, bucket: u64, words: &Bucket) {
        for (slot, &word) in words[1..=SLOTS].iter().enumerate() {
            let word = SlotWord(word);
            let place = format_args!("table {} bucket {bucket} slot {slot}", self.table.log2);
            match force {
                Force::Moved if !word.is_frozen() => {
                    self.found.problem(place, "is not frozen, but its chain is moved");
                }
                Force::Counts | Force::NotYet if word.is_frozen() => {
                    self.found.problem(place, "is frozen, its chain is not");
                }
                Force::NotYet if word.0 != 0 && !self.copied.contains(&word.0) => {
                    self.found.problem(place, "is no copy from the chain that is being moved");
                }
                Force::Frozen => drop(self.copied.insert(word.thawed().0)),
                _ => {}
            }
            if matches!(force, Force::Moved | Force::NotYet) {
                continue;
            }
            let word = word.thawed();
            if word.is_empty() {
                self.empty(bucket, slot, word);
            } else if self.occupied(bucket, slot, word) {
                self.references.push(Reference {
                    location: word.location(),
                    hash: 0,
                    table: self.table.log2 as u8,
                    chain: chain as u32,
                    bucket: bucket as u32,
                    tag: word.tag() as u16,
                    slot: slot as u8,
                    right: false,
                });
            }
        }
    }

    /// Stamp: 40 bits of counter, 12 bits of thread; nothing above.
    fn empty(&mut self, bucket: u64, slot: usize, word: SlotWord) {
        if word.0 == 0 {
            return;
        }
        let place = format_args!("table {} bucket {bucket} slot {slot}", self.table.log2);
        let (number, counter) = (word.0 >> 40, word.0 & ((1 << 40) - 1));
        match self.owners.thread(number).filter(|_| number != 0) {
            None => {
                let what = format_args!("empty word {:#x} has no author", word.0);
                self.found.problem(place, what);
            }
            Some(thread) if thread.stamp & ((1 << 40) - 1) < counter => {
                let stamp = thread.stamp;
                let what =
                    format_args!("stamp {counter} of thread {number} is above its counter {stamp}");
                self.found.problem(place, what);
            }
            Some(_) => self.stamps.push(word.0),
        }
    }

    /// Whether the word can name a record.
    fn occupied(&mut self, bucket: u64, slot: usize, word: SlotWord) -> bool {
        let place = format_args!("table {} bucket {bucket} slot {slot}", self.table.log2);
        let location = word.location();
        let number = location.segment();
        let Some(segment) = self.segments.get(number as usize) else {
            let what = format_args!("names segment {number}, which is none");
            self.found.problem(place, what);
            return false;
        };
        if !segment.may_be_referred_to() {
            let what = match segment.state {
                Some(state) => format!("names segment {number}, which is {state:?}"),
                None => format!("names segment {number}, whose state is damaged"),
            };
            self.found.problem(place, what);
            return false;
        }
        let (wanted, seen) = (segment.generation & GENERATION_MASK, location.generation());
        if wanted != seen {
            let what =
                format_args!("names generation {seen} of segment {number}, which is at {wanted}");
            self.found.problem(place, what);
            return false;
        }
        let (offset, committed) = (location.offset() as u64, segment.committed);
        if offset >= committed {
            let what = format_args!(
                "names segment {number} offset {offset}, where records end at {committed}"
            );
            self.found.problem(place, what);
            return false;
        }
        true
    }

    /// An overflow bucket to which no chain leads.
    fn unreached(&mut self, number: u64, bucket: &Bucket) {
        let place = format_args!("table {} bucket {number}", self.table.log2);
        if bucket[1..].iter().any(|&word| word != 0) {
            self.found.problem(place, "is in no chain, but its slots or link are set");
        }
        if let Some(parent) = bucket[0].checked_sub(1) {
            let claim = SlotRef::new(number as u32, 0).in_table(self.table.log2).to_word();
            let claimers = self.owners.threads();
            let claimers = claimers.filter(|thread| thread.overflow_claim == claim);
            let life = strongest(claimers.map(|thread| thread.life));
            let what = format_args!("is claimed for bucket {parent}, but not linked");
            self.found.unfinished(life, place, what);
        }
    }

    fn repeated_stamps(&mut self) {
        self.stamps.sort_unstable();
        for pair in self.stamps.windows(2) {
            if pair[0] == pair[1] {
                self.found
                    .problem("index", format_args!("empty word {:#x} is there twice", pair[0]));
            }
        }
    }
}
