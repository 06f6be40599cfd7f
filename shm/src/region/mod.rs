//! Layer 4: regions, as applications see them.

pub(crate) mod ack;
pub(crate) mod alter;
pub(crate) mod announce;
pub(crate) mod ask;
pub(crate) mod atomic;
pub(crate) mod attributes;
pub(crate) mod bulk;
pub(crate) mod clean;
pub(crate) mod clear;
pub(crate) mod cursor;
pub(crate) mod entry;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod evict;
pub(crate) mod expiry;
pub(crate) mod file;
pub(crate) mod find;
pub(crate) mod guard;
pub(crate) mod handle;
pub(crate) mod index;
pub(crate) mod iter;
pub(crate) mod leave;
pub(crate) mod leftovers;
pub(crate) mod life;
pub(crate) mod lifetime;
pub(crate) mod listen;
pub(crate) mod maintain;
pub(crate) mod many;
pub(crate) mod mapped;
pub(crate) mod parker;
pub(crate) mod pins;
pub(crate) mod read;
pub(crate) mod read_only;
pub(crate) mod statistics;
pub(crate) mod sweep;
pub(crate) mod thread;
pub(crate) mod unread;
pub(crate) mod wait;
pub(crate) mod write;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::layout::counters::Counter;
use crate::recover::Recovery;
use crate::region::ack::Departed;
use crate::region::attributes::{Attributes, Scope};
use crate::region::guard::{Guard, OwnedGuard};
use crate::region::handle::Handle;
use crate::region::iter::{EntryView, Iter, Keys};
use crate::region::many::Values;
use crate::region::mapped::Mapped;
use crate::region::pins::Pin;
use crate::region::write::{Change, Condition, Written};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Has a value.
    Value = 1,
    /// The key is known, its value is not (distributed invalidation).
    Invalid = 2,
    /// The same, only on this node.
    LocalInvalid = 3,
    /// Destroyed; kept so that older changes of other nodes do not bring it back.
    Tombstone = 4,
    /// On its way through a region that stores nothing (reserved).
    Transit = 5,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Value,
            2 => Self::Invalid,
            3 => Self::LocalInvalid,
            4 => Self::Tombstone,
            5 => Self::Transit,
            _ => return None,
        })
    }

    /// Whether the key counts as present.
    pub fn is_visible(self) -> bool {
        matches!(self, Self::Value | Self::Invalid | Self::LocalInvalid)
    }
}

/// Names one state of an entry, for compare-and-swap and for comparing nodes.
///
/// Versions grow with every change of a key. Equal tokens of one key are the same change, on
/// every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Grows with every change of the key.
    pub version: u64,
    /// Node that made the change.
    pub origin: u16,
    /// What the entry is.
    pub kind: Kind,
}

/// Result of a write that took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The new state of the entry.
    pub token: Token,
    /// Whether the key was absent before.
    pub created: bool,
    /// Position in the event ring after which the change is announced; 0 if nobody listens.
    pub position: u64,
    /// Nodes that left the cluster before they acknowledged this write: nobody waits for them any
    /// more, and whether they have it is unknown. Empty where nothing is waited for.
    pub departed: Departed,
}

/// Result of [`Region::compare_and_swap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// The entry had the expected token and was replaced.
    Swapped(Outcome),
    /// It had another one, or was absent; nothing was changed.
    Changed(Option<Token>),
}

/// Options of one write.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct WriteOptions {
    /// How long a write to a distributed-ack region waits for the other nodes. The write itself
    /// has taken place on this node when the wait ends with `AckTimeout`. None: for ever.
    pub ack_within: Option<Duration>,
    /// The entry expires that long after this write, whatever time to live the region has; the
    /// action is that of the region, or to destroy it. None: the region decides.
    pub ttl: Option<Duration>,
}

impl WriteOptions {
    /// Waits at most `limit` for acknowledgements.
    pub fn ack_within(limit: Duration) -> Self {
        Self { ack_within: Some(limit), ..Self::default() }
    }

    /// The entry expires after `ttl`.
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..Self::default() }
    }

    /// When a wait ends that begins now; a time that no clock reaches is for ever.
    fn until(&self) -> Option<Instant> {
        self.ack_within.and_then(|limit| Instant::now().checked_add(limit))
    }
}

