//! The event ring goes round several times while producers die at every step of a write: it has no
//! holes, who was overrun is told so, and every change that took place is announced.

use crate::stopped::nursery;
use std::collections::HashMap;
use vug::{Notice, Region, Subscription};
use vug_tests::assert_clean;
use vug_tests::damage::Random;
use vug_tests::victim::{DISTRIBUTED, LOCAL, Nursery};

/// Where producers die: on the way of a change into the ring.
const DEATHS: [&str; 14] = [
    "journal.written",
    "journal.advanced",
    "insert.claimed",
    "insert.published",
    "insert.finished",
    "append.committed",
    "write.intended",
    "write.replaced",
    "write.retired",
    "retire.marked",
    "write.announced",
    "write.dropped",
    "write.cleared",
    "recover.intent",
];

/// Follows one region; `next` is the position it has got to.
struct Follower {
    events: Subscription,
    next: Option<u64>,
    /// Highest version of each key that was announced.
    announced: HashMap<Vec<u8>, u64>,
}

impl Follower {
    fn new(region: &Region) -> Follower {
        Follower { events: region.subscribe(), next: None, announced: HashMap::new() }
    }

    /// Takes all notices there are; each begins where the one before ended.
    fn poll(&mut self) {
        while let Some(notice) = self.events.poll().expect("poll") {
            let (from, to) = match notice {
                Notice::Event(event) => {
                    let version = self.announced.entry(event.key).or_default();
                    *version = event.token.version.max(*version);
                    (event.position, event.position + 1)
                }
                Notice::Lapped { from, to } => (from, to),
                other => panic!("{other:?}"),
            };
            assert!(from < to);
            assert_eq!(from, self.next.unwrap_or(from), "a hole");
            self.next = Some(to);
        }
    }

    /// All that is in the region was announced. (What was replaced before the follower looked may
    /// have been lapped: its memory is used again.)
    fn compare(&self, region: &Region) -> usize {
        let entries = region.iter().map(|entry| entry.expect("entry"));
        let seen = entries.map(|entry| {
            let announced = self.announced.get(&entry.key);
            assert_eq!(announced, Some(&entry.token.version), "{:?}", entry.key);
        });
        seen.count()
    }
}

#[test]
fn case_11_ring_wrap() {
    let nursery = Nursery::with_max_bytes(crate::VICTIM, 16 << 20);
    let node = nursery.node();
    for name in [LOCAL, DISTRIBUTED] {
        let region = node.region(name).open().expect("open");
        let mut live = Follower::new(&region);
        let mut paused = Follower::new(&region);
        let mut random = Random(11);
        let laps = 3 * region.statistics().ring_len;
        let mut generation = 1_u64;
        let mut deaths = 0;
        while region.statistics().ring_tail < laps {
            let at = DEATHS[random.below(DEATHS.len())];
            let at = format!("{at}:{}", 1 + random.below(150));
            generation += 1;
            let (first, count) = ((generation << 32).to_string(), "1500");
            let victim = nursery.run("produce", &[name, &first, count], Some(&at));
            deaths += usize::from(victim.was_killed());
            region.recover().expect("recover");
            live.poll();
            live.compare(&region);
        }
        assert!(deaths > 3, "{deaths}");
        let found = live.compare(&region);
        assert!(found > 0);
        // The other slept for three laps: it is told so at once, and goes on with what is there.
        let begin = paused.events.poll().expect("poll");
        let end = region.statistics().ring_tail;
        let Some(Notice::Lapped { to, .. }) = begin else { panic!("{begin:?}") };
        assert!(to + region.statistics().ring_len >= end, "{to} of {end}");
        paused.next = Some(to);
        paused.poll();
        assert_eq!(paused.next, live.next, "{name}");
        println!("{name}: {deaths} deaths, {found} entries");
        assert_clean(region.path());
    }
}

/// A consumer that was overrun and looks at the region again knows all that it missed.
#[test]
fn case_11_resynchronisation() {
    let nursery = nursery();
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let mut events = region.subscribe();
    let mut copy: HashMap<Vec<u8>, (u64, Option<Vec<u8>>)> = HashMap::new();
    for round in 0..4_u64 {
        for n in 0..region.statistics().ring_len + 500 {
            let key = format!("key-{}", n % 30).into_bytes();
            if n % 7 == round {
                region.remove(&key).expect("remove");
            } else {
                region.put(&key, &n.to_le_bytes()).expect("put");
            }
        }
        while let Some(notice) = events.poll().expect("poll") {
            match notice {
                Notice::Event(event) => {
                    let newer = copy.get(&event.key).is_none_or(|(v, _)| *v < event.token.version);
                    if newer {
                        copy.insert(event.key, (event.token.version, event.value));
                    }
                }
                other => {
                    assert!(matches!(other, Notice::Lapped { .. }));
                    copy.clear();
                    for entry in region.iter().map(|entry| entry.expect("entry")) {
                        copy.insert(entry.key, (entry.token.version, Some(entry.value)));
                    }
                }
            }
        }
        let mut known: Vec<_> =
            copy.iter().filter_map(|(k, (_, v))| Some((k.clone(), v.clone()?))).collect();
        let mut there: Vec<_> =
            region.iter().map(|entry| entry.expect("entry")).map(|e| (e.key, e.value)).collect();
        known.sort();
        there.sort();
        assert_eq!(known, there, "round {round}");
    }
}
