//! Named cases, one world each.

use super::world::{Plan, World};
use crate::engine::{AlertLevel, Timing};
use crate::replica::store::{Scope, State};

pub(super) fn value(n: u32) -> Option<Vec<u8>> {
    Some(n.to_be_bytes().to_vec())
}

pub(super) fn counters(w: &World, n: usize) -> crate::engine::Counters {
    w.nodes[n].engine.as_ref().unwrap().status().counters
}

pub(super) fn settled(w: &mut World) {
    for _ in 0..3_000 {
        if w.unfinished(true).is_none() {
            return;
        }
        w.run(20);
    }
    panic!("{:?}\n{}", w.unfinished(true), w.picture());
}

/// Node 0 and further ones run with content; the last node has not been started.
pub(super) fn grown(nodes: usize, keys: u32, plan: Plan) -> World {
    let mut w = World::new(7, Plan { nodes, ..plan });
    for n in 0..nodes - 1 {
        w.start(n);
    }
    w.run(3_000);
    for key in 0..keys {
        w.write_now(key as usize % (nodes - 1), 0, key, value(key));
        w.run(1);
    }
    w.run(1_000);
    w
}

#[test]
fn nodes_that_start_empty_together_become_ready() {
    let mut w = World::new(1, Plan { nodes: 3, ..Plan::default() });
    w.start_all();
    let ready = |w: &World| (0..3).all(|n| w.region(n, 0).state == State::Ready);
    assert!(w.run_until(900, ready), "they must not wait for each other or for a time-out");
}

#[test]
fn two_node_cluster_with_one_dead_starts_and_releases_writers() {
    let mut w = World::new(1, Plan::default());
    w.start(0);
    assert!(w.run_until(1_500, |w| w.region(0, 0).state == State::Ready));
    let p = w.write_now(0, 0, 1, value(1));
    assert!(w.run_until(50, |w| w.region(0, 0).watermarks.2 > p));
    w.start(1);
    settled(&mut w);
    w.crash(1);
    w.run(1_000);
    let p = w.write_now(0, 0, 2, value(2));
    w.run(500);
    assert!(w.region(0, 0).watermarks.2 <= p, "a short absence is ridden out");
    let status = w.nodes[0].engine.as_ref().unwrap().status();
    assert_eq!(status.regions[0].waiting_for, [2]);
    assert!(w.run_until(3_000, |w| w.region(0, 0).watermarks.2 > p), "then it is dropped");
    // A restart of the survivor takes the dead one for lost again, and drops it again.
    w.crash(0);
    let p = w.write_now(0, 0, 3, value(3));
    w.start(0);
    w.run(1_000);
    assert!(w.region(0, 0).watermarks.2 <= p);
    assert!(w.run_until(3_000, |w| w.region(0, 0).watermarks.2 > p));
    w.start(1);
    settled(&mut w);
}

#[test]
fn a_newcomer_takes_one_image_while_everybody_writes() {
    let mut w = grown(4, 500, Plan::default());
    w.start(3);
    for key in 0..300 {
        w.write_now(key as usize % 3, 0, key, if key % 3 == 0 { None } else { value(key + 1) });
        w.run(1);
    }
    settled(&mut w);
    assert_eq!(counters(&w, 3).images_taken, 1);
    let others: u64 = (0..3).map(|n| counters(&w, n).images_taken).sum();
    assert_eq!(others, 0);
}

/// The destroyed key reaches N long before or long after the source has scanned it.
fn destroy_races(slow_from: usize, slow_to: usize) {
    for offset in 0..60 {
        // 0: source, 1: destroyer, 2: newcomer.
        let mut w = grown(3, 200, Plan { batch: 2, ..Plan::default() });
        w.slow.insert((slow_from, slow_to), 500);
        w.nodes[2].dials = true;
        w.start(2);
        w.run(offset * 10);
        for key in 0..200 {
            w.write_now(1, 0, key, None);
        }
        w.run(100);
        w.slow.clear();
        settled(&mut w);
        assert!(w.region(2, 0).table.values().all(|e| e.value.is_empty()));
    }
}

#[test]
fn destroy_reaches_the_newcomer_late() {
    destroy_races(1, 2);
}

#[test]
fn destroy_reaches_the_source_late() {
    destroy_races(1, 0);
}

