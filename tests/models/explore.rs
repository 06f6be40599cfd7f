//! Exhaustive exploration of small state machines.
//!
//! A model names its initial state, the steps every process can take, and what must hold in a
//! state. The explorer visits every reachable state once (depth first). Visited states are
//! remembered by a fingerprint of 128 bits: with 10^7 states the chance that two share one is below
//! 10^-24.
//!
//! A killed process is one that takes no further step. Every reachable state is therefore also the
//! state in which any of its processes have just been killed, and two more questions are asked of
//! each: does the invariant hold, and does every remaining process finish when it runs alone?

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

/// A protocol with a fixed number of processes.
pub(crate) trait Model {
    /// Everything shared plus everything private to each process.
    type State: Clone + Hash + Debug;

    /// The one state the system starts in.
    fn initial(&self) -> Self::State;

    /// How many processes there are.
    fn processes(&self) -> usize;

    /// The state after the next atomic step of `process`, `None` when it has nothing left to do.
    fn step(&self, state: &Self::State, process: usize) -> Option<Self::State>;

    /// How many operations `process` has completed.
    fn completed(&self, state: &Self::State, process: usize) -> usize;

    /// What must hold in every reachable state.
    fn check(&mut self, state: &Self::State) -> Result<(), &'static str>;
}

/// What a complete exploration found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Explored {
    /// Number of distinct reachable states.
    pub(crate) states: usize,
    /// Largest number of own steps a process needed to complete an operation while all others stood
    /// still; 0 when it was not asked for.
    pub(crate) solo_steps: usize,
}

/// A reachable state in which something that must hold does not.
#[derive(Debug)]
pub(crate) struct Violation<S> {
    /// What was violated.
    pub(crate) what: &'static str,
    /// How many states had been visited.
    pub(crate) states: usize,
    /// The state itself.
    #[allow(dead_code, reason = "not every model looks at it")]
    pub(crate) state: S,
}

/// More own steps than any operation of the models needs when it is not disturbed.
const SOLO_LIMIT: usize = 64;

/// Visits every reachable state of `model`. With `solo`, also lets every process run alone from
/// every state until its current operation completes.
pub(crate) fn explore<M: Model>(
    model: &mut M,
    solo: bool,
) -> Result<Explored, Violation<M::State>> {
    let initial = model.initial();
    let mut seen = HashSet::from([fingerprint(&initial)]);
    let mut open = vec![initial];
    let mut solo_steps = 0;
    while let Some(state) = open.pop() {
        let states = seen.len();
        if let Err(what) = model.check(&state) {
            return Err(Violation { what, states, state });
        }
        for process in 0..model.processes() {
            let Some(next) = model.step(&state, process) else {
                continue;
            };
            if solo {
                match steps_alone(model, &state, process) {
                    Some(steps) => solo_steps = solo_steps.max(steps),
                    None => {
                        return Err(Violation { what: "does not finish alone", states, state });
                    }
                }
            }
            if seen.insert(fingerprint(&next)) {
                open.push(next);
            }
        }
    }
    Ok(Explored { states: seen.len(), solo_steps })
}

/// Number of steps after which `process`, running alone from `state`, completes an operation.
fn steps_alone<M: Model>(model: &M, state: &M::State, process: usize) -> Option<usize> {
    let goal = model.completed(state, process) + 1;
    let mut state = state.clone();
    for steps in 1..=SOLO_LIMIT {
        state = model.step(&state, process)?;
        if model.completed(&state, process) >= goal {
            return Some(steps);
        }
    }
    None
}

fn fingerprint<S: Hash>(state: &S) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        state.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
