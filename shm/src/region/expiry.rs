//! Attributes that say when entries expire and what becomes of them, and the words that keep them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::layout::region::RegionWords;
use crate::os::clock;
use crate::region::attributes::{Attributes, DataPolicy, name_of, value_of};
use crate::sync::{Acquire, Relaxed, Release};

/// What becomes of an entry that has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum ExpiryAction {
    /// The entry is destroyed, on all nodes of a distributed region.
    #[default]
    Destroy = 0,
    /// The key stays, its value goes, on all nodes of a distributed region.
    Invalidate = 1,
    /// The entry is destroyed on this node only.
    LocalDestroy = 2,
    /// The key stays, its value goes, on this node only.
    LocalInvalidate = 3,
}

const ACTIONS: [(ExpiryAction, &str); 4] = [
    (ExpiryAction::Destroy, "destroy"),
    (ExpiryAction::Invalidate, "invalidate"),
    (ExpiryAction::LocalDestroy, "local-destroy"),
    (ExpiryAction::LocalInvalidate, "local-invalidate"),
];

impl fmt::Display for ExpiryAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&ACTIONS, *self))
    }
}

impl FromStr for ExpiryAction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        value_of(&ACTIONS, "expiry action", text)
    }
}

impl ExpiryAction {
    /// Whether the key is gone, and not only its value.
    pub fn destroys(self) -> bool {
        matches!(self, Self::Destroy | Self::LocalDestroy)
    }

    /// Whether other nodes do not hear of it.
    pub fn is_local(self) -> bool {
        matches!(self, Self::LocalDestroy | Self::LocalInvalidate)
    }
}

/// After which time entries expire, and what becomes of them then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expiry {
    /// The time; at least a microsecond.
    pub after: Duration,
    /// What becomes of the entry.
    pub action: ExpiryAction,
}

impl Expiry {
    /// Entries are destroyed after that time.
    pub fn destroy(after: Duration) -> Self {
        Self { after, action: ExpiryAction::Destroy }
    }

    /// Entries lose their value after that time.
    pub fn invalidate(after: Duration) -> Self {
        Self { after, action: ExpiryAction::Invalidate }
    }

    /// The word of a region that keeps it: microseconds times 4 and the action; never 0.
    fn to_word(self) -> u64 {
        (micros(self.after).clamp(1, u64::MAX >> 2) << 2) | self.action as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        (word >> 2 != 0)
            .then(|| Self { after: Duration::from_micros(word >> 2), action: action_of(word) })
    }

    /// Refuses what cannot work in a region with these attributes.
    pub(crate) fn check(self, region: &str, attributes: &Attributes, what: &str) -> Result<()> {
        let refused = |reason: String, remedy: &str| {
            Err(Error::InvalidAttributes { region: region.into(), reason, remedy: remedy.into() })
        };
        if micros(self.after) == 0 {
            return refused(
                format!("{what} is zero, so every entry would be expired when it is written"),
                "give a longer time, or none at all for entries that stay",
            );
        }
        if !attributes.scope.is_distributed() {
            return Ok(());
        }
        let replicates = matches!(
            attributes.data_policy,
            DataPolicy::Replicate | DataPolicy::PersistentReplicate
        );
        if replicates && self.action.is_local() {
            return refused(
                format!(
                    "{what} with action `{}` would take entries from one replicate only, and \
                     replicates hold everything",
                    self.action
                ),
                "use `destroy` or `invalidate`, or data policy `normal` or `preloaded`",
            );
        }
        Ok(())
    }
}

/// The idle time of a distributed region would need the accesses on other nodes.
pub(crate) fn check_idle(attributes: &Attributes, idle: Option<Expiry>) -> Result<()> {
    if idle.is_some() && attributes.scope.is_distributed() {
        let what = format!(
            "attribute `entry_idle` with scope `{}`: other nodes are not asked for their last \
             access",
            attributes.scope
        );
        return Err(Error::NotBuiltYet { what });
    }
    Ok(())
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn action_of(word: u64) -> ExpiryAction {
    ACTIONS[(word & 3) as usize].0
}

/// The words of a region that say when its entries expire, as they were at one look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) ttl: Option<u64>,
    pub(crate) idle: Option<u64>,
    /// Also of entries with a deadline of their own.
    pub(crate) ttl_action: ExpiryAction,
    pub(crate) idle_action: ExpiryAction,
}

impl Policy {
    #[inline]
    pub(crate) fn read(words: &RegionWords) -> Self {
        let (ttl, idle) = (words.entry_ttl.load(Relaxed), words.entry_idle.load(Relaxed));
        let set = |word: u64| Some(word >> 2).filter(|micros| *micros != 0);
        Self {
            ttl: set(ttl),
            idle: set(idle),
            ttl_action: action_of(ttl),
            idle_action: action_of(idle),
        }
    }
}

/// What the words say, for people.
pub(crate) fn read(words: &RegionWords) -> (Option<Expiry>, Option<Expiry>) {
    let word = |word: &crate::sync::AtomicU64| Expiry::from_word(word.load(Acquire));
    (word(&words.entry_ttl), word(&words.entry_idle))
}

/// Sets the time to live. From before the first one on, versions of the region are times.
pub(crate) fn set_ttl(words: &RegionWords, ttl: Option<Expiry>) {
    if ttl.is_some() {
        let now = clock::realtime_micros();
        // The first one counts: entries from before it have the age of this word.
        let _ = words.timed_since.compare_exchange(0, now, Release, Relaxed);
        crate::crash::point("expiry.timed");
        words.special.store(1, Release);
    }
    words.entry_ttl.store(ttl.map_or(0, Expiry::to_word), Release);
    crate::crash::point("expiry.ttl");
}

/// Sets the idle time. Accesses before it were not recorded, or are not to count.
pub(crate) fn set_idle(words: &RegionWords, idle: Option<Expiry>) {
    words.idle_since.store(clock::realtime_micros(), Release);
    crate::crash::point("expiry.idle_since");
    if idle.is_some() {
        words.special.store(1, Release);
    }
    words.entry_idle.store(idle.map_or(0, Expiry::to_word), Release);
    crate::crash::point("expiry.idle");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::attributes::Scope;

    #[test]
    fn a_word_keeps_time_and_action() {
        for (action, name) in ACTIONS {
            let expiry = Expiry { after: Duration::from_micros(1_234_567), action };
            assert_eq!(Expiry::from_word(expiry.to_word()), Some(expiry));
            assert_eq!(name.parse(), Ok(action));
        }
        assert_eq!(Expiry::from_word(0), None);
        let long = Expiry::destroy(Duration::MAX).to_word();
        assert_eq!(long >> 2, u64::MAX >> 2);
    }

    #[test]
    fn replicates_refuse_local_actions_and_everybody_refuses_zero() {
        let mut attributes = Attributes::default();
        let local = Expiry { after: Duration::from_secs(1), action: ExpiryAction::LocalInvalidate };
        assert!(local.check("r", &attributes, "entry_ttl").is_ok());
        attributes.scope = Scope::DistributedAck;
        attributes.data_policy = DataPolicy::Replicate;
        let refused = local.check("r", &attributes, "entry_ttl").expect_err("a replicate");
        assert_eq!(refused.code(), 204);
        assert!(refused.help().contains("`destroy`"), "{}", refused.help());
        let zero = Expiry::destroy(Duration::from_nanos(999));
        assert!(zero.check("r", &Attributes::default(), "entry_idle").is_err());
    }
}
