//! Entries, as two processes of a node see them.

use std::time::Duration;

use vug::{DataPolicy, Expiry, Kind, Scope, Swap};
use vug_tests::{Answer, wait_until};

use crate::scene::{
    ENTRY_EXISTS, ENTRY_NOT_FOUND, NOT_ALLOWED, Scene, code, done, ok, refused, told,
};

#[test]
fn scenario_004_a_put_gives_an_invalid_entry_its_value_back() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    scene.invalidate(b"k").expect("present").expect("it had a value");
    let mut events = scene.subscribe();
    done(&mut other, "put k b");
    assert_eq!(scene.value("k").as_deref(), Some("b"));
    let told = told(&mut events);
    assert!(
        told.len() == 1 && told[0].starts_with("update:k:b:"),
        "an invalid key counts: {told:?}"
    );
}

#[test]
fn scenario_005_a_put_gives_an_entry_created_without_a_value_one() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.create_invalid(b"k").expect("created");
    assert_eq!(other.ask("get k"), Answer::None);
    assert_eq!(code(scene.create(b"k", b"a")), ENTRY_EXISTS, "an invalid key counts");
    done(&mut other, "put k b");
    assert_eq!(scene.value("k").as_deref(), Some("b"));
}

#[test]
fn scenario_007_a_destroyed_entry_is_gone_for_every_process() {
    let scene = Scene::with(|builder| builder.old_values(true));
    let mut other = scene.other();
    scene.set("k", "a");
    done(&mut other, "listen");
    scene.destroy(b"k").expect("present");
    assert_eq!(other.ask("contains k"), ok("false"));
    assert_eq!(done(&mut other, "told"), ["destroy:k:-:a:member"]);
}

#[test]
fn scenario_010_invalidated_again_and_again_the_key_stays_without_a_value() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    scene.invalidate(b"k").expect("present").expect("it had a value");
    for _ in 0..3 {
        assert_eq!(other.ask("invalidate k"), Answer::None, "nothing is left to do");
        assert_eq!(scene.invalidate(b"k").expect("present"), None);
        assert_eq!(other.ask("get k"), Answer::None);
        assert!(scene.has("k") && scene.value("k").is_none());
    }
    assert_eq!(other.ask("contains k"), ok("true"));
}

/// What is local is of the node: the other process loses the value, too. Other nodes keep theirs.
#[test]
fn scenario_011_a_local_invalidate_takes_the_value_on_this_node_only() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    let mut events = scene.subscribe();
    done(&mut other, "listen");
    let outcome = scene.local_invalidate(b"k").expect("present").expect("it had a value");
    assert_eq!(outcome.token.kind, Kind::LocalInvalid);
    assert_eq!(other.ask("contains k"), ok("true"));
    assert_eq!(other.ask("get k"), Answer::None);
    assert_eq!(told(&mut events), ["local-invalidate:k:-:?:me"]);
    assert_eq!(done(&mut other, "told"), ["local-invalidate:k:-:?:member"]);
}

/// What is local is of the node: the other process loses the entry, too, and what it puts then is a
/// new one for both.
#[test]
fn scenario_012_a_local_destroy_takes_the_entry_on_this_node_only() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    done(&mut other, "listen");
    scene.local_destroy(b"k").expect("present");
    assert_eq!(other.ask("contains k"), ok("false"));
    assert_eq!(done(&mut other, "told"), ["local-destroy:k:-:?:member"]);
    assert_eq!(refused(&mut other, "local-destroy k"), ENTRY_NOT_FOUND);
    let mut events = scene.subscribe();
    done(&mut other, "put k b");
    assert_eq!(scene.value("k").as_deref(), Some("b"));
    assert_eq!(told(&mut events), ["create:k:b:-:member"]);
}

