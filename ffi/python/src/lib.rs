//! The native half of the Python package `vug`; the other half is `python/vug`.
//!
//! Classes are frozen: their Rust parts are shared among threads and never borrowed exclusively by
//! the interpreter, so nothing here needs its global lock, and a build of Python without one may
//! use it ([`module`] says so). What must change has a lock of its own, which is never held while
//! Python code runs, and never waited for with the interpreter held.
//!
//! `view.rs` is the only file with unsafe code: the buffer protocol is made of pointers.

mod bulk;
mod bytes;
mod entry;
mod event;
mod failure;
mod handle;
mod iter;
mod listener;
mod node;
mod options;
mod region;
mod results;
mod statistics;
mod subscription;
mod time;
mod view;
mod wait;

use pyo3::prelude::*;

/// The module `vug._vug`.
#[pymodule(gil_used = false)]
#[pyo3(name = "_vug")]
mod module {
    #[pymodule_export]
    use super::bulk::Values;
    #[pymodule_export]
    use super::event::Event;
    #[pymodule_export]
    use super::handle::Handle;
    #[pymodule_export]
    use super::iter::RegionIter;
    #[pymodule_export]
    use super::listener::{Listener, exiting};
    #[pymodule_export]
    use super::node::{Node, default_home, open, reopen_region};
    #[pymodule_export]
    use super::region::Region;
    #[pymodule_export]
    use super::results::{Attempt, Entry, Outcome, Token};
    #[pymodule_export]
    use super::subscription::Subscription;
    #[pymodule_export]
    use super::view::View;

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("FORMAT_VERSION", vug::FORMAT_VERSION)
    }
}