#[test]
fn source_dies_at_any_moment_of_the_transfer() {
    for moment in 0..80 {
        let mut w = grown(3, 200, Plan { batch: 4, ..Plan::default() });
        w.start(2);
        let taking = |w: &World| {
            let status = w.nodes[2].engine.as_ref().unwrap().status();
            status.regions[0].taking.as_ref().map(|t| t.origin)
        };
        assert!(w.run_until(3_000, |w| taking(w).is_some()));
        w.run(moment * 2);
        if let Some(source) = taking(&w) {
            w.crash(usize::from(source) - 1);
            w.run(2_500);
            assert_eq!(w.region(2, 0).state, State::Ready, "the other source was asked");
        }
        w.start_all();
        settled(&mut w);
    }
}

#[test]
fn a_bridge_restart_resumes_from_the_ring() {
    let mut w = grown(3, 30, Plan { ring_len: 1_000, ..Plan::default() });
    w.start(2);
    settled(&mut w);
    let images = counters(&w, 0).images_served + counters(&w, 1).images_served;
    for round in 0..20u32 {
        w.crash(0);
        for key in 0..10 {
            w.write_now(0, 0, key, value(round));
            w.write_now(1, 0, key + 100, value(round));
        }
        w.run(200);
        w.start(0);
        settled(&mut w);
    }
    let served: u64 = (0..3).map(|n| counters(&w, n).images_served).sum();
    assert!(served <= images, "no image was needed");
    assert!(counters(&w, 0).resumed > 0);
}

#[test]
fn a_lapped_node_takes_an_image() {
    let scope = vec![("r", Scope::DistributedNoAck)];
    let plan = Plan { ring_len: 16, regions: scope, ..Plan::default() };
    let mut w = grown(2, 10, plan);
    w.start(1);
    settled(&mut w);
    let before = counters(&w, 1).images_taken;
    w.cut(0, 1);
    for key in 0..100 {
        w.write_now(0, 0, key, if key < 10 { None } else { value(key) });
    }
    w.run(1_000);
    w.heal();
    settled(&mut w);
    assert_eq!(counters(&w, 1).images_taken, before + 1);
    assert_eq!(counters(&w, 0).images_taken, 0, "the other direction resumed");
}

#[test]
fn both_lapped_nodes_merge_by_version() {
    let scope = vec![("r", Scope::DistributedNoAck)];
    let mut w = grown(2, 10, Plan { ring_len: 16, regions: scope, ..Plan::default() });
    w.start(1);
    settled(&mut w);
    w.cut(0, 1);
    for key in 0..100 {
        let n = (key % 2) as usize;
        w.write_now(n, 0, key, if key % 5 == 0 { None } else { value(key) });
        w.write_now(1 - n, 0, key / 2, if key % 7 == 0 { None } else { value(key) });
        w.run(1);
    }
    w.run(3_000);
    w.heal();
    settled(&mut w);
    assert_eq!(counters(&w, 0).swept + counters(&w, 1).swept, 0, "all of it was news");
}

#[test]
fn the_sweep_removes_what_the_source_has_purged_and_keeps_news() {
    let scope = vec![("r", Scope::DistributedNoAck)];
    let mut w = grown(2, 0, Plan { ring_len: 16, regions: scope, ..Plan::default() });
    w.start(1);
    w.run(2_000);
    for key in 0..20 {
        w.write_now(0, 0, key, value(key));
    }
    settled(&mut w);
    w.run(2_000);
    w.cut(0, 1);
    w.run(1_000);
    for key in 0..5 {
        w.write_now(0, 0, key, None);
    }
    for key in 40..80 {
        w.write_now(0, 0, key, value(key));
    }
    w.write_now(1, 0, 100, value(1));
    w.write_now(1, 0, 6, value(2));
    // As if all others had agreed to forget them.
    let newest = w.region(0, 0).table[&4].version;
    w.region(0, 0).horizon = newest;
    w.region(0, 0).table.retain(|key, _| *key >= 5);
    w.run(500);
    w.heal();
    let same = |w: &World| w.region(0, 0).table == w.region(1, 0).table;
    assert!(w.run_until(5_000, same), "{}", w.picture());
    assert_eq!(counters(&w, 1).swept, 5);
    assert!((0..5).all(|key| !w.region(1, 0).table.contains_key(&key)));
    assert!(w.region(0, 0).table.contains_key(&100));
}

