//! The map of a region file: where each part lies, and the words of the region itself.
//!
//! ```text
//! 0        file header (one page, immutable after creation)
//! 4096     region words (one page)
//! 8192     attachments        members x 5120
//!          thread descriptors threads x 512
//!          segment states     segments x 8, padded to 64
//!          segment headers    segments x 64
//!          event ring         cells x 8, padded to 4096
//!          ghosts             entries x 8, padded to 4096; none unless entries are evicted
//!          segments           segments x segment_bytes
//! ```

use crate::error::{Error, Result};
use crate::layout::bucket::Bucket;
use crate::layout::segment::SegmentHeader;
use crate::layout::thread::{Attachment, ThreadDescriptor};
use crate::layout::word::MAX_SEGMENTS;
use crate::os::mapping::Shared;
use crate::sync::{AtomicU32, AtomicU64};

/// Byte of a region file, far behind its end, that who maps the file read-only locks (shared, for
/// the open file description). Nobody gives memory back without the exclusive lock on it: readers
/// without hazards may look at any segment.
pub(crate) const READERS_LOCK: u64 = 1 << 40;
/// Size of the header page and of the page of region words.
pub(crate) const PAGE: u64 = 4096;
/// Thread descriptors of a region; 12 bits name one, 0 is not used.
pub(crate) const THREADS: u64 = 1024;
/// Members attached to a region at a time.
pub(crate) const MEMBERS: u64 = 64;
/// Departures from the acknowledgement set that a region remembers.
pub(crate) const DEPARTURES: usize = 8;
/// Other origins a region can remember.
pub(crate) const ORIGINS: usize = 64;
/// Hash function 1: XXH3, 64 bits, seeded.
pub(crate) const HASH_XXH3: u64 = 1;
/// Smallest and largest `max_bytes`.
pub(crate) const MIN_BYTES: u64 = 1 << 20;
pub(crate) const MAX_BYTES: u64 = 256 << 30;
/// Smallest and largest segment.
pub(crate) const MIN_SEGMENT: u64 = 64 << 10;
pub(crate) const MAX_SEGMENT: u64 = 8 << 20;

/// Index tables that a region may have in its life; a table's number is the binary logarithm of
/// its primary buckets.
pub(crate) const TABLES: usize = 40;
/// Largest table: records keep 32 bits of the hash, and bucket numbers have 32 bits.
pub(crate) const MAX_TABLE: u32 = 31;

/// What a region remembers of another origin.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct OriginWords {
    /// Origin + 1; 0 = unused.
    pub(crate) origin: AtomicU64,
    /// Incarnation of the origin's region file the position counts in.
    pub(crate) epoch: AtomicU64,
    /// Everything below this ring position of the origin is applied here.
    pub(crate) position: AtomicU64,
    /// Closed time of the origin: all its changes up to this version are here.
    pub(crate) closed: AtomicU64,
}

/// A node that writers no longer wait for. Written by the bridge, before the watermark that this
/// releases.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct DepartureWords {
    /// Origin + 1 in the low 17 bits, the number of the departure above; 0 = unused or being
    /// written.
    pub(crate) name: AtomicU64,
    /// First ring position that the node had not acknowledged.
    pub(crate) from: AtomicU64,
    /// The ring's tail when it left.
    pub(crate) to: AtomicU64,
}

