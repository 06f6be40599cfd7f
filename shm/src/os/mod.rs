//! Layer 1: the only system calls of the library.

pub(crate) mod barrier;
pub(crate) mod bell;
pub(crate) mod clock;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod mapping;
pub(crate) mod ofd_lock;
pub(crate) mod pages;
pub(crate) mod process;
