//! Linearizability of one key: is there an order of the operations that respects real time and in
//! which a plain variable gives the same answers? (Wing and Gong's search, with memory.)

use std::collections::HashMap;

/// What an operation does to the one key that is watched. 0 stands for "no entry".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Effect {
    /// Stores a value (1..) and answers `DONE`.
    Put(u8),
    /// Removes the entry and answers `DONE` if there was one, else 0.
    Delete,
    /// Answers the value.
    Get,
}

/// The answer of an operation that succeeded without returning a value.
pub(crate) const DONE: u8 = u8::MAX;

/// An invocation or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// `process` begins an operation.
    Invoke { process: u8, effect: Effect },
    /// `process` gets the answer to the operation it began.
    Answer { process: u8, answer: u8 },
}

struct Operation {
    effect: Effect,
    invoked: usize,
    /// When and what was answered; `None` for an operation that is still open or whose process
    /// died.
    answered: Option<(usize, u8)>,
}

/// True if some order explains `history`. An open operation may have taken effect or not.
pub(crate) fn is_linearizable(history: &[Event]) -> bool {
    let operations = operations(history);
    assert!(operations.len() < 32, "one bit of a u32 per operation");
    place(&operations, 0, 0, &mut HashMap::new())
}

fn operations(history: &[Event]) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    let mut open: HashMap<u8, usize> = HashMap::new();
    for (time, event) in history.iter().enumerate() {
        match *event {
            Event::Invoke { process, effect } => {
                open.insert(process, operations.len());
                operations.push(Operation { effect, invoked: time, answered: None });
            }
            Event::Answer { process, answer } => {
                let index = open.remove(&process).expect("an answer follows its invocation");
                operations[index].answered = Some((time, answer));
            }
        }
    }
    operations
}

/// Tries every operation that may come next; `placed` is the set of those already in the order.
fn place(
    operations: &[Operation],
    placed: u32,
    value: u8,
    known: &mut HashMap<(u32, u8), bool>,
) -> bool {
    if let Some(&answer) = known.get(&(placed, value)) {
        return answer;
    }
    let is_placed = |index: usize| placed >> index & 1 == 1;
    let first_answer = operations
        .iter()
        .enumerate()
        .filter(|(index, _)| !is_placed(*index))
        .filter_map(|(_, operation)| operation.answered.map(|(time, _)| time))
        .min();
    let answer = match first_answer {
        None => true,
        Some(limit) => operations.iter().enumerate().any(|(index, operation)| {
            let (result, next) = apply(operation.effect, value);
            !is_placed(index)
                && operation.invoked <= limit
                && operation.answered.is_none_or(|(_, answered)| answered == result)
                && place(operations, placed | 1 << index, next, known)
        }),
    };
    known.insert((placed, value), answer);
    answer
}

fn apply(effect: Effect, value: u8) -> (u8, u8) {
    match effect {
        Effect::Put(new) => (DONE, new),
        Effect::Delete => (if value == 0 { 0 } else { DONE }, 0),
        Effect::Get => (value, value),
    }
}
