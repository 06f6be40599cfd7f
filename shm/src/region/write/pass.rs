//! Changes that are announced, and that is all: writes to a region that stores nothing while no
//! bridge served it, and what other nodes tell one that hears of everything. (Once there is a
//! bridge, writes go through the index as records in transit: what has not been sent is in the
//! table.)
//!
//! The record of the event is appended as for any write, but it never gets into the index. It is
//! marked dead before it is announced, which is the mark of a record that was in the index and has
//! left it: so recovery announces what its dead writer did not, and the segment is reused when
//! nobody needs it. Until then who listens finds it there.
//!
//! | step | killed after it | recovery |
//! |---|---|---|
//! | 1 record written, `intent.record` set, `committed` | not published | marks it abandoned |
//! | 2 record marked dead | *took place* | announces if the ring has no such cell |
//! | 3 ring cell, wakes | done | finds the cell, announces nothing |
//! | 4 `intent.record = 0` | done | - |

use std::sync::Arc;

use crate::crash;
use crate::error::Result;
use crate::heap::record::{Mark, Record};
use crate::reclaim::retire;
use crate::region::mapped::Mapped;
use crate::region::write::{Arrival, Change, Condition, Writer, Written};
use crate::region::{Kind, Token};
use crate::sync::{Release, SeqCst, raise};

impl Mapped {
    /// Carries out one write of a region that stores nothing. No condition refuses it.
    pub(crate) fn pass_on(self: &Arc<Self>, change: &Change<'_>) -> Result<Written> {
        self.check_entry(change.key, change.value)?;
        self.check_life()?;
        let context = self.context()?;
        let mut writer = Writer::new(self, &context, change);
        writer.begin(change.is_remote());
        writer.begin_attempt();
        let result = writer.pass();
        writer.end(&result);
        result
    }
}

impl Writer<'_> {
    fn pass(&mut self) -> Result<Written> {
        let version = self.passing_version();
        let token = Token { version, origin: self.origin(), kind: self.change.kind };
        let done = |position| Written::Done { token, created: true, position };
        if !self.region.is_wanted() {
            return Ok(done(0));
        }
        self.thread.intent.announce.store(self.op.promise(), Release);
        let location = self.record(version)?;
        let creates = match self.change.condition {
            Condition::Arrived { arrival, .. } => arrival == Arrival::Live { created: true },
            Condition::Absent => true,
            _ => self.change.kind == Kind::Value,
        };
        self.describe(location, if creates { Mark::Created } else { Mark::Changed }, None)?;
        // SAFETY: nobody but this writer marks the record dead before it is announced, and while it
        // is not marked, and after that while the intent names it, its segment is not reused.
        let record = unsafe { Record::read(&self.region.log, location) }?;
        retire(&self.region.log, location, &record);
        crash::point("pass.marked");
        Ok(done(self.announce_change(location, version, true)))
    }

    fn passing_version(&self) -> u64 {
        let words = self.region.words();
        if !self.region.is_distributed() {
            return words.floor.fetch_add(1, SeqCst).saturating_add(1);
        }
        let version = self.version(0);
        if !self.change.is_remote() {
            raise(&words.floor, version);
        }
        version
    }
}
