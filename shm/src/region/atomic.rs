//! Atomic operations that depend on what an entry is: each looks at the entry, decides, and writes
//! under the condition that the entry still is what it looked at.
//!
//! The condition is the entry's token, or that the key is absent. Versions are monotone per key, so
//! an equal token means that nothing happened to the entry in between, and the operation takes
//! place at the one compare-and-swap of the write: linearizable across processes. A condition that
//! fails means that another write took place, so the loop is lock-free. Records that lost a race
//! are dead at once and are cleaned like others.
//!
//! Nothing here stores to shared memory but the write itself, whose crash points are those of
//! `write`: killed anywhere, the operation took place or did not.

use std::ops::ControlFlow;

use crossbeam_utils::Backoff;

use crate::error::{Error, Result};
use crate::region::attributes::{Attributes, DataPolicy};
use crate::region::write::Condition;
use crate::region::{Kind, Outcome, Region, Swap, Token, WriteOptions};

/// Result of [`Region::put_if_absent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutIfAbsent {
    /// The key was absent and has the value now.
    Created(Outcome),
    /// The key was present; nothing was changed.
    Present {
        /// State of the entry.
        token: Token,
        /// A copy of its value; `None` if the entry is invalid.
        value: Option<Vec<u8>>,
    },
}

/// What an operation does about what it found.
enum Step<V, T> {
    Put(V),
    Remove,
    /// Nothing, and this is the result.
    Leave(T),
}

/// Bytes of a counter.
const COUNTER: usize = size_of::<i64>();

