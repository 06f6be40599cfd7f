//! The failure detector: SWIM (the crate foca) in the engine's own time.
//!
//! What it says is one half of the decision that a node is gone, never the whole: see [`super`].
//! It knows nodes by number, start of their bridge and *generation*; a node that was declared down
//! by mistake takes the next generation and is back at once.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU8, NonZeroUsize};

use foca::{AccumulatingRuntime, Foca, Identity, Member, NoCustomBroadcast, OwnedNotification};
use foca::{PeriodicParams, PostcardCodec, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

/// Largest message, in bytes; fits a datagram of the smallest path QUIC allows.
const PACKET: usize = 1_100;
/// What is known of a node that is down is forgotten after this long.
const FORGET: Duration = Duration::from_secs(600);

/// A node as the detector knows it. The encoding is part of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    /// Number of the node.
    pub(crate) origin: u16,
    /// Start of its bridge: the later one wins.
    pub(crate) boot: u64,
    /// How often it was declared down since.
    pub(crate) generation: u32,
}

impl Identity for Key {
    type Addr = u16;

    fn renew(&self) -> Option<Self> {
        Some(Self { generation: self.generation.wrapping_add(1), ..self.clone() })
    }

    fn addr(&self) -> u16 {
        self.origin
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.boot, self.generation) > (adversary.boot, adversary.generation)
    }
}

/// What the detector holds of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has never heard of it: no evidence of life.
    Unknown,
    /// Somebody reaches it.
    Alive,
    /// Nobody has reached it for a while; since this time.
    Down(u64),
}

/// The detector of one node. Messages go out through [`take_messages`](Self::take_messages).
pub(crate) struct Detector {
    swim: Foca<Key, PostcardCodec, SmallRng, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<Key>,
    /// By due time and order of submission.
    timers: BTreeMap<(u64, u64), Timer<Key>>,
    submitted: u64,
    verdicts: BTreeMap<u16, Verdict>,
    messages: Vec<(u16, Vec<u8>)>,
    /// Messages of peers that made no sense.
    pub(crate) bad: u64,
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").field("verdicts", &self.verdicts).finish_non_exhaustive()
    }
}

impl Detector {
    /// A detector that has decided well before `peer_timeout` milliseconds have passed.
    pub(crate) fn new(origin: u16, boot: u64, peer_timeout: u64) -> Self {
        let key = Key { origin, boot, generation: 0 };
        let random = SmallRng::seed_from_u64(boot ^ (u64::from(origin) << 48));
        Self {
            swim: Foca::new(key, settings(peer_timeout), random, PostcardCodec),
            runtime: AccumulatingRuntime::new(),
            timers: BTreeMap::new(),
            submitted: 0,
            verdicts: BTreeMap::new(),
            messages: Vec::new(),
            bad: 0,
        }
    }

    /// A connection proves that this start of the node's bridge lives.
    pub(crate) fn met(&mut self, now: u64, origin: u16, boot: u64) {
        // Whatever generation it has, it says itself with its first message.
        let known = |m: &&Member<Key>| m.id().origin == origin && m.id().boot >= boot;
        if self.swim.iter_membership_state().any(|m| known(&m)) {
            let key = self.key_of(origin);
            // It may hold us for dead, and answers so that we take the next generation.
            let _ = key.map(|key| self.swim.announce(key, &mut self.runtime));
        } else {
            let key = Key { origin, boot, generation: 0 };
            let _ = self.swim.apply_many(
                std::iter::once(Member::alive(key.clone())),
                true,
                &mut self.runtime,
            );
            let _ = self.swim.announce(key, &mut self.runtime);
        }
        self.drain(now);
    }

    /// The node is held for down although there is a connection: asks it to say that it lives.
    pub(crate) fn doubt(&mut self, now: u64, origin: u16, boot: u64) {
        self.verdicts.insert(origin, Verdict::Down(now));
        self.met(now, origin, boot);
    }

