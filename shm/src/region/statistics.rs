//! Counters and sizes of a region.

use std::time::Duration;

use std::sync::Arc;

use crate::heap::Log;
use crate::layout::counters::{self, COUNTERS, Counters};
use crate::layout::thread::ThreadDescriptor;
use crate::layout::word::SegmentState;
use crate::region::mapped::Mapped;
use crate::region::pins::Pin;
use crate::sync::{Acquire, Relaxed};

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

/// A region in numbers. Collected by reading shared counters; not one consistent instant.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Visible entries.
    pub entries: u64,
    /// Bound on index and records.
    pub max_bytes: u64,
    /// Of these, bytes that have memory.
    pub backed_bytes: u64,
    /// Bytes of records not known to be dead.
    pub live_bytes: u64,
    /// Bytes of records known to be dead and not yet reused.
    pub dead_bytes: u64,
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
    /// Thread descriptors in use.
    pub threads: u32,
    /// Pin words in use; [`Region::pins`](crate::Region::pins) lists them.
    pub pins: u32,
    /// For how long the oldest of them has been set.
    pub oldest_pin: Option<Duration>,
    /// Next position of the event ring.
    pub ring_tail: u64,
    /// Cells of the event ring.
    pub ring_len: u64,
    /// Everything below this position was sent to the other nodes.
    pub sent: u64,
    /// ... was received by them.
    pub received: u64,
    /// ... was applied by them.
    pub applied: u64,
    /// State of a distributed region.
    pub state: RegionState,
}

impl Statistics {
    pub(crate) fn collect(region: &Arc<Mapped>) -> Self {
        let entries = region.count_entries().unwrap_or(0);
        Self::of(&region.log, &region.threads, &region.pin_words(), entries)
    }

    /// Of the parts of a region, whoever has them mapped and how.
    pub(crate) fn of(log: &Log, threads: &[ThreadDescriptor], pins: &[Pin], entries: u64) -> Self {
        let words = log.words();
        let mut all = Self {
            entries,
            max_bytes: log.geometry().max_bytes,
            segment_bytes: log.geometry().segment_bytes,
            segments_total: log.segments(),
            recoveries: words.recoveries.load(Relaxed),
            segments_cleaned: words.segments_cleaned.load(Relaxed),
            records_moved: words.records_moved.load(Relaxed),
            segments_released: words.segments_released.load(Relaxed),
            bytes_moved: words.bytes_moved.load(Relaxed),
            ring_tail: words.ring_tail.load(Acquire),
            ring_len: log.geometry().ring_len,
            sent: words.sent.load(Acquire),
            received: words.received.load(Acquire),
            applied: words.applied.load(Acquire),
            state: RegionState::from_word(words.state.load(Acquire)),
            ..Self::default()
        };
        all.count_segments(log);
        let mut counted = [0; COUNTERS];
        for thread in threads {
            counters::add(&mut counted, &thread.counted());
            all.threads += u32::from(thread.owner.load(Relaxed) != 0);
        }
        all.counters = Counters::from_words(&counted);
        all.pins = pins.len() as u32;
        all.oldest_pin = pins.iter().filter_map(|pin| pin.age).max();
        all
    }

    fn count_segments(&mut self, log: &Log) {
        for segment in 0..log.segments() {
            let Some(state) = log.state(segment).state() else {
                continue;
            };
            if !matches!(state, SegmentState::Unbacked | SegmentState::Releasing) {
                self.backed_bytes += self.segment_bytes;
            }
            let holds_records = match state {
                SegmentState::Unbacked | SegmentState::Free | SegmentState::Releasing => {
                    self.segments_free += 1;
                    false
                }
                SegmentState::Active | SegmentState::Open => {
                    self.segments_active += 1;
                    true
                }
                SegmentState::Sealed => {
                    self.segments_sealed += 1;
                    true
                }
                SegmentState::Run => {
                    // The head has the numbers of the whole record.
                    self.segments_sealed += 1;
                    false
                }
                SegmentState::Quarantine => {
                    self.segments_quarantined += 1;
                    true
                }
                SegmentState::Index => {
                    self.segments_index += 1;
                    false
                }
            };
            if holds_records {
                let run = log.run(segment, log.state(segment)).is_some();
                let committed = match log.header(segment) {
                    Some(header) if run => header.committed.load(Relaxed),
                    _ => log.committed(segment) as u64,
                };
                let dead = log.header(segment).map_or(0, |header| header.dead.load(Relaxed));
                self.dead_bytes += dead.min(committed);
                self.live_bytes += committed.saturating_sub(dead);
            }
        }
    }
}
