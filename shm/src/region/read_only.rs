//! A region as a process sees it that may only read the file.
//!
//! It is no member: it has no slot, no descriptor, no hazard, and writes nothing anywhere. Entries
//! are copied first and judged afterwards (`heap::record::copied` says why that is sound). The same
//! holds for the index: a table is read while `table` names it or an earlier one, because only
//! then its memory is certainly not used for something else; whoever finds another number at the
//! end begins anew. Each repetition means that somebody else made progress: lock-free.
//!
//! While it is open it shares a lock on byte [`READERS_LOCK`] of the file, so that nobody gives
//! memory of segments back to the system: touching it could then need memory that is not there.

mod search;
mod walk;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::heap::Log;
use crate::layout::region::{Geometry, READERS_LOCK, RegionWords};
use crate::layout::thread::{Attachment, ThreadDescriptor};
use crate::member::Watch;
use crate::os::mapping::{Mapping, Window};
use crate::os::ofd_lock;
use crate::region::attributes::Attributes;
use crate::region::entry::EntryInfo;
use crate::region::iter::Entry;
use crate::region::mapped::{Facts, Mapped};
use crate::region::pins::{Pin, pin_words};
use crate::region::statistics::{MemberStatistics, Statistics, Users};
use crate::region::{Kind, Token};
use crate::sync::Relaxed;
use crate::table::tables::Tables;

pub use walk::ReadOnlyIter;

/// How long to wait for somebody who gives memory back at this moment: a matter of milliseconds,
/// unless he is stopped.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Observed {
    name: String,
    pub(crate) attributes: Attributes,
    hash_seed: u64,
    schema: Option<Box<str>>,
    pub(crate) log: Log,
    pub(crate) tables: Tables,
    threads: Window<ThreadDescriptor>,
    attachments: Window<Attachment>,
    /// The node file, if it can be read.
    node: Option<Arc<Watch>>,
    /// Holds the lock; never mapped, so that it ends with the last copy of this descriptor.
    _lock: File,
}

impl Observed {
    pub(crate) fn attach(
        name: &str,
        path: &Path,
        file: File,
        lock: File,
        mapping: &Arc<Mapping>,
        facts: Facts,
        node: Option<Arc<Watch>>,
    ) -> Result<Self> {
        share(&lock, path)?;
        let (geometry, alignment) = (facts.geometry, facts.attributes.alignment as usize);
        let damaged = || Geometry::damaged(path);
        let threads = mapping.window(geometry.threads_at, geometry.threads as usize);
        let attachments = mapping.window(geometry.attachments_at, geometry.members as usize);
        Ok(Self {
            name: name.into(),
            attributes: facts.attributes,
            hash_seed: facts.hash_seed,
            schema: facts.schema,
            log: Log::new(path.into(), file, mapping, geometry, alignment).ok_or_else(damaged)?,
            tables: Tables::new(mapping),
            threads: threads.ok_or_else(damaged)?,
            attachments: attachments.ok_or_else(damaged)?,
            node,
            _lock: lock,
        })
    }

    pub(crate) fn words(&self) -> &RegionWords {
        self.log.words()
    }

    /// Versions are hybrid time.
    fn is_timed(&self) -> bool {
        self.attributes.scope.is_distributed() || self.words().timed_since.load(Relaxed) != 0
    }

    fn users(&self) -> Users<'_> {
        Users::of(self.words(), &self.threads, &self.attachments)
    }
}

