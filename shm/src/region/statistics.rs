//! Counters and sizes of a region.

mod members;

use std::sync::Arc;
use std::time::Duration;

use crate::heap::Log;
use crate::layout::counters::Counters;
use crate::layout::word::{HIDDEN_TAG, SegmentState, SlotWord};
use crate::region::Region;
use crate::region::mapped::Mapped;
use crate::region::pins::pin_words;
use crate::sync::{Acquire, Relaxed};

pub use members::MemberStatistics;
pub(crate) use members::Users;

/// Whether a distributed region has its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RegionState {
    /// Complete.
    #[default]
    Ready,
    /// The initial image is on its way.
    Initialising,
    /// Cut off from nodes it should have.
    Degraded,
}

impl RegionState {
    pub(crate) fn to_word(self) -> u64 {
        match self {
            Self::Ready => 0,
            Self::Initialising => 1,
            Self::Degraded => 2,
        }
    }

    pub(crate) fn from_word(word: u64) -> Self {
        match word {
            1 => Self::Initialising,
            2 => Self::Degraded,
            _ => Self::Ready,
        }
    }
}

/// How many slots of the index are in use.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slots {
    pub(crate) visible: u64,
    pub(crate) hidden: u64,
}

impl Slots {
    pub(crate) fn add(&mut self, word: SlotWord) {
        match word.tag() {
            HIDDEN_TAG => self.hidden += 1,
            tag => self.visible += u64::from(tag > HIDDEN_TAG),
        }
    }
}

/// A subscription, and how far it is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consumer {
    /// Member whose it is.
    pub member: u64,
    /// Ring position that it reads next.
    pub position: u64,
    /// Announcements from there on. More than the ring has cells: it will be told that it missed
    /// some.
    pub lag: u64,
}

/// A thread that waits until other nodes have applied a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AckWait {
    /// Member whose thread it is.
    pub member: u64,
    /// Ring position behind the change.
    pub position: u64,
    /// For how long it has waited.
    pub age: Duration,
}

/// A region in numbers. Collected by reading shared words; not one consistent instant.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Visible entries.
    pub entries: u64,
    /// Entries in the index that reads do not see: what was destroyed in a distributed region, of
    /// which other nodes may have to hear, and changes on their way through a region that stores
    /// nothing. They take memory until every node has them.
    pub tombstones: u64,
    /// Bound on index and records.
    pub max_bytes: u64,
    /// Of these, bytes that have memory.
    pub backed_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Bytes of records not known to be dead.
    pub live_bytes: u64,
    /// Bytes of records known to be dead and not yet reused.
    pub dead_bytes: u64,
    /// Bytes that records can be written to at once, with and without memory: free segments, and
    /// what is left of those being filled.
    pub free_bytes: u64,
    /// Bytes of free segments that lie side by side, at most: values that need more than one
    /// segment need them so.
    pub largest_free_bytes: u64,
    /// Bytes of records in full segments.
    pub sealed_bytes: u64,
    /// Of these, bytes known to be dead.
    pub sealed_dead_bytes: u64,
    /// Size of a segment.
    pub segment_bytes: u64,
    /// Segments, with and without memory.
    pub segments_total: u32,
    /// Segments that can be taken, with and without memory.
    pub segments_free: u32,
    /// Segments that are being filled or can be filled further.
    pub segments_active: u32,
    /// Full segments.
    pub segments_sealed: u32,
    /// Dead segments that a reader still protects.
    pub segments_quarantined: u32,
    /// Segments of the index.
    pub segments_index: u32,
    /// Primary buckets of the index.
    pub index_buckets: u64,
    /// Index tables that took the place of smaller ones.
    pub growths: u64,
    /// What all processes counted since the region was made.
    pub counters: Counters,
    /// Dead threads recovered.
    pub recoveries: u64,
    /// Segments emptied by copying what lived in them.
    pub segments_cleaned: u64,
    /// Records copied by that.
    pub records_moved: u64,
    /// Segments whose memory went back to the system.
    pub segments_released: u64,
    /// Bytes of these.
    pub bytes_moved: u64,
    /// Members that have the region open.
    pub members: u32,
    /// How many can.
    pub members_max: u32,
    /// Thread descriptors in use.
    pub threads: u32,
    /// How many there are.
    pub threads_max: u32,
    /// Pin words in use; [`Region::pins`](crate::Region::pins) lists them.
    pub pins: u32,
    /// For how long the oldest of them has been set.
    pub oldest_pin: Option<Duration>,
    /// Subscriptions of all members, of which each lists 64.
    pub subscriptions: u32,
    /// The one of them that is farthest behind.
    pub oldest_consumer: Option<Consumer>,
    /// Threads that wait for acknowledgements of other nodes.
    pub ack_waiters: u32,
    /// The one of them that waits longest.
    pub oldest_ack_wait: Option<AckWait>,
    /// Next position of the event ring.
    pub ring_tail: u64,
    /// Cells of the event ring.
    pub ring_len: u64,
    /// Whether a bridge ever served the region.
    pub bridged: bool,
    /// Everything below this position was sent to the other nodes.
    pub sent: u64,
    /// ... was received by them.
    pub received: u64,
    /// ... was applied by them.
    pub applied: u64,
    /// Wakes of writers that waited for acknowledgements, of which one may be for many; counted
    /// modulo 2^32.
    pub ack_wakes: u32,
    /// State of a distributed region.
    pub state: RegionState,
}

