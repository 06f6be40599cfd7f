//! A copy with content of its own joins others that have forgotten tombstones.
//!
//! A region that was used before its bridge first met anybody has entries that nobody has seen. The
//! others may refuse them, because they look like what was destroyed and forgotten. So a region
//! that has never met others takes a full image of a copy that has, *before* it sends anything, and
//! what it made itself and the image has not is stamped anew: made now, with the same content.
//! Its ring up to then still has the old stamps, so it is not replayed: whoever asks for what lies
//! before `first` takes an image.

use super::Context;
use super::defects::{Defect, seeded};
use super::link::Link;
use super::region::Region;
use super::store::Store;
use crate::port::ConnId;

impl Region {
    /// Must take an image before it sends.
    pub(super) fn rejoins(&self) -> bool {
        // Who stores nothing has nothing to compare with.
        let settled = |l: &Link| l.initialised && l.joined && l.stores();
        !seeded(Defect::JoinWithoutImage) && !self.joined && self.links.values().any(settled)
    }

    /// The image was taken and compared with what is here.
    pub(super) fn end_rejoin<S: Store>(&mut self, cx: &mut Context<'_, S>, stamped: bool) {
        if stamped {
            self.first = cx.store.tail(self.info.id);
        }
    }

    /// Starts the streams that peers asked for meanwhile.
    pub(super) fn start_held_streams<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        if self.rejoins() {
            return;
        }
        let conns: Vec<ConnId> =
            self.links.values().filter(|l| l.held_back.is_some()).map(|l| l.conn).collect();
        for conn in conns {
            let have = self.links.get_mut(&conn).and_then(|l| l.held_back.take());
            if let Some(have) = have {
                self.on_have(cx, conn, have);
            }
        }
    }
}
