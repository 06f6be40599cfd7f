//! What one member did in a region, and what it holds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::layout::counters::{self, COUNTERS, Counters, Words};
use crate::layout::region::RegionWords;
use crate::layout::thread::{Attachment, OwnerWord, ThreadDescriptor};
use crate::member::MemberInfo;
use crate::os::clock::{coarse_micros, realtime_micros};
use crate::region::pins::Pin;
use crate::region::statistics::{AckWait, Consumer};
use crate::sync::{Acquire, AtomicU64, Relaxed, fence};

/// Looks at a row that its member changes at the same time, before the last is taken as it is.
const LOOKS: usize = 64;

/// A member in one region.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemberStatistics {
    /// Identity of the membership, as [`MemberInfo::id`].
    pub member: u64,
    /// Process id, as the member's own pid namespace counts; `None` if the node file does not say.
    pub pid: Option<u32>,
    /// Name of its program; empty if the node file does not say.
    pub program: String,
    /// False when its death is proved and nobody has recovered it yet; `None` if the node file
    /// cannot be read.
    pub alive: Option<bool>,
    /// When it opened the region, by its own clock.
    pub since: SystemTime,
    /// Thread descriptors it has.
    pub threads: u32,
    /// What it counted since then. The figures of members that left are in those of the region.
    pub counters: Counters,
    /// Its pins of segments, by owned guards.
    pub pins: u32,
    /// For how long the oldest of them has been set.
    pub oldest_pin: Option<Duration>,
    /// Its subscriptions, of which 64 are listed.
    pub subscriptions: u32,
    /// The one of them that is farthest behind.
    pub oldest_consumer: Option<Consumer>,
    /// Its threads that wait for acknowledgements of other nodes.
    pub ack_waiters: u32,
    /// The one of them that waits longest.
    pub oldest_ack_wait: Option<AckWait>,
}

/// What the words of a region say of who uses it.
#[derive(Clone, Copy)]
pub(crate) struct Users<'a> {
    pub(crate) threads: &'a [ThreadDescriptor],
    pub(crate) attachments: &'a [Attachment],
    /// Tail of the event ring.
    pub(crate) tail: u64,
    /// How many of each there are, with those that were never used.
    pub(crate) threads_max: usize,
    pub(crate) members_max: usize,
}

impl<'a> Users<'a> {
    /// Leaves out what was never used: who looks every second touches no more than he must.
    pub(crate) fn of(
        words: &RegionWords,
        threads: &'a [ThreadDescriptor],
        attachments: &'a [Attachment],
    ) -> Self {
        let used = |word: &AtomicU64, max: usize| (word.load(Acquire) as usize).min(max);
        Self {
            threads: &threads[..used(&words.threads_used, threads.len())],
            attachments: &attachments[..used(&words.members_used, attachments.len())],
            tail: words.ring_tail.load(Acquire),
            threads_max: threads.len().saturating_sub(1),
            members_max: attachments.len(),
        }
    }
}

