//! The scenarios of a distributed region that concern one node, each a test named
//! `scenario_NNN_...` after its number. `README.md` beside this file lists the others, and why they
//! are not here.
//!
//! A scenario speaks of members that each have a cache of their own. Here that is a *node*: its
//! processes share one copy of a region. So what a scenario says of two members is shown for two
//! processes where it makes sense for them, and where sharing makes a difference the test says so.
//!
//! | scenarios | about | module |
//! |---|---|---|
//! | 4-34, 49-54, 64, 145-181, 276 | entries, as two processes of a node see them | `entries` |
//! | 13, 24, 31, 32, 133, 149, 208-214, 269, 278 | the life of a region | `lifecycle` |
//! | 46, 78, 216-226 | attributes that fit each other, and a region that exists | `attributes` |
//! | 14, 196-206 | events | `events` |
//! | 227-236 | operations on many keys | `bulk` |
//! | 134, 238-250 | expiration | `expiration` |
//! | 251-257 | eviction | `eviction` |
//! | 286-290 | interest, and regions that store nothing | `interest` |

mod attributes;
mod bulk;
mod entries;
mod events;
mod eviction;
mod expiration;
mod interest;
mod lifecycle;
mod scene;

/// Other processes of the node.
const WORKER: &str = env!("CARGO_BIN_EXE_worker");
