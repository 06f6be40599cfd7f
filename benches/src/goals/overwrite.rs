//! Overwrites at random for as long as one likes, in regions that are more or less full.
//!
//! The entries are the same at every level; the regions differ in size. So the index and the
//! caches do the same, and what differs is how much lives in a segment when its turn comes.

use super::{Controls, Plan, rate};
use crate::peer::Peer;
use crate::report::table::{Row, digits, median};
use crate::report::{Measurement, Report};
use crate::store::{Shared, Store, Vug};
use crate::workload::{Distribution, Load, Requests, Work};
use std::time::Duration;

/// Live records in a hundred bytes of the region, and the goal: the share of the rate of the first.
const LEVELS: [(u32, f64); 4] = [(10, 1.0), (50, 0.6), (80, 0.4), (90, 0.25)];

/// A region at one level.
struct Region {
    shared: Shared,
    requests: Requests,
    /// Live bytes over all bytes that are not index.
    live: f64,
    /// Operations per nanosecond, one number a round.
    rates: Vec<f64>,
}

pub(super) fn measure(plan: &Plan, _: &Controls<'_>, report: &mut Report) -> Vec<Row> {
    let load = Load { entries: plan.load.entries / 2, ..plan.load };
    let goal = |level: u32| format!("uniform overwrite, {level} % live");
    let reference = "own rate, 10 % live";
    let mut rows = Vec::new();
    let mut regions = Vec::new();
    for (level, wanted) in LEVELS {
        match Region::make(level, load) {
            Ok(region) => regions.push((level, wanted, region)),
            Err(why) => rows.push(Row::failed(&goal(level), reference, &why)),
        }
    }
    // Overwrites take longer to settle than reads.
    let slice = plan.slice * 2;
    for _ in 0..plan.rounds {
        regions.retain_mut(|(level, _, region)| match region.round(load, slice) {
            Ok(()) => true,
            Err(why) => {
                rows.push(Row::failed(&goal(*level), reference, &why));
                false
            }
        });
    }
    let Some((level, _, base)) = regions.first().filter(|(level, ..)| *level == LEVELS[0].0) else {
        return rows;
    };
    let told = millions(&base.rates);
    report.tell(&format!("Uniform overwrites at {level} % live: {told} M/s."));
    let base = base.rates.clone();
    for (level, _, region) in &regions {
        report.measured(Measurement {
            what: goal(*level),
            store: Vug.name().into(),
            processes: 1,
            threads: 1,
            unit: "M/s".into(),
            rounds: region.rates.iter().map(|rate| rate * 1000.0).collect(),
        });
    }
    rows.extend(regions.iter().skip(1).map(|(level, wanted, region)| {
        let ratios = region.rates.iter().zip(&base).map(|(rate, base)| rate / base).collect();
        let remark = format!("{:.1} %, {} M/s", region.live * 100.0, millions(&region.rates));
        Row::ratio(&goal(*level), reference, *wanted, ratios).with(remark)
    }));
    rows
}

fn millions(rates: &[f64]) -> String {
    median(rates).map_or("-".into(), |rate| digits(rate * 1000.0))
}

impl Region {
    /// Filled to the level and overwritten until the log went round at least twice.
    fn make(level: u32, load: Load) -> Result<Region, String> {
        // Generous: the shares of headers and index are known only afterwards.
        let mut max_bytes = 3 * load.bytes() * 100 / u64::from(level);
        let mut made = Region::filled(max_bytes, load)?;
        for _ in 0..4 {
            let off = made.live * 100.0 / f64::from(level);
            if (0.995..1.005).contains(&off) {
                break;
            }
            let statistics = made.shared.region().statistics();
            let index = u64::from(statistics.segments_index) * statistics.segment_bytes;
            max_bytes = index + statistics.live_bytes * 100 / u64::from(level);
            // Two regions at once would be too many for a small machine.
            drop(made);
            made = Region::filled(max_bytes, load)?;
        }
        let entry = load.bytes() / u64::from(load.entries);
        let twice = 2 * max_bytes / entry;
        let mut done = 0;
        while done < twice {
            let mut value = vec![1; load.value_len];
            let batch = made.requests.next_batch();
            done += batch.len() as u64;
            let worked = made.shared.run(Work::Put, load, batch, &mut value);
            worked.map_err(|why| format!("after {done} overwrites: {why}"))?;
        }
        Ok(made)
    }

    fn filled(max_bytes: u64, load: Load) -> Result<Region, String> {
        let shared = Shared::create_with(max_bytes);
        shared.fill(load)?;
        let statistics = shared.region().statistics();
        let records = statistics.segments_total - statistics.segments_index;
        let room = u64::from(records) * statistics.segment_bytes;
        let live = statistics.live_bytes as f64 / room as f64;
        let requests = Requests::new(Distribution::Uniform, load, 1);
        Ok(Region { shared, requests, live, rates: Vec::new() })
    }

    fn round(&mut self, load: Load, slice: Duration) -> Result<(), String> {
        self.rates.push(rate(&self.shared, Work::Put, &mut self.requests, load, slice)?);
        Ok(())
    }
}
