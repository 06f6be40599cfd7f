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
//! | all kinds of changes at all kinds of copies | the tables of what arrives, and of what a node may do | `matrix` |
//! | 274, 277 | links that are cut and mended | `partitions` |
//! | 1-16, 26, 35-48, 68, 155-181, 229, 288, 289 | copies of a part or of nothing, and searches | `pull` |
//! | 20, 22, 24 | changes that reach replicates | `replicates` |
//! | 32, 58, 203, 208, 211, 236 | clearing, invalidating and destroying a region on all nodes | `whole` |

mod acks;
mod images;
mod matrix;
mod net;
mod partitions;
mod pull;
mod replicates;
mod whole;