impl Region {
    /// Creates an entry unless the key is present; then returns what is there. An invalid entry is
    /// present.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn put_if_absent(&self, key: &[u8], value: &[u8]) -> Result<PutIfAbsent> {
        self.put_if_absent_with(key, value, &WriteOptions::default())
    }

    /// [`Region::put_if_absent`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn put_if_absent_with(
        &self,
        key: &[u8],
        value: &[u8],
        options: &WriteOptions,
    ) -> Result<PutIfAbsent> {
        self.allow_atomic("put_if_absent")?;
        let settled = self.settle(key, options, |found| {
            Ok(match found {
                None => Step::Put(value),
                Some((token, value)) => {
                    Step::Leave(PutIfAbsent::Present { token, value: value.map(<[u8]>::to_vec) })
                }
            })
        })?;
        Ok(match settled {
            ControlFlow::Continue((outcome, _)) => PutIfAbsent::Created(outcome),
            ControlFlow::Break(present) => present,
        })
    }

    /// Stores a value as [`Region::put`] does, and returns the one that it replaced, if any. Costs
    /// a copy of that; [`Outcome::created`](crate::Outcome) alone is free.
    ///
    /// An invalid entry had no value, and a region that stores nothing knows of none.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn swap_value(&self, key: &[u8], value: &[u8]) -> Result<(Outcome, Option<Vec<u8>>)> {
        if self.mapped.attributes.data_policy == DataPolicy::Empty {
            return Ok((self.put(key, value)?, None));
        }
        let mut old = None;
        let settled = self.settle(key, &WriteOptions::default(), |found| {
            old = found.and_then(|(_, value)| value.map(<[u8]>::to_vec));
            Ok(Step::<_, Outcome>::Put(value))
        })?;
        let outcome = match settled {
            ControlFlow::Continue((outcome, _)) | ControlFlow::Break(outcome) => outcome,
        };
        Ok((outcome, old))
    }

    /// Replaces the value of an entry whose value is `expected`: Geode's `replace(key, old, new)`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn replace_if(&self, key: &[u8], expected: &[u8], value: &[u8]) -> Result<Swap> {
        self.replace_if_with(key, expected, value, &WriteOptions::default())
    }

    /// [`Region::replace_if`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn replace_if_with(
        &self,
        key: &[u8],
        expected: &[u8],
        value: &[u8],
        options: &WriteOptions,
    ) -> Result<Swap> {
        self.allow_atomic("replace_if")?;
        self.settle_swap(key, options, |found| found == Some(expected), || Step::Put(value))
    }

    /// Destroys an entry whose value is `expected`: Geode's `remove(key, value)`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn remove_if_value(&self, key: &[u8], expected: &[u8]) -> Result<Swap> {
        self.remove_if_value_with(key, expected, &WriteOptions::default())
    }

    /// [`Region::remove_if_value`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn remove_if_value_with(
        &self,
        key: &[u8],
        expected: &[u8],
        options: &WriteOptions,
    ) -> Result<Swap> {
        self.allow_atomic("remove_if_value")?;
        self.settle_swap(key, options, |found| found == Some(expected), || Step::Remove)
    }

    /// Destroys an entry that still has the token `expected`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn remove_if(&self, key: &[u8], expected: Token) -> Result<Swap> {
        self.remove_if_with(key, expected, &WriteOptions::default())
    }

    /// [`Region::remove_if`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn remove_if_with(
        &self,
        key: &[u8],
        expected: Token,
        options: &WriteOptions,
    ) -> Result<Swap> {
        self.allow_atomic("remove_if")?;
        let condition = Condition::Equals(expected);
        Ok(match self.write(key, &[], Kind::Tombstone, condition, options)? {
            Ok(outcome) => Swap::Swapped(outcome),
            Err(found) => Swap::Changed(found),
        })
    }

    /// Adds `delta` to a counter and returns the sum. An absent key counts as 0.
    ///
    /// A counter is a value of eight bytes: a signed integer, little-endian (`i64::to_le_bytes`).
    ///
    /// # Errors
    /// `NotACounter` if the entry has another value or none, `CounterOverflow` if the sum does not
    /// fit; nothing is changed then. Else as [`Region::put`].
    pub fn increment(&self, key: &[u8], delta: i64) -> Result<i64> {
        self.increment_with(key, delta, &WriteOptions::default())
    }

    /// [`Region::increment`] with options.
    ///
    /// # Errors
    /// As [`Region::increment`] and [`Region::put_with`].
    pub fn increment_with(&self, key: &[u8], delta: i64, options: &WriteOptions) -> Result<i64> {
        self.allow_atomic("increment")?;
        let settled = self.settle(key, options, |found| {
            let before = match found {
                None => 0,
                Some((_, value)) => self.counter(value)?,
            };
            let sum = before.checked_add(delta).ok_or_else(|| Error::CounterOverflow {
                region: self.name().into(),
                value: before.into(),
                delta: delta.into(),
            })?;
            Ok(Step::<_, i64>::Put(sum.to_le_bytes()))
        })?;
        Ok(match settled {
            ControlFlow::Continue((_, sum)) => i64::from_le_bytes(sum),
            ControlFlow::Break(sum) => sum,
        })
    }

    fn counter(&self, value: Option<&[u8]>) -> Result<i64> {
        let bytes = value.and_then(|value| <[u8; COUNTER]>::try_from(value).ok());
        bytes.map(i64::from_le_bytes).ok_or_else(|| Error::NotACounter {
            region: self.name().into(),
            len: value.map(<[u8]>::len),
        })
    }

    /// Reads, computes and writes as one operation: `f` gets the value (`None`: the key is absent
    /// or its value invalid) and returns the new one, or `None` to leave the entry as it is.
    ///
    /// `f` works on a copy, may use the region, and is called again whenever another write came in
    /// between, so it should be quick and have no effect but its result. `None` is returned if `f`
    /// left the entry alone.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn update(
        &self,
        key: &[u8],
        f: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<Option<Outcome>> {
        self.update_with(key, &WriteOptions::default(), f)
    }

    /// [`Region::update`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn update_with(
        &self,
        key: &[u8],
        options: &WriteOptions,
        mut f: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<Option<Outcome>> {
        self.allow_atomic("update")?;
        let mut rounds = Rounds::new(self);
        let mut old = Vec::new();
        loop {
            let found = self.mapped.inspect(key, true, |record, token| {
                old.clear();
                if token.kind == Kind::Value {
                    old.extend_from_slice(record.value());
                }
                token
            })?;
            let value = found.filter(|token| token.kind == Kind::Value).map(|_| old.as_slice());
            let Some(new) = f(value) else {
                return Ok(None);
            };
            let condition = found.map_or(Condition::Absent, Condition::Equals);
            match self.write(key, &new, Kind::Value, condition, options)? {
                Ok(outcome) => return Ok(Some(outcome)),
                Err(refused) => rounds.again(found, refused)?,
            }
        }
    }

    fn settle_swap<'v>(
        &self,
        key: &[u8],
        options: &WriteOptions,
        mut expected: impl FnMut(Option<&[u8]>) -> bool,
        step: impl Fn() -> Step<&'v [u8], Option<Token>>,
    ) -> Result<Swap> {
        let settled = self.settle(key, options, |found| {
            Ok(match found {
                Some((_, value)) if expected(value) => step(),
                Some((token, _)) => Step::Leave(Some(token)),
                None => Step::Leave(None),
            })
        })?;
        Ok(match settled {
            ControlFlow::Continue((outcome, _)) => Swap::Swapped(outcome),
            ControlFlow::Break(found) => Swap::Changed(found),
        })
    }

    /// Looks, decides and writes until nothing happened in between. `decide` sees the entry in
    /// place and must not use the region.
    fn settle<V: AsRef<[u8]> + Default, T>(
        &self,
        key: &[u8],
        options: &WriteOptions,
        mut decide: impl FnMut(Option<(Token, Option<&[u8]>)>) -> Result<Step<V, T>>,
    ) -> Result<ControlFlow<T, (Outcome, V)>> {
        let mut rounds = Rounds::new(self);
        loop {
            let found = self.mapped.inspect(key, true, |record, token| {
                let value = (token.kind == Kind::Value).then(|| record.value());
                (token, decide(Some((token, value))))
            })?;
            let (looked, condition, step) = match found {
                Some((token, step)) => (Some(token), Condition::Equals(token), step?),
                None => (None, Condition::Absent, decide(None)?),
            };
            let (value, kind) = match step {
                Step::Put(value) => (value, Kind::Value),
                Step::Remove => (V::default(), Kind::Tombstone),
                Step::Leave(result) => return Ok(ControlFlow::Break(result)),
            };
            match self.write(key, value.as_ref(), kind, condition, options)? {
                Ok(outcome) => return Ok(ControlFlow::Continue((outcome, value))),
                Err(refused) => rounds.again(looked, refused)?,
            }
        }
    }

    /// Refuses operations that need to know the entry where this node may not know it.
    pub(crate) fn allow_atomic(&self, operation: &str) -> Result<()> {
        match refusal(&self.mapped.attributes) {
            None => Ok(()),
            Some(DataPolicy::Empty) => Err(Error::NotAllowed {
                region: self.name().into(),
                what: format!("`{operation}` with data policy `empty`"),
            }),
            Some(policy) => Err(Error::NotAllowed {
                region: self.name().into(),
                what: format!("`{operation}` with data policy `{policy}` in a distributed scope"),
            }),
        }
    }
}

