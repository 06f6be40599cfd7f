//! Operations on one entry beyond put and get: entries without a value, and what is known of one.
//!
//! What each does, by the state of the key on this node. A region with data policy `empty` stores
//! nothing, so it never finds a key; it announces what was done to who listens.
//!
//! | operation | absent | invalid | has a value | empty region |
//! |---|---|---|---|---|
//! | `put` | created | value set | replaced | announced |
//! | `create` | created | `EntryExists` | `EntryExists` | announced |
//! | `create_invalid` | invalid | `EntryExists` | `EntryExists` | announced |
//! | `replace` | nothing | value set | replaced | refused |
//! | `invalidate` | `EntryNotFound` | nothing: no event, no count | invalid | announced |
//! | `local_invalidate` | `EntryNotFound` | nothing | invalid, here only | `EntryNotFound` |
//! | `destroy` | `EntryNotFound` | destroyed | destroyed | announced |
//! | `remove` | nothing | destroyed | destroyed | announced |
//! | `local_destroy` | `EntryNotFound` | destroyed | destroyed, here only | `EntryNotFound` |
//! | `get` | nothing | nothing | the value | nothing |
//! | `contains_key` | false | true | true | false |
//! | `contains_value_for_key` | false | false | true | false |
//!
//! "Here" is the node: its processes share one copy, so all of them lose the entry. The local forms
//! are refused in distributed replicates, which hold everything.

use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::heap::record::Record;
use crate::layout::region::RegionWords;
use crate::region::attributes::DataPolicy;
use crate::region::write::{Change, Condition};
use crate::region::{Kind, Outcome, Region, Token, WriteOptions, lifetime};

/// What is known of an entry: [`Region::entry`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// Its value; `None` if it is invalid.
    pub value: Option<Vec<u8>>,
    /// Its state.
    pub token: Token,
    /// When it expires if it is neither written nor read until then; `None`: never. Each of the
    /// time to live and the idle time may be the one that ends first.
    pub expires: Option<SystemTime>,
    /// When it was written. `None` in a region of local scope that never had a time to live: its
    /// versions count, and are no times.
    pub modified: Option<SystemTime>,
    /// When it was last read or written, as far as that is noted: in regions with an idle time, and
    /// reads of an entry at most once in a second, or in a sixteenth of the idle time if that is
    /// longer. Nothing was read or written before the idle time was set, as far as this tells.
    /// `None` where there is no idle time.
    pub accessed: Option<SystemTime>,
}

impl EntryInfo {
    /// `timed`: versions of the region are times.
    pub(crate) fn of(words: &RegionWords, timed: bool, record: &Record<'_>, token: Token) -> Self {
        Self {
            value: (token.kind == Kind::Value).then(|| record.value().to_vec()),
            token,
            expires: lifetime::expires(words, record, token.kind).and_then(time),
            modified: timed.then(|| lifetime::written(words, token.version)).and_then(time),
            accessed: lifetime::last_access(words, record).and_then(time),
        }
    }
}

impl Region {
    /// [`Region::create`] of an entry without a value: the key is present and invalid. Replicates
    /// learn of it, and nodes with interest `all`; a distributed `normal` region only notes that
    /// the key is wanted here, so a read asks the other nodes for the value.
    ///
    /// # Errors
    /// `EntryExists` if the key is present, valid or not, else as [`Region::put`].
    pub fn create_invalid(&self, key: &[u8]) -> Result<Outcome> {
        // Other nodes may have a value: that the key is wanted here says nothing about it.
        let attributes = &self.mapped.attributes;
        let wanted =
            attributes.scope.is_distributed() && attributes.data_policy == DataPolicy::Normal;
        let kind = if wanted { Kind::LocalInvalid } else { Kind::Invalid };
        self.create_as(key, &[], kind, &WriteOptions::default())
    }

