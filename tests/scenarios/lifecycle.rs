//! The life of a region: made, opened, closed, destroyed, made again.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vug::Node;
use vug_tests::{Answer, TempHome, Worker, assert_clean, wait_until};

use crate::WORKER;
use crate::scene::{
    NAME, REGION_CLOSED, REGION_DESTROYED, REGION_EXISTS, REGION_NOT_FOUND, Scene, code, done, ok,
    refused, told,
};

/// What is local is of the node: all its processes lose the region, and other nodes keep theirs.
#[test]
fn scenario_013_a_local_destroy_takes_the_region_on_this_node_only() {
    let (scene, elsewhere) = (Scene::local(), Scene::local());
    let mut other = scene.other();
    scene.set("k", "a");
    elsewhere.set("k", "a");
    let mut events = scene.subscribe();
    scene.local_invalidate_region().expect("local scope");
    assert_eq!((scene.value("k"), other.ask("get k")), (None, Answer::None));
    scene.local_clear().expect("local scope");
    assert_eq!((scene.has("k"), other.ask("contains k")), (false, ok("false")));
    scene.local_destroy_region().expect("destroyed");
    assert_eq!(refused(&mut other, "get k"), REGION_DESTROYED);
    assert_eq!(
        told(&mut events),
        [
            "local-region-invalidate:-:-:?:me",
            "local-clear:-:-:?:me",
            "local-region-destroy:-:-:?:me"
        ]
    );
    assert_eq!(elsewhere.value("k").as_deref(), Some("a"));
}

#[test]
fn scenario_024_a_replicate_may_be_destroyed_on_this_node() {
    let scene = Scene::replicate();
    let mut other = scene.other();
    scene.set("k", "a");
    scene.local_destroy_region().expect("allowed");
    assert_eq!(code(scene.get(b"k")), REGION_DESTROYED);
    assert_eq!(refused(&mut other, "put k b"), REGION_DESTROYED);
}

/// The copy of a node is its file, which outlives the processes: what the last one left is there
/// for the next one.
#[test]
fn scenario_031_a_closed_replicate_keeps_what_it_holds() {
    let Scene { region, node, home } = Scene::replicate();
    region.put(b"k", b"a").expect("put");
    region.close().expect("closed");
    drop((region, node));
    let node = home.node();
    let region = node.region(NAME).open().expect("the region");
    assert_eq!(region.get(b"k").expect("get").as_deref(), Some(&b"a"[..]));
}

#[test]
fn scenario_032_a_region_made_again_is_a_fresh_one() {
    let scene = Scene::replicate();
    scene.set("k", "a");
    scene.local_destroy_region().expect("destroyed");
    let again = scene.node.region(NAME).attributes(scene.attributes()).create().expect("made anew");
    assert_eq!(again.len().expect("len"), 0);
    assert_ne!(again.incarnation(), scene.incarnation());
    assert_eq!(code(scene.get(b"k")), REGION_DESTROYED, "the old handle stays what it was");
}

/// Within a node nobody has to be asked: one of the creators makes the region, the others open it.
#[test]
fn scenario_133_processes_that_start_together_all_come_up() {
    let home = TempHome::new();
    let mut others = [(); 6].map(|()| Worker::start(WORKER));
    for other in &mut others {
        other.send(format_args!("open-or-create {} {NAME} 1048576", home.path().display()));
    }
    for other in &mut others {
        assert_eq!(other.answer(), ok(""));
    }
    for (n, other) in others.iter_mut().enumerate() {
        done(other, &format!("put k{n} a"));
    }
    for other in &mut others {
        assert_eq!(other.ask("len"), ok("6"), "they have the same region");
    }
}

#[test]
fn scenario_149_who_is_killed_while_it_clears_holds_nobody_up() {
    let scene = Scene::local();
    for round in 0..10 {
        let mut other = scene.other();
        other.send("clear 0");
        let cleared = scene.statistics().counters.clears;
        wait_until("it clears", || scene.statistics().counters.clears > cleared + round);
        other.kill();
        let value = round.to_string();
        scene.set("k", &value);
        assert_eq!((scene.value("k"), scene.entries()), (Some(value), 1));
    }
    scene.clear().expect("clear");
    scene.node.recover().expect("recover");
    assert_clean(scene.path());
}

