//! The packed 64-bit words of the index, the segments and the event ring.
//!
//! ```text
//! slot, occupied   tag 9 | frozen 1 | frequency 2 | segment 18 | generation 14 | offset/8 20
//! slot, empty      0   9 | frozen 1 | 0         2 | thread 12 | stamp counter 40
//! bucket header    version 32 | 0 31 | 0              (idle)
//!                  version 32 | 0 30 | 1 | 0          (the chain is frozen)
//!                  version 32 | 0 29 | 1 | 1 | 0      (the chain is moved)
//!                  version 32 | thread 12 | sequence 19 | 1   (an insert is pending)
//! segment state    state 4 | owner 12 | generation 48
//! link             frozen 1 | 0 31 | number of the next bucket + 1 32
//! ring cell        lap 10 | op 2 | segment 18 | generation 14 | offset/8 20
//! ```

/// Bits of a location: segment, generation, offset.
pub(crate) const LOCATION_BITS: u32 = 52;
const LOCATION_MASK: u64 = (1 << LOCATION_BITS) - 1;
const OFFSET_BITS: u32 = 20;
const GENERATION_BITS: u32 = 14;
/// A slot's generation is the segment's generation modulo this.
pub(crate) const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const SEGMENT_BITS: u32 = 18;
/// Highest segment number + 1; the number itself is the escape of region events.
pub(crate) const MAX_SEGMENTS: u64 = (1 << SEGMENT_BITS) - 1;
const FREQUENCY_SHIFT: u32 = 52;
const FREQUENCY_MASK: u64 = 0b11 << FREQUENCY_SHIFT;
const FROZEN: u64 = 1 << 54;
const TAG_SHIFT: u32 = 55;
/// Set in the link words of a frozen chain.
pub(crate) const LINK_FROZEN: u64 = 1 << 63;
/// Tag of entries that reads do not see (tombstones, transit): any key may hide behind it.
pub(crate) const HIDDEN_TAG: u64 = 1;

/// Where a record lies: segment, generation of the segment (14 bits), offset in units of 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Location(pub(crate) u64);

impl Location {
    /// Of announcements that name no record.
    pub(crate) const NONE: Self = Self(MAX_SEGMENTS << (GENERATION_BITS + OFFSET_BITS));

    /// Reads a location from a shared word of which it is all.
    pub(crate) fn from_word(word: u64) -> Self {
        Self(word & LOCATION_MASK)
    }

    pub(crate) fn new(segment: u32, generation: u64, offset: usize) -> Self {
        debug_assert!(offset.is_multiple_of(8));
        Self(
            (u64::from(segment) << (GENERATION_BITS + OFFSET_BITS))
                | ((generation & GENERATION_MASK) << OFFSET_BITS)
                | (offset as u64 >> 3),
        )
    }

    #[inline]
    pub(crate) fn segment(self) -> u32 {
        (self.0 >> (GENERATION_BITS + OFFSET_BITS)) as u32 & (MAX_SEGMENTS as u32)
    }

    #[inline]
    pub(crate) fn generation(self) -> u64 {
        (self.0 >> OFFSET_BITS) & GENERATION_MASK
    }

    /// Byte offset inside the segment.
    #[inline]
    pub(crate) fn offset(self) -> usize {
        ((self.0 & ((1 << OFFSET_BITS) - 1)) << 3) as usize
    }
}

/// A word of an index slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotWord(pub(crate) u64);

impl SlotWord {
    pub(crate) fn occupied(tag: u64, location: Location) -> Self {
        debug_assert!(tag > 0 && tag < 512);
        Self((tag << TAG_SHIFT) | location.0)
    }

    /// An empty word that no slot ever held before: `counter` is never repeated by `thread`.
    pub(crate) fn empty(thread: u32, counter: u64) -> Self {
        Self((u64::from(thread & 0xfff) << 40) | (counter & ((1 << 40) - 1)))
    }

    #[inline]
    pub(crate) fn tag(self) -> u64 {
        self.0 >> TAG_SHIFT
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.tag() == 0
    }

    #[inline]
    pub(crate) fn location(self) -> Location {
        Location(self.0 & LOCATION_MASK)
    }

