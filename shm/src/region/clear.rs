//! Clearing and invalidating a whole region at one instant.
//!
//! # By stamp
//!
//! Entries whose version is below `clear_stamp` are not there; of those below `invalid_stamp` only
//! the key is. Raising a stamp is the linearization point: no entry is touched. What was cleared
//! is then swept out of the index, so that `len` and the memory are right, by whoever called, or by
//! the next one who counts, maintains, or needs room if the caller died.
//!
//! # Why a ceiling
//!
//! The stamp must be above every version in the index when it takes force, or an entry survives
//! that was there before; and no version above it may be published before, or entries that were
//! written during the clear survive it, while others that were read after them do not. (It is not
//! enough that writers start above the stamp from before it takes force on: `tests/models/clear.rs`
//! shows the history.) So versions are published only below a *ceiling*, which writers raise ahead
//! of themselves by [`AHEAD`], and the ceiling is the next stamp. One word holds it, with bits that
//! say that a stamp is about to take force:
//!
//! | step | killed after it | repaired by |
//! |---|---|---|
//! | 0 intent of an event of the region | nothing, or any of the below | recovery: listeners look again |
//! | 1 `special` = 1 | reads look at the stamps, which say nothing new | - |
//! | 2 CAS of `ceiling`: one [`UNIT`] up, pending | no write publishes | the next one: 3 to 5 |
//! | 3 `floor` raised to S, the ceiling before | the same | the same |
//! | 4 stamp raised to S: *cleared* | the same | the same |
//! | 5 CAS of `ceiling`: not pending | cleared entries are in the index | `len`, `maintain`, a full region |
//! | event announced; `intent.record` = 0 | the same | the same |
//! | 6 each slot: intent as of a purge, CAS to an empty word, old record dead | as of a write | recovery |
//! | 7 `cleared` = S | done | - |
//!
//! Who reads `ceiling` before step 2 publishes below S: before the stamp the entry is cleared by
//! it, and after it the write is ordered just before the clear, which it overlaps; nobody has seen
//! or will see it. (Such entries are counted in `late`, so that they are swept, too.) Who reads it
//! after step 2 finishes 3 to 5 first, and starts above S. Invariants: every version in the index
//! is below the ceiling; every version above a stamp was published after the stamp took force.
//!
//! A write judges the entry that it replaces before it has its version, so it looks again after it
//! has it: [`Mapped::still_stands`]. Else it could publish above the stamp what it computed from
//! before.
//!
//! # Of several nodes
//!
//! In a distributed region the ceiling is above the versions that came from other nodes, too, so a
//! stamp made here is above all that this node has seen. A stamp travels as a change does, and the
//! higher one stays; what is below it is refused when it arrives, and gone if it was there. A
//! write of this node that is above a stamp of another, but took place before that arrived, stays:
//! versions decide, as they do between changes.
//!
//! # Cost
//!
//! Reads: none, in a region that never was cleared (`special` is 0, in the line of the expiry
//! policy). Writes: a load and a comparison in the line of `floor`; a CAS of it once per [`AHEAD`]
//! versions, or per millisecond where versions are times.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::crash;
use crate::error::Result;
use crate::layout::counters::Counter;
use crate::layout::region::RegionWords;
use crate::layout::word::{Doer, RegionOp};
use crate::region::index::mover;
use crate::region::mapped::Mapped;
use crate::region::read::{Found, Search};
use crate::region::thread::Context;
use crate::region::write::{NO_RECORD, PROMISE_REGION};
use crate::region::{Kind, Region, Token, WriteOptions};
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, SeqCst, raise};
use crate::table::pin::TablePin;

/// Stamps and ceilings are multiples of this; the bits below say what is pending.
pub(crate) const UNIT: u64 = 1 << 16;
const _: () = assert!(AHEAD.is_multiple_of(UNIT));
/// How far the ceiling is raised above a version: about a millisecond where versions are times.
const AHEAD: u64 = 1 << 22;
/// There is no ceiling above it: only damage brings a version here.
const LAST: u64 = u64::MAX - 2 * AHEAD;
/// Set in `ceiling` from the first stamp on: what writes need to know is in one word.
pub(crate) const STAMPED: u64 = 1 << 15;
/// Bits of `ceiling`: a stamp is about to take force.
pub(crate) const PENDING: u64 = STAMPED - 1;
/// What of `ceiling` is the ceiling.
const VERSION: u64 = !(UNIT - 1);

/// What is done to all entries.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
enum Sweep {
    Clear = 1,
    Invalidate = 2,
    LocalInvalidate = 3,
}

