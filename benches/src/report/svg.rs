//! Plots as SVG. Colours and fonts are those of the page, which knows light and dark.

use super::plot::{DotRow, Dots, Lines, Plot, Scale};
use super::table::digits;
use std::fmt::Write;

const WIDTH: f64 = 620.0;
const ROW: f64 = 22.0;
/// Room for labels before a row of dots.
const LABEL: f64 = 150.0;
/// Room for each number behind it.
const NUMBER: f64 = 48.0;
/// A letter of the labels takes about that much.
const LETTER: f64 = 6.6;

/// Text as it stands in HTML and SVG.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) fn draw(plot: &Plot) -> String {
    match plot {
        Plot::Dots(dots) => draw_dots(dots),
        Plot::Lines(lines) => draw_lines(lines),
    }
}

/// An axis: from numbers to places.
struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Axis {
        let positive: Vec<f64> =
            values.map(|value| along(scale, value)).filter(|value| value.is_finite()).collect();
        let least = positive.iter().copied().fold(f64::INFINITY, f64::min);
        let most = positive.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (least, most) = if least <= most { (least, most) } else { (0.0, 1.0) };
        let (least, most) = match scale {
            Scale::Linear => (0.0, if most > 0.0 { most * 1.05 } else { 1.0 }),
            // A twentieth on both sides, and no axis without length.
            Scale::Log => {
                let margin = ((most - least) / 20.0).max(0.1);
                (least - margin, most + margin)
            }
            Scale::Percentile => (least, most.max(least + 1.0)),
        };
        Axis { scale, least, most, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (along(self.scale, value) - self.least) / (self.most - self.least);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn has(&self, value: f64) -> bool {
        (self.least..=self.most).contains(&along(self.scale, value))
    }

    /// Where lines of the grid are, and what stands there.
    fn ticks(&self) -> Vec<(f64, String)> {
        let mut ticks: Vec<(f64, String)> = match self.scale {
            Scale::Percentile => {
                let known = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
                known.iter().map(|&q| (q, format!("{}%", digits_of_percent(q)))).collect()
            }
            Scale::Log => {
                let decades =
                    (self.least.floor() as i32..=self.most.ceil() as i32).map(|p| 10f64.powi(p));
                let steps: &[f64] = match self.most - self.least {
                    span if span > 2.0 => &[1.0],
                    span if span > 0.8 => &[1.0, 2.0, 5.0],
                    _ => &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0],
                };
                decades
                    .flat_map(|d| steps.iter().map(move |s| d * s))
                    .map(|v| (v, short(v)))
                    .collect()
            }
            Scale::Linear => {
                let step = 10f64.powf((self.most / 4.0).log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * step);
                let step =
                    step.into_iter().find(|step| self.most / step <= 6.0).unwrap_or(self.most);
                (0..=6).map(|n| f64::from(n) * step).map(|value| (value, short(value))).collect()
            }
        };
        ticks.retain(|(value, _)| self.has(*value));
        ticks
    }
}

fn along(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => value.log10(),
        Scale::Percentile => -(1.0 - value).log10(),
    }
}

