//! What `vug top` knows and what keys do to it. Draws nothing and reads no file.

use std::cmp::Ordering;
use std::path::Path;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use vug::{Counters, MemberStatistics};

use crate::observe::{Figures, Rates, RegionView, View};

/// What is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    Regions,
    Details,
    Help,
}

/// The order of the regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Entries,
    Memory,
    Gets,
    Puts,
    Lag,
}

impl Sort {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Name, "name"),
        (Self::Entries, "entries"),
        (Self::Memory, "memory"),
        (Self::Gets, "get/s"),
        (Self::Puts, "put/s"),
        (Self::Lag, "lag"),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(sort, _)| *sort == self).map_or("", |(_, name)| name)
    }

    fn next(self) -> Self {
        let place = Self::ALL.iter().position(|(sort, _)| *sort == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()].0
    }
}

/// A region in the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) home: &'a Path,
    pub(super) region: &'a RegionView,
    /// Since the look before.
    pub(super) rates: Option<Rates>,
}

impl Row<'_> {
    pub(super) fn figures(&self) -> Option<&Figures> {
        self.region.found.as_deref().ok()
    }

    pub(super) fn rate(&self, counter: fn(&Counters) -> u64) -> f64 {
        self.rates.map_or(0.0, |rates| rates.per_second(counter))
    }

    /// How far the slowest subscription or the bridge is behind.
    pub(super) fn lag(&self) -> u64 {
        let statistics = self.figures().map(|figures| &figures.statistics);
        statistics.map_or(0, |statistics| statistics.ring_lag().max(statistics.unsent()))
    }
}

#[derive(Debug)]
pub(super) struct App {
    pub(super) interval: Duration,
    pub(super) colour: bool,
    view: Option<View>,
    before: Option<View>,
    /// Home and name of the selected region.
    selected: Option<(std::path::PathBuf, String)>,
    pub(super) sort: Sort,
    pub(super) screen: Screen,
    paused: bool,
    over: bool,
}

impl App {
    pub(super) fn new(interval: Duration, colour: bool) -> Self {
        Self {
            interval,
            colour,
            view: None,
            before: None,
            selected: None,
            sort: Sort::Name,
            screen: Screen::Regions,
            paused: false,
            over: false,
        }
    }

    pub(super) fn take(&mut self, view: View) {
        self.before = self.view.replace(view);
    }

    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Lines that a frame needs to show everything.
    pub(super) fn height(&self) -> u16 {
        let members = self.selected().and_then(|row| row.figures().map(|f| f.members.len()));
        // Two lines above, one below, and the headings of two lists with a blank line.
        let lines = self.rows().len() + members.unwrap_or(1) + 8;
        u16::try_from(lines).unwrap_or(u16::MAX).clamp(10, 400)
    }

    /// All regions in their order.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let Some(view) = &self.view else {
            return Vec::new();
        };
        let mut rows: Vec<Row<'_>> = Vec::new();
        for home in &view.homes {
            rows.extend(home.regions.iter().map(|region| Row {
                home: &home.home,
                region,
                rates: self.rates(&home.home, region),
            }));
        }
        // Stable, so that equal ones stay in the order of homes and names.
        rows.sort_by(|a, b| self.compare(a, b));
        rows
    }

    fn rates(&self, home: &Path, region: &RegionView) -> Option<Rates> {
        let (view, before) = (self.view.as_ref()?, self.before.as_ref()?);
        let counters = region.found.as_ref().ok()?.statistics.counters;
        let earlier = before.find(home, &region.name).map(|figures| figures.statistics.counters);
        Some(Rates::between(earlier, counters, view.at.duration_since(before.at)))
    }

    /// Largest first, but names from A to Z.
    fn compare(&self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let figure = |row: &Row<'_>| match self.sort {
            Sort::Name => 0.0,
            Sort::Entries => row.figures().map_or(0.0, |f| f.statistics.entries as f64),
            Sort::Memory => row.figures().map_or(0.0, |f| f.statistics.backed_bytes as f64),
            Sort::Gets => row.rate(|counters| counters.gets),
            Sort::Puts => row.rate(|counters| counters.puts),
            Sort::Lag => row.lag() as f64,
        };
        figure(b).total_cmp(&figure(a))
    }

    /// What a member did since the look before.
    pub(super) fn member_rates(&self, row: &Row<'_>, member: &MemberStatistics) -> Option<Rates> {
        let (view, before) = (self.view.as_ref()?, self.before.as_ref()?);
        let figures = before.find(row.home, &row.region.name);
        let earlier = figures.and_then(|f| f.members.iter().find(|m| m.member == member.member));
        let time = view.at.duration_since(before.at);
        Some(Rates::between(earlier.map(|m| m.counters), member.counters, time))
    }

    /// Place of the selected region among the rows.
    pub(super) fn place(&self) -> usize {
        let rows = self.rows();
        let selected = self.selected.as_ref();
        let is_it = |row: &Row<'_>| {
            selected.is_some_and(|(home, name)| row.home == home && row.region.name == *name)
        };
        rows.iter().position(is_it).unwrap_or(0)
    }

    pub(super) fn selected(&self) -> Option<Row<'_>> {
        self.rows().get(self.place()).copied()
    }

    fn select(&mut self, place: usize) {
        let rows = self.rows();
        let row = rows.get(place.min(rows.len().saturating_sub(1)));
        self.selected = row.map(|row| (row.home.to_path_buf(), row.region.name.clone()));
    }

    pub(super) fn press(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            self.over |= matches!(key.code, KeyCode::Char('c' | 'd'));
            return;
        }
        match key.code {
            // The way back, and out of the first screen.
            KeyCode::Char('q') | KeyCode::Esc => match self.screen {
                Screen::Regions => self.over = true,
                Screen::Details | Screen::Help => self.screen = Screen::Regions,
            },
            KeyCode::Char('?' | 'h') if self.screen == Screen::Help => {
                self.screen = Screen::Regions
            }
            KeyCode::Char('?' | 'h') => self.screen = Screen::Help,
            KeyCode::Enter if self.screen == Screen::Details => self.screen = Screen::Regions,
            KeyCode::Enter if self.selected().is_some() => self.screen = Screen::Details,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => {
                // What was selected stays so, wherever it is now.
                self.select(self.place());
                self.sort = self.sort.next();
            }
            KeyCode::Down | KeyCode::Char('j') => self.select(self.place() + 1),
            KeyCode::Up | KeyCode::Char('k') => self.select(self.place().saturating_sub(1)),
            KeyCode::Home | KeyCode::Char('g') => self.select(0),
            KeyCode::End | KeyCode::Char('G') => self.select(usize::MAX),
            _ => {}
        }
    }
}
