//! The typed region: reads.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::time::Instant;

use crate::error::Result;
use crate::region::wait::Waited;
use crate::region::{self, Kind, Token};
use crate::typed::{Guard, Handle, Iter, Key, OwnedGuard, Types, Value, not_of_type, view};

/// A map of keys `K` to values `V`, shared by the processes of a node. Cheap to clone.
///
/// Its operations are those of the untyped [`Region`](crate::Region), with its guarantees and
/// errors; reads also fail with `NotOfType` if somebody wrote other bytes without the types.
/// [`Region::untyped`] has the rest: attributes, statistics, expiry, maintenance.
///
/// Keys may be unsized: a `Region<str, V>` takes `&str`. So may values: a `Region<u64, [f32]>`
/// holds as many numbers per key as each `put` says.
pub struct Region<K: ?Sized, V: ?Sized> {
    inner: region::Region,
    types: Types<K, V>,
}

impl<K: ?Sized, V: ?Sized> Clone for Region<K, V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), types: PhantomData }
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for Region<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<K: ?Sized, V: ?Sized> Region<K, V> {
    pub(super) fn new(inner: region::Region) -> Self {
        Self { inner, types: PhantomData }
    }

    /// The same region without types.
    pub fn untyped(&self) -> &region::Region {
        &self.inner
    }

    /// Name of the region.
    pub fn name(&self) -> &str {
        self.inner.name()
    }
}

