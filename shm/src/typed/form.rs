//! How the bytes of an entry become a value, for whoever gets copies.

use crate::error::Result;
use crate::typed::{Value, not_of_type};

/// Turns bytes into a value: [`InPlace`], or the codec of a coded region, which every codec is.
/// Nobody implements it directly.
pub trait Form<V>: Sealed {
    #[doc(hidden)]
    fn read(region: &str, bytes: &[u8]) -> Result<V>;
}

/// Values as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub struct InPlace;

impl Sealed for InPlace {}

impl<V: Value> Form<V> for InPlace {
    fn read(region: &str, bytes: &[u8]) -> Result<V> {
        let copy = V::read_from_bytes(bytes);
        copy.map_err(|_| not_of_type(region, &V::shape(), "value", bytes.len()))
    }
}

/// Keeps [`Form`] to this crate.
pub trait Sealed {}