    /// The node said goodbye.
    pub(crate) fn left(&mut self, now: u64, origin: u16) {
        if let Some(key) = self.key_of(origin) {
            let gone = std::iter::once(Member::down(key));
            let _ = self.swim.apply_many(gone, true, &mut self.runtime);
            self.drain(now);
        }
    }

    /// This node says goodbye: the others need not find out.
    pub(crate) fn leave(&mut self, now: u64) {
        let _ = self.swim.leave_cluster(&mut self.runtime);
        self.drain(now);
    }

    /// A message of a peer.
    pub(crate) fn received(&mut self, now: u64, message: &[u8]) {
        if self.swim.handle_data(message, &mut self.runtime).is_err() {
            self.bad += 1;
        }
        self.drain(now);
    }

    /// Runs what is due.
    pub(crate) fn tick(&mut self, now: u64) {
        // What a timer submits for now is due too, but the loop must end.
        for _ in 0..1_000 {
            let Some(due) = self.timers.first_entry().filter(|t| t.key().0 <= now) else {
                return;
            };
            // An error says that the timer is out of date.
            let _ = self.swim.handle_timer(due.remove(), &mut self.runtime);
            self.drain(now);
        }
    }

    /// When [`tick`](Self::tick) is due.
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// What is held of a node.
    pub(crate) fn verdict(&self, origin: u16) -> Verdict {
        self.verdicts.get(&origin).copied().unwrap_or(Verdict::Unknown)
    }

    /// Messages to send: to which node, and the bytes. One that cannot be sent is dropped; that is
    /// how the detector learns.
    pub(crate) fn take_messages(&mut self) -> Vec<(u16, Vec<u8>)> {
        std::mem::take(&mut self.messages)
    }

    fn key_of(&self, origin: u16) -> Option<Key> {
        let state = self.swim.iter_membership_state();
        state.map(Member::id).find(|key| key.origin == origin).cloned()
    }

    fn drain(&mut self, now: u64) {
        if self.take_in(now) {
            // Who declared this node down does not listen to its former self; those it declared
            // down itself do not come back unasked.
            let known: Vec<Key> =
                self.swim.iter_membership_state().map(|m| m.id().clone()).collect();
            for key in known {
                let _ = self.swim.announce(key, &mut self.runtime);
            }
            self.take_in(now);
        }
    }

    /// What the last call has produced; true if this node has taken a new identity.
    fn take_in(&mut self, now: u64) -> bool {
        let mut renewed = false;
        while let Some((to, bytes)) = self.runtime.to_send() {
            self.messages.push((to.origin, bytes.to_vec()));
        }
        while let Some((after, timer)) = self.runtime.to_schedule() {
            let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            self.submitted += 1;
            self.timers.insert((now.saturating_add(after), self.submitted), timer);
        }
        while let Some(news) = self.runtime.to_notify() {
            match news {
                OwnedNotification::MemberUp(key) => {
                    self.verdicts.insert(key.origin, Verdict::Alive);
                }
                OwnedNotification::MemberDown(key) => {
                    self.verdicts.insert(key.origin, Verdict::Down(now));
                }
                OwnedNotification::Rejoin(_) => renewed = true,
                _ => {}
            }
        }
        renewed
    }
}

