//! Real bridges, real regions, real QUIC on loopback.

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod cluster;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cluster::{Cluster, content, has_socket, pair, until, value_of};
use vug::{Scope, WriteOptions};
use vug_netbridge::config::PeerConfig;

#[test]
fn values_and_destroys_travel_both_ways() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = pair(&cluster);
    for scope in [Scope::DistributedAck, Scope::DistributedNoAck] {
        let name = scope.to_string();
        a.region(&name, scope);
        b.region(&name, scope);
    }
    a.start();
    b.start();
    for scope in [Scope::DistributedAck, Scope::DistributedNoAck] {
        let name = scope.to_string();
        let (on_a, on_b) = (a.region(&name, scope), b.region(&name, scope));
        a.wait_for_member(&name, 2);
        b.wait_for_member(&name, 1);
        on_a.put(b"from a", b"1").expect("put");
        if scope == Scope::DistributedAck {
            assert_eq!(value_of(&on_b, b"from a").as_deref(), Some(&b"1"[..]));
        }
        on_b.put(b"from b", b"2").expect("put");
        until("a's value on b", || value_of(&on_b, b"from a"));
        until("b's value on a", || value_of(&on_a, b"from b"));
        assert_eq!(content(&on_a), content(&on_b));

        on_b.destroy(b"from a").expect("destroy");
        until("the destroy on a", || value_of(&on_a, b"from a").is_none().then_some(()));
        assert_eq!(content(&on_a), content(&on_b));
    }
    a.stop();
    b.stop();
    assert!(!has_socket(&a.home()) && !has_socket(&b.home()));
}

#[test]
fn an_acknowledged_write_is_on_the_other_node_when_it_returns() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = pair(&cluster);
    let (on_a, on_b) = (a.region("r", Scope::DistributedAck), b.region("r", Scope::DistributedAck));
    a.start();
    b.start();
    a.wait_for_member("r", 2);
    for i in 0..200_u32 {
        let (key, value) = (i.to_le_bytes(), vec![i as u8; i as usize * 37]);
        on_a.put(&key, &value).expect("put");
        assert_eq!(value_of(&on_b, &key), Some(value), "{i}");
    }
}

#[test]
fn a_region_made_later_is_found_and_distributed() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = pair(&cluster);
    a.start();
    b.start();
    a.wait_for_peer(2);
    let on_a = a.region("late", Scope::DistributedAck);
    let on_b = b.region("late", Scope::DistributedAck);
    a.wait_for_member("late", 2);
    on_a.put(b"k", b"v").expect("put");
    until("the value", || value_of(&on_b, b"k"));
}

#[test]
fn a_node_that_joins_takes_everything_while_a_writer_writes() {
    const KEYS: u32 = 2000;
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = pair(&cluster);
    let on_a = a.region("r", Scope::DistributedNoAck);
    // More changes than the ring holds (16,384 here): it cannot be replayed, an image is needed.
    for i in 0..10 * KEYS {
        on_a.put(&(i % KEYS).to_le_bytes(), &[0; 100]).expect("put");
    }
    for i in (0..KEYS).step_by(7) {
        on_a.destroy(&i.to_le_bytes()).expect("destroy");
    }
    a.start();
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (on_a, done) = (on_a.clone(), done.clone());
        move || {
            let mut round = 1_u32;
            while !done.load(Ordering::Relaxed) && round < 30_000 {
                on_a.put(&(round % KEYS).to_le_bytes(), &round.to_le_bytes()).expect("put");
                on_a.remove(&(round * 31 % KEYS).to_le_bytes()).expect("remove");
                round += 1;
            }
        }
    });
    b.start();
    let on_b = b.region("r", Scope::DistributedNoAck);
    until("an image", || {
        let taken = b.status()["counters"]["images_taken"].as_u64();
        (taken > Some(0)).then_some(())
    });
    done.store(true, Ordering::Relaxed);
    writer.join().expect("writer");
    until("equal nodes", || (content(&on_a) == content(&on_b)).then_some(()));
}