fn digits_of_percent(quantile: f64) -> String {
    let text = format!("{:.3}", quantile * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Few letters: 2k, 10M, 0.05.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let text = format!("{value:.4}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Writing to a string cannot fail.
macro_rules! add {
    ($text:expr, $($format:tt)*) => { let _ = writeln!($text, $($format)*); };
}

fn open(title: &str, height: f64) -> String {
    let title = escaped(title);
    format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <text class=\"title\" x=\"0\" y=\"14\">{title}</text>\n"
    )
}

/// Names of the series below the title.
fn legend(text: &mut String, names: impl Iterator<Item = String>, first: f64) -> f64 {
    let (mut x, mut y) = (first, 32.0);
    for (at, name) in names.enumerate() {
        let width = 26.0 + name.chars().count() as f64 * LETTER;
        if x + width > WIDTH && x > first {
            (x, y) = (first, y + 16.0);
        }
        let colour = at % 6;
        add!(
            text,
            "<circle class=\"s{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
            x + 4.0,
            y - 4.0
        );
        add!(
            text,
            "<text class=\"small\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
            x + 13.0,
            escaped(&name)
        );
        x += width;
    }
    y
}

fn draw_dots(dots: &Dots) -> String {
    let named = dots.series.len() > 1;
    let labels = dots.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
    let lanes = dots.series.len().max(1) as f64;
    let label = (labels as f64 * LETTER + 10.0).clamp(LABEL, WIDTH * 0.7);
    let right = WIDTH - NUMBER * lanes;
    let row_height = if lanes > 1.0 { ROW + (lanes - 1.0) * 8.0 } else { ROW };
    let top = if named { 42.0 } else { 26.0 };
    let bottom = top + dots.rows.len() as f64 * row_height;
    let mut text = open(&format!("{} ({})", dots.title, dots.unit), bottom + 26.0);
    if named {
        legend(&mut text, dots.series.iter().cloned(), label);
    }
    let all = dots.rows.iter().flat_map(|row| row.dots.iter().flatten());
    let values = all.flat_map(|dot| [dot.least, dot.median, dot.most]).chain(dots.mark);
    let axis = Axis::new(Scale::Log, values, label, right);
    for (value, name) in axis.ticks() {
        let x = axis.place(value);
        add!(
            text,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>"
        );
        add!(text, "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{name}</text>", bottom + 16.0);
    }
    if let Some(mark) = dots.mark {
        let x = axis.place(mark);
        add!(
            text,
            "<line class=\"mark\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>"
        );
    }
    for (at, row) in dots.rows.iter().enumerate() {
        draw_row(&mut text, &axis, row, (top + at as f64 * row_height, row_height), label);
    }
    text + "</svg></figure>\n"
}

fn draw_row(text: &mut String, axis: &Axis, row: &DotRow, (top, height): (f64, f64), label: f64) {
    let middle = top + height / 2.0;
    let class = if row.label == "vug" { "label ours" } else { "label" };
    let name = escaped(&row.label);
    add!(
        text,
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
        label - 10.0,
        middle + 4.0
    );
    let step = height / row.dots.len().max(1) as f64;
    let mut numbers = Vec::new();
    for (lane, dot) in row.dots.iter().enumerate() {
        let Some(dot) = dot else { continue };
        let y = top + (lane as f64 + 0.5) * step;
        let (x, least, most) =
            (axis.place(dot.median), axis.place(dot.least), axis.place(dot.most));
        let colour = lane % 6;
        add!(
            text,
            "<line class=\"range l{colour}\" x1=\"{least:.1}\" y1=\"{y:.1}\" x2=\"{most:.1}\" \
             y2=\"{y:.1}\"/>"
        );
        add!(text, "<circle class=\"s{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
        numbers.push(digits(dot.median));
    }
    if numbers.is_empty() {
        numbers.push("not measured".into());
    }
    add!(
        text,
        "<text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        axis.to + 8.0,
        middle + 4.0,
        numbers.join(" / ")
    );
}

fn draw_lines(lines: &Lines) -> String {
    const LEFT: f64 = 62.0;
    const HEIGHT: f64 = 230.0;
    let mut text = String::new();
    let names = lines.series.iter().map(|series| series.name.clone());
    let top = legend(&mut text, names, LEFT) + 12.0;
    let bottom = top + HEIGHT;
    let mut text = open(&lines.title, bottom + 40.0) + &text;
    let points = || lines.series.iter().flat_map(|series| series.points.iter());
    let x_axis = Axis::new(lines.x_scale, points().map(|p| p.0), LEFT, WIDTH - 16.0);
    let y_axis = Axis::new(lines.y_scale, points().map(|p| p.1), bottom, top);
    let right = WIDTH - 16.0;
    for (value, name) in x_axis.ticks() {
        let x = x_axis.place(value);
        add!(
            text,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>"
        );
        add!(text, "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{name}</text>", bottom + 16.0);
    }
    for (value, name) in y_axis.ticks() {
        let y = y_axis.place(value);
        add!(
            text,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>"
        );
        add!(
            text,
            "<text class=\"label small\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    for (at, series) in lines.series.iter().enumerate() {
        let colour = at % 6;
        let place = |&(x, y): &(f64, f64)| (x_axis.place(x), y_axis.place(y));
        let path: Vec<String> =
            series.points.iter().map(place).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        // The seventh and further lines have the colours of the first ones, and dashes.
        let dashed = if at < 6 { "" } else { " dashed" };
        add!(text, "<polyline class=\"line l{colour}{dashed}\" points=\"{}\"/>", path.join(" "));
        for (x, y) in series.points.iter().map(place) {
            add!(text, "<circle class=\"s{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>");
        }
    }
    let middle = (LEFT + right) / 2.0;
    add!(
        text,
        "<text class=\"tick\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
        bottom + 33.0,
        escaped(&lines.x)
    );
    add!(text, "<text class=\"small\" x=\"0\" y=\"{:.1}\">{}</text>", top - 4.0, escaped(&lines.y));
    text + "</svg></figure>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let all = [0.05, 1.0, 2.5, 2000.0, 1e7].map(short);
        assert_eq!(all, ["0.05", "1", "2.5", "2k", "10M"]);
        assert_eq!(digits_of_percent(0.999), "99.9");
    }

    #[test]
    fn an_axis_has_ticks_within() {
        for scale in [Scale::Linear, Scale::Log, Scale::Percentile] {
            let axis = Axis::new(scale, [0.02, 0.99].into_iter(), 0.0, 100.0);
            let ticks = axis.ticks();
            assert!(ticks.len() >= 2, "{scale:?}: {ticks:?}");
            assert!(ticks.iter().all(|(value, _)| (0.0..=100.0).contains(&axis.place(*value))));
        }
        // Nothing to show is no reason to fail.
        assert!(Axis::new(Scale::Log, [0.0].into_iter(), 0.0, 1.0).place(0.0).is_finite());
    }
}
