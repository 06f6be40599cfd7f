//! Homes and their regions at one moment, read without joining them, and what happened between two
//! moments.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vug::{Attributes, Counters, MemberInfo, MemberStatistics, Node, ReadOnlyNode, Statistics};

/// What can be seen of some homes.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) at: Instant,
    pub(crate) homes: Vec<HomeView>,
}

#[derive(Debug, Clone)]
pub(crate) struct HomeView {
    pub(crate) home: PathBuf,
    /// Why nothing can be seen.
    pub(crate) failure: Option<String>,
    pub(crate) origin: u16,
    pub(crate) bridge: Option<u32>,
    pub(crate) members: Vec<MemberInfo>,
    pub(crate) regions: Vec<RegionView>,
}

#[derive(Debug, Clone)]
pub(crate) struct RegionView {
    pub(crate) name: String,
    pub(crate) found: Result<Box<Figures>, String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) attributes: Attributes,
    pub(crate) statistics: Statistics,
    pub(crate) members: Vec<MemberStatistics>,
}

impl View {
    /// Looks at all homes. A region is open only meanwhile: who has it mapped for reading keeps
    /// its memory from going back to the system.
    pub(crate) fn look(homes: &[PathBuf]) -> Self {
        Self { at: Instant::now(), homes: homes.iter().map(|home| HomeView::look(home)).collect() }
    }

    /// The same region at this moment.
    pub(crate) fn find(&self, home: &Path, region: &str) -> Option<&Figures> {
        let home = self.homes.iter().find(|view| view.home == home)?;
        let region = home.regions.iter().find(|view| view.name == region)?;
        region.found.as_deref().ok()
    }
}

impl HomeView {
    fn look(home: &Path) -> Self {
        let mut view = Self {
            home: home.into(),
            failure: None,
            origin: 0,
            bridge: None,
            members: Vec::new(),
            regions: Vec::new(),
        };
        match Node::open_read_only(home) {
            Ok(node) => view.fill(&node),
            Err(error) => view.failure = Some(error.to_string()),
        }
        view
    }

    fn fill(&mut self, node: &ReadOnlyNode) {
        self.origin = node.origin();
        self.bridge = node.bridge_pid();
        self.members = node.members();
        match node.regions() {
            Ok(names) => {
                self.regions = names.iter().map(|name| RegionView::look(node, name)).collect()
            }
            Err(error) => self.failure = Some(error.to_string()),
        }
    }
}

impl RegionView {
    fn look(node: &ReadOnlyNode, name: &str) -> Self {
        let found = node.region(name).and_then(|region| {
            Ok(Box::new(Figures {
                attributes: region.attributes(),
                statistics: region.statistics_at_a_glance()?,
                members: region.member_statistics(),
            }))
        });
        Self { name: name.into(), found: found.map_err(|error| error.to_string()) }
    }
}

/// What was counted between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    before: Counters,
    after: Counters,
    seconds: f64,
}

impl Rates {
    /// Without an earlier moment all rates are 0: a sum since some day is no rate.
    pub(crate) fn between(before: Option<Counters>, after: Counters, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        Self { before: before.unwrap_or(after), after, seconds }
    }

    /// Increments per second. A counter that went back belongs to a new region of the same name:
    /// all of it is new.
    pub(crate) fn per_second(&self, counter: impl Fn(&Counters) -> u64) -> f64 {
        let (before, after) = (counter(&self.before), counter(&self.after));
        let counted = after.checked_sub(before).unwrap_or(after);
        if self.seconds > 0.0 { counted as f64 / self.seconds } else { 0.0 }
    }

    /// Part of the reads in between that found a value.
    pub(crate) fn hit_ratio(&self) -> Option<f64> {
        let gets = self.per_second(|counters| counters.gets);
        (gets > 0.0).then(|| (self.per_second(|counters| counters.hits) / gets).min(1.0))
    }
}

/// `1234567` as `1.23M`: at most five characters.
pub(crate) fn short(number: f64) -> String {
    if number > 0.0 && number < 0.95 {
        return format!("{number:.1}");
    }
    let mut scaled = number.round();
    if scaled < 10_000.0 {
        return format!("{scaled:.0}");
    }
    let mut unit = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        scaled /= 1000.0;
        unit = next;
        if scaled < 999.5 {
            break;
        }
    }
    let digits = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.digits$}{unit}")
}

/// `0.9912` as `99.1%`.
pub(crate) fn percent(part: Option<f64>) -> String {
    match part {
        None => "-".into(),
        // Not everything was found: say so.
        Some(part) if part < 1.0 && part > 0.999 => "99.9%".into(),
        Some(part) if part >= 1.0 => "100%".into(),
        Some(part) => format!("{:.1}%", part * 100.0),
    }
}

/// `3725` seconds as `1h02m`.
pub(crate) fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.is_zero() => "0s".into(),
        0 => format!("{}ms", time.as_millis().max(1)),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Text of others that is shown on a terminal: no control characters, no more than `max` columns.
pub(crate) fn safe(text: &str, max: usize) -> String {
    let shown: Vec<char> =
        text.chars().map(|c| if c.is_control() { '?' } else { c }).take(max + 1).collect();
    if shown.len() > max && max > 1 {
        return shown[..max - 1].iter().chain(&['~']).collect();
    }
    shown.into_iter().take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_their_columns() {
        let cases = [
            (0.0, "0"),
            (0.25, "0.2"),
            (9.4, "9"),
            (9_999.0, "9999"),
            (10_000.0, "10.0k"),
            (123_456.0, "123k"),
            (999_600.0, "1.00M"),
            (1_234_567.0, "1.23M"),
            (u64::MAX as f64, "18.4E"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text);
            assert!(text.len() <= 5);
        }
    }

    #[test]
    fn parts_and_ages() {
        assert_eq!(percent(None), "-");
        assert_eq!(percent(Some(0.99999)), "99.9%");
        assert_eq!(percent(Some(1.0)), "100%");
        assert_eq!(percent(Some(0.5)), "50.0%");
        let ages = [(0, "0s"), (59, "59s"), (61, "1m01s"), (3725, "1h02m"), (90_000, "1d01h")];
        for (seconds, text) in ages {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
        assert_eq!(age(Duration::from_micros(1500)), "1ms");
    }

    #[test]
    fn names_of_others_do_no_harm() {
        assert_eq!(safe("a\x1b[2Jb", 20), "a?[2Jb");
        assert_eq!(safe("abcdefgh", 5), "abcd~");
        assert_eq!(safe("abcde", 5), "abcde");
    }

    #[test]
    fn rates_of_a_region_that_was_made_anew_are_not_negative() {
        let rates = Rates::between(None, Counters::default(), Duration::from_secs(1));
        assert_eq!((rates.per_second(|c| c.gets), rates.hit_ratio()), (0.0, None));
    }
}