#[test]
fn a_bridge_that_is_restarted_goes_on() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = pair(&cluster);
    let (on_a, on_b) =
        (a.region("r", Scope::DistributedNoAck), b.region("r", Scope::DistributedNoAck));
    a.start();
    b.start();
    a.wait_for_member("r", 2);
    on_a.put(b"before", b"1").expect("put");
    until("the first value", || value_of(&on_b, b"before"));
    for round in 0..3_u8 {
        let (restarted, name) = if round % 2 == 0 { (&mut a, "a") } else { (&mut b, "b") };
        let epoch = restarted.status()["epoch"].as_u64().expect("epoch");
        restarted.stop();
        on_a.put(name.as_bytes(), &[round]).expect("put");
        on_b.put(&[round], b"from b").expect("put");
        restarted.start();
        assert!(restarted.status()["epoch"].as_u64().expect("epoch") > epoch);
        until("equal nodes", || (content(&on_a) == content(&on_b)).then_some(()));
        assert_eq!(value_of(&on_b, name.as_bytes()), Some(vec![round]));
    }
}

#[test]
fn two_nodes_that_dial_each_other_keep_one_connection() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = pair(&cluster);
    a.start();
    b.start();
    a.wait_for_peer(2);
    b.wait_for_peer(1);
    // Longer than the dialers' first delays: the connection must stay the same.
    let steady = || {
        let peers = a.status()["peers"].clone();
        let peers = peers.as_array().expect("list").clone();
        let one = peers.len() == 1 && peers[0]["state"] == "up";
        (one && peers[0]["connected_ms"].as_u64() > Some(1500)).then_some(())
    };
    until("a steady connection", steady);
    assert_eq!(b.status()["peers"].as_array().map(Vec::len), Some(1));
}

#[test]
fn strangers_are_refused_and_the_status_says_why() {
    let (cluster, foreign) = (Cluster::new("lab"), Cluster::new("lab"));
    let other = Cluster::new("other");
    let mut b = cluster.site(2);
    b.start();
    for mut stranger in [foreign.site(1), other.site(1)] {
        stranger.add_peer(&b, None);
        stranger.start();
        let reason = until("a reason at the stranger", || {
            let status = stranger.status();
            let peer = &status["peers"][0];
            assert_ne!(peer["state"], "up");
            peer["reason"].as_str().map(str::to_owned)
        });
        assert!(reason.contains("not signed by the authority"), "{reason}");
    }
    let status = b.status();
    let reason = status["turned_away"][0]["reason"].as_str().expect("reason");
    assert!(reason.contains("not signed by the authority"), "{reason}");
    assert_eq!(status["peers"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_node_with_a_dead_peer_works_alone() {
    let cluster = Cluster::new("lab");
    let mut a = cluster.site(1);
    a.config.peers.push(PeerConfig { address: cluster.site(2).config.listen, origin: Some(2) });
    let region = a.region("r", Scope::DistributedAck);
    a.start();
    // Nobody was ever seen, so nobody has to acknowledge.
    region.put_with(b"k", b"v", &WriteOptions::ack_within(cluster::PATIENCE)).expect("put");
    let peer = until("a reason", || {
        let peer = a.status()["peers"][0].clone();
        peer["reason"].is_string().then_some(peer)
    });
    assert_eq!(peer["state"], "unreachable");
    assert_eq!(peer["reason"], "no answer");
}

#[test]
fn a_peer_that_left_holds_up_writers_for_the_time_out_only() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = pair(&cluster);
    a.config.peer_timeout = Duration::from_millis(500);
    let on_a = a.region("r", Scope::DistributedAck);
    let on_b = b.region("r", Scope::DistributedAck);
    a.start();
    b.start();
    a.wait_for_member("r", 2);
    b.stop();
    on_a.put_with(b"k", b"v", &WriteOptions::ack_within(cluster::PATIENCE)).expect("put");
    b.start();
    until("the value", || value_of(&on_b, b"k"));
}

#[test]
fn one_bridge_per_node() {
    let cluster = Cluster::new("lab");
    let mut a = cluster.site(1);
    a.start();
    let mut second = a.config.clone();
    second.listen = ([127, 0, 0, 1], 0).into();
    let error = vug_netbridge::run(second, |_| panic!("ready")).expect_err("the seat is taken");
    assert!(error.is_bridge_running(), "{error}");
    assert!(has_socket(&a.home()), "the first bridge keeps its socket");
    assert_eq!(a.status()["origin"], 1);
}

#[test]
fn a_node_keeps_its_origin() {
    let cluster = Cluster::new("lab");
    let (mut a, other) = (cluster.site(1), cluster.site(3));
    a.start();
    a.stop();
    let mut moved = a.config.clone();
    moved.tls = other.config.tls.clone();
    let error = vug_netbridge::run(moved, |_| panic!("ready")).expect_err("another node");
    assert_eq!(error.code(), 708, "{error}");
}
