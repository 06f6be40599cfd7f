//! Waiting for acknowledgements, and not waiting.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use vug::{Outcome, Region, Scope, WriteOptions};
use vug_tests::wait_until;

use crate::net::{A_WHILE, FULL_IS_ASKED_AGAIN, Net, R, Scene, Site, known_to_fail, tells};

/// Warnings and severe alerts of a bridge that say this.
fn alerts(site: &Site, level: &str, text: &str) -> usize {
    let status = site.status();
    let says = |alert: &&Value| {
        alert["level"] == level && alert["text"].as_str().is_some_and(|said| said.contains(text))
    };
    status["alerts"].as_array().expect("alerts").iter().filter(says).count()
}

/// Three replicates whose bridges report waits at once and never give a node up meanwhile.
fn impatient(severe: Duration, peer_timeout: Duration) -> (Net, Vec<Scene>) {
    let net = Net::with(3, |config| {
        config.ack_wait_threshold = Duration::from_millis(40);
        config.ack_severe_alert_threshold = severe;
        config.peer_timeout = peer_timeout;
    });
    let scenes = (0..3).map(|number| net.create(number, R)).collect();
    net.settle();
    (net, scenes)
}

/// A put that another thread waits for.
fn put_elsewhere(region: &Region) -> thread::JoinHandle<Outcome> {
    let region = region.clone();
    thread::spawn(move || region.put(b"k", b"a").expect("a put waits as long as it must"))
}

const NEVER: Duration = Duration::from_secs(3_600);

#[test]
fn scenario_052_one_writers_changes_arrive_in_order_without_acknowledgement() {
    let like = R.scope(Scope::DistributedNoAck);
    let (_net, [m1, m2]) = Net::of([like, like]);
    let mut events = m2.subscribe();
    (0..300).for_each(|n| m1.set("k", &format!("{n:04}")));
    m2.comes("k", Some("0299"));
    let seen: Vec<String> = tells(&mut events, 1);
    let values: Vec<&str> = seen.iter().filter_map(|told| told.split(':').nth(2)).collect();
    assert!(values.is_sorted(), "went back: {values:?}");
}

#[test]
fn scenario_054_concurrent_puts_end_with_the_same_value_and_version() {
    let like = R.scope(Scope::DistributedNoAck);
    let (net, [m1, m2]) = Net::of([like, like]);
    thread::scope(|scope| {
        for (scene, name) in [(&m1, "a"), (&m2, "b")] {
            scope.spawn(move || (0..500).for_each(|n| scene.set("k", &format!("{name}{n}"))));
        }
    });
    net.settle();
    wait_until("equal content", || m1.content() == m2.content());
}

#[test]
fn scenario_055_without_concurrency_checks_values_may_differ_and_nothing_fails() {
    let like = R.scope(Scope::DistributedNoAck).unchecked();
    let (_net, [m1, m2]) = Net::of([like, like]);
    thread::scope(|scope| {
        for (scene, name) in [(&m1, "a"), (&m2, "b")] {
            scope.spawn(move || (0..200).for_each(|n| scene.set("k", &format!("{name}{n}"))));
        }
    });
    m1.set("end", "of 1");
    m2.comes("end", Some("of 1"));
    assert!(m1.has("k") && m2.has("k"));
}

#[test]
fn scenario_059_nothing_is_lost_between_an_old_member_and_one_that_comes_during_puts() {
    let like = R.scope(Scope::DistributedNoAck);
    let (net, [m1]) = Net::of([like]);
    let mut net = net;
    net.add(|_| {});
    let m2 = thread::scope(|scope| {
        scope.spawn(|| (0..2_000).for_each(|n| m1.set(&format!("k-{n}"), "a")));
        net.create(1, like)
    });
    net.settle();
    wait_until("equal content", || m1.content() == m2.content());
    assert_eq!(m2.entries(), 2_000);
}

#[test]
fn scenario_064_an_acknowledged_put_is_visible_on_the_other_node() {
    let (_net, [m1, m2]) = Net::of([R, R]);
    for n in 0..200 {
        let outcome = m1.put(b"k", format!("{n}").as_bytes()).expect("put");
        assert_eq!(m2.value("k"), Some(format!("{n}")));
        assert!(outcome.departed.is_empty());
    }
}