/// The words of a region, grouped by who writes them.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct RegionWords {
    // Line 0: read by every operation, rarely written.
    /// `RegionState`.
    pub(crate) state: AtomicU64,
    /// 1 = somebody listens to a region of local scope, so writers announce.
    pub(crate) journal_wanted: AtomicU64,
    /// Highest thread descriptor in use so far + 1.
    pub(crate) threads_used: AtomicU64,
    /// Highest attachment in use so far + 1.
    pub(crate) members_used: AtomicU64,
    /// Number of bridges that ever served the region.
    pub(crate) bridge_epoch: AtomicU64,
    /// Until when cached locks are valid (reserved for global scope).
    pub(crate) lease_deadline: AtomicU64,
    /// Binary logarithm of the primary buckets of the current index table, which names it. With the
    /// bits of `DESTROYED` the region is destroyed: no table has such a number.
    pub(crate) table: AtomicU64,
    pub(crate) line_reserved: AtomicU64,

    // Line 1: attributes that may change while the region is in use.
    /// Time to live of entries in microseconds, times 4, and what happens then (`ExpiryAction`);
    /// 0 = none.
    pub(crate) entry_ttl: AtomicU64,
    /// The same for their idle time.
    pub(crate) entry_idle: AtomicU64,
    /// Accesses count from here on (microseconds since 1970).
    pub(crate) idle_since: AtomicU64,
    /// Bound on entries; 0 = none.
    pub(crate) max_entries: AtomicU64,
    /// Since when (microseconds since 1970) versions are times in a region of local scope, and
    /// what counts as the age of entries that are older; 0 = they are not.
    pub(crate) timed_since: AtomicU64,
    /// 1 = records with a deadline of their own were written.
    pub(crate) deadlines: AtomicU64,
    /// 1 = there are times or stamps, or were: entries may be other than their records say.
    pub(crate) special: AtomicU64,
    /// Entries with a lower version are not there. A multiple of 2^16.
    pub(crate) clear_stamp: AtomicU64,

    // Line 2: the event ring.
    /// Next position to be written.
    pub(crate) ring_tail: AtomicU64,
    pub(crate) ring_reserved: [AtomicU64; 7],

    // Line 3: listeners.
    /// Bumped when a listener has to look; futex word.
    pub(crate) event_word: AtomicU32,
    /// Bit 0 = somebody sleeps on it; the bits above count.
    pub(crate) event_sleepers: AtomicU32,
    /// Bits 0-31: one for each key somebody waits for, chosen by its hash; bits 32-63: count.
    pub(crate) key_sleepers: AtomicU64,
    /// Bumped when somebody who waits for a key has to look; futex word.
    pub(crate) key_word: AtomicU32,
    pub(crate) key_reserved: AtomicU32,
    pub(crate) event_reserved: [AtomicU64; 5],

    // Line 4: acknowledgements; written by the bridge, futex word for writers.
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) applied: AtomicU64,
    /// Reserved for persistent regions.
    pub(crate) durable: AtomicU64,
    pub(crate) ack_word: AtomicU32,
    /// Bit p % 32 for each position p somebody sleeps for.
    pub(crate) ack_sleepers: AtomicU32,
    pub(crate) ack_reserved: [AtomicU64; 3],

    // Line 5: rare things.
    /// Tombstones up to this version may be gone.
    pub(crate) purge_horizon: AtomicU64,
    /// Entries with a lower version have no value; bit 0: invalidated on this node only.
    pub(crate) invalid_stamp: AtomicU64,
    /// Offset of the lock table (reserved for global scope).
    pub(crate) lock_table: AtomicU64,
    /// Dead threads recovered so far.
    pub(crate) recoveries: AtomicU64,
    /// The stamp up to which cleared entries are swept out of the index, and in the bits below
    /// those of `late` when the sweep began.
    pub(crate) cleared: AtomicU64,
    /// Entries that were published after a stamp had cleared them.
    pub(crate) late: AtomicU64,
    /// Unfinished operations that made no sense, and were given up.
    pub(crate) set_aside: AtomicU64,
    pub(crate) rare_reserved: AtomicU64,

    // Line 6: written by every destroy, read by every write.
    /// Writers start above it: highest of closed time, clear stamp, highest dropped version.
    pub(crate) floor: AtomicU64,
    /// Visible entries, counted only where `max_entries` bounds them; a death may lose a count.
    pub(crate) entries: AtomicU64,
    /// Versions of a region of local scope are below it, and it is the next stamp; a multiple of
    /// 2^16, with the kind of a stamp that is about to take force in the bits below.
    pub(crate) ceiling: AtomicU64,
    pub(crate) floor_reserved: [AtomicU64; 5],

    // Line 7: hints, of which any value is right.
    /// Overflow buckets in use in the newest table (low half), and which table that is.
    pub(crate) overflow_used: AtomicU64,
    /// Where the search for a free segment with memory starts.
    pub(crate) segment_hint: AtomicU64,
    /// Segments taken so far: the clock by which segments age.
    pub(crate) births: AtomicU64,
    /// Where the next helper of a growing index starts to move chains; counted as `migrated`.
    pub(crate) migrate_hint: AtomicU64,
    /// Where the next sweep for expired entries starts.
    pub(crate) sweep_hint: AtomicU64,
    /// Where the search for a segment without memory starts.
    pub(crate) unbacked_hint: AtomicU64,
    /// 0 = probably no segment is open.
    pub(crate) open_hint: AtomicU64,
    /// 0 = probably no sealed segment is all dead.
    pub(crate) dead_hint: AtomicU64,

    // Line 8: growth of the index.
    /// Chains moved in the life of the region: 2^n plus those of table n, all below that number.
    /// Raised only.
    pub(crate) migrated: AtomicU64,
    /// Thread that builds the next table (low half) of which table; a hint that keeps others from
    /// doing the same.
    pub(crate) builder: AtomicU64,
    pub(crate) growth_reserved: [AtomicU64; 6],

    // Lines 9 to 13.
    /// First segment + 1 of the table with 2^n primary buckets; 0 = there is none.
    pub(crate) tables: [AtomicU64; TABLES],

    // Line 14: statistics of maintenance.
    /// Segments emptied by copying what lived in them.
    pub(crate) segments_cleaned: AtomicU64,
    /// Records copied by that.
    pub(crate) records_moved: AtomicU64,
    /// Bytes of these.
    pub(crate) bytes_moved: AtomicU64,
    /// Entries evicted: the clock by which ghosts age.
    pub(crate) evicted: AtomicU64,
    /// Index tables that took the place of smaller ones.
    pub(crate) growths: AtomicU64,
    /// Segments whose memory went back to the system.
    pub(crate) segments_released: AtomicU64,
    /// `births` when maintenance last found them changed; a hint.
    pub(crate) quiet_births: AtomicU64,
    /// When that was, microseconds since 1970; a hint.
    pub(crate) quiet_since: AtomicU64,

    pub(crate) reserved: [AtomicU64; 103],

    // What concerns other nodes, for members.
    /// How long a read may ask other nodes, in microseconds; 0 = 300 s.
    pub(crate) search_timeout: AtomicU64,
    pub(crate) search_reserved: [AtomicU64; 7],

    // Written by the bridge when a node leaves the acknowledgement set.
    /// How many departures there were.
    pub(crate) departed: AtomicU64,
    /// The latest: number n is in place (n - 1) % 8.
    pub(crate) departures: [DepartureWords; DEPARTURES],
    /// One entry per other origin; written by the bridge.
    pub(crate) origins: [OriginWords; ORIGINS],
}

