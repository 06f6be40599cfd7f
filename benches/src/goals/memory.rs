//! Bytes an entry takes beyond its key and its value, by the region's own statistics.

use super::{Controls, Plan};
use crate::report::Report;
use crate::report::table::{Row, Wanted, digits};
use crate::store::{Shared, Store};
use crate::workload::{KEY_LEN, Load};

/// In eighths of the load: the index doubles, so the share of it depends on where one looks.
const LEVELS: [u32; 7] = [1, 2, 3, 4, 5, 6, 8];

/// What one level takes, in bytes an entry.
struct Level {
    entries: u32,
    index: f64,
    header: f64,
    /// Memory that is there and holds neither index nor live records.
    slack: f64,
}

pub(super) fn measure(plan: &Plan, _: &Controls<'_>, report: &mut Report) -> Vec<Row> {
    let goal = "bytes beyond key and value";
    let shared = Shared::create(plan.load);
    let mut levels = Vec::new();
    let mut from = 0;
    for eighths in LEVELS {
        let entries = plan.load.entries / 8 * eighths;
        let value = vec![1; plan.load.value_len];
        if let Err(why) = (from..entries).try_for_each(|n| shared.put(n, &value)) {
            return vec![Row::failed(goal, "", &why)];
        }
        from = entries;
        levels.push(level(&shared, entries, plan.load));
    }
    let mut lines =
        vec![["entries", "index", "record", "sum", "slack"].map(str::to_owned).to_vec()];
    lines.extend(levels.iter().map(|level| {
        let sum = level.index + level.header;
        let bytes = [level.index, level.header, sum, level.slack].map(digits);
        [vec![level.entries.to_string()], bytes.to_vec()].concat()
    }));
    let value_len = plan.load.value_len;
    let title = format!("Bytes an entry, with keys of {KEY_LEN} and values of {value_len} bytes");
    report.table(&title, lines);
    let measured = levels.iter().map(|level| level.index + level.header).collect();
    let row = Row::ratio(goal, "", 0.0, measured);
    vec![Row { wanted: Wanted::AtMost(56.0), unit: "B", ..row }.with("at 7 fill levels")]
}

fn level(shared: &Shared, entries: u32, load: Load) -> Level {
    let statistics = shared.region().statistics();
    let each = |bytes: u64| bytes as f64 / f64::from(entries);
    let index = u64::from(statistics.segments_index) * statistics.segment_bytes;
    let used = index + statistics.live_bytes;
    Level {
        entries,
        index: each(index),
        header: each(statistics.live_bytes) - (KEY_LEN + load.value_len) as f64,
        slack: each(statistics.backed_bytes.saturating_sub(used)),
    }
}
