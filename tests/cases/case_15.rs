//! A process that is stopped at any step of a write holds nobody up, whoever uses the same bucket
//! and the same key included; when it goes on it finishes its write and breaks nothing.

use crate::stopped::{Stopped, nursery};
use vug_tests::assert_clean;
use vug_tests::victim::{DISTRIBUTED, LOCAL, Mixed, decode, encode};

/// Steps of a write, of a new key or of one that is there.
const POINTS: [&str; 19] = [
    "attach.claimed",
    "thread.claimed",
    "append.claimed",
    "append.reset",
    "append.announced",
    "append.committed",
    "write.begun",
    "write.intended",
    "insert.described",
    "insert.claimed",
    "insert.published",
    "insert.finished",
    "write.replaced",
    "retire.marked",
    "write.retired",
    "journal.written",
    "journal.advanced",
    "write.announced",
    "write.cleared",
];

fn stop_everywhere(name: &str, key: &str, present: bool) -> usize {
    let nursery = nursery();
    let node = nursery.node();
    let region = node.region(name).open().expect("open");
    let mut stops = 0;
    for at in POINTS {
        region.remove(key.as_bytes()).expect("remove");
        if present {
            region.put(key.as_bytes(), &encode(5, 100)).expect("put");
        }
        let Some(stopped) = Stopped::writing(&nursery, name, key, at) else { continue };
        stops += 1;
        // The same key, hence the same bucket.
        for tag in 10..200 {
            region.put(key.as_bytes(), &encode(tag, 100)).expect("put");
            let found = region.get(key.as_bytes()).expect("get").map(|value| decode(&value));
            assert_eq!(found, Some(tag), "{at}");
        }
        let mut survivor = Mixed::new(&region, "survivor");
        survivor.run(2000);
        nursery.run("survive", &["another"], None);
        // Stopped is not dead.
        node.recover().expect("recover");
        assert_eq!(node.members().iter().filter(|member| member.alive).count(), 2, "{at}");
        stopped.resume();
        let found = region.get(key.as_bytes()).expect("get").map(|value| decode(&value));
        assert!([Some(1), Some(199)].contains(&found), "{at}: {found:?}");
        survivor.run(500);
        survivor.leave();
        assert_clean(region.path());
    }
    stops
}

#[test]
fn case_15_stopped_owner_of_a_new_key() {
    assert!(stop_everywhere(LOCAL, "new", false) >= 12);
}

#[test]
fn case_15_stopped_owner_of_a_replaced_key() {
    assert!(stop_everywhere(DISTRIBUTED, "replaced", true) >= 12);
}

/// Several are stopped at once, and some of them are killed instead of going on.
#[test]
fn case_15_many_stopped_owners() {
    let nursery = nursery();
    let node = nursery.node();
    let region = node.region(LOCAL).open().expect("open");
    let key = |n: usize| format!("stopped-{n}");
    let stopped: Vec<_> = POINTS
        .iter()
        .enumerate()
        .map(|(n, at)| Stopped::writing(&nursery, LOCAL, &key(n), at))
        .collect();
    let mut survivor = Mixed::new(&region, "survivor");
    survivor.run(5000);
    for (n, stopped) in stopped.into_iter().enumerate() {
        match stopped {
            Some(stopped) if n % 2 == 0 => stopped.resume(),
            Some(stopped) => stopped.kill(),
            None => {}
        }
        survivor.run(100);
    }
    node.recover().expect("recover");
    for n in (0..POINTS.len()).step_by(2) {
        let found = region.get(key(n).as_bytes()).expect("get").map(|value| decode(&value));
        assert_eq!(found, Some(1), "{}", POINTS[n]);
    }
    survivor.leave();
    assert_clean(region.path());
}