/// The rounds of an operation that looks, and writes if nothing happened meanwhile.
struct Rounds<'r> {
    region: &'r Region,
    backoff: Backoff,
    last: [Option<Token>; 2],
    /// How often `last` came in a row.
    times: u32,
}

/// So often the same is seen in turn only in a damaged file. A clock that is set back can show it
/// once, when it lets an entry expire again.
const SURELY_DAMAGED: u32 = 16;

impl<'r> Rounds<'r> {
    fn new(region: &'r Region) -> Self {
        Self { region, backoff: Backoff::new(), last: [None; 2], times: 0 }
    }

    /// The write found something else than the look. Versions of a key only grow, so nobody sees
    /// A, then B, then A, then B: the two ways to find an entry disagree about a damaged index, and
    /// would do so for ever.
    fn again(&mut self, looked: Option<Token>, refused: Option<Token>) -> Result<()> {
        let same = self.last == [looked, refused];
        self.times = if same { self.times + 1 } else { 1 };
        self.last = [looked, refused];
        if self.times >= SURELY_DAMAGED {
            let place = "an entry that reads and writes find differently".to_owned();
            return Err(Error::Damaged { path: self.region.mapped.path().into(), place });
        }
        self.backoff.spin();
        Ok(())
    }
}

/// The data policy that rules atomic operations out: a node that stores nothing knows nothing of an
/// entry, and in a distributed region only one that has all entries knows whether one is absent,
/// and which version it has.
fn refusal(attributes: &Attributes) -> Option<DataPolicy> {
    let policy = attributes.data_policy;
    let unknown = attributes.scope.is_distributed() && !policy.is_replicate();
    (policy == DataPolicy::Empty || unknown).then_some(policy)
}

#[cfg(test)]
mod tests;