impl Users<'_> {
    /// Sum over all members there ever were.
    pub(super) fn counted(&self) -> Words {
        let mut sum = [0; COUNTERS];
        for thread in self.threads {
            counters::add(&mut sum, &thread.counted());
        }
        sum
    }

    /// One for each member that has the region open. `known`: the members of the node, if the node
    /// file can be read; `pins`: pins of the region.
    pub(crate) fn members(
        &self,
        known: Option<&[MemberInfo]>,
        pins: &[Pin],
    ) -> Vec<MemberStatistics> {
        let rows = self.attachments.iter();
        rows.filter_map(|row| self.member(row, known, pins)).collect()
    }

    fn member(
        &self,
        row: &Attachment,
        known: Option<&[MemberInfo]>,
        pins: &[Pin],
    ) -> Option<MemberStatistics> {
        let owner = row.owner.load(Acquire);
        let member = OwnerWord(owner).member();
        if member == 0 {
            return None;
        }
        let (since, counted) = self.counted_by(member, row);
        let info = known.and_then(|known| known.iter().find(|info| info.id == member));
        let pins = pins.iter().filter(|pin| pin.member == member);
        let consumers = consumers(row, member, self.tail);
        let waits = self.ack_waits().filter(|wait| wait.member == member);
        Some(MemberStatistics {
            member,
            pid: info.map(|info| info.pid),
            program: info.map(|info| info.program.clone()).unwrap_or_default(),
            alive: known.map(|_| info.is_some_and(|info| info.alive)),
            since: UNIX_EPOCH.checked_add(Duration::from_micros(since)).unwrap_or(UNIX_EPOCH),
            threads: self.owned(member).count() as u32,
            counters: Counters::from_words(&counted),
            pins: pins.clone().count() as u32,
            oldest_pin: pins.filter_map(|pin| pin.age).max(),
            subscriptions: consumers.clone().count() as u32,
            oldest_consumer: consumers.max_by_key(|consumer| consumer.lag),
            ack_waiters: waits.clone().count() as u32,
            oldest_ack_wait: waits.max_by_key(|wait| wait.age),
        })
    }

    fn owned(&self, member: u64) -> impl Iterator<Item = &ThreadDescriptor> {
        self.threads.iter().filter(move |thread| {
            let owner = thread.owner.load(Acquire);
            owner != 0 && OwnerWord(owner).member() == member
        })
    }

    /// When the member attached, and the difference between what its descriptors say and `base`.
    ///
    /// A descriptor is claimed just before `base` says so, and given back just after: a look in
    /// between that meets no odd sequence is wrong by what the descriptor had counted before. Never
    /// below zero, and right at the next look.
    fn counted_by(&self, member: u64, row: &Attachment) -> (u64, Words) {
        let mut looks = 0;
        loop {
            let before = row.base_sequence.load(Acquire);
            let mut counted = [0; COUNTERS];
            for thread in self.owned(member) {
                counters::add(&mut counted, &thread.counted());
            }
            for (sum, base) in counted.iter_mut().zip(&row.base) {
                let difference = sum.wrapping_sub(base.load(Relaxed));
                // Below zero: the base was ahead.
                *sum = if difference.cast_signed() < 0 { 0 } else { difference };
            }
            let since = row.attached_at.load(Relaxed);
            fence(Acquire);
            looks += 1;
            let whole = before & 1 == 0 && row.base_sequence.load(Relaxed) == before;
            if whole || looks == LOOKS {
                return (since, counted);
            }
            std::hint::spin_loop();
        }
    }

    /// All listed subscriptions.
    pub(super) fn consumers(&self) -> impl Iterator<Item = Consumer> {
        let tail = self.tail;
        let rows = self.attachments.iter();
        rows.filter_map(|row| {
            let member = OwnerWord(row.owner.load(Acquire)).member();
            (member != 0).then_some((row, member))
        })
        .flat_map(move |(row, member)| consumers(row, member, tail))
    }

    /// The lowest position of a listed subscription that is behind by `ring` cells at most.
    pub(crate) fn behind(&self, ring: u64) -> Option<u64> {
        let behind = self.consumers().filter(|consumer| (1..=ring).contains(&consumer.lag));
        behind.map(|consumer| consumer.position).min()
    }

    /// All threads that wait for acknowledgements.
    pub(super) fn ack_waits(&self) -> impl Iterator<Item = AckWait> + Clone {
        let now = coarse_micros().max(realtime_micros());
        self.threads.iter().filter_map(move |thread| {
            let since = thread.waiting_since.load(Acquire);
            let member = OwnerWord(thread.owner.load(Acquire)).member();
            (since != 0 && member != 0).then(|| AckWait {
                member,
                position: thread.waiting_for.load(Relaxed),
                age: Duration::from_micros(now.saturating_sub(since)),
            })
        })
    }
}

fn consumers(
    row: &Attachment,
    member: u64,
    tail: u64,
) -> impl Iterator<Item = Consumer> + Clone + '_ {
    row.cursors.iter().filter_map(move |word| {
        let position = word.load(Relaxed).checked_sub(1)?;
        Some(Consumer { member, position, lag: tail.saturating_sub(position) })
    })
}
