//! Of what a listener hears, and regions that store nothing.

use vug::{DataPolicy, Interest, ListenOptions, Scope};

use crate::scene::{ENTRY_NOT_FOUND, NOT_ALLOWED, Scene, code, done, refused, told};

#[test]
fn scenario_286_a_replicate_hears_of_everything_whatever_its_interest() {
    let heard = [Interest::CacheContent, Interest::All].map(|interest| {
        let scene =
            Scene::with(|builder| builder.data_policy(DataPolicy::Replicate).interest(interest));
        let mut other = scene.other();
        let mut events = [Interest::CacheContent, Interest::All]
            .map(|interest| scene.subscribe_with(ListenOptions::new().interest(interest)));
        for request in ["put k a", "put k b", "invalidate k", "destroy k", "create-invalid j"] {
            done(&mut other, request);
        }
        let [content, all] = events.each_mut().map(told);
        assert_eq!(content, all);
        all
    });
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0].len(), 5);
}

#[test]
fn scenario_289_a_region_that_stores_nothing_hears_of_everything() {
    let scene = Scene::with(|builder| {
        builder.data_policy(DataPolicy::Empty).scope(Scope::Local).interest(Interest::All)
    });
    let mut other = scene.other();
    let mut events = scene.subscribe();
    for request in [
        "create k a",
        "put k b",
        "invalidate k",
        "destroy k",
        "put-all k 2",
        "clear 1",
        "invalidate-region",
        "destroy-region",
    ] {
        done(&mut other, request);
    }
    assert_eq!(
        told(&mut events),
        [
            "create:k:a:?:member",
            "create:k:b:?:member",
            "invalidate:k:-:?:member",
            "destroy:k:-:?:member",
            "create:k-0:0:?:member+bulk",
            "create:k-1:1:?:member+bulk",
            "clear:-:-:?:member",
            "region-invalidate:-:-:?:member",
            "region-destroy:-:-:?:member",
        ]
    );
}

#[test]
fn scenario_290_a_region_that_stores_nothing_has_nothing_to_lose() {
    let scene = Scene::empty();
    let mut other = scene.other();
    scene.set("k", "a");
    let mut events = scene.subscribe();
    assert_eq!(code(scene.local_destroy(b"k")), ENTRY_NOT_FOUND);
    assert_eq!(code(scene.local_invalidate(b"k")), ENTRY_NOT_FOUND);
    assert_eq!(refused(&mut other, "local-destroy k"), ENTRY_NOT_FOUND);
    assert_eq!(refused(&mut other, "local-invalidate k"), ENTRY_NOT_FOUND);
    // Nor can it compare with what it does not have.
    assert_eq!(code(scene.put_if_absent(b"k", b"a")), NOT_ALLOWED);
    assert_eq!(code(scene.replace(b"k", b"a")), NOT_ALLOWED);
    assert_eq!(code(scene.remove_if_value(b"k", b"a")), NOT_ALLOWED);
    assert!(told(&mut events).is_empty());
}
