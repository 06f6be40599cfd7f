//! The bridge processes of the demonstration.

use std::process::Stdio;
use std::time::Duration;

use super::child::{Child, this_program};
use super::place::Place;
use crate::cmd;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// A bridge that is asked to end does so long before this.
const GOODBYE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Bridges<'p> {
    place: &'p Place,
    running: Vec<Option<Child>>,
}

impl<'p> Bridges<'p> {
    pub(super) fn new(place: &'p Place) -> Self {
        let running = place.homes().iter().map(|_| None).collect();
        Self { place, running }
    }

    /// Starts the bridge of node `index` as its operator would.
    pub(super) fn start(&mut self, index: usize) -> Result<(), Failure> {
        let mut command = this_program()?;
        command
            .arg("--home")
            .arg(&self.place.homes()[index])
            .args(["bridge", "run", "--config"])
            .arg(self.place.bridge_config(index))
            .args(["--die-with-parent", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let name = format!("bridge-{}", index + 1);
        self.running[index] = Some(Child::spawn(self.place, name, command)?);
        Ok(())
    }

    /// Kills the bridge of node `index` and starts it again.
    pub(super) fn kill_and_restart(&mut self, index: usize) -> Result<(), Failure> {
        if let Some(bridge) = self.running[index].take() {
            bridge.kill()?;
        }
        self.start(index)
    }

    /// Fails if a bridge ended by itself.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        self.running.iter_mut().flatten().try_for_each(Child::ended_early)
    }

    /// Why the bridges are not connected, in their own words.
    pub(super) fn last_words(&self) -> String {
        let homes = self.place.homes().iter().zip(&self.running);
        let words = homes.filter_map(|(home, running)| {
            let reason = cmd::bridge::why_not_connected(home);
            reason.or_else(|| running.as_ref().and_then(Child::last_words))
        });
        format!("the bridges say: {}", words.collect::<Vec<_>>().join(" | "))
    }

    pub(super) fn stop(mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        for bridge in self.running.iter().flatten() {
            bridge.terminate();
        }
        for bridge in self.running.iter_mut().flatten() {
            bridge.await_end(GOODBYE, interrupt)?;
        }
        Ok(())
    }
}
