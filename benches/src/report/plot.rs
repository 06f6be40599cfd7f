//! What can be plotted.

use hdrhistogram::Histogram;
use serde::Serialize;

/// A plot of either kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Plot {
    /// Dots with ranges, a row for each store, on a logarithmic scale.
    Dots(Dots),
    /// Lines.
    Lines(Lines),
}

impl From<Dots> for Plot {
    fn from(dots: Dots) -> Plot {
        Plot::Dots(dots)
    }
}

impl From<Lines> for Plot {
    fn from(lines: Lines) -> Plot {
        Plot::Lines(lines)
    }
}

/// Medians with least and most: what differs by powers of ten needs a logarithmic scale, and on
/// that a bar has no beginning.
#[derive(Debug, Default, Serialize)]
pub struct Dots {
    /// What it shows.
    pub title: String,
    /// Unit of the numbers.
    pub unit: String,
    /// Names of the dots in a row.
    pub series: Vec<String>,
    /// A number to mark, such as a goal.
    pub mark: Option<f64>,
    /// From top to bottom.
    pub rows: Vec<DotRow>,
}

/// A row of dots, one for each series that has it.
#[derive(Debug, Serialize)]
pub struct DotRow {
    /// In front of the row.
    pub label: String,
    /// In the order of the series.
    pub dots: Vec<Option<Dot>>,
}

/// A dot with its range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Dot {
    /// Where the dot is.
    pub median: f64,
    /// Where its range begins.
    pub least: f64,
    /// Where its range ends.
    pub most: f64,
}

impl Dot {
    /// Of several numbers; none of none.
    pub fn of(values: &[f64]) -> Option<Dot> {
        let median = super::table::median(values)?;
        let least = values.iter().copied().fold(median, f64::min);
        Some(Dot { median, least, most: values.iter().copied().fold(median, f64::max) })
    }
}

/// How an axis grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// By sums, from zero.
    #[default]
    Linear,
    /// By factors.
    Log,
    /// The share that is above, by factors: 50 %, 90 %, 99 % and so on.
    Percentile,
}

/// Lines through points.
#[derive(Debug, Default, Serialize)]
pub struct Lines {
    /// What it shows.
    pub title: String,
    /// What goes to the right.
    pub x: String,
    /// What goes up.
    pub y: String,
    /// How the first grows.
    pub x_scale: Scale,
    /// How the second grows.
    pub y_scale: Scale,
    /// The lines.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Debug, Default, Serialize)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Latencies by percentile, up to the last that ten measurements stand for.
pub fn percentiles(name: &str, histogram: &Histogram<u64>) -> Series {
    let quantiles = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999];
    let meant = |quantile: &&f64| histogram.len() as f64 * (1.0 - **quantile) >= 10.0;
    let point = |&quantile: &f64| (quantile, histogram.value_at_quantile(quantile) as f64);
    Series { name: name.into(), points: quantiles.iter().filter(meant).map(point).collect() }
}
