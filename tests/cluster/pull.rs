//! Copies of a part: what reaches them, and what they ask for.

use std::time::Duration;

use crate::net::{E, N, Net, P, R, told};

#[test]
fn scenario_001_a_new_key_does_not_reach_who_has_not_asked_for_it() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    let mut events = m2.subscribe();
    m1.set("k", "a");
    assert!(!m2.has("k"));
    assert_eq!(m2.entries(), 0);
    assert!(told(&mut events).is_empty());
}

#[test]
fn scenario_002_a_key_that_was_read_is_kept_up_to_date() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "a");
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    let mut events = m2.subscribe();
    m1.set("k", "b");
    let local = m2.get_local(b"k").expect("get").map(|value| value.to_vec());
    assert_eq!(local.as_deref(), Some(&b"b"[..]));
    assert_eq!(told(&mut events), ["update:k:b:?:node-1"]);
}

#[test]
fn scenario_004_an_invalid_entry_counts_as_there() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    m2.invalidate(b"k").expect("invalidate");
    m1.set("k", "b");
    assert_eq!(m2.value("k").as_deref(), Some("b"));
}

#[test]
fn scenario_005_a_key_created_without_value_is_wanted() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m2.create_invalid(b"k").expect("create");
    assert!(!m1.has("k"));
    m1.set("k", "b");
    let local = m2.get_local(b"k").expect("get").map(|value| value.to_vec());
    assert_eq!(local.as_deref(), Some(&b"b"[..]));
}

#[test]
fn scenario_006_what_a_read_finds_elsewhere_is_here_from_then_on() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "a");
    assert!(!m2.has("k"));
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    assert!(m2.has("k"));
    m1.set("k", "b");
    assert_eq!(m2.value("k").as_deref(), Some("b"));
}

#[test]
fn scenario_007_a_destroy_reaches_who_has_the_key() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    let mut events = m2.subscribe();
    m1.destroy(b"k").expect("destroy");
    assert!(!m1.has("k") && !m2.has("k"));
    assert_eq!(told(&mut events), ["destroy:k:-:?:node-1"]);
}

#[test]
fn scenario_008_a_destroy_of_a_key_that_is_not_there_is_nothing() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    let mut events = m2.subscribe();
    m1.set("k", "a");
    m1.destroy(b"k").expect("destroy");
    assert!(told(&mut events).is_empty() && !m2.has("k"));
}

#[test]
fn scenario_010_invalid_copies_have_no_value_to_give() {
    let (_net, [m1, m2, m3]) = Net::of([N, N, N]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    m1.invalidate(b"k").expect("invalidate");
    assert_eq!(m3.value("k"), None);
    assert!(m1.has("k") && m2.has("k") && !m3.has("k"));
}

#[test]
fn scenario_011_a_local_invalidation_concerns_nobody_else() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    let (mut here, mut there) = (m1.subscribe(), m2.subscribe());
    m1.local_invalidate(b"k").expect("invalidate");
    assert!(m1.get_local(b"k").expect("get").is_none());
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    assert_eq!(told(&mut here), ["local-invalidate:k:-:?:me"]);
    assert_eq!(m1.value("k").as_deref(), Some("a"));
    assert!(told(&mut there).is_empty());
}

#[test]
fn scenario_012_what_was_destroyed_here_does_not_come_back_by_an_update() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    m1.local_destroy(b"k").expect("destroy");
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    m2.set("k", "b");
    assert!(!m1.has("k"));
    assert_eq!(m1.value("k").as_deref(), Some("b"), "but a read finds it");
}

#[test]
fn scenario_013_a_region_destroyed_here_stays_elsewhere() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    m1.local_destroy_region().expect("allowed");
    assert_eq!(m2.get_local(b"k").expect("get").as_deref(), Some(&b"a"[..]));
    m2.set("k", "b");
}

#[test]
fn scenario_014_updates_of_one_thread_come_in_its_order() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m1.set("k", "0");
    assert!(m2.value("k").is_some());
    let mut events = m2.subscribe();
    for number in 1..=50 {
        m1.set("k", &number.to_string());
    }
    let wanted: Vec<String> = (1..=50).map(|n| format!("update:k:{n}:?:node-1")).collect();
    assert_eq!(told(&mut events), wanted);
}

#[test]
fn scenario_016_a_local_region_of_the_same_name_is_another() {
    let net = Net::new(2);
    let m1 = net.create(0, N);
    let m2 = net.site(1).create(|builder| builder.max_bytes(8 << 20));
    net.site(0).wait_for_peer(2);
    m2.set("k", "mine");
    m1.set("k", "b");
    assert_eq!(m2.value("k").as_deref(), Some("mine"));
}

#[test]
fn scenario_026_a_key_created_without_value_reaches_replicates_only() {
    let (_net, [m1, m2, m3]) = Net::of([N, N, R]);
    m1.create_invalid(b"k").expect("create");
    assert!(m1.has("k") && !m2.has("k") && m3.has("k"));
    assert_eq!(m3.value("k"), None);
}

