//! Waiting for other nodes: writers of all processes sleep on one word, the bridge wakes them.
//!
//! A writer that waits for position `p` sets bit `p % 32` in `ack_sleepers`, looks at the
//! watermark once more and sleeps on `ack_word` with that bit. The bridge stores the watermark,
//! takes the bits it covers out of `ack_sleepers`, bumps `ack_word` and wakes exactly these with
//! one system call, or none if no bit was set. Nothing counts sleepers, so a killed one leaves at
//! most one superfluous wake.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::crash;
use crate::error::{Error, Result};
use crate::layout::counters::Counter;
use crate::os::clock::realtime_micros;
use crate::os::futex;
use crate::region::mapped::Mapped;
use crate::sync::{Acquire, Relaxed, Release, SeqCst};

/// Looks before a writer sleeps: most acknowledgements of a near node come within this time.
const SPINS: u32 = 200;

/// How long a writer trusts that it will be woken: a bridge may be killed between moving the
/// watermark and waking.
const RECHECK: Duration = Duration::from_millis(500);

fn bit(position: u64) -> u32 {
    1 << (position % 32)
}

/// Bits of all positions in (from, to].
fn bits(from: u64, to: u64) -> u32 {
    if to.saturating_sub(from) >= 32 {
        return u32::MAX;
    }
    (from.saturating_add(1)..=to).fold(0, |mask, position| mask | bit(position))
}

impl Mapped {
    /// Waits as distributed-ack asks, unless no bridge ever served the region: then there are no
    /// other nodes.
    pub(crate) fn wait_acknowledged(
        self: &Arc<Self>,
        position: u64,
        deadline: Option<Instant>,
    ) -> Result<()> {
        if self.words().bridge_epoch.load(Acquire) == 0 {
            return Ok(());
        }
        self.wait_applied(position, deadline)
    }

    /// Waits until everything below `position` is applied elsewhere.
    pub(crate) fn wait_applied(
        self: &Arc<Self>,
        position: u64,
        deadline: Option<Instant>,
    ) -> Result<()> {
        let words = self.words();
        for _ in 0..SPINS {
            if words.applied.load(Acquire) >= position {
                return Ok(());
            }
            core::hint::spin_loop();
        }
        let context = self.context()?;
        let thread = self.descriptor(&context);
        thread.waiting_for.store(position, Relaxed);
        thread.waiting_since.store(realtime_micros(), Release);
        crash::point("ack.waiting");
        let result = self.sleep_until_applied(position, deadline);
        thread.waiting_since.store(0, Release);
        thread.count(Counter::AckWaits, 1);
        thread.count(Counter::AckTimeouts, u64::from(result.is_err()));
        result
    }

    fn sleep_until_applied(&self, position: u64, deadline: Option<Instant>) -> Result<()> {
        let words = self.words();
        loop {
            self.check_life()?;
            let seen = words.ack_word.load(SeqCst);
            words.ack_sleepers.fetch_or(bit(position), SeqCst);
            if words.applied.load(SeqCst) >= position {
                return Ok(());
            }
            let slice = Instant::now() + RECHECK;
            let until = deadline.map_or(slice, |deadline| deadline.min(slice));
            futex::wait(&words.ack_word, seen, bit(position), Some(until));
            if words.applied.load(SeqCst) >= position {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Error::AckTimeout { region: self.name.clone(), position });
            }
        }
    }

    /// Stores new watermarks and releases the writers they cover. For the bridge.
    pub(crate) fn publish_watermarks(&self, sent: u64, received: u64, applied: u64) {
        let words = self.words();
        words.sent.store(sent, Release);
        words.received.store(received, Release);
        let before = words.applied.swap(applied, SeqCst);
        let covered = bits(before, applied);
        if words.ack_sleepers.fetch_and(!covered, SeqCst) & covered != 0 {
            words.ack_word.fetch_add(1, SeqCst);
            futex::wake(&words.ack_word, u32::MAX >> 1, covered);
        }
    }

    /// Lets all waiting writers look again: a bridge that died may have moved a watermark and not
    /// woken them.
    pub(crate) fn wake_writers(&self) {
        self.words().ack_word.fetch_add(1, SeqCst);
        futex::wake(&self.words().ack_word, u32::MAX >> 1, u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_cover_exactly_the_positions() {
        assert_eq!(bits(5, 5), 0);
        assert_eq!(bits(5, 4), 0);
        assert_eq!(bits(30, 33), bit(31) | bit(32) | bit(33));
        assert_eq!(bits(0, 32), u32::MAX);
    }
}
