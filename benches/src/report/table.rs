//! Rows of the goals table and how they are printed.

use serde::Serialize;
use std::fmt::Write;

/// What a goal asks of the median.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// At least this much.
    AtLeast(f64),
    /// At most this much.
    AtMost(f64),
    /// Nothing: it is told only.
    Told,
}

impl Wanted {
    /// As it stands in tables.
    pub(super) fn in_words(self, unit: &str) -> String {
        match self {
            Wanted::AtLeast(least) => format!(">= {least} {unit}"),
            Wanted::AtMost(most) => format!("<= {most} {unit}"),
            Wanted::Told => String::new(),
        }
    }
}

/// One goal and what was measured, one number a round.
#[derive(Debug)]
pub struct Row {
    /// What is measured.
    pub goal: String,
    /// What it is compared with.
    pub reference: String,
    /// The goal.
    pub wanted: Wanted,
    /// Unit of goal and measurement; `x` is a ratio.
    pub unit: &'static str,
    /// One number a round; none if it could not be measured.
    pub measured: Vec<f64>,
    /// Why not, or what else there is to say.
    pub remark: String,
}

/// A row as it is kept.
#[derive(Debug, Serialize)]
pub struct Goal {
    /// What is measured.
    pub what: String,
    /// What it is compared with.
    pub reference: String,
    /// The goal.
    pub goal: Wanted,
    /// Unit of goal and measurement; `x` is a ratio.
    pub unit: String,
    /// Of the rounds; none if it could not be measured.
    pub median: Option<f64>,
    /// The least of the rounds.
    pub least: Option<f64>,
    /// The most of the rounds.
    pub most: Option<f64>,
    /// `met`, `missed`, `not measured`, or nothing if there is no goal.
    pub verdict: String,
    /// What else there is to say.
    pub remark: String,
    /// One number a round.
    pub rounds: Vec<f64>,
}

impl Row {
    /// A ratio that should be at least `wanted`.
    pub fn ratio(goal: &str, reference: &str, wanted: f64, measured: Vec<f64>) -> Row {
        let wanted = Wanted::AtLeast(wanted);
        Row {
            goal: goal.into(),
            reference: reference.into(),
            wanted,
            unit: "x",
            measured,
            remark: String::new(),
        }
    }

    /// A row without a measurement.
    pub fn failed(goal: &str, reference: &str, why: &str) -> Row {
        let mut row = Row::ratio(goal, reference, 0.0, Vec::new());
        row.wanted = Wanted::Told;
        row.remark = why.into();
        row
    }

    /// The same with a remark.
    #[must_use]
    pub fn with(mut self, remark: impl Into<String>) -> Row {
        self.remark = remark.into();
        self
    }

    /// The row as it is kept.
    pub(super) fn goal(&self) -> Goal {
        Goal {
            what: self.goal.clone(),
            reference: self.reference.clone(),
            goal: self.wanted,
            unit: self.unit.into(),
            median: median(&self.measured),
            least: self.measured.iter().copied().min_by(f64::total_cmp),
            most: self.measured.iter().copied().max_by(f64::total_cmp),
            verdict: self.verdict().into(),
            remark: self.remark.clone(),
            rounds: self.measured.clone(),
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.wanted, median(&self.measured)) {
            (_, None) => "not measured",
            (Wanted::AtLeast(least), Some(median)) if median >= least => "met",
            (Wanted::AtMost(most), Some(median)) if median <= most => "met",
            (Wanted::Told, _) => "",
            _ => "missed",
        }
    }

    fn cells(&self) -> [String; 6] {
        let unit = self.unit;
        let wanted = self.wanted.in_words(unit);
        let measured = median(&self.measured).map(|median| format!("{} {unit}", digits(median)));
        let verdict = match (self.verdict(), self.remark.as_str()) {
            (verdict, "") => verdict.to_owned(),
            ("", remark) => remark.to_owned(),
            (verdict, remark) => format!("{verdict}; {remark}"),
        };
        [
            self.goal.clone(),
            self.reference.clone(),
            wanted,
            measured.unwrap_or_else(|| "-".into()),
            spread(&self.measured),
            verdict,
        ]
    }
}

/// The goals table, in Markdown.
pub fn render(rows: &[Row]) -> String {
    let head = ["what", "reference", "goal", "median", "least - most", "verdict"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| row.cells().to_vec()));
    markdown(&lines)
}

/// A table of cells whose first line is the head, in Markdown with aligned columns.
pub fn markdown(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(String::len).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            widths.iter().for_each(|width| text.push_str(&format!("|{}", "-".repeat(width + 2))));
            text.push_str("|\n");
        }
    }
    text
}

/// The middle one; of an even number the upper one.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Least and most of several numbers.
pub fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().min_by(f64::total_cmp);
    let most = values.iter().copied().max_by(f64::total_cmp);
    match (least, most) {
        (Some(least), Some(most)) if values.len() > 1 => {
            format!("{} - {}", digits(least), digits(most))
        }
        _ => String::new(),
    }
}

/// Three digits that matter.
pub fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.0995 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let row = |wanted, measured: &[f64]| {
            let mut row = Row::ratio("a", "b", 0.0, measured.to_vec());
            row.wanted = wanted;
            row.verdict()
        };
        assert_eq!(row(Wanted::AtLeast(2.0), &[1.0, 3.0, 2.0]), "met");
        assert_eq!(row(Wanted::AtLeast(2.0), &[1.0, 1.9, 4.0]), "missed");
        assert_eq!(row(Wanted::AtMost(2.0), &[1.0, 1.9, 4.0]), "met");
        assert_eq!(row(Wanted::AtMost(2.0), &[]), "not measured");
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = [Row::ratio("get", "papaya", 1.0, vec![0.5, 1.0, 2.0])];
        let table = render(&rows);
        let widths: Vec<usize> = table.lines().map(str::len).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
        assert!(table.contains("0.50 - 2.00"));
    }
}
