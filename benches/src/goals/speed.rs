//! Reads, overwrites and the mix of both, with one process and with two.

use super::{Controls, Plan, rate};
use crate::chase::PointerChase;
use crate::locked::RobustMutex;
use crate::pages::Pages;
use crate::peer::Peer;
use crate::report::table::{Row, Wanted, digits, median, spread};
use crate::report::{Dot, DotRow, Dots, Measurement, Report};
use crate::second::SecondProcess;
use crate::store::{Papaya, Store, Vug};
use crate::workload::{Distribution, Load, Requests, Work};

/// One kind of work, in the order of the table.
#[derive(Debug, Clone, Copy)]
struct Line {
    name: &'static str,
    work: Work,
    distribution: Distribution,
}

const fn line(name: &'static str, work: Work, distribution: Distribution) -> Line {
    Line { name, work, distribution }
}

const GET: usize = 0;
const GET_ZIPF: usize = 1;
const PUT: usize = 2;
const PUT_ZIPF: usize = 3;
const MIXED: usize = 4;
const MISS: usize = 5;

const LINES: [Line; 6] = [
    line("get, uniform", Work::Get, Distribution::Uniform),
    line("get, zipf", Work::Get, Distribution::Zipf),
    line("put replace, uniform", Work::Put, Distribution::Uniform),
    line("put replace, zipf", Work::Put, Distribution::Zipf),
    line("YCSB-A, zipf", Work::Mixed, Distribution::Zipf),
    line("miss, uniform", Work::Miss, Distribution::Uniform),
];

/// A store under test and its second process.
struct Contender {
    store: Box<dyn Store>,
    second: Option<SecondProcess>,
    /// One per line.
    rates: Vec<Rates>,
}

/// Operations per nanosecond, one number a round.
#[derive(Debug, Clone, Default)]
struct Rates {
    one: Vec<f64>,
    /// Both processes together.
    two: Vec<f64>,
}

impl Rates {
    fn scaling(&self) -> Vec<f64> {
        over(&self.two, &self.one)
    }
}

/// Round by round.
fn over(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a / b).collect()
}

pub(super) fn measure(plan: &Plan, controls: &Controls<'_>, report: &mut Report) -> Vec<Row> {
    if !plan.load.fits() {
        return vec![Row::failed("speed", "", "not enough memory free")];
    }
    let mut rows = Vec::new();
    let mut contenders = Vec::new();
    let all: Vec<&dyn Peer> = [&Vug as &dyn Peer, &PointerChase]
        .into_iter()
        .chain(controls.peers.iter().copied())
        .chain([&Papaya as &dyn Peer])
        .collect();
    for peer in &all {
        eprintln!("filling {}", peer.name());
        match Contender::new(*peer, plan) {
            Ok(contender) => contenders.push(contender),
            Err(why) => rows.push(Row::failed("speed", peer.name(), &why)),
        }
    }
    report.table("What is compared, and how it is set up", configurations(&all, &contenders));
    for (at, line) in LINES.iter().enumerate() {
        let mut orders: Vec<Requests> =
            contenders.iter().map(|_| Requests::new(line.distribution, plan.load, 1)).collect();
        // The first round, number 0, is not kept.
        for round in 0..=plan.rounds {
            for turn in 0..contenders.len() {
                let which = (turn + round) % contenders.len();
                let contender = &mut contenders[which];
                match contender.round(*line, plan, &mut orders[which]) {
                    Ok(_) if round == 0 => {}
                    Ok((one, two)) => contender.rates[at].keep(one, two),
                    Err(why) => {
                        let name = contender.store.name();
                        eprintln!("{name}, {}, round {round}: {why}", line.name);
                        contender.rates[at] = Rates::default();
                    }
                }
            }
        }
    }
    report.table("Million operations a second: median (least-most)", all_rates(&contenders));
    report.table("Pages through which the stores are seen", all_pages(&contenders));
    keep(report, &contenders);
    Verdict { contenders: &contenders }.rows(&mut rows);
    rows
}

impl Rates {
    fn keep(&mut self, one: f64, two: Option<f64>) {
        self.one.push(one);
        self.two.extend(two);
    }
}

impl Contender {
    /// Filled, with all its pages there, and a second process if it can have one.
    fn new(peer: &dyn Peer, plan: &Plan) -> Result<Contender, String> {
        let store = peer.create(plan.load)?;
        store.fill(plan.load)?;
        let mut requests = Requests::new(Distribution::Uniform, plan.load, 1);
        rate(&*store, Work::Put, &mut requests, plan.load, plan.warm_up)?;
        let second = match store.place() {
            None => None,
            Some(place) => {
                let mut second = SecondProcess::start(peer.name(), place, plan.load)?;
                second.work(Work::Put, Distribution::Uniform)?;
                std::thread::sleep(plan.warm_up);
                second.pause()?;
                Some(second)
            }
        };
        Ok(Contender { store, second, rates: vec![Rates::default(); LINES.len()] })
    }