/// What is done to all entries of a region, on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// They go.
    Clear,
    /// They lose their values.
    Invalidate,
    /// The region goes.
    Destroy,
}

/// Set in `invalid_stamp` if the invalidation was of this node only.
pub(crate) const LOCAL: u64 = 1;

/// The state of an entry as the stamps leave it; `None` if it was cleared.
pub(crate) fn standing(words: &RegionWords, token: Token) -> Option<Token> {
    if words.special.load(Relaxed) == 0 {
        return Some(token);
    }
    if token.version < words.clear_stamp.load(SeqCst) {
        return None;
    }
    let stamp = words.invalid_stamp.load(SeqCst);
    if token.version >= stamp & !LOCAL || token.kind != Kind::Value {
        return Some(token);
    }
    let kind = if stamp & LOCAL == 0 { Kind::Invalid } else { Kind::LocalInvalid };
    Some(Token { kind, ..token })
}

impl Mapped {
    /// Whether there were stamps at any time.
    #[inline]
    pub(crate) fn is_stamped(&self) -> bool {
        self.words().ceiling.load(Acquire) & STAMPED != 0
    }

    /// Whether a writer may publish this version; else it has to make a new one.
    #[inline]
    pub(crate) fn admits(&self, version: u64) -> bool {
        let ceiling = self.words().ceiling.load(Acquire);
        (version < ceiling & VERSION && ceiling & PENDING == 0) || self.make_way(version, ceiling)
    }

    /// Raises the ceiling, or finishes what is pending.
    #[cold]
    fn make_way(&self, version: u64, ceiling: u64) -> bool {
        if version > LAST {
            return true;
        }
        if ceiling & PENDING != 0 {
            self.finish_stamp(ceiling);
        } else {
            let above = ((version & VERSION) + AHEAD) | (ceiling & STAMPED);
            let _ = self.words().ceiling.compare_exchange(ceiling, above, SeqCst, Relaxed);
            crash::point("clear.ceiling");
        }
        false
    }

    /// Whether an entry that a write is about to replace by `version` is what it was when the write
    /// judged it: `seen`. To be asked when the version is known.
    #[cold]
    pub(crate) fn still_stands(
        &self,
        found: &Found<'_>,
        old: Token,
        seen: Option<Token>,
        version: u64,
    ) -> bool {
        let words = self.words();
        let invalid = words.invalid_stamp.load(SeqCst) & !LOCAL;
        let stamp = words.clear_stamp.load(SeqCst).max(invalid);
        // True but for damage, which must not make the write wait for ever.
        raise(&words.floor, stamp);
        (version > stamp || version > LAST) && self.seen(&found.record, old) == seen
    }

    /// A write published a version: if it was cleared before it was there, it has to be swept.
    #[cold]
    pub(crate) fn note_late(&self, version: u64) {
        let words = self.words();
        if version < words.clear_stamp.load(SeqCst) {
            words.late.fetch_add(1, SeqCst);
        }
    }

    /// Takes every version that is published now below a stamp. Lock-free.
    fn stamp(&self, sweep: Sweep) {
        let words = self.words();
        if words.special.load(SeqCst) == 0 {
            words.special.store(1, SeqCst);
            crash::point("clear.special");
        }
        loop {
            let seen = words.ceiling.load(SeqCst);
            if seen & PENDING != 0 {
                self.finish_stamp(seen);
                continue;
            }
            let pending = seen.wrapping_add(UNIT) | STAMPED | sweep as u64;
            if words.ceiling.compare_exchange(seen, pending, SeqCst, SeqCst).is_ok() {
                crash::point("clear.begun");
                self.finish_stamp(pending);
                return;
            }
        }
    }

    /// Lets a pending stamp take force. Anybody may, any number of times.
    fn finish_stamp(&self, pending: u64) {
        let words = self.words();
        let stamp = (pending & VERSION).saturating_sub(UNIT);
        raise(&words.floor, stamp);
        crash::point("clear.floor");
        if pending & PENDING == Sweep::Clear as u64 {
            raise(&words.clear_stamp, stamp);
        } else {
            let local = pending & PENDING == Sweep::LocalInvalidate as u64;
            raise(&words.invalid_stamp, stamp | if local { LOCAL } else { 0 });
        }
        crash::point("clear.stamped");
        let _ = words.ceiling.compare_exchange(pending, pending & !PENDING, SeqCst, SeqCst);
        crash::point("clear.settled");
    }

