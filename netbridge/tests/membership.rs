//! Who belongs to the cluster: real bridges on loopback.

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod cluster;

use std::time::Duration;

use cluster::{Cluster, Site, until, value_of};
use serde_json::Value;
use vug::{Scope, WriteOptions};

fn node(site: &Site, origin: u16) -> Option<Value> {
    let status = site.status();
    status["nodes"].as_array()?.iter().find(|n| n["origin"] == origin).cloned()
}

fn wait_for_state(site: &Site, origin: u16, state: &str) {
    until(state, || (node(site, origin)?["state"] == state).then_some(()));
}

#[test]
fn who_knows_one_node_meets_all() {
    let cluster = Cluster::new("lab");
    let mut sites = [cluster.site(1), cluster.site(2), cluster.site(3)];
    let regions: Vec<_> = sites.iter().map(|s| s.region("r", Scope::DistributedAck)).collect();
    let [a, b, c] = &mut sites;
    // Nodes 2 and 3 know only node 1, which knows nobody.
    b.add_peer(a, None);
    c.add_peer(a, Some(1));
    a.start();
    b.start();
    c.start();
    for (site, others) in [(&*a, [2, 3]), (&*b, [1, 3]), (&*c, [1, 2])] {
        for other in others {
            wait_for_state(site, other, "up");
            site.wait_for_member("r", other);
        }
    }
    regions[1].put(b"k", b"v").expect("put");
    assert_eq!(value_of(&regions[2], b"k").as_deref(), Some(&b"v"[..]));
    // The one that introduced them is not needed any more.
    a.stop();
    wait_for_state(b, 1, "left");
    regions[2].put_with(b"k", b"w", &WriteOptions::ack_within(cluster::PATIENCE)).expect("put");
    assert_eq!(value_of(&regions[1], b"k").as_deref(), Some(&b"w"[..]));
}

#[test]
fn a_node_that_says_goodbye_is_not_waited_for() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = cluster::pair(&cluster);
    // Far longer than this test has patience for.
    a.config.peer_timeout = Duration::from_secs(600);
    let on_a = a.region("r", Scope::DistributedAck);
    let on_b = b.region("r", Scope::DistributedAck);
    a.start();
    b.start();
    a.wait_for_member("r", 2);
    let mut events = vug_netbridge::events(&a.home()).expect("events");
    let first = events.next().expect("snapshot").expect("event");
    assert_eq!((&first["event"], &first["nodes"][0]["state"]), (&"snapshot".into(), &"up".into()));
    b.stop();
    on_a.put_with(b"k", b"v", &WriteOptions::ack_within(cluster::PATIENCE)).expect("put");
    let mut names = |count: usize| -> Vec<String> {
        let events = events.by_ref().take(count);
        events.map(|e| e.expect("event")["event"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names(2), ["node-left", "region-departed"]);
    b.start();
    until("the value", || value_of(&on_b, b"k"));
    assert_eq!(names(2), ["node-joined", "region-arrived"]);
    a.stop();
    assert!(events.next().is_none(), "events end with the bridge");
}

#[test]
fn a_number_that_is_taken_is_refused() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = cluster::pair(&cluster);
    a.start();
    b.start();
    wait_for_state(&a, 2, "up");
    let mut twin = cluster.site(2);
    twin.add_peer(&a, None);
    twin.start();
    let refused = until("a refusal", || {
        let status = twin.status();
        status["refusals"].as_array()?.first().cloned()
    });
    assert_eq!(refused["code"], 4, "{refused}");
    assert!(refused["text"].as_str().is_some_and(|t| t.contains("node number 2 is taken")));
    assert_eq!(node(&a, 2).expect("node 2")["state"], "up");
}

#[test]
fn a_newcomer_with_other_attributes_is_refused_on_both_sides() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = cluster::pair(&cluster);
    let on_a = a.region("r", Scope::DistributedAck);
    a.start();
    until("ready", || (a.status()["regions"][0]["state"] == "ready").then_some(()));
    on_a.put(b"k", b"v").expect("put");
    b.start();
    b.wait_for_peer(1);
    let on_b = b.region("r", Scope::DistributedNoAck);
    let here = until("a mismatch here", || b.status()["mismatches"].as_array()?.first().cloned());
    let there = until("a mismatch there", || a.status()["mismatches"].as_array()?.first().cloned());
    assert_eq!((&here["refused"], &there["refused"]), (&"here".into(), &"there".into()));
    assert_eq!(here["differences"][0]["attribute"], "scope");
    assert_eq!(here["differences"][0]["ours"], there["differences"][0]["theirs"]);
    assert_eq!(b.status()["regions"][0]["state"], "refused");
    assert_eq!(value_of(&on_b, b"k"), None);
    // Destroyed and made like the other one, it is welcome.
    on_b.local_destroy_region().expect("destroy");
    let on_b = b.region("r", Scope::DistributedAck);
    until("the value", || value_of(&on_b, b"k"));
    assert_eq!(a.status()["mismatches"].as_array().map(Vec::len), Some(0));
}

#[test]
fn certificates_and_peers_are_taken_over_without_a_new_connection() {
    let cluster = Cluster::new("lab");
    let (mut a, mut b) = cluster::pair(&cluster);
    a.start();
    b.start();
    a.wait_for_peer(2);
    b.wait_for_peer(1);
    let connected = |site: &Site| site.status()["peers"][0]["connected_ms"].as_u64();
    let before = connected(&a).expect("connected");
    // A new authority, trusted beside the old one; then a certificate of it; then only it.
    let trust = || {
        for site in [&a, &b] {
            vug_netbridge::cert::trust(cluster.authority(), site.certs()).expect("trust");
            vug_netbridge::reload(&site.home()).expect("reload");
        }
    };
    vug_netbridge::cert::rotate_authority(cluster.authority(), false).expect("rotate");
    trust();
    for site in [&a, &b] {
        vug_netbridge::cert::rotate(cluster.authority(), site.certs()).expect("rotate");
        let answer = vug_netbridge::reload(&site.home()).expect("reload");
        assert_eq!(answer["reloaded"][0], "certificates");
    }
    vug_netbridge::cert::rotate_authority(cluster.authority(), true).expect("retire");
    trust();
    assert!(connected(&a).expect("still connected") >= before, "the connection has stayed");
    // A new connection uses the new certificates, which the old authority did not sign.
    b.stop();
    b.start();
    a.wait_for_peer(2);
    // Bad files change nothing.
    std::fs::write(a.certs().join("node.pem"), "nonsense").expect("write");
    let error = vug_netbridge::reload(&a.home()).expect_err("nonsense");
    assert!(error.to_string().contains("not reloaded"), "{error}");
    assert_eq!(a.status()["peers"][0]["state"], "up");
}
