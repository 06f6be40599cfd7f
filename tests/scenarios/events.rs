//! What listeners are told, and when.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use vug::{EventKind, ListenOptions, Notice, PutIfAbsent, Swap};
use vug_tests::{Answer, wait_until};

use crate::scene::{Scene, done, told};

#[test]
fn scenario_014_what_one_process_puts_in_order_another_is_told_in_order() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    let mut events = scene.subscribe();
    done(&mut other, "count-up k 1000");
    let told = told(&mut events);
    assert_eq!(told.len(), 1000);
    for (n, event) in told.iter().enumerate() {
        let kind = if n == 0 { "create" } else { "update" };
        assert!(event.starts_with(&format!("{kind}:k:{}:", n + 1)), "{event} at {n}");
    }
}

/// Who hears of an empty region's changes is every process of the node. The old value is not
/// available, as nobody has it.
#[test]
fn scenario_197_a_put_to_an_empty_region_is_a_create_of_which_the_old_value_is_unknown() {
    let scene = Scene::empty();
    let mut other = scene.other();
    done(&mut other, "listen");
    let mut events = scene.subscribe();
    scene.set("k", "a");
    scene.set("k", "b");
    assert_eq!(told(&mut events), ["create:k:a:?:me", "create:k:b:?:me"]);
    assert_eq!(done(&mut other, "told"), ["create:k:a:?:member", "create:k:b:?:member"]);
}

#[test]
fn scenario_198_invalidating_an_invalid_entry_tells_and_counts_nothing() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    scene.set("k", "a");
    scene.invalidate(b"k").expect("present").expect("it had a value");
    let mut events = scene.subscribe();
    let (position, counted) = (scene.position(), scene.statistics().counters.invalidates);
    assert_eq!(scene.invalidate(b"k").expect("present"), None);
    assert_eq!(other.ask("invalidate k"), Answer::None);
    assert!(told(&mut events).is_empty());
    assert_eq!(scene.position(), position);
    assert_eq!(scene.statistics().counters.invalidates, counted);
}

/// Each listener is called by a thread of its own, so what becomes of one concerns neither the
/// writer nor others.
#[test]
fn scenario_199_a_listener_that_panics_disturbs_nobody() {
    let scene = Scene::local();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let nervous = scene
        .listen(ListenOptions::new(), |_| resume_unwind(Box::new("as a listener may")))
        .expect("a listener");
    let note = Arc::clone(&heard);
    let calm = scene
        .listen(ListenOptions::new(), move |notice| {
            let Notice::Event(event) = notice else { panic!("{notice:?}") };
            note.lock().expect("nobody panics with it").push(vug_tests::told::word(event));
        })
        .expect("a listener");
    scene.set("k", "a");
    scene.set("k", "b");
    wait_until("both were told", || (nervous.delivered(), calm.delivered()) == (2, 2));
    assert_eq!((nervous.panics(), calm.panics()), (2, 0), "the next notice comes all the same");
    assert_eq!(nervous.last_panic().as_deref(), Some("as a listener may"));
    let heard = heard.lock().expect("nobody panics with it");
    assert_eq!(*heard, ["create:k:a:-:me", "update:k:b:?:me"]);
}

/// Listeners are not called one after the other; they share one order of events.
#[test]
fn scenario_200_all_listeners_are_told_in_the_same_order() {
    let scene = Scene::local();
    let (mut writer, mut listener) = (scene.other(), scene.other());
    done(&mut listener, "listen");
    let (mut first, mut second) = (scene.subscribe(), scene.subscribe());
    writer.send("loop-put theirs 500");
    for n in 0..500 {
        scene.set(&format!("mine-{n}"), "a");
    }
    writer.answer();
    let (first, second) = (told(&mut first), told(&mut second));
    assert_eq!(first.len(), 1000);
    assert_eq!(first, second);
    // Only who did it looks different from elsewhere.
    let key = |event: &String| event.split(':').nth(1).map(str::to_owned);
    let keys = |events: &[String]| events.iter().map(key).collect::<Vec<_>>();
    assert_eq!(keys(&done(&mut listener, "told")), keys(&first));
}

