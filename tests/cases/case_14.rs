//! Creation storm: many processes open or create one region at once, and creators are killed.
//!
//! What other files an opener refuses (other format, byte order, boot, damage) is in `bad_input`.

use std::collections::BTreeSet;

use crate::WORKER;
use vug::{Error, Node};
use vug_tests::{Answer, TempHome, Worker, assert_clean, wait_until};

const STORM: usize = 64;
/// Members that a region takes.
const PLACES: usize = 64;
/// Each member writes to a log segment of its own.
const MAX_BYTES: u64 = 16 << 20;

fn names(home: &TempHome) -> BTreeSet<String> {
    let entries = std::fs::read_dir(home.path()).expect("the home directory");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

/// Starts a storm and kills every worker for which `dies` says so, at no particular place; returns
/// the survivors after they all have said that they are attached.
fn storm(home: &TempHome, dies: impl Fn(usize) -> bool) -> Vec<Worker> {
    let mut workers: Vec<Worker> = (0..STORM).map(|_| Worker::start(WORKER)).collect();
    for worker in &mut workers {
        let home = home.path().display();
        worker.send(format_args!("open-or-create {home} storm {MAX_BYTES}"));
    }
    let mut living = Vec::new();
    for (n, worker) in workers.into_iter().enumerate() {
        if dies(n) {
            worker.kill();
        } else {
            living.push(worker);
        }
    }
    for worker in &mut living {
        assert_eq!(worker.answer(), Answer::Ok(Vec::new()));
    }
    living
}

#[test]
fn case_14_creation_storm() {
    for round in 0..4 {
        let home = TempHome::new();
        let mut living = storm(&home, |n| n % 4 == round);
        assert!(living.len() < PLACES);
        for (n, worker) in living.iter_mut().enumerate() {
            assert!(matches!(worker.ask(format_args!("put key-{n} {n}")), Answer::Ok(_)));
        }
        let count = living.len();
        for (n, worker) in living.iter_mut().enumerate() {
            let other = count - 1 - n;
            assert_eq!(worker.ask(format_args!("get key-{other}")).word(), other.to_string());
        }
        let node = home.node();
        let region = node.region("storm").open().expect("open");
        assert_eq!(region.len().expect("len"), count as u64);
        let known = ["bell", "node", "storm.region"].map(str::to_owned);
        assert_eq!(names(&home), BTreeSet::from(known), "something is left over");
        living.into_iter().for_each(Worker::exit);
        // Those that were killed are dead once the kernel has reaped them; nothing of them stays.
        wait_until("the dead are gone", || {
            node.recover().is_ok() && node.members().iter().all(|member| member.myself)
        });
        assert!(region.statistics().threads <= 1, "only ours");
        assert_clean(region.path());
    }
}

/// A region whose creators were all killed is either whole or not there at all.
#[test]
fn case_14_all_creators_killed() {
    for _ in 0..4 {
        let home = TempHome::new();
        assert!(storm(&home, |_| true).is_empty());
        let node = Node::open(home.path()).expect("open");
        match node.region("storm").open() {
            Ok(region) => assert!(region.is_empty().expect("len")),
            Err(Error::RegionNotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        let region = node.region("storm").max_bytes(MAX_BYTES).open_or_create().expect("a region");
        region.put(b"key", b"value").expect("put");
        node.recover().expect("recover");
        assert_clean(region.path());
    }
}
