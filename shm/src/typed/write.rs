//! The typed region: writes and atomic operations.

use std::borrow::Borrow;

use crate::error::{Error, Result};
use crate::region::atomic;
use crate::region::bulk::Bulk;
use crate::region::{Outcome, Swap, Token, WriteOptions};
use crate::typed::{Key, Region, Value, not_of_type};

/// Result of [`Region::put_if_absent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutIfAbsent<V> {
    /// The key was absent and has the value now.
    Created(Outcome),
    /// The key was present; nothing was changed.
    Present {
        /// State of the entry.
        token: Token,
        /// A copy of its value; `None` if the entry is invalid.
        value: Option<V>,
    },
}

/// A number that [`Region::increment`] can add to: `i8` to `i64`, `u8` to `u64`.
pub trait Counter: Value + Copy {
    /// Zero, which an absent counter counts as.
    const ZERO: Self;

    /// The sum, if it fits.
    fn plus(self, delta: Self) -> Option<Self>;

    /// The same number, for errors.
    fn number(self) -> i128;
}

macro_rules! counters {
    ($($type:ty)*) => {$(
        impl Counter for $type {
            const ZERO: Self = 0;

            fn plus(self, delta: Self) -> Option<Self> {
                self.checked_add(delta)
            }

            fn number(self) -> i128 {
                self.into()
            }
        }
    )*};
}

counters! { i8 i16 i32 i64 u8 u16 u32 u64 }

impl<K: ?Sized + Key, V: ?Sized + Value> Region<K, V> {
    /// Creates or replaces an entry.
    ///
    /// # Errors
    /// As [`put`](crate::Region::put) of the untyped region.
    #[inline]
    pub fn put(&self, key: &K, value: &V) -> Result<Outcome> {
        self.untyped().put(key.to_bytes().as_ref(), value.as_bytes())
    }

    /// [`Region::put`] with options.
    ///
    /// # Errors
    /// As [`put_with`](crate::Region::put_with) of the untyped region.
    pub fn put_with(&self, key: &K, value: &V, options: &WriteOptions) -> Result<Outcome> {
        self.untyped().put_with(key.to_bytes().as_ref(), value.as_bytes(), options)
    }

    /// Creates an entry.
    ///
    /// # Errors
    /// `EntryExists` if the key is present, else as [`Region::put`].
    pub fn create(&self, key: &K, value: &V) -> Result<Outcome> {
        self.untyped().create(key.to_bytes().as_ref(), value.as_bytes())
    }

    /// Creates an entry unless the key is present; then returns what is there.
    ///
    /// # Errors
    /// As [`Region::put`]; `NotOfType`.
    pub fn put_if_absent(&self, key: &K, value: &V) -> Result<PutIfAbsent<V>>
    where
        V: Sized,
    {
        let done = self.untyped().put_if_absent(key.to_bytes().as_ref(), value.as_bytes())?;
        Ok(match done {
            atomic::PutIfAbsent::Created(outcome) => PutIfAbsent::Created(outcome),
            atomic::PutIfAbsent::Present { token, value: None } => {
                PutIfAbsent::Present { token, value: None }
            }
            atomic::PutIfAbsent::Present { token, value: Some(bytes) } => {
                let copy = V::read_from_bytes(&bytes);
                let copy =
                    copy.map_err(|_| not_of_type(self.name(), &V::shape(), "value", bytes.len()))?;
                PutIfAbsent::Present { token, value: Some(copy) }
            }
        })
    }

