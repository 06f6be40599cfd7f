//! Making and opening typed regions.

use std::fmt;
use std::marker::PhantomData;

use crate::error::Result;
use crate::layout::record::MIN_ALIGNMENT;
use crate::node::{Node, RegionBuilder};
use crate::region;
use crate::typed::compare::{check, check_alignment, schema};
use crate::typed::{Key, Region, Types, Value};

/// Creates or opens a typed region: [`RegionBuilder::typed`].
#[must_use = "call create, open or open_or_create"]
pub struct Builder<'n, K: ?Sized, V: ?Sized> {
    inner: RegionBuilder<'n>,
    types: Types<K, V>,
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for Builder<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Node {
    /// Starts to create or open a typed region with default attributes, as
    /// `node.region(name).typed()`.
    pub fn typed<K: ?Sized + Key, V: ?Sized + Value>(&self, name: &str) -> Builder<'_, K, V> {
        self.region(name).typed()
    }
}

impl<'n> RegionBuilder<'n> {
    /// A region of keys `K` and values `V`, with the attributes given so far. See
    /// [`typed`](crate::typed).
    ///
    /// A new region gets the alignment that `V` needs if none was given.
    pub fn typed<K: ?Sized + Key, V: ?Sized + Value>(self) -> Builder<'n, K, V> {
        Builder { inner: self, types: PhantomData }
    }
}

impl<'n, K: ?Sized + Key, V: ?Sized + Value> Builder<'n, K, V> {
    /// Creates the region.
    ///
    /// # Errors
    /// As [`RegionBuilder::create`]; `InvalidAttributes` if the alignment that was given is too
    /// small for `V`, or the types have too many fields to be described in 3584 bytes.
    pub fn create(self) -> Result<Region<K, V>> {
        self.with(RegionBuilder::create)
    }

    /// Opens the region.
    ///
    /// # Errors
    /// As [`RegionBuilder::open`]; `SchemaMismatch` if it holds other types or was made without,
    /// `InvalidAttributes` if its alignment is too small for `V`.
    pub fn open(self) -> Result<Region<K, V>> {
        self.with(RegionBuilder::open)
    }

    /// Opens the region, creating it if it is missing. Safe among any number of callers.
    ///
    /// # Errors
    /// As [`Builder::open`] and [`Builder::create`].
    pub fn open_or_create(self) -> Result<Region<K, V>> {
        self.with(RegionBuilder::open_or_create)
    }

    fn with(
        self,
        make: impl FnOnce(RegionBuilder<'n>) -> Result<region::Region>,
    ) -> Result<Region<K, V>> {
        let (key, value) = (K::key_shape(), V::shape());
        let asked = self.inner.given_alignment();
        if let Some(alignment) = asked {
            check_alignment(self.inner.name(), alignment, &value, V::ALIGNMENT)?;
        }
        let alignment = asked.unwrap_or(MIN_ALIGNMENT.max(V::ALIGNMENT) as u64);
        let region = make(self.inner.of_types(alignment, schema(&key, &value)))?;
        check(&region, &key, &value, false)?;
        let has = region.attributes().alignment;
        check_alignment(region.name(), has, &value, V::ALIGNMENT)?;
        Ok(Region::new(region))
    }
}

impl<K: ?Sized + Key, V: ?Sized + Value> Region<K, V> {
    /// Takes an untyped region as it is. One that was made without types is trusted to hold these.
    ///
    /// # Errors
    /// `SchemaMismatch` if it says that it holds other types, `InvalidAttributes` if its alignment
    /// is too small for `V`.
    pub fn from_untyped(region: region::Region) -> Result<Self> {
        check(&region, &K::key_shape(), &V::shape(), true)?;
        let has = region.attributes().alignment;
        check_alignment(region.name(), has, &V::shape(), V::ALIGNMENT)?;
        Ok(Self::new(region))
    }
}
