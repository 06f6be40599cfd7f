//! Who uses a region and its node, read from the files without joining: for the doctor.

use core::mem::offset_of;
use std::path::Path;

use crate::check::findings::Findings;
use crate::check::judge::NodeFile;
use crate::check::owners::Life;
use crate::check::source::Source;
use crate::check::words::{self, field};
use crate::error::Result;
use crate::layout::counters::COUNTERS;
use crate::layout::node::MEMBER_SLOTS;
use crate::layout::region::RegionWords;
use crate::layout::thread::{Attachment, HAZARDS, OwnerWord, PINS, ThreadDescriptor};
use crate::os::process::Identity;

/// A word that keeps a segment from being reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) member: u64,
    pub(crate) segment: u64,
    /// Number of the thread descriptor, or of the attachment if it is a pin.
    pub(crate) place: u64,
    pub(crate) is_pin: bool,
    /// Operations of the thread so far; when the pin was set.
    pub(crate) activity: u64,
}

/// A region in use.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) threads: u64,
    pub(crate) threads_max: u64,
    pub(crate) members: u64,
    pub(crate) members_max: u64,
    pub(crate) max_bytes: u64,
    pub(crate) segment_bytes: u64,
    /// Index tables that were replaced and still have their memory.
    pub(crate) retired_tables: u64,
    pub(crate) holds: Vec<Hold>,
}

/// Reads it from a region file.
pub(crate) fn usage(path: &Path) -> Result<Usage> {
    let source = Source::open(path)?;
    let plan = words::header(&source, &mut Findings::default())?;
    let map = &plan.geometry;
    let page = source.words(map.words_at, size_of::<RegionWords>() / 8)?;
    let current = field!(page, RegionWords, table);
    let first = offset_of!(RegionWords, tables) / 8;
    let older = page[first..].iter().take(current.min(40) as usize);
    let mut usage = Usage {
        threads: 0,
        threads_max: map.threads - 1,
        members: 0,
        members_max: map.members,
        max_bytes: map.max_bytes,
        segment_bytes: map.segment_bytes,
        retired_tables: older.filter(|&&word| word != 0).count() as u64,
        holds: Vec::new(),
    };
    let row_words = size_of::<Attachment>() / 8;
    let rows = source.words(map.attachments_at, map.members as usize * row_words)?;
    for (place, row) in rows.chunks_exact(row_words).enumerate() {
        let member = OwnerWord(field!(row, Attachment, owner)).member();
        usage.members += u64::from(member != 0);
        let first = offset_of!(Attachment, pins) / 8;
        let since = offset_of!(Attachment, pinned_at) / 8;
        for number in (0..PINS).filter(|number| member != 0 && row[first + number] != 0) {
            usage.holds.push(Hold {
                member,
                segment: row[first + number] - 1,
                place: place as u64,
                is_pin: true,
                activity: row[since + number],
            });
        }
    }
    let thread_words = size_of::<ThreadDescriptor>() / 8;
    let threads = source.words(map.threads_at, map.threads as usize * thread_words)?;
    for (place, thread) in threads.chunks_exact(thread_words).enumerate() {
        let member = OwnerWord(field!(thread, ThreadDescriptor, owner)).member();
        usage.threads += u64::from(member != 0);
        let counters = offset_of!(ThreadDescriptor, counters) / 8;
        let counted = &thread[counters..counters + COUNTERS];
        let activity = counted.iter().copied().fold(0, u64::wrapping_add);
        let hazards = thread[..HAZARDS].iter().filter(|&&word| member != 0 && word != 0);
        usage.holds.extend(hazards.map(|word| Hold {
            member,
            segment: word - 1,
            place: place as u64,
            is_pin: false,
            activity,
        }));
    }
    Ok(usage)
}

/// A member as its slot in the node file says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resident {
    pub(crate) id: u64,
    pub(crate) pid: u32,
    pub(crate) is_dead: bool,
    /// Its pid means the same process to the caller.
    pub(crate) is_visible: bool,
}

/// Members of the node whose file is `path`, dead ones too; and how many there can be.
pub(crate) fn residents(path: &Path) -> Result<(Vec<Resident>, usize)> {
    let node = NodeFile::read(path, crate::os::file::boot_id()?, None)?;
    let me = Identity::current();
    let members = node.members().into_iter().map(|(id, identity)| Resident {
        id,
        pid: identity.pid,
        is_dead: node.life_of(id, &me) == Life::Dead,
        is_visible: me.pidns_inode == identity.pidns_inode,
    });
    Ok((members.collect(), MEMBER_SLOTS))
}