    pub(crate) fn create_as(
        &self,
        key: &[u8],
        value: &[u8],
        kind: Kind,
        options: &WriteOptions,
    ) -> Result<Outcome> {
        let change = Change::new(key, value, kind, Condition::Absent);
        let deadline = self.deadline_of(options)?.filter(|_| kind == Kind::Value);
        let written = self.mapped.write(Change { local: false, deadline, ..change })?;
        self.wait_for(written, options)?
            .map_err(|_| Error::EntryExists { region: self.name().into() })
    }

    /// Takes the value of an entry and keeps its key, on every node. `None` if the entry was
    /// invalid already: then nothing is done, announced or counted.
    ///
    /// # Errors
    /// `EntryNotFound` if the key is absent, else as [`Region::put`].
    pub fn invalidate(&self, key: &[u8]) -> Result<Option<Outcome>> {
        self.invalidate_as(key, Kind::Invalid)
    }

    /// [`Region::invalidate`] on this node only, for all its processes.
    ///
    /// # Errors
    /// `NotAllowed` in a distributed replicate, else as [`Region::invalidate`].
    pub fn local_invalidate(&self, key: &[u8]) -> Result<Option<Outcome>> {
        self.may_differ("local_invalidate")?;
        self.require_stored()?;
        self.invalidate_as(key, Kind::LocalInvalid)
    }

    fn invalidate_as(&self, key: &[u8], kind: Kind) -> Result<Option<Outcome>> {
        let options = WriteOptions::default();
        match self.write(key, &[], kind, Condition::Valued, &options)? {
            Ok(outcome) => Ok(Some(outcome)),
            Err(Some(_)) => Ok(None),
            Err(None) if kind == Kind::Invalid && self.asks_for_presence(key)? => {
                self.invalidate_elsewhere(key)
            }
            Err(None) => Err(self.not_found()),
        }
    }

    /// The entry is not here: what is done to it passes through.
    fn invalidate_elsewhere(&self, key: &[u8]) -> Result<Option<Outcome>> {
        let change = Change::new(key, &[], Kind::Transit, Condition::Absent);
        let written = self.mapped.write(Change { valueless: true, ..change })?;
        match self.wait_for(written, &WriteOptions::default())? {
            Ok(outcome) => Ok(Some(outcome)),
            // Somebody has made it here meanwhile.
            Err(_) => self.invalidate_as(key, Kind::Invalid),
        }
    }

    /// [`Region::destroy`] on this node only, for all its processes.
    ///
    /// # Errors
    /// `NotAllowed` in a distributed replicate, else as [`Region::destroy`].
    pub fn local_destroy(&self, key: &[u8]) -> Result<Outcome> {
        self.may_differ("local_destroy")?;
        self.require_stored()?;
        let change = Change::new(key, &[], Kind::Tombstone, Condition::Present);
        self.write_here(Change { local: true, ..change })?.map_err(|_| self.not_found())
    }

    /// Whether the key is present and has a value.
    ///
    /// # Errors
    /// As [`Region::contains_key`].
    pub fn contains_value_for_key(&self, key: &[u8]) -> Result<bool> {
        Ok(self.token(key)?.is_some_and(|token| token.kind == Kind::Value))
    }

    /// A copy of an entry with all that is known of it, valid or not. `None` if the key is absent.
    /// Neither a read in the statistics nor an access.
    ///
    /// # Errors
    /// As [`Region::get_into`].
    pub fn entry(&self, key: &[u8]) -> Result<Option<EntryInfo>> {
        let words = self.mapped.words();
        let timed = self.mapped.is_timed();
        self.mapped.inspect(key, false, |record, token| EntryInfo::of(words, timed, record, token))
    }

    pub(crate) fn stores(&self) -> bool {
        self.mapped.attributes.data_policy != DataPolicy::Empty
    }

    /// Nothing is found in a region that stores nothing.
    fn require_stored(&self) -> Result<()> {
        if self.stores() { Ok(()) } else { Err(self.not_found()) }
    }

    fn not_found(&self) -> Error {
        Error::EntryNotFound { region: self.name().into() }
    }
}

/// Microseconds since 1970; `None` beyond what the system can tell.
fn time(micros: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests;
