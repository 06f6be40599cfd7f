//! Regions of typed keys and values, which are read in place.
//!
//! ```
//! # fn main() -> vug::Result<()> {
//! # let home = std::path::PathBuf::from(format!("/dev/shm/vug-doc-typed-{}", std::process::id()));
//! vug::record! {
//!     pub struct Quote { pub bid: f64, pub ask: f64 }
//! }
//! let node = vug::Node::open(&home)?;
//! let quotes = node.region("quotes").max_bytes(16 << 20).typed::<str, Quote>().open_or_create()?;
//! quotes.put("VUG", &Quote { bid: 17.25, ask: 17.5 })?;
//! if let Some(quote) = quotes.get("VUG")? {
//!     assert_eq!(quote.ask - quote.bid, 0.25); // a `&Quote` in shared memory, not a copy
//! }
//!
//! // Somebody who takes them for something else is told so.
//! let other = node.region("quotes").typed::<str, [f32; 4]>().open();
//! assert_eq!(
//!     other.map(|_| ()).unwrap_err().to_string(),
//!     "region quotes: these two types differ: str -> [f32; 4], found str -> \
//!      Quote { bid: f64 at 0, ask: f64 at 8 } (16 bytes): value is Quote { bid: f64 at 0, \
//!      ask: f64 at 8 } (16 bytes), asked for [f32; 4]"
//! );
//! # std::fs::remove_dir_all(&home).ok();
//! # Ok(()) }
//! ```
//!
//! # Which types
//!
//! A [`Value`] is a type that zerocopy proves to be readable in place: `FromBytes` (all bits have a
//! meaning), `IntoBytes` (no padding), `Immutable` (nothing changes behind a reference) and
//! `KnownLayout`. It also describes itself ([`Schema`]). [`record!`](crate::record) defines structs
//! that are all of this; numbers, arrays and slices `[T]` are. A type with pointers does not
//! compile:
//!
//! ```compile_fail,E0277
//! fn f(node: &vug::Node) -> vug::Result<()> {
//!     let names = node.typed::<u64, String>("names").open_or_create()?;
//!     names.put(&7, &"seven".into())
//! }
//! ```
//!
//! A [`Key`] becomes bytes by a rule of its own, so that texts and numbers can be keys.
//!
//! # What the region knows
//!
//! A typed region stores the description of its types when it is made ([`Region::schema`] of the
//! untyped region tells it), and opening it compares name by name, offset by offset. Working with
//! the bytes of the same region is always allowed, so the command line, other languages and a
//! bridge need no types. A value that somebody wrote that way and that has another length than the
//! type is an error (`NotOfType`) for who reads it; bytes of the right length are a value, whatever
//! they are. That is never undefined behaviour, since all bits have a meaning.
//!
//! The values of a region begin at multiples of its alignment, which is at least that of the type.
//!
//! [`Region::schema`]: crate::Region::schema

mod builder;
#[cfg(feature = "serde")]
mod coded;
mod compare;
mod events;
mod form;
mod guard;
mod handle;
mod iter;
mod key;
mod listen;
mod region;
mod schema;
mod shape;
mod write;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use builder::Builder;
#[cfg(feature = "serde")]
pub use coded::{Codec, Coded, CodedBuilder, Json, Postcard};
pub use events::{Event, Notice, Subscription};
pub use form::{Form, InPlace};
pub use guard::{Guard, OwnedGuard};
pub use handle::Handle;
pub use iter::{Entry, Iter};
pub use key::{Key, TupleBytes};
pub use region::Region;
pub use schema::Schema;
pub use shape::{Field, NotAShape, Shape};
pub use write::{Counter, PutIfAbsent};

use crate::error::Error;

/// A type whose values are read in place in shared memory; see the [module](self).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared with other processes as it lies in memory",
    label = "no type for shared memory",
    note = "it must hold no pointer (`Box`, `String`, `Vec`, `&`), have a meaning for all bits (no \
            `bool`, `char`, `enum`), and no padding",
    note = "define structs by `vug::record! {{ struct Name {{ field: type }} }}`; use `u8` in \
            place of `bool`, `[u8; N]` for short texts, and spare fields in place of padding",
    note = "other types can be copied through a codec: `vug::typed::Coded`, feature `serde`"
)]
pub trait Value: Schema + FromBytes + IntoBytes + KnownLayout + Immutable {}

impl<T: ?Sized + Schema + FromBytes + IntoBytes + KnownLayout + Immutable> Value for T {}

/// Types that are only named: whoever has it owns no key and no value.
type Types<K, V> = std::marker::PhantomData<(fn(&K), fn(&V))>;

/// The bytes of an entry as a value, if they have the right length and alignment.
#[inline]
fn view<V: ?Sized + Value>(bytes: &[u8]) -> Option<&V> {
    V::ref_from_bytes(bytes).ok()
}

#[cold]
fn not_of_type(region: &str, expected: &Shape, part: &'static str, len: usize) -> Error {
    let (region, expected) = (region.into(), expected.to_string());
    Error::NotOfType { region, part, expected, len }
}
