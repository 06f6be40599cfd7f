//! The member table as it looks to a process that is no member and writes nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::layout::header::{FileHeader, whole};
use crate::layout::node::{
    self, MEMBER_SLOTS, MemberSlot, NODE_MAGIC, NodeWords, SLOTS_OFFSET, WORDS_OFFSET,
};
use crate::member::seat::{SEAT_BYTE, bridge_lock};
use crate::member::{MemberId, MemberInfo, Verdict, judge, list};
use crate::os::file::{boot_id, open_for_reading};
use crate::os::mapping::{Mapping, Window};
use crate::os::ofd_lock::LockFile;
use crate::os::process::Identity;
use crate::sync::{Acquire, Relaxed};

/// A node file that is mapped without the right to write.
#[derive(Debug)]
pub(crate) struct Watch {
    home: PathBuf,
    owner: u32,
    node_id: u128,
    me: Identity,
    /// Only asked, never locked; of a description that is not mapped.
    lock: LockFile,
    words: Window<NodeWords>,
    slots: Window<MemberSlot>,
}

impl Watch {
    /// Opens the node file of a home directory, which `owner` must own.
    pub(crate) fn open(home: &Path, owner: u32) -> Result<Self> {
        let path = &home.join("node");
        let file = open_for_reading(path, owner)?;
        let lock = open_for_reading(path, owner)?;
        let (header, mapping) = map(&file, path)?;
        let outside = || Error::Truncated {
            path: path.into(),
            expected: node::NODE_FILE_BYTES,
            found: header.file_len,
        };
        Ok(Self {
            home: home.into(),
            owner,
            node_id: whole(header.id),
            me: Identity::current(),
            lock: LockFile::new(lock).map_err(|source| Error::Io {
                op: "watch",
                path: path.into(),
                source,
            })?,
            words: mapping.window(WORDS_OFFSET, 1).ok_or_else(outside)?,
            slots: mapping.window(SLOTS_OFFSET, MEMBER_SLOTS).ok_or_else(outside)?,
        })
    }

    pub(crate) fn node_id(&self) -> u128 {
        self.node_id
    }

    /// Number of the node in its cluster; 0 until assigned.
    pub(crate) fn origin(&self) -> u16 {
        self.words[0].origin.load(Relaxed) as u16
    }

    /// Process id of the bridge that has the seat now.
    pub(crate) fn bridge_pid(&self) -> Option<u32> {
        let lock = open_for_reading(&bridge_lock(&self.home), self.owner).ok()?;
        let held = LockFile::new(lock).ok()?.is_locked_by_other(SEAT_BYTE).ok()?;
        let pid = self.words[0].bridge_pid.load(Acquire) as u32;
        (held && pid != 0).then_some(pid)
    }

    /// All members, also the dead that nobody has recovered yet.
    pub(crate) fn list(&self) -> Vec<MemberInfo> {
        list(&self.slots, None, |id| self.is_alive(id))
    }

    fn is_alive(&self, id: MemberId) -> bool {
        let Some(slot) = self.slots.get(id.slot()) else {
            return false;
        };
        loop {
            let word = slot.state.load(Acquire);
            if word >> 16 != id.word() >> 16 {
                return false;
            }
            match judge(&self.slots, &self.lock, &self.me, id.slot(), word) {
                Verdict::Dead => return false,
                Verdict::Alive => return true,
                Verdict::Changed => {}
            }
        }
    }
}

fn map(file: &File, path: &Path) -> Result<(FileHeader, Arc<Mapping>)> {
    let header = FileHeader::read(file, NODE_MAGIC, path, boot_id()?)?;
    node::check_geometry(&header, path)?;
    let mapping = Mapping::map_read_only(file, header.file_len, path)?;
    Ok((header, mapping))
}