    /// The same entry with its record at another place.
    pub(crate) fn moved_to(self, location: Location) -> Self {
        Self((self.0 & !LOCATION_MASK) | location.0)
    }

    /// The chain is being moved to the next table: the word never changes again.
    #[inline]
    pub(crate) fn is_frozen(self) -> bool {
        self.0 & FROZEN != 0
    }

    pub(crate) fn frozen(self) -> Self {
        Self(self.0 | FROZEN)
    }

    /// The word as it was before it was frozen, which is also its copy in the next table.
    pub(crate) fn thawed(self) -> Self {
        Self(self.0 & !FROZEN)
    }

    /// How often the entry was used since it was copied last, up to 3; only where entries are
    /// evicted.
    pub(crate) fn frequency(self) -> u64 {
        if self.is_empty() { 0 } else { (self.0 & FREQUENCY_MASK) >> FREQUENCY_SHIFT }
    }

    /// The same entry with another frequency.
    pub(crate) fn with_frequency(self, frequency: u64) -> Self {
        let frequency = frequency.min(FREQUENCY_MASK >> FREQUENCY_SHIFT);
        Self((self.0 & !FREQUENCY_MASK) | (frequency << FREQUENCY_SHIFT))
    }

    /// The same entry, used once more.
    pub(crate) fn used_once_more(self) -> Self {
        self.with_frequency(self.frequency() + 1)
    }

    /// The word without its frequency bits: two words that differ only there name the same entry.
    #[inline]
    pub(crate) fn identity(self) -> u64 {
        if self.is_empty() { self.0 } else { self.0 & !FREQUENCY_MASK }
    }

    /// Whether both name the same entry, or are the same empty word.
    #[inline]
    pub(crate) fn is_entry_of(self, other: Self) -> bool {
        self == other || self.identity() == other.identity()
    }

    /// This word with the frequency of `other`.
    pub(crate) fn with_frequency_of(self, other: Self) -> Self {
        if other.is_empty() { self } else { Self(self.0 | (other.0 & FREQUENCY_MASK)) }
    }
}

/// Tag of a key's hash: 2..=511, so that 0 can mean empty and 1 hidden.
#[inline]
pub(crate) fn tag_of(hash: u64) -> u64 {
    let tag = hash >> TAG_SHIFT;
    if tag < 2 { tag + 2 } else { tag }
}

/// A word of a bucket header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HeaderWord(pub(crate) u64);

impl HeaderWord {
    #[inline]
    pub(crate) fn is_pending(self) -> bool {
        self.0 & 1 == 1
    }

    /// Nobody inserts into the chain any more; it is being moved or was moved.
    pub(crate) fn is_frozen(self) -> bool {
        self.0 & (1 | Self::FROZEN) == Self::FROZEN
    }

    /// The chain is in the next table.
    #[inline]
    pub(crate) fn is_moved(self) -> bool {
        self.0 & (1 | Self::MOVED) == Self::MOVED
    }

    /// The word that freezes the chain of this idle one.
    pub(crate) fn frozen(self) -> Self {
        Self(self.finished().0 | Self::FROZEN)
    }

    /// The word that says that the chain of this frozen one is moved.
    pub(crate) fn moved(self) -> Self {
        Self(self.frozen().0 | Self::MOVED)
    }

    const FROZEN: u64 = 0b010;
    const MOVED: u64 = 0b100;

    /// The pending word by which `thread` claims the bucket for its insert number `sequence`.
    pub(crate) fn claim(self, thread: u32, sequence: u64) -> Self {
        let version = (self.0 >> 32).wrapping_add(1) & 0xffff_ffff;
        Self(
            (version << 32)
                | (u64::from(thread & 0xfff) << 20)
                | ((sequence & Self::SEQUENCE_MASK) << 1)
                | 1,
        )
    }

    /// The idle word that ends this pending one.
    pub(crate) fn finished(self) -> Self {
        Self((self.0 >> 32) << 32)
    }

    pub(crate) fn thread(self) -> u32 {
        (self.0 >> 20) as u32 & 0xfff
    }

    pub(crate) fn sequence(self) -> u64 {
        (self.0 >> 1) & Self::SEQUENCE_MASK
    }