    /// The rate alone, and that of both processes.
    fn round(
        &mut self,
        line: Line,
        plan: &Plan,
        requests: &mut Requests,
    ) -> Result<(f64, Option<f64>), String> {
        let load: Load = plan.load;
        // The store before it has left the caches to nobody else; a second process has this time,
        // too, before it says that it is ready.
        rate(&*self.store, line.work, requests, load, plan.settle)?;
        let one = rate(&*self.store, line.work, requests, load, plan.slice)?;
        let Some(second) = &mut self.second else {
            return Ok((one, None));
        };
        second.work(line.work, line.distribution)?;
        let mine = rate(&*self.store, line.work, requests, load, plan.slice);
        let theirs = second.pause()?;
        Ok((one, Some(mine? + theirs)))
    }
}

/// A line for every store that was asked for, also for those that are not there.
fn configurations(all: &[&dyn Peer], contenders: &[Contender]) -> Vec<Vec<String>> {
    let mut lines = vec![["store", "processes", "set up"].map(str::to_owned).to_vec()];
    lines.extend(all.iter().map(|peer| {
        let found = contenders.iter().find(|contender| contender.store.name() == peer.name());
        let processes = match found {
            None => "not measured",
            Some(Contender { second: None, .. }) => "one only",
            Some(_) => "any number",
        };
        [peer.name(), processes, peer.configuration()].map(str::to_owned).to_vec()
    }));
    lines
}

/// Rates of one number of processes.
type Pick = fn(&Rates) -> &Vec<f64>;
const PICKS: [(u32, Pick); 2] = [(1, |rates| &rates.one), (2, |rates| &rates.two)];

fn millions(rates: &[f64]) -> Vec<f64> {
    rates.iter().map(|rate| rate * 1000.0).collect()
}

/// All rates, as numbers and as plots.
fn keep(report: &mut Report, contenders: &[Contender]) {
    for (at, line) in LINES.iter().enumerate() {
        let mut rows = Vec::new();
        for contender in contenders {
            let rates = &contender.rates[at];
            for (processes, pick) in PICKS {
                report.measured(Measurement {
                    what: line.name.into(),
                    store: contender.store.name().into(),
                    processes,
                    threads: 1,
                    unit: "M/s".into(),
                    rounds: millions(pick(rates)),
                });
            }
            let dots = PICKS.iter().map(|(_, pick)| Dot::of(&millions(pick(rates)))).collect();
            rows.push(DotRow { label: contender.store.name().into(), dots });
        }
        let first = |row: &DotRow| row.dots[0].map_or(0.0, |dot| dot.median);
        rows.sort_by(|a, b| first(b).total_cmp(&first(a)));
        report.plot(Dots {
            title: line.name.into(),
            unit: "M/s".into(),
            series: vec!["1 process".into(), "2 processes together".into()],
            mark: None,
            rows,
        });
    }
}

/// So many million operations a second.
fn all_rates(contenders: &[Contender]) -> Vec<Vec<String>> {
    // A store a line: there are more of them than fit beside each other.
    let mut head = vec!["M/s".to_owned(), "processes".to_owned()];
    head.extend(LINES.iter().map(|line| line.name.to_owned()));
    let mut lines = vec![head];
    for contender in contenders {
        for (processes, pick) in PICKS {
            if processes == 2 && contender.second.is_none() {
                continue;
            }
            let mut cells = vec![contender.store.name().to_owned(), processes.to_string()];
            cells.extend(contender.rates.iter().map(|rates| {
                let millions = millions(pick(rates));
                median(&millions).map_or("-".into(), |median| {
                    format!("{} ({})", digits(median), spread(&millions).replace(" - ", "-"))
                })
            }));
            lines.push(cells);
        }
    }
    lines
}

/// How much of each store the processes see through huge pages, now.
fn all_pages(contenders: &[Contender]) -> Vec<Vec<String>> {
    let mut lines = vec![["pages of", "first process", "second"].map(str::to_owned).to_vec()];
    for contender in contenders {
        let of = |id: u32| {
            let pages = Pages::of(id, contender.store.mappings())?;
            // A server has them, not its clients.
            let mapped = pages.resident > 0;
            mapped.then(|| format!("{} MiB, {} % huge", pages.resident >> 20, pages.percent()))
        };
        let none = || "-".to_owned();
        let first = of(std::process::id()).unwrap_or_else(none);
        let second = contender.second.as_ref().and_then(|second| of(second.id()));
        let name = contender.store.name().to_owned();
        lines.push(vec![name, first, second.unwrap_or_else(none)]);
    }
    lines
}

