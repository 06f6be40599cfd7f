//! Kinds of stores, by name: those that several processes share, and those inside one process.

use crate::store::Store;
use crate::workload::Load;
use std::path::Path;

/// A kind of store.
pub trait Peer {
    /// Name in tables and on the command line of a second process.
    fn name(&self) -> &'static str;

    /// What it is and how it is set up, in a sentence: a column of the report.
    fn configuration(&self) -> &'static str;

    /// A new, empty store with room for a load.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn create(&self, load: Load) -> Result<Box<dyn Store>, String>;

    /// The store that another process made, by its [`Store::place`]. A store without a place lives
    /// inside the process that made it.
    ///
    /// # Errors
    /// Why it does not open, in words.
    fn open(&self, place: &Path, _: Load) -> Result<Box<dyn Store>, String> {
        Err(format!("{} has no place like {}", self.name(), place.display()))
    }
}
