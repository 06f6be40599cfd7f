//! A cleaner that stops at any step of moving records, while others do to the same records all that
//! can be done; then it goes on, or dies. Two steps of a move are never apart without a point here
//! between them, so this is every interleaving of one move with a whole other operation.

use crate::stopped::{Stopped, nursery};
use std::collections::BTreeMap;
use vug::{MaintainOptions, Region};
use vug_tests::assert_clean;
use vug_tests::victim::{LOCAL, Nursery, decode, encode};

/// Steps of a move, in order.
const POINTS: [&str; 12] = [
    "clean.claimed",
    "clean.marked",
    "append.claimed",
    "append.announced",
    "append.committed",
    "clean.intended",
    "clean.moved",
    "clean.retired",
    "clean.cleared",
    "retire.marked",
    "reclaim.quarantined",
    "reclaim.freed",
];

/// What others do meanwhile.
#[derive(Debug, Clone, Copy)]
enum Rival {
    Replaces,
    Removes,
    InsertsAgain,
    Cleans,
    CleansAndReplaces,
    /// Takes whatever memory becomes free, several times over.
    Overwrites,
}

const RIVALS: [Rival; 6] = [
    Rival::Replaces,
    Rival::Removes,
    Rival::InsertsAgain,
    Rival::Cleans,
    Rival::CleansAndReplaces,
    Rival::Overwrites,
];

/// What must be there.
type Content = BTreeMap<String, u64>;

fn put(region: &Region, content: &mut Content, key: &str, tag: u64, len: usize) {
    region.put(key.as_bytes(), &encode(tag, len)).expect("put");
    content.insert(key.to_owned(), tag);
}

/// Full segments in which little lives.
fn prepare(region: &Region, content: &mut Content, round: u64) {
    for n in 0..60 {
        put(region, content, &format!("key-{n}"), round * 1000 + n, 3000);
    }
    for n in (0..60).filter(|n| n % 8 != 0) {
        let key = format!("key-{n}");
        region.remove(key.as_bytes()).expect("remove");
        content.remove(&key);
    }
}

fn interfere(rival: Rival, region: &Region, content: &mut Content, round: u64) {
    let keys: Vec<String> = content.keys().cloned().collect();
    let clean = || region.maintain(&MaintainOptions::thorough()).expect("maintain");
    if matches!(rival, Rival::Cleans | Rival::CleansAndReplaces) {
        let _done = clean();
    }
    if matches!(rival, Rival::Removes | Rival::InsertsAgain) {
        for key in &keys {
            region.remove(key.as_bytes()).expect("remove").expect("it was there");
            content.remove(key);
        }
    }
    if matches!(rival, Rival::Replaces | Rival::CleansAndReplaces | Rival::InsertsAgain) {
        for key in &keys {
            put(region, content, key, round * 1000 + 500, 200);
        }
    }
    if matches!(rival, Rival::Overwrites) {
        for n in 0..1500 {
            put(region, content, &format!("over-{}", n % 9), round * 1000 + n, 3000);
        }
        let _done = clean();
    }
}

fn compare(region: &Region, content: &Content, what: &str) {
    assert_eq!(region.len().expect("len"), content.len() as u64, "{what}");
    for (key, tag) in content {
        let found = region.get(key.as_bytes()).expect("get");
        assert_eq!(found.as_deref().map(decode), Some(*tag), "{what}: {key}");
    }
}

fn stop_everywhere(nursery: &Nursery, rival: Rival) -> usize {
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let (mut content, mut stops) = (Content::new(), 0);
    for (round, at) in POINTS.iter().enumerate() {
        for dies in [false, true] {
            let round = (2 * round + usize::from(dies) + 1) as u64;
            prepare(&region, &mut content, round);
            let Some(stopped) = Stopped::at(nursery.command("maintain", &[]), at) else { continue };
            stops += 1;
            let what = format!("{rival:?} at {at}, dies: {dies}");
            compare(&region, &content, &what);
            interfere(rival, &region, &mut content, round);
            compare(&region, &content, &what);
            if dies {
                stopped.kill();
                node.recover().expect("recover");
            } else {
                stopped.resume();
            }
            compare(&region, &content, &what);
            region.maintain(&MaintainOptions::thorough()).expect("maintain");
            compare(&region, &content, &what);
            assert_clean(region.path());
        }
    }
    stops
}

#[test]
fn case_03_a_move_against_everything() {
    for rival in RIVALS {
        let stops = stop_everywhere(&nursery(), rival);
        assert!(stops >= 20, "{rival:?}: {stops}");
    }
}
