//! Taking over a changed configuration and new certificates while connections go on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::hub::Hub;
use super::millis;
use crate::config::Config;
use crate::engine::AlertLevel;
use crate::error::BridgeError;
use crate::local::Home;
use crate::transport::tls::Credentials;

impl<H: Home> Hub<H> {
    /// Reads everything again; what is wrong leaves everything as it was.
    pub(super) fn reload(&mut self) -> Value {
        match self.try_reload() {
            Ok(answer) => {
                tracing::info!(%answer, "reloaded");
                answer
            }
            Err(error) => {
                let text = format!("not reloaded: {error}; {}", error.help());
                self.alert(AlertLevel::Severe, text.clone());
                json!({ "error": text })
            }
        }
    }

    fn try_reload(&mut self) -> Result<Value, BridgeError> {
        let new = (self.parts.reload)()?;
        let running = &self.parts.config;
        let tls = Credentials::load(&new.tls, &running.cluster, Some(self.parts.tls.own.origin))?;
        let needs_restart = needs_restart(running, &new);
        let tls = Arc::new(tls);
        self.parts.transport.set_certificates(&tls)?;
        self.parts.transport.set_peers(&new.peers);
        self.parts.engine.set_timeouts(millis(new.peer_timeout), millis(new.unreachable_timeout));
        let mut reloaded = vec!["certificates"];
        reloaded.extend((running.peers != new.peers).then_some("peers"));
        let times = |c: &Config| (c.peer_timeout, c.unreachable_timeout);
        reloaded.extend((times(running) != times(&new)).then_some("timeouts"));
        let expires = tls.expires;
        self.parts.tls = tls;
        let config = &mut self.parts.config;
        config.tls = new.tls;
        config.peers = new.peers;
        config.peer_timeout = new.peer_timeout;
        config.unreachable_timeout = new.unreachable_timeout;
        Ok(json!({
            "reloaded": reloaded,
            "needs_restart": needs_restart,
            "certificate_expires": expires,
        }))
    }
}

/// Settings that a running bridge cannot change.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = [
        ("node.home", old.home != new.home),
        ("cluster.id", old.cluster != new.cluster),
        // Port 0 has become another one.
        ("listen.address", old.listen != new.listen),
        ("listen.advertise", old.advertise != new.advertise),
        ("region", old.regions != new.regions),
        ("bridge.ack_wait_threshold", old.ack_wait_threshold != new.ack_wait_threshold),
        (
            "bridge.ack_severe_alert_threshold",
            old.ack_severe_alert_threshold != new.ack_severe_alert_threshold,
        ),
        ("status.socket", old.status_socket != new.status_socket),
        ("http.address", old.http != new.http),
        ("log", old.log != new.log),
    ];
    changed.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
