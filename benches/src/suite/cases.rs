//! The cases in which nothing goes wrong.

use super::crew::{Crew, Place, roomy};
use super::task::{BIN_MS, Job, Task};
use super::{Plan, Rounds, head, hits, rate_cell};
use crate::report::table::{digits, median};
use crate::report::{DotRow, Dots, Lines, Report, Scale, Series, percentiles};
use vug::Eviction;
use vug_workload::{Distribution, Mix, Sizes};

/// Processes of one thread each.
const PROCESSES: [u32; 2] = [1, 2];
const SMALL: Sizes = Sizes::fixed(16, 64, 95);

/// One configuration: what it is called, and the work.
type Line = (String, Task);

/// Configurations of one region by turns, each with every number of processes; table and plot.
fn by_turns(plan: &Plan, report: &mut Report, title: &str, lines: &[Line]) -> Result<(), String> {
    let mut all: Vec<[Rounds; 2]> = lines.iter().map(|_| Default::default()).collect();
    for _ in 0..plan.rounds {
        for ((_, task), rounds) in lines.iter().zip(&mut all) {
            for (processes, rounds) in PROCESSES.into_iter().zip(rounds) {
                rounds.keep(Crew::run(task, processes, 1)?);
            }
        }
    }
    show(report, title, lines, &all);
    Ok(())
}

fn show(report: &mut Report, title: &str, lines: &[Line], all: &[[Rounds; 2]]) {
    let mut table = head();
    let mut rows = Vec::new();
    for ((name, _), rounds) in lines.iter().zip(all) {
        for (processes, rounds) in PROCESSES.into_iter().zip(rounds) {
            rounds.measured(report, name, processes, 1);
            table.push(rounds.cells(format!("{name}, {processes} proc.")));
        }
        rows.push(DotRow { label: name.clone(), dots: rounds.iter().map(Rounds::dot).collect() });
    }
    report.plot(Dots {
        title: title.into(),
        unit: "M/s".into(),
        series: vec!["1 process".into(), "2 processes together".into()],
        mark: None,
        rows,
    });
    report.plot(Lines {
        title: "Latency by percentile, 2 processes".into(),
        x: "percentile of all operations".into(),
        y: "ns".into(),
        x_scale: Scale::Percentile,
        y_scale: Scale::Log,
        series: lines
            .iter()
            .zip(all)
            .map(|((name, _), rounds)| percentiles(name, &rounds[1].sum.all()))
            .collect(),
    });
    report.table(title, table);
}

pub(super) fn ycsb(plan: &Plan, report: &mut Report) -> Result<(), String> {
    let sizes = Sizes::fixed(16, 1000, 50);
    let entries = plan.entries / 2;
    report.tell(&format!(
        "The core workloads of YCSB on {entries} entries with values of 1,000 bytes. A: half \
         reads, half updates. B: 95 % reads. C: reads. D: 95 % reads of the latest, 5 % inserts. \
         E: scans of 1 to 100 entries with neighbouring numbers in one batch, since a hash table \
         has no order, and 5 % inserts; a scan counts once. F: half of the operations read and \
         then write. From the second round on an insert meets the entry that the first has made."
    ));
    let place = Place::filled(entries, sizes)?;
    let line = |(name, mix, distribution)| {
        let name: &str = name;
        (format!("YCSB {name}"), place.task(Job::Mix(mix), distribution, plan.seconds))
    };
    by_turns(plan, report, "YCSB A to F", &Mix::YCSB.map(line))
}

pub(super) fn distributions(plan: &Plan, report: &mut Report) -> Result<(), String> {
    report.tell(
        "95 % reads, 5 % overwrites, values of 64 bytes. Zipf has the exponent 0.99; latest is \
         zipf by age; of hot-set four fifths of the requests go to one fifth of the entries.",
    );
    let place = Place::filled(plan.entries, SMALL)?;
    let job = Job::Mix(Mix::reads(95));
    let line = |(distribution, name): (Distribution, &str)| {
        (name.to_owned(), place.task(job, distribution, plan.seconds))
    };
    by_turns(plan, report, "By distribution", &Distribution::NAMES.map(line))
}

pub(super) fn sizes(plan: &Plan, report: &mut Report) -> Result<(), String> {
    for (name, sizes, citation) in Sizes::PUBLISHED {
        let bytes = sizes.bytes(plan.entries) / u64::from(plan.entries);
        let reads = sizes.reads;
        report.tell(&format!(
            "{name}: {citation}. Here {bytes} bytes of key and value on average, {reads} % reads, \
             zipf."
        ));
    }
    let places: Result<Vec<_>, String> = Sizes::PUBLISHED
        .into_iter()
        .map(|(name, sizes, _)| Ok((name, sizes, Place::filled(plan.entries / 2, sizes)?)))
        .collect();
    let places = places?;
    let line = |(name, sizes, place): &(&str, Sizes, Place)| {
        let job = Job::Mix(Mix::reads(sizes.reads));
        ((*name).to_owned(), place.task(job, Distribution::Zipf, plan.seconds))
    };
    let lines: Vec<Line> = places.iter().map(line).collect();
    by_turns(plan, report, "By published sizes", &lines)
}

