//! Whether an entry has expired: the one place that decides, for reads, writes and sweeps.
//!
//! * An entry with a deadline of its own expires then.
//! * Any other expires when the region's time to live has passed since it was written. That time
//!   is in its version, which is hybrid time in distributed regions and in local ones from the
//!   first time to live on; older versions count from that moment. So a time to live that is
//!   changed holds for all entries at once.
//! * An entry expires when it was neither read nor written for the idle time of the region. Who
//!   reads leaves the time in the record's `access` word, at most once per [`grain`]; that is
//!   added to the idle time, so an entry never goes early, and goes late by that at most.
//! * If several apply the earliest decides, and its action.
//!
//! An expired entry looks, before any sweep, as the sweep will leave it: absent if the action is
//! to destroy, without value if it is to invalidate. Tombstones do not expire.
//!
//! What `clear` and `invalidate_region` did to an entry comes first: see `clear`.
//!
//! # Cost
//!
//! A record without deadline in a region that never had expiry or a stamp takes one branch on one
//! word of a line that is hardly ever written. Otherwise the coarse clock is read once.

use std::sync::Arc;

use crate::error::Result;
use crate::heap::record::Record;
use crate::layout::record::FLAG_DEADLINE;
use crate::layout::region::RegionWords;
use crate::os::clock;
use crate::region::clear::standing;
use crate::region::expiry::{self, Expiry, ExpiryAction, Policy, micros};
use crate::region::mapped::Mapped;
use crate::region::{Kind, Region, Token};
use crate::sync::Relaxed;

/// A tick of `access` is 2^16 microseconds.
const TICK_SHIFT: u32 = 16;

/// Time in ticks; 0 means unknown, so the tick that would be 0 is called 1.
fn ticks(micros: u64) -> u32 {
    ((micros >> TICK_SHIFT) as u32).max(1)
}

/// Accesses closer together than this are not told apart.
fn grain(idle: u64) -> u64 {
    (idle / 16).max(1_000_000)
}

/// Time of an access, to a tick. One in the future is of a clock that was set back.
fn accessed(now: u64, access: u32) -> u64 {
    let age = ticks(now).wrapping_sub(access) as i32;
    now.saturating_sub((age.max(0) as u64) << TICK_SHIFT)
}

/// Whether expiry or a stamp can concern the entry at all.
#[inline(always)]
fn may_expire(words: &RegionWords, record: &Record<'_>) -> bool {
    u64::from(record.head().flags & FLAG_DEADLINE) | words.special.load(Relaxed) != 0
}

/// The state of an entry as it is shown, given its token; `None` if it is not there.
pub(crate) fn seen_in(words: &RegionWords, record: &Record<'_>, token: Token) -> Option<Token> {
    let token = standing(words, token)?;
    let expired = may_expire(words, record)
        .then(|| verdict(words, record, token.kind, Policy::read(words), clock::coarse_micros()));
    match expired.flatten() {
        None => token.kind.is_visible().then_some(token),
        Some(action) if action.destroys() => None,
        Some(action) => Some(Token { kind: kind_after(action), ..token }),
    }
}

pub(crate) fn verdict(
    words: &RegionWords,
    record: &Record<'_>,
    kind: Kind,
    policy: Policy,
    now: u64,
) -> Option<ExpiryAction> {
    let (at, action) = due(words, record, kind, policy, now)?;
    (at <= now).then_some(action)
}

/// When an entry of this kind expires as things are now, and what becomes of it then.
fn due(
    words: &RegionWords,
    record: &Record<'_>,
    kind: Kind,
    policy: Policy,
    now: u64,
) -> Option<(u64, ExpiryAction)> {
    let ttl = match record.deadline() {
        Some(deadline) => Some(deadline),
        None => policy.ttl.map(|ttl| written(words, record.head().version).saturating_add(ttl)),
    };
    let idle = policy.idle.map(|idle| {
        let last = used(words, record, now);
        last.saturating_add(idle).saturating_add(grain(idle) + (1 << TICK_SHIFT))
    });
    // What has no value cannot lose it.
    let concerns = |action: &ExpiryAction| match kind {
        Kind::Value => true,
        Kind::Invalid | Kind::LocalInvalid => action.destroys(),
        Kind::Tombstone | Kind::Transit => false,
    };
    let ttl = ttl.map(|at| (at, policy.ttl_action)).filter(|(_, action)| concerns(action));
    let idle = idle.map(|at| (at, policy.idle_action)).filter(|(_, action)| concerns(action));
    // `min_by_key` takes the first of equals.
    ttl.into_iter().chain(idle).min_by_key(|(at, _)| *at)
}

/// When an entry of this kind expires, if nothing happens to it.
pub(crate) fn expires(words: &RegionWords, record: &Record<'_>, kind: Kind) -> Option<u64> {
    due(words, record, kind, Policy::read(words), clock::coarse_micros()).map(|(at, _)| at)
}

/// When an entry was last read or written, as far as its idle time goes.
fn used(words: &RegionWords, record: &Record<'_>, now: u64) -> u64 {
    let access = record.access().load(Relaxed);
    let last = if access == 0 { 0 } else { accessed(now, access) };
    last.max(words.idle_since.load(Relaxed))
}

/// When an entry was last read or written; `None` where nobody notes it.
pub(crate) fn last_access(words: &RegionWords, record: &Record<'_>) -> Option<u64> {
    let noted = Policy::read(words).idle.is_some();
    noted.then(|| used(words, record, clock::coarse_micros())).filter(|at| *at != 0)
}

/// When an entry of this version was written.
pub(crate) fn written(words: &RegionWords, version: u64) -> u64 {
    (version >> 12).max(words.timed_since.load(Relaxed))
}

