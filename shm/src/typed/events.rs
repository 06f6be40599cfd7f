//! Following the changes of a typed region.

use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::error::Result;
use crate::region::{event, events};
use crate::typed::{Key, Types, Value, not_of_type};

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
/// Like the untyped [`Subscription`](crate::Subscription); a change to bytes that are not of the
/// types is the error `NotOfType`, after which the subscription goes on.
#[derive(Debug)]
pub struct Subscription<K: ?Sized, V> {
    inner: events::Subscription,
    /// For errors.
    region: Box<str>,
    types: Types<K, V>,
}

impl<K: ?Sized + Key, V: Value> Subscription<K, V> {
    pub(super) fn new(inner: events::Subscription, region: &str) -> Self {
        Self { inner, region: region.into(), types: PhantomData }
    }

    /// Next notice, if there is one. Lock-free.
    ///
    /// # Errors
    /// As [`poll`](crate::Subscription::poll) of the untyped subscription; `NotOfType`.
    pub fn poll(&mut self) -> Result<Option<Notice<K::Owned, V>>> {
        self.inner.poll()?.map(|notice| self.typed(notice)).transpose()
    }

    /// Next notice, waiting for it until the deadline. `None` at the deadline.
    ///
    /// # Errors
    /// As [`Subscription::poll`].
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<Notice<K::Owned, V>>> {
        self.inner.wait(deadline)?.map(|notice| self.typed(notice)).transpose()
    }

    /// Next notice, for any runtime: dropping the future ends the wait and loses nothing. `None`
    /// behind the end of the region.
    ///
    /// # Errors
    /// As [`next_async`](crate::Subscription::next_async) of the untyped subscription; `NotOfType`.
    pub async fn next_async(&mut self) -> Result<Option<Notice<K::Owned, V>>> {
        self.inner.next_async().await?.map(|notice| self.typed(notice)).transpose()
    }

    /// The same for whoever implements a stream; see
    /// [`poll_next`](crate::Subscription::poll_next) of the untyped subscription.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Found<K, V>>> {
        self.inner.poll_next(context).map(|next| next.map(|notice| self.typed(notice?)))
    }

    fn typed(&self, notice: events::Notice) -> Result<Notice<K::Owned, V>> {
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
        let read = |bytes: &Vec<u8>| {
            let copy = V::read_from_bytes(bytes);
            copy.map_err(|_| not_of_type(&self.region, &V::shape(), "value", bytes.len()))
        };
        let value = event.value.as_ref().map(read).transpose()?;
        Ok(Notice::Event(Event { key, value, untyped: event }))
    }
}
