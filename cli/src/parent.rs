//! Processes that live no longer than the one that started them.

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::failure::{Failure, code};

/// Has the kernel kill this process when the parent is gone, and ends at once if it is already.
pub(crate) fn die_with(parent: Option<u32>) -> Result<(), Failure> {
    let Some(parent) = parent else { return Ok(()) };
    let refused = |cause| {
        let text = format!("the kernel does not watch the parent process: {cause}");
        Failure::new(code::RUNTIME, text, "run it on Linux 2.6 or newer")
    };
    set_pdeathsig(Signal::SIGKILL).map_err(refused)?;
    if getppid().as_raw() as u32 == parent {
        return Ok(());
    }
    let help = "it ends together with the process that started it";
    Err(Failure::new(code::INTERRUPTED, "the parent process is gone", help))
}
