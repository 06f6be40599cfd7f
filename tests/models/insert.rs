//! Exhaustive model of the helpable bucket insert: every interleaving, every place of death.
//!
//! The small configurations run always; the one with two million states runs in an optimised build
//! as well, and with `VUG_MODEL=small` it is passed over.

mod bucket;
mod explore;
mod linearizability;

use bucket::{Bucket, COMPLETE, Operation, Protocol};
use explore::{Explored, Violation, explore};
use linearizability::Effect;

const A: u8 = 0;
const B: u8 = 1;

fn put(key: u8, value: u8) -> Operation {
    Operation { key, effect: Effect::Put(value) }
}

fn delete(key: u8) -> Operation {
    Operation { key, effect: Effect::Delete }
}

fn get(key: u8) -> Operation {
    Operation { key, effect: Effect::Get }
}

fn holds(name: &str, programs: Vec<Vec<Operation>>, protocol: Protocol) -> Explored {
    let explored = explore(&mut Bucket::new(programs, protocol), true)
        .unwrap_or_else(|violation| panic!("{name}: {violation:#?}"));
    println!("{name}: {} states, {} steps alone", explored.states, explored.solo_steps);
    assert!(explored.solo_steps <= 24, "{name}: a lone process needs {}", explored.solo_steps);
    explored
}

fn fails(programs: Vec<Vec<Operation>>, protocol: Protocol) -> Violation<bucket::State> {
    let violation = explore(&mut Bucket::new(programs, protocol), false)
        .expect_err("the control must find a violation");
    println!("{} after {} states: {:?}", violation.what, violation.states, violation.state);
    violation
}

#[test]
fn three_puts_of_one_key() {
    let programs = vec![vec![put(A, 1)], vec![put(A, 2)], vec![put(A, 3)]];
    holds("put A | put A | put A", programs, COMPLETE);
}

#[test]
fn put_and_delete_under_two_reads() {
    let programs = vec![vec![put(A, 1), delete(A)], vec![put(A, 2)], vec![get(A), get(A)]];
    holds("put A, delete A | put A | get A, get A", programs, COMPLETE);
}

#[test]
fn delete_and_put_again() {
    let programs = vec![vec![put(A, 1)], vec![delete(A), put(A, 2)], vec![put(A, 3)]];
    holds("put A | delete A, put A | put A", programs, COMPLETE);
}

#[test]
fn slot_freed_by_another_key() {
    let programs = vec![vec![put(B, 9), delete(B)], vec![put(A, 1)], vec![put(A, 2)]];
    holds("put B, delete B | put A | put A", programs, COMPLETE);
}

#[test]
fn slot_changes_hands_between_two_keys() {
    if std::env::var("VUG_MODEL").is_ok_and(|size| size == "small") {
        println!("skipped: VUG_MODEL=small leaves out the two million states");
        return;
    }
    let programs = vec![vec![put(A, 1), delete(A), put(B, 5)], vec![put(A, 2)], vec![put(B, 3)]];
    holds("put A, delete A, put B | put A | put B", programs, COMPLETE);
}

#[test]
fn descriptors_read_word_by_word() {
    let programs = vec![vec![put(B, 9), put(A, 1)], vec![put(A, 2)]];
    let torn = Protocol { torn_descriptor: true, ..COMPLETE };
    holds("torn descriptors: put B, put A | put A", programs, torn);
}

#[test]
fn control_without_header_duplicates() {
    let programs = vec![vec![put(B, 9), delete(B)], vec![put(A, 1)], vec![put(A, 2)]];
    let violation = fails(programs, Protocol { header: false, ..COMPLETE });
    assert_eq!(violation.what, "two entries for one key");
}

#[test]
fn control_without_stamps_resurrects() {
    let programs = vec![vec![put(A, 1), delete(A)], vec![put(B, 2)], vec![get(A), get(A)]];
    let violation = fails(programs, Protocol { stamps: false, ..COMPLETE });
    assert_eq!(violation.what, "not linearizable");
}

/// Why the helper looks at the header again: with a descriptor read word by word, it could join the
/// old new-word with the next expected word.
#[test]
fn control_without_recheck_joins_two_descriptors() {
    let programs = vec![vec![put(B, 9), put(A, 1)], vec![put(A, 2)]];
    let violation = fails(programs, Protocol { recheck: false, torn_descriptor: true, ..COMPLETE });
    assert_eq!(violation.what, "two entries for one key");
}
