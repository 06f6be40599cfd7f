//! Messages of processes of the node that look for what is not here, as the library has them.

use vug::bridge::ask;

pub(crate) use ask::SOCKET;

use crate::port::SearchOutcome;

/// Longest question after its length.
pub(crate) const LARGEST: usize = ask::LARGEST;

/// A question.
#[derive(Debug)]
pub(crate) struct Question {
    /// Comes back with the answer.
    pub(crate) number: u64,
    /// Incarnation of the region.
    pub(crate) incarnation: u64,
    /// The value is not wanted, only whether there is an entry.
    pub(crate) presence: bool,
    /// The key.
    pub(crate) key: Vec<u8>,
}

/// How a question ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// As the core says.
    Ended(SearchOutcome),
    /// The region is not distributed.
    NotDistributed,
    /// The bridge stops.
    Stopped,
}

/// Reads a question behind its length; `None` if it is none.
pub(crate) fn parse(bytes: &[u8]) -> Option<Question> {
    let asked = ask::parse(bytes)?;
    Some(Question {
        number: asked.number,
        incarnation: asked.incarnation,
        presence: asked.what == ask::What::Presence,
        key: asked.key.to_vec(),
    })
}

/// The bytes of an answer.
pub(crate) fn answer(number: u64, outcome: Outcome) -> [u8; ask::ANSWER] {
    let outcome = match outcome {
        Outcome::Ended(SearchOutcome::Found) => ask::Outcome::Found,
        Outcome::Ended(SearchOutcome::None) => ask::Outcome::None,
        Outcome::Ended(SearchOutcome::NoRoom) => ask::Outcome::NoRoom,
        Outcome::NotDistributed => ask::Outcome::NotDistributed,
        Outcome::Stopped => ask::Outcome::Stopped,
    };
    ask::answer(number, outcome)
}