#[test]
fn a_node_that_lost_everything_proves_nothing_by_it() {
    let mut w = grown(2, 50, Plan::default());
    w.start(1);
    settled(&mut w);
    w.run(1_000);
    w.reset(0);
    w.start(0);
    w.run(3_000);
    w.write_now(0, 0, 500, value(1));
    w.run(2_000);
    for n in 0..2 {
        assert_eq!(w.region(n, 0).table.len(), 51);
    }
    assert_eq!(counters(&w, 1).swept, 0);
}

#[test]
fn survivors_equalise_what_a_dead_origin_left() {
    let plan = Plan { ring_len: 1_000, ..Plan::default() };
    let mut w = World::new(3, Plan { nodes: 3, ..plan });
    w.start_all();
    w.run(2_000);
    w.cut(0, 2);
    for key in 0..20 {
        w.write_now(0, 0, key, value(key));
    }
    w.run(100);
    w.crash(0);
    let same = |w: &World| w.region(1, 0).table == w.region(2, 0).table;
    assert!(!same(&w));
    assert!(w.run_until(6_000, same), "{}", w.picture());
    assert_eq!(w.region(2, 0).table.len(), 20);
}

#[test]
fn a_change_that_cannot_be_taken_is_not_acknowledged_and_not_lost() {
    let mut w = grown(2, 5, Plan::default());
    w.start(1);
    settled(&mut w);
    w.nodes[1].store.borrow_mut().full = true;
    let p = w.write_now(0, 0, 1, value(9));
    w.run(5_000);
    assert!(w.region(0, 0).watermarks.2 <= p);
    assert_eq!(w.region(1, 0).state, State::Degraded);
    w.nodes[1].store.borrow_mut().full = false;
    settled(&mut w);
}

#[test]
fn writers_that_wait_too_long_are_reported_with_names() {
    let timing = Timing { peer_timeout: 100_000, ack_warning: 2_000, ..Timing::default() };
    let mut w = grown(2, 5, Plan { timing, ..Plan::default() });
    w.start(1);
    settled(&mut w);
    w.crash(1);
    w.write_now(0, 0, 1, value(9));
    w.run(5_000);
    let told = w.nodes[0].alerts.iter().filter(|(_, t)| t.contains("nodes [2]")).count();
    assert_eq!(told, 1, "{:?}", w.nodes[0].alerts);
}

#[test]
fn a_severe_alert_follows_and_makes_the_missing_node_connect_again() {
    let timing = Timing { ack_warning: 1_000, ack_severe: 500, ..Timing::default() };
    let mut w = grown(2, 5, Plan { timing, ..Plan::default() });
    w.start(1);
    settled(&mut w);
    w.nodes[1].store.borrow_mut().full = true;
    let p = w.write_now(0, 0, 1, value(9));
    w.run(20_000);
    let of = |level: AlertLevel, w: &World| {
        let named = |(l, t): &&(AlertLevel, String)| *l == level && t.contains("nodes [2]");
        w.nodes[0].alerts.iter().filter(named).count()
    };
    assert_eq!((of(AlertLevel::Warning, &w), of(AlertLevel::Severe, &w)), (1, 1));
    assert!(w.region(0, 0).watermarks.2 <= p, "the wait goes on");
    let wait = w.nodes[0].engine.as_ref().unwrap().status().regions[0].wait.clone().unwrap();
    assert!(wait.reports >= 4 && wait.severe, "{wait:?}");
    w.nodes[1].store.borrow_mut().full = false;
    settled(&mut w);
    assert!(w.nodes[0].engine.as_ref().unwrap().status().regions[0].wait.is_none());
}

#[test]
fn a_node_that_left_is_named_to_whom_it_did_not_answer() {
    let mut w = grown(3, 5, Plan::default());
    w.start(2);
    settled(&mut w);
    w.crash(2);
    let p = w.write_now(0, 0, 1, value(9));
    assert!(w.run_until(5_000, |w| w.region(0, 0).watermarks.2 > p));
    assert_eq!(w.region(0, 0).departures, [(3, p, p + 1)]);
    w.write_now(0, 0, 1, value(10));
    w.start(2);
    settled(&mut w);
    assert_eq!(w.region(0, 0).departures.len(), 1, "later writes were not affected");
}

