//! Entries that expire, without sleeping: each process sets its own clock forward.

use std::time::Duration;

use vug::{Expiry, ExpiryAction, WriteOptions};
use vug_tests::{Answer, Worker};

use crate::scene::{NAME, Scene, done, ok, told};

const SECOND: Duration = Duration::from_secs(1);

fn seconds(n: u32) -> Duration {
    SECOND * n
}

fn with_ttl(expiry: Expiry) -> Scene {
    Scene::with(|builder| builder.entry_ttl(expiry).old_values(true))
}

/// Both see that time has passed.
fn pass(other: &mut Worker, n: u32) {
    vug::advance_clock(seconds(n));
    done(other, &format!("advance {n}"));
}

/// Takes out what has expired; how many that were.
fn sweep(scene: &Scene) -> u64 {
    scene.sweep(usize::MAX).expect("sweep").expired
}

#[test]
fn scenario_134_who_opens_later_finds_entries_as_old_as_they_are() {
    let scene = with_ttl(Expiry::destroy(seconds(60)));
    scene.set("k", "a");
    vug::advance_clock(seconds(40));
    let elsewhere = scene.home.node().region(NAME).open().expect("the region");
    let ages = [&scene.region, &elsewhere].map(|region| {
        let info = region.entry(b"k").expect("look").expect("present");
        (info.modified.expect("versions are times"), info.expires.expect("it expires"))
    });
    assert_eq!(ages[0], ages[1]);
    let mut other = scene.other();
    done(&mut other, "advance 40");
    assert_eq!(other.ask("get k"), ok("a"));
    pass(&mut other, 21);
    assert_eq!(other.ask("get k"), Answer::None);
}

/// Time to live is the region's, so all its processes have it. Who sweeps is named as who did it.
#[test]
fn scenario_238_an_expired_entry_is_gone_for_all_who_are_told_so() {
    let scene = with_ttl(Expiry::destroy(seconds(60)));
    let mut other = scene.other();
    scene.set("k", "a");
    let mut events = scene.subscribe();
    pass(&mut other, 61);
    assert_eq!((scene.value("k"), other.ask("get k")), (None, Answer::None));
    assert_eq!(other.ask("sweep"), ok("1"));
    assert_eq!(sweep(&scene), 0, "it expires once");
    assert_eq!(told(&mut events), ["expire-destroy:k:-:a:member+expired"]);
    assert_eq!(scene.entries(), 0);
}

/// What is local is of the node. That a replicate refuses it is shown by scenario 221.
#[test]
fn scenario_239_a_local_expiry_takes_the_entry_on_this_node() {
    let action = ExpiryAction::LocalDestroy;
    let (scene, elsewhere) = (with_ttl(Expiry { after: seconds(60), action }), Scene::local());
    let mut other = scene.other();
    scene.set("k", "a");
    elsewhere.set("k", "a");
    pass(&mut other, 61);
    assert_eq!(sweep(&scene), 1);
    assert_eq!((scene.has("k"), other.ask("contains k")), (false, ok("false")));
    assert!(elsewhere.has("k"));
}

#[test]
fn scenario_240_an_entry_invalidated_by_expiry_keeps_its_key_and_expires_once() {
    let scene = with_ttl(Expiry::invalidate(seconds(60)));
    let mut other = scene.other();
    scene.set("k", "a");
    let mut events = scene.subscribe();
    pass(&mut other, 61);
    assert_eq!(sweep(&scene), 1);
    assert!(scene.has("k") && scene.value("k").is_none());
    assert_eq!((other.ask("contains k"), other.ask("get k")), (ok("true"), Answer::None));
    pass(&mut other, 3600);
    assert_eq!(sweep(&scene), 0);
    assert_eq!(told(&mut events), ["expire-invalidate:k:-:a:me+expired"]);
    assert_eq!(scene.entries(), 1);
}

#[test]
fn scenario_241_an_update_begins_the_time_to_live_anew() {
    let scene = with_ttl(Expiry::destroy(seconds(60)));
    let mut other = scene.other();
    scene.set("k", "a");
    pass(&mut other, 40);
    done(&mut other, "put k b");
    pass(&mut other, 40);
    assert_eq!(scene.value("k").as_deref(), Some("b"));
    assert_eq!(sweep(&scene), 0);
    pass(&mut other, 40);
    assert_eq!(scene.value("k"), None);
    assert_eq!(sweep(&scene), 1);
}

