//! What reaches replicates: everything.

use crate::net::{Net, R, told};

#[test]
fn scenario_020_what_is_put_on_one_replicate_is_on_the_other_when_the_put_returns() {
    let (_net, [m1, m2]) = Net::of([R, R]);
    let mut events = m2.subscribe();
    m1.set("k", "a");
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    assert_eq!(told(&mut events), ["create:k:a:-:node-1"]);
}

#[test]
fn scenario_022_every_replicate_has_what_one_creates() {
    let (_net, scenes) = Net::of([R, R, R]);
    for number in 0..100 {
        scenes[0].set(&format!("k-{number}"), "a");
    }
    assert!(scenes.iter().all(|scene| scene.entries() == 100));
    assert_eq!(scenes[1].content(), scenes[0].content());
    assert_eq!(scenes[2].content(), scenes[0].content());
}

#[test]
fn scenario_024_a_replicate_that_is_destroyed_here_stays_elsewhere() {
    let (_net, [m1, m2]) = Net::of([R, R]);
    m2.set("k", "a");
    m1.local_destroy_region().expect("allowed");
    m2.set("k", "b");
    assert_eq!(m2.value("k").as_deref(), Some("b"));
    assert!(m1.get(b"k").is_err());
}
