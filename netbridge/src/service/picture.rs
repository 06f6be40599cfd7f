//! What `vug bridge status` shows.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};

use super::hub::Hub;
use crate::engine::{AlertLevel, ClusterEvent, ConnId};
use crate::local::Home;

/// Alerts and refusals that are remembered.
const REMEMBERED: usize = 32;

/// What happened to peers and regions that the core does not remember.
#[derive(Debug)]
pub(super) struct Journal {
    warning: Option<String>,
    /// Why the last connection, or attempt, at an address ended.
    ends: BTreeMap<SocketAddr, String>,
    /// The same for nodes that dial us from addresses of their choice.
    ends_of_nodes: BTreeMap<u16, String>,
    refused: VecDeque<(Instant, SocketAddr, String)>,
    alerts: VecDeque<(Instant, AlertLevel, String)>,
    events: VecDeque<(Instant, ClusterEvent)>,
}

fn remember<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(item);
}

impl Journal {
    pub(super) fn new(warning: Option<String>) -> Self {
        if let Some(text) = &warning {
            tracing::warn!("{text}");
        }
        Self {
            warning,
            ends: BTreeMap::new(),
            ends_of_nodes: BTreeMap::new(),
            refused: VecDeque::new(),
            alerts: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The first reason counts: what follows a close is only its echo.
    pub(super) fn ended(&mut self, remote: SocketAddr, origin: u16, reason: &str) {
        if reason == "closed here" {
            return;
        }
        self.ends_of_nodes.insert(origin, reason.to_owned());
        // Addresses of nodes that dial us are not bounded by the configuration.
        if self.ends.len() >= 1024 {
            self.ends.clear();
        }
        self.ends.insert(remote, reason.to_owned());
    }

    pub(super) fn unreachable(&mut self, address: SocketAddr, reason: String) {
        self.ends.insert(address, reason);
    }

    pub(super) fn refused(&mut self, remote: SocketAddr, reason: String) {
        // A peer that keeps trying is one line.
        self.refused.retain(|(_, ip, why)| ip.ip() != remote.ip() || *why != reason);
        remember(&mut self.refused, (Instant::now(), remote, reason));
    }

    pub(super) fn alert(&mut self, level: AlertLevel, text: String) {
        remember(&mut self.alerts, (Instant::now(), level, text));
    }

    pub(super) fn event(&mut self, event: ClusterEvent) {
        remember(&mut self.events, (Instant::now(), event));
    }

    /// Something of this node does not work. Said once, not every second.
    pub(super) fn trouble(&mut self, what: &str, error: &dyn std::error::Error) {
        let text = format!("{what}: {error}");
        if !self.alerts.iter().any(|(_, _, known)| *known == text) {
            tracing::warn!("{text}");
            self.alert(AlertLevel::Warning, text);
        }
    }
}

impl<H: Home> Hub<H> {
    /// The whole status as one JSON object.
    pub(super) fn picture(&self) -> Value {
        let core = self.parts.engine.status();
        let states: BTreeMap<u64, &str> = core.peers.iter().map(|p| (p.conn, p.state)).collect();
        let refused = self.journal.refused.iter().map(|(at, remote, reason)| {
            json!({ "address": remote, "reason": reason, "age_ms": millis(*at) })
        });
        let alerts = self.journal.alerts.iter().map(
            |(at, level, text)| json!({ "level": level, "text": text, "age_ms": millis(*at) }),
        );
        let events = self.journal.events.iter().map(|(at, event)| {
            let mut shown = json!(event);
            shown["age_ms"] = millis(*at).into();
            shown
        });
        let bytes = self.conns.values().map(|conn| conn.link.bytes());
        let bytes = bytes.fold(self.past_bytes, |sum, of| (sum.0 + of.0, sum.1 + of.1));
        let unusable = self.parts.store.unusable();
        let unusable = unusable.iter().map(|(name, why)| json!({ "name": name, "problem": why }));
        json!({
            "node": core.node_id,
            "origin": core.origin,
            "cluster": core.cluster,
            "home": self.parts.config.home,
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "epoch": self.parts.store.epoch(),
            "listen": self.parts.transport.address,
            "page": self.parts.page.map(|at| format!("http://{at}/")),
            "uptime_ms": millis(self.start),
            "certificate_expires": self.parts.tls.expires,
            "warning": self.journal.warning,
            "peers": self.peers(&states),
            "regions": core.regions,
            "unsupported": core.unsupported,
            "unusable": unusable.collect::<Vec<_>>(),
            "mismatches": core.mismatches,
            "refusals": core.refusals,
            "turned_away": refused.collect::<Vec<_>>(),
            "alerts": alerts.collect::<Vec<_>>(),
            "nodes": core.nodes,
            "detector_errors": core.detector_errors,
            "events": events.collect::<Vec<_>>(),
            "bytes": { "sent": bytes.0, "received": bytes.1 },
            "counters": core.counters,
        })
    }

    /// Configured peers first, then those that dialed us.
    fn peers(&self, states: &BTreeMap<u64, &str>) -> Vec<Value> {
        let mut shown: Vec<ConnId> = Vec::new();
        let mut peers = Vec::new();
        for peer in &self.parts.config.peers {
            let live = self.conns.iter().find(|(_, conn)| {
                conn.remote == peer.address || Some(conn.peer.origin) == peer.origin
            });
            if let Some((id, _)) = live {
                shown.push(*id);
                peers.push(self.connected_peer(*id, peer.address, states));
                continue;
            }
            let by_origin = || peer.origin.and_then(|o| self.journal.ends_of_nodes.get(&o));
            let reason = self.journal.ends.get(&peer.address).or_else(by_origin);
            peers.push(json!({
                "address": peer.address,
                "origin": peer.origin,
                "configured": true,
                "state": if reason.is_some() { "unreachable" } else { "connecting" },
                "reason": reason,
            }));
        }
        for (id, conn) in &self.conns {
            if !shown.contains(id) {
                let mut peer = self.connected_peer(*id, conn.remote, states);
                peer["configured"] = false.into();
                peers.push(peer);
            }
        }
        peers
    }

    fn connected_peer(
        &self,
        id: ConnId,
        address: SocketAddr,
        states: &BTreeMap<u64, &str>,
    ) -> Value {
        let Some(conn) = self.conns.get(&id) else {
            return Value::Null;
        };
        let state = states.get(&id.0).copied().unwrap_or("closing");
        let reason = if state == "up" { None } else { self.journal.ends.get(&conn.remote) };
        json!({
            "address": address,
            "origin": conn.peer.origin,
            "configured": true,
            "state": state,
            "reason": reason,
            "rtt_us": u64::try_from(conn.link.rtt().as_micros()).unwrap_or(u64::MAX),
            "connected_ms": millis(conn.link.since),
        })
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
