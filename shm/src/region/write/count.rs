//! What a write counts when it is over.

use crate::error::Result;
use crate::layout::counters::Counter;
use crate::region::Kind;
use crate::region::write::{Arrival, Condition, Writer, Written};

impl Writer<'_> {
    /// Words of the thread's own descriptor, after the intent is cleared: whoever dies here has
    /// written and not counted.
    pub(super) fn count(&self, result: &Result<Written>) {
        match result {
            Ok(Written::Done { created, .. }) => self.count_done(*created),
            Ok(Written::Refused(found)) => {
                if let Some(counter) = self.reason(found.map(|token| (token.version, token.origin)))
                {
                    self.thread.count(counter, 1);
                }
            }
            // What is out of space may be tried again: who gives up counts it.
            Err(_) => {}
        }
    }

    fn count_done(&self, created: bool) {
        let thread = self.thread;
        match (self.change.condition, self.change.kind) {
            // The answer of a search is no write.
            (Condition::Arrived { arrival: Arrival::Answer, .. }, _) => {
                return thread.count(Counter::Searched, 1);
            }
            (Condition::Expired(_), _) => return thread.count(Counter::Expired, 1),
            (_, Kind::Tombstone) => thread.count(Counter::Destroys, 1),
            (_, Kind::Invalid | Kind::LocalInvalid) => thread.count(Counter::Invalidates, 1),
            (_, Kind::Value | Kind::Transit) => {
                thread.count(Counter::Puts, 1);
                thread.count(Counter::Creates, u64::from(created));
            }
        }
        let bytes = self.change.key.len() + self.change.value.len();
        thread.count(Counter::BytesWritten, bytes as u64);
        if matches!(self.change.condition, Condition::Arrived { .. }) {
            thread.count(Counter::Remote, 1);
        }
    }

    /// Why the condition did not hold; `found`: version and origin of the entry that was there.
    fn reason(&self, found: Option<(u64, u16)>) -> Option<Counter> {
        Some(match self.change.condition {
            Condition::Always | Condition::Expired(_) => return None,
            Condition::Absent => Counter::RefusedPresent,
            // To invalidate what is invalid is nothing.
            Condition::Valued if found.is_some() => return None,
            Condition::Present | Condition::Valued => Counter::RefusedAbsent,
            Condition::Equals(_) => Counter::RefusedChanged,
            Condition::Arrived { version, origin, .. } if found == Some((version, origin)) => {
                Counter::DroppedDuplicate
            }
            Condition::Arrived { .. } if found.is_none() => Counter::DroppedUnknown,
            Condition::Arrived { .. } => Counter::DroppedOlder,
        })
    }
}