impl Statistics {
    pub(crate) fn collect(region: &Arc<Mapped>) -> Self {
        let counted = region.count_slots().unwrap_or_default();
        Self::of(&region.log, region.users(), counted)
    }

    /// Of the parts of a region, whoever has them mapped and how.
    pub(crate) fn of(log: &Log, users: Users<'_>, counted: Slots) -> Self {
        let words = log.words();
        let mut all = Self {
            entries: counted.visible,
            tombstones: counted.hidden,
            max_bytes: log.geometry().max_bytes,
            segment_bytes: log.geometry().segment_bytes,
            segments_total: log.segments(),
            index_buckets: 1 << words.table.load(Relaxed).min(63),
            growths: words.growths.load(Relaxed),
            recoveries: words.recoveries.load(Relaxed),
            segments_cleaned: words.segments_cleaned.load(Relaxed),
            records_moved: words.records_moved.load(Relaxed),
            segments_released: words.segments_released.load(Relaxed),
            bytes_moved: words.bytes_moved.load(Relaxed),
            ring_tail: users.tail,
            ring_len: log.geometry().ring_len,
            bridged: words.bridge_epoch.load(Relaxed) != 0,
            sent: words.sent.load(Acquire),
            received: words.received.load(Acquire),
            applied: words.applied.load(Acquire),
            ack_wakes: words.ack_word.load(Acquire),
            state: RegionState::from_word(words.state.load(Acquire)),
            ..Self::default()
        };
        all.count_segments(log);
        all.count_users(users);
        all
    }

    /// Reads that found no value.
    pub fn misses(&self) -> u64 {
        self.counters.misses()
    }

    /// Part of the reads that found a value; `None` before the first.
    pub fn hit_ratio(&self) -> Option<f64> {
        self.counters.hit_ratio()
    }

    /// Part of the bytes in full segments that is dead: what cleaning can win. 0 if there are none.
    pub fn fragmentation(&self) -> f64 {
        if self.sealed_bytes == 0 {
            return 0.0;
        }
        self.sealed_dead_bytes as f64 / self.sealed_bytes as f64
    }

    /// Announcements that the slowest listed subscription has not read; 0 without any.
    pub fn ring_lag(&self) -> u64 {
        self.oldest_consumer.map_or(0, |consumer| consumer.lag)
    }

    /// Announcements that were not sent to the other nodes; 0 where no bridge ever served.
    pub fn unsent(&self) -> u64 {
        if self.bridged { self.ring_tail.saturating_sub(self.sent) } else { 0 }
    }

