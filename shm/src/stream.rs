//! Subscriptions as streams of `futures_core`, which every runtime and `futures` build on.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::error::Result;
use crate::region::events::{Notice, Subscription};
use crate::typed::{self, Form, Key};

impl Stream for Subscription {
    type Item = Result<Notice>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Subscription::poll_next(self.get_mut(), context)
    }
}

impl FusedStream for Subscription {
    fn is_terminated(&self) -> bool {
        self.is_ended()
    }
}

impl<K: ?Sized + Key, V, F: Form<V>> Stream for typed::Subscription<K, V, F> {
    type Item = Result<typed::Notice<K::Owned, V>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        typed::Subscription::poll_next(self.get_mut(), context)
    }
}

impl<K: ?Sized + Key, V, F: Form<V>> FusedStream for typed::Subscription<K, V, F> {
    fn is_terminated(&self) -> bool {
        self.untyped().is_ended()
    }
}
