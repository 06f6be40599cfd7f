//! Handles: keys that are read often.

use std::marker::PhantomData;

use crate::error::Result;
use crate::region::{Token, handle};
use crate::typed::{Guard, Value, not_of_type};

/// A key that is read often: [`Region::handle`](crate::typed::Region::handle). Like the untyped
/// [`Handle`](crate::Handle).
#[derive(Debug)]
pub struct Handle<V: ?Sized> {
    inner: handle::Handle,
    /// For errors.
    region: Box<str>,
    value: PhantomData<V>,
}

impl<V: ?Sized + Value> Handle<V> {
    pub(super) fn new(inner: handle::Handle, region: &str) -> Self {
        Self { inner, region: region.into(), value: PhantomData }
    }

    /// The value in place, as [`Region::get`](crate::typed::Region::get).
    ///
    /// # Errors
    /// As [`Handle::get`](crate::Handle::get) of the untyped region; `NotOfType`.
    #[inline]
    pub fn get(&self) -> Result<Option<Guard<'_, V>>> {
        let Some(guard) = self.inner.get()? else {
            return Ok(None);
        };
        Guard::new(guard)
            .map(Some)
            .map_err(|bytes| not_of_type(&self.region, &V::shape(), "value", bytes.len()))
    }

    /// A copy of the value: the fastest read there is.
    ///
    /// # Errors
    /// As [`Handle::read`](crate::Handle::read) of the untyped region; `NotOfType`.
    #[inline]
    pub fn read(&self) -> Result<Option<V>>
    where
        V: Sized,
    {
        let mut value = V::new_zeroed();
        let len = self.inner.read(value.as_mut_bytes())?;
        match len {
            None => Ok(None),
            Some(len) if len == size_of::<V>() => Ok(Some(value)),
            Some(len) => Err(not_of_type(&self.region, &V::shape(), "value", len)),
        }
    }

    /// State of the entry, valid or not. `None` if the key is absent.
    ///
    /// # Errors
    /// As [`Handle::token`](crate::Handle::token) of the untyped region.
    pub fn token(&self) -> Result<Option<Token>> {
        self.inner.token()
    }
}
