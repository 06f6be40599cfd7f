//! Many keys at a time beside one after the other.

use super::{Controls, Plan, rate};
use crate::report::Report;
use crate::report::table::Row;
use crate::store::{Shared, Store};
use crate::workload::{Distribution, KEY_LEN, Load, Requests, Work, key};
use std::hint::black_box;
use std::time::{Duration, Instant};

const KEYS: usize = 16;

pub(super) fn measure(plan: &Plan, _: &Controls<'_>, _: &mut Report) -> Vec<Row> {
    let goal = format!("get_many of {KEYS}, uniform");
    match ratios(plan) {
        Ok(ratios) => vec![Row::ratio(&goal, "get of each", 1.0, ratios)],
        Err(why) => vec![Row::failed(&goal, "get of each", &why)],
    }
}

fn ratios(plan: &Plan) -> Result<Vec<f64>, String> {
    let load: Load = plan.load;
    let shared = Shared::create(load);
    shared.fill(load)?;
    let mut requests = Requests::new(Distribution::Uniform, load, 1);
    let mut ratios = Vec::new();
    // The first round is not kept.
    for round in 0..=plan.rounds {
        let one = rate(&shared, Work::Get, &mut requests, load, plan.slice)?;
        let many = many(&shared, &mut requests, load, plan.slice)?;
        if round > 0 {
            ratios.push(many / one);
        }
    }
    Ok(ratios)
}

/// Entries per nanosecond.
fn many(
    shared: &Shared,
    requests: &mut Requests,
    load: Load,
    slice: Duration,
) -> Result<f64, String> {
    let mut value = vec![0; load.value_len];
    let mut done = 0;
    let start = Instant::now();
    loop {
        let batch = requests.next_batch();
        for part in batch.chunks_exact(KEYS) {
            let mut keys = [[0; KEY_LEN]; KEYS];
            keys.iter_mut().zip(part).for_each(|(into, &n)| *into = key(n));
            let copied = shared.region().get_many(&keys, |_, entry| {
                if let Some(entry) = entry {
                    value.copy_from_slice(entry.value);
                    black_box(&mut value);
                    done += 1;
                }
            });
            copied.map_err(|error| error.to_string())?;
        }
        let elapsed = start.elapsed();
        if elapsed >= slice {
            return Ok(f64::from(done) / elapsed.as_nanos() as f64);
        }
    }
}
