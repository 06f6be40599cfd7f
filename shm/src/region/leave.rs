//! Leaving entries to the other nodes: what `local_clear` and `local_invalidate_region` do in a
//! distributed region.
//!
//! A stamp would be above what other nodes still have, and refuse it when it is read again. So each
//! entry is taken at an instant of its own, in the way of a purge or of a local invalidation, and
//! listeners are told of the whole. Killed in the middle, some entries are left.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::Result;
use crate::layout::counters::Counter;
use crate::layout::word::{Doer, RegionOp};
use crate::region::mapped::Mapped;
use crate::region::write::{Change, Condition};
use crate::region::{Kind, Token};

impl Mapped {
    /// Drops all entries on this node.
    pub(crate) fn leave_all(self: &Arc<Self>) -> Result<()> {
        self.count(Counter::Clears, 1)?;
        self.each_visible(|key, token| {
            self.purge(key, token.version, token.origin)?;
            Ok(())
        })?;
        self.tell_all(RegionOp::LocalClear, Doer::Member(self.me as u16));
        Ok(())
    }

    /// Takes the values of all entries on this node.
    pub(crate) fn invalidate_each(self: &Arc<Self>) -> Result<()> {
        self.each_visible(|key, token| {
            if token.kind == Kind::Value {
                let change = Change::new(key, &[], Kind::LocalInvalid, Condition::Valued);
                self.write(Change { silent: true, ..change })?;
            }
            Ok(())
        })?;
        self.tell_all(RegionOp::LocalInvalidate, Doer::Member(self.me as u16));
        Ok(())
    }

    fn each_visible(self: &Arc<Self>, mut f: impl FnMut(&[u8], Token) -> Result<()>) -> Result<()> {
        self.check_life()?;
        let (mut cursor, mut found) = (Some(0), Vec::new());
        while let Some(position) = cursor {
            cursor = self.copy_chains(position, &mut |view| {
                if view.token.kind.is_visible() {
                    found.push((view.key.to_vec(), view.token));
                }
                ControlFlow::Continue(())
            })?;
            for (key, token) in found.drain(..) {
                f(&key, token)?;
            }
        }
        Ok(())
    }
}
