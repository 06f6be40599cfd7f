//! Time that people and other machines understand.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Microseconds since 1970. Read through the vdso; may step when the clock is set, so whoever
/// orders by it (hybrid time) has to keep the maximum. A clock before 1970 reads 0.
#[inline]
pub(crate) fn realtime_micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// The same, as old as the last tick of the kernel (1 to 10 ms): half the price, for ages that are
/// shown to people.
pub(crate) fn coarse_micros() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME_COARSE).map_or(0, |now| {
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0) / 1000
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_reads_after_2020() {
        assert!(super::realtime_micros() > 1_577_836_800_000_000);
        let (coarse, exact) = (super::coarse_micros(), super::realtime_micros());
        assert!(coarse > 1_577_836_800_000_000 && coarse <= exact);
    }
}