impl<K: ?Sized + Key, V: ?Sized + Value> Region<K, V> {
    /// Reads a value in place. `None` if the key is absent or its value is invalid.
    ///
    /// # Errors
    /// As [`get`](crate::Region::get) of the untyped region; `NotOfType`.
    #[inline]
    pub fn get(&self, key: &K) -> Result<Option<Guard<'_, V>>> {
        let Some(guard) = self.inner.get(key.to_bytes().as_ref())? else {
            return Ok(None);
        };
        Guard::new(guard).map(Some).map_err(|bytes| self.no_value(&bytes))
    }

    /// Reads a value in place through a guard that may move to another thread.
    ///
    /// # Errors
    /// As [`get_owned`](crate::Region::get_owned) of the untyped region; `NotOfType`.
    pub fn get_owned(&self, key: &K) -> Result<Option<OwnedGuard<V>>> {
        let Some(guard) = self.inner.get_owned(key.to_bytes().as_ref())? else {
            return Ok(None);
        };
        OwnedGuard::new(guard).map(Some).map_err(|bytes| self.no_value(&bytes))
    }

    /// A copy of a value.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    #[inline]
    pub fn get_copy(&self, key: &K) -> Result<Option<V>>
    where
        V: Sized,
    {
        let mut value = V::new_zeroed();
        match self.inner.read(key.to_bytes().as_ref(), value.as_mut_bytes())? {
            None => Ok(None),
            Some(len) if len == size_of::<V>() => Ok(Some(value)),
            Some(len) => Err(not_of_type(self.name(), &V::shape(), "value", len)),
        }
    }

    /// State of an entry and a copy of its value, which is `None` if it is invalid. `None` if the
    /// key is absent.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn get_versioned(&self, key: &K) -> Result<Option<(Option<V>, Token)>>
    where
        V: Sized,
    {
        let found = self.inner.mapped.inspect(key.to_bytes().as_ref(), true, |record, token| {
            if token.kind != Kind::Value {
                return Ok((None, token));
            }
            let copy = V::read_from_bytes(record.value());
            copy.map(|value| (Some(value), token)).map_err(|_| self.no_value(record.value()))
        })?;
        found.transpose()
    }

    /// A handle for a key that is read often; the key need not be present.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn handle(&self, key: &K) -> Result<Handle<V>> {
        Ok(Handle::new(self.inner.handle(key.to_bytes().as_ref())?, self.name()))
    }

    /// Reads many keys in place, several times as fast as one after the other when they are not in
    /// the processor's cache. `f` gets the number of each key, in order, and its value if it has
    /// one.
    ///
    /// # Errors
    /// As [`get_many`](crate::Region::get_many) of the untyped region; `NotOfType`, after `f` was
    /// called for the other keys.
    pub fn get_many<Q: Borrow<K>>(
        &self,
        keys: &[Q],
        mut f: impl FnMut(usize, Option<&V>),
    ) -> Result<()> {
        let keys: Vec<K::Bytes<'_>> = keys.iter().map(|key| key.borrow().to_bytes()).collect();
        let mut failed = None;
        self.inner.get_many(&keys, |number, entry| {
            match entry.map(|e| (view(e.value), e.value)) {
                Some((None, bytes)) => failed = Some(self.no_value(bytes)),
                Some((value, _)) => f(number, value),
                None => f(number, None),
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Copies of the values of many keys, in their order.
    ///
    /// # Errors
    /// As [`Region::get_many`].
    pub fn get_all<Q: Borrow<K>>(&self, keys: &[Q]) -> Result<Vec<Option<V>>>
    where
        V: Sized,
    {
        let mut values = Vec::with_capacity(keys.len());
        self.get_many(keys, |_, value| values.push(value.map(copy)))?;
        Ok(values)
    }

    /// State of an entry, valid or not. `None` if the key is absent.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn token(&self, key: &K) -> Result<Option<Token>> {
        self.inner.token(key.to_bytes().as_ref())
    }

    /// Whether the key is present and has a value.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn contains_value_for_key(&self, key: &K) -> Result<bool> {
        self.inner.contains_value_for_key(key.to_bytes().as_ref())
    }

    /// Whether the key is present, with a value or without.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn contains_key(&self, key: &K) -> Result<bool> {
        self.inner.contains_key(key.to_bytes().as_ref())
    }

    /// Number of entries; see [`len`](crate::Region::len) of the untyped region.
    ///
    /// # Errors
    /// As there.
    pub fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// As [`Region::len`].
    pub fn is_empty(&self) -> Result<bool> {
        self.inner.is_empty()
    }

    /// Copies of all entries that have a value, in no order. Writers are never blocked; an entry
    /// present all the time is seen at least once.
    pub fn iter(&self) -> Iter<'_, K, V>
    where
        V: Sized,
    {
        Iter::new(self.inner.iter(), self.inner.name())
    }

    /// Visits all entries that have a value without copying. `f` may use the region.
    ///
    /// # Errors
    /// As [`scan`](crate::Region::scan) of the untyped region; `NotOfType` at the first entry that
    /// is not of the types.
    pub fn scan(&self, mut f: impl FnMut(K::View<'_>, &V, Token) -> ControlFlow<()>) -> Result<()> {
        let mut failed = None;
        self.inner.scan(|entry| {
            let Some(key) = K::of_bytes(entry.key) else {
                failed = Some(not_of_type(self.name(), &K::key_shape(), "key", entry.key.len()));
                return ControlFlow::Break(());
            };
            let Some(value) = view(entry.value) else {
                failed = Some(self.no_value(entry.value));
                return ControlFlow::Break(());
            };
            f(key, value, entry.token)
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Waits until the state of a key differs from `since` (`None`: absent) and returns the state
    /// it has then; see [`wait_for_change`](crate::Region::wait_for_change) of the untyped region.
    ///
    /// # Errors
    /// As [`Region::token`].
    pub fn wait_for_change(
        &self,
        key: &K,
        since: Option<Token>,
        deadline: Option<Instant>,
    ) -> Result<Waited<Option<Token>>> {
        self.inner.wait_for_change(key.to_bytes().as_ref(), since, deadline)
    }

    /// [`Region::wait_for_change`] as a future, for any runtime; see
    /// [`changed_async`](crate::Region::changed_async) of the untyped region.
    ///
    /// # Errors
    /// As there.
    pub async fn changed_async(&self, key: &K, since: Option<Token>) -> Result<Option<Token>> {
        let bytes = key.to_bytes();
        self.inner.changed_async(bytes.as_ref(), since).await
    }

    #[cold]
    fn no_value(&self, bytes: &[u8]) -> crate::error::Error {
        not_of_type(self.name(), &V::shape(), "value", bytes.len())
    }
}

/// A copy of a value; none is larger than its bytes.
fn copy<V: Value>(value: &V) -> V {
    let mut copy = V::new_zeroed();
    copy.as_mut_bytes().copy_from_slice(value.as_bytes());
    copy
}
