//! The scenarios of a distributed region that need several nodes, each a test named
//! `scenario_NNN_...` after its number, on real bridges: QUIC on loopback, one home directory and
//! one bridge thread per node, all in one process.
//!
//! `../scenarios/README.md` lists all scenarios and says what differs from their wording; those of
//! one node are beside it.
//!
//! | scenarios | about | module |
//! |---|---|---|
//! | 52, 54, 55, 59, 64-67, 71, 73, 74, 76, 77 | waiting for others, and not waiting | `acks` |
//! | 118, 119, 125, 132, 133, 136, 137, 142, 143, 145, 275, 280 | images, versions, coming back | `images` |
//! | 20, 22, 24 | changes that reach replicates | `replicates` |

mod acks;
mod images;
mod net;
mod replicates;
