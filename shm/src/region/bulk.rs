//! Operations on many keys: one round, a result for each key.
//!
//! Nothing is applied before all keys and values were looked at. Then each key is an operation of
//! its own, in the order of the keys, with the buckets of a batch asked for ahead; one that fails
//! does not keep the others from taking place. In a distributed-ack region there is one wait for
//! all of them at the end.

use crate::error::{Error, Result};
use crate::layout::counters::Counter;
use crate::region::attributes::Scope;
use crate::region::mapped::Mapped;
use crate::region::write::{Change, Condition};
use crate::region::{Departed, Kind, Outcome, Region, WriteOptions};

/// Keys whose buckets are asked for at a time.
const BATCH: usize = 16;

/// Results of a bulk operation.
#[derive(Debug)]
#[must_use = "some keys may have failed"]
pub struct Bulk<T> {
    region: String,
    /// For each key, in their order: what became of it, or why it failed. A key that failed is as
    /// it was before.
    pub results: Vec<Result<T>>,
    /// Whether the other nodes acknowledged what is done; an error says that they did not in time.
    pub acknowledged: Result<()>,
    /// Nodes that left before they had acknowledged all of it, see
    /// [`Outcome::departed`](crate::Outcome::departed).
    pub departed: Departed,
}

impl<T> Bulk<T> {
    /// Keys that are done.
    pub fn done(&self) -> usize {
        self.results.iter().filter(|result| result.is_ok()).count()
    }

    /// Numbers of the keys that failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &Error)> {
        let numbered = self.results.iter().enumerate();
        numbered.filter_map(|(number, result)| result.as_ref().err().map(|error| (number, error)))
    }

    /// The results of all keys if none failed.
    ///
    /// # Errors
    /// `BulkFailed` if some keys failed, `AckTimeout` if all are done here and not acknowledged.
    pub fn all(self) -> Result<Vec<T>> {
        let done = self.done();
        let failed = self.results.len() - done;
        let mut all = Vec::with_capacity(done);
        for (first, result) in self.results.into_iter().enumerate() {
            match result {
                Ok(result) => all.push(result),
                Err(error) => {
                    let (region, source) = (self.region, Box::new(error));
                    return Err(Error::BulkFailed { region, done, failed, first, source });
                }
            }
        }
        self.acknowledged.map(|()| all)
    }
}

impl Region {
    /// [`Region::put`] of many entries. Of a key that is there twice the last value stays.
    ///
    /// # Errors
    /// `InvalidKey` or `ValueTooLarge` if any entry is impossible, and `RegionDestroyed`,
    /// `RegionClosed`, `ForkedChild`, `TooManyThreads`: then nothing was done. What fails later is
    /// in the results.
    pub fn put_all<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        entries: &[(K, V)],
    ) -> Result<Bulk<Outcome>> {
        self.put_all_with(entries, &WriteOptions::default())
    }

    /// [`Region::put_all`] with options, which hold for every entry; `ack_within` for all at once.
    ///
    /// # Errors
    /// As [`Region::put_all`]; `NotAllowed` if the time to live is zero.
    pub fn put_all_with<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        entries: &[(K, V)],
        options: &WriteOptions,
    ) -> Result<Bulk<Outcome>> {
        for (key, value) in entries {
            self.mapped.check_entry(key.as_ref(), value.as_ref())?;
        }
        let deadline = self.deadline_of(options)?;
        self.mapped.count(Counter::PutAlls, 1)?;
        let keys = entries.iter().map(|(key, _)| key.as_ref());
        self.in_bulk(keys, options, |number| {
            let (key, value) = &entries[number];
            let (key, value) = (key.as_ref(), value.as_ref());
            let change = Change::new(key, value, Kind::Value, Condition::Always);
            // Only who listens is told that it is one of many.
            let written = if deadline.is_none() && !self.mapped.is_wanted() {
                Self::outcome(self.mapped.put(key, value)?)
            } else {
                self.write_here(Change { deadline, bulk: true, ..change })?
            };
            match written {
                Ok(outcome) => Ok((outcome, Some(outcome))),
                Err(_) => Err(self.refused_unconditionally()),
            }
        })
    }

    /// [`Region::remove`] of many keys: `None` for those that are absent.
    ///
    /// # Errors
    /// As [`Region::put_all`].
    pub fn remove_all<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Bulk<Option<Outcome>>> {
        self.remove_all_with(keys, &WriteOptions::default())
    }

    /// [`Region::remove_all`] with options.
    ///
    /// # Errors
    /// As [`Region::put_all`].
    pub fn remove_all_with<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        options: &WriteOptions,
    ) -> Result<Bulk<Option<Outcome>>> {
        keys.iter().try_for_each(|key| Mapped::check_key(key.as_ref()))?;
        self.mapped.count(Counter::RemoveAlls, 1)?;
        self.in_bulk(keys.iter().map(AsRef::as_ref), options, |number| {
            let key = keys[number].as_ref();
            let change = Change::new(key, &[], Kind::Tombstone, Condition::Present);
            let removed = self.write_here(Change { bulk: true, ..change })?.ok();
            Ok((removed, removed))
        })
    }

    /// Does `one` for each key, by its number, and waits once for all. `one` also says what there
    /// is to wait for.
    fn in_bulk<'k, T>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k [u8]>,
        options: &WriteOptions,
        mut one: impl FnMut(usize) -> Result<(T, Option<Outcome>)>,
    ) -> Result<Bulk<T>> {
        self.mapped.check_life()?;
        let context = self.mapped.context()?;
        let hashes: Vec<u64> = keys.map(|key| self.mapped.hash(key)).collect();
        let (mut results, mut position) = (Vec::with_capacity(hashes.len()), 0);
        for (batch, hashes) in hashes.chunks(BATCH).enumerate() {
            // A hint; what is wrong with the index the operation itself will say.
            let _ = self.mapped.prefetch_all(self.mapped.descriptor(&context), hashes);
            for number in (batch * BATCH..).take(hashes.len()) {
                let result = one(number);
                if let Ok((_, Some(outcome))) = &result {
                    position = position.max(outcome.position);
                }
                results.push(result.map(|(result, _)| result));
            }
        }
        let acknowledged = if position != 0 && self.mapped.attributes.scope == Scope::DistributedAck
        {
            self.mapped.wait_acknowledged(position, options.until())
        } else {
            Ok(Departed::default())
        };
        let departed = acknowledged.as_ref().copied().unwrap_or_default();
        let acknowledged = acknowledged.map(|_| ());
        Ok(Bulk { region: self.name().into(), results, acknowledged, departed })
    }
}

#[cfg(test)]
mod tests;
