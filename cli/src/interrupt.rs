//! Ctrl-C and termination end long work in order, at a place where nothing is half done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Failure, code};

#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From here on SIGINT, SIGTERM and SIGHUP do not end the process but raise the flag.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let raised = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&raised);
        let no_runtime = |cause: std::io::Error| {
            let text = format!("signals cannot be received: {cause}");
            Failure::new(code::RUNTIME, text, "look at the limits of this process (`ulimit -a`)")
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(no_runtime)?;
        let context = runtime.enter();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [first, second, third] = kinds.map(signal);
        let signals =
            [first.map_err(no_runtime)?, second.map_err(no_runtime)?, third.map_err(no_runtime)?];
        drop(context);
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                runtime.block_on(any(signals));
                flag.store(true, Ordering::Relaxed);
            })
            .map_err(no_runtime)?;
        Ok(Self(raised))
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

async fn any([mut first, mut second, mut third]: [Signal; 3]) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
        _ = third.recv() => {}
    }
}