    /// Position behind the announcement.
    fn clear(self: &Arc<Self>, op: RegionOp) -> Result<u64> {
        self.count(Counter::Clears, 1)?;
        let me = Doer::Member(self.me as u16);
        let position = self.stamp_and_tell(op, me, || self.stamp(Sweep::Clear))?;
        self.finish_clear()?;
        Ok(position)
    }

    fn invalidate_all(self: &Arc<Self>, sweep: Sweep) -> Result<u64> {
        let op = match sweep {
            Sweep::LocalInvalidate => RegionOp::LocalInvalidate,
            _ => RegionOp::Invalidate,
        };
        self.stamp_and_tell(op, Doer::Member(self.me as u16), || self.stamp(sweep))
    }

    /// What another node did to all entries that are older than `stamp`; false if that much was
    /// done here already. What was cleared is swept out by who counts, maintains or needs room.
    pub(crate) fn stamp_as(self: &Arc<Self>, whole: Whole, stamp: u64, node: u16) -> Result<bool> {
        let words = self.words();
        let stamp = stamp & VERSION;
        let (op, word) = match whole {
            Whole::Clear => (RegionOp::Clear, &words.clear_stamp),
            Whole::Invalidate => (RegionOp::Invalidate, &words.invalid_stamp),
            Whole::Destroy => return self.destroy_as(node),
        };
        if stamp <= word.load(SeqCst) & VERSION || stamp > LAST {
            return Ok(false);
        }
        self.stamp_and_tell(op, Doer::Node(node), || self.raise_stamp(word, stamp))?;
        Ok(true)
    }

    /// As [`Mapped::stamp`] does, for a stamp that was made elsewhere: the ceiling is above it, so
    /// the next one made here is. Killed anywhere, it comes again.
    fn raise_stamp(&self, word: &AtomicU64, stamp: u64) {
        let words = self.words();
        words.special.store(1, SeqCst);
        crash::point("clear.special");
        loop {
            let seen = words.ceiling.load(SeqCst);
            if seen & PENDING != 0 {
                self.finish_stamp(seen);
                continue;
            }
            let above = (seen & VERSION).max(stamp.wrapping_add(UNIT)) | STAMPED;
            if words.ceiling.compare_exchange(seen, above, SeqCst, SeqCst).is_ok() {
                break;
            }
        }
        crash::point("clear.ceiling");
        raise(&words.floor, stamp);
        crash::point("clear.floor");
        raise(word, stamp);
        crash::point("clear.stamped");
    }

    /// Listeners learn of a stamp also if its caller dies: by recovery, once too often at worst.
    /// Position behind the announcement.
    fn stamp_and_tell(
        self: &Arc<Self>,
        op: RegionOp,
        by: Doer,
        stamp: impl FnOnce(),
    ) -> Result<u64> {
        let context = self.context()?;
        let intent = &self.descriptor(&context).intent;
        intent.slot.store(0, Release);
        intent.announce.store(PROMISE_REGION, Release);
        intent.record.store(NO_RECORD, Release);
        crash::point("clear.promised");
        stamp();
        let position = self.tell_all(op, by);
        intent.record.store(0, Release);
        crash::point("clear.told");
        intent.announce.store(0, Release);
        Ok(position)
    }

    /// Sweeps out what was cleared, if anything is left of it. Whether there was.
    pub(crate) fn finish_clear(self: &Arc<Self>) -> Result<bool> {
        let words = self.words();
        let mut swept = false;
        while self.is_stamped() {
            let stamp = words.clear_stamp.load(SeqCst);
            let cleared = words.cleared.load(SeqCst);
            let done = stamp | (words.late.load(SeqCst) & PENDING);
            if cleared == done {
                break;
            }
            swept |= self.sweep_cleared(stamp)?;
            crash::point("clear.swept");
            let _ = words.cleared.compare_exchange(cleared, done, SeqCst, SeqCst);
            crash::point("clear.done");
        }
        Ok(swept)
    }

    /// Takes all entries below a stamp out of the index. Whether there were any.
    fn sweep_cleared(self: &Arc<Self>, stamp: u64) -> Result<bool> {
        let (mut cursor, mut found, mut any) = (Some(0), Vec::new(), false);
        while let Some(position) = cursor {
            cursor = self.copy_chains(position, &mut |view| {
                if view.token.version < stamp && view.token.kind.is_visible() {
                    found.push(view.key.to_vec());
                }
                ControlFlow::Continue(())
            })?;
            for key in found.drain(..) {
                any |= self.drop_cleared(&key)?;
            }
        }
        Ok(any)
    }