/// What the rates say about the goals.
struct Verdict<'c> {
    contenders: &'c [Contender],
}

/// Reads by two processes of libshmcache over those of Boost.Interprocess, by the tables of
/// measurements that this project started from; used only for rows that say `derived`.
const SHMCACHE_OVER_BOOST: [(usize, f64); 2] = [(GET, 2.64 / 1.86), (GET_ZIPF, 4.87 / 3.26)];

impl Verdict<'_> {
    fn rates(&self, name: &str, line: usize) -> Option<&Rates> {
        let found = self.contenders.iter().find(|contender| contender.store.name() == name);
        found.map(|contender| &contender.rates[line])
    }

    /// The fastest store that several processes share and that one can get: not vug, nor the
    /// controls of this package.
    fn best(&self, line: usize, pick: Pick) -> Option<(&'static str, &[f64])> {
        let peers = self.contenders.iter().filter(|contender| {
            let name = contender.store.name();
            let ours = [Vug.name(), PointerChase.name(), RobustMutex.name()];
            contender.second.is_some() && !ours.contains(&name)
        });
        let rated = peers.map(|peer| (peer.store.name(), pick(&peer.rates[line]).as_slice()));
        rated.max_by(|a, b| median(a.1).unwrap_or(0.0).total_cmp(&median(b.1).unwrap_or(0.0)))
    }

    fn rows(&self, rows: &mut Vec<Row>) {
        let Some(vug) = self.contenders.first().filter(|first| first.store.name() == Vug.name())
        else {
            return;
        };
        for line in [GET, GET_ZIPF, MISS] {
            let Some(papaya) = self.rates("papaya", line) else { continue };
            let ratio = over(&vug.rates[line].one, &papaya.one);
            rows.push(Row::ratio(LINES[line].name, "papaya, in process", 1.0, ratio));
        }
        let [(_, one), (_, two)] = PICKS;
        let against = [
            (GET, 2, two, 2.0),
            (GET_ZIPF, 2, two, 2.0),
            (PUT, 1, one, 2.0),
            (PUT_ZIPF, 1, one, 2.0),
            (PUT, 2, two, 2.5),
            (PUT_ZIPF, 2, two, 2.5),
            (MIXED, 2, two, 2.5),
        ];
        for (line, processes, pick, wanted) in against {
            let goal = format!("{}, {processes} proc.", LINES[line].name);
            if let Some((name, rates)) = self.best(line, pick) {
                let ratio = over(pick(&vug.rates[line]), rates);
                rows.push(Row::ratio(&goal, &format!("{name} (best peer)"), wanted, ratio));
            }
            if let Some(bound) = self.rates(RobustMutex.name(), line) {
                let ratio = over(pick(&vug.rates[line]), pick(bound));
                let row = Row::ratio(&goal, RobustMutex.name(), wanted, ratio);
                rows.push(Row { wanted: Wanted::Told, ..row }.with("a bound, no peer"));
            }
        }
        for (line, factor) in SHMCACHE_OVER_BOOST {
            let Some(boost) = self.rates("Boost.Interprocess", line) else { continue };
            let ratio = over(&vug.rates[line].two, &boost.two);
            let ratio = ratio.iter().map(|ratio| ratio / factor).collect();
            let goal = format!("{}, 2 proc.", LINES[line].name);
            let row = Row::ratio(&goal, "libshmcache (derived)", 2.0, ratio);
            rows.push(row.with(format!("= measured / published {factor:.2} over Boost")));
        }
        let Some(chase) = self.rates(PointerChase.name(), GET) else { return };
        for (line, wanted) in [(GET, 0.9), (GET_ZIPF, 0.9)] {
            self.scaling(rows, line, wanted, vug, &chase.scaling());
        }
        let Some(chase) = self.rates(PointerChase.name(), PUT) else { return };
        for (line, wanted) in [(PUT, 0.8), (PUT_ZIPF, 0.8)] {
            self.scaling(rows, line, wanted, vug, &chase.scaling());
        }
    }

    fn scaling(
        &self,
        rows: &mut Vec<Row>,
        line: usize,
        wanted: f64,
        vug: &Contender,
        chase: &[f64],
    ) {
        let own = vug.rates[line].scaling();
        let remark = format!(
            "{} of {}",
            median(&own).map_or_else(String::new, digits),
            median(chase).map_or_else(String::new, digits)
        );
        let goal = format!("2 over 1, {}", LINES[line].name);
        rows.push(Row::ratio(&goal, "pointer chase", wanted, over(&own, chase)).with(remark));
    }
}