/// The copy is that of the node, so "previous" includes what another process put.
#[test]
fn scenario_017_a_put_can_return_the_value_that_was_here() {
    let scene = Scene::local();
    let mut other = scene.other();
    let (first, none) = scene.swap_value(b"k", b"a").expect("put");
    assert!(first.created && none.is_none());
    done(&mut other, "put k b");
    let (second, old) = scene.swap_value(b"k", b"c").expect("put");
    assert!(!second.created);
    assert_eq!(old.as_deref(), Some(&b"b"[..]));
    scene.invalidate(b"k").expect("present").expect("it had a value");
    assert_eq!(scene.swap_value(b"k", b"d").expect("put").1, None, "an invalid entry had none");
}

/// `remove` says whether there was something to remove; the value is in the event.
#[test]
fn scenario_018_removing_twice_is_no_error_and_destroying_twice_is() {
    let scene = Scene::with(|builder| builder.old_values(true));
    let mut other = scene.other();
    scene.set("k", "a");
    let mut events = scene.subscribe();
    assert!(scene.remove(b"k").expect("remove").is_some());
    assert!(scene.remove(b"k").expect("remove").is_none());
    assert_eq!(other.ask("del k"), Answer::None);
    assert_eq!(code(scene.destroy(b"k")), ENTRY_NOT_FOUND);
    assert_eq!(refused(&mut other, "destroy k"), ENTRY_NOT_FOUND);
    assert_eq!(told(&mut events), ["destroy:k:-:a:me"]);
}

/// Values are immutable: what one reads does not change under it, and a copy is its own.
#[test]
fn scenario_019_a_value_changes_by_a_put_only() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    let mut copy = Vec::new();
    scene.get_into(b"k", &mut copy).expect("get").expect("present");
    copy[0] = b'x';
    assert_eq!(other.ask("get k"), ok("a"));
    let guard = scene.get(b"k").expect("get").expect("present");
    done(&mut other, "put k b");
    assert_eq!(&*guard, b"a", "what was read stays as it was");
    drop(guard);
    assert_eq!(scene.value("k").as_deref(), Some("b"));
}

#[test]
fn scenario_022_what_one_process_creates_all_have() {
    let scene = Scene::replicate();
    let (mut first, mut second) = (scene.other(), scene.other());
    done(&mut second, "listen");
    done(&mut first, "loop-put k 100");
    assert_eq!((scene.entries(), second.ask("len")), (100, ok("100")));
    assert_eq!(done(&mut first, "digest"), done(&mut second, "digest"));
    let told = done(&mut second, "told");
    assert_eq!(told.len(), 100);
    assert!(told.iter().all(|event| event.starts_with("create:")), "{told:?}");
}

/// Geode calls the refusal of a local clear `UnsupportedOperation`; here all are `NotAllowed`.
#[test]
fn scenario_023_a_distributed_replicate_refuses_to_lose_entries_here_only() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    scene.set("k", "a");
    assert_eq!(code(scene.local_destroy(b"k")), NOT_ALLOWED);
    assert_eq!(code(scene.local_invalidate(b"k")), NOT_ALLOWED);
    assert_eq!(code(scene.local_invalidate_region()), NOT_ALLOWED);
    assert_eq!(code(scene.local_clear()), NOT_ALLOWED);
    assert_eq!(refused(&mut other, "local-destroy k"), NOT_ALLOWED);
    assert_eq!(refused(&mut other, "local-invalidate k"), NOT_ALLOWED);
    assert_eq!((scene.value("k").as_deref(), other.ask("get k")), (Some("a"), ok("a")));
}

#[test]
fn scenario_025_a_replicate_contains_a_key_created_without_a_value() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    scene.create_invalid(b"k").expect("created");
    assert!(scene.has("k") && !scene.contains_value_for_key(b"k").expect("look"));
    assert_eq!(other.ask("contains k"), ok("true"));
    assert_eq!(other.ask("get k"), Answer::None);
}