// SAFETY: repr(C), atomics only.
unsafe impl Shared for RegionWords {}

#[cfg(not(vug_loom))]
const _: () = {
    assert!(size_of::<OriginWords>() == 32);
    assert!(size_of::<RegionWords>() == PAGE as usize);
    assert!(core::mem::offset_of!(RegionWords, ring_tail) == 128);
    assert!(core::mem::offset_of!(RegionWords, sent) == 256);
    assert!(core::mem::offset_of!(RegionWords, floor) == 384);
    assert!(core::mem::offset_of!(RegionWords, tables) == 576);
    assert!(core::mem::offset_of!(RegionWords, segments_cleaned) == 896);
    assert!(core::mem::offset_of!(RegionWords, search_timeout) == 1784);
    assert!(core::mem::offset_of!(RegionWords, departed) == 1848);
    assert!(core::mem::offset_of!(RegionWords, origins) == 2048);
};

/// Sizes and offsets of one region file. Everything follows from `max_bytes` and `segment_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) max_bytes: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) segments: u64,
    pub(crate) threads: u64,
    pub(crate) members: u64,
    pub(crate) ring_len: u64,
    pub(crate) words_at: u64,
    pub(crate) attachments_at: u64,
    pub(crate) threads_at: u64,
    pub(crate) states_at: u64,
    pub(crate) headers_at: u64,
    pub(crate) ring_at: u64,
    pub(crate) segments_at: u64,
    pub(crate) file_bytes: u64,
    pub(crate) ghosts_at: u64,
    pub(crate) ghosts: u64,
}

/// Number of words [`Geometry::to_words`] makes.
pub(crate) const GEOMETRY_WORDS: usize = 16;

fn align(value: u64, to: u64) -> u64 {
    value.div_ceil(to) * to
}

