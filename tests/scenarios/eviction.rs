//! Entries that make room for others.

use vug::{EventKind, Eviction, Notice};

use crate::scene::{Scene, done, ok, told};

/// Ten entries stay.
fn ten() -> Scene {
    Scene::with(|builder| builder.eviction(Eviction::S3Fifo).max_entries(10))
}

fn fill(scene: &Scene, from: u32, to: u32) {
    for n in from..to {
        scene.set(&format!("k{n}"), &n.to_string());
    }
}

/// The bound is the node's, and so is the loss.
#[test]
fn scenario_251_above_the_bound_entries_go_and_listeners_hear_which() {
    let scene = ten();
    let mut other = scene.other();
    let mut events = scene.subscribe();
    fill(&scene, 0, 20);
    assert_eq!((scene.entries(), other.ask("len")), (10, ok("10")));
    let mut evicted = Vec::new();
    while let Some(notice) = events.poll().expect("poll") {
        match notice {
            Notice::Event(event) if event.kind == EventKind::Evict => evicted.push(event.key),
            Notice::Event(event) => assert_eq!(event.kind, EventKind::Create),
            lapped => panic!("{lapped:?}"),
        }
    }
    assert_eq!(evicted.len(), 10);
    for n in 0..20 {
        let key = format!("k{n}");
        let gone = evicted.iter().any(|evicted| evicted == key.as_bytes());
        assert_eq!(scene.has(&key), !gone, "{key}");
    }
    assert_eq!(scene.statistics().counters.evicted, 10);
    assert_eq!(scene.statistics().counters.destroys, 0, "evicting is not destroying");
}

/// Without other nodes there is nobody to ask for it.
#[test]
fn scenario_252_an_evicted_entry_is_a_miss() {
    let scene = ten();
    let mut other = scene.other();
    fill(&scene, 0, 20);
    let missing = (0..20).filter(|n| scene.value(&format!("k{n}")).is_none()).count();
    assert_eq!(missing, 10);
    let digest = done(&mut other, "digest");
    assert_eq!(digest[0], "10");
}

#[test]
fn scenario_257_an_evicted_entry_made_again_is_a_new_one() {
    let scene = ten();
    fill(&scene, 0, 20);
    let gone: Vec<String> =
        (0..20).map(|n| format!("k{n}")).filter(|key| !scene.has(key)).collect();
    let mut events = scene.subscribe();
    for key in &gone {
        assert!(scene.put(key.as_bytes(), b"again").expect("put").created, "{key}");
    }
    let created = told(&mut events).iter().filter(|event| event.starts_with("create:")).count();
    assert_eq!((created, scene.entries()), (10, 10));
    let report = vug::check::check_file(scene.path()).expect("the file can be checked");
    assert!(report.is_clean(), "{:#?}", report.problems);
    assert_eq!((report.entries, report.tombstones), (10, 0));
}
