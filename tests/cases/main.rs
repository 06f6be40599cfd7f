//! The hardest cases of a shared-memory cache, each a test whose name begins with its number.
//!
//! A case shows what has to hold, not how fast it is: figures that belong to a case are benchmarks.
//! What needs root says `skipped: needs root` elsewhere.
//!
//! | case | what it shows | module |
//! |---|---|---|
//! | 14 | a storm of creators, some of them killed, makes one region | `case_14` |

mod case_14;

/// Worker processes of these tests.
const WORKER: &str = env!("CARGO_BIN_EXE_worker");