    fn count_users(&mut self, users: Users<'_>) {
        self.counters = Counters::from_words(&users.counted());
        self.threads_max = users.threads_max as u32;
        self.members_max = users.members_max as u32;
        let threads = users.threads.iter().filter(|thread| thread.owner.load(Relaxed) != 0);
        self.threads = threads.count() as u32;
        let members = users.attachments.iter().filter(|row| row.owner.load(Relaxed) != 0);
        self.members = members.count() as u32;
        let pins = pin_words(users.attachments);
        self.pins = pins.len() as u32;
        self.oldest_pin = pins.iter().filter_map(|pin| pin.age).max();
        self.subscriptions = users.consumers().count() as u32;
        self.oldest_consumer = users.consumers().max_by_key(|consumer| consumer.lag);
        self.ack_waiters = users.ack_waits().count() as u32;
        self.oldest_ack_wait = users.ack_waits().max_by_key(|wait| wait.age);
    }

    fn count_segments(&mut self, log: &Log) {
        let mut window = 0;
        for segment in 0..log.segments() {
            let Some(state) = log.state(segment).state() else {
                window = 0;
                continue;
            };
            let free = matches!(state, SegmentState::Unbacked | SegmentState::Free);
            window = if free { window + self.segment_bytes } else { 0 };
            self.largest_free_bytes = self.largest_free_bytes.max(window);
            self.count_segment(log, segment, state);
        }
    }

    fn count_segment(&mut self, log: &Log, segment: u32, state: SegmentState) {
        if !matches!(state, SegmentState::Unbacked | SegmentState::Releasing) {
            self.backed_bytes += self.segment_bytes;
        }
        match state {
            SegmentState::Unbacked | SegmentState::Free | SegmentState::Releasing => {
                self.segments_free += 1;
                self.free_bytes += self.segment_bytes;
            }
            SegmentState::Active | SegmentState::Open => {
                self.segments_active += 1;
                let (committed, _) = self.count_records(log, segment);
                self.free_bytes += self.segment_bytes.saturating_sub(committed);
            }
            SegmentState::Sealed => {
                self.segments_sealed += 1;
                let (committed, dead) = self.count_records(log, segment);
                self.sealed_bytes += committed;
                self.sealed_dead_bytes += dead;
            }
            // The head has the numbers of the whole record.
            SegmentState::Run => self.segments_sealed += 1,
            SegmentState::Quarantine => {
                self.segments_quarantined += 1;
                self.count_records(log, segment);
            }
            SegmentState::Index => {
                self.segments_index += 1;
                self.index_bytes += self.segment_bytes;
            }
        }
    }

    /// Bytes of the records of a segment, and how many of them are dead.
    fn count_records(&mut self, log: &Log, segment: u32) -> (u64, u64) {
        let run = log.run(segment, log.state(segment)).is_some();
        let committed = match log.header(segment) {
            Some(header) if run => header.committed.load(Relaxed),
            _ => log.committed(segment) as u64,
        };
        let dead = log.header(segment).map_or(0, |header| header.dead.load(Relaxed));
        let dead = dead.min(committed);
        self.dead_bytes += dead;
        self.live_bytes += committed - dead;
        (committed, dead)
    }
}

impl Mapped {
    pub(crate) fn users(&self) -> Users<'_> {
        Users::of(self.words(), &self.threads, &self.attachments)
    }
}

impl Region {
    /// Counters and sizes as they are now. Counts the entries by a pass over the index, as
    /// [`Region::len`].
    pub fn statistics(&self) -> Statistics {
        Statistics::collect(&self.mapped)
    }

    /// The members that have the region open, dead ones too until they are recovered.
    pub fn member_statistics(&self) -> Vec<MemberStatistics> {
        let known = self.mapped.members.list();
        self.mapped.users().members(Some(&known), &self.mapped.pin_words())
    }
}
