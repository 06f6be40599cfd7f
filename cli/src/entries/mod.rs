//! Entries as commands choose, show and write them.

mod select;
mod show;

pub(crate) use self::select::{Listed, Selection};
pub(crate) use self::show::{Shape, Show, Shown};
