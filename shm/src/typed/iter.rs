//! Iteration.

use std::marker::PhantomData;

use crate::error::Result;
use crate::region::{Token, iter};
use crate::typed::{Key, Types, Value, not_of_type};

/// A copied entry; `K` is the owned form of the key, `String` for `str`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<K, V> {
    /// Key.
    pub key: K,
    /// Value.
    pub value: V,
    /// State of the entry when it was copied.
    pub token: Token,
}

impl<K, V: Value> Entry<K, V> {
    pub(super) fn of<Q: ?Sized + Key<Owned = K>>(
        region: &str,
        entry: &iter::Entry,
    ) -> Result<Self> {
        let iter::Entry { key, value, token } = entry;
        let read = Q::of_bytes(key)
            .ok_or_else(|| not_of_type(region, &Q::key_shape(), "key", key.len()))?;
        let copy = V::read_from_bytes(value);
        let copy = copy.map_err(|_| not_of_type(region, &V::shape(), "value", value.len()))?;
        Ok(Self { key: read.into(), value: copy, token: *token })
    }
}

/// Iterator over copies of entries: [`Region::iter`](crate::typed::Region::iter). An entry that is
/// not of the types is an error, after which the iteration goes on.
#[derive(Debug)]
pub struct Iter<'r, K: ?Sized, V> {
    inner: iter::Iter<'r>,
    region: &'r str,
    types: Types<K, V>,
}

impl<'r, K: ?Sized, V> Iter<'r, K, V> {
    pub(super) fn new(inner: iter::Iter<'r>, region: &'r str) -> Self {
        Self { inner, region, types: PhantomData }
    }
}

impl<K: ?Sized + Key, V: Value> Iterator for Iter<'_, K, V> {
    type Item = Result<Entry<K::Owned, V>>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.inner.next()?;
        Some(entry.and_then(|entry| Entry::of::<K>(self.region, &entry)))
    }
}
