//! What happens to everybody else when a process stands still, or dies, wherever it is.

use super::cases::{over_time, ratio_cell};
use super::crew::{Crew, Member, Place};
use super::task::{Job, Outcome, Task};
use super::{Plan, Rounds, head};
use crate::report::{Lines, Report, Series};
use std::time::{Duration, Instant};
use vug_workload::{Distribution, Mix, Sizes};

const SIZES: Sizes = Sizes::fixed(16, 64, 50);

pub(super) fn stopped(plan: &Plan, report: &mut Report) -> Result<(), String> {
    report.tell(
        "A process holds 64 guards all over the log and is stopped (SIGSTOP). Two others overwrite \
         in a region that is half full of live data; the segments under the guards cannot be used \
         again, and everything else goes on.",
    );
    let place = Place::filled_to(50, plan.entries, SIZES)?;
    let task = place.task(Job::Mix(Mix::reads(0)), Distribution::Uniform, plan.seconds);
    Crew::run(&task, 2, 1)?;
    let (mut calm, mut beside) = (Rounds::default(), Rounds::default());
    for _ in 0..plan.rounds {
        calm.keep(Crew::run(&task, 2, 1)?);
        let reader = Member::start(&Task { job: Job::Hold, ..task.clone() })?;
        reader.stop()?;
        beside.keep(Crew::run(&task, 2, 1)?);
    }
    compare(report, "a stopped reader", &calm, &beside);
    Ok(())
}

pub(super) fn kills(plan: &Plan, report: &mut Report) -> Result<(), String> {
    report.tell(
        "Two processes read and overwrite, zipf, half and half; a third does the same, is killed \
         (SIGKILL) wherever it is, and is started again. What it left unfinished is finished by \
         whoever meets it. The third takes processor time from the two while it lives, so it is \
         there in the calm rounds, too.",
    );
    let place = Place::filled(plan.entries, SIZES)?;
    let task = place.task(Job::Mix(Mix::reads(50)), Distribution::Zipf, plan.seconds.max(0.5));
    Crew::run(&task, 2, 1)?;
    let (mut calm, mut beside) = (Rounds::default(), Rounds::default());
    let (mut last, mut killed) = ([Vec::new(), Vec::new()], 0);
    for _ in 0..plan.rounds {
        let mut third = Crew::start(&task, 1, 1)?;
        let mut crew = Crew::start(&task, 2, 1)?;
        third.begin()?;
        crew.begin()?;
        let outcome = crew.outcome()?;
        third.outcome()?;
        last[0].clone_from(&outcome.timeline);
        calm.keep(outcome);
        let (outcome, count) = beside_victims(&task)?;
        last[1].clone_from(&outcome.timeline);
        beside.keep(outcome);
        killed += count;
    }
    let recoveries = place.region.statistics().recoveries;
    report.tell(&format!("{killed} kills; {recoveries} recoveries of dead members were counted."));
    let names = ["calm", "with kills"];
    let series = names.into_iter().zip(&last);
    report.plot(Lines {
        title: "The two others, last round".into(),
        x: "milliseconds".into(),
        y: "M/s".into(),
        series: series
            .map(|(name, bins)| Series { name: name.into(), points: over_time(bins) })
            .collect(),
        ..Lines::default()
    });
    compare(report, "kills", &calm, &beside);
    Ok(())
}

/// Two processes work while a third is killed again and again.
fn beside_victims(task: &Task) -> Result<(Outcome, u64), String> {
    let mut crew = Crew::start(task, 2, 1)?;
    let victim = |cpu: u64| Task {
        first: 2,
        workers: 3,
        // Until it is killed.
        seconds: 3600.0,
        cpu: Some(cpu as usize % 2),
        ..task.clone()
    };
    let mut next = Member::start(&victim(0))?;
    crew.begin()?;
    let start = Instant::now();
    let until = Duration::from_secs_f64(task.seconds);
    let mut killed = 0;
    while start.elapsed() < until {
        next.begin()?;
        // Kills at other instructions, not at other times.
        std::thread::sleep(Duration::from_micros(20_000 + 137 * (killed % 16)));
        killed += 1;
        drop(next);
        next = Member::start(&victim(killed))?;
    }
    Ok((crew.outcome()?, killed))
}

fn compare(report: &mut Report, what: &str, calm: &Rounds, beside: &Rounds) {
    calm.measured(report, &format!("calm, before {what}"), 2, 1);
    beside.measured(report, &format!("beside {what}"), 2, 1);
    report.tell(&format!("Beside {what}: {} M/s without.", ratio_cell(beside, calm)));
    let mut table = head();
    table.push(calm.cells("calm".into()));
    table.push(beside.cells(format!("beside {what}")));
    report.table("Two processes", table);
}