#[test]
fn scenario_035_a_preloaded_copy_does_not_learn_what_is_created_later() {
    let net = Net::new(2);
    let m1 = net.create(0, R);
    for key in 1..10 {
        m1.set(&format!("k{key}"), "a");
    }
    let m2 = net.create(1, P);
    net.settle();
    assert_eq!(m2.entries(), 9);
    m1.set("k10", "a");
    m1.set("k1", "b");
    assert_eq!(m2.value("k1").as_deref(), Some("b"));
    assert!(!m2.has("k10"));
    // Scenario 36: what is destroyed here stays away.
    m2.local_destroy(b"k1").expect("destroy");
    m1.set("k1", "c");
    assert!(!m2.has("k1"));
}

#[test]
fn scenario_037_with_interest_in_all_it_learns_them() {
    let (_net, [m1, m2]) = Net::of([R, P.all()]);
    m1.set("k10", "a");
    assert!(m2.has("k10"));
}

#[test]
fn scenario_041_a_replicate_is_filled_from_all_copies_where_there_is_no_other() {
    let net = Net::new(3);
    let (m1, m2) = (net.create(0, N), net.create(1, N));
    net.settle();
    m1.set("a", "1");
    m1.set("b", "old");
    m2.set("b", "2");
    m2.set("c", "3");
    let m3 = net.create(2, R);
    net.settle();
    let found: Vec<_> = ["a", "b", "c"].map(|key| m3.value(key)).into_iter().flatten().collect();
    assert_eq!(found, ["1", "2", "3"]);
}

#[test]
fn scenario_047_a_normal_copy_begins_with_nothing() {
    let net = Net::new(2);
    let m1 = net.create(0, N);
    m1.set("k", "a");
    let m2 = net.create(1, N);
    net.settle();
    assert_eq!(m2.entries(), 0);
    assert_eq!(m2.value("k").as_deref(), Some("a"));
}

#[test]
fn scenario_048_what_stores_nothing_finds_values_and_keeps_none() {
    let (_net, [m1, m2]) = Net::of([R, E]);
    m1.set("k", "a");
    assert_eq!(m2.entries(), 0);
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    assert_eq!(m2.get(b"k").expect("get").as_deref(), Some(&b"a"[..]));
    assert_eq!(m2.get_owned(b"k").expect("get").as_deref(), Some(&b"a"[..]));
    assert!(!m2.has("k") && m2.entries() == 0 && m2.content().is_empty());
}

#[test]
fn scenario_068_nobody_waits_for_who_hears_of_nothing() {
    let (mut net, [m1, m2]) = Net::of([R, E]);
    let before = net.site(1).counter("records_received");
    m1.set("k", "a");
    assert_eq!(net.site(1).counter("records_received"), before);
    net.site_mut(1).stop();
    let options = vug::WriteOptions::ack_within(vug_tests::PATIENCE);
    m1.put_with(b"k", b"b", &options).expect("nobody to wait for");
    drop(m2);
}

#[test]
fn scenario_155_a_value_that_was_found_is_not_replaced_by_an_older_one() {
    let (_net, [m1, m2]) = Net::of([R, N]);
    m1.set("k", "a");
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    assert_eq!(m1.token(b"k").expect("token"), m2.token(b"k").expect("token"));
}

#[test]
fn scenario_163_no_value_anywhere_is_a_miss_and_leaves_nothing() {
    let (_net, [m1, m2]) = Net::of([N, R]);
    let mut events = m1.subscribe();
    assert_eq!(m1.value("k"), None);
    assert!(!m1.has("k") && !m2.has("k") && told(&mut events).is_empty());
}

#[test]
fn scenario_166_nobody_is_asked_about_what_was_invalidated_everywhere() {
    let (net, [m1, m2]) = Net::of([N, R]);
    m1.set("k", "a");
    m2.invalidate(b"k").expect("invalidate");
    let before = net.site(0).counter("searches");
    assert_eq!(m1.value("k"), None);
    assert_eq!(net.site(0).counter("searches"), before);
}

#[test]
fn scenario_168_what_is_invalid_here_only_is_found_elsewhere() {
    let (_net, [m1, m2]) = Net::of([N, N]);
    m2.set("k", "a");
    m1.create_invalid(b"k").expect("create");
    assert_eq!(m1.value("k").as_deref(), Some("a"));
    m1.local_invalidate(b"k").expect("invalidate");
    assert_eq!(m1.value("k").as_deref(), Some("a"));
}

#[test]
fn scenario_169_a_replicate_never_asks() {
    let (net, [m1, m2]) = Net::of([R, N]);
    m2.set("k", "a");
    m1.destroy(b"k").expect("destroy");
    assert_eq!(m1.value("k"), None);
    assert_eq!(net.site(0).counter("searches"), 0);
}

#[test]
fn scenario_172_another_replicate_is_asked_when_one_is_gone() {
    let (mut net, [m1, m2, m3]) = Net::of([N, R, R]);
    m2.set("k", "a");
    net.site_mut(1).stop();
    assert_eq!(m1.value("k").as_deref(), Some("a"));
    assert_eq!(m3.value("k").as_deref(), Some("a"));
}

