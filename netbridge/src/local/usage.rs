//! How full the regions are, for the metrics. Looks from outside, read-only and in bounded time, so
//! that a scrape never holds up the bridge.

use std::path::Path;

use serde::Serialize;

/// Sizes and counters of one region.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RegionUsage {
    pub(crate) name: String,
    pub(crate) entries: u64,
    pub(crate) used_bytes: u64,
    pub(crate) backed_bytes: u64,
    pub(crate) capacity_bytes: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) puts: u64,
    pub(crate) evicted: u64,
    pub(crate) expired: u64,
    pub(crate) recoveries: u64,
    pub(crate) ack_waiters: u32,
    pub(crate) oldest_ack_wait_ms: Option<u64>,
}

/// The origin of the node, 0 if it has none yet; nothing if there is no node.
pub(crate) fn origin_of(home: &Path) -> Option<u16> {
    vug::Node::open_read_only(home).ok().map(|node| node.origin())
}

/// Every region of the home directory that can be read now.
pub(crate) fn usage(home: &Path) -> Vec<RegionUsage> {
    let Ok(node) = vug::Node::open_read_only(home) else {
        return Vec::new();
    };
    let look = |name: String| {
        let seen = node.region(&name).ok()?.statistics_at_a_glance().ok()?;
        let waited = seen.oldest_ack_wait.map(|wait| wait.age.as_millis());
        Some(RegionUsage {
            name,
            entries: seen.entries,
            used_bytes: seen.live_bytes,
            backed_bytes: seen.backed_bytes,
            capacity_bytes: seen.max_bytes,
            hits: seen.counters.hits,
            misses: seen.counters.misses(),
            puts: seen.counters.puts,
            evicted: seen.counters.evicted,
            expired: seen.counters.expired,
            recoveries: seen.recoveries,
            ack_waiters: seen.ack_waiters,
            oldest_ack_wait_ms: waited.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
        })
    };
    node.regions().unwrap_or_default().into_iter().filter_map(look).collect()
}
