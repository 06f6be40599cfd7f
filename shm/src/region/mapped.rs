//! A region as one process has it open: windows onto the shared parts and process-private pools.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64 as PrivateU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::crash;
use crate::error::{Error, Result};
use crate::heap::Log;
use crate::heap::append::Appender;
use crate::journal::Journal;
use crate::layout::region::{Geometry, RegionWords};
use crate::layout::thread::{Attachment, OwnerWord, ThreadDescriptor};
use crate::layout::word::{SegmentState, SegmentWord};
use crate::member::Members;
use crate::os::barrier;
use crate::os::clock::realtime_micros;
use crate::os::fork::Stamp;
use crate::os::mapping::{Mapping, Window};
use crate::reclaim::Protectors;
use crate::reclaim::pin::Pins;
use crate::region::attributes::Attributes;
use crate::region::index::build::Builder;
use crate::sync::{AtomicU64, Relaxed, Release, SeqCst, fence, raise};
use crate::table::tables::Tables;

/// What the header of a region file says.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) geometry: Geometry,
    pub(crate) attributes: Attributes,
    pub(crate) hash_seed: u64,
    /// Random number of this incarnation of the file.
    pub(crate) epoch: u64,
    /// Which types the region holds; `None` if it was made without.
    pub(crate) schema: Option<Box<str>>,
}

/// An open region.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) members: Arc<Members>,
    /// Of the members: every operation looks at it.
    stamp: Stamp,
    /// Id of this member.
    pub(crate) me: u64,
    pub(crate) epoch: u64,
    pub(crate) log: Log,
    pub(crate) threads: Window<ThreadDescriptor>,
    pub(crate) attachments: Window<Attachment>,
    ring: Window<AtomicU64>,
    pub(crate) tables: Tables,
    /// Empty unless entries are evicted.
    pub(crate) ghosts: Window<AtomicU64>,
    pub(crate) hash_seed: u64,
    /// Which types the region holds; `None` if it was made without.
    pub(crate) schema: Option<Box<str>>,
    /// Row of this member.
    attachment: usize,
    /// Tells instances of one process apart in thread-local storage; `CLOSED` once it is closed.
    pub(crate) instance: PrivateU64,
    /// Descriptors that no thread of the process uses at the moment.
    pub(crate) idle_threads: Mutex<Vec<u32>>,
    /// All descriptors claimed through this instance.
    pub(crate) owned_threads: Mutex<Vec<u32>>,
    pub(crate) appender: Appender,
    pub(crate) builder: Builder,
    pub(crate) pins: Pins,
    /// Bit n = cursor word n of the row belongs to a subscription of this process.
    pub(crate) cursors: Mutex<u64>,
    /// Whether puts store a value of local scope that nothing evicts.
    pub(crate) puts_plainly: bool,
    /// Whether other nodes may know what is not here.
    pub(crate) searches: bool,
    /// Whether readers of this process set hazard words by plain stores.
    pub(crate) plain_hazards: bool,
    /// When a sweep for room last found nothing, by the coarse clock.
    pub(crate) swept_in_vain: PrivateU64,
    /// State of affairs in which a writer last waited for room in vain; see `write::way`.
    pub(crate) waited_in_vain: PrivateU64,
    /// Recoveries counted when all sealed segments were last looked at.
    pub(crate) looked_at: PrivateU64,
    /// Whether the last look for dead segments left some to subscriptions; see `region::unread`.
    pub(crate) keeps_unread: AtomicBool,
    /// Recoveries after which the index was looked through for what they left, and how often; see
    /// `region::leftovers`.
    pub(crate) looked_through: PrivateU64,
}

static INSTANCES: PrivateU64 = PrivateU64::new(1);

impl Mapped {
    /// Makes the windows and attaches this member.
    pub(crate) fn attach(
        name: &str,
        path: PathBuf,
        file: File,
        mapping: &Arc<Mapping>,
        facts: Facts,
        members: Arc<Members>,
    ) -> Result<Arc<Self>> {
        let geometry = facts.geometry;
        let damaged = || Geometry::damaged(&path);
        let log =
            Log::new(path.clone(), file, mapping, geometry, facts.attributes.alignment as usize)
                .ok_or_else(damaged)?;
        let max_entries = log.words().max_entries.load(Relaxed);
        let mut region = Self {
            name: name.into(),
            attributes: Attributes { max_entries, ..facts.attributes },
            me: members.id().word(),
            stamp: members.stamp(),
            members,
            epoch: facts.epoch,
            threads: mapping
                .window(geometry.threads_at, geometry.threads as usize)
                .ok_or_else(damaged)?,
            attachments: mapping
                .window(geometry.attachments_at, geometry.members as usize)
                .ok_or_else(damaged)?,
            ring: mapping
                .window(geometry.ring_at, geometry.ring_len as usize)
                .ok_or_else(damaged)?,
            tables: Tables::new(mapping),
            ghosts: mapping
                .window(geometry.ghosts_at, geometry.ghosts as usize)
                .ok_or_else(damaged)?,
            hash_seed: facts.hash_seed,
            schema: facts.schema,
            attachment: usize::MAX,
            instance: PrivateU64::new(INSTANCES.fetch_add(1, Ordering::Relaxed)),
            idle_threads: Mutex::new(Vec::new()),
            owned_threads: Mutex::new(Vec::new()),
            builder: Builder::default(),
            appender: Appender::new(log.segments()),
            pins: Pins::default(),
            cursors: Mutex::new(0),
            puts_plainly: facts.attributes.puts_plainly(),
            searches: facts.attributes.searches(),
            plain_hazards: false,
            swept_in_vain: PrivateU64::new(0),
            waited_in_vain: PrivateU64::new(u64::MAX),
            looked_at: PrivateU64::new(u64::MAX),
            keeps_unread: AtomicBool::new(false),
            looked_through: PrivateU64::new(0),
            log,
        };
        // Who attaches repairs what dead members left, before it adds to it.
        // What cannot be repaired does not keep it out; `recover` and the audit tell about it.
        region.members.check_process()?;
        region.check_table()?;
        let _ = crate::recover::recover_region(&region);
        region.attachment = region.claim_attachment()?;
        region.announce_plain_hazards();
        Ok(Arc::new(region))
    }

