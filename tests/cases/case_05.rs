//! Recoverers die while they recover, three deep: in the end everything is as after one recovery.
//!
//! All pairs of places where recoverers die are in `crash.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::VICTIM;
use vug::Region;
use vug_tests::assert_clean;
use vug_tests::victim::{LOCAL, Nursery, encode};

/// Deaths that leave recovery something to do: where, and while it wrote which key.
const DEATHS: [(&str, &str); 5] = [
    ("insert.claimed", "claimed"),
    ("append.claimed", "appended"),
    ("write.replaced", "replaced"),
    ("write.intended", "intended"),
    ("pin.set", "pinned"),
];
/// Steps of a recovery of a member and of a thread.
const STEPS: [&str; 8] = [
    "recover.claimed",
    "recover.insert",
    "recover.retired",
    "recover.own",
    "recover.intent",
    "recover.hazards",
    "recover.segment",
    "recover.freed",
];

/// What can be seen of a region.
#[derive(Debug, PartialEq, Eq)]
struct Picture {
    entries: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
    kept: BTreeSet<&'static str>,
    threads: u64,
    pins: u64,
}

fn picture(region: &Region) -> Picture {
    let entries = region.iter().map(|entry| entry.expect("an entry"));
    let entries = entries.map(|entry| (entry.key, (entry.value, entry.token.version))).collect();
    let kept = DEATHS.iter().map(|(_, key)| *key);
    let kept = kept.filter(|key| region.contains_key(key.as_bytes()).expect("token")).collect();
    let counters = region.statistics();
    let (threads, pins) = (u64::from(counters.threads > 1), counters.pins as u64);
    Picture { entries, kept, threads, pins }
}

/// Members die, then recoverers at these steps; returns what is left after the last recovery, and
/// how many of the recoverers died.
fn after_deaths_at(steps: &[&str]) -> (Picture, usize) {
    let nursery = Nursery::new(VICTIM);
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    for key in ["replaced", "intended"] {
        region.put(key.as_bytes(), &encode(0, 100)).expect("put");
    }
    // All are there before the first dies: who attaches recovers.
    let waiting = DEATHS.map(|(at, key)| nursery.start_writer(LOCAL, key, at));
    waiting.into_iter().for_each(Nursery::let_die);
    let died = steps.iter().filter(|at| nursery.run("recover", &[], Some(at)).was_killed()).count();
    node.recover().expect("recover");
    assert!(node.members().iter().all(|member| member.myself), "{steps:?}");
    assert_clean(region.path());
    (picture(&region), died)
}

#[test]
fn case_05_recoverers_die_three_deep() {
    let (single, _) = after_deaths_at(&[]);
    assert_eq!((single.threads, single.pins), (0, 0));
    assert!(["claimed", "replaced", "pinned"].iter().all(|key| single.kept.contains(key)));
    let mut deepest = 0;
    for at in STEPS {
        let (nested, died) = after_deaths_at(&[at, at, at]);
        assert!(died > 0, "{at} was not reached");
        assert_eq!(nested, single, "{at}");
        deepest = deepest.max(died);
    }
    assert_eq!(deepest, 3);
}