/// A map of byte keys to byte values, shared by the processes of a node. Cheap to clone.
///
/// # Guarantees
///
/// | operation | progress | consistency on one node |
/// |---|---|---|
/// | `get`, `get_into`, `token`, `contains_key` | lock-free, no system call | linearizable |
/// | a `get` that finds nothing, in a distributed region that is no replicate | asks other nodes, up to the [search timeout](Self::set_search_timeout); `get_local` does not | what one of them had meanwhile |
/// | `put`, `create`, `replace`, `destroy`, `remove` | lock-free among processes; threads of one process may wait for each other while memory for records is reserved | linearizable |
/// | `compare_and_swap`, `remove_if`, `put_if_absent`, `replace_if`, `remove_if_value`, `increment`, `update` | as `put`; those that compute begin again when another write came in between | linearizable: one compare-and-swap, under the condition that nothing happened to the entry since it was looked at |
/// | the same in a distributed-ack region | then waits for the other nodes | linearizable here; on other nodes by version |
/// | `wait_for_change`, `wait_for_region_change`, `Subscription::wait` | blocks up to the deadline | sees every change made before it looks; never sleeps through one, up to half a second late if the writer was killed or stopped before it woke anybody |
/// | `changed_async`, `region_changed_async`, `Subscription::next_async` | does not block the task; one thread of the process sleeps for all tasks | the same |
/// | `put_all`, `remove_all`, `get_all`, `get_many` | as the single operation | each key at an instant of its own |
/// | `clear`, `invalidate_region` | lock-free; `clear` then sweeps all entries out | one instant for all keys |
/// | `iter`, `keys`, `scan` | lock-free | a key present all the time is seen at least once |
/// | `len` | wait-free, but for what a killed `clear` left | exact when nobody writes |
///
/// A process may be killed at any instruction: others go on at once, and nothing is lost but its
/// unfinished operation.
///
/// # What becomes of the region
///
/// | operation | this process | other processes of the node | the file | who opens the name later |
/// |---|---|---|---|---|
/// | [`close`](Self::close) | `RegionClosed` | go on | stays | finds the region |
/// | dropping the last handle | nothing is left to use | go on | stays | finds the region |
/// | [`destroy_region`](Self::destroy_region) | `RegionDestroyed` | the same, from their next operation on | its name goes at once, its memory with the last process that has it open | finds nothing, and may create it anew |
/// | [`local_destroy_region`](Self::local_destroy_region) | the same | the same; other nodes keep theirs | the same | the same |
/// | [`invalidate_region`](Self::invalidate_region), [`local_invalidate_region`](Self::local_invalidate_region) | keys stay, values are gone | the same | stays | finds the keys |
/// | [`clear`](Self::clear), [`local_clear`](Self::local_clear) | no entry is left | the same | stays | finds it empty |
/// | [`Node::remove_region`](crate::Node::remove_region) | uses its copy on | the same | as destroyed | as destroyed |
///
/// Who waits or listens hears of a destroy or close by the same error, after what happened before.
/// Guards stay valid in any case. In a distributed region the forms without `local_` hold for all
/// nodes and return when those that can be reached have done it, whatever the scope; the local
/// ones, but for `local_destroy_region`, are refused in a replicate, and take entry by entry
/// elsewhere.
#[derive(Debug, Clone)]
pub struct Region {
    pub(crate) mapped: Arc<Mapped>,
}

impl Region {
    /// Name of the region.
    pub fn name(&self) -> &str {
        &self.mapped.name
    }

    /// A random number of this incarnation of the region: one that is removed and made anew has
    /// another, whatever its name is.
    pub fn incarnation(&self) -> u64 {
        self.mapped.epoch
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        self.mapped.path()
    }

    /// Its attributes as they are now; `segment_bytes` is what was chosen.
    pub fn attributes(&self) -> Attributes {
        self.mapped.attributes.as_of(self.mapped.words())
    }

    /// Which types the region holds, as the [typed region](crate::typed) that made it described
    /// them: key and value, `u64 -> Quote { bid: f64 at 0, ask: f64 at 8 } (16 bytes)`. `None` if
    /// it was made without types.
    pub fn schema(&self) -> Option<&str> {
        self.mapped.schema.as_deref()
    }

    /// Largest value in bytes that the region can hold beside a key of `key_len` bytes: at most
    /// 1 GiB. A value that needs more than one segment needs them side by side, so it may find no
    /// room before the region is full.
    pub fn max_value_len(&self, key_len: usize) -> usize {
        self.mapped.max_value_len(key_len)
    }

