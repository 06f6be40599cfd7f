//! Waiting for other nodes: writers of all processes sleep on one word, the bridge wakes them.
//!
//! A writer that waits for position `p` sets bit `p % 32` in `ack_sleepers`, looks at the
//! watermark once more and sleeps on `ack_word` with that bit. The bridge stores the watermark,
//! takes the bits it covers out of `ack_sleepers`, bumps `ack_word` and wakes exactly these with
//! one system call, or none if no bit was set. Nothing counts sleepers, so a killed one leaves at
//! most one superfluous wake.
//!
//! Which watermark releases is an attribute of the region: `received` with early acknowledgement,
//! else `applied`.
//!
//! A node that leaves the acknowledgement set is written down with the positions it had not
//! acknowledged *before* the watermark moves over them. So a writer that was released because of
//! that finds it, whenever it looks; of nine departures within one wait the first is not found.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::crash;
use crate::error::{Error, Result};
use crate::layout::counters::Counter;
use crate::layout::region::DEPARTURES;
use crate::os::clock::realtime_micros;
use crate::os::futex;
use crate::region::mapped::Mapped;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, SeqCst};

/// Looks before a writer sleeps: most acknowledgements of a near node come within this time.
const SPINS: u32 = 200;

/// How long a writer trusts that it will be woken: a bridge may be killed between moving the
/// watermark and waking.
const RECHECK: Duration = Duration::from_millis(500);

/// Bits of a departure's name that are the origin + 1.
const NAME_BITS: u32 = 17;
const NAME_MASK: u64 = (1 << NAME_BITS) - 1;

/// Nodes that left the cluster while their acknowledgement was waited for, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Departed {
    nodes: [u16; DEPARTURES],
    count: u8,
}

impl Departed {
    /// Their numbers.
    pub fn nodes(&self) -> &[u16] {
        &self.nodes[..usize::from(self.count).min(DEPARTURES)]
    }

    /// Whether everybody acknowledged.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn add(&mut self, origin: u16) {
        if !self.nodes().contains(&origin)
            && let Some(place) = self.nodes.get_mut(usize::from(self.count))
        {
            *place = origin;
            self.count += 1;
        }
    }
}

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
    ) -> Result<Departed> {
        if self.words().bridge_epoch.load(Acquire) == 0 {
            return Ok(Departed::default());
        }
        self.wait_released(position, deadline)?;
        Ok(self.departed_before(position))
    }

    /// The watermark that releases the writers of this region.
    fn released(&self) -> &AtomicU64 {
        let words = self.words();
        if self.attributes.early_ack { &words.received } else { &words.applied }
    }

    /// Waits until everything below `position` is applied elsewhere, or has arrived there if that
    /// is enough.
    pub(crate) fn wait_released(
        self: &Arc<Self>,
        position: u64,
        deadline: Option<Instant>,
    ) -> Result<()> {
        for _ in 0..SPINS {
            if self.released().load(Acquire) >= position {
                return Ok(());
            }
            core::hint::spin_loop();
        }
        let context = self.context()?;
        let thread = self.descriptor(&context);
        thread.waiting_for.store(position, Relaxed);
        thread.waiting_since.store(realtime_micros(), Release);
        crash::point("ack.waiting");
        let result = self.sleep_until_released(position, deadline);
        thread.waiting_since.store(0, Release);
        thread.count(Counter::AckWaits, 1);
        thread.count(Counter::AckTimeouts, u64::from(result.is_err()));
        result
    }

    fn sleep_until_released(&self, position: u64, deadline: Option<Instant>) -> Result<()> {
        let words = self.words();
        loop {
            self.check_life()?;
            let seen = words.ack_word.load(SeqCst);
            words.ack_sleepers.fetch_or(bit(position), SeqCst);
            if self.released().load(SeqCst) >= position {
                return Ok(());
            }
            let slice = Instant::now() + RECHECK;
            let until = deadline.map_or(slice, |deadline| deadline.min(slice));
            futex::wait(&words.ack_word, seen, bit(position), Some(until));
            if self.released().load(SeqCst) >= position {
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
        let arrived = (words.received.swap(received, SeqCst), received);
        let visible = (words.applied.swap(applied, SeqCst), applied);
        let (before, after) = if self.attributes.early_ack { arrived } else { visible };
        let covered = bits(before, after);
        if words.ack_sleepers.fetch_and(!covered, SeqCst) & covered != 0 {
            words.ack_word.fetch_add(1, SeqCst);
            futex::wake(&words.ack_word, u32::MAX >> 1, covered);
        }
    }

    /// Notes a node that writers no longer wait for, and which positions it had not acknowledged.
    /// For the bridge, before it publishes the watermark.
    pub(crate) fn note_departure(&self, origin: u16, from: u64, to: u64) {
        let words = self.words();
        let number = words.departed.load(Relaxed).wrapping_add(1);
        let place = &words.departures[(number.wrapping_sub(1) % DEPARTURES as u64) as usize];
        place.name.store(0, SeqCst);
        place.from.store(from, SeqCst);
        place.to.store(to, SeqCst);
        crash::point("ack.departure");
        place.name.store(number << NAME_BITS | (u64::from(origin) + 1), SeqCst);
        words.departed.store(number, SeqCst);
    }

    /// Nodes that left before they had acknowledged what lies before `position`.
    fn departed_before(&self, position: u64) -> Departed {
        let words = self.words();
        let mut departed = Departed::default();
        // Nobody ever left: the usual case.
        if words.departed.load(Acquire) == 0 {
            return departed;
        }
        for place in &words.departures {
            let name = place.name.load(SeqCst);
            let (from, to) = (place.from.load(SeqCst), place.to.load(SeqCst));
            // Replaced meanwhile: the new one lies behind this position.
            let whole = name != 0 && place.name.load(SeqCst) == name;
            if whole && from < position && position <= to {
                departed.add((name & NAME_MASK).wrapping_sub(1) as u16);
            }
        }
        departed
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