#[test]
fn scenario_202_the_last_event_is_that_of_the_destroyed_region() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    done(&mut other, "listen");
    let mut events = scene.subscribe();
    done(&mut other, "destroy-region");
    let kinds: Vec<EventKind> = events
        .by_ref()
        .map(|notice| match notice {
            Ok(Notice::Event(event)) => event.kind,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [EventKind::RegionDestroy], "nothing of the entries");
    assert!(events.is_ended());
    assert_eq!(done(&mut other, "told"), ["region-destroy:-:-:?:me"]);
}

#[test]
fn scenario_203_a_clear_is_one_event_in_every_process() {
    for scene in [Scene::local(), Scene::empty()] {
        let mut other = scene.other();
        for n in 0..50 {
            scene.set(&format!("k{n}"), "a");
        }
        done(&mut other, "listen");
        let mut events = scene.subscribe();
        scene.clear().expect("clear");
        assert_eq!(told(&mut events), ["clear:-:-:?:me"]);
        assert_eq!(done(&mut other, "told"), ["clear:-:-:?:member"]);
        assert_eq!(scene.entries(), 0);
    }
}

#[test]
fn scenario_204_conditional_operations_tell_what_they_did_or_nothing() {
    let scene = Scene::replicate();
    let mut events = scene.subscribe();
    assert_eq!(scene.replace(b"k", b"0").expect("absent"), None);
    assert_eq!(scene.remove_if_value(b"k", b"0").expect("absent"), Swap::Changed(None));
    assert!(told(&mut events).is_empty());
    let created = scene.put_if_absent(b"k", b"1").expect("put");
    assert!(matches!(created, PutIfAbsent::Created(_)));
    let present = scene.put_if_absent(b"k", b"2").expect("present");
    assert!(matches!(present, PutIfAbsent::Present { .. }));
    let kinds = |events: &mut vug::Subscription| -> Vec<String> {
        let kind = |event: String| event.split(':').next().unwrap_or_default().to_owned();
        told(events).into_iter().map(kind).collect()
    };
    assert_eq!(kinds(&mut events), ["create"]);
    assert!(scene.replace(b"k", b"3").expect("present").is_some());
    assert!(matches!(scene.replace_if(b"k", b"x", b"4"), Ok(Swap::Changed(Some(_)))));
    assert!(matches!(scene.replace_if(b"k", b"3", b"4"), Ok(Swap::Swapped(_))));
    assert_eq!(kinds(&mut events), ["update", "update"]);
    assert!(matches!(scene.remove_if_value(b"k", b"x"), Ok(Swap::Changed(Some(_)))));
    assert!(matches!(scene.remove_if_value(b"k", b"4"), Ok(Swap::Swapped(_))));
    assert_eq!(kinds(&mut events), ["destroy"]);
}

#[test]
fn scenario_206_a_listener_may_read_what_it_is_told_of_and_write() {
    let scene = Scene::local();
    let mut other = scene.other();
    let region = scene.region.clone();
    let listener = scene
        .listen(ListenOptions::new().prefix("k"), move |notice| {
            let Notice::Event(event) = notice else { panic!("{notice:?}") };
            let number =
                |bytes: &[u8]| -> u64 { String::from_utf8_lossy(bytes).parse().expect("a number") };
            let told = event.value.as_deref().map(number).expect("a put");
            let found = region.get(b"k").expect("get").as_deref().map(number);
            assert!(found >= Some(told), "{found:?} after {told}");
            region.increment(b"seen", 1).expect("a counter");
        })
        .expect("a listener");
    // So few that they fit a segment: memory of old values is used again, whoever has not read yet.
    done(&mut other, "count-up k 500");
    wait_until("all was told", || listener.delivered() == 500);
    assert_eq!((listener.panics(), listener.last_panic()), (0, None));
    assert_eq!(scene.increment(b"seen", 0).expect("a counter"), 500);
}
