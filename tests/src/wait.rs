//! Waiting for a condition.

use std::time::{Duration, Instant};

/// How long a condition may take on a busy machine before the test gives up. Nothing is concluded
/// from a shorter time.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks `condition` again and again until it holds.
///
/// # Panics
/// When it does not hold within [`PATIENCE`]; `what` names it.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
