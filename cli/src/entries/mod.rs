//! Entries as commands choose, show and write them.

mod select;
mod show;
mod write;

pub(crate) use self::select::Selection;
pub(crate) use self::show::{Shape, Show, Shown};
pub(crate) use self::write::Writes;
