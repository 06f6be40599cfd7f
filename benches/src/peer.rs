//! Stores that several processes share, by name.

use crate::store::Store;
use crate::workload::Load;
use std::path::Path;

/// A kind of store that several processes can open.
pub trait Peer {
    /// Name in tables and on the command line of a second process.
    fn name(&self) -> &'static str;

    /// A new, empty store with room for a load.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn create(&self, load: Load) -> Result<Box<dyn Store>, String>;

    /// The store that another process made, by its [`Store::place`].
    ///
    /// # Errors
    /// Why it does not open, in words.
    fn open(&self, place: &Path, load: Load) -> Result<Box<dyn Store>, String>;
}
