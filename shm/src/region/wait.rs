//! Waiting for a change of a key or of a region, blocking and asynchronous.
//!
//! # Two words to sleep on
//!
//! Who waits for announcements sleeps on `event_word`; who waits for a key sleeps on `key_word`,
//! with one bit of 32 that the key's hash chooses. Writers look at `event_sleepers` after each
//! announcement and at `key_sleepers` after each write. Nobody waits: one load that finds zero.
//!
//! ```text
//! waiter: read the word; set the sleeper's bit with a new count; fence; look; sleep on the word
//! writer: publish; read the sleepers; if there are some: bump the word, wake, clear what was seen
//! ```
//! Publication, bits and looks are sequentially consistent: either the writer sees the bit, or the
//! waiter's look sees the change. The writer bumps the word *before* it wakes and clears the bits
//! *after* it, and only if nobody set one meanwhile (the count tells).
//!
//! | killed after | state | who repairs |
//! |---|---|---|
//! | waiter: bits set | a bit nobody sleeps on | the next writer clears it: one wake for nothing |
//! | writer: published, not bumped | waiters sleep | recovery wakes; they look again by themselves |
//! | writer: bumped, not woken | the same | the same |
//! | writer: woken, not cleared | bits nobody sleeps on | the next writer: one wake for nothing |
//!
//! A waiter looks again by itself every half second, so that a writer which was killed or stopped
//! before it woke anybody costs a delay, never an endless sleep. That is also how long a change
//! that nobody makes, such as an expiry, may go unnoticed.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::crash;
use crate::error::Result;
use crate::layout::counters::Counter;
use crate::layout::region::RegionWords;
use crate::os::futex;
use crate::region::mapped::Mapped;
use crate::region::parker::{self, Registration};
use crate::region::{Region, Token};
use crate::sync::{AtomicU32, AtomicU64, SeqCst, fence};

/// How long a sleeper trusts that it will be woken. A writer that is killed between its change and
/// the wake leaves the sleeper asleep until the next change or recovery; looking again now and
/// then makes that a delay.
pub(crate) fn recheck() -> Duration {
    if crash::trusts_wakes() { Duration::from_secs(3600) } else { Duration::from_millis(500) }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited<T> {
    /// There was a change; this is how it is now.
    Changed(T),
    /// The deadline passed without one.
    TimedOut,
}

/// What somebody sleeps on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Announcements.
    Announcement,
    /// Writes of keys whose bit this is.
    Key(u32),
}

/// Bit 0 of `event_sleepers`: somebody sleeps. The bits above count, so that a producer clears
/// only what it has woken.
const ASLEEP: u32 = 1;
/// The low half of `key_sleepers` has the bits, the high half counts.
const COUNT: u64 = 1 << 32;

/// The bit of a key, from the half of the hash that its record stores.
fn key_bit(hash: u32) -> u32 {
    1 << (hash >> 27)
}

impl Alarm {
    pub(crate) fn of_key(hash: u64) -> Self {
        Self::Key(key_bit(hash as u32))
    }

    /// The futex word.
    pub(crate) fn word(self, words: &RegionWords) -> &AtomicU32 {
        match self {
            Self::Announcement => &words.event_word,
            Self::Key(_) => &words.key_word,
        }
    }

    fn mask(self) -> u32 {
        match self {
            Self::Announcement => u32::MAX,
            Self::Key(bit) => bit,
        }
    }

    /// Announces a sleeper and returns the value to sleep on. Look once more after it.
    fn arm(self, words: &RegionWords) -> u32 {
        let seen = self.word(words).load(SeqCst);
        match self {
            Self::Announcement => arm_listeners(&words.event_sleepers),
            Self::Key(bit) => arm_key(&words.key_sleepers, bit),
        }
        crash::point("wait.armed");
        // The look that follows reads the index with less than sequential consistency.
        fence(SeqCst);
        seen
    }
}

