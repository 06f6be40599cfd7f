//! Regions are made, cleared, closed and destroyed by many processes, some of which are killed.

use std::collections::BTreeSet;
use std::path::Path;
use vug_tests::{Answer, TempHome, Worker, assert_clean};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");
const MAX_BYTES: u64 = 4 << 20;

fn ok() -> Answer {
    Answer::Ok(Vec::new())
}

fn code(answer: &Answer) -> u16 {
    match answer {
        Answer::Error(code, _) => *code,
        _ => 0,
    }
}

/// Names in a home directory.
fn names(home: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(home).expect("the home directory");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

/// What a node without regions leaves in its home.
fn names_without_regions() -> BTreeSet<String> {
    let home = TempHome::new();
    drop(home.node());
    names(home.path())
}

#[test]
fn of_all_creators_exactly_one_makes_the_region() {
    let home = TempHome::new();
    let mut workers: Vec<Worker> = (0..8).map(|_| Worker::start(WORKER)).collect();
    for round in 0..30 {
        for worker in &mut workers {
            let home = home.path().display();
            worker.send(format_args!("create-region {home} r{round} {MAX_BYTES}"));
        }
        let answers: Vec<Answer> = workers.iter_mut().map(Worker::answer).collect();
        assert_eq!(answers.iter().filter(|answer| **answer == ok()).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| code(answer) == 205).count(), 7, "{answers:?}");
    }
    let mut expected = names_without_regions();
    expected.extend((0..30).map(|round| format!("r{round}.region")));
    assert_eq!(names(home.path()), expected);
}

#[test]
fn creators_that_are_killed_leave_a_whole_region_or_none() {
    let home = TempHome::new();
    let node = home.node();
    let mut random: u64 = 88_172_645_463_325_252;
    for round in 0..25 {
        let request = format!("open-or-create {} r {MAX_BYTES}", home.path().display());
        let mut workers: Vec<Worker> = (0..6).map(|_| Worker::start(WORKER)).collect();
        workers.iter_mut().for_each(|worker| worker.send(&request));
        // Two die somewhere on the way: after none, some, or all of what they do.
        for worker in workers.drain(..2) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            for _ in 0..random % 400_000 {
                std::hint::spin_loop();
            }
            worker.kill();
        }
        for (n, worker) in workers.iter_mut().enumerate() {
            assert_eq!(worker.answer(), ok(), "round {round}");
            assert!(matches!(worker.ask(format_args!("put key-{n} {n}")), Answer::Ok(_)));
        }
        for n in 0..workers.len() {
            let value = workers[0].ask(format_args!("get key-{n}"));
            assert_eq!(value.word(), n.to_string(), "all have the same region");
        }
        node.recover().expect("recover");
        assert_clean(&home.region_file("r"));
        assert_eq!(workers[1].ask("destroy-region"), ok());
        let codes: Vec<u16> = workers.iter_mut().map(|w| code(&w.ask("get key-0"))).collect();
        assert_eq!(codes, [409; 4], "everybody learns of it");
        assert_eq!(names(home.path()), names_without_regions(), "round {round}");
    }
}

#[test]
fn a_storm_of_regions_that_come_and_go() {
    let home = TempHome::new();
    let node = home.node();
    let storm = |worker: &mut Worker, count: u32| {
        worker.send(format_args!("region-storm {} r {count}", home.path().display()));
    };
    let mut killed: Vec<Worker> = (0..3).map(|_| Worker::start(WORKER)).collect();
    killed.iter_mut().for_each(|worker| storm(worker, 0));
    let mut workers: Vec<Worker> = (0..3).map(|_| Worker::start(WORKER)).collect();
    for _ in 0..10 {
        workers.iter_mut().for_each(|worker| storm(worker, 40));
        // One of those that never end is killed in the middle, and another one comes.
        killed.remove(0).kill();
        let mut next = Worker::start(WORKER);
        storm(&mut next, 0);
        killed.push(next);
        for worker in &mut workers {
            match worker.answer() {
                Answer::Ok(counts) => assert_eq!(counts.len(), 2),
                other => panic!("{other:?}"),
            }
        }
    }
    killed.into_iter().for_each(Worker::kill);
    workers.into_iter().for_each(Worker::exit);
    // What the last one that was killed has left is whole, or destroyed and helped out of the way.
    let region = node.region("r").max_bytes(1 << 20).open_or_create().expect("a region");
    region.put(b"k", b"v").expect("put");
    node.recover().expect("recover");
    assert_clean(region.path());
    region.destroy_region().expect("destroy");
    assert_eq!(names(home.path()), names_without_regions());
}

#[test]
fn who_clears_may_be_killed() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(MAX_BYTES).create().expect("a region");
    let open = || Worker::open(WORKER, home.path(), "r");
    let mut writers: Vec<Worker> = (0..2).map(|_| open()).collect();
    for (n, writer) in writers.iter_mut().enumerate() {
        writer.send(format_args!("loop-put w{n} 0"));
    }
    for _ in 0..30 {
        let mut clearer = open();
        clearer.send("clear 0");
        // It gets to its clears: an entry that stays until somebody clears goes.
        region.put(b"mark", b"v").expect("put");
        vug_tests::wait_until("somebody clears", || !region.contains_key(b"mark").expect("look"));
        clearer.kill();
        region.put(b"own", b"v").expect("put");
        assert!(region.contains_key(b"own").expect("look"), "nobody clears any more");
    }
    writers.into_iter().for_each(Worker::kill);
    node.recover().expect("recover");
    let keys = region.keys().collect::<vug::Result<Vec<_>>>().expect("keys");
    let distinct: BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len() as u64, region.len().expect("len"), "each counts once");
    region.clear().expect("clear");
    assert!(region.is_empty().expect("len"));
    assert_clean(region.path());
}

#[test]
fn what_one_process_does_to_the_region_all_see() {
    let home = TempHome::new();
    let node = home.node();
    let region = node.region("r").max_bytes(MAX_BYTES).create().expect("a region");
    let mut other = Worker::open(WORKER, home.path(), "r");
    region.put(b"k", b"v").expect("put");
    assert_eq!(other.ask("invalidate-region"), ok());
    assert!(region.contains_key(b"k").expect("look"));
    assert!(region.get(b"k").expect("get").is_none());
    assert_eq!(other.ask("clear 1"), ok());
    assert!(!region.contains_key(b"k").expect("look"));
    assert_eq!(other.ask("close"), ok());
    assert_eq!(code(&other.ask("get k")), 410, "closed there");
    region.put(b"k", b"v").expect("and open here");
    let open = format!("open {} r", home.path().display());
    assert_eq!(other.ask(open), ok());
    assert_eq!(other.ask("get k").word(), "v");
    other.send("wait absent");
    region.destroy_region().expect("destroy");
    assert_eq!(code(&other.answer()), 409, "who waits is woken");
}