fn share(lock: &File, path: &Path) -> Result<()> {
    let io = |source| Error::Io { op: "lock", path: path.into(), source };
    let deadline = Instant::now() + PATIENCE;
    while !ofd_lock::try_share(lock, READERS_LOCK).map_err(io)? {
        if Instant::now() > deadline {
            return Err(io(std::io::ErrorKind::WouldBlock.into()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// A region opened for reading only: [`ReadOnlyNode::region`](crate::ReadOnlyNode::region). Cheap
/// to clone.
///
/// For programs that may read the file and not write it, and for those that should not: the mapping
/// is `PROT_READ`, so nothing they do can harm the region. Values are copied, several times slower
/// than a [`Guard`](crate::Guard); each copy is of one instant, never torn. Reads do not count as
/// accesses (idle time, eviction) and not in the statistics.
///
/// All operations are lock-free and make no system call. While it is open no memory of the region
/// goes back to the system.
#[derive(Debug, Clone)]
pub struct ReadOnlyRegion {
    observed: Arc<Observed>,
}

impl ReadOnlyRegion {
    pub(crate) fn new(observed: Observed) -> Self {
        Self { observed: Arc::new(observed) }
    }

    /// Name of the region.
    pub fn name(&self) -> &str {
        &self.observed.name
    }

    /// Its file.
    pub fn path(&self) -> PathBuf {
        self.observed.log.path().into()
    }

    /// Its attributes as they are now.
    pub fn attributes(&self) -> Attributes {
        self.observed.attributes.as_of(self.observed.words())
    }

    /// Which types the region holds, as [`Region::schema`](crate::Region::schema).
    pub fn schema(&self) -> Option<&str> {
        self.observed.schema.as_deref()
    }

    /// A copy of an entry that has a value.
    ///
    /// # Errors
    /// `InvalidKey`, `Damaged`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>> {
        self.read(key, |entry, token| {
            let (key, value) = (entry.key().to_vec(), entry.value().to_vec());
            (token.kind == Kind::Value).then_some(Entry { key, value, token })
        })
    }

    /// Replaces the content of `value` by a copy of the entry's value; `None` leaves it alone.
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::get`].
    pub fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<Option<Token>> {
        self.read(key, |entry, token| {
            (token.kind == Kind::Value).then(|| {
                value.clear();
                value.extend_from_slice(entry.value());
                token
            })
        })
    }

    /// State of an entry, valid or not. `None` if the key is absent.
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::get`].
    pub fn token(&self, key: &[u8]) -> Result<Option<Token>> {
        self.read(key, |_, token| Some(token))
    }

    /// Whether the key is present, with a value or without.
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::get`].
    pub fn contains_key(&self, key: &[u8]) -> Result<bool> {
        Ok(self.token(key)?.is_some())
    }

    /// Whether the key is present and has a value.
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::get`].
    pub fn contains_value_for_key(&self, key: &[u8]) -> Result<bool> {
        Ok(self.token(key)?.is_some_and(|token| token.kind == Kind::Value))
    }

    /// A copy of an entry with all that is known of it, valid or not. `None` if the key is absent.
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::get`].
    pub fn entry(&self, key: &[u8]) -> Result<Option<EntryInfo>> {
        let timed = self.observed.is_timed();
        let words = self.words();
        self.read(key, |record, token| Some(EntryInfo::of(words, timed, record, token)))
    }

    /// Copies of all entries that have a value, in no order; an entry present all the time is seen
    /// at least once, one that changes meanwhile in some state.
    pub fn iter(&self) -> ReadOnlyIter<'_> {
        ReadOnlyIter::new(&self.observed)
    }

    /// Number of entries, with a value or invalid, counted by a pass over the index.
    ///
    /// # Errors
    /// `Damaged`.
    pub fn len(&self) -> Result<u64> {
        Ok(self.observed.count_slots()?.visible)
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Counters and sizes as they are now, as [`Region::statistics`](crate::Region::statistics).
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::len`].
    pub fn statistics(&self) -> Result<Statistics> {
        let slots = self.observed.count_slots()?;
        Ok(Statistics::of(&self.observed.log, self.observed.users(), slots))
    }

    /// The same in bounded time however many entries there are, for whoever looks again and again:
    /// where the index has more than 65,536 buckets, the entries are those of so many of them,
    /// multiplied. Off by about half a percent then.
    ///
    /// # Errors
    /// As [`ReadOnlyRegion::len`].
    pub fn statistics_at_a_glance(&self) -> Result<Statistics> {
        let slots = self.observed.estimate_slots()?;
        Ok(Statistics::of(&self.observed.log, self.observed.users(), slots))
    }

    /// The members that have the region open, as
    /// [`Region::member_statistics`](crate::Region::member_statistics).
    pub fn member_statistics(&self) -> Vec<MemberStatistics> {
        let known = self.observed.node.as_ref().map(|node| node.list());
        self.observed.users().members(known.as_deref(), &self.pins())
    }

    /// Bytes of the region that this process reaches through huge pages, as
    /// [`Region::huge_page_bytes`](crate::Region::huge_page_bytes).
    pub fn huge_page_bytes(&self) -> Option<u64> {
        self.observed.log.huge_bytes()
    }

    /// What pins segments of the region, as [`Region::pins`](crate::Region::pins), without guards.
    pub fn pins(&self) -> Vec<Pin> {
        pin_words(&self.observed.attachments)
    }

    pub(crate) fn words(&self) -> &RegionWords {
        self.observed.words()
    }

    fn read<T>(
        &self,
        key: &[u8],
        f: impl FnOnce(&crate::heap::record::Record<'_>, Token) -> Option<T>,
    ) -> Result<Option<T>> {
        Mapped::check_key(key)?;
        self.observed.read(key, f)
    }
}
