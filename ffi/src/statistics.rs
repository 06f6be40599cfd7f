//! Statistics of a region as C sees them.

use std::time::Duration;

use crate::boundary::entry;
use crate::region::{Area, REGIONS};
use crate::status::{VUG_OK, vug_status_t};
use crate::types::vug_region_t;

/// The region is complete.
pub const VUG_REGION_STATE_READY: u64 = 0;
/// Its initial image is on its way.
pub const VUG_REGION_STATE_INITIALISING: u64 = 1;
/// It is cut off from nodes it should have.
pub const VUG_REGION_STATE_DEGRADED: u64 = 2;

/// A region in numbers. Collected by reading shared words; not one consistent instant. Later
/// versions add fields at the end. From `gets` on it is what all processes counted since the
/// region was made.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct vug_statistics_t {
    /// Entries, with a value or invalid.
    pub entries: u64,
    /// Bound on index and records, in bytes.
    pub max_bytes: u64,
    /// Of these, bytes that have memory.
    pub backed_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Bytes of records not known to be dead.
    pub live_bytes: u64,
    /// Bytes of records known to be dead and not yet reused.
    pub dead_bytes: u64,
    /// Bytes that records can be written to at once.
    pub free_bytes: u64,
    /// Bytes of free segments that lie side by side, at most.
    pub largest_free_bytes: u64,
    /// Bytes of records in full segments.
    pub sealed_bytes: u64,
    /// Of these, bytes known to be dead: what cleaning can win.
    pub sealed_dead_bytes: u64,
    /// Size of a segment in bytes.
    pub segment_bytes: u64,
    /// Segments, with and without memory.
    pub segments_total: u64,
    /// Segments that can be taken.
    pub segments_free: u64,
    /// Segments that are being filled or can be filled further.
    pub segments_active: u64,
    /// Full segments.
    pub segments_sealed: u64,
    /// Dead segments that a reader still protects.
    pub segments_quarantined: u64,
    /// Segments of the index.
    pub segments_index: u64,
    /// Primary buckets of the index.
    pub index_buckets: u64,
    /// Times that the index has grown.
    pub growths: u64,
    /// Dead threads recovered.
    pub recoveries: u64,
    /// Segments emptied by copying what lived in them.
    pub segments_cleaned: u64,
    /// Records copied by that.
    pub records_moved: u64,
    /// Bytes of these.
    pub bytes_moved: u64,
    /// Segments whose memory went back to the system.
    pub segments_released: u64,
    /// Members that have the region open.
    pub members: u64,
    /// How many can.
    pub members_max: u64,
    /// Threads that use the region.
    pub threads: u64,
    /// How many can.
    pub threads_max: u64,
    /// Segments pinned by views.
    pub pins: u64,
    /// For how long the oldest of these pins has been set, in nanoseconds.
    pub oldest_pin_ns: u64,
    /// Subscriptions of all members, of which each lists 64.
    pub subscriptions: u64,
    /// Announcements that the slowest listed subscription has not read.
    pub ring_lag: u64,
    /// Threads that wait for acknowledgements of other nodes.
    pub ack_waiters: u64,
    /// For how long the one of them waits that waits longest, in nanoseconds.
    pub oldest_ack_wait_ns: u64,
    /// Next position of the event ring.
    pub ring_tail: u64,
    /// Cells of the event ring.
    pub ring_len: u64,
    /// 1 if a bridge ever served the region, else 0.
    pub bridged: u64,
    /// Everything below this position was sent to the other nodes.
    pub sent: u64,
    /// Everything below this position was received by them.
    pub received: u64,
    /// Everything below this position was applied by them.
    pub applied: u64,
    /// State of a distributed region, one of VUG_REGION_STATE_*.
    pub state: u64,
    /// Reads.
    pub gets: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Values written, also those that came from other nodes.
    pub puts: u64,
    /// Entries destroyed by a call, here or on another node.
    pub destroys: u64,
    /// Of the values written, those of keys that were absent.
    pub creates: u64,
    /// Entries whose value was taken away.
    pub invalidates: u64,
    /// Bytes of keys and values of all these writes.
    pub bytes_written: u64,
    /// Of all these writes, those that came from other nodes.
    pub remote_changes: u64,
    /// Attempts of a write that met another write of the same chain and began anew.
    pub retries: u64,
    /// Conditional writes refused because the key was present.
    pub refused_present: u64,
    /// Conditional writes refused because the key was absent.
    pub refused_absent: u64,
    /// Conditional writes refused because the entry was another one.
    pub refused_changed: u64,
    /// Changes of other nodes dropped because a newer one was here.
    pub dropped_older: u64,
    /// Changes of other nodes dropped because they were here.
    pub dropped_duplicate: u64,
    /// Writes that found no room and failed.
    pub out_of_space: u64,
    /// Writes that had to make room themselves.
    pub foreground_cleans: u64,
    /// Entries evicted to make room or to keep a bound.
    pub evicted: u64,
    /// Of these, those over the bound on entries.
    pub evicted_by_bound: u64,
    /// Entries destroyed or invalidated because they had expired.
    pub expired: u64,
    /// Calls that cleared the region.
    pub clears: u64,
    /// Events handed to subscriptions.
    pub events_delivered: u64,
    /// Events not handed over because their memory was reused.
    pub events_missed: u64,
    /// Events not handed over because the ring had gone round.
    pub events_lapped: u64,
    /// Waits for a change that went to sleep.
    pub waits: u64,
    /// Waits for acknowledgements that went to sleep.
    pub ack_waits: u64,
    /// Of these, those that ended at their deadline.
    pub ack_timeouts: u64,
    /// Calls that read many keys.
    pub get_alls: u64,
    /// Calls that wrote many entries.
    pub put_alls: u64,
    /// Calls that destroyed many entries.
    pub remove_alls: u64,
    /// Evictions and expiries that were not announced.
    pub events_dropped: u64,
    /// Panics of listeners.
    pub listener_panics: u64,
    /// Entries in the index that reads do not see: destroyed ones of which other nodes may have to
    /// hear, and changes on their way through a region that stores nothing.
    pub tombstones: u64,
}