    fn claim_attachment(&self) -> Result<usize> {
        for (index, row) in self.attachments.iter().enumerate() {
            if row.owner.load(Relaxed) != 0 {
                continue;
            }
            raise(&self.log.words().members_used, index as u64 + 1);
            let mine = OwnerWord::live(self.me).0;
            if row.owner.compare_exchange(0, mine, SeqCst, Relaxed).is_ok() {
                crash::point("attach.claimed");
                row.begin(realtime_micros());
                crash::point("attach.begun");
                return Ok(index);
            }
        }
        Err(Error::TooManyMembers { path: self.log.path().into(), max: self.attachments.len() })
    }

    /// Readers of this process may spare their barrier if reclaimers can make it for them; the row
    /// tells reclaimers before the first hazard word is set.
    fn announce_plain_hazards(&mut self) {
        self.plain_hazards = barrier::register();
        self.row().plain_hazards.store(u64::from(self.plain_hazards), SeqCst);
        crash::point("attach.announced");
        fence(SeqCst);
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> &RegionWords {
        self.log.words()
    }

    /// Whether this process is a forked child of the one that opened the region. One relaxed load.
    #[inline(always)]
    pub(crate) fn is_forked_child(&self) -> bool {
        self.stamp.is_stale()
    }

    pub(crate) fn path(&self) -> &Path {
        self.log.path()
    }

    pub(crate) fn row(&self) -> &Attachment {
        &self.attachments[self.attachment]
    }

    pub(crate) fn journal(&self) -> Journal<'_> {
        Journal::new(&self.ring, &self.words().ring_tail)
    }

    pub(crate) fn protectors(&self) -> Protectors<'_> {
        let barrier = barrier::everywhere;
        Protectors { threads: &self.threads, members: &self.attachments, barrier }
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        crate::table::hash_key(key, self.hash_seed)
    }

    /// The chain of a bucket is broken: the file was damaged while it was in use.
    #[cold]
    pub(crate) fn damaged_bucket(&self, bucket: u32) -> Error {
        Error::Damaged { path: self.path().into(), place: format!("index bucket {bucket}") }
    }

    #[cold]
    pub(crate) fn out_of_space(&self, what: &'static str) -> Error {
        Error::OutOfSpace { region: self.name.clone(), what, max_bytes: self.attributes.max_bytes }
    }

    pub(crate) fn is_distributed(&self) -> bool {
        self.attributes.scope.is_distributed()
    }
}

/// Fills a new region file that nobody else sees yet: all memory is zero.
pub(crate) fn initialise(
    mapping: &Arc<Mapping>,
    geometry: &Geometry,
    attributes: &Attributes,
) -> Option<()> {
    let words: Window<RegionWords> = mapping.window(geometry.words_at, 1)?;
    let states: Window<AtomicU64> =
        mapping.window(geometry.states_at, usize::try_from(geometry.segments).ok()?)?;
    let log2 = geometry.first_table();
    let words = &words[0];
    words.table.store(u64::from(log2), Relaxed);
    words.tables.get(log2 as usize)?.store(1, Relaxed);
    words.migrated.store(1 << log2, Relaxed);
    words.max_entries.store(attributes.max_entries, Relaxed);
    words.segment_hint.store(geometry.segments, Relaxed);
    words.unbacked_hint.store(1, Relaxed);
    if attributes.entry_ttl.is_some() {
        crate::region::expiry::set_ttl(words, attributes.entry_ttl);
    }
    if attributes.entry_idle.is_some() {
        crate::region::expiry::set_idle(words, attributes.entry_idle);
    }
    let index = SegmentWord::new(SegmentState::Index, log2, 0);
    states.first()?.store(index.0, Relaxed);
    Some(())
}

impl Drop for Mapped {
    /// Detaches: segments become adoptable, descriptors and the pin row free. No operation and no
    /// guard can be running, they borrow the region.
    fn drop(&mut self) {
        if self.attachment == usize::MAX || self.members.is_forked_child() {
            return;
        }
        self.builder.give_up(&self.log);
        self.appender.release(&self.log);
        // Threads that still run keep a context for this instance; they will never use it again.
        let owned = self.owned_threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        for index in owned.drain(..) {
            let thread = &self.threads[index as usize];
            for hazard in &thread.hazards {
                hazard.store(0, Release);
            }
            thread.table_pin.store(0, Release);
            thread.owner.store(0, Release);
            crash::point("detach.thread");
        }
        let row = self.row();
        for pin in &row.pins {
            pin.store(0, Release);
        }
        row.plain_hazards.store(0, Release);
        for cursor in &row.cursors {
            cursor.store(0, Release);
        }
        row.owner.store(0, Release);
        crash::point("detach.done");
    }
}
