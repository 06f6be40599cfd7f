//! The demonstration ends in order when it is interrupted: children first, then the files.

use std::time::Duration;

use crate::failure::{Failure, code};
use crate::interrupt::Interrupt;

pub(super) trait Pause {
    /// Fails when the demonstration is to end.
    fn check(&self) -> Result<(), Failure>;

    /// Lets time pass, but not past an interrupt.
    fn pause(&self, time: Duration) -> Result<(), Failure>;
}

impl Pause for Interrupt {
    fn check(&self) -> Result<(), Failure> {
        if self.is_raised() {
            let help = "its processes were ended and its files removed";
            return Err(Failure::new(code::INTERRUPTED, "the demonstration was interrupted", help));
        }
        Ok(())
    }

    fn pause(&self, time: Duration) -> Result<(), Failure> {
        self.check()?;
        std::thread::sleep(time);
        self.check()
    }
}