impl Geometry {
    /// For a new region. `segment_bytes` 0 = choose. `evicts`: with a table of ghosts.
    pub(crate) fn plan(
        max_bytes: u64,
        segment_bytes: u64,
        evicts: bool,
    ) -> std::result::Result<Self, String> {
        if !(MIN_BYTES..=MAX_BYTES).contains(&max_bytes) {
            return Err(format!("max_bytes {max_bytes} is not within {MIN_BYTES} and {MAX_BYTES}"));
        }
        let segment_bytes = match segment_bytes {
            // The largest region has one segment too many of 1 MiB.
            0 if max_bytes >> 20 >= MAX_SEGMENTS => 2 << 20,
            0 => (max_bytes / 256).next_power_of_two().clamp(MIN_SEGMENT, 1 << 20),
            chosen => chosen,
        };
        if !segment_bytes.is_power_of_two() || !(MIN_SEGMENT..=MAX_SEGMENT).contains(&segment_bytes)
        {
            return Err(format!(
                "segment_bytes {segment_bytes} is not a power of two within {MIN_SEGMENT} and \
                 {MAX_SEGMENT}"
            ));
        }
        let segments = max_bytes / segment_bytes;
        if segments < 8 {
            return Err(format!(
                "max_bytes {max_bytes} holds fewer than 8 segments of {segment_bytes} bytes"
            ));
        }
        if segments >= MAX_SEGMENTS {
            return Err(format!(
                "max_bytes {max_bytes} needs more than {MAX_SEGMENTS} segments of \
                 {segment_bytes} bytes"
            ));
        }
        let ring_len = (max_bytes / 4096).next_power_of_two().clamp(1 << 12, 1 << 20);
        let words_at = PAGE;
        let attachments_at = words_at + PAGE;
        let threads_at = attachments_at + MEMBERS * size_of::<Attachment>() as u64;
        let states_at = threads_at + THREADS * size_of::<ThreadDescriptor>() as u64;
        let headers_at = align(states_at + segments * 8, 64);
        let ring_at = align(headers_at + segments * size_of::<SegmentHeader>() as u64, PAGE);
        let ghosts_at = align(ring_at + ring_len * 8, PAGE);
        // As many as entries of 512 bytes.
        let ghosts = if evicts { (max_bytes / 512).next_power_of_two() } else { 0 };
        let segments_at = align(ghosts_at + ghosts * 8, PAGE);
        Ok(Self {
            max_bytes,
            segment_bytes,
            segments,
            threads: THREADS,
            members: MEMBERS,
            ring_len,
            words_at,
            attachments_at,
            threads_at,
            states_at,
            headers_at,
            ring_at,
            segments_at,
            file_bytes: segments_at + segments * segment_bytes,
            ghosts_at,
            ghosts,
        })
    }

    pub(crate) fn to_words(self) -> [u64; GEOMETRY_WORDS] {
        [
            self.max_bytes,
            self.segment_bytes,
            self.segments,
            self.threads,
            self.members,
            self.ring_len,
            self.words_at,
            self.attachments_at,
            self.threads_at,
            self.states_at,
            self.headers_at,
            self.ring_at,
            self.segments_at,
            self.file_bytes,
            self.ghosts_at,
            self.ghosts,
        ]
    }

    /// Reads a geometry back. It must be exactly the one that this version would plan: a header
    /// with other numbers is damaged, whatever its checksum says.
    pub(crate) fn from_words(words: &[u64]) -> Option<Self> {
        let (&max_bytes, &segment_bytes) = (words.first()?, words.get(1)?);
        let evicts = *words.get(GEOMETRY_WORDS - 1)? != 0;
        let planned = Self::plan(max_bytes, segment_bytes.max(1), evicts).ok()?;
        (words.get(..GEOMETRY_WORDS)? == planned.to_words()).then_some(planned)
    }

    /// Offset of a segment in the file.
    #[inline]
    pub(crate) fn segment_at(&self, segment: u32) -> u64 {
        self.segments_at + u64::from(segment) * self.segment_bytes
    }

    /// The table a region starts with: the largest that fits in one segment.
    pub(crate) fn first_table(&self) -> u32 {
        let fits = |log2: &u32| self.table_segments(*log2) == 1;
        (2..=MAX_TABLE).take_while(fits).last().unwrap_or(2)
    }

    /// Primary and overflow buckets of the table with 2^`log2` primary ones.
    pub(crate) const fn table_buckets(log2: u32) -> u64 {
        // A quarter of overflow buckets is used up at about 4.8 entries for each primary one.
        (1 << log2) + ((1 << log2) >> 2)
    }

    /// Segments of that table.
    pub(crate) fn table_segments(&self, log2: u32) -> u64 {
        (Self::table_buckets(log2) * size_of::<Bucket>() as u64).div_ceil(self.segment_bytes)
    }

    /// Damage found in the map of a file.
    pub(crate) fn damaged(path: &std::path::Path) -> Error {
        Error::DamagedHeader { path: path.into(), field: "geometry" }
    }

    /// All windows lie inside the file; checked once more when they are made.
    pub(crate) fn check(&self, file_len: u64, path: &std::path::Path) -> Result<()> {
        if file_len < self.file_bytes {
            return Err(Error::Truncated {
                path: path.into(),
                expected: self.file_bytes,
                found: file_len,
            });
        }
        Ok(())
    }
}
