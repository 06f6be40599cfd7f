//! The file `<home>/node`: who takes part, and the words of the bridge.
//!
//! ```text
//!     0  file header (512 bytes, immutable); geometry:
//!        0 = member slots, 1 = bytes of a slot, 2 = offset of the slots, 3 = offset of the words
//!  4096  node words, one cache line each
//!  8192  256 member slots of 128 bytes
//! ```
//!
//! The lock bytes of the members lie far behind the end of the file, where no data ever is:
//! byte 2^40 + slot.

use std::path::Path;

use crate::error::{Error, Result};
use crate::layout::header::FileHeader;
use crate::os::mapping::Shared;
use crate::sync::{AtomicU32, AtomicU64};

/// First bytes of a node file. Byte 0 is not text, the line ends reveal a transfer in text mode.
pub(crate) const NODE_MAGIC: [u8; 8] = *b"\x8aNODE\r\n\x1a";
/// Members that a node can have at a time.
pub(crate) const MEMBER_SLOTS: usize = 256;
/// Bytes of a member slot: two cache lines, so that neighbours do not share a prefetch pair.
pub(crate) const SLOT_BYTES: u64 = 128;
/// Words of a program's name.
pub(crate) const PROGRAM_WORDS: usize = 4;
/// Where the node words begin.
pub(crate) const WORDS_OFFSET: u64 = 4096;
/// Where the member slots begin.
pub(crate) const SLOTS_OFFSET: u64 = 8192;
/// Length of the file.
pub(crate) const NODE_FILE_BYTES: u64 = SLOTS_OFFSET + MEMBER_SLOTS as u64 * SLOT_BYTES;
/// Lock byte of slot 0.
pub(crate) const LOCK_BASE: u64 = 1 << 40;

/// The words of the node; `member.rs` and `member/seat.rs` say who writes them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct NodeWords {
    /// Number of this node in its cluster; 0 until assigned, then final.
    pub(crate) origin: AtomicU64,
    pub(crate) origin_reserved: [AtomicU64; 7],
    /// Bridges that have ever taken the seat.
    pub(crate) bridge_epoch: AtomicU64,
    pub(crate) epoch_reserved: [AtomicU64; 7],
    /// Process id of the bridge that took the seat last.
    pub(crate) bridge_pid: AtomicU64,
    pub(crate) pid_reserved: [AtomicU64; 7],
    /// Bit 0: the bridge is about to sleep or sleeps. Bits 1-31: how often it armed.
    pub(crate) bridge_sleeping: AtomicU32,
    pub(crate) sleeping_reserved: [AtomicU32; 15],
}

/// One member; the protocol is in `member.rs`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct MemberSlot {
    /// A [`SlotState`] as word.
    pub(crate) state: AtomicU64,
    pub(crate) pid: AtomicU64,
    /// Start of the process in clock ticks after boot, as its time namespace sees it.
    pub(crate) start_time: AtomicU64,
    /// Inode of the pid namespace; 0 = unknown.
    pub(crate) pidns_inode: AtomicU64,
    /// Inode of the time namespace; 0 = the kernel has none.
    pub(crate) timens_inode: AtomicU64,
    /// When it joined, microseconds since 1970; for people only.
    pub(crate) joined_at_micros: AtomicU64,
    /// Name of its program, filled up with zero bytes; for people only.
    pub(crate) program: [AtomicU64; PROGRAM_WORDS],
    pub(crate) reserved: [AtomicU64; 6],
}

// SAFETY: repr(C) and atomics only, no destructor.
unsafe impl Shared for NodeWords {}
// SAFETY: repr(C) and atomics only, no destructor.
unsafe impl Shared for MemberSlot {}

