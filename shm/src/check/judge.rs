//! Whether members live, found out from the node file without joining the node.

use core::mem::offset_of;
use std::collections::HashMap;
use std::path::Path;

use crate::check::findings::Findings;
use crate::check::owners::Life;
use crate::check::source::Source;
use crate::check::words::{Plan, field};
use crate::error::Error;
use crate::layout::header::{FileHeader, HEADER_BYTES};
use crate::layout::node::{
    LOCK_BASE, MEMBER_SLOTS, MemberSlot, NODE_MAGIC, Phase, SLOT_BYTES, SLOTS_OFFSET, SlotState,
    check_geometry,
};
use crate::os::ofd_lock::LockFile;
use crate::os::process::Identity;

const SLOT_WORDS: usize = SLOT_BYTES as usize / 8;

/// Judges members; knows nobody if there is no node file of this region's node.
#[derive(Debug)]
pub(super) struct Judge {
    node: Result<NodeFile, Error>,
    me: Identity,
    verdicts: HashMap<u64, Life>,
}

#[derive(Debug)]
pub(super) struct NodeFile {
    /// `MEMBER_SLOTS` times `SLOT_WORDS` words.
    slots: Vec<u64>,
    lock: LockFile,
}

impl Judge {
    pub(super) fn new(region: &Path, plan: &Plan) -> Self {
        Self {
            node: NodeFile::read(&region.with_file_name("node"), plan.boot, Some(plan.node)),
            me: Identity::current(),
            verdicts: HashMap::new(),
        }
    }

    /// Generation in bits 16-63, slot in bits 0-15.
    pub(super) fn life_of(&mut self, member: u64, found: &mut Findings) -> Life {
        let node = match &self.node {
            Ok(node) => node,
            Err(error) => {
                found.note(format_args!("owner {member:#x} cannot be judged: {error}"));
                return Life::Unknown;
            }
        };
        let me = &self.me;
        *self.verdicts.entry(member).or_insert_with(|| node.life_of(member, me))
    }
}

impl NodeFile {
    /// Reads the file; it must be of the node `node`, if one is given.
    pub(super) fn read(path: &Path, boot: u128, node: Option<[u64; 2]>) -> Result<Self, Error> {
        let source = Source::open(path)?;
        let mut bytes = [0; HEADER_BYTES];
        let have = source.len().min(HEADER_BYTES as u64) as usize;
        source.read(0, &mut bytes[..have])?;
        let header = FileHeader::check(&bytes[..have], NODE_MAGIC, path, source.len(), boot)?;
        check_geometry(&header, path)?;
        if node.is_some_and(|node| header.id != node) {
            return Err(Error::OtherNode { path: path.into() });
        }
        let slots = source.words(SLOTS_OFFSET, MEMBER_SLOTS * SLOT_WORDS)?;
        let lock = LockFile::new(source.into_file()).map_err(|source| Error::Io {
            op: "watch",
            path: path.into(),
            source,
        })?;
        Ok(Self { slots, lock })
    }

    /// Ids and processes of all members, dead ones too.
    pub(super) fn members(&self) -> Vec<(u64, Identity)> {
        let slots = self.slots.chunks_exact(SLOT_WORDS).zip(0..);
        let members = slots.filter_map(|(words, slot)| {
            let word = field!(words, MemberSlot, state);
            let used = SlotState::decode(word).is_some_and(|state| state.phase != Phase::Free);
            used.then(|| (word >> 16 << 16 | slot, identity(words)))
        });
        members.collect()
    }

    pub(super) fn life_of(&self, member: u64, me: &Identity) -> Life {
        let slot = (member & 0xffff) as usize;
        let Some(words) = self.slots.chunks_exact(SLOT_WORDS).nth(slot) else {
            return Life::Dead;
        };
        let word = field!(words, MemberSlot, state);
        let state = SlotState::decode(word);
        if word >> 16 != member >> 16
            || matches!(state.map(|state| state.phase), Some(Phase::Free | Phase::Recovering))
        {
            return Life::Dead;
        }
        match self.lock.is_locked_by_other(LOCK_BASE + slot as u64) {
            Ok(false) => return Life::Dead,
            Ok(true) => {}
            Err(_) => return Life::Unknown,
        }
        let identity = identity(words);
        let live = state.map(|state| state.phase) == Some(Phase::Live);
        if live && me.sees_gone(&identity) == Some(true) { Life::Dead } else { Life::Alive }
    }
}

/// The process that a slot names.
fn identity(words: &[u64]) -> Identity {
    Identity {
        pid: field!(words, MemberSlot, pid) as u32,
        start_time: field!(words, MemberSlot, start_time),
        pidns_inode: field!(words, MemberSlot, pidns_inode),
        timens_inode: field!(words, MemberSlot, timens_inode),
    }
}
