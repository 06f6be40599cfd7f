//! Sums of what the child processes reported.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use super::frame::{Frame, Kind};

/// Longest time that is told apart, in nanoseconds.
const LONGEST: u64 = 600_000_000_000;

/// Highest acknowledged state of one key: version and origin, in the order of conflicts.
pub(super) type Acked = (u64, u16);

#[derive(Debug)]
pub(super) struct Tally {
    acked: Vec<Acked>,
    pub(super) loads: Histogram<u64>,
    pub(super) acks: Histogram<u64>,
    pub(super) locals: Histogram<u64>,
    pub(super) gets: Histogram<u64>,
    pub(super) missing: u64,
    pub(super) torn: u64,
    pub(super) unacknowledged: u64,
}

fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, LONGEST, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are constants that fit"));
    histogram.auto(false);
    histogram
}

impl Tally {
    pub(super) fn new(keys: usize) -> Self {
        Self {
            acked: vec![(0, 0); keys],
            loads: histogram(),
            acks: histogram(),
            locals: histogram(),
            gets: histogram(),
            missing: 0,
            torn: 0,
            unacknowledged: 0,
        }
    }

    pub(super) fn acked(&self) -> &[Acked] {
        &self.acked
    }

    pub(super) fn add(&mut self, frame: &Frame) {
        let histogram = match frame.kind {
            Kind::Loaded => &mut self.loads,
            Kind::Acknowledged => &mut self.acks,
            Kind::Local => &mut self.locals,
            Kind::Gets => &mut self.gets,
            Kind::Missing => return self.missing += frame.number,
            Kind::Torn => return self.torn += frame.number,
            Kind::Unacknowledged => return self.unacknowledged += frame.number,
        };
        histogram.saturating_record_n(frame.nanos.max(1), frame.number);
        if matches!(frame.kind, Kind::Loaded | Kind::Acknowledged)
            && let Some(highest) = self.acked.get_mut(frame.key as usize)
        {
            *highest = (*highest).max((frame.version, frame.origin as u16));
        }
    }
}

/// A panic of another holder leaves sums that are still sums.
pub(super) fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_acknowledged_state_stays() {
        let mut tally = Tally::new(1);
        for (version, origin) in [(5, 1), (7, 2), (7, 1), (6, 9)] {
            let mut frame = Frame::new(Kind::Acknowledged, 0);
            (frame.version, frame.origin, frame.nanos) = (version, origin, 1000);
            tally.add(&frame);
        }
        assert_eq!(tally.acked(), [(7, 2)]);
        assert_eq!(tally.acks.len(), 4);
    }
}
