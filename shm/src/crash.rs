//! Faults that tests inject: named crash points after stores to shared memory, and reclaiming
//! without looking at hazards.
//!
//! Without feature `fault-injection` this is nothing. With it, the environment of a process says
//! what goes wrong in it:
//!
//! * `VUG_CRASH_AT=name[:n]`: it kills itself with SIGKILL when it passes that point for the n-th
//!   time (default 1);
//! * `VUG_STOP_AT=name[:n]`: it stops itself there with SIGSTOP, and goes on after SIGCONT;
//! * `VUG_CRASH_LIST=file`: it appends the name of every point it passes for the first time;
//! * `VUG_SKIP_HAZARD_SCAN=1`: it reuses segments that others look at, which must tear their
//!   reads: the control that shows that the tests would notice;
//! * `VUG_TRUST_WAKES=1`: who sleeps looks again only when it is woken, so that a wake that is lost
//!   becomes a hang and not a delay.

#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) fn point(_name: &'static str) {}

/// Whether this process reclaims without looking at hazards and pins.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) fn skips_hazard_scan() -> bool {
    false
}

/// Whether sleepers of this process look again only when they are woken.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) fn trusts_wakes() -> bool {
    false
}

#[cfg(feature = "fault-injection")]
pub(crate) use enabled::{point, skips_hazard_scan, trusts_wakes};

#[cfg(feature = "fault-injection")]
mod enabled {
    use std::collections::BTreeSet;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, OnceLock};

    use nix::sys::signal::Signal;

    /// A point and at which pass of it.
    type Place = (String, u64);

    struct Plan {
        die: Option<Place>,
        stop: Option<Place>,
        list: Option<std::ffi::OsString>,
        skip_hazard_scan: bool,
        trust_wakes: bool,
    }

    fn plan() -> &'static Plan {
        static PLAN: OnceLock<Plan> = OnceLock::new();
        PLAN.get_or_init(|| {
            let place = |variable| {
                std::env::var(variable).ok().map(|text| match text.split_once(':') {
                    Some((name, n)) => (name.to_owned(), n.parse().unwrap_or(1)),
                    None => (text, 1),
                })
            };
            Plan {
                die: place("VUG_CRASH_AT"),
                stop: place("VUG_STOP_AT"),
                list: std::env::var_os("VUG_CRASH_LIST"),
                skip_hazard_scan: std::env::var_os("VUG_SKIP_HAZARD_SCAN")
                    .is_some_and(|v| v == "1"),
                trust_wakes: std::env::var_os("VUG_TRUST_WAKES").is_some_and(|v| v == "1"),
            }
        })
    }

    /// Whether this process reclaims without looking at hazards and pins.
    pub(crate) fn skips_hazard_scan() -> bool {
        plan().skip_hazard_scan
    }

    /// Whether sleepers of this process look again only when they are woken.
    pub(crate) fn trusts_wakes() -> bool {
        plan().trust_wakes
    }

    /// Passes the point `name`, perhaps not alive.
    pub(crate) fn point(name: &'static str) {
        static DIE: AtomicU64 = AtomicU64::new(0);
        static STOP: AtomicU64 = AtomicU64::new(0);
        static SEEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let plan = plan();
        for (place, passed, signal) in
            [(&plan.die, &DIE, Signal::SIGKILL), (&plan.stop, &STOP, Signal::SIGSTOP)]
        {
            if let Some((at, n)) = place
                && at == name
                && passed.fetch_add(1, Ordering::Relaxed) + 1 == *n
            {
                let _ = nix::sys::signal::raise(signal);
            }
        }
        if let Some(list) = &plan.list
            && SEEN.lock().is_ok_and(|mut seen| seen.insert(name))
            && let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(list)
        {
            // One write, so that the lines of threads and processes do not mix.
            let _ = file.write_all(format!("{name}\n").as_bytes());
        }
    }
}
