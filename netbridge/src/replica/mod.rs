//! Semantics of a distributed region, of which each node has a copy: all of it, a part, or nothing.
//!
//! # Policies
//! What a copy takes of what arrives is decided by the store, in one step with the write: see
//! [`store::Store::apply`]. The core decides who is sent what: everybody is sent all changes and
//! acknowledges all of them, also those it has no use for; but a node that stores nothing and does
//! not want to hear of all changes is sent only what is done to the whole region, and nobody waits
//! for it otherwise. Everybody streams what was done on it, whatever it stores: what passes through
//! a region that stores nothing is in its table until every member has it.
//!
//! # Streams
//! Each node streams the changes *it* made, in ring order, to each peer: a START names incarnation
//! and position, RECORDS and SKIP advance it. Nobody forwards changes of others in a live stream.
//! The receiver applies by version, so repetition and reordering between streams are harmless.
//! The receiver decides whether a stream is *complete* (it holds everything before the START) or
//! *provisional* (there is a gap before the cut); [`holdings`] states what that means.
//!
//! # Images and the cut protocol
//! A provisional stream is completed by an image. N (target) asks R (source) and names for each
//! origin X the cut of X's stream. R waits until it holds every X up to N's cut, notes its claims
//! (holdings and closed time), scans its table and sends it, then the claims. After that N holds
//! all that R held: a change before X's cut was in R's table before the scan began; one behind the
//! cut comes to N live. A delete before the cut is a tombstone in the image; one behind it comes
//! live and its tombstone beats the older entry of the image, whichever comes first.
//! The claims are adopted only when every record of the image has been applied and the sweep is
//! done; if R dies before, they are forgotten and N starts over with another source.
//!
//! # Sweep
//! An entry of N that did not come with the image is removed only if R's claims *prove* that R had
//! seen it: `since < version <= closed` for its origin. R saw it and has nothing for that key, not
//! even a tombstone, so it was destroyed and the tombstone purged. An entry without proof is news;
//! it reaches R by N's own stream or by an image in the other direction. Because the rule needs
//! nothing but R's knowledge, images in both directions at once (two nodes that were apart until
//! both rings were lapped) are safe: each removes only what the other proved to be dead, and no
//! live entry is ever provably dead: some node holding the newest change of a key keeps it in its
//! table, R among them if R claims to have seen it. What remains is that N's image may carry an
//! entry to R that R had purged. R refuses it: it is not above R's horizon, see the module
//! `stable`.
//!
//! # Deltas
//! A copy that has been complete asks for a delta: it names the spans of versions it holds of each
//! origin (invariant C of [`holdings`]) and is sent the rest, tombstones among it. Absence proves
//! nothing then, so there is no sweep; and there need not be one, because a source that has
//! forgotten a tombstone the target may lack sends everything instead. An image that was cut off
//! is gone on with by the same source from the cursor it reached.
//!
//! Only a node that has every entry can prove anything by the absence of one, so others claim
//! nothing but the end of their own stream, and nothing is swept after an image of theirs. A copy
//! that is to be filled where there is no replicate takes the images of all, one after the other.
//!
//! # Copies of a part
//! A copy that takes no image at its beginning is complete at once. Where its stream was cut it may
//! have missed changes of what it holds: then it takes an image, of a replicate if there is one,
//! else of the node whose changes it missed, of which it only uses what it holds; the sweep removes
//! what a replicate proves to be dead.
//!
//! # Readiness
//! A region that was never complete on this node is Initialising until it has one image of an
//! initialised peer, or no connected peer is initialised and the expected peers are there or
//! `initial_wait` has passed. Nobody waits for a peer that is itself not initialised, so nodes that
//! start together cannot wait for each other. A node that is not initialised serves images too:
//! the plan, not the readiness, says what a source must hold.
//!
//! # A member that is gone
//! When an origin is dropped from the acknowledgement set the others compare what they hold of it
//! (Have with `ask`) and whoever lacks something takes an image from who has it. The same rule
//! covers earlier incarnations of an origin.
//!
//! # Limits
//! - A partial partition (A and B cut, both see C) is equalised once, when A and B give each other
//!   up, and again when they meet; in between C does not relay.
//! - A known node that never comes back keeps all tombstones from being forgotten.
//! - An image notes the hash of every key that comes while it is compared with content that is
//!   here: 16 bytes each, for a full image into a copy that is not empty.

