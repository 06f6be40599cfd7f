//! What each thread counts, in words that nobody else writes.
//!
//! Counters lie in the thread descriptor and are never reset, whoever owns it: their sum over all
//! descriptors is what was counted in the life of the region. So nothing has to be carried over
//! when a member leaves or dies, and a death loses the increment that it interrupted, no more.
//!
//! What one member counted is the sum over its descriptors less what they had when it took them;
//! `base` in its attachment is the sum of that. The member alone writes it, so the region's figures
//! never depend on it.

use crate::layout::thread::{Attachment, ThreadDescriptor};
use crate::sync::{Relaxed, Release, bump, fence};

/// Counter words of a thread; some are not used yet.
pub(crate) const COUNTERS: usize = 36;

/// The values of all counter words.
pub(crate) type Words = [u64; COUNTERS];

macro_rules! counters {
    ($($name:ident $field:ident: $meaning:literal,)*) => {
        /// Number of a counter. New ones are added at the end: numbers are part of the format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub(crate) enum Counter {
            $(#[doc = $meaning] $name,)*
        }

        /// What was counted by threads: of a region since it was made, or of one member since it
        /// opened the region.
        ///
        /// Counted without a locked instruction, always. A process that is killed may lose the
        /// increments of the operation it was in; nothing else is ever lost or counted twice.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $(#[doc = $meaning] pub $field: u64,)*
        }

        impl Counters {
            pub(crate) fn from_words(words: &Words) -> Self {
                Self { $($field: words[Counter::$name as usize],)* }
            }

            /// Reads that found no value.
            pub fn misses(&self) -> u64 {
                self.gets.saturating_sub(self.hits)
            }

            /// Values written over others.
            pub fn updates(&self) -> u64 {
                self.puts.saturating_sub(self.creates)
            }

            /// Part of the reads that found a value; `None` before the first.
            pub fn hit_ratio(&self) -> Option<f64> {
                (self.gets != 0).then(|| self.hits as f64 / self.gets as f64)
            }

            /// All counters with their names, in the order of the format.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }
        }

        /// Number, name and meaning of all counters.
        #[cfg(not(vug_loom))]
        pub(crate) const LIST: &[(usize, &str, &str)] =
            &[$((Counter::$name as usize, stringify!($field), $meaning),)*];
    };
}

counters! {
    Gets gets: "reads, but for those that only ask whether an entry is there",
    Hits hits: "of these, those that found a value",
    Puts puts: "values written, also those that came from other nodes",
    Destroys destroys: "entries destroyed by a call, here or on another node",
    Creates creates: "of the values written, those of keys that were absent",
    Invalidates invalidates: "entries whose value was taken away",
    BytesWritten bytes_written: "bytes of keys and values of all these writes",
    Remote remote_changes: "of all these writes, those that came from other nodes",
    Retries retries: "attempts of a write that met another write of the same chain and began anew",
    RefusedPresent refused_present: "conditional writes refused because the key was present",
    RefusedAbsent refused_absent: "conditional writes refused because the key was absent",
    RefusedChanged refused_changed: "conditional writes refused because the entry was another one",
    DroppedOlder dropped_older: "changes of other nodes dropped because a newer one was here",
    DroppedDuplicate dropped_duplicate: "changes of other nodes dropped because they were here",
    OutOfSpace out_of_space: "writes that found no room and failed",
    ForegroundCleans foreground_cleans: "writes that had to make room themselves",
    Evicted evicted: "entries evicted to make room or to keep a bound",
    EvictedByBound evicted_by_bound: "of these, those over the bound on entries",
    Expired expired: "entries destroyed or invalidated because they had expired",
    Clears clears: "calls that cleared the region",
    EventsDelivered events_delivered: "events handed to subscriptions",
    EventsMissed events_missed: "events not handed over because their memory was reused",
    EventsLapped events_lapped: "events not handed over because the ring had gone round",
    Waits waits: "waits for a change that went to sleep",
    AckWaits ack_waits: "waits for acknowledgements that went to sleep",
    AckTimeouts ack_timeouts: "of these, those that ended at their deadline",
    GetAlls get_alls: "calls that read many keys",
    PutAlls put_alls: "calls that wrote many entries",
    RemoveAlls remove_alls: "calls that destroyed many entries",
    EventsDropped events_dropped: "evictions and expiries that were not announced",
    ListenerPanics listener_panics: "panics of listeners",
    DroppedUnknown dropped_unknown: "changes of other nodes dropped because the key is not here",
    Searches searches: "reads that asked other nodes",
    Searched searched: "values that other nodes gave in answer, and were stored here",
}

impl ThreadDescriptor {
    /// Adds to a counter; only for the thread that owns the descriptor.
    #[inline]
    pub(crate) fn count(&self, counter: Counter, by: u64) {
        bump(&self.counters[counter as usize], by);
    }

    /// The counters as they are now.
    pub(crate) fn counted(&self) -> Words {
        std::array::from_fn(|number| self.counters[number].load(Relaxed))
    }
}

/// Adds word by word. Bases wrap around: only differences mean something.
pub(crate) fn add(sum: &mut Words, words: &Words) {
    for (sum, word) in sum.iter_mut().zip(words) {
        *sum = sum.wrapping_add(*word);
    }
}

/// Which way a descriptor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handover {
    /// The member took it: what it counted before is not the member's.
    Taken,
    /// The member gave it back: what it counted meanwhile stays the member's.
    Returned,
}

impl Attachment {
    /// A row that the caller has just claimed: nothing of an earlier member counts.
    pub(crate) fn begin(&self, now: u64) {
        let odd = self.change_base();
        for base in &self.base {
            base.store(0, Relaxed);
        }
        self.attached_at.store(now, Relaxed);
        self.base_sequence.store(odd.wrapping_add(1), Release);
    }

    /// Makes the sequence odd, if a member that died has not left it so.
    fn change_base(&self) -> u64 {
        let odd = self.base_sequence.load(Relaxed) | 1;
        self.base_sequence.store(odd, Relaxed);
        fence(Release);
        odd
    }

    /// Notes that a descriptor with these counters came to the member or left it. One thread of
    /// the member at a time.
    ///
    /// `base_sequence` is odd meanwhile, so that a reader does not take half of it.
    pub(crate) fn hand_over(&self, counted: &Words, handover: Handover) {
        let odd = self.change_base();
        for (base, counted) in self.base.iter().zip(counted) {
            match handover {
                Handover::Taken => bump(base, *counted),
                Handover::Returned => bump(base, counted.wrapping_neg()),
            }
        }
        self.base_sequence.store(odd.wrapping_add(1), Release);
    }
}