#[test]
fn scenario_208_a_destroyed_region_is_gone_for_every_process() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    assert_eq!(other.ask("hold k"), ok("a"));
    scene.destroy_region().expect("destroyed");
    for request in [
        "get k",
        "put k b",
        "create j b",
        "del k",
        "destroy k",
        "invalidate k",
        "contains k",
        "add n 1 1",
        "len",
        "digest",
        "put-all k 3",
        "clear 1",
        "invalidate-region",
        "destroy-region",
        "close",
    ] {
        assert_eq!(refused(&mut other, request), REGION_DESTROYED, "{request}");
    }
    assert_eq!(other.ask("drop"), ok("a"), "a guard stays valid");
    assert!(scene.node.regions().expect("names").is_empty());
}

/// Geode says that a closed region was destroyed; `RegionClosed` tells the two apart.
#[test]
fn scenario_209_a_closed_region_goes_on_in_other_processes() {
    let scene = Scene::local();
    let mut other = scene.other();
    scene.set("k", "a");
    done(&mut other, "close");
    for request in ["get k", "put k b", "len", "clear 1", "close"] {
        assert_eq!(refused(&mut other, request), REGION_CLOSED, "{request}");
    }
    scene.set("k", "b");
    done(&mut other, &format!("open {} {NAME}", scene.home.path().display()));
    assert_eq!(other.ask("get k"), ok("b"));
}

#[test]
fn scenario_210_a_region_that_exists_is_not_made_again() {
    let scene = Scene::local();
    scene.set("k", "a");
    assert_eq!(code(scene.node.region(NAME).create()), REGION_EXISTS);
    let elsewhere = Node::open(scene.home.path()).expect("a second member");
    assert_eq!(code(elsewhere.region(NAME).create()), REGION_EXISTS);
    assert_eq!(scene.value("k").as_deref(), Some("a"));
    assert_eq!(elsewhere.region(NAME).open().expect("there").incarnation(), scene.incarnation());
}

#[test]
fn scenario_211_of_two_that_destroy_a_region_one_does() {
    for _ in 0..20 {
        let scene = Scene::local();
        let (mut first, mut second) = (scene.other(), scene.other());
        first.send("destroy-region");
        second.send("destroy-region");
        let answers = [first.answer(), second.answer()];
        let won = answers.iter().filter(|answer| **answer == ok("")).count();
        let late = |answer: &&Answer| matches!(answer, Answer::Error(REGION_DESTROYED, _));
        assert_eq!((won, answers.iter().filter(late).count()), (1, 1), "{answers:?}");
        assert_eq!(code(scene.get(b"k")), REGION_DESTROYED);
        assert_eq!(code(scene.node.region(NAME).open()), REGION_NOT_FOUND);
    }
}

/// Geode's members take their data with them. Here it is the node's: it stays in the home directory
/// until the region is destroyed.
#[test]
fn scenario_214_data_outlives_the_processes_and_not_the_region() {
    let scene = Scene::local();
    let mut other = scene.other();
    done(&mut other, "put k a");
    other.exit();
    let Scene { region, node, home } = scene;
    drop((region, node));
    let mut later = Worker::open(WORKER, home.path(), NAME);
    assert_eq!(later.ask("get k"), ok("a"));
    done(&mut later, "destroy-region");
    done(&mut later, &format!("open-or-create {} {NAME} 1048576", home.path().display()));
    assert_eq!(later.ask("len"), ok("0"));
}

#[test]
fn scenario_269_destroying_removes_the_file_and_closing_keeps_it() {
    for local in [false, true] {
        let scene = Scene::local();
        let file = scene.home.region_file(NAME);
        scene.close().expect("closed");
        assert!(file.exists());
        let again = scene.node.region(NAME).open().expect("the region");
        let mut events = again.subscribe();
        if local { again.local_destroy_region() } else { again.destroy_region() }
            .expect("destroyed");
        assert!(!file.exists());
        assert_eq!(told(&mut events).len(), 1);
    }
}

/// Nobody is expelled for being slow.
#[test]
fn scenario_278_a_stopped_process_holds_nobody_up_and_may_go_on() {
    let scene = Scene::local();
    let mut other = scene.other();
    let pid = Pid::from_raw(i32::try_from(other.pid()).expect("a pid"));
    for round in 0..10 {
        let puts = scene.statistics().counters.puts;
        other.send("loop-put theirs 5000");
        wait_until("it writes", || scene.statistics().counters.puts > puts);
        kill(pid, Signal::SIGSTOP).expect("own child");
        for n in 0..100 {
            scene.set(&format!("mine-{n}"), &round.to_string());
        }
        scene.clear().expect("clear");
        scene.set("after", &round.to_string());
        assert_eq!(scene.node.members().len(), 2, "it is a member");
        kill(pid, Signal::SIGCONT).expect("own child");
        assert_eq!(other.answer(), ok(""));
        assert_eq!(other.ask("get after"), ok(&round.to_string()));
    }
    assert_clean(scene.path());
}
