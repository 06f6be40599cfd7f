//! The first image beside concurrent changes, versions, nodes that come back.

use std::thread;

use vug::Scope;
use vug_tests::wait_until;

use crate::net::{Net, R, Scene};

fn fill(scene: &Scene, count: usize) {
    (0..count).for_each(|n| scene.set(&format!("k-{n}"), "old"));
}

/// A node with content, another one that will take it, and what is done meanwhile.
fn while_taking(change: impl Fn(&Scene, usize) + Sync) -> (Scene, Scene) {
    let (mut net, [m1]) = Net::of([R]);
    fill(&m1, 3_000);
    net.add(|_| {});
    let m2 = thread::scope(|scope| {
        scope.spawn(|| (0..3_000).step_by(3).for_each(|n| change(&m1, n)));
        net.create(1, R)
    });
    net.settle();
    wait_until("equal content", || m1.content() == m2.content());
    (m1, m2)
}

#[test]
fn scenario_118_what_is_destroyed_during_the_image_is_absent_afterwards() {
    let (_, m2) = while_taking(|m1, n| {
        m1.remove(format!("k-{n}").as_bytes()).expect("remove");
    });
    assert_eq!(m2.entries(), 2_000);
    assert!((0..3_000).step_by(3).all(|n| !m2.has(&format!("k-{n}"))));
}

#[test]
fn scenario_119_what_is_updated_during_the_image_stays_updated() {
    let (_, m2) = while_taking(|m1, n| m1.set(&format!("k-{n}"), "new"));
    assert!((0..3_000).step_by(3).all(|n| m2.value(&format!("k-{n}")).as_deref() == Some("new")));
}

#[test]
fn scenario_125_a_target_that_goes_away_leaves_nothing_behind_and_may_come_again() {
    let (mut net, [m1]) = Net::of([R]);
    fill(&m1, 3_000);
    net.add(|_| {});
    let m2 = net.create(1, R);
    net.site_mut(1).stop();
    wait_until("nothing is served", || {
        net.site(0)
            .region_status("scene")
            .is_some_and(|region| region["serving"] == serde_json::json!([]))
    });
    net.site_mut(1).start();
    net.settle();
    wait_until("equal content", || m1.content() == m2.content());
}

#[test]
fn scenario_132_two_newcomers_at_once_both_become_complete() {
    let (mut net, [m1]) = Net::of([R]);
    fill(&m1, 1_000);
    net.add(|_| {});
    net.add(|_| {});
    let (m2, m3) = (net.create(1, R), net.create(2, R));
    net.settle();
    wait_until("equal content", || m1.content() == m2.content() && m1.content() == m3.content());
}

#[test]
fn scenario_133_two_empty_replicates_that_start_together_do_not_wait_for_each_other() {
    let (_net, [m1, m2]) = Net::of([R, R]);
    assert!(m1.is_empty().expect("len") && m2.is_empty().expect("len"));
}

/// Puts, creates, destroys and invalidates by chance.
fn play(scene: &Scene, seed: u64) {
    let mut random = seed;
    for n in 0..600 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let key = format!("k-{}", (random >> 33) % 20);
        let key = key.as_bytes();
        match (random >> 60) % 4 {
            0 => drop(scene.remove(key).expect("remove")),
            1 => match scene.invalidate(key) {
                Ok(_) | Err(vug::Error::EntryNotFound { .. }) => {}
                Err(other) => panic!("{other}"),
            },
            _ => drop(scene.put(key, format!("{seed}-{n}").as_bytes()).expect("put")),
        }
    }
}

#[test]
fn scenario_136_replicates_that_all_change_the_same_keys_end_equal() {
    let like = R.scope(Scope::DistributedNoAck);
    let (_net, scenes) = Net::of([like, like, like]);
    thread::scope(|scope| {
        for (scene, seed) in scenes.iter().zip(1..) {
            scope.spawn(move || play(scene, seed));
        }
    });
    wait_until("equal content", || {
        let first = scenes[0].content();
        scenes.iter().all(|scene| scene.content() == first)
    });
}

#[test]
fn scenario_137_one_that_joins_in_the_middle_ends_equal_too() {
    let like = R.scope(Scope::DistributedNoAck);
    let (mut net, [m1, m2]) = Net::of([like, like]);
    net.add(|_| {});
    let m3 = thread::scope(|scope| {
        scope.spawn(|| play(&m1, 1));
        scope.spawn(|| play(&m2, 2));
        net.create(2, like)
    });
    wait_until("equal content", || {
        let first = m1.content();
        m2.content() == first && m3.content() == first
    });
}

#[test]
fn scenario_142_and_143_tombstones_are_forgotten_everywhere_once_all_have_them() {
    let (net, [m1, m2, m3]) = Net::of([R, R, R]);
    fill(&m1, 50);
    (0..50).for_each(|n| {
        m2.remove(format!("k-{n}").as_bytes()).expect("remove");
    });
    wait_until("all forgotten", || (0..3).all(|n| net.site(n).counter("purged") >= 50));
    assert!(m1.is_empty().expect("len") && m3.is_empty().expect("len"));
    // What comes later is taken as ever.
    m3.set("k-1", "new");
    m1.comes("k-1", Some("new"));
}

#[test]
fn scenario_145_a_copy_that_missed_very_many_updates_takes_the_newest() {
    let like = R.scope(Scope::DistributedNoAck);
    let (mut net, [m1, m2]) = Net::of([like, like]);
    m1.set("k", "first");
    m2.comes("k", Some("first"));
    net.site_mut(1).stop();
    (0..70_000).for_each(|n| m1.set("k", &format!("{n}")));
    net.site_mut(1).start();
    m2.comes("k", Some("69999"));
}

#[test]
fn scenario_275_a_node_that_comes_back_takes_what_it_missed_and_no_more() {
    let like = R.scope(Scope::DistributedNoAck);
    let (mut net, [m1, m2]) = Net::of([like, like]);
    fill(&m1, 2_000);
    m2.comes("k-1999", Some("old"));
    // A tombstone is forgotten when both have closed a time after it, so after all before it.
    m1.set("gone", "a");
    m1.remove(b"gone").expect("remove");
    wait_until("closed time arrives", || (0..2).all(|n| net.site(n).counter("purged") >= 1));
    net.site_mut(1).stop();
    // More changes than the ring holds, of few keys.
    (0..20_000).for_each(|n| m1.set(&format!("k-{}", n % 50), &format!("{n}")));
    m1.remove(b"k-100").expect("remove");
    net.site_mut(1).start();
    net.settle();
    wait_until("equal content", || m1.content() == m2.content());
    let (deltas, records) =
        (net.site(1).counter("deltas_taken"), net.site(1).counter("image_records"));
    assert!(deltas <= 1 && records < 1_000, "{deltas} deltas with {records} records");
}

#[test]
fn scenario_280_without_its_bridge_a_node_goes_on_and_is_brought_up_to_date_afterwards() {
    let like = R.scope(Scope::DistributedNoAck);
    let (mut net, [m1, m2]) = Net::of([like, like]);
    net.site_mut(0).stop();
    m1.set("here", "a");
    m2.set("there", "b");
    assert_eq!(m1.value("here").as_deref(), Some("a"));
    net.site_mut(0).start();
    m1.comes("there", Some("b"));
    m2.comes("here", Some("a"));
}
