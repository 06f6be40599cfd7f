//! The status as metrics in the OpenMetrics text format.
//!
//! Rendered from the same JSON object that `vug bridge status` shows, so the two cannot disagree.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::Value;

use crate::local::RegionUsage;

type Labels = Vec<(String, String)>;

/// States of a node or region that are shown as one series each.
const NODE_STATES: [&str; 5] = ["up", "unreachable", "removed", "left", "known"];
const REGION_STATES: [&str; 4] = ["ready", "initialising", "degraded", "refused"];

fn label(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// A registry that is filled once and rendered.
#[derive(Debug, Default)]
struct Page {
    registry: Registry,
}

impl Page {
    /// One gauge with any number of series.
    fn gauge(&mut self, name: &str, help: &str, series: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        for (labels, value) in series {
            family.get_or_create(&labels).set(value);
        }
        self.registry.register(name, help, family);
    }

    /// One counter; the encoding adds `_total`.
    fn counter(&mut self, name: &str, help: &str, series: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in series {
            family.get_or_create(&labels).inc_by(value);
        }
        self.registry.register(name, help, family);
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

/// The whole page.
pub(super) fn render(status: &Value, usage: &[RegionUsage]) -> String {
    let mut page = Page::default();
    bridge(&mut page, status);
    nodes(&mut page, status);
    regions(&mut page, status);
    contents(&mut page, usage);
    traffic(&mut page, status);
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut out, &page.registry);
    out
}

fn bridge(page: &mut Page, status: &Value) {
    let version = status["version"].as_str().unwrap_or("");
    let build = vec![label("version", version), label("protocol", crate::wire::PROTOCOL)];
    page.gauge("vug_build_info", "Version of the bridge, always 1", [(build, 1.0)]);
    let up = number(&status["uptime_ms"]) / 1e3;
    page.gauge("vug_bridge_uptime_seconds", "Since the bridge started", [(vec![], up)]);
    let expires = number(&status["certificate_expires"]);
    let help = "When the certificate of the node ends, in seconds since 1970";
    page.gauge("vug_bridge_certificate_expires_timestamp_seconds", help, [(vec![], expires)]);
    let level = |level: &str| {
        let alerts = list(status, "alerts").iter().filter(|a| a["level"] == level).count();
        (vec![label("level", level)], alerts as f64)
    };
    let help = "Alerts among the last 32";
    page.gauge("vug_bridge_alerts", help, ["info", "warning", "severe"].map(level));
}

fn nodes(page: &mut Page, status: &Value) {
    let nodes = list(status, "nodes");
    let count = |state: &str| {
        let nodes = nodes.iter().filter(|n| n["state"] == state).count();
        (vec![label("state", state)], nodes as f64)
    };
    page.gauge("vug_cluster_nodes", "Other nodes by state", NODE_STATES.map(count));
    let up = |n: &Value| (vec![label("peer", &n["origin"])], f64::from(n["state"] == "up"));
    let help = "1 while the node is connected";
    page.gauge("vug_bridge_peer_up", help, nodes.iter().map(up));
    let rtt = |p: &Value| {
        let micros = p["rtt_us"].as_f64()?;
        Some((vec![label("peer", &p["origin"])], micros / 1e6))
    };
    let help = "Round-trip time as the transport estimates it";
    let peers = list(status, "peers").iter().filter_map(rtt);
    page.gauge("vug_bridge_peer_rtt_seconds", help, peers);
}

fn regions(page: &mut Page, status: &Value) {
    let regions = list(status, "regions");
    let name = |r: &Value| label("region", r["name"].as_str().unwrap_or(""));
    let states = regions.iter().flat_map(|r| {
        REGION_STATES.map(|s| (vec![name(r), label("state", s)], f64::from(r["state"] == *s)))
    });
    page.gauge("vug_region_state", "1 for the state the region is in", states);
    let lags = regions.iter().flat_map(|r| {
        list(r, "members")
            .iter()
            .map(move |m| (vec![label("peer", &m["origin"]), name(r)], number(&m["lag"])))
    });
    let help = "Changes made here that are not yet visible there";
    page.gauge("vug_bridge_replication_lag_changes", help, lags);
    let waiting = regions.iter().map(|r| (vec![name(r)], list(r, "waiting_for").len() as f64));
    let help = "Nodes that have not applied everything";
    page.gauge("vug_bridge_ack_waiting_nodes", help, waiting);
    let images = regions.iter().flat_map(|r| {
        let taking = r["taking"].is_object().then_some(("in", &r["taking"]));
        let serving = list(r, "serving").iter().map(|i| ("out", i));
        taking.into_iter().chain(serving).map(move |(direction, image)| {
            let labels =
                vec![name(r), label("peer", &image["origin"]), label("direction", direction)];
            (labels, number(&image["records"]))
        })
    });
    page.gauge("vug_bridge_image_records", "Progress of the images under way", images);
    let mismatches = list(status, "mismatches").iter().map(|m| {
        let region = label("region", m["region"].as_str().unwrap_or(""));
        (vec![region, label("peer", &m["origin"])], 1.0)
    });
    let help = "1 for a region that is not replicated with a node because attributes differ";
    page.gauge("vug_bridge_region_mismatch", help, mismatches);
}

fn contents(page: &mut Page, usage: &[RegionUsage]) {
    let of =
        |f: fn(&RegionUsage) -> f64| move |r: &RegionUsage| (vec![label("region", &r.name)], f(r));
    let mut gauge = |name: &str, help: &str, f: fn(&RegionUsage) -> f64| {
        page.gauge(name, help, usage.iter().map(of(f)));
    };
    gauge("vug_region_entries", "Entries, estimated in large regions", |r| r.entries as f64);
    gauge("vug_region_used_bytes", "Bytes of live records", |r| r.used_bytes as f64);
    gauge("vug_region_backed_bytes", "Memory in use", |r| r.backed_bytes as f64);
    gauge("vug_region_capacity_bytes", "Bound on the memory", |r| r.capacity_bytes as f64);
    gauge("vug_region_ack_waiters", "Threads that wait for acknowledgements", |r| {
        f64::from(r.ack_waiters)
    });
    gauge("vug_region_ack_wait_seconds", "Age of the oldest such wait", |r| {
        r.oldest_ack_wait_ms.unwrap_or(0) as f64 / 1e3
    });
    let gets = usage.iter().flat_map(|r| {
        [("hit", r.hits), ("miss", r.misses)]
            .map(|(result, n)| (vec![label("region", &r.name), label("result", result)], n))
    });
    page.counter("vug_region_gets", "Reads", gets);
    let of =
        |f: fn(&RegionUsage) -> u64| move |r: &RegionUsage| (vec![label("region", &r.name)], f(r));
    page.counter("vug_region_puts", "Values written", usage.iter().map(of(|r| r.puts)));
    let gone = usage.iter().flat_map(|r| {
        [("space", r.evicted), ("expired", r.expired)]
            .map(|(reason, n)| (vec![label("region", &r.name), label("reason", reason)], n))
    });
    page.counter("vug_region_evictions", "Entries that went by themselves", gone);
    let help = "Dead members that were cleaned up after";
    page.counter("vug_recoveries", help, usage.iter().map(of(|r| r.recoveries)));
}

fn traffic(page: &mut Page, status: &Value) {
    let counters = &status["counters"];
    let count = |name: &str| counters[name].as_u64().unwrap_or(0);
    let by = |key: &str, value: &str, n: u64| (vec![label(key, value)], n);
    page.counter(
        "vug_bridge_records",
        "Changes of live streams",
        [
            by("direction", "out", count("records_sent")),
            by("direction", "in", count("records_received")),
        ],
    );
    let help = "Changes received that were not newer than what was here";
    page.counter("vug_bridge_records_known", help, [(vec![], count("records_known"))]);
    page.counter(
        "vug_bridge_images",
        "Images of whole regions by result",
        [
            by("result", "taken", count("images_taken")),
            by("result", "served", count("images_served")),
            by("result", "failed", count("images_failed")),
        ],
    );
    page.counter(
        "vug_bridge_resynchronisations",
        "Streams that (re)started, by means",
        [by("means", "resumed", count("resumed")), by("means", "lapped", count("lapped"))],
    );
    let help = "Changes the region could not take";
    page.counter("vug_bridge_apply_errors", help, [(vec![], count("apply_errors"))]);
    let bytes = &status["bytes"];
    page.counter(
        "vug_bridge_bytes",
        "Bytes of UDP payload",
        [
            by("direction", "out", bytes["sent"].as_u64().unwrap_or(0)),
            by("direction", "in", bytes["received"].as_u64().unwrap_or(0)),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_labels_are_escaped() {
        let status = serde_json::json!({
            "version": "1", "uptime_ms": 1500,
            "nodes": [{ "origin": 2, "state": "up" }, { "origin": 3, "state": "left" }],
            "peers": [{ "origin": 2, "rtt_us": 250 }],
            "regions": [{
                "name": "q", "state": "ready", "members": [{ "origin": 2, "lag": 7 }],
                "waiting_for": [2], "serving": [{ "origin": 2, "records": 10 }], "taking": null,
            }],
            "alerts": [{ "level": "severe" }],
            "counters": { "records_sent": 5 },
        });
        let text = render(&status, &[]);
        for line in [
            "vug_bridge_uptime_seconds 1.5",
            "vug_cluster_nodes{state=\"up\"} 1.0",
            "vug_bridge_peer_up{peer=\"3\"} 0.0",
            "vug_bridge_peer_rtt_seconds{peer=\"2\"} 0.00025",
            "vug_bridge_replication_lag_changes{peer=\"2\",region=\"q\"} 7.0",
            "vug_bridge_image_records{region=\"q\",peer=\"2\",direction=\"out\"} 10.0",
            "vug_bridge_records_total{direction=\"out\"} 5",
            "vug_region_state{region=\"q\",state=\"ready\"} 1.0",
            "vug_bridge_alerts{level=\"severe\"} 1.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
