//! Processes that stop at a crash point in the middle of a write, and go on when they are told to.

use crate::VICTIM;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::process::{Child, Command, Stdio};
use vug_tests::victim::Nursery;

/// A home whose victims are those of these tests.
pub(crate) fn nursery() -> Nursery {
    Nursery::new(VICTIM)
}

/// A stopped process; killed if nobody resumes it.
pub(crate) struct Stopped {
    child: Child,
    pid: Pid,
    is_over: bool,
}

impl Stopped {
    /// Waits until the process stops. `None` if it ends instead, without having got to the point.
    pub(crate) fn at(mut command: Command, at: &str) -> Option<Stopped> {
        command.env("VUG_STOP_AT", at).stdout(Stdio::null());
        let child = command.spawn().expect("the victim starts");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        match waitpid(pid, Some(WaitPidFlag::WUNTRACED)).expect("own child") {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => Some(Stopped { child, pid, is_over: false }),
            WaitStatus::Exited(_, 0) => None,
            other => panic!("{at}: {other:?}"),
        }
    }

    /// One that writes `key` in `region`.
    pub(crate) fn writing(nursery: &Nursery, region: &str, key: &str, at: &str) -> Option<Stopped> {
        Stopped::at(nursery.command("write", &[region, key, "1"]), at)
    }

    /// Lets it go on to its end, which must be a good one.
    pub(crate) fn resume(mut self) {
        kill(self.pid, Signal::SIGCONT).expect("own child");
        self.is_over = true;
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.child.kill().expect("own child");
            self.child.wait().expect("it ends");
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.end();
    }
}
