//! A cache in shared memory: processes of one machine map the same region files and read and
//! write them with lock-free algorithms. No server, no system call and no copy on the read path.
//!
//! ```
//! # fn main() -> vug::Result<()> {
//! # let home = std::path::PathBuf::from(format!("/dev/shm/vug-doc-{}", std::process::id()));
//! let node = vug::Node::open(&home)?;
//! let quotes = node.region("quotes").max_bytes(16 << 20).open_or_create()?;
//! quotes.put(b"VUG", b"17.25")?;
//! if let Some(price) = quotes.get(b"VUG")? {
//!     assert_eq!(&*price, b"17.25"); // the bytes in shared memory, not a copy
//! }
//! # std::fs::remove_dir_all(&home).ok();
//! # Ok(()) }
//! ```
//!
//! Another process that opens the same home directory sees the same region. See [`Region`] for the
//! guarantees of each operation, [`Guard`] for zero-copy reads, [`Node`] for members and death.
//!
//! # When not to use it
//!
//! When one process is enough (an in-process map is simpler), when data must survive a reboot
//! (regions live in memory), or when processes do not trust each other: whoever can write the
//! region files can damage them, and a live process that scribbles over or truncates a mapped file
//! is outside every guarantee.

#[cfg(not(target_os = "linux"))]
compile_error!("vug needs Linux: it uses OFD locks, shared futexes and unnamed temporary files");
#[cfg(not(target_pointer_width = "64"))]
compile_error!("vug needs a 64-bit system: regions are mapped as a whole");

// Macros of this crate name it by its name.
extern crate self as vug;

pub mod bridge;
pub mod check;
mod crash;
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
pub use region::atomic::PutIfAbsent;
pub use region::attributes::{Attributes, DataPolicy, Eviction, Scope};
pub use region::events::{Event, Notice, Subscription};
pub use region::expiry::{Expiry, ExpiryAction};
pub use region::guard::{Guard, OwnedGuard};
pub use region::handle::Handle;
pub use region::iter::{Entry, EntryView, Iter};
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
