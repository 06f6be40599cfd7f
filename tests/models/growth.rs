//! Exhaustive model of the growth of the index: every interleaving, every place of death.
//!
//! A killed process takes no further step, so every state is also the one in which any of them has
//! just died; all others must be able to finish from it alone.

mod chain;
mod explore;
mod linearizability;

use chain::{COMPLETE, Chain, Operation, Protocol};
use explore::{Violation, explore};
use linearizability::Effect;

/// Both belong to the first child.
const A: u8 = 0;
const C: u8 = 2;
/// Belongs to the second.
const B: u8 = 1;

const MOVE: Operation = Operation::Migrate;

fn put(key: u8, record: u8) -> Operation {
    Operation::Entry { key, effect: Effect::Put(record) }
}

fn delete(key: u8) -> Operation {
    Operation::Entry { key, effect: Effect::Delete }
}

fn get(key: u8) -> Operation {
    Operation::Entry { key, effect: Effect::Get }
}

fn holds(name: &str, entries: Vec<(u8, u8)>, programs: Vec<Vec<Operation>>) {
    let explored = explore(&mut Chain::new(entries, programs, COMPLETE), true)
        .unwrap_or_else(|violation| panic!("{name}: {violation:#?}"));
    println!("{name}: {} states, {} steps alone", explored.states, explored.solo_steps);
    assert!(explored.solo_steps <= 40, "{name}: a lone process needs {}", explored.solo_steps);
}

fn fails(
    entries: Vec<(u8, u8)>,
    programs: Vec<Vec<Operation>>,
    protocol: Protocol,
) -> Violation<chain::State> {
    let violation = explore(&mut Chain::new(entries, programs, protocol), false)
        .expect_err("the control must find a violation");
    println!("{} after {} states", violation.what, violation.states);
    violation
}

#[test]
fn two_move_while_one_replaces() {
    holds(
        "move | move | put A",
        vec![(A, 1), (C, 2)],
        vec![vec![MOVE], vec![MOVE], vec![put(A, 3)]],
    );
}

#[test]
fn two_replace_while_one_moves() {
    let programs = vec![vec![MOVE], vec![put(A, 3)], vec![put(A, 4)]];
    holds("move | put A | put A", vec![(A, 1), (B, 2)], programs);
}

#[test]
fn delete_and_put_again_while_one_moves() {
    let programs = vec![vec![MOVE], vec![delete(A), put(A, 3)], vec![get(A)]];
    holds("move | delete A, put A | get A", vec![(A, 1), (B, 2)], programs);
}

#[test]
fn insert_while_two_move() {
    let programs = vec![vec![MOVE], vec![MOVE], vec![put(C, 3)]];
    holds("move | move | put C", vec![(A, 1)], programs);
}

#[test]
fn two_insert_one_key_while_one_moves() {
    let programs = vec![vec![MOVE], vec![put(C, 3)], vec![put(C, 4)]];
    holds("move | put C | put C", vec![(A, 1)], programs);
}

#[test]
fn a_stale_mover_meets_a_slot_that_was_emptied() {
    let programs = vec![vec![MOVE], vec![delete(A), put(C, 4)], vec![get(A), get(C)]];
    holds("move | delete A, put C | get A, get C", vec![(A, 1)], programs);
}

#[test]
fn a_reader_across_the_move() {
    let programs = vec![vec![MOVE], vec![put(A, 3), put(A, 4)], vec![get(A), get(A)]];
    holds("move | put A, put A | get A, get A", vec![(A, 1), (B, 2)], programs);
}

#[test]
fn control_without_frozen_slots_copies_what_was_replaced() {
    let protocol = Protocol { freeze_slots: false, ..COMPLETE };
    let programs = vec![vec![MOVE], vec![put(A, 3), get(A)]];
    let violation = fails(vec![(A, 1)], programs, protocol);
    assert_eq!(violation.what, "a record was read after its memory was reused");
}

#[test]
fn control_reader_without_recheck_reads_what_is_gone() {
    let protocol = Protocol { reader_rechecks: false, ..COMPLETE };
    let programs = vec![vec![MOVE], vec![put(A, 3)], vec![get(A)]];
    let violation = fails(vec![(A, 1)], programs, protocol);
    assert_eq!(violation.what, "a record was read after its memory was reused");
}

#[test]
fn control_copier_without_recheck_reads_what_is_gone() {
    let protocol = Protocol { copier_rechecks: false, ..COMPLETE };
    let programs = vec![vec![MOVE], vec![MOVE], vec![put(A, 3)]];
    let violation = fails(vec![(A, 1)], programs, protocol);
    assert_eq!(violation.what, "a record was read after its memory was reused");
}

#[test]
fn control_copies_anywhere_are_twice_there() {
    let protocol = Protocol { deterministic: false, ..COMPLETE };
    let violation = fails(vec![(A, 1)], vec![vec![MOVE], vec![MOVE]], protocol);
    assert_eq!(violation.what, "two entries for one key");
}

#[test]
fn control_children_used_too_early() {
    let protocol = Protocol { moved_first: false, ..COMPLETE };
    let programs = vec![vec![MOVE], vec![put(A, 3)], vec![get(A)]];
    fails(vec![(A, 1), (C, 2)], programs, protocol);
}
