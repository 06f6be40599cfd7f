//! Time that people and other machines understand, in microseconds since 1970.
//!
//! Two readings of one clock: the exact one makes versions and deadlines, the coarse one, which is
//! never ahead of it, judges deadlines. So nothing expires before its time. Both are read through
//! the vdso, without a system call; `docs/decisions/006-expiry-clock.md` has the measurements.
//!
//! The clock may step when it is set. Whoever orders by it (hybrid time) has to keep the maximum;
//! deadlines come early or late by the step.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Microseconds since 1970, exact. A clock before 1970 reads 0.
#[inline]
pub(crate) fn realtime_micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX).saturating_add(skew())
}

/// The same as it was at the last tick of the kernel (4 ms apart or less where ticks are on time).
/// The same for all processes at a time: what one has seen, all see from then on.
#[inline]
pub(crate) fn coarse_micros() -> u64 {
    // It cannot fail on a kernel that runs this library; 0 would mean that nothing expires.
    let now = clock_gettime(ClockId::CLOCK_REALTIME_COARSE);
    let micros = now.map_or(0, |now| {
        let (seconds, nanos) = (now.tv_sec().max(0) as u64, now.tv_nsec().max(0) as u64);
        seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
    });
    micros.saturating_add(skew())
}

/// By how much tests set the clock forward.
#[cfg(not(any(test, feature = "fault-injection")))]
#[inline(always)]
fn skew() -> u64 {
    0
}

#[cfg(any(test, feature = "fault-injection"))]
pub(crate) use skewed::advance;
#[cfg(any(test, feature = "fault-injection"))]
use skewed::skew;

/// A clock that tests move by themselves, so that none has to wait and none depends on how fast
/// the machine is. Per thread, so that tests which run beside each other keep their own time.
#[cfg(any(test, feature = "fault-injection"))]
mod skewed {
    use std::cell::Cell;

    thread_local! {
        /// Begins with `VUG_CLOCK_AHEAD` microseconds, for processes that tests start.
        static AHEAD: Cell<u64> = Cell::new(
            std::env::var("VUG_CLOCK_AHEAD").ok().and_then(|text| text.parse().ok()).unwrap_or(0),
        );
    }

    pub(crate) fn skew() -> u64 {
        AHEAD.try_with(Cell::get).unwrap_or(0)
    }

    /// Sets the clock of the calling thread forward.
    pub(crate) fn advance(micros: u64) {
        AHEAD.with(|ahead| ahead.set(ahead.get().saturating_add(micros)));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_reads_after_2020() {
        assert!(super::realtime_micros() > 1_577_836_800_000_000);
        assert!(super::coarse_micros() > 1_577_836_800_000_000);
    }

    #[test]
    fn the_coarse_clock_is_never_ahead() {
        for _ in 0..10_000 {
            let coarse = super::coarse_micros();
            assert!(coarse <= super::realtime_micros());
        }
    }

    #[test]
    fn tests_set_the_clock_of_their_thread() {
        let before = super::coarse_micros();
        super::advance(3_600_000_000);
        assert!(super::coarse_micros() >= before + 3_600_000_000);
        let other = std::thread::spawn(super::skewed::skew).join();
        assert_eq!(other.ok(), Some(super::skewed::skew() - 3_600_000_000));
    }
}
