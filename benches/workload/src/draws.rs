//! Which entries are asked for how often.

use crate::random::Random;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Draws that a zipf distribution repeats; drawing anew would cost more than a read.
const LAP: usize = 1 << 20;
/// Of zipf, as in YCSB.
const EXPONENT: f64 = 0.99;

/// Which entries are asked for how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// All entries alike, each drawn anew.
    Uniform,
    /// Every entry once per lap, in a random order that is the same in every lap. Kind to logs:
    /// what was written together dies together.
    Laps,
    /// Zipf with exponent 0.99: a few entries get most of the requests. The popular entries are
    /// scattered over all.
    Zipf,
    /// Zipf over the age of the entries: the newest is asked for most.
    Latest,
    /// Four fifths of the requests go to one fifth of the entries.
    HotSet,
}

impl Distribution {
    /// All of them, by name.
    pub const NAMES: [(Distribution, &'static str); 5] = [
        (Distribution::Uniform, "uniform"),
        (Distribution::Laps, "laps"),
        (Distribution::Zipf, "zipf"),
        (Distribution::Latest, "latest"),
        (Distribution::HotSet, "hot-set"),
    ];
}

impl std::fmt::Display for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let found = Distribution::NAMES.iter().find(|(one, _)| one == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl std::str::FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Distribution, String> {
        let found = Distribution::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(one, _)| *one).ok_or_else(|| format!("unknown distribution {text}"))
    }
}

/// Numbers of entries without end.
#[derive(Debug, Clone)]
pub struct Draws {
    distribution: Distribution,
    entries: u32,
    random: Random,
    /// Repeated for ever; empty if each is drawn anew. Ranks for [`Distribution::Latest`].
    lap: Arc<[u32]>,
    at: usize,
}

impl Draws {
    /// Draws from so many entries, at least one.
    pub fn new(distribution: Distribution, entries: u32, seed: u64) -> Draws {
        let entries = entries.max(1);
        // Which entries are popular is the same for every seed.
        let mut random = Random(u64::from(entries));
        let lap = match distribution {
            Distribution::Uniform | Distribution::HotSet => Vec::new(),
            Distribution::Laps => shuffled(entries, &mut random),
            Distribution::Latest => ranks(entries, &mut random),
            Distribution::Zipf => {
                let order = shuffled(entries, &mut random);
                ranks(entries, &mut random).iter().map(|&rank| order[rank as usize]).collect()
            }
        };
        let first = Draws { distribution, entries, random, lap: lap.into(), at: 0 };
        first.fork(seed)
    }

    /// The same distribution for another worker, which begins at another place.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Draws {
        let mut random = Random(seed);
        let at = random.below(self.lap.len() as u64) as usize;
        Draws { random, at, ..self.clone() }
    }

    /// The next one, of `entries` that are there now: as many as at the beginning, or more.
    #[inline]
    pub fn next_of(&mut self, entries: u32) -> u32 {
        match self.distribution {
            Distribution::Uniform => self.random.below(entries.into()) as u32,
            Distribution::HotSet => {
                let hot = (entries / 5).max(1);
                if entries <= hot || self.random.below(5) < 4 {
                    self.random.below(hot.into()) as u32
                } else {
                    hot + self.random.below(u64::from(entries - hot)) as u32
                }
            }
            Distribution::Latest => entries.saturating_sub(1).saturating_sub(self.lap_next()),
            Distribution::Laps | Distribution::Zipf => self.lap_next(),
        }
    }

    /// The next one.
    #[inline]
    pub fn next_entry(&mut self) -> u32 {
        self.next_of(self.entries)
    }

    /// Below 100: which operation comes next.
    #[inline]
    pub fn percent(&mut self) -> u8 {
        self.random.below(100) as u8
    }

    /// Below a bound.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        self.random.below(bound.into()) as u32
    }

    #[inline]
    fn lap_next(&mut self) -> u32 {
        self.at = if self.at + 1 < self.lap.len() { self.at + 1 } else { 0 };
        self.lap[self.at]
    }
}

fn shuffled(entries: u32, random: &mut Random) -> Vec<u32> {
    let mut order: Vec<u32> = (0..entries).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
    order
}

/// Ranks by zipf; 0 is drawn most.
fn ranks(entries: u32, random: &mut Random) -> Vec<u32> {
    let mut sum = 0.0;
    let cumulated: Vec<f64> = (1..=entries)
        .map(|rank| {
            sum += f64::from(rank).powf(-EXPONENT);
            sum
        })
        .collect();
    let draw = |_| {
        let point = random.unit() * sum;
        (cumulated.partition_point(|&bound| bound < point) as u32).min(entries - 1)
    };
    (0..LAP).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(distribution: Distribution, entries: u32) -> Vec<u32> {
        let mut draws = Draws::new(distribution, entries, 3);
        let mut counts = vec![0; entries as usize];
        (0..1 << 20).for_each(|_| counts[draws.next_entry() as usize] += 1);
        counts
    }

    #[test]
    fn names_are_read_back() {
        for (distribution, name) in Distribution::NAMES {
            assert_eq!(name.parse(), Ok(distribution));
            assert_eq!(distribution.to_string(), name);
        }
    }

    #[test]
    fn zipf_and_latest_have_favourites() {
        for distribution in [Distribution::Zipf, Distribution::Latest] {
            for entries in [1, 2, 1000] {
                let most = *counts(distribution, entries).iter().max().expect("entries");
                let share = f64::from(most) / f64::from(1 << 20);
                // The first of a thousand gets 1/H of all, H being about 7.7.
                assert!(share > 0.11, "{distribution} of {entries}: {share}");
            }
        }
        let latest = counts(Distribution::Latest, 1000);
        assert!(latest[999] > latest[990] && latest[990] > latest[500]);
    }

    #[test]
    fn the_hot_set_gets_four_fifths() {
        let counts = counts(Distribution::HotSet, 1000);
        let hot: u32 = counts[..200].iter().sum();
        let share = f64::from(hot) / f64::from(1 << 20);
        assert!((0.79..0.81).contains(&share), "{share}");
        assert!(counts.iter().all(|&count| count > 0));
    }

    #[test]
    fn workers_draw_the_same_in_another_order() {
        let first = Draws::new(Distribution::Zipf, 1000, 1);
        let mut other = first.fork(2);
        let mut again = first.fork(2);
        let mut one = first;
        let draw = |draws: &mut Draws| (0..100).map(|_| draws.next_entry()).collect::<Vec<_>>();
        let drawn = draw(&mut other);
        assert_eq!(drawn, draw(&mut again));
        assert_ne!(drawn, draw(&mut one));
    }
}
