//! Links that are cut while the bridges on both sides of them go on.

use std::time::Duration;

use vug::Scope;
use vug_tests::wait_until;

use crate::net::{Net, R, Scene};

fn become_equal(scenes: &[Scene]) {
    wait_until("equal content", || {
        let first = scenes[0].content();
        scenes.iter().all(|scene| scene.content() == first)
    });
}

/// Three replicates that soon give up who does not answer.
fn three(scope: Scope) -> (Net, Vec<Scene>) {
    let net = Net::with(3, |config| config.peer_timeout = Duration::from_millis(300));
    let scenes = (0..3).map(|number| net.create(number, R.scope(scope))).collect();
    net.settle();
    (net, scenes)
}

#[test]
fn scenario_274_what_a_lost_node_gave_to_one_other_reaches_all() {
    let (net, scenes) = three(Scope::DistributedNoAck);
    scenes[0].set("k", "before");
    scenes[1].comes("k", Some("before"));
    net.cut_between(0, 1);
    for number in 0..100 {
        scenes[0].set(&format!("k-{number}"), "a");
    }
    scenes[2].comes("k-99", Some("a"));
    net.cut(0);
    // The author never comes back.
    scenes[1].comes("k-99", Some("a"));
    become_equal(&scenes[1..]);
    assert_eq!(scenes[1].entries(), 101);
}

#[test]
fn scenario_277_both_sides_of_a_split_go_on_and_agree_afterwards() {
    let (net, scenes) = three(Scope::DistributedAck);
    scenes[0].set("k", "before");
    net.cut(0);
    let alone = scenes[0].put(b"mine", b"a").expect("the others are given up");
    assert_eq!(alone.departed.nodes(), [2, 3]);
    let together = scenes[1].put(b"theirs", b"b").expect("the other is given up");
    assert_eq!(together.departed.nodes(), [1]);
    scenes[0].set("k", "of one");
    scenes[2].set("k", "of two");
    assert_eq!(scenes[2].value("theirs").as_deref(), Some("b"));
    assert!(!scenes[0].has("theirs") && !scenes[2].has("mine"));
    net.heal(0);
    net.settle();
    become_equal(&scenes);
    assert_eq!(scenes[0].entries(), 3);
    // It is waited for again.
    let outcome = scenes[0].put(b"k", b"after").expect("put");
    assert!(outcome.departed.is_empty());
    assert_eq!(scenes[1].value("k").as_deref(), Some("after"));
}

#[test]
fn a_link_between_two_of_three_that_fails_is_made_good_afterwards() {
    let (net, scenes) = three(Scope::DistributedNoAck);
    net.cut_between(0, 1);
    for (number, scene) in scenes.iter().enumerate() {
        (0..50).for_each(|key| scene.set(&format!("k-{}", key + number * 25), &number.to_string()));
    }
    net.heal_between(0, 1);
    net.settle();
    become_equal(&scenes);
    assert_eq!(scenes[0].entries(), 100);
}
