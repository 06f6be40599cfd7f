//! When it is told that writers wait too long, and for whom.
//!
//! The wait itself never ends by itself: a node that does not acknowledge is waited for until it
//! has left. After `ack_warning` (0: never) one warning names the nodes that are missing. From then
//! on the status repeats it, at twice the distance each time. If `ack_severe` is not 0, that much
//! later a severe alert follows, and the connections to the missing nodes are ended: a node that is
//! alive comes back and goes on, one that is not loses its place after `peer_timeout`.

/// The oldest change that somebody has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The watermark that does not move.
    pub(crate) position: u64,
    pub(crate) since: u64,
    /// How often it was told.
    pub(crate) reports: u32,
    pub(crate) severe: bool,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Warning,
    Severe,
}

impl Wait {
    /// The wait after a look at watermark and tail; a watermark that moved begins a new one.
    pub(crate) fn look(wait: Option<Self>, position: u64, tail: u64, now: u64) -> Option<Self> {
        match wait {
            _ if position >= tail => None,
            Some(wait) if wait.position >= position => Some(wait),
            _ => Some(Self { position, since: now, reports: 0, severe: false }),
        }
    }

    /// When the next report is due.
    fn report_at(&self, warning: u64) -> u64 {
        if warning == 0 {
            return u64::MAX;
        }
        self.since.saturating_add(warning << self.reports.min(16))
    }

    fn severe_at(&self, warning: u64, severe: u64) -> Option<u64> {
        let off = severe == 0 || self.severe;
        (!off).then(|| self.since.saturating_add(warning).saturating_add(severe))
    }

    /// Notes what is told now.
    pub(crate) fn due(&mut self, now: u64, warning: u64, severe: u64) -> Due {
        if self.severe_at(warning, severe).is_some_and(|at| now >= at) {
            self.severe = true;
            self.reports += 1;
            return Due::Severe;
        }
        if now < self.report_at(warning) {
            return Due::Nothing;
        }
        self.reports += 1;
        if self.reports == 1 { Due::Warning } else { Due::Nothing }
    }

    pub(crate) fn next_timeout(&self, warning: u64, severe: u64) -> u64 {
        let report = self.report_at(warning);
        self.severe_at(warning, severe).map_or(report, |at| at.min(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_then_reports_at_growing_distance() {
        let mut wait = Wait::look(None, 5, 9, 100).unwrap();
        let mut seen = Vec::new();
        for now in 100..2_000 {
            let (due, reports) = (wait.due(now, 100, 0), wait.reports);
            if due != Due::Nothing {
                assert_eq!((due, reports), (Due::Warning, 1));
            }
            if seen.last() != Some(&reports) {
                seen.push(reports);
                assert_eq!(now, [100, 200, 300, 500, 900, 1_700][reports as usize]);
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn severe_comes_once_after_both_thresholds() {
        let mut wait = Wait::look(None, 5, 9, 0).unwrap();
        let severe: Vec<u64> =
            (0..10_000).filter(|now| wait.due(*now, 100, 50) == Due::Severe).collect();
        assert_eq!(severe, [150]);
    }

    #[test]
    fn progress_begins_a_new_wait() {
        let wait = Wait::look(None, 5, 9, 0);
        assert_eq!(Wait::look(wait, 5, 12, 70), wait);
        assert_eq!(Wait::look(wait, 6, 12, 70).unwrap().since, 70);
        assert_eq!(Wait::look(wait, 12, 12, 70), None);
    }
}
