//! Talks to systemd, if it is there: readiness, end and watchdog.

use std::net::SocketAddr;

use sd_notify::NotifyState;
use tokio::sync::{mpsc, oneshot};

use super::status::{Command, Request};

/// Without a supervisor this does nothing; that it cannot be reached is its own trouble.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager is not told");
    }
}

/// Peers and applications can reach the bridge.
pub(super) fn ready(address: SocketAddr) {
    let status = format!("serving on {address}");
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// The bridge says goodbye.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Feeds the watchdog for as long as the hub answers, so that a loop that is stuck is noticed.
pub(super) async fn watchdog(requests: mpsc::Sender<Request>) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    loop {
        let (answer, answered) = oneshot::channel();
        if requests.send(Request { command: Command::Status, answer }).await.is_err() {
            return;
        }
        if answered.await.is_ok() {
            tell(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(limit / 3).await;
    }
}
