//! Repeated reads of few hot entries: what a held handle is for.

use super::{Controls, Plan};
use crate::report::Report;
use crate::report::table::Row;
use crate::store::{Shared, Store};
use crate::workload::{Distribution, Load, Requests, key};
use std::time::{Duration, Instant};
use vug::Handle;

/// Values of 64 bytes that are read through handles which the reader keeps.
pub trait HeldRead {
    /// Name in tables.
    fn name(&self) -> &'static str;

    /// Copies each of these values once.
    fn read(&self, order: &[u32]);
}

const KEYS: u32 = 1000;
const VALUE_LEN: usize = 64;

pub(super) fn measure(plan: &Plan, controls: &Controls<'_>, _: &mut Report) -> Vec<Row> {
    let load = Load { entries: KEYS, value_len: VALUE_LEN };
    let shared = Shared::create(load);
    let goal = format!("handle read, {KEYS} keys");
    if let Err(why) = shared.fill(load) {
        return vec![Row::failed(&goal, "", &why)];
    }
    let control = match controls.held.map(|make| make(KEYS)) {
        Some(Ok(control)) => control,
        Some(Err(why)) => return vec![Row::failed(&goal, "iceoryx2 blackboard", &why)],
        None => return vec![Row::failed(&goal, "iceoryx2 blackboard", "only in benches/compare")],
    };
    let handles = (0..KEYS).map(|n| shared.region().handle(&key(n)));
    let reader = match handles.collect() {
        Ok(handles) => Handles { handles },
        Err(error) => return vec![Row::failed(&goal, control.name(), &error.to_string())],
    };
    let mut requests = Requests::new(Distribution::Uniform, load, 1);
    let mut ratios = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..plan.rounds {
        let vug = rate(&reader, &mut requests, plan.slice);
        let other = rate(&*control, &mut requests, plan.slice);
        ratios.push(vug / other);
        theirs.push(other * 1000.0);
    }
    let row = Row::ratio(&goal, control.name(), 0.8, ratios);
    let millions = crate::report::table::median(&theirs).unwrap_or(0.0);
    vec![row.with(format!("reference {millions:.0} M/s"))]
}

/// Reads per nanosecond.
fn rate(held: &dyn HeldRead, requests: &mut Requests, slice: Duration) -> f64 {
    let mut done = 0;
    let start = Instant::now();
    loop {
        for _ in 0..16 {
            let batch = requests.next_batch();
            held.read(batch);
            done += batch.len();
        }
        let elapsed = start.elapsed();
        if elapsed >= slice {
            return done as f64 / elapsed.as_nanos() as f64;
        }
    }
}

/// Copies through handles.
struct Handles {
    handles: Vec<Handle>,
}

impl HeldRead for Handles {
    fn name(&self) -> &'static str {
        "vug"
    }

    fn read(&self, order: &[u32]) {
        let mut value = [0; VALUE_LEN];
        for &n in order {
            let read = self.handles[n as usize].read(&mut value);
            assert!(matches!(read, Ok(Some(VALUE_LEN))), "every key is there");
            std::hint::black_box(&value);
        }
    }
}
