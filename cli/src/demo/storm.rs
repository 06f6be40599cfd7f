//! Four writers, one of them killed every 200 ms, and one bridge killed once.

use std::time::{Duration, Instant};

use super::bridges::Bridges;
use super::child::Child;
use super::pause::Pause;
use super::place::Place;
use super::{PATIENCE, Readers, SharedTally};
use crate::args::{Demo, Role};
use crate::failure::Failure;
use crate::interrupt::Interrupt;

pub(super) const WRITERS: usize = 4;
const KILL_EVERY: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What was done to the processes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Storm {
    pub(super) elapsed: Duration,
    pub(super) writers_killed: u32,
    pub(super) bridges_killed: u32,
}

pub(super) fn run(
    place: &Place,
    args: &Demo,
    tally: &SharedTally,
    bridges: &mut Bridges<'_>,
    readers: &mut Readers<'_>,
    interrupt: &Interrupt,
) -> Result<Storm, Failure> {
    let mut writers = Writers::start(place, args.entries, tally)?;
    let mut storm = Storm::default();
    let begin = Instant::now();
    let end = begin + Duration::from_secs(args.seconds.into());
    let bridge_kill = begin + Duration::from_secs(args.seconds.into()) / 2;
    let mut next_kill = begin + KILL_EVERY;
    while Instant::now() < end {
        interrupt.pause(LOOK_EVERY)?;
        writers.check()?;
        bridges.check()?;
        readers.turn()?;
        let now = Instant::now();
        if now >= next_kill {
            writers.replace(storm.writers_killed as usize % WRITERS)?;
            storm.writers_killed += 1;
            next_kill = now + KILL_EVERY;
        }
        if storm.bridges_killed == 0 && now >= bridge_kill {
            bridges.kill_and_restart(0)?;
            storm.bridges_killed = 1;
        }
    }
    storm.elapsed = begin.elapsed();
    writers.finish(interrupt)?;
    Ok(storm)
}

struct Writers<'a> {
    place: &'a Place,
    entries: usize,
    tally: &'a SharedTally,
    running: Vec<Child>,
    started: u64,
}

impl<'a> Writers<'a> {
    fn start(place: &'a Place, entries: u32, tally: &'a SharedTally) -> Result<Self, Failure> {
        let mut writers =
            Self { place, entries: entries as usize, tally, running: Vec::new(), started: 0 };
        for index in 0..WRITERS {
            let writer = writers.spawn(index)?;
            writers.running.push(writer);
        }
        Ok(writers)
    }

    /// Writers are spread over the nodes, so that nodes also disagree about who came last.
    fn spawn(&mut self, index: usize) -> Result<Child, Failure> {
        self.started += 1;
        let site = index % self.place.homes().len();
        let entries = self.entries;
        Child::worker(self.place, site, Role::Write, entries, self.started, Some(self.tally))
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.running.iter_mut().try_for_each(Child::ended_early)
    }

    fn replace(&mut self, index: usize) -> Result<(), Failure> {
        let fresh = self.spawn(index)?;
        std::mem::replace(&mut self.running[index], fresh).kill()
    }

    fn finish(mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        self.running.iter_mut().for_each(Child::close_input);
        self.running.iter_mut().try_for_each(|writer| writer.await_end(PATIENCE, interrupt))
    }
}