#[test]
fn scenario_173_one_search_serves_all_who_ask_for_a_key() {
    let (net, [m1, m2]) = Net::of([N, R]);
    m2.set("k", "a");
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..10).map(|_| scope.spawn(|| m1.value("k"))).collect();
        for reader in readers {
            assert_eq!(reader.join().expect("no panic").as_deref(), Some("a"));
        }
    });
    assert!(net.site(0).counter("searches") <= 10);
    assert_eq!(net.site(0).counter("searches"), net.site(1).counter("searches_answered"));
}

#[test]
fn scenario_175_what_is_too_old_for_who_asks_is_not_found() {
    let net = Net::new(2);
    let m1 = net.site(0).create(|builder| {
        let ttl = vug::Expiry::destroy(Duration::from_millis(1));
        let builder = builder.data_policy(vug::DataPolicy::Normal).entry_ttl(ttl);
        builder.scope(vug::Scope::DistributedAck).max_bytes(8 << 20)
    });
    let m2 = net.create(1, R);
    net.settle();
    m2.set("k", "a");
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(m1.value("k"), None);
    assert_eq!(m2.value("k").as_deref(), Some("a"));
}

#[test]
fn scenario_176_what_was_found_is_as_old_as_it_was_there() {
    let (_net, [m1, m2]) = Net::of([N, R]);
    m2.set("k", "a");
    assert!(m1.value("k").is_some());
    let modified =
        |scene: &crate::net::Scene| scene.entry(b"k").expect("look").expect("there").modified;
    assert_eq!(modified(&m1), modified(&m2));
}

#[test]
fn scenario_178_a_search_ends_at_its_time_out() {
    let (net, [m1, m2]) = Net::of([N, R]);
    m2.set("k", "a");
    m1.set_search_timeout(Duration::from_millis(50)).expect("set");
    // The bridge does not know yet that the other is lost, or it waits for it as writers do.
    net.cut(1);
    let error = m1.get(b"k").expect_err("in time");
    assert_eq!(error.code(), 440, "{error}");
    assert!(m1.get_local(b"k").expect("never asks").is_none());
}

#[test]
fn scenario_181_looking_for_a_key_asks_nobody() {
    let (net, [m1, m2]) = Net::of([N, R]);
    m2.set("k", "a");
    assert!(!m1.has("k") && m1.entry(b"k").expect("look").is_none());
    assert_eq!(net.site(0).counter("searches"), 0);
}

#[test]
fn scenario_229_many_puts_are_taken_as_each_of_them() {
    let (_net, [m1, m2, m3]) = Net::of([N, N, R]);
    m1.set("k-1", "a");
    assert!(m2.value("k-1").is_some());
    let mut events = m3.subscribe();
    let entries = [("k-1", "b"), ("k-2", "b")];
    m1.put_all(&entries).expect("put").all().expect("all");
    assert_eq!(m2.value("k-1").as_deref(), Some("b"));
    assert!(!m2.has("k-2"));
    assert_eq!(m3.entries(), 2);
    assert_eq!(told(&mut events), ["update:k-1:b:?:node-1+bulk", "create:k-2:b:-:node-1+bulk"]);
    // Scenario 230, and all reads at once.
    let found = m2.get_all(&["k-1", "k-2", "k-3"]).expect("get");
    assert_eq!(found, [Some(b"b".to_vec()), Some(b"b".to_vec()), None]);
}

#[test]
fn scenario_288_what_stores_nothing_writes_to_the_others() {
    let (_net, [m1, m2]) = Net::of([E, R]);
    m1.set("k", "a");
    assert_eq!(m2.value("k").as_deref(), Some("a"));
    m1.invalidate(b"k").expect("invalidate");
    assert!(m2.has("k") && m2.value("k").is_none());
    m1.destroy(b"k").expect("destroy");
    assert!(!m2.has("k"));
    m1.create(b"j", b"b").expect("create");
    m1.put_all(&[("x", "1"), ("y", "2")]).expect("put").all().expect("all");
    assert_eq!(m2.entries(), 3);
    m1.clear().expect("clear");
    assert_eq!(m2.entries(), 0);
}

#[test]
fn scenario_289_with_interest_in_all_it_hears_of_everything() {
    let (_net, [m1, m2]) = Net::of([R, E.all()]);
    let mut events = m2.subscribe();
    m1.set("k", "a");
    m1.set("k", "b");
    m1.invalidate(b"k").expect("invalidate");
    m1.destroy(b"k").expect("destroy");
    m1.put_all(&[("x", "1")]).expect("put").all().expect("all");
    m1.clear().expect("clear");
    m1.invalidate_region().expect("invalidate");
    assert_eq!(
        told(&mut events),
        [
            "create:k:a:?:node-1",
            "update:k:b:?:node-1",
            "invalidate:k:-:?:node-1",
            "destroy:k:-:?:node-1",
            "create:x:1:?:node-1+bulk",
            "clear:-:-:?:node-1",
            "region-invalidate:-:-:?:node-1",
        ]
    );
}