    /// Sequences are compared in this many bits.
    pub(crate) const SEQUENCE_MASK: u64 = (1 << 19) - 1;
}

/// A slot of an index table: table (6 bits), bucket number (32), position in it (3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotRef(u64);

impl SlotRef {
    const TABLE_SHIFT: u32 = 35;

    pub(crate) fn new(bucket: u32, slot: usize) -> Self {
        Self((u64::from(bucket) << 3) | slot as u64)
    }

    /// The same place in the table with 2^`table` primary buckets.
    pub(crate) fn in_table(self, table: u32) -> Self {
        let place = self.0 & ((1 << Self::TABLE_SHIFT) - 1);
        Self(place | (u64::from(table & 0x3f) << Self::TABLE_SHIFT))
    }

    /// Binary logarithm of the primary buckets of its table.
    pub(crate) fn table(self) -> u32 {
        (self.0 >> Self::TABLE_SHIFT) as u32 & 0x3f
    }

    /// For a word in shared memory; 0 there means none.
    pub(crate) fn to_word(self) -> u64 {
        self.0 + 1
    }

    pub(crate) fn from_word(word: u64) -> Option<Self> {
        word.checked_sub(1).map(Self)
    }

    pub(crate) fn bucket(self) -> usize {
        (self.0 >> 3) as u32 as usize
    }

    pub(crate) fn slot(self) -> usize {
        (self.0 & 7) as usize
    }
}

/// What a segment is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum SegmentState {
    /// Has no memory yet.
    Unbacked = 0,
    /// May be taken.
    Free = 1,
    /// Its owner appends to it.
    Active = 2,
    /// Partly filled, without owner; may be adopted.
    Open = 3,
    /// Full; nobody appends.
    Sealed = 4,
    /// Its owner gives its memory back to the system.
    Releasing = 5,
    /// Holds dead records only; free as soon as no hazard or pin names it.
    Quarantine = 6,
    /// Part of an index table.
    Index = 7,
    /// Continuation of a run whose head is an earlier segment.
    Run = 8,
}

/// A word of the segment state array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentWord(pub(crate) u64);

impl SegmentWord {
    pub(crate) fn new(state: SegmentState, owner: u32, generation: u64) -> Self {
        Self(
            ((state as u64) << 60)
                | (u64::from(owner & 0xfff) << 48)
                | (generation & ((1 << 48) - 1)),
        )
    }

    /// `None` for a number that no state has: the file is damaged.
    pub(crate) fn state(self) -> Option<SegmentState> {
        Some(match self.0 >> 60 {
            0 => SegmentState::Unbacked,
            1 => SegmentState::Free,
            2 => SegmentState::Active,
            3 => SegmentState::Open,
            4 => SegmentState::Sealed,
            5 => SegmentState::Releasing,
            6 => SegmentState::Quarantine,
            7 => SegmentState::Index,
            8 => SegmentState::Run,
            _ => return None,
        })
    }

    /// Thread descriptor that owns an active segment.
    pub(crate) fn owner(self) -> u32 {
        (self.0 >> 48) as u32 & 0xfff
    }

    pub(crate) fn generation(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }

    /// Same generation, other state and owner.
    pub(crate) fn becomes(self, state: SegmentState, owner: u32) -> Self {
        Self::new(state, owner, self.generation())
    }
}

/// A segment's place among segments side by side: in a run, which holds one record, or in an index
/// table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunWord(pub(crate) u64);

impl RunWord {
    const COUNT_MASK: u64 = (1 << SEGMENT_BITS) - 1;
    const CONTINUATION: u64 = 1 << SEGMENT_BITS;
    const TABLE: u64 = 1 << (SEGMENT_BITS + 1);
    const GENERATION_SHIFT: u32 = SEGMENT_BITS + 2;

    fn new(count: u32, generation: u64) -> Self {
        Self((generation << Self::GENERATION_SHIFT) | (u64::from(count) & Self::COUNT_MASK))
    }

    /// Of the first segment, which is at `generation`; `count` segments in all.
    pub(crate) fn head(count: u32, generation: u64) -> Self {
        Self::new(count, generation)
    }