/// Percent of the entries that the region has room for.
const ROOM: [u64; 5] = [5, 10, 25, 50, 75];

pub(super) fn eviction(plan: &Plan, report: &mut Report) -> Result<(), String> {
    // Larger values than elsewhere: a twentieth of small ones is no region.
    let sizes = Sizes::fixed(16, 1000, 95);
    report.tell(
        "A cache beside a store: what a read does not find is put. Two processes, values of \
         1,000 bytes, eviction by S3-FIFO; the region has room for a part of the entries. The \
         best that is possible with zipf is the share of the requests that go to as many of the \
         most popular entries.",
    );
    let mut table = head();
    let mut series = Vec::new();
    for distribution in [Distribution::Zipf, Distribution::HotSet, Distribution::Uniform] {
        let mut points = Vec::new();
        for percent in ROOM {
            let bytes = (roomy(plan.entries, sizes) - (32 << 20)) / 3 * percent / 100;
            let place = Place::empty(plan.entries, sizes, bytes, Eviction::S3Fifo)?;
            let task = place.task(Job::LookAside, distribution, plan.seconds);
            // Until the cache is full and knows what is popular.
            Crew::run(&task, 2, 1)?;
            let mut rounds = Rounds::default();
            for _ in 0..plan.rounds {
                rounds.keep(Crew::run(&task, 2, 1)?);
            }
            let name = format!("{distribution}, room for {percent} %");
            rounds.measured(report, &format!("look-aside, {name}"), 2, 1);
            points.push((percent as f64, hits(&rounds)));
            table.push(rounds.cells(name));
        }
        series.push(Series { name: distribution.to_string(), points });
    }
    series.push(Series { name: "best for zipf".into(), points: best(plan.entries) });
    report.plot(Lines {
        title: "Hits by room".into(),
        x: "room in percent of all entries".into(),
        y: "hits in percent".into(),
        series,
        ..Lines::default()
    });
    report.table("Look-aside cache, 2 processes", table);
    Ok(())
}

/// Share of zipf's requests that go to the most popular entries.
fn best(entries: u32) -> Vec<(f64, f64)> {
    let weight = |rank: u32| f64::from(rank).powf(-0.99);
    let all: f64 = (1..=entries).map(weight).sum();
    let share = |percent: u64| {
        let room = (u64::from(entries) * percent / 100) as u32;
        (1..=room).map(weight).sum::<f64>() / all * 100.0
    };
    ROOM.iter().map(|&percent| (percent as f64, share(percent))).collect()
}

/// Processes, and threads of each.
const CREWS: [(u32, u32); 6] = [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 4)];

pub(super) fn scaling(plan: &Plan, report: &mut Report) -> Result<(), String> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    report.tell(&format!(
        "Values of 64 bytes, zipf. This machine has {processors} processors: beyond that the \
         workers share them, and the numbers say what preemption in the middle of an operation \
         costs the others."
    ));
    let place = Place::filled(plan.entries, SMALL)?;
    let mut table = head();
    let mut rows = Vec::new();
    let mixes = [100u8, 95, 50, 0];
    let mut all: Vec<Vec<Rounds>> =
        CREWS.iter().map(|_| mixes.iter().map(|_| Rounds::default()).collect()).collect();
    for _ in 0..plan.rounds {
        for (&(processes, threads), rounds) in CREWS.iter().zip(&mut all) {
            for (&reads, rounds) in mixes.iter().zip(rounds) {
                let job = Job::Mix(Mix::reads(reads));
                let task = place.task(job, Distribution::Zipf, plan.seconds);
                rounds.keep(Crew::run(&task, processes, threads)?);
            }
        }
    }
    for (&(processes, threads), rounds) in CREWS.iter().zip(&all) {
        let label = format!("{processes} x {threads}");
        for (reads, rounds) in mixes.iter().zip(rounds) {
            rounds.measured(report, &format!("{reads} % reads"), processes, threads);
            table.push(rounds.cells(format!("{label}, {reads} % reads")));
        }
        rows.push(DotRow { label, dots: rounds.iter().map(Rounds::dot).collect() });
    }
    report.plot(Dots {
        title: "Processes x threads".into(),
        unit: "M/s".into(),
        series: mixes.iter().map(|reads| format!("{reads} % reads")).collect(),
        mark: None,
        rows,
    });
    report.table("Processes x threads", table);
    Ok(())
}

