//! Time that people and other machines understand.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970. Read through the vdso; may step when the clock is set, so whoever
/// orders by it (hybrid time) has to keep the maximum. A clock before 1970 reads 0.
#[inline]
pub(crate) fn realtime_micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_reads_after_2020() {
        assert!(super::realtime_micros() > 1_577_836_800_000_000);
    }
}