    /// Of the segment `steps` behind a head that is at `generation`.
    pub(crate) fn continuation(steps: u32, generation: u64) -> Self {
        Self(Self::new(steps, generation).0 | Self::CONTINUATION)
    }

    /// Of a segment that is itself at `generation`, in the table with 2^`log2` primary buckets.
    pub(crate) fn table(log2: u32, generation: u64) -> Self {
        Self(Self::new(log2, generation).0 | Self::TABLE)
    }

    /// Segments of the run whose head is at `generation`; `None` if the word is not of such a head.
    pub(crate) fn segments(self, generation: u64) -> Option<u32> {
        let count = (self.0 & Self::COUNT_MASK) as u32;
        (count > 0 && self == Self::head(count, generation)).then_some(count)
    }

    /// For a continuation: how far behind its head it is.
    pub(crate) fn steps(self) -> Option<u32> {
        (self.0 & Self::CONTINUATION != 0).then_some((self.0 & Self::COUNT_MASK) as u32)
    }
}

/// Who a change in the event ring is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum RingOp {
    /// No change of an entry: with a location the eviction of that record, else a [`RegionOp`].
    Region = 0,
    /// Made on this node: for listeners and for the bridge.
    Change = 1,
    /// Came from another node: for listeners only.
    Remote = 2,
    /// Node-wide but not for other nodes.
    Local = 3,
}

impl RingOp {
    /// The operation that `intent.announce` promises; `None` for what names no record.
    pub(crate) fn promised(announce: u64) -> Option<Self> {
        match announce {
            2 => Some(Self::Change),
            3 => Some(Self::Remote),
            4 => Some(Self::Local),
            _ => None,
        }
    }

    /// For `intent.announce`.
    pub(crate) fn promise(self) -> u64 {
        self as u64 + 1
    }
}

/// Who did something to a whole region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doer {
    /// The member in this slot of the node file.
    Member(u16),
    /// Another node.
    Node(u16),
}

/// What happened to a whole region. The number of the location that names no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum RegionOp {
    /// Something that no record tells: look at the region again.
    LookAgain = 0,
    /// All entries below `clear_stamp` are gone.
    Clear = 1,
    /// The same, only on this node.
    LocalClear = 2,
    /// All entries lose their values.
    Invalidate = 3,
    /// The same, only on this node.
    LocalInvalidate = 4,
    /// The region is no more: the last event.
    Destroy = 5,
    /// The same, only on this node.
    LocalDestroy = 6,
    /// Other nodes are to destroy theirs, then this one goes. Not for listeners.
    Doom = 7,
}

impl RegionOp {
    pub(crate) const ALL: [Self; 8] = [
        Self::LookAgain,
        Self::Clear,
        Self::LocalClear,
        Self::Invalidate,
        Self::LocalInvalidate,
        Self::Destroy,
        Self::LocalDestroy,
        Self::Doom,
    ];

    /// Set if it was done by a node, not by a member.
    const BY_NODE: u64 = 1 << 24;

    /// The word of it.
    pub(crate) fn location(self, by: Doer) -> Location {
        let by = match by {
            Doer::Member(slot) => u64::from(slot) << 8,
            Doer::Node(origin) => Self::BY_NODE | (u64::from(origin) << 8),
        };
        Location(Location::NONE.0 | by | self as u64)
    }

    /// What a location that names no record says, and who did it; `None` for a record.
    pub(crate) fn of(location: Location) -> Option<(Self, Doer)> {
        if u64::from(location.segment()) != MAX_SEGMENTS {
            return None;
        }
        // What this version does not know calls for a look at the region.
        let known = Self::ALL.into_iter().find(|op| *op as u64 == location.0 & 0xff);
        let by = (location.0 >> 8) as u16;
        let by = if location.0 & Self::BY_NODE == 0 { Doer::Member(by) } else { Doer::Node(by) };
        Some((known.unwrap_or(Self::LookAgain), by))
    }
}

/// A cell of the event ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CellWord(pub(crate) u64);

impl CellWord {
    const LAP_MASK: u64 = (1 << 10) - 1;

    pub(crate) fn new(lap: u64, op: RingOp, location: Location) -> Self {
        Self(((lap & Self::LAP_MASK) << 54) | ((op as u64) << LOCATION_BITS) | location.0)
    }

