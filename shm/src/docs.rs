//! The guide, chapter by chapter. It begins at the [page of the crate](crate).

#[doc = include_str!("../docs/zero-copy.md")]
pub mod zero_copy {}

#[doc = include_str!("../docs/memory.md")]
pub mod memory {}

#[doc = include_str!("../docs/events.md")]
pub mod events {}

#[doc = include_str!("../docs/recovery.md")]
pub mod recovery {}

#[doc = include_str!("../docs/tuning.md")]
pub mod tuning {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}
