//! Where the subscriptions of a member are in the event ring, for others to see.
//!
//! A subscription's own cursor is private. A copy of it lies in one of the words `cursors` of the
//! member's attachment, if one is left: the subscription alone writes it, recovery and the end of
//! the membership clear it. Nothing is decided by these words. A member that is killed between a
//! read and the store of its cursor looks one event behind until it is recovered.

use std::sync::{Arc, PoisonError};

use crate::crash;
use crate::region::mapped::Mapped;
use crate::sync::Release;

/// The listed position of one subscription.
#[derive(Debug)]
pub(crate) struct Cursor {
    region: Arc<Mapped>,
    /// None: all words were taken, and the subscription is not listed.
    number: Option<usize>,
}

impl Cursor {
    /// Lists a subscription that reads `position` next.
    pub(crate) fn list(region: &Arc<Mapped>, position: u64) -> Self {
        let mut cursor = Self { region: Arc::clone(region), number: None };
        if region.members.is_forked_child() {
            return cursor;
        }
        let mut taken = region.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (!*taken).trailing_zeros() as usize;
        if free < region.row().cursors.len() {
            *taken |= 1 << free;
            cursor.number = Some(free);
        }
        drop(taken);
        cursor.set(position);
        cursor
    }

    /// The subscription reads `position` next.
    pub(crate) fn set(&self, position: u64) {
        self.store(position.wrapping_add(1));
    }

    fn store(&self, word: u64) {
        if let Some(number) = self.number.filter(|_| !self.region.members.is_forked_child()) {
            self.region.row().cursors[number].store(word, Release);
            crash::point("cursor.set");
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.store(0);
        if let Some(number) = self.number.filter(|_| !self.region.members.is_forked_child()) {
            let mut taken = self.region.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            *taken &= !(1 << number);
        }
    }
}