    /// Lap of the cell in 10 bits, to be compared with [`CellWord::lap_bits`].
    pub(crate) fn lap(self) -> u64 {
        self.0 >> 54
    }

    pub(crate) fn lap_bits(lap: u64) -> u64 {
        lap & Self::LAP_MASK
    }

    pub(crate) fn op(self) -> RingOp {
        match (self.0 >> LOCATION_BITS) & 0b11 {
            0 => RingOp::Region,
            1 => RingOp::Change,
            2 => RingOp::Remote,
            _ => RingOp::Local,
        }
    }

    pub(crate) fn location(self) -> Location {
        Location(self.0 & LOCATION_MASK)
    }
}

#[cfg(all(test, not(vug_loom)))]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_overlap() {
        let location = Location::new(0x2_ffff, 0x3abc, 0x7f_fff8);
        assert_eq!(location.segment(), 0x2_ffff);
        assert_eq!(location.generation(), 0x3abc);
        assert_eq!(location.offset(), 0x7f_fff8);
        let slot = SlotWord::occupied(511, location);
        assert_eq!((slot.tag(), slot.location()), (511, location));
        let moved = SlotWord(slot.0 | FREQUENCY_MASK).moved_to(Location::new(1, 2, 8));
        assert_eq!((moved.tag(), moved.location()), (511, Location::new(1, 2, 8)));
        assert_eq!(moved.0 & FREQUENCY_MASK, FREQUENCY_MASK);
        let used = (0..5).fold(slot, |word, _| word.used_once_more());
        assert_eq!((used.frequency(), used.identity()), (3, slot.identity()));
        assert_eq!(used.with_frequency(0), slot);
        assert!(SlotWord::empty(0xfff, u64::MAX).is_empty());
        let claim = HeaderWord(7 << 32).claim(0xabc, 0x7_ffff);
        assert!(claim.is_pending());
        assert_eq!((claim.thread(), claim.sequence()), (0xabc, 0x7_ffff));
        assert_eq!(claim.finished(), HeaderWord(8 << 32));
        assert!(!claim.is_frozen() && !claim.is_moved());
        let frozen = claim.finished().frozen();
        assert!(frozen.is_frozen() && !frozen.is_moved() && frozen.moved().is_moved());
        assert_eq!((slot.frozen().tag(), slot.frozen().location()), (511, location));
        assert_eq!(slot.frozen().thawed(), slot);
        let place = SlotRef::new(u32::MAX, 5).in_table(31);
        assert_eq!((place.table(), place.bucket(), place.slot()), (31, u32::MAX as usize, 5));
        let cell = CellWord::new(1025, RingOp::Remote, location);
        assert_eq!((cell.lap(), cell.op(), cell.location()), (1, RingOp::Remote, location));
        for op in RegionOp::ALL {
            for by in [Doer::Member(0xfedc), Doer::Node(0xfedc)] {
                assert_eq!(RegionOp::of(op.location(by)), Some((op, by)));
            }
        }
        let nobody = Doer::Member(0);
        assert_eq!(RegionOp::of(Location::NONE), Some((RegionOp::LookAgain, nobody)));
        assert_eq!(RegionOp::of(location), None);
        let word = SegmentWord::new(SegmentState::Sealed, 0xfff, 5);
        assert_eq!(word.state(), Some(SegmentState::Sealed));
        assert_eq!((word.owner(), word.generation()), (0xfff, 5));
    }

    #[test]
    fn a_run_word_counts_for_one_generation_of_one_kind() {
        let generation = (1 << 47) + 5;
        let head = RunWord::head(0x3_fffe, generation);
        assert_eq!((head.segments(generation), head.steps()), (Some(0x3_fffe), None));
        assert_eq!(head.segments(generation + 1), None);
        let rest = RunWord::continuation(7, generation);
        assert_eq!((rest.segments(generation), rest.steps()), (None, Some(7)));
        let table = RunWord::table(40, generation);
        assert_eq!((table.segments(generation), table.steps()), (None, None));
        assert_ne!(table, RunWord::table(40, generation + 1));
        assert_eq!(RunWord(0).segments(0), None);
    }
}