/// A read by any process of the node counts as well.
#[test]
fn scenario_242_an_access_begins_the_idle_time_anew() {
    let scene = Scene::with(|builder| builder.entry_idle(Expiry::destroy(seconds(60))));
    let mut other = scene.other();
    scene.set("k", "a");
    for access in ["put k b", "get k", "put k c"] {
        pass(&mut other, 40);
        done(&mut other, access);
    }
    pass(&mut other, 40);
    assert_eq!(scene.value("k").as_deref(), Some("c"));
    // Accesses are kept to a sixteenth of the idle time.
    pass(&mut other, 90);
    assert_eq!(scene.value("k"), None);
    assert_eq!(sweep(&scene), 1);
}

#[test]
fn scenario_244_of_two_times_the_earlier_one_acts() {
    let scene = Scene::with(|builder| {
        builder.entry_ttl(Expiry::destroy(seconds(100))).entry_idle(Expiry::invalidate(seconds(30)))
    });
    scene.set("idle", "a");
    scene.set("read", "a");
    for _ in 0..4 {
        vug::advance_clock(seconds(20));
        assert!(scene.value("read").is_some());
    }
    // 80 seconds: too long without a read for one, not too old for either.
    assert_eq!(sweep(&scene), 1);
    assert!(scene.has("idle") && scene.value("idle").is_none(), "invalidated, not destroyed");
    vug::advance_clock(seconds(25));
    assert!(!scene.has("read"), "destroyed, whoever read it");
    assert_eq!(sweep(&scene), 1);
    let keys: Vec<Vec<u8>> = scene.keys().collect::<Result<_, _>>().expect("keys");
    assert_eq!(keys, [b"idle"]);
}

/// Custom expiry is a time that is given with a write; without one the region decides.
#[test]
fn scenario_245_an_entry_may_have_a_time_of_its_own() {
    let scene = with_ttl(Expiry::destroy(seconds(60)));
    scene.put_with(b"short", b"a", &WriteOptions::ttl(seconds(10))).expect("put");
    scene.put_with(b"long", b"a", &WriteOptions::ttl(seconds(1000))).expect("put");
    scene.set("default", "a");
    vug::advance_clock(seconds(11));
    assert_eq!([scene.has("short"), scene.has("default"), scene.has("long")], [false, true, true]);
    vug::advance_clock(seconds(50));
    assert_eq!([scene.has("default"), scene.has("long")], [false, true]);
    vug::advance_clock(seconds(1000));
    assert!(!scene.has("long"));
    assert_eq!(sweep(&scene), 3);
}

#[test]
fn scenario_246_a_shorter_time_to_live_holds_for_entries_that_are_there() {
    let scene = with_ttl(Expiry::destroy(seconds(3600)));
    let mut other = scene.other();
    scene.set("k", "a");
    pass(&mut other, 100);
    assert_eq!(other.ask("get k"), ok("a"));
    scene.set_entry_ttl(Some(Expiry::destroy(seconds(60)))).expect("set");
    assert_eq!(other.ask("get k"), Answer::None, "in every process at once");
    assert_eq!(sweep(&scene), 1);
}

#[test]
fn scenario_248_what_was_cleared_does_not_expire() {
    let scene = with_ttl(Expiry::destroy(seconds(60)));
    for n in 0..100 {
        scene.set(&format!("k{n}"), "a");
    }
    scene.clear().expect("clear");
    let mut events = scene.subscribe();
    vug::advance_clock(seconds(61));
    assert_eq!(sweep(&scene), 0);
    assert!(told(&mut events).is_empty());
    assert_eq!(scene.statistics().counters.expired, 0);
    scene.set("k0", "b");
    assert_eq!(scene.value("k0").as_deref(), Some("b"));
}

/// Geode returns such a value until somebody has swept it. Here no operation does.
#[test]
fn scenario_250_an_expired_value_is_never_returned() {
    let scene = with_ttl(Expiry::destroy(seconds(60)));
    scene.set("k", "a");
    let handle = scene.handle(b"k").expect("a handle");
    vug::advance_clock(seconds(61));
    assert!(handle.get().expect("get").is_none());
    assert_eq!(scene.value("k"), None);
    assert!(scene.get_owned(b"k").expect("get").is_none());
    assert_eq!(scene.get_all(&["k"]).expect("get"), [None]);
    assert_eq!(scene.entry(b"k").expect("look"), None);
    assert_eq!(scene.iter().count() + scene.keys().count(), 0);
    assert_eq!(scene.replace(b"k", b"b").expect("nothing to replace"), None);
    assert!(scene.put(b"k", b"c").expect("put").created);
}
