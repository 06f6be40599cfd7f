#![doc = include_str!("../docs/guide.md")]

#[cfg(not(target_os = "linux"))]
compile_error!("vug needs Linux: it uses OFD locks, shared futexes and unnamed temporary files");
#[cfg(not(target_pointer_width = "64"))]
compile_error!("vug needs a 64-bit system: regions are mapped as a whole");

// Macros of this crate name it by its name.
extern crate self as vug;

pub mod bridge;
pub mod check;
mod crash;
pub mod docs;
pub mod doctor;
mod error;
mod heap;
mod journal;
mod layout;
mod member;
mod node;
mod os;
mod reclaim;
mod recover;
mod region;
#[cfg(feature = "stream")]
mod stream;
mod sync;
mod table;
pub mod typed;

pub use error::{AttributeDifference, Error, Result, SchemaDifference};
pub use layout::counters::Counters;
pub use layout::header::FORMAT_VERSION;
#[cfg(not(vug_loom))]
#[doc(hidden)]
pub use layout::render as format;
pub use member::MemberInfo;
pub use node::{Node, ReadOnlyNode, RegionBuilder};
pub use recover::Recovery;
pub use region::ack::Departed;
pub use region::ask::ReadOptions;
pub use region::atomic::PutIfAbsent;
pub use region::attributes::{Attributes, DataPolicy, Eviction, Interest, Scope, Shortcut};
pub use region::bulk::Bulk;
pub use region::entry::EntryInfo;
pub use region::event::{Event, EventKind, OldValue, Origin};
pub use region::events::{ListenOptions, Notice, Subscription};
pub use region::expiry::{Expiry, ExpiryAction};
pub use region::guard::{Guard, OwnedGuard};
pub use region::handle::Handle;
pub use region::iter::{Entry, EntryView, Iter, Keys};
pub use region::listen::Listener;
pub use region::maintain::{MaintainOptions, Maintenance};
pub use region::many::Values;
pub use region::pins::Pin;
pub use region::read_only::{ReadOnlyIter, ReadOnlyRegion};
pub use region::statistics::{AckWait, Consumer, MemberStatistics, RegionState, Statistics};
pub use region::sweep::Swept;
pub use region::wait::Waited;
pub use region::{Kind, Outcome, Region, Swap, Token, WriteOptions};
/// The version of zerocopy whose traits values of typed regions have.
pub use zerocopy;

/// Sets the clock of the calling thread forward, so that tests of expiry need not wait.
#[cfg(feature = "fault-injection")]
#[doc(hidden)]
pub fn advance_clock(by: std::time::Duration) {
    os::clock::advance(u64::try_from(by.as_micros()).unwrap_or(u64::MAX));
}
