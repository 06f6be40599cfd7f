//! How long a survivor takes to recover a member that was killed while it wrote.

use super::{Controls, Plan};
use crate::peer::Peer;
use crate::report::Report;
use crate::report::table::{Row, Wanted};
use crate::second::SecondProcess;
use crate::store::{Shared, Store, Vug};
use crate::workload::{Distribution, Work};
use std::time::{Duration, Instant};

const KILLS_PER_ROUND: usize = 8;

pub(super) fn measure(plan: &Plan, _: &Controls<'_>, _: &mut Report) -> Vec<Row> {
    let goal = "recovery of a dead member";
    match times(plan) {
        Ok(times) => {
            let most = times.iter().copied().max_by(f64::total_cmp);
            let kills = format!("{} kills", times.len());
            let row = |name: &str, measured| {
                let row = Row::ratio(name, "", 0.0, measured).with(kills.as_str());
                Row { wanted: Wanted::AtMost(10.0), unit: "ms", ..row }
            };
            let slowest = row("recovery, the slowest", most.into_iter().collect());
            vec![row(goal, times), slowest]
        }
        Err(why) => vec![Row::failed(goal, "", &why)],
    }
}

/// Milliseconds, one per kill.
fn times(plan: &Plan) -> Result<Vec<f64>, String> {
    let shared = Shared::create(plan.load);
    shared.fill(plan.load)?;
    let mut times = Vec::new();
    for kill in 0..plan.rounds * KILLS_PER_ROUND {
        let mut victim = SecondProcess::start(Vug.name(), shared.home(), plan.load)?;
        victim.work(Work::Put, Distribution::Uniform)?;
        // Kills at other instructions, not at other times: what is measured starts afterwards.
        std::thread::sleep(Duration::from_micros(200 + 137 * (kill as u64 % 16)));
        victim.kill()?;
        let start = Instant::now();
        let recovered = shared.region().recover().map_err(|error| error.to_string())?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        if recovered.threads == 0 {
            return Err(format!("kill {kill}: nothing was recovered"));
        }
    }
    Ok(times)
}