/// A node that answers nobody is declared down after about half of `peer_timeout`.
fn settings(peer_timeout: u64) -> foca::Config {
    let period = Duration::from_millis((peer_timeout / 10).clamp(20, 1_000));
    let params = |frequency, count| {
        NonZeroUsize::new(count).map(|num_members| PeriodicParams { frequency, num_members })
    };
    let mut settings = foca::Config::simple();
    settings.probe_period = period;
    settings.probe_rtt = period / 2;
    settings.suspect_to_down_after = period * 3;
    settings.remove_down_after = Some(FORGET);
    settings.notify_down_members = true;
    settings.max_transmissions = NonZeroU8::new(8).unwrap_or(NonZeroU8::MIN);
    settings.max_packet_size = NonZeroUsize::new(PACKET).unwrap_or(NonZeroUsize::MIN);
    settings.periodic_announce = params(period * 30, 1);
    settings.periodic_announce_to_down_members = params(period * 5, 2);
    settings.periodic_gossip = params(period, 3);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Detectors joined by links that can be cut; virtual time.
    struct Net {
        nodes: Vec<Detector>,
        cut: Vec<(u16, u16)>,
        now: u64,
    }

    impl Net {
        fn new(count: u16) -> Self {
            let nodes = (1..=count).map(|n| Detector::new(n, u64::from(n), 10_000)).collect();
            let mut net = Self { nodes, cut: Vec::new(), now: 0 };
            for a in 1..=count {
                for b in 1..=count {
                    if a != b {
                        net.node(a).met(0, b, u64::from(b));
                    }
                }
            }
            net
        }

        fn node(&mut self, origin: u16) -> &mut Detector {
            &mut self.nodes[usize::from(origin) - 1]
        }

        fn is_cut(&self, a: u16, b: u16) -> bool {
            self.cut.contains(&(a, b)) || self.cut.contains(&(b, a))
        }

        fn run(&mut self, ms: u64) {
            for _ in 0..ms / 10 {
                self.now += 10;
                for n in 0..self.nodes.len() {
                    let (from, now) = (n as u16 + 1, self.now);
                    self.nodes[n].tick(now);
                    for (to, message) in self.nodes[n].take_messages() {
                        if !self.is_cut(from, to) {
                            self.node(to).received(now, &message);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_silent_node_is_declared_down_within_the_peer_timeout() {
        let mut net = Net::new(2);
        net.run(5_000);
        assert_eq!(net.node(1).verdict(2), Verdict::Alive);
        net.cut = vec![(1, 2)];
        let cut = net.now;
        net.run(9_000);
        let Verdict::Down(at) = net.node(1).verdict(2) else { panic!("still alive") };
        assert!(at > cut && at <= cut + 8_000, "{}", at - cut);
        net.cut.clear();
        // One connection is enough: each takes a new identity, which the other believes.
        let now = net.now;
        net.node(1).met(now, 2, 2);
        net.run(1_000);
        assert_eq!(net.node(1).verdict(2), Verdict::Alive);
        assert_eq!(net.node(2).verdict(1), Verdict::Alive);
    }

    #[test]
    fn a_partial_partition_is_not_seen() {
        let mut net = Net::new(3);
        net.run(5_000);
        net.cut = vec![(1, 2)];
        net.run(60_000);
        for (a, b) in [(1, 2), (2, 1), (1, 3), (2, 3), (3, 1), (3, 2)] {
            assert_eq!(net.node(a).verdict(b), Verdict::Alive, "{a} of {b}");
        }
    }

    #[test]
    fn a_goodbye_needs_no_time() {
        let mut net = Net::new(3);
        net.run(5_000);
        net.node(3).leave(5_000);
        net.node(1).left(5_000, 3);
        assert!(matches!(net.node(1).verdict(3), Verdict::Down(_)));
        net.run(2_000);
        assert!(matches!(net.node(2).verdict(3), Verdict::Down(_)));
        // The next start is another identity and is back at once.
        let now = net.now;
        net.nodes[2] = Detector::new(3, 99, 10_000);
        net.node(3).met(now, 1, 1);
        net.node(1).met(now, 3, 99);
        net.run(3_000);
        assert_eq!(net.node(2).verdict(3), Verdict::Alive);
    }

    #[test]
    fn garbage_is_counted_and_changes_nothing() {
        let mut net = Net::new(2);
        net.run(1_000);
        for byte in 0..=255u8 {
            net.node(1).received(1_000, &vec![byte; usize::from(byte)]);
        }
        assert!(net.node(1).bad > 0);
        assert_eq!(net.node(1).verdict(2), Verdict::Alive);
    }
}