/// Geode makes it locally invalid. Here its processes share the entry, so there is nobody who would
/// have another state of it.
#[test]
fn scenario_026_a_key_created_without_a_value_in_a_normal_region_has_none() {
    let scene = Scene::local();
    let mut events = scene.subscribe();
    let mut other = scene.other();
    done(&mut other, "create-invalid k");
    assert!(scene.has("k") && scene.value("k").is_none());
    assert_eq!(told(&mut events), ["create:k:-:-:member"]);
}

/// An image within the node is to map the region: it is complete when `open` returns.
#[test]
fn scenario_034_who_opens_a_region_has_all_of_it_and_hears_of_none() {
    let scene =
        Scene::with(|builder| builder.data_policy(DataPolicy::Preloaded).scope(Scope::Local));
    for n in 1..=9 {
        scene.set(&format!("k{n}"), "a");
    }
    let mut other = scene.other();
    done(&mut other, "listen");
    assert_eq!(other.ask("len"), ok("9"));
    for n in 1..=9 {
        assert_eq!(other.ask(format_args!("get k{n}")), ok("a"));
    }
    assert_eq!(other.ask("told"), ok(""), "nothing happened since");
}

#[test]
fn scenario_049_an_invalid_entry_is_part_of_what_one_opens() {
    let scene = Scene::replicate();
    scene.create_invalid(b"k").expect("created");
    scene.set("j", "a");
    let mut other = scene.other();
    assert_eq!(other.ask("contains k"), ok("true"));
    assert_eq!(other.ask("get k"), Answer::None);
    assert_eq!(other.ask("get j"), ok("a"));
}

#[test]
fn scenario_050_many_and_large_entries_are_the_same_for_who_opens_later() {
    let scene = Scene::with(|builder| builder.max_bytes(32 << 20));
    for n in 0..10_000_u32 {
        let value = vec![n as u8; n as usize % 300];
        scene.put(format!("small-{n}").as_bytes(), &value).expect("put");
    }
    for n in 0..4_usize {
        let value: Vec<u8> = (0..500_000 + n * 100_000).map(|at| (at % (251 - n)) as u8).collect();
        scene.put(format!("large-{n}").as_bytes(), &value).expect("put");
    }
    let digests = [scene.other(), scene.other()].map(|mut other| done(&mut other, "digest"));
    assert_eq!(digests[0][0], "10004");
    assert_eq!(digests[0], digests[1]);
    let mut large = Vec::new();
    scene.get_into(b"large-3", &mut large).expect("get").expect("present");
    assert_eq!(large.len(), 800_000);
    assert!(large.iter().enumerate().all(|(at, byte)| *byte == (at % 248) as u8));
}

#[test]
fn scenario_052_without_acknowledgement_a_reader_never_sees_an_earlier_value_again() {
    const LAST: u64 = 20_000;
    let scene = Scene::with(|builder| {
        builder.data_policy(DataPolicy::Replicate).scope(Scope::DistributedNoAck)
    });
    let mut other = scene.other();
    let mut seen = 0;
    other.send(format_args!("count-up k {LAST}"));
    wait_until("the last value is here", || {
        let value = scene.value("k").map_or(0, |text| text.parse::<u64>().expect("a number"));
        assert!(value >= seen, "{value} after {seen}");
        seen = value;
        value == LAST
    });
    assert_eq!(other.answer(), ok(""));
}

/// Who does not read is told what it missed; nobody waits for it.
#[test]
fn scenario_053_a_listener_that_does_not_listen_holds_no_writer_up() {
    let scene = Scene::with(|builder| {
        builder.data_policy(DataPolicy::Replicate).scope(Scope::DistributedNoAck)
    });
    let mut other = scene.other();
    done(&mut other, "listen");
    let cells = scene.statistics().ring_len;
    for n in 0..=2 * cells {
        scene.put(b"k", &n.to_le_bytes()).expect("put");
    }
    let told = done(&mut other, "told");
    assert_eq!(told[0], "lapped");
    assert!(told.len() > 1, "and goes on from there");
}