fn arm_listeners(sleepers: &AtomicU32) {
    let mut seen = sleepers.load(SeqCst);
    loop {
        let next = (seen | ASLEEP).wrapping_add(2);
        match sleepers.compare_exchange(seen, next, SeqCst, SeqCst) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

fn arm_key(sleepers: &AtomicU64, bit: u32) {
    let mut seen = sleepers.load(SeqCst);
    loop {
        let next = (seen | u64::from(bit)).wrapping_add(COUNT);
        match sleepers.compare_exchange(seen, next, SeqCst, SeqCst) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

impl Mapped {
    /// Wakes everybody who waits for an announcement. The announcement's CAS was `SeqCst`, and so
    /// are these loads: either this thread sees the sleeper, or the sleeper's last look at the
    /// ring sees the cell. The flag is cleared after the wake, so dying in between costs nothing.
    pub(crate) fn wake_listeners(&self) {
        let words = self.words();
        let seen = words.event_sleepers.load(SeqCst);
        if seen & ASLEEP != 0 {
            words.event_word.fetch_add(1, SeqCst);
            crash::point("listeners.bumped");
            futex::wake(&words.event_word, u32::MAX >> 1, u32::MAX);
            crash::point("listeners.woken");
            let _ = words.event_sleepers.compare_exchange(seen, seen & !ASLEEP, SeqCst, SeqCst);
            crash::point("listeners.cleared");
        }
    }

    /// Has everybody who waits for an announcement look again, though there is none. Sleepers of
    /// other processes look, and sleep again.
    pub(crate) fn rouse_listeners(&self) {
        let words = self.words();
        words.event_word.fetch_add(1, SeqCst);
        crash::point("listeners.roused");
        futex::wake(&words.event_word, u32::MAX >> 1, u32::MAX);
    }

    /// Wakes who waits for a change of a key with this hash; to be called after the change.
    #[inline]
    pub(crate) fn wake_key(&self, hash: u32) {
        let seen = self.words().key_sleepers.load(SeqCst);
        if seen as u32 & key_bit(hash) != 0 {
            self.wake_keys(seen, key_bit(hash));
        }
    }

    /// Wakes everybody who waits for a key.
    pub(crate) fn wake_all_keys(&self) {
        let seen = self.words().key_sleepers.load(SeqCst);
        if seen as u32 != 0 {
            self.wake_keys(seen, u32::MAX);
        }
    }

    #[cold]
    fn wake_keys(&self, seen: u64, mask: u32) {
        let words = self.words();
        words.key_word.fetch_add(1, SeqCst);
        crash::point("keys.bumped");
        futex::wake(&words.key_word, u32::MAX >> 1, mask);
        crash::point("keys.woken");
        let cleared = seen & !u64::from(mask);
        let _ = words.key_sleepers.compare_exchange(seen, cleared, SeqCst, SeqCst);
        crash::point("keys.cleared");
    }

    /// Sleeps until `look` finds something, or the deadline.
    pub(crate) fn sleep_until<T>(
        self: &Arc<Self>,
        alarm: Alarm,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let words = self.words();
        let mut slept = false;
        loop {
            self.members.check_process()?;
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            self.check_life()?;
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(None);
            }
            let seen = alarm.arm(words);
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            if !slept {
                self.count(Counter::Waits, 1)?;
                slept = true;
            }
            let slice = now + recheck();
            let until = deadline.map_or(slice, |deadline| deadline.min(slice));
            futex::wait(alarm.word(words), seen, alarm.mask(), Some(until));
        }
    }

    /// The same for a task: the waker is called when there may be something to find, and
    /// `registration` says so until then.
    pub(crate) fn poll_until<T>(
        &self,
        alarm: Alarm,
        registration: &mut Option<Registration>,
        context: &mut Context<'_>,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Poll<Result<T>> {
        *registration = None;
        let mut ready = || match self.members.check_process().and_then(|()| look()) {
            Ok(Some(found)) => Some(Ok(found)),
            Ok(None) => self.check_life().err().map(Err),
            Err(error) => Some(Err(error)),
        };
        if let Some(found) = ready() {
            return Poll::Ready(found);
        }
        let seen = alarm.arm(self.words());
        if let Some(found) = ready() {
            return Poll::Ready(found);
        }
        match parker::register(self.log.shared_words(), alarm, seen, context.waker()) {
            Ok(registered) => {
                *registration = registered;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Region {
    /// Position in the event ring behind the last announcement, for
    /// [`Region::wait_for_region_change`]. In a region of local scope the first call makes writers
    /// announce from now on.
    pub fn position(&self) -> u64 {
        self.mapped.want_journal();
        self.mapped.journal().tail()
    }

    /// Waits until the state of a key differs from `since` (`None`: absent) and returns the state
    /// it has then. Every change gives an entry a token of its own, so none is missed but those
    /// after which the key is absent again.
    ///
    /// Costs writers nothing while nobody waits, and one system call for a write of a key that
    /// somebody waits for (or of one key in 32 others).
    ///
    /// # Errors
    /// As [`Region::token`].
    pub fn wait_for_change(
        &self,
        key: &[u8],
        since: Option<Token>,
        deadline: Option<Instant>,
    ) -> Result<Waited<Option<Token>>> {
        let alarm = Alarm::of_key(self.mapped.hash(key));
        let found = self.mapped.sleep_until(alarm, deadline, || self.changed(key, since))?;
        Ok(found.map_or(Waited::TimedOut, Waited::Changed))
    }

    /// Waits until there are announcements behind position `since` and returns the position behind
    /// the last one. See [`Region::position`]; an [`Outcome`](crate::Outcome) has one, too.
    ///
    /// # Errors
    /// `ForkedChild`.
    pub fn wait_for_region_change(
        &self,
        since: u64,
        deadline: Option<Instant>,
    ) -> Result<Waited<u64>> {
        let look = || Ok(Some(self.position()).filter(|&position| position > since));
        let found = self.mapped.sleep_until(Alarm::Announcement, deadline, look)?;
        Ok(found.map_or(Waited::TimedOut, Waited::Changed))
    }

    /// [`Region::wait_for_change`] as a future, for any runtime. Dropping it ends the wait.
    ///
    /// The first task that waits starts one thread in the process, which sleeps for all tasks in
    /// all regions and ends soon after the last of them. It is the only thread this library ever
    /// starts.
    ///
    /// # Errors
    /// As [`Region::token`]; `System` if that thread cannot be started.
    pub async fn changed_async(&self, key: &[u8], since: Option<Token>) -> Result<Option<Token>> {
        let alarm = Alarm::of_key(self.mapped.hash(key));
        let mut registration = None;
        std::future::poll_fn(|context| {
            let look = || self.changed(key, since);
            self.mapped.poll_until(alarm, &mut registration, context, look)
        })
        .await
    }

    /// [`Region::wait_for_region_change`] as a future; see [`Region::changed_async`].
    ///
    /// # Errors
    /// `ForkedChild`; `System` if the waiting thread cannot be started.
    pub async fn region_changed_async(&self, since: u64) -> Result<u64> {
        let mut registration = None;
        std::future::poll_fn(|context| {
            let look = || Ok(Some(self.position()).filter(|&position| position > since));
            self.mapped.poll_until(Alarm::Announcement, &mut registration, context, look)
        })
        .await
    }

    fn changed(&self, key: &[u8], since: Option<Token>) -> Result<Option<Option<Token>>> {
        let now = self.token(key)?;
        let since = since.map(|token| self.mapped.current(token));
        Ok((now != since).then_some(now))
    }
}
