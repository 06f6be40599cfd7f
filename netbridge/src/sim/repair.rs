//! Deltas, images that go on, tombstones that are forgotten, copies that join late, clocks.

use super::cases::{counters, grown, settled, value};
use super::world::{Plan, World};
use crate::engine::AlertLevel;
use crate::replica::store::{Scope, State};

fn no_ack(ring_len: usize) -> Plan {
    Plan { ring_len, regions: vec![("r", Scope::DistributedNoAck)], ..Plan::default() }
}

#[test]
fn a_lapped_node_is_sent_what_changed_and_no_more() {
    let mut w = grown(2, 400, no_ack(16));
    w.start(1);
    settled(&mut w);
    w.run(2_000);
    let before = counters(&w, 1);
    w.cut(0, 1);
    for key in 0..40 {
        w.write_now(0, 0, key, if key % 4 == 0 { None } else { value(key + 1) });
    }
    w.run(500);
    w.heal();
    settled(&mut w);
    let after = counters(&w, 1);
    assert_eq!(after.deltas_taken, before.deltas_taken + 1);
    let records = after.image_records - before.image_records;
    assert!((40..60).contains(&records), "{records} records for 40 changes of 400 entries");
}

#[test]
fn an_image_that_is_cut_off_goes_on_where_it_was() {
    let mut resumed = 0;
    for moment in 0..40 {
        let mut w = grown(2, 400, Plan { batch: 4, ..no_ack(64) });
        w.start(1);
        let under_way = |w: &World| {
            let status = w.nodes[1].engine.as_ref().unwrap().status();
            status.regions[0].taking.as_ref().is_some_and(|t| t.records > 20)
        };
        assert!(w.run_until(3_000, under_way));
        w.run(moment * 2);
        w.cut(0, 1);
        for key in (0..400).step_by(7) {
            w.write_now(0, 0, key, if key % 2 == 0 { None } else { value(key + 1) });
            w.run(1);
        }
        w.run(1_000);
        w.heal();
        settled(&mut w);
        resumed += counters(&w, 1).images_resumed;
    }
    assert!(resumed > 20, "{resumed} of 40");
}

#[test]
fn tombstones_wait_for_a_node_that_is_away_and_go_when_it_is_back() {
    let mut w = grown(3, 50, no_ack(16));
    w.start(2);
    settled(&mut w);
    w.crash(2);
    for key in 0..50 {
        w.write_now(0, 0, key, None);
    }
    w.run(60_000);
    assert_eq!((w.tombstones(0), w.tombstones(1)), (50, 50));
    w.start(2);
    settled(&mut w);
    w.run(60_000);
    assert_eq!([0, 1, 2].map(|n| w.tombstones(n)), [0; 3], "{}", w.picture());
    assert!((0..3).all(|n| w.region(n, 0).table.is_empty()));
}

#[test]
fn a_copy_that_was_used_alone_joins_those_that_have_forgotten() {
    let mut w = grown(3, 50, no_ack(16));
    // The last one is used before its bridge ever runs.
    for key in 1_000..1_020 {
        w.write_now(2, 0, key, value(key));
    }
    w.plan.nodes = 2;
    for key in 0..50 {
        w.write_now(1, 0, key, None);
    }
    w.run(5_000);
    w.plan.nodes = 3;
    // As if the two had been configured without the third.
    let newest = w.region(0, 0).table.values().map(|e| e.version).max().unwrap();
    for n in 0..2 {
        let mut region = w.region(n, 0);
        region.horizon = newest;
        region.table.clear();
    }
    w.start(2);
    settled(&mut w);
    assert_eq!(counters(&w, 2).restamped, 20);
    assert!((0..3).all(|n| w.region(n, 0).table.keys().filter(|k| **k >= 1_000).count() == 20));
}

#[test]
fn a_node_whose_clock_is_far_ahead_is_refused_until_it_is_set() {
    let mut w = grown(2, 5, Plan::default());
    w.nodes[1].clock_offset = 3_600_000;
    w.start(1);
    w.run(5_000);
    let status = w.nodes[0].engine.as_ref().unwrap().status();
    assert!(status.refusals.iter().any(|r| r.code == 60), "{:?}", status.refusals);
    assert_eq!(w.region(1, 0).table.len(), 0);
    w.nodes[1].clock_offset = 0;
    settled(&mut w);
}

#[test]
fn a_clock_that_runs_away_ends_the_connection() {
    let mut w = grown(2, 5, Plan::default());
    w.start(1);
    settled(&mut w);
    w.nodes[1].clock_offset = 10_000;
    w.run(15_000);
    let severe = |(level, text): &&(AlertLevel, String)| {
        *level == AlertLevel::Severe && text.contains("clock of node 2")
    };
    assert_eq!(w.nodes[0].alerts.iter().filter(severe).count(), 1, "{:?}", w.nodes[0].alerts);
    assert!(!w.nodes[0].engine.as_ref().unwrap().is_connected(2));
    w.nodes[1].clock_offset = 0;
    assert!(w.run_until(10_000, |w| w.nodes[0].engine.as_ref().unwrap().is_connected(2)));
}

#[test]
fn a_clock_that_steps_back_keeps_every_promise() {
    let mut w = grown(2, 20, Plan::default());
    w.nodes[0].clock_offset = 100_000;
    w.nodes[1].clock_offset = 100_000;
    w.start(1);
    settled(&mut w);
    for round in 0..30 {
        // Ten seconds back, under load.
        w.nodes[0].clock_offset -= 330;
        for key in 0..20 {
            w.write_now(0, 0, key, if round % 3 == 0 { None } else { value(round) });
        }
        w.run(50);
    }
    settled(&mut w);
    assert_eq!(w.region(0, 0).state, State::Ready);
}
