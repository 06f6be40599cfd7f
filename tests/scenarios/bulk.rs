//! Operations on many keys.

use crate::scene::{REGION_DESTROYED, Scene, code, done, ok, told};

#[test]
fn scenario_227_each_entry_of_a_put_all_has_its_event_which_says_so() {
    let scene = Scene::with(|builder| builder.old_values(true));
    let mut other = scene.other();
    scene.set("b", "0");
    done(&mut other, "listen");
    let mut events = scene.subscribe();
    let entries = [("a", "1"), ("b", "2"), ("c", "3")];
    scene.put_all(&entries).expect("possible").all().expect("all done");
    let expected = ["create:a:1:-:me+bulk", "update:b:2:0:me+bulk", "create:c:3:-:me+bulk"];
    assert_eq!(told(&mut events), expected);
    let expected = expected.map(|event| event.replace(":me", ":member"));
    assert_eq!(done(&mut other, "told"), expected);
    assert_eq!(other.ask("len"), ok("3"));
    scene.remove_all(&["a", "c"]).expect("possible").all().expect("all done");
    assert_eq!(told(&mut events), ["destroy:a:-:1:me+bulk", "destroy:c:-:3:me+bulk"]);
}

/// There is no null to refuse; what takes its place is a key or value that cannot be.
#[test]
fn scenario_228_a_put_all_with_an_impossible_entry_does_nothing() {
    let scene = Scene::local();
    let mut events = scene.subscribe();
    let large = vec![0; scene.max_value_len(1) + 1];
    let too_large: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", &large), (b"c", b"3")];
    assert!(matches!(scene.put_all(&too_large), Err(vug::Error::ValueTooLarge { .. })));
    let no_key: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"", b"2")];
    assert!(matches!(scene.put_all(&no_key), Err(vug::Error::InvalidKey { len: 0 })));
    assert!(matches!(scene.remove_all(&[&b"a"[..], b""]), Err(vug::Error::InvalidKey { len: 0 })));
    assert_eq!(scene.entries(), 0);
    assert!(told(&mut events).is_empty());
    scene.destroy_region().expect("destroyed");
    assert_eq!(code(scene.put_all(&[("a", "1")])), REGION_DESTROYED);
    assert_eq!(code(scene.remove_all(&["a"])), REGION_DESTROYED);
}

#[test]
fn scenario_232_removing_keys_that_are_not_there_tells_nothing() {
    let scene = Scene::local();
    let mut events = scene.subscribe();
    let removed = scene.remove_all(&["a", "b"]).expect("possible").all().expect("all done");
    assert_eq!(removed, [None, None]);
    assert!(told(&mut events).is_empty());
}

#[test]
fn scenario_235_an_empty_region_passes_each_entry_of_a_put_all_on_once() {
    let scene = Scene::empty();
    let mut other = scene.other();
    done(&mut other, "listen");
    for _ in 0..2 {
        scene.put_all(&[("a", "1"), ("b", "2")]).expect("possible").all().expect("all done");
        let told = done(&mut other, "told");
        assert_eq!(told, ["create:a:1:?:member+bulk", "create:b:2:?:member+bulk"]);
    }
    assert_eq!(scene.entries(), 0);
}

/// Which entries are there afterwards is open. That all processes agree on them is not.
#[test]
fn scenario_236_a_put_all_beside_a_clear_leaves_one_content() {
    let scene = Scene::local();
    let (mut first, mut second) = (scene.other(), scene.other());
    for _ in 0..10 {
        first.send("put-all first 500");
        second.send("put-all second 500");
        for _ in 0..5 {
            scene.clear().expect("clear");
        }
        assert_eq!((first.answer(), second.answer()), (ok(""), ok("")));
        let mine = scene.entries().to_string();
        assert_eq!((first.ask("len"), second.ask("len")), (ok(&mine), ok(&mine)));
        let digest = done(&mut first, "digest");
        assert_eq!((&digest[0], &digest), (&mine, &done(&mut second, "digest")));
    }
    scene.clear().expect("clear");
    assert_eq!((scene.entries(), first.ask("len")), (0, ok("0")));
    vug_tests::assert_clean(scene.path());
}
