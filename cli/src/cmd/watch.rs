//! `vug stat --watch`: a line per interval.

use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vug::{Counters, ReadOnlyNode, Statistics};

use super::stat::open;
use super::{Context, stdout};
use crate::args::Stat;
use crate::failure::Failure;
use crate::observe::{Rates, percent, short};
use crate::render::{Cell, Format, Sheet, readable_bytes};

/// Lines after which the names of the columns are repeated.
const PAGE: u64 = 20;

/// Sums over the regions that are watched.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    entries: u64,
    live_bytes: u64,
    dead_bytes: u64,
    free_bytes: u64,
    threads: u64,
    pins: u64,
    ring_lag: u64,
    unsent: u64,
    ack_waiters: u64,
}

impl Sums {
    fn add(&mut self, figures: &Statistics) {
        self.entries += figures.entries;
        self.live_bytes += figures.live_bytes;
        self.dead_bytes += figures.dead_bytes;
        self.free_bytes += figures.free_bytes;
        self.threads += u64::from(figures.threads);
        self.pins += u64::from(figures.pins);
        self.ring_lag = self.ring_lag.max(figures.ring_lag());
        self.unsent = self.unsent.max(figures.unsent());
        self.ack_waiters += u64::from(figures.ack_waiters);
    }
}

/// One look: sums, and the counters of each region.
struct Look {
    at: Instant,
    sums: Sums,
    counters: Vec<(String, Counters)>,
}

impl Look {
    fn at(node: &ReadOnlyNode, args: &Stat) -> Result<Self, Failure> {
        let mut look = Self { at: Instant::now(), sums: Sums::default(), counters: Vec::new() };
        let names = match &args.region {
            Some(name) => vec![name.clone()],
            None => node.regions()?,
        };
        for name in names {
            match open(node, &name).and_then(|region| Ok(region.statistics_at_a_glance()?)) {
                Ok(figures) => {
                    look.sums.add(&figures);
                    look.counters.push((name, figures.counters));
                }
                // One of many: it may have gone this moment.
                Err(_) if args.region.is_none() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(look)
    }

    /// Rates since an earlier look, a region at a time: one that is new has none yet.
    fn since(&self, before: &Self) -> Vec<Rates> {
        let time = self.at.duration_since(before.at);
        let earlier = |name: &str| before.counters.iter().find(|(known, _)| known == name);
        let rates = |(name, counters): &(String, Counters)| {
            Rates::between(earlier(name).map(|(_, counters)| *counters), *counters, time)
        };
        self.counters.iter().map(rates).collect()
    }
}

pub(super) fn run(
    context: &Context,
    node: &ReadOnlyNode,
    args: &Stat,
    interval: Duration,
) -> Result<(), Failure> {
    let mut before = Look::at(node, args)?;
    let mut next = before.at + interval;
    let mut lines = 0;
    while args.count.is_none_or(|count| lines < count) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let look = Look::at(node, args)?;
        // A machine that slept does not make up for the lines it left out.
        next = (next + interval).max(look.at);
        let line = Line { look: &look, rates: look.since(&before) };
        line.write(context.format(), lines, args.region.as_deref())?;
        before = look;
        lines += 1;
    }
    Ok(())
}

struct Line<'a> {
    look: &'a Look,
    rates: Vec<Rates>,
}

impl Line<'_> {
    fn rate(&self, counter: impl Fn(&Counters) -> u64 + Copy) -> f64 {
        self.rates.iter().map(|rates| rates.per_second(counter)).sum()
    }

    fn hit_ratio(&self) -> Option<f64> {
        let gets = self.rate(|counters| counters.gets);
        (gets > 0.0).then(|| (self.rate(|counters| counters.hits) / gets).min(1.0))
    }

    fn write(&self, format: Format, number: u64, region: Option<&str>) -> Result<(), Failure> {
        let mut out = stdout();
        match format {
            Format::Table => {
                let head = if number.is_multiple_of(PAGE) { self.head() } else { String::new() };
                let written = out.write_all(format!("{head}{}\n", self.text()).as_bytes());
                written.and_then(|()| out.flush()).map_err(|cause| Failure::output(&cause))
            }
            // An array would never end.
            Format::Json | Format::Jsonl => self.record(region).write(&mut out, Format::Jsonl),
            Format::Csv if number > 0 => self.record(region).write_rows(&mut out),
            other => self.record(region).write(&mut out, other),
        }
    }

    fn head(&self) -> String {
        let names = self.columns().map(|(name, width, _)| format!("{name:>width$}"));
        names.join(" ") + "\n"
    }

    fn text(&self) -> String {
        self.columns().map(|(_, width, text)| format!("{text:>width$}")).join(" ")
    }

    /// Name, width and text of each column: eighty characters in all.
    fn columns(&self) -> [(&'static str, usize, String); 14] {
        let sums = &self.look.sums;
        let rate = |counter: fn(&Counters) -> u64| short(self.rate(counter));
        let filled = sums.live_bytes + sums.dead_bytes;
        let dead = (filled > 0).then(|| sums.dead_bytes as f64 / filled as f64);
        let bytes = self.rate(|counters| counters.bytes_written);
        [
            ("entries", 7, short(sums.entries as f64)),
            ("live", 9, readable_bytes(sums.live_bytes)),
            ("dead", 5, percent(dead)),
            ("get/s", 5, rate(|counters| counters.gets)),
            ("hit", 5, percent(self.hit_ratio())),
            ("put/s", 5, rate(|counters| counters.puts)),
            ("new/s", 5, rate(|counters| counters.creates)),
            ("del/s", 5, rate(|counters| counters.destroys)),
            ("B/s", 5, short(bytes)),
            ("evt/s", 5, rate(|counters| counters.evicted)),
            ("exp/s", 5, rate(|counters| counters.expired)),
            ("cln/s", 5, rate(|counters| counters.foreground_cleans)),
            ("lag", 5, short(sums.ring_lag.max(sums.unsent) as f64)),
            ("pins", 4, sums.pins.to_string()),
        ]
    }

    /// Everything, under the names that `vug stat` has, for programs.
    fn record(&self, region: Option<&str>) -> Sheet {
        let sums = &self.look.sums;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut record = vec![
            ("time_ms".to_owned(), Cell::Id(time.as_millis() as u64)),
            ("region".to_owned(), region.map_or(Cell::Empty, Cell::text)),
        ];
        let sizes = [
            ("entries", sums.entries),
            ("live_bytes", sums.live_bytes),
            ("dead_bytes", sums.dead_bytes),
            ("free_bytes", sums.free_bytes),
            ("threads", sums.threads),
            ("pins", sums.pins),
            ("ring_lag", sums.ring_lag),
            ("unsent", sums.unsent),
            ("ack_waiters", sums.ack_waiters),
        ];
        record.extend(sizes.map(|(name, size)| (name.to_owned(), Cell::Id(size))));
        record.push(("hit_ratio".to_owned(), self.hit_ratio().map_or(Cell::Empty, Cell::Part)));
        for (place, (name, _)) in Counters::default().iter().enumerate() {
            let nth =
                |counters: &Counters| counters.iter().nth(place).map_or(0, |(_, count)| count);
            let rate: f64 = self.rates.iter().map(|rates| rates.per_second(nth)).sum();
            let rate = (rate * 10.0).round() / 10.0;
            record.push((format!("{name}_per_second"), Cell::Nested(rate.into())));
        }
        let (names, row): (Vec<String>, Vec<Cell>) = record.into_iter().unzip();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut sheet = Sheet::new(&names);
        sheet.push(row);
        sheet
    }
}