#[cfg(not(vug_loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<NodeWords>() == 256);
    assert!(offset_of!(NodeWords, origin) == 0);
    assert!(offset_of!(NodeWords, bridge_epoch) == 64);
    assert!(offset_of!(NodeWords, bridge_pid) == 128);
    assert!(offset_of!(NodeWords, bridge_sleeping) == 192);
    assert!(size_of::<MemberSlot>() as u64 == SLOT_BYTES);
    assert!(offset_of!(MemberSlot, state) == 0);
    assert!(offset_of!(MemberSlot, pid) == 8);
    assert!(offset_of!(MemberSlot, start_time) == 16);
    assert!(offset_of!(MemberSlot, pidns_inode) == 24);
    assert!(offset_of!(MemberSlot, timens_inode) == 32);
    assert!(offset_of!(MemberSlot, joined_at_micros) == 40);
};

/// What a slot is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Free,
    Joining,
    Live,
    Recovering,
}

/// The decoded state word: generation in bits 16-63, phase in bits 8-15, bits 0-7 reserved (zero).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotState {
    /// Counts the members that ever had the slot; never goes back.
    pub(crate) generation: u64,
    pub(crate) phase: Phase,
}

impl SlotState {
    /// Highest generation; a slot that reached it is not used any more.
    pub(crate) const MAX_GENERATION: u64 = (1 << 48) - 1;

    /// `None` if no version of this library has written the word.
    pub(crate) fn decode(word: u64) -> Option<Self> {
        let phase = match word & 0xffff {
            0x0000 => Phase::Free,
            0x0100 => Phase::Joining,
            0x0200 => Phase::Live,
            0x0300 => Phase::Recovering,
            _ => return None,
        };
        Some(Self { generation: word >> 16, phase })
    }

    pub(crate) fn encode(self) -> u64 {
        debug_assert!(self.generation <= Self::MAX_GENERATION);
        let phase = match self.phase {
            Phase::Free => 0,
            Phase::Joining => 1,
            Phase::Live => 2,
            Phase::Recovering => 3,
        };
        self.generation << 16 | phase << 8
    }

    /// The same member in another phase.
    pub(crate) fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }
}

/// A sealed header of a new node file.
pub(crate) fn new_header(id: u128, boot: u128) -> FileHeader {
    let mut header = FileHeader::new(NODE_MAGIC, id, boot, id, NODE_FILE_BYTES);
    header.geometry[..4].copy_from_slice(&geometry());
    header.seal()
}

/// Checks what [`FileHeader::check`] cannot know: the geometry of this kind of file.
pub(crate) fn check_geometry(header: &FileHeader, path: &Path) -> Result<()> {
    let damaged = |field| Err(Error::DamagedHeader { path: path.into(), field });
    let names = ["member slots", "slot size", "slot offset", "word offset"];
    for (i, wanted) in geometry().into_iter().enumerate() {
        if header.geometry[i] != wanted {
            return damaged(names[i]);
        }
    }
    if header.file_len != NODE_FILE_BYTES {
        return damaged("file length");
    }
    if header.node != header.id {
        return damaged("node id");
    }
    Ok(())
}

fn geometry() -> [u64; 4] {
    [MEMBER_SLOTS as u64, SLOT_BYTES, SLOTS_OFFSET, WORDS_OFFSET]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_words_survive_the_round_trip_and_strange_ones_are_refused() {
        for phase in [Phase::Free, Phase::Joining, Phase::Live, Phase::Recovering] {
            let state = SlotState { generation: SlotState::MAX_GENERATION, phase };
            assert_eq!(SlotState::decode(state.encode()), Some(state));
        }
        assert_eq!(SlotState::decode(0x0400), None);
        assert_eq!(SlotState::decode(0x0201), None);
        let zero = SlotState { generation: 0, phase: Phase::Free };
        assert_eq!(SlotState::decode(0), Some(zero));
    }

    #[test]
    fn geometry_is_checked_field_by_field() {
        let path = Path::new("node");
        assert!(check_geometry(&new_header(1, 2), path).is_ok());
        for i in 0..4 {
            let mut header = new_header(1, 2);
            header.geometry[i] += 1;
            assert!(matches!(check_geometry(&header, path), Err(Error::DamagedHeader { .. })));
        }
    }
}