#[test]
fn scenario_054_two_processes_that_put_one_key_agree_on_value_and_version() {
    let scene = Scene::with(|builder| {
        builder.data_policy(DataPolicy::Replicate).scope(Scope::DistributedNoAck)
    });
    let (mut first, mut second) = (scene.other(), scene.other());
    first.send("count-up k 1000");
    second.send("count-up k 1000");
    assert_eq!((first.answer(), second.answer()), (ok(""), ok("")));
    assert_eq!((first.ask("get k"), second.ask("get k")), (ok("1000"), ok("1000")));
    let (first, second) = (done(&mut first, "token k"), done(&mut second, "token k"));
    assert_eq!(first, second);
    let mine = scene.token(b"k").expect("look").expect("present");
    assert_eq!(first[0], mine.version.to_string());
}

/// Listeners are not on the writer's path: what is certain when a put returns is the value.
#[test]
fn scenario_064_when_a_put_returns_every_process_has_the_value() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    done(&mut other, "listen");
    for n in 0..100 {
        let value = n.to_string();
        scene.set("k", &value);
        assert_eq!(other.ask("get k"), ok(&value));
    }
    assert_eq!(done(&mut other, "told").len(), 100);
}

/// Versions have 64 bits and do not wrap round, so however much one has missed, it is older.
#[test]
fn scenario_145_who_missed_70_000_updates_knows_that_it_is_behind() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    scene.set("k", "0");
    let handle = scene.handle(b"k").expect("a handle");
    let old = scene.token(b"k").expect("look").expect("present");
    done(&mut other, "count-up k 70000");
    let new = scene.token(b"k").expect("look").expect("present");
    assert!(new.version > old.version);
    assert_eq!(scene.compare_and_swap(b"k", old, b"x").expect("swap"), Swap::Changed(Some(new)));
    assert_eq!(handle.get().expect("get").as_deref(), Some(&b"70000"[..]));
}

#[test]
fn scenario_163_a_miss_leaves_nothing_behind() {
    for scene in [Scene::local(), Scene::replicate(), Scene::empty()] {
        let mut events = scene.subscribe();
        assert_eq!(scene.value("k"), None);
        assert!(!scene.has("k") && scene.entries() == 0);
        assert!(told(&mut events).is_empty());
    }
}

#[test]
fn scenario_166_an_invalid_entry_is_a_miss() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    scene.set("k", "a");
    done(&mut other, "invalidate k");
    let mut events = scene.subscribe();
    assert_eq!((scene.value("k"), other.ask("get k")), (None, Answer::None));
    assert!(told(&mut events).is_empty());
}

/// It is no read in the statistics either, brings nothing in and does not keep an entry from being
/// idle.
#[test]
fn scenario_181_looking_whether_a_key_is_there_is_not_counted() {
    let idle = Expiry::destroy(Duration::from_secs(60));
    let scene = Scene::with(|builder| builder.entry_idle(idle));
    let mut events = scene.subscribe();
    scene.set("k", "a");
    for looks in 0..4 {
        for key in [&b"k"[..], b"missing"] {
            let there = key == b"k" && looks < 3;
            assert_eq!(scene.contains_key(key).expect("look"), there);
            assert_eq!(scene.contains_value_for_key(key).expect("look"), there);
            assert_eq!(scene.entry(key).expect("look").is_some(), there);
        }
        vug::advance_clock(Duration::from_secs(25));
    }
    assert_eq!(told(&mut events), ["create:k:a:-:me"]);
    let counted = scene.statistics();
    assert_eq!((counted.counters.gets, counted.hit_ratio()), (0, None));
    assert_eq!((scene.value("missing"), scene.statistics().counters.gets), (None, 1));
}

/// The copy is that of the node, and outlives the process that made it.
#[test]
fn scenario_276_entries_of_a_killed_process_stay_on_the_node() {
    let scene = Scene::local();
    let mut other = scene.other();
    done(&mut other, "put k a");
    other.kill();
    assert_eq!(scene.value("k").as_deref(), Some("a"));
    let mut next = scene.other();
    assert_eq!(next.ask("get k"), ok("a"));
}
