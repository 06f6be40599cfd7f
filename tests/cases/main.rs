//! The hardest cases of a shared-memory cache, each a test whose name begins with its number.
//!
//! A case shows what has to hold, not how fast it is: figures that belong to a case are benchmarks.
//! What needs root says `skipped: needs root` elsewhere. Cases that
//! are files of their own beside this folder have the number in the names of their tests, too.
//!
//! | case | what it shows | module |
//! |---|---|---|
//! | 1 | killed at every step, survivors go on and nothing is lost | `crash.rs`, `kills.rs` |
//! | 2 | of two inserters of a key one dies in the middle | `case_02` |
//! | 3 | who goes on after a long stop changes nothing that is not its own | `case_03`, `cleaner` |
//! | 4 | a guard keeps its bytes and one segment | `case_04` |
//! | 5 | recoverers die while they recover, three deep | `case_05` |
//! | 6 | a live member is never declared dead, a dead one always | `case_06` |
//! | 7 | reused pids, other pid namespaces, zombies, main threads that ended | `case_07` |
//! | 8 | a forked child is refused, or joins by itself; the parent does not notice | `case_08` |
//! | 9 | full file system, truncated and damaged files | `full_disk.rs`, `bad_input.rs`, `corruption.rs` |
//! | 10 | a miss needs an instant without the key | `histories.rs` |
//! | 11 | the event ring goes round while producers die | `case_11` |
//! | 12 | nobody sleeps past a change; killed and stopped processes do not change that | `case_12` |
//! | 13 | replace, delete, expire and move of the same records, with deaths | `case_13` |
//! | 14 | a storm of creators, some of them killed, makes one region | `case_14` |
//! | 15 | who is stopped at any step holds nobody up | `case_15` |

mod case_02;
mod case_03;
mod case_04;
mod case_05;
mod case_06;
mod case_07;
mod case_08;
mod case_11;
mod case_12;
mod case_13;
mod case_14;
mod case_15;
mod cleaner;
mod stopped;

/// Processes that are stopped or die in the middle of their work.
const VICTIM: &str = env!("CARGO_BIN_EXE_victim");

/// Worker processes of these tests.
const WORKER: &str = env!("CARGO_BIN_EXE_worker");
