//! The scenarios of a distributed region that need several nodes, each a test named
//! `scenario_NNN_...` after its number, on real bridges: QUIC on loopback, one home directory and
//! one bridge thread per node, all in one process.
//!
//! `../scenarios/README.md` lists all scenarios and says what differs from their wording; those of
//! one node are beside it.
//!
//! | scenarios | about | module |
//! |---|---|---|
//! | 20, 22, 24 | changes that reach replicates | `replicates` |

mod net;
mod replicates;