    /// Takes an entry out of the index if it was cleared.
    fn drop_cleared(self: &Arc<Self>, key: &[u8]) -> Result<bool> {
        let context = self.context()?;
        let pin = self.pin_table(self.descriptor(&context));
        let dropped = self.drop_pinned(&context, pin, key);
        self.hazard(&context, 0).clear();
        pin.release();
        dropped
    }

    fn drop_pinned(&self, context: &Context, pin: TablePin<'_>, key: &[u8]) -> Result<bool> {
        let thread = self.descriptor(context);
        let hash = self.hash(key);
        loop {
            let place = self.place_for(mover(thread), pin.log2, hash)?;
            let search = self.search(&place, self.hazard(context, 0), hash, key);
            let found = match search.map_err(|broken| self.damaged(broken))? {
                Search::Found(found) => found,
                Search::Frozen => continue,
                Search::Absent { .. } => return Ok(false),
            };
            let token = self.token(&found.record).map_err(|broken| self.damaged(broken))?;
            if token.version >= self.words().clear_stamp.load(SeqCst) || !token.kind.is_visible() {
                return Ok(false);
            }
            if self.unlink(context, &found) {
                return Ok(true);
            }
        }
    }
}

impl Region {
    /// Takes all entries out of the region, at one instant: of the writes that run meanwhile some
    /// are before it and their entries go, the others are after it and their entries stay. When it
    /// returns the memory of the entries is free and [`Region::len`] counts what is left; until
    /// then nobody sees them, and nobody waits for it. One event for the region, none for each
    /// entry.
    ///
    /// A caller that is killed has cleared the region or not; what it left in the index, the next
    /// one sweeps who counts, maintains, or finds the region full.
    ///
    /// In a distributed region the clear has a version: the highest that this node has seen, and
    /// one more. On every node entries with a lower version are gone, whenever they come; so it
    /// does not matter in which order clear and changes of other nodes arrive, nor whether a node
    /// was away. Returns when all nodes that can be reached have cleared, whatever the scope.
    ///
    /// # Errors
    /// `RegionDestroyed`, `RegionClosed`, `ForkedChild`, `TooManyThreads`, `Damaged`.
    pub fn clear(&self) -> Result<()> {
        self.clear_with(&WriteOptions::default())
    }

    /// [`Region::clear`], waiting for other nodes as the options say.
    ///
    /// # Errors
    /// As [`Region::clear`]; `AckTimeout`, then it took place on this node.
    pub fn clear_with(&self, options: &WriteOptions) -> Result<()> {
        self.mapped.check_life()?;
        let position = self.mapped.clear(RegionOp::Clear)?;
        self.wait_everywhere(position, options)
    }

    /// [`Region::clear`] on this node only, for all its processes.
    ///
    /// # Errors
    /// `NotAllowed` in a distributed replicate, else as [`Region::clear`].
    pub fn local_clear(&self) -> Result<()> {
        self.may_differ("local_clear")?;
        if self.mapped.is_distributed() {
            return self.mapped.leave_all();
        }
        self.mapped.clear(RegionOp::LocalClear).map(|_| ())
    }

    /// Takes the value of every entry and keeps its key, at one instant, as [`Region::clear`] does.
    /// One event for the region, none for each entry. The memory of the values is free when the
    /// entries are written or destroyed.
    ///
    /// # Errors
    /// As [`Region::clear`].
    pub fn invalidate_region(&self) -> Result<()> {
        self.invalidate_region_with(&WriteOptions::default())
    }

    /// [`Region::invalidate_region`], waiting for other nodes as the options say.
    ///
    /// # Errors
    /// As [`Region::clear_with`].
    pub fn invalidate_region_with(&self, options: &WriteOptions) -> Result<()> {
        self.mapped.check_life()?;
        let position = self.mapped.invalidate_all(Sweep::Invalidate)?;
        self.wait_everywhere(position, options)
    }

    /// [`Region::invalidate_region`] on this node only, for all its processes.
    ///
    /// # Errors
    /// `NotAllowed` in a distributed replicate, else as [`Region::clear`].
    pub fn local_invalidate_region(&self) -> Result<()> {
        self.may_differ("local_invalidate_region")?;
        if self.mapped.is_distributed() {
            return self.mapped.invalidate_each();
        }
        self.mapped.invalidate_all(Sweep::LocalInvalidate).map(|_| ())
    }

    /// Waits for all other nodes, whatever the scope.
    pub(crate) fn wait_everywhere(&self, position: u64, options: &WriteOptions) -> Result<()> {
        if !self.mapped.has_others() {
            return Ok(());
        }
        self.mapped.wait_released(position, options.until())
    }
}

#[cfg(test)]
mod tests;
