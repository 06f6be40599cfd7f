//! Following the changes of a typed region.

use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::error::Result;
use crate::region::{event, events};
use crate::typed::form::{Form, InPlace};
use crate::typed::{Key, Types, not_of_type};

/// One change; `K` is the owned form of the key, `String` for `str`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<K, V> {
    /// Key that changed.
    pub key: K,
    /// Its new value; `None` if it has none (destroyed, invalidated).
    pub value: Option<V>,
    /// The rest, and key and value as bytes.
    pub untyped: event::Event,
}

/// What a subscription finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice<K, V> {
    /// A change of an entry.
    Event(Event<K, V>),
    /// A change of the whole region.
    Region(event::Event),
    /// The announcements from `from` up to, not including, `to` cannot be read any more. Iterate
    /// over the region to resynchronise.
    Lapped {
        /// First position that was missed.
        from: u64,
        /// Where the subscription goes on.
        to: u64,
    },
    /// All entries were told as `Resync` events: what was not among them is gone.
    InSync {
        /// Where the subscription goes on.
        position: u64,
    },
}

type Found<K, V> = Result<Notice<<K as Key>::Owned, V>>;

/// Follows the changes of a typed region: [`Region::subscribe`](crate::typed::Region::subscribe).
/// Like the untyped [`Subscription`](crate::Subscription), and like it an iterator that blocks; a
/// change to bytes that are not of the types is an error (`NotOfType`, or `Codec` in a coded
/// region), after which the subscription goes on. `F` says how bytes become a value.
#[derive(Debug)]
pub struct Subscription<K: ?Sized, V, F = InPlace> {
    inner: events::Subscription,
    form: Typed<K, V, F>,
}

/// Gives types to the notices of a region.
#[derive(Debug)]
pub(super) struct Typed<K: ?Sized, V, F> {
    /// For errors.
    region: Box<str>,
    types: Types<K, (V, F)>,
}

impl<K: ?Sized + Key, V, F: Form<V>> Subscription<K, V, F> {
    pub(super) fn new(inner: events::Subscription, region: &str) -> Self {
        Self { inner, form: Typed::new(region) }
    }

    /// The same subscription without types.
    pub fn untyped(&self) -> &events::Subscription {
        &self.inner
    }

    /// Next notice, if there is one. Lock-free.
    ///
    /// # Errors
    /// As [`poll`](crate::Subscription::poll) of the untyped subscription; `NotOfType`, `Codec`.
    pub fn poll(&mut self) -> Result<Option<Notice<K::Owned, V>>> {
        self.inner.poll()?.map(|notice| self.form.typed(notice)).transpose()
    }

    /// Next notice, waiting for it until the deadline. `None` at the deadline.
    ///
    /// # Errors
    /// As [`Subscription::poll`].
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<Notice<K::Owned, V>>> {
        self.inner.wait(deadline)?.map(|notice| self.form.typed(notice)).transpose()
    }

    /// Next notice, for any runtime: dropping the future ends the wait and loses nothing. `None`
    /// behind the end of the region.
    ///
    /// # Errors
    /// As [`next_async`](crate::Subscription::next_async) of the untyped subscription; `NotOfType`,
    /// `Codec`.
    pub async fn next_async(&mut self) -> Result<Option<Notice<K::Owned, V>>> {
        self.inner.next_async().await?.map(|notice| self.form.typed(notice)).transpose()
    }

    /// The same by hand; with the feature `stream` it is a `Stream`. See
    /// [`poll_next`](crate::Subscription::poll_next) of the untyped subscription.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Found<K, V>>> {
        self.inner.poll_next(context).map(|next| next.map(|notice| self.form.typed(notice?)))
    }
}

impl<K: ?Sized + Key, V, F: Form<V>> Iterator for Subscription<K, V, F> {
    type Item = Found<K, V>;

    /// Waits for the next notice.
    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next().map(|notice| self.form.typed(notice?))
    }
}

impl<K: ?Sized + Key, V, F: Form<V>> Typed<K, V, F> {
    pub(super) fn new(region: &str) -> Self {
        Self { region: region.into(), types: PhantomData }
    }

    pub(super) fn typed(&self, notice: events::Notice) -> Found<K, V> {
        let event = match notice {
            events::Notice::Event(event) if event.kind.is_of_region() => {
                return Ok(Notice::Region(event));
            }
            events::Notice::Event(event) => event,
            events::Notice::Lapped { from, to } => return Ok(Notice::Lapped { from, to }),
            events::Notice::InSync { position } => return Ok(Notice::InSync { position }),
        };
        let key = K::of_bytes(&event.key);
        let key = key
            .ok_or_else(|| not_of_type(&self.region, &K::key_shape(), "key", event.key.len()))?
            .into();
        let read = |bytes: &Vec<u8>| F::read(&self.region, bytes);
        let value = event.value.as_ref().map(read).transpose()?;
        Ok(Notice::Event(Event { key, value, untyped: event }))
    }
}