pub(super) fn open_loop(plan: &Plan, report: &mut Report) -> Result<(), String> {
    report.tell(
        "Operations begin at fixed times, whether or not those before are done, and each latency \
         is counted from when its operation ought to have begun: corrected for coordinated \
         omission. The load is given as a share of what the same two processes do without pause. \
         Half reads, half overwrites, values of 64 bytes, zipf.",
    );
    let place = Place::filled(plan.entries, SMALL)?;
    let task = place.task(Job::Mix(Mix::reads(50)), Distribution::Zipf, plan.seconds);
    let most = Crew::run(&task, 2, 1)?.rate;
    let mut table = head();
    let mut series = Vec::new();
    for percent in [10, 25, 50, 75] {
        let pace = most / 2.0 * f64::from(percent) / 100.0;
        let task = Task { pace: Some(pace), ..task.clone() };
        let mut rounds = Rounds::default();
        for _ in 0..plan.rounds {
            rounds.keep(Crew::run(&task, 2, 1)?);
        }
        let name = format!("{percent} % load");
        rounds.measured(report, &format!("open loop, {name}"), 2, 1);
        series.push(percentiles(&name, &rounds.sum.all()));
        table.push(rounds.cells(name));
    }
    report.plot(Lines {
        title: "Latency under a given load, 2 processes".into(),
        x: "percentile".into(),
        y: "ns".into(),
        x_scale: Scale::Percentile,
        y_scale: Scale::Log,
        series,
    });
    report.table("Open loop, 2 processes", table);
    Ok(())
}

pub(super) fn growth(plan: &Plan, report: &mut Report) -> Result<(), String> {
    report.tell(
        "From an empty region: every entry is inserted once. The index is replaced by one of twice \
         the size again and again, while everybody goes on.",
    );
    let mut table = head();
    let mut series = Vec::new();
    for processes in PROCESSES {
        let mut rounds = Rounds::default();
        let mut timeline = Vec::new();
        for _ in 0..plan.rounds {
            let bytes = roomy(plan.entries, SMALL);
            let place = Place::empty(plan.entries, SMALL, bytes, Eviction::None)?;
            let outcome =
                Crew::run(&place.task(Job::Grow, Distribution::Uniform, 60.0), processes, 1)?;
            timeline.clone_from(&outcome.timeline);
            rounds.keep(outcome);
        }
        let name = format!("insert, {processes} proc.");
        rounds.measured(report, "insert from empty", processes, 1);
        table.push(rounds.cells(name.clone()));
        series.push(Series { name, points: over_time(&timeline) });
    }
    report.plot(Lines {
        title: "Inserts while the index grows, last round".into(),
        x: "milliseconds".into(),
        y: "M/s".into(),
        series,
        ..Lines::default()
    });
    report.table("Growth from an empty region", table);
    Ok(())
}

/// Million operations a second by milliseconds; the last bin is not full.
pub(super) fn over_time(timeline: &[u64]) -> Vec<(f64, f64)> {
    let full = timeline.len().saturating_sub(1);
    let point =
        |(count, bin): (&u64, u64)| ((bin * BIN_MS) as f64, *count as f64 / (BIN_MS * 1000) as f64);
    timeline[..full].iter().zip(0..).map(point).collect()
}

pub(super) fn cleaning(plan: &Plan, report: &mut Report) -> Result<(), String> {
    report.tell(
        "Uniform overwrites for as long as one likes in regions that are fuller and fuller: the \
         share of live data in what is not index. `no room` counts writes that found no free \
         segment, which may happen where two processes clean and write at nine tenths.",
    );
    let mut table = head();
    let mut rows = Vec::new();
    let mut series = Vec::new();
    for percent in [25, 50, 80, 90] {
        let place = Place::filled_to(percent, plan.entries, SMALL)?;
        let job = Job::Mix(Mix::reads(0));
        // As often as it takes for the log to go round.
        let settle = place.task(job, Distribution::Uniform, plan.seconds * 2.0);
        Crew::run(&settle, 1, 1)?;
        let task = Task { seconds: plan.seconds, ..settle };
        let mut both = [Rounds::default(), Rounds::default()];
        for _ in 0..plan.rounds {
            for (processes, rounds) in PROCESSES.into_iter().zip(&mut both) {
                rounds.keep(Crew::run(&task, processes, 1)?);
            }
        }
        let name = format!("{percent} % live");
        for (processes, rounds) in PROCESSES.into_iter().zip(&both) {
            rounds.measured(report, &format!("uniform overwrite, {name}"), processes, 1);
            table.push(rounds.cells(format!("{name}, {processes} proc.")));
        }
        series.push(percentiles(&name, &both[1].sum.writes()));
        rows.push(DotRow { label: name, dots: both.iter().map(Rounds::dot).collect() });
    }
    report.plot(Dots {
        title: "Uniform overwrites".into(),
        unit: "M/s".into(),
        series: vec!["1 process".into(), "2 processes together".into()],
        mark: None,
        rows,
    });
    report.plot(Lines {
        title: "Latency of overwrites, 2 processes".into(),
        x: "percentile".into(),
        y: "ns".into(),
        x_scale: Scale::Percentile,
        y_scale: Scale::Log,
        series,
    });
    report.table("Cleaning at a fixed fill", table);
    Ok(())
}

/// A cell for a share.
pub(super) fn ratio_cell(a: &Rounds, b: &Rounds) -> String {
    let ratio = median(&a.rates).zip(median(&b.rates)).map(|(a, b)| a / b);
    format!("{} of {}", ratio.map_or_else(|| "-".into(), digits), rate_cell(&b.rates))
}