    /// Replaces the value of an entry that is present; `None` if it is not.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn replace(&self, key: &K, value: &V) -> Result<Option<Outcome>> {
        self.untyped().replace(key.to_bytes().as_ref(), value.as_bytes())
    }

    /// Replaces the value of an entry whose bytes are those of `expected`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn replace_if(&self, key: &K, expected: &V, value: &V) -> Result<Swap> {
        let key = key.to_bytes();
        self.untyped().replace_if(key.as_ref(), expected.as_bytes(), value.as_bytes())
    }

    /// Replaces the value of an entry that still has the token `expected`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn compare_and_swap(&self, key: &K, expected: Token, value: &V) -> Result<Swap> {
        self.untyped().compare_and_swap(key.to_bytes().as_ref(), expected, value.as_bytes())
    }

    /// Reads, computes and writes as one operation: `f` gets a copy of the value (`None`: the key
    /// is absent or its value invalid) and returns the new one, or `None` to leave the entry alone.
    ///
    /// `f` is called again whenever another write came in between, so it should be quick and have
    /// no effect but its result. `None` is returned if `f` left the entry alone.
    ///
    /// # Errors
    /// As [`Region::put`]; `NotOfType`.
    pub fn update(
        &self,
        key: &K,
        mut f: impl FnMut(Option<&V>) -> Option<V>,
    ) -> Result<Option<Outcome>>
    where
        V: Sized,
    {
        loop {
            let found = self.get_versioned(key)?;
            let (value, token) = match &found {
                Some((value, token)) => (value.as_ref(), Some(*token)),
                None => (None, None),
            };
            let Some(new) = f(value) else {
                return Ok(None);
            };
            let done = match token {
                Some(token) => match self.compare_and_swap(key, token, &new)? {
                    Swap::Swapped(outcome) => Some(outcome),
                    Swap::Changed(_) => None,
                },
                None => match self.create(key, &new) {
                    Err(Error::EntryExists { .. }) => None,
                    created => Some(created?),
                },
            };
            if done.is_some() {
                return Ok(done);
            }
            std::hint::spin_loop();
        }
    }

    /// Adds `delta` to a number and returns the sum. An absent key counts as 0.
    ///
    /// A `Region<_, i64>` counts as [`increment`](crate::Region::increment) of the untyped region
    /// does.
    ///
    /// # Errors
    /// `CounterOverflow` if the sum does not fit; nothing is changed then. Else as
    /// [`Region::update`].
    pub fn increment(&self, key: &K, delta: V) -> Result<V>
    where
        V: Counter,
    {
        let (mut before, mut sum) = (V::ZERO, None);
        self.update(key, |value| {
            before = value.copied().unwrap_or(V::ZERO);
            sum = before.plus(delta);
            sum
        })?;
        sum.ok_or_else(|| Error::CounterOverflow {
            region: self.name().into(),
            value: before.number(),
            delta: delta.number(),
        })
    }

    /// Destroys an entry. A distributed region keeps a tombstone.
    ///
    /// # Errors
    /// `EntryNotFound` if the key is absent, else as [`Region::put`].
    pub fn destroy(&self, key: &K) -> Result<Outcome> {
        self.untyped().destroy(key.to_bytes().as_ref())
    }

    /// Destroys an entry if it is present.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn remove(&self, key: &K) -> Result<Option<Outcome>> {
        self.untyped().remove(key.to_bytes().as_ref())
    }

    /// [`Region::put`] of many entries. Of a key that is there twice the last value stays.
    ///
    /// # Errors
    /// As [`put_all`](crate::Region::put_all) of the untyped region.
    pub fn put_all<Q: Borrow<K>, W: Borrow<V>>(&self, entries: &[(Q, W)]) -> Result<Bulk<Outcome>> {
        let entries: Vec<(K::Bytes<'_>, &[u8])> = entries
            .iter()
            .map(|(key, value)| (key.borrow().to_bytes(), value.borrow().as_bytes()))
            .collect();
        self.untyped().put_all(&entries)
    }

    /// [`Region::remove`] of many keys: `None` for those that are absent.
    ///
    /// # Errors
    /// As [`put_all`](crate::Region::put_all) of the untyped region.
    pub fn remove_all<Q: Borrow<K>>(&self, keys: &[Q]) -> Result<Bulk<Option<Outcome>>> {
        let keys: Vec<K::Bytes<'_>> = keys.iter().map(|key| key.borrow().to_bytes()).collect();
        self.untyped().remove_all(&keys)
    }

    /// Creates an entry without a value: the key is present and invalid.
    ///
    /// # Errors
    /// As [`create_invalid`](crate::Region::create_invalid) of the untyped region.
    pub fn create_invalid(&self, key: &K) -> Result<Outcome> {
        self.untyped().create_invalid(key.to_bytes().as_ref())
    }

    /// Takes the value of an entry and keeps its key. `None` if it was invalid already.
    ///
    /// # Errors
    /// As [`invalidate`](crate::Region::invalidate) of the untyped region.
    pub fn invalidate(&self, key: &K) -> Result<Option<Outcome>> {
        self.untyped().invalidate(key.to_bytes().as_ref())
    }

    /// Takes all entries out of the region, at one instant.
    ///
    /// # Errors
    /// As [`clear`](crate::Region::clear) of the untyped region.
    pub fn clear(&self) -> Result<()> {
        self.untyped().clear()
    }

    /// Destroys an entry that still has the token `expected`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn remove_if(&self, key: &K, expected: Token) -> Result<Swap> {
        self.untyped().remove_if(key.to_bytes().as_ref(), expected)
    }

    /// Destroys an entry whose bytes are those of `expected`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn remove_if_value(&self, key: &K, expected: &V) -> Result<Swap> {
        self.untyped().remove_if_value(key.to_bytes().as_ref(), expected.as_bytes())
    }
}
