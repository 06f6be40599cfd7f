//! Finding one entry.

use crate::error::{Error, Result};
use crate::heap::record::copied::Copied;
use crate::heap::record::{Head, Record};
use crate::layout::bucket::MAX_OVERFLOW;
use crate::layout::word::{HeaderWord, SlotWord, tag_of};
use crate::region::life::says_destroyed;
use crate::region::lifetime;
use crate::region::read_only::Observed;
use crate::region::{Kind, Token};
use crate::sync::{Acquire, AtomicU64, Relaxed, fence};
use crate::table::{View, hash_key, linked};

/// What a slot showed.
#[derive(Debug)]
pub(super) enum Seen<'b> {
    /// A record, whole.
    Record(Record<'b>),
    /// None that is wanted.
    Nothing,
    /// The slot or its record changed: look again.
    Changed,
    /// The chain is in the next table.
    Moved,
}

impl Observed {
    /// Shows `f` a copy of an entry, if the key is present.
    pub(super) fn read<T>(
        &self,
        key: &[u8],
        f: impl FnOnce(&Record<'_>, Token) -> Option<T>,
    ) -> Result<Option<T>> {
        let hash = hash_key(key, self.hash_seed);
        let mut buffer = Vec::new();
        let found = self.in_current_table(|log2| self.search(log2, hash, key, &mut buffer))?;
        let Some(record) = Record::in_copy(&buffer, self.log.alignment()).filter(|_| found) else {
            return Ok(None);
        };
        Ok(self.seen(&record)?.and_then(|token| f(&record, token)))
    }

    /// The state of a copied entry as it is shown; `None` if it is not there.
    pub(super) fn seen(&self, record: &Record<'_>) -> Result<Option<Token>> {
        let head = record.head();
        let kind = Kind::from_byte(head.kind).ok_or_else(|| Error::Damaged {
            path: self.log.path().into(),
            place: format!("record kind {}", head.kind),
        })?;
        let mine = || self.node.as_ref().map_or(0, |node| node.origin());
        let origin = if head.origin == 0 { mine() } else { head.origin };
        let token = Token { version: head.version, origin, kind };
        Ok(lifetime::seen_in(self.words(), record, token))
    }

    /// Repeats `f` until the table that it began with is the current one still at its end.
    pub(super) fn in_current_table<T>(&self, mut f: impl FnMut(u32) -> Result<T>) -> Result<T> {
        loop {
            let log2 = self.words().table.load(Acquire);
            let result = f(u32::try_from(log2).unwrap_or(u32::MAX));
            fence(Acquire);
            if self.words().table.load(Relaxed) == log2 {
                return result;
            }
        }
    }

    pub(super) fn table(&self, log2: u32) -> Result<View<'_>> {
        self.tables.view(&self.log, log2).ok_or_else(|| {
            if says_destroyed(self.words().table.load(Acquire)) {
                return Error::RegionDestroyed { region: self.name.clone() };
            }
            Error::Damaged { path: self.log.path().into(), place: format!("index table {log2}") }
        })
    }

    pub(super) fn damaged_bucket(&self, bucket: u32) -> Error {
        Error::Damaged { path: self.log.path().into(), place: format!("index bucket {bucket}") }
    }

    /// Leaves the record of the key in `buffer`; false if there is none.
    fn search(&self, mut log2: u32, hash: u64, key: &[u8], buffer: &mut Vec<u64>) -> Result<bool> {
        let tag = tag_of(hash);
        'tables: loop {
            let table = self.table(log2)?;
            let mut number = table.primary(hash);
            let header = &table.buckets[number as usize].header;
            if HeaderWord(header.load(Acquire)).is_moved() {
                log2 += 1;
                continue;
            }
            for _ in 0..=MAX_OVERFLOW {
                let bucket = &table.buckets[number as usize];
                for slot in &bucket.slots {
                    loop {
                        let word = SlotWord(slot.load(Acquire));
                        if word.tag() != tag {
                            break;
                        }
                        let wanted = |head: &Head| head.hash == hash as u32;
                        match self.look(slot, word, header, buffer, wanted)? {
                            Seen::Record(record) if record.has_key(key) => return Ok(true),
                            Seen::Record(_) | Seen::Nothing => break,
                            Seen::Changed => {}
                            Seen::Moved => {
                                log2 += 1;
                                continue 'tables;
                            }
                        }
                    }
                }
                match linked(bucket.link.load(Acquire)) {
                    None => return Ok(false),
                    Some(next) if next < table.buckets.len() as u64 => number = next as u32,
                    Some(_) => break,
                }
            }
            return Err(self.damaged_bucket(number));
        }
    }

    /// Copies what a slot refers to, which held `word` a moment ago.
    pub(super) fn look<'b>(
        &self,
        slot: &AtomicU64,
        word: SlotWord,
        header: &AtomicU64,
        buffer: &'b mut Vec<u64>,
        wanted: impl FnOnce(&Head) -> bool,
    ) -> Result<Seen<'b>> {
        let location = word.location();
        let generation = self.log.generation_of(location);
        if SlotWord(slot.load(Acquire)).identity() != word.identity() {
            return Ok(Seen::Changed);
        }
        // A frozen word holds until the chain is moved.
        if word.is_frozen() && HeaderWord(header.load(Acquire)).is_moved() {
            return Ok(Seen::Moved);
        }
        let Some(generation) = generation else {
            return Err(self.log.damaged_record(location));
        };
        Ok(match self.log.copy_record(location, generation, buffer, wanted)? {
            Copied::Whole(record) => Seen::Record(record),
            Copied::Unwanted => Seen::Nothing,
            Copied::Changed => Seen::Changed,
        })
    }
}