impl Mapped {
    /// Whether expiry can concern the entry at all.
    #[inline(always)]
    fn may_expire(&self, record: &Record<'_>) -> bool {
        may_expire(self.words(), record)
    }

    /// The state of an entry as operations see it, given its token; `None` if it is not there.
    #[inline(always)]
    pub(crate) fn seen(&self, record: &Record<'_>, token: Token) -> Option<Token> {
        if self.may_expire(record) {
            return self.judged(*record, token, false);
        }
        token.kind.is_visible().then_some(token)
    }

    /// The same for an operation that counts as an access.
    #[inline(always)]
    pub(crate) fn accessed(&self, record: &Record<'_>, token: Token) -> Option<Token> {
        if self.may_expire(record) {
            return self.judged(*record, token, true);
        }
        token.kind.is_visible().then_some(token)
    }

    /// Whether a record without deadline of its own may be something else than its kind says.
    #[inline(always)]
    pub(crate) fn judges(&self) -> bool {
        self.words().special.load(Relaxed) != 0
    }

    /// By value: a record that nobody has a reference to stays in registers on the way here.
    #[inline(never)]
    fn judged(&self, record: Record<'_>, token: Token, access: bool) -> Option<Token> {
        let token = standing(self.words(), token)?;
        let (policy, now) = (Policy::read(self.words()), clock::coarse_micros());
        match self.verdict(&record, token.kind, policy, now) {
            None => {
                if access && let Some(idle) = policy.idle {
                    touch(&record, idle, now);
                }
                token.kind.is_visible().then_some(token)
            }
            Some(action) if action.destroys() => None,
            Some(action) => Some(Token { kind: kind_after(action), ..token }),
        }
    }

    /// What is to become of the entry now, if it has expired.
    pub(crate) fn expired(&self, record: &Record<'_>, kind: Kind) -> Option<ExpiryAction> {
        if !self.may_expire(record) {
            return None;
        }
        let token = Token { version: record.head().version, origin: 0, kind };
        let kind = standing(self.words(), token)?.kind;
        self.verdict(record, kind, Policy::read(self.words()), clock::coarse_micros())
    }

    pub(crate) fn verdict(
        &self,
        record: &Record<'_>,
        kind: Kind,
        policy: Policy,
        now: u64,
    ) -> Option<ExpiryAction> {
        verdict(self.words(), record, kind, policy, now)
    }

    /// When an entry of this version was written.
    pub(crate) fn written(&self, version: u64) -> u64 {
        written(self.words(), version)
    }

    /// The `access` word of a record that is written now.
    pub(crate) fn access_now(&self) -> u32 {
        match self.words().entry_idle.load(Relaxed) {
            0 => 0,
            _ => ticks(clock::coarse_micros()),
        }
    }

    /// Versions are hybrid time.
    pub(crate) fn is_timed(&self) -> bool {
        self.is_distributed() || self.words().timed_since.load(Relaxed) != 0
    }
}

/// Leaves the time of an access in the record, unless it was done not long ago.
fn touch(record: &Record<'_>, idle: u64, now: u64) {
    let access = record.access();
    let seen = access.load(Relaxed);
    let recent = seen != 0 && {
        let age = ticks(now).wrapping_sub(seen) as i32;
        age >= 0 && (age as u64) << TICK_SHIFT < grain(idle)
    };
    if !recent {
        access.store(ticks(now), Relaxed);
        crate::crash::point("expiry.accessed");
    }
}

/// What an entry is after it was invalidated by expiry.
pub(crate) fn kind_after(action: ExpiryAction) -> Kind {
    match action {
        ExpiryAction::Destroy | ExpiryAction::LocalDestroy => Kind::Tombstone,
        ExpiryAction::Invalidate => Kind::Invalid,
        ExpiryAction::LocalInvalidate => Kind::LocalInvalid,
    }
}

/// When an entry expires that is written now.
pub(crate) fn deadline_after(ttl: std::time::Duration) -> u64 {
    clock::realtime_micros().saturating_add(micros(ttl))
}

impl Region {
    /// Sets after which time since they were written entries expire; `None`: never. Holds at once
    /// for all members and for all entries, but those written with a time of their own
    /// ([`WriteOptions::ttl`](crate::WriteOptions::ttl)), of which it decides the action only.
    /// In a region that never had one, entries count as written at this moment at the earliest.
    ///
    /// # Errors
    /// `InvalidAttributes`, `ForkedChild`.
    pub fn set_entry_ttl(&self, ttl: Option<Expiry>) -> Result<()> {
        self.may_set(ttl, "entry_ttl")?;
        expiry::set_ttl(self.mapped.words(), ttl);
        Ok(())
    }

    /// Sets after which time without a read or write entries expire; `None`: never. Holds at once
    /// for all members and entries, which count as accessed at this moment at the earliest.
    ///
    /// # Errors
    /// `InvalidAttributes`, `NotBuiltYet` in a distributed region, `ForkedChild`.
    pub fn set_entry_idle(&self, idle: Option<Expiry>) -> Result<()> {
        self.may_set(idle, "entry_idle")?;
        expiry::check_idle(&self.mapped.attributes, idle)?;
        expiry::set_idle(self.mapped.words(), idle);
        Ok(())
    }

    fn may_set(&self, expiry: Option<Expiry>, what: &str) -> Result<()> {
        let mapped: &Arc<Mapped> = &self.mapped;
        mapped.check_life()?;
        expiry.map_or(Ok(()), |expiry| expiry.check(&mapped.name, &mapped.attributes, what))
    }
}

#[cfg(test)]
mod tests;