pub mod acks;
mod decide;
pub(crate) mod defects;
mod early;
mod fetch;
pub mod holdings;
pub(crate) mod link;
mod receive;
pub(crate) mod region;
mod rejoin;
mod search;
mod send;
mod serve;
mod sources;
mod stable;
pub mod store;
mod sweep;
pub(crate) mod waits;
mod whole;

use std::collections::VecDeque;

use crate::member::Membership;
use crate::port::{Action, AlertLevel};

/// Largest region payload of one write, in bytes; a single larger record goes alone.
pub const REGION_CHUNK: usize = 256 << 10;
/// Largest image payload of one write, in bytes; a single larger record goes alone.
pub const IMAGE_CHUNK: usize = 512 << 10;

/// Times, all in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A peer without connection stays in the acknowledgement set this long.
    pub peer_timeout: u64,
    /// A peer without connection that others still reach stays this long.
    pub unreachable_timeout: u64,
    /// A new region waits this long for the expected peers.
    pub initial_wait: u64,
    /// How long a source may wait for the positions of a plan.
    pub plan_wait: u64,
    /// An image without progress for this long is given up.
    pub image_stall: u64,
    /// Pause after a failed image or a change that could not be applied.
    pub retry: u64,
    /// Acknowledgements are repeated after this long.
    pub ack_repeat: u64,
    /// Acknowledgements are repeated on the control stream after this long.
    pub ack_control: u64,
    /// Closed time is announced this long after changes were sent.
    pub close: u64,
    /// Distance of reports while tombstones wait to be forgotten.
    pub stable_every: u64,
    /// Clocks may differ by so much; a node whose clock is farther ahead is refused.
    pub max_skew: u64,
    /// Peers are told this node's clock so often.
    pub clock_every: u64,
    /// Writers waiting longer than this are reported once, with the names of those missing.
    pub ack_warning: u64,
    /// So much later a severe alert follows, and the connections to those missing are ended; 0:
    /// never.
    pub ack_severe: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            peer_timeout: 10_000,
            unreachable_timeout: 30_000,
            initial_wait: 3_000,
            plan_wait: 5_000,
            image_stall: 15_000,
            retry: 500,
            ack_repeat: 20,
            ack_control: 80,
            close: 200,
            stable_every: 1_000,
            max_skew: 500,
            clock_every: 10_000,
            ack_warning: 15_000,
            ack_severe: 0,
        }
    }
}

/// Totals since the engine began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Records sent in live streams.
    pub records_sent: u64,
    /// Records received in live streams.
    pub records_received: u64,
    /// Of those, how many were not newer.
    pub records_known: u64,
    /// Images served to the end.
    pub images_served: u64,
    /// Images taken to the end.
    pub images_taken: u64,
    /// Images that failed or were refused.
    pub images_failed: u64,
    /// Of those taken, how many were deltas.
    pub deltas_taken: u64,
    /// Images that went on where an earlier one was cut off.
    pub images_resumed: u64,
    /// Records of images taken.
    pub image_records: u64,
    /// Sources of unions that went away meanwhile.
    pub union_partial: u64,
    /// Entries removed by sweeps.
    pub swept: u64,
    /// Entries stamped anew when their region joined others.
    pub restamped: u64,
    /// Tombstones forgotten.
    pub purged: u64,
    /// Streams that continued from the ring.
    pub resumed: u64,
    /// Streams that had to skip because the ring was lapped.
    pub lapped: u64,
    /// Acknowledgement datagrams sent.
    pub acks_sent: u64,
    /// Changes the store could not take.
    pub apply_errors: u64,
    /// Of the records received, how many were of keys that are not here, and not taken.
    pub records_unknown: u64,
    /// Searches of processes of this node, one per key at a time.
    pub searches: u64,
    /// Of those, how many found something.
    pub searches_found: u64,
    /// Questions of peers that were answered.
    pub searches_answered: u64,
}

/// What every step works with.
pub(crate) struct Context<'a, S> {
    pub(crate) now: u64,
    pub(crate) store: &'a mut S,
    pub(crate) myself: u16,
    pub(crate) expected_peers: usize,
    pub(crate) members: &'a Membership,
    pub(crate) timing: &'a Timing,
    pub(crate) out: &'a mut VecDeque<Action>,
    pub(crate) counters: &'a mut Counters,
}

impl<S> Context<'_, S> {
    pub(crate) fn alert(&mut self, level: AlertLevel, text: String) {
        self.out.push_back(Action::Alert { level, text });
    }
}
