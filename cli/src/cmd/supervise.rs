//! `vug bridge run --supervise`: a parent that starts the bridge again whenever it dies.
//!
//! For machines without a service manager. The parent holds nothing of the node, so it can be
//! killed, too: the bridge then ends with it, and whoever starts the parent again gets both.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::failure::{Failure, code, exit};

/// A bridge that dies at once is started again after this long; if it never served, then after
/// twice as long ...
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// ... and so on, up to this.
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// After a bridge that ran this long the next one is started without delay, as peers and writers
/// wait for it.
const LASTING: Duration = Duration::from_secs(1);

/// Runs this very command without `--supervise` until it ends by itself.
pub(super) fn run() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|cause| failed(&cause))?.block_on(supervise())
}

fn failed(cause: &dyn std::fmt::Display) -> Failure {
    let text = format!("the bridge cannot be supervised: {cause}");
    Failure::new(code::RUNTIME, text, "run it without --supervise, under a service manager")
}

async fn supervise() -> Result<(), Failure> {
    let mut signals = Signals::watch().map_err(|cause| failed(&cause))?;
    let mut backoff = Backoff::default();
    loop {
        let start = Instant::now();
        let mut child = spawn().map_err(|cause| failed(&cause))?;
        let (status, told) = attend(&mut child, &mut signals).await?;
        if let Some(end) = verdict(status, told) {
            return end;
        }
        let pause = backoff.after(start.elapsed(), served(&mut child));
        eprintln!("the bridge (process {}) died: {status}; starting it again", child.id());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
        }
    }
}

/// How long to wait before the next start.
struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE }
    }
}

impl Backoff {
    /// The pause after a bridge that ran for `life` and perhaps served its node.
    fn after(&mut self, life: Duration, served: bool) -> Duration {
        if served {
            self.pause = FIRST_PAUSE;
            return if life >= LASTING { Duration::ZERO } else { FIRST_PAUSE };
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LAST_PAUSE);
        pause
    }
}

/// What a bridge that was started by this parent says on its standard output once it serves.
pub(super) const READY: &str = "ready\n";

struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
    child: Stream,
}

impl Signals {
    fn watch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            child: signal(SignalKind::child())?,
        })
    }

    /// What is to be handed on; nothing: a child may have ended.
    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            _ = self.terminate.recv() => Some(Signal::SIGTERM),
            _ = self.interrupt.recv() => Some(Signal::SIGINT),
            _ = self.hangup.recv() => Some(Signal::SIGHUP),
            _ = self.child.recv() => None,
        }
    }
}

fn spawn() -> std::io::Result<Child> {
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--supervise");
    let parent = std::process::id().to_string();
    Command::new(std::env::current_exe()?)
        .args(arguments)
        .args(["--die-with-parent", &parent, "--tell-ready"])
        .stdout(Stdio::piped())
        .spawn()
}

/// Whether a bridge that has ended had told that it was ready.
fn served(child: &mut Child) -> bool {
    let mut told = String::new();
    let stdout = child.stdout.as_mut();
    // It is told once, and the pipe has no other end any more.
    stdout.is_some_and(|out| out.take(64).read_to_string(&mut told).is_ok() && told == READY)
}

/// Hands on signals until the child has ended; whether it was told to end.
async fn attend(child: &mut Child, signals: &mut Signals) -> Result<(ExitStatus, bool), Failure> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().map_err(|cause| failed(&cause))? {
            return Ok((status, told));
        }
        if let Some(signal) = signals.next().await {
            told |= signal != Signal::SIGHUP;
            // It may have ended just now.
            let _ = kill(Pid::from_raw(child.id() as i32), signal);
        }
    }
}

/// What the end of the bridge means for its supervisor; nothing: start it again.
fn verdict(status: ExitStatus, told: bool) -> Option<Result<(), Failure>> {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(exit::OK) => Some(Ok(())),
        _ if told => Some(Ok(())),
        Some(code @ (exit::USAGE | exit::BRIDGE_RUNS)) => {
            let text = "the bridge does not start, and starting it again would not help";
            let failure = Failure::new(code::GIVEN_UP, text, "see its own message above");
            Some(Err(failure.with_exit(code)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bridges_that_die_young_are_waited_for() {
        let mut backoff = Backoff::default();
        let ms = Duration::from_millis;
        let young = [0, 1, 2].map(|_| backoff.after(ms(10), false));
        assert_eq!(young, [ms(100), ms(200), ms(400)]);
        for _ in 0..10 {
            backoff.after(LASTING, false);
        }
        assert_eq!(backoff.after(ms(10), false), LAST_PAUSE);
        assert_eq!([0, 1].map(|_| backoff.after(ms(10), true)), [ms(100); 2], "it served");
        assert_eq!(backoff.after(LASTING, true), Duration::ZERO);
        assert_eq!(backoff.after(ms(10), false), ms(100), "the trouble begins anew");
    }
}