/// A world of two nodes whose region asks for early acknowledgement.
fn early() -> World {
    let regions = vec![("early", Scope::DistributedAck)];
    let mut w = grown(2, 5, Plan { regions, ..Plan::default() });
    w.start(1);
    settled(&mut w);
    w
}

#[test]
fn early_acknowledgement_comes_before_the_change_is_applied() {
    let mut w = early();
    let p = w.write_now(0, 0, 1, value(9));
    // Early means: there is a moment at which it is received and not applied.
    let between = |w: &World| {
        let (_, received, applied) = w.region(0, 0).watermarks;
        received > p && applied <= p
    };
    w.slow.insert((1, 0), 0);
    assert!(w.run_until(200, between), "{:?}", w.region(0, 0).watermarks);
    settled(&mut w);
}

#[test]
fn an_error_at_the_receiver_is_none_to_the_writer_with_early_acknowledgement() {
    let mut w = early();
    w.nodes[1].store.borrow_mut().full = true;
    let p = w.write_now(0, 0, 1, value(9));
    assert!(w.run_until(500, |w| w.region(0, 0).watermarks.1 > p));
    w.run(1_000);
    assert!(w.region(0, 0).watermarks.2 <= p);
    assert_eq!(w.region(1, 0).state, State::Degraded);
    w.nodes[1].store.borrow_mut().full = false;
    settled(&mut w);
}

#[test]
fn early_acknowledgement_waits_for_receipt_and_warns_like_any_other() {
    let mut w = early();
    w.crash(1);
    let p = w.write_now(0, 0, 1, value(9));
    w.run(1_500);
    assert!(w.region(0, 0).watermarks.1 <= p);
    assert_eq!(w.nodes[0].engine.as_ref().unwrap().status().regions[0].waiting_for, [2]);
}

#[test]
fn acknowledgements_survive_a_path_without_datagrams() {
    let mut w = grown(2, 5, Plan { loss: 100, ..Plan::default() });
    w.start(1);
    settled(&mut w);
    let p = w.write_now(0, 0, 1, value(9));
    assert!(w.run_until(500, |w| w.region(0, 0).watermarks.2 > p));
}

#[test]
fn regions_may_appear_later() {
    let mut w = World::new(5, Plan::default());
    w.start_all();
    settled(&mut w);
    for n in [0, 1] {
        let scope = Scope::DistributedAck;
        w.nodes[n].store.borrow_mut().create("late", scope, 77 + n as u64, 64);
        w.input(n, crate::engine::Input::Local);
        w.run(500);
    }
    w.plan.regions.push(("late", Scope::DistributedAck));
    w.write_now(0, 1, 1, value(1));
    settled(&mut w);
    assert!(w.region(1, 1).table.contains_key(&1));
}

#[test]
fn the_source_waits_until_it_holds_what_the_newcomer_cannot_get() {
    let mut w = grown(3, 50, Plan { ring_len: 4, ..Plan::default() });
    w.slow.insert((0, 1), 400);
    w.slow.insert((1, 0), 400);
    // When the cuts are known, either source still waits for changes of the other.
    for key in 0..100 {
        if key == 50 {
            w.start(2);
        }
        for n in [0, 1] {
            w.write_now(n, 0, key, if key % 2 == 0 { None } else { value(key) });
        }
        w.run(5);
    }
    w.slow.clear();
    settled(&mut w);
    assert_eq!(counters(&w, 2).images_taken, 1);
}

#[test]
fn what_a_lost_machine_told_only_some_is_found_among_the_others() {
    let mut w = World::new(3, Plan { nodes: 3, ring_len: 1_000, ..Plan::default() });
    w.start_all();
    w.run(2_000);
    w.cut(0, 1);
    for key in 0..20 {
        w.write_now(0, 0, key, value(key));
    }
    w.run(100);
    w.reset(0);
    w.heal();
    w.start(0);
    let same = |w: &World| (0..2).all(|n| w.region(n, 0).table == w.region(2, 0).table);
    assert!(w.run_until(6_000, same), "{}", w.picture());
    assert_eq!(w.region(1, 0).table.len(), 20);
}
