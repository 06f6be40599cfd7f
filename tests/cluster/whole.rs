//! What is done to a region as a whole, on all nodes.

use vug::Scope;

use crate::net::{E, N, Net, OLD_IS_MET, R, known_to_fail, told};

#[test]
fn scenario_203_a_clear_is_told_once_on_every_node() {
    let (_net, [m1, m2, m3]) = Net::of([R, N, E]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    let mut events = [m1.subscribe(), m2.subscribe(), m3.subscribe()];
    m1.clear().expect("clear");
    assert_eq!((m1.entries(), m2.entries()), (0, 0));
    let heard = events.each_mut().map(told);
    assert_eq!(heard[0], ["clear:-:-:?:me"]);
    assert_eq!(heard[1], ["clear:-:-:?:node-1"]);
    assert_eq!(heard[2], ["clear:-:-:?:node-1"]);
    m2.set("k", "b");
    assert_eq!(m1.value("k").as_deref(), Some("b"));
}

#[test]
fn scenario_058_clears_beside_writes_leave_the_same_everywhere() {
    let (_net, [m1, m2]) = Net::of([R, R].map(|like| like.scope(Scope::DistributedNoAck)));
    std::thread::scope(|scope| {
        for scene in [&m1, &m2] {
            scope.spawn(move || {
                for number in 0..2_000 {
                    scene.set(&format!("k-{}", number % 50), &number.to_string());
                    if number % 397 == 396 {
                        scene.clear().expect("clear");
                    }
                }
            });
        }
    });
    vug_tests::wait_until("equal nodes", || m1.content() == m2.content());
}

#[test]
fn scenario_236_many_puts_beside_a_clear_leave_the_same_everywhere() {
    let (_net, [m1, m2, m3]) = Net::of([R, N, R]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let entries: Vec<(String, &str)> = (0..100).map(|n| (format!("k-{n}"), "a")).collect();
            for _ in 0..20 {
                m2.put_all(&entries).expect("put").all().expect("all");
            }
        });
        for _ in 0..20 {
            m1.clear().expect("clear");
        }
    });
    vug_tests::wait_until("equal nodes", || m1.content() == m3.content());
}

#[test]
fn what_was_invalidated_everywhere_has_no_value_anywhere() {
    let (_net, [m1, m2, m3]) = Net::of([R, N, E]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    let mut events = [m2.subscribe(), m3.subscribe()];
    m1.invalidate_region().expect("invalidate");
    assert!(m1.has("k") && m2.has("k"));
    assert_eq!((m1.value("k"), m2.value("k"), m3.value("k")), (None, None, None));
    let heard = events.each_mut().map(told);
    assert_eq!(heard[0], ["region-invalidate:-:-:?:node-1"]);
    assert_eq!(heard[1], ["region-invalidate:-:-:?:node-1"]);
}

#[test]
fn who_was_away_is_cleared_when_it_comes_back() {
    let (net, [m1, m2]) = Net::of([R, R]);
    m1.set("k", "a");
    net.cut(1);
    let options = vug::WriteOptions::ack_within(std::time::Duration::from_millis(1));
    let late = m1.clear_with(&options).expect_err("the other is away");
    assert_eq!(late.code(), 404, "{late}");
    m2.region.put_with(b"mine", b"b", &options).expect_err("nobody acknowledges");
    net.heal(1);
    m2.comes("k", None);
    m1.comes("mine", Some("b"));
    assert_eq!(m1.content(), m2.content());
}

#[test]
fn scenario_208_a_destroyed_region_is_gone_on_every_node() {
    const REGION_DESTROYED: u16 = 409;
    let (_net, [m1, m2, m3]) = Net::of([R, N, E]);
    m1.set("k", "a");
    assert!(m2.value("k").is_some());
    let mut events = [m1.subscribe(), m2.subscribe(), m3.subscribe()];
    m1.destroy_region().expect("destroy");
    for scene in [&m1, &m2, &m3] {
        let error = scene.put(b"k", b"b").expect_err("the region is gone");
        assert_eq!(error.code(), REGION_DESTROYED, "{error}");
    }
    let heard = events.each_mut().map(told);
    assert_eq!(heard[0], ["region-destroy:-:-:?:me"]);
    assert_eq!(heard[1], ["region-destroy:-:-:?:node-1"]);
    assert_eq!(heard[2], ["region-destroy:-:-:?:node-1"]);
}

#[test]
fn scenario_032_a_region_made_anew_is_empty() {
    if known_to_fail(OLD_IS_MET) {
        return;
    }
    let (net, [m1, m2]) = Net::of([R, R]);
    m1.set("k", "a");
    m1.destroy_region().expect("destroy");
    assert!(m2.get(b"k").is_err());
    let (m1, m2) = (net.create(0, R), net.create(1, R));
    net.settle();
    assert_eq!((m1.entries(), m2.entries()), (0, 0));
    m2.set("k", "b");
    assert_eq!(m1.value("k").as_deref(), Some("b"));
}

#[test]
fn scenario_211_two_nodes_destroy_a_region_at_the_same_time() {
    let (_net, [m1, m2]) = Net::of([R, R]);
    std::thread::scope(|scope| {
        for scene in [&m1, &m2] {
            scope.spawn(|| {
                let destroyed = scene.destroy_region();
                assert!(destroyed.is_ok() || destroyed.is_err_and(|error| error.code() == 409));
            });
        }
    });
    assert!(m1.get(b"k").is_err() && m2.get(b"k").is_err());
}