    /// Reads a value in place. `None` if the key is absent or its value is invalid.
    ///
    /// # Errors
    /// `InvalidKey`, `TooManyThreads`, `ForkedChild`, `Damaged`; `TooManyPins` if the thread holds
    /// five guards already and the process has no pin left. Of a read that asks other nodes:
    /// `SearchTimeout`, `NoBridge`, `OutOfSpace`.
    ///
    /// In a distributed region with data policy `empty`, `normal` or `preloaded` a read that finds
    /// nothing here asks other nodes, and blocks meanwhile; what they have is stored here, but in
    /// an
    /// `empty` region. [`Region::get_local`] does not.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<Guard<'_>>> {
        match self.mapped.get(key)? {
            None if self.mapped.searches => self.get_elsewhere(key, None),
            found => Ok(found),
        }
    }

    /// Reads a value in place through a guard that may move to another thread.
    ///
    /// # Errors
    /// As [`Region::get`]; `TooManyPins` when the process pins 254 segments.
    pub fn get_owned(&self, key: &[u8]) -> Result<Option<OwnedGuard>> {
        match self.mapped.get_owned(key)? {
            None if self.mapped.searches => self.get_owned_elsewhere(key),
            found => Ok(found),
        }
    }

    /// A handle for a key that is read often; the key need not be present.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn handle(&self, key: &[u8]) -> Result<Handle> {
        Handle::new(&self.mapped, key)
    }

    /// Replaces the content of `value` by a copy of the entry's value; `None` leaves it alone.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<Option<Token>> {
        let found = self.mapped.inspect(key, true, |record, token| {
            (token.kind == Kind::Value).then(|| {
                value.clear();
                value.extend_from_slice(record.value());
                token
            })
        })?;
        match found.flatten() {
            None if self.mapped.searches => self.read_elsewhere(key, |found| {
                value.clear();
                value.extend_from_slice(found);
                found.token()
            }),
            found => Ok(found),
        }
    }

    /// Reads many keys, several times as fast as one after the other when they are not in the
    /// processor's cache. `f` gets the number of each key, in order, and its entry if it has a
    /// value, in place; it may use the region.
    ///
    /// Each key is read at an instant of its own, on this node only.
    ///
    /// # Errors
    /// As [`Region::get`]. `InvalidKey` before anything is read; `TooManyPins` if the thread holds
    /// so many guards or visits that it has no hazard word left.
    pub fn get_many<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        f: impl FnMut(usize, Option<EntryView<'_>>),
    ) -> Result<()> {
        self.mapped.get_many(keys, f)
    }

    /// [`Region::get_many`] that replaces the content of `values` by copies.
    ///
    /// # Errors
    /// As [`Region::get_many`].
    pub fn get_many_into<K: AsRef<[u8]>>(&self, keys: &[K], values: &mut Values) -> Result<()> {
        values.clear();
        self.get_many(keys, |_, entry| values.push(entry.map(|entry| entry.value)))
    }

    /// [`Region::get_many`] that returns copies, and asks other nodes for what is not here as
    /// [`Region::get`] does, for all keys at once.
    ///
    /// # Errors
    /// As [`Region::get_many`] and [`Region::get`].
    pub fn get_all<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Vec<u8>>>> {
        self.mapped.count(Counter::GetAlls, 1)?;
        let mut values = Vec::with_capacity(keys.len());
        self.get_many(keys, |_, entry| values.push(entry.map(|entry| entry.value.to_vec())))?;
        if self.mapped.searches && values.contains(&None) {
            self.get_all_elsewhere(keys, &mut values)?;
        }
        Ok(values)
    }

    /// State of an entry, valid or not. `None` if the key is absent. Neither a read in the
    /// statistics nor an access: only [`Region::get`] and its kin are.
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn token(&self, key: &[u8]) -> Result<Option<Token>> {
        self.mapped.inspect(key, false, |_, token| token)
    }

    /// Whether the key is present, with a value or without. Counts as [`Region::token`].
    ///
    /// # Errors
    /// As [`Region::get`], without pins.
    pub fn contains_key(&self, key: &[u8]) -> Result<bool> {
        Ok(self.token(key)?.is_some())
    }

    /// Creates or replaces an entry.
    ///
    /// # Errors
    /// `InvalidKey`, `ValueTooLarge`, `OutOfSpace`, `FileSystemFull`, `TooManyThreads`,
    /// `ForkedChild`, `Damaged`.
    #[inline]
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<Outcome> {
        match self.mapped.put(key, value)? {
            Written::Done { token, created, position }
                if self.mapped.attributes.scope != Scope::DistributedAck =>
            {
                Ok(Outcome { token, created, position, departed: Departed::default() })
            }
            written => self
                .wait_for(written, &WriteOptions::default())?
                .map_err(|_| self.refused_unconditionally()),
        }
    }

    /// [`Region::put`] with options.
    ///
    /// # Errors
    /// As [`Region::put`]; `AckTimeout`, then the write has taken place on this node.
    #[inline]
    pub fn put_with(&self, key: &[u8], value: &[u8], options: &WriteOptions) -> Result<Outcome> {
        match self.write(key, value, Kind::Value, Condition::Always, options)? {
            Ok(outcome) => Ok(outcome),
            Err(_) => Err(self.refused_unconditionally()),
        }
    }

    /// Creates an entry.
    ///
    /// # Errors
    /// `EntryExists` if the key is present, else as [`Region::put`].
    pub fn create(&self, key: &[u8], value: &[u8]) -> Result<Outcome> {
        self.create_with(key, value, &WriteOptions::default())
    }

    /// [`Region::create`] with options.
    ///
    /// # Errors
    /// As [`Region::create`] and [`Region::put_with`].
    pub fn create_with(&self, key: &[u8], value: &[u8], options: &WriteOptions) -> Result<Outcome> {
        self.create_as(key, value, Kind::Value, options)
    }

    /// Replaces the value of an entry that is present; `None` if it is not.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn replace(&self, key: &[u8], value: &[u8]) -> Result<Option<Outcome>> {
        self.replace_with(key, value, &WriteOptions::default())
    }

    /// [`Region::replace`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn replace_with(
        &self,
        key: &[u8],
        value: &[u8],
        options: &WriteOptions,
    ) -> Result<Option<Outcome>> {
        self.allow_atomic("replace")?;
        Ok(self.write(key, value, Kind::Value, Condition::Present, options)?.ok())
    }

    /// Replaces the value of an entry that still has the token `expected`.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn compare_and_swap(&self, key: &[u8], expected: Token, value: &[u8]) -> Result<Swap> {
        self.compare_and_swap_with(key, expected, value, &WriteOptions::default())
    }

    /// [`Region::compare_and_swap`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn compare_and_swap_with(
        &self,
        key: &[u8],
        expected: Token,
        value: &[u8],
        options: &WriteOptions,
    ) -> Result<Swap> {
        self.allow_atomic("compare_and_swap")?;
        let condition = Condition::Equals(expected);
        Ok(match self.write(key, value, Kind::Value, condition, options)? {
            Ok(outcome) => Swap::Swapped(outcome),
            Err(found) => Swap::Changed(found),
        })
    }

    /// Destroys an entry. A distributed region keeps a tombstone.
    ///
    /// # Errors
    /// `EntryNotFound` if the key is absent, else as [`Region::put`].
    pub fn destroy(&self, key: &[u8]) -> Result<Outcome> {
        self.remove(key)?.ok_or_else(|| Error::EntryNotFound { region: self.name().into() })
    }

    /// Destroys an entry if it is present. In a distributed `normal` or `preloaded` region a
    /// replicate is asked about a key that is not here.
    ///
    /// # Errors
    /// As [`Region::put`].
    pub fn remove(&self, key: &[u8]) -> Result<Option<Outcome>> {
        self.remove_with(key, &WriteOptions::default())
    }

    /// [`Region::remove`] with options.
    ///
    /// # Errors
    /// As [`Region::put_with`].
    pub fn remove_with(&self, key: &[u8], options: &WriteOptions) -> Result<Option<Outcome>> {
        match self.write(key, &[], Kind::Tombstone, Condition::Present, options)? {
            Err(_) if self.asks_for_presence(key)? => {
                Ok(self.write(key, &[], Kind::Tombstone, Condition::Always, options)?.ok())
            }
            done => Ok(done.ok()),
        }
    }

    /// Whether a key that is not here is elsewhere: where not every node has every entry, a
    /// replicate decides.
    pub(crate) fn asks_for_presence(&self, key: &[u8]) -> Result<bool> {
        Ok(self.mapped.searches && self.mapped.is_elsewhere(key)?)
    }

    /// Number of entries, with a value or invalid, counted by a pass over the index (64 bytes per
    /// bucket, about a millisecond per million entries). Expired entries count until they are
    /// swept ([`Region::sweep`]); what was cleared does not.
    ///
    /// # Errors
    /// `TooManyThreads`, `ForkedChild`, `Damaged`.
    pub fn len(&self) -> Result<u64> {
        self.mapped.finish_clear()?;
        self.mapped.count_entries()
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// As [`Region::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Copies of all entries that have a value, in no order. Writers are never blocked; an entry
    /// present all the time is seen at least once, one that changes meanwhile in some state.
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(&self.mapped)
    }

    /// Copies of all keys that are present, with a value or without, in no order; as consistent as
    /// [`Region::iter`].
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(&self.mapped)
    }

    /// Visits all entries that have a value without copying. `f` may use the region.
    ///
    /// # Errors
    /// `TooManyPins` if the thread holds so many guards or visits that it has no hazard word left,
    /// else as [`Region::get`].
    pub fn scan(&self, mut f: impl FnMut(EntryView<'_>) -> ControlFlow<()>) -> Result<()> {
        let mapped = &self.mapped;
        let visit = |view: EntryView<'_>| match mapped.seen(&view.record, view.token) {
            Some(Token { kind: Kind::Value, .. }) => f(view),
            _ => ControlFlow::Continue(()),
        };
        mapped.scan(0, visit).map(|_| ())
    }

    /// Waits until everything below a ring position is applied by the nodes that must; with early
    /// acknowledgement, until it has arrived there.
    ///
    /// # Errors
    /// `AckTimeout` at the deadline.
    pub fn wait_applied(&self, position: u64, deadline: Option<Instant>) -> Result<()> {
        self.mapped.wait_released(position, deadline)
    }

    /// Bytes of the region that this process reaches through huge pages at the moment, which spares
    /// it address translations: `docs/read-path.md` says how to get them. `None` if the kernel
    /// does not tell. Reads `/proc/self/smaps`: not for every second.
    pub fn huge_page_bytes(&self) -> Option<u64> {
        self.mapped.log.huge_bytes()
    }

    /// What keeps segments of the region from being reused at the moment: pins of owned guards, and
    /// guards. A stopped process, or one that forgets a guard, shows up here.
    pub fn pins(&self) -> Vec<Pin> {
        self.mapped.pins_and_guards()
    }

    /// Recovers what dead members left in this region.
    ///
    /// # Errors
    /// `Damaged`.
    pub fn recover(&self) -> Result<Recovery> {
        crate::recover::recover_all(&self.mapped)
    }

    /// One write and the wait that its region asks for. The inner `Err` is a refused condition.
    #[inline]
    fn write(
        &self,
        key: &[u8],
        value: &[u8],
        kind: Kind,
        condition: Condition,
        options: &WriteOptions,
    ) -> Result<Result<Outcome, Option<Token>>> {
        let deadline = self.deadline_of(options)?.filter(|_| kind == Kind::Value);
        let change = Change { deadline, ..Change::new(key, value, kind, condition) };
        let written = self.mapped.write(change)?;
        self.wait_for(written, options)
    }

    /// The wait that the region of a write asks for.
    fn wait_for(
        &self,
        written: Written,
        options: &WriteOptions,
    ) -> Result<Result<Outcome, Option<Token>>> {
        match written {
            Written::Refused(token) => Ok(Err(token)),
            Written::Done { token, created, position } => {
                let mut departed = Departed::default();
                if self.mapped.attributes.scope == Scope::DistributedAck {
                    departed = self.mapped.wait_acknowledged(position, options.until())?;
                }
                Ok(Ok(Outcome { token, created, position, departed }))
            }
        }
    }

    /// When an entry expires that is written now with these options.
    #[inline]
    fn deadline_of(&self, options: &WriteOptions) -> Result<Option<u64>> {
        match options.ttl {
            None => Ok(None),
            Some(ttl) if ttl.is_zero() => Err(self.no_time_to_live()),
            Some(ttl) => Ok(Some(lifetime::deadline_after(ttl))),
        }
    }

    /// One write, on this node.
    #[inline]
    fn write_here(&self, change: Change<'_>) -> Result<Result<Outcome, Option<Token>>> {
        self.mapped.write(change).map(Self::outcome)
    }

    fn outcome(written: Written) -> Result<Outcome, Option<Token>> {
        match written {
            Written::Refused(token) => Err(token),
            Written::Done { token, created, position } => {
                Ok(Outcome { token, created, position, departed: Departed::default() })
            }
        }
    }

    #[cold]
    fn no_time_to_live(&self) -> Error {
        let what = "write an entry whose time to live is zero".into();
        Error::NotAllowed { region: self.name().into(), what }
    }

    #[cold]
    fn refused_unconditionally(&self) -> Error {
        Error::Damaged { path: self.path().into(), place: "an unconditional write".into() }
    }
}
