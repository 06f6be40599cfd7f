//! A bar on standard error for work that takes long; nothing where no terminal is.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::render::grouped;

/// What the length of a bar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Bytes,
    Entries,
}

/// Shows how far the work has come, how fast it is, and how long it will still take.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    rows: Arc<AtomicU64>,
}

impl Progress {
    pub(crate) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), rows: Arc::default() }
    }

    /// `total`: `None` if nobody knows how much there is. `start`: what was done before.
    pub(crate) fn new(
        verb: &'static str,
        measure: Measure,
        total: Option<u64>,
        start: u64,
        quiet: bool,
    ) -> Self {
        if quiet || !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let rows = Arc::new(AtomicU64::new(0));
        let target = ProgressDrawTarget::stderr();
        let bar = match total {
            Some(total) => ProgressBar::with_draw_target(Some(total), target),
            None => ProgressBar::with_draw_target(None, target),
        };
        bar.set_style(style(measure, total.is_some(), Arc::clone(&rows)));
        bar.set_message(verb);
        // What was done before is neither fast nor slow.
        let bar = bar.with_position(start);
        bar.reset_eta();
        Self { bar, rows }
    }

    /// `position` of the total, and rows since the begin.
    pub(crate) fn set(&self, position: u64, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.bar.set_position(position);
    }

    /// Writes a line to standard error, above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// No colours at all, so NO_COLOR changes nothing. The bar takes what the words leave.
fn style(measure: Measure, bounded: bool, rows: Arc<AtomicU64>) -> ProgressStyle {
    let template = match (measure, bounded) {
        (Measure::Bytes, true) => {
            "{msg} [{wide_bar}] {percent:>3}%  {bytes}/{total_bytes}  {rate}  eta {eta}"
        }
        (Measure::Bytes, false) => "{spinner} {msg}  {bytes}  {rate}  {elapsed}",
        (Measure::Entries, _) => "{msg} [{wide_bar}] {percent:>3}%  {rate}  eta {eta}",
    };
    let rate = move |state: &ProgressState, out: &mut dyn Write| {
        let rows = rows.load(Ordering::Relaxed) as f64;
        let rate = (rows / state.elapsed().as_secs_f64().max(1e-3)) as u64;
        // Nobody is told when a bar cannot be drawn.
        let _ = write!(out, "{} rows/s", grouped(rate));
    };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ").tick_chars("-\\|/ ").with_key("rate", rate)
}