const _: () = assert!(size_of::<vug_statistics_t>() == 73 * 8, "no padding");

fn nanos(duration: Option<Duration>) -> u64 {
    duration.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn state(state: vug::RegionState) -> u64 {
    match state {
        vug::RegionState::Initialising => VUG_REGION_STATE_INITIALISING,
        vug::RegionState::Degraded => VUG_REGION_STATE_DEGRADED,
        _ => VUG_REGION_STATE_READY,
    }
}

impl From<&vug::Statistics> for vug_statistics_t {
    fn from(s: &vug::Statistics) -> Self {
        let counted = &s.counters;
        Self {
            entries: s.entries,
            max_bytes: s.max_bytes,
            backed_bytes: s.backed_bytes,
            index_bytes: s.index_bytes,
            live_bytes: s.live_bytes,
            dead_bytes: s.dead_bytes,
            free_bytes: s.free_bytes,
            largest_free_bytes: s.largest_free_bytes,
            sealed_bytes: s.sealed_bytes,
            sealed_dead_bytes: s.sealed_dead_bytes,
            segment_bytes: s.segment_bytes,
            segments_total: s.segments_total.into(),
            segments_free: s.segments_free.into(),
            segments_active: s.segments_active.into(),
            segments_sealed: s.segments_sealed.into(),
            segments_quarantined: s.segments_quarantined.into(),
            segments_index: s.segments_index.into(),
            index_buckets: s.index_buckets,
            growths: s.growths,
            recoveries: s.recoveries,
            segments_cleaned: s.segments_cleaned,
            records_moved: s.records_moved,
            bytes_moved: s.bytes_moved,
            segments_released: s.segments_released,
            members: s.members.into(),
            members_max: s.members_max.into(),
            threads: s.threads.into(),
            threads_max: s.threads_max.into(),
            pins: s.pins.into(),
            oldest_pin_ns: nanos(s.oldest_pin),
            subscriptions: s.subscriptions.into(),
            ring_lag: s.ring_lag(),
            ack_waiters: s.ack_waiters.into(),
            oldest_ack_wait_ns: nanos(s.oldest_ack_wait.map(|wait| wait.age)),
            ring_tail: s.ring_tail,
            ring_len: s.ring_len,
            bridged: s.bridged.into(),
            sent: s.sent,
            received: s.received,
            applied: s.applied,
            state: state(s.state),
            gets: counted.gets,
            hits: counted.hits,
            puts: counted.puts,
            destroys: counted.destroys,
            creates: counted.creates,
            invalidates: counted.invalidates,
            bytes_written: counted.bytes_written,
            remote_changes: counted.remote_changes,
            retries: counted.retries,
            refused_present: counted.refused_present,
            refused_absent: counted.refused_absent,
            refused_changed: counted.refused_changed,
            dropped_older: counted.dropped_older,
            dropped_duplicate: counted.dropped_duplicate,
            out_of_space: counted.out_of_space,
            foreground_cleans: counted.foreground_cleans,
            evicted: counted.evicted,
            evicted_by_bound: counted.evicted_by_bound,
            expired: counted.expired,
            clears: counted.clears,
            events_delivered: counted.events_delivered,
            events_missed: counted.events_missed,
            events_lapped: counted.events_lapped,
            waits: counted.waits,
            ack_waits: counted.ack_waits,
            ack_timeouts: counted.ack_timeouts,
            get_alls: counted.get_alls,
            put_alls: counted.put_alls,
            remove_alls: counted.remove_alls,
            events_dropped: counted.events_dropped,
            listener_panics: counted.listener_panics,
            tombstones: s.tombstones,
        }
    }
}

/// Stores counters and sizes of a region as they are now. `size` is the size of the structure:
/// `vug_region_statistics(region, &statistics, sizeof(statistics))`. Counts the entries by a pass
/// over the index, about a millisecond per million.
///
/// Returns VUG_OK, VUG_ERR_NULL, VUG_ERR_HANDLE, VUG_ERR_ARGUMENT, VUG_ERR_DAMAGED,
/// VUG_ERR_INTERNAL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn vug_region_statistics(
    region: *const vug_region_t,
    statistics: *mut vug_statistics_t,
    size: usize,
) -> vug_status_t {
    entry!(|caller| {
        let mut output = caller.report(statistics, size, "statistics")?;
        let found = caller.with(&REGIONS, region, |area| {
            Ok(match area {
                Area::Shared(region) => region.statistics(),
                Area::Watched(region) => region.statistics()?,
            })
        })?;
        output.set(vug_statistics_t::from(&found));
        Ok(VUG_OK)
    })
}