#[test]
fn scenario_065_one_warning_names_who_is_missing_and_the_wait_goes_on() {
    let (net, scenes) = impatient(Duration::ZERO, NEVER);
    net.cut(1);
    let put = put_elsewhere(&scenes[0].region);
    wait_until("the status repeats it", || {
        net.site(0).region_status("scene").is_some_and(|r| r["wait"]["reports"].as_u64() > Some(2))
    });
    assert!(!put.is_finished());
    assert_eq!(alerts(net.site(0), "warning", "nodes [2] have not acknowledged"), 1);
    net.heal(1);
    let outcome = put.join().expect("no panic");
    assert!(outcome.departed.is_empty(), "{outcome:?}");
    assert_eq!(scenes[1].value("k").as_deref(), Some("a"));
}

#[test]
fn scenario_066_a_put_that_waits_for_a_node_that_leaves_succeeds_and_names_it() {
    let (net, scenes) = impatient(Duration::ZERO, Duration::from_millis(300));
    net.cut(1);
    let outcome = put_elsewhere(&scenes[0].region).join().expect("no panic");
    assert_eq!(outcome.departed.nodes(), [2]);
    assert_eq!(scenes[2].value("k").as_deref(), Some("a"));
    let later = scenes[0].put(b"k", b"b").expect("nobody is waited for");
    assert!(later.departed.is_empty());
}

#[test]
fn scenario_067_a_severe_alert_follows_both_thresholds() {
    let (net, scenes) = impatient(Duration::from_millis(40), NEVER);
    net.cut(1);
    let put = put_elsewhere(&scenes[0].region);
    wait_until("the alert", || alerts(net.site(0), "severe", "nodes [2]") == 1);
    assert_eq!(alerts(net.site(0), "warning", "nodes [2]"), 1);
    net.heal(1);
    put.join().expect("no panic");
}

#[test]
fn scenario_071_a_region_that_is_closed_elsewhere_is_not_waited_for() {
    let (_net, scenes) = impatient(Duration::ZERO, Duration::from_millis(300));
    scenes[1].local_destroy_region().expect("allowed");
    scenes[0].set("k", "a");
    assert_eq!(scenes[2].value("k").as_deref(), Some("a"));
}

/// Two replicates, the first of which wants early acknowledgement.
fn early() -> (Net, Scene, Scene) {
    let net = Net::with(2, |config| config.peer_timeout = NEVER);
    fn like(builder: vug::RegionBuilder<'_>) -> vug::RegionBuilder<'_> {
        builder.data_policy(vug::DataPolicy::Replicate).scope(Scope::DistributedAck)
    }
    let m1 = net.site(0).create(|builder| like(builder).early_ack(true).max_bytes(8 << 20));
    let m2 = net.site(1).create(|builder| like(builder).max_bytes(1 << 20));
    net.settle();
    (net, m1, m2)
}

#[test]
fn scenario_073_and_077_early_acknowledgement_does_not_wait_for_the_change_to_be_applied() {
    if known_to_fail(FULL_IS_ASKED_AGAIN) {
        return;
    }
    let (net, m1, m2) = early();
    // More than the other node has room for: it cannot apply all of it, and no writer hears of it.
    let value = vec![7; 100_000];
    for n in 0..40 {
        m1.put(format!("k-{n}").as_bytes(), &value).expect("received is enough");
    }
    assert!(m2.entries() < 40);
    wait_until("the other node complains", || {
        net.site(1).region_status("scene").is_some_and(|region| region["state"] == "degraded")
    });
}

#[test]
fn scenario_074_early_acknowledgement_waits_for_a_node_that_is_away() {
    let (net, m1, m2) = early();
    net.cut(1);
    let limit = WriteOptions::ack_within(A_WHILE);
    assert!(matches!(m1.put_with(b"k", b"a", &limit), Err(vug::Error::AckTimeout { .. })));
    net.heal(1);
    m2.comes("k", Some("a"));
}

#[test]
fn scenario_076_early_acknowledged_changes_are_applied_in_order() {
    let (_net, m1, m2) = early();
    let mut events = m2.subscribe();
    (0..300).for_each(|n| m1.set("k", &format!("{n:04}")));
    m2.comes("k", Some("0299"));
    let seen = tells(&mut events, 1);
    let values: Vec<&str> = seen.iter().filter_map(|told| told.split(':').nth(2)).collect();
    assert!(values.is_sorted(), "went back: {values:?}");
}
