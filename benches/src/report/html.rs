//! One file with everything in it: no script, no font and no picture from elsewhere.

use super::machine::Named;
use super::plot::{Dot, DotRow, Dots, Plot};
use super::svg::{draw, escaped};
use super::table::{Goal, Wanted, digits};
use super::{Document, Section, Table};

const STYLE: &str = include_str!("style.css");

/// The page of a document.
pub(super) fn page(document: &Document) -> String {
    let title = format!("vug: {}", document.bench);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{0}</title>\n<style>\n{STYLE}</style>\n<main>\n<h1>{0}</h1>\n",
        escaped(&title)
    );
    page.push_str(&paragraph(&format!(
        "Taken {} at commit {}, in {:.0} minutes. Dots are medians over the rounds, lines reach \
         from the least to the most. Compare only what stands in one report.",
        document.taken,
        document.commit,
        (document.seconds / 60.0).max(1.0)
    )));
    let facts = [
        ("Machine", &document.machine),
        ("Versions", &document.versions),
        ("Options", &document.options),
    ];
    page.push_str("<div class=\"facts\">\n");
    facts.iter().for_each(|(title, facts)| page.push_str(&definitions(title, facts)));
    page.push_str("</div>\n");
    if !document.goals.is_empty() {
        page.push_str(&goals(&document.goals));
    }
    document.sections.iter().for_each(|part| page.push_str(&section(part)));
    page.push_str(
        "<p class=\"end\">All numbers of all rounds are in results.json beside this file.</p>\n\
         </main>\n</html>\n",
    );
    page
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped(text))
}

fn definitions(title: &str, facts: &[Named]) -> String {
    let mut text = format!("<section><h3>{title}</h3><dl>\n");
    for Named { name, value } in facts {
        text.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value)));
    }
    text + "</dl></section>\n"
}

fn goals(goals: &[Goal]) -> String {
    let count = |verdict: &str| goals.iter().filter(|goal| goal.verdict == verdict).count();
    let mut text = format!(
        "<h2>Goals</h2>\n<p>{} met, {} missed, {} not measured.</p>\n",
        count("met"),
        count("missed"),
        count("not measured")
    );
    let rows = goals.iter().filter_map(|goal| {
        let better = |value: f64| match goal.goal {
            Wanted::AtLeast(least) if least > 0.0 => Some(value / least),
            Wanted::AtMost(most) if value > 0.0 => Some(most / value),
            _ => None,
        };
        let median = better(goal.median?)?;
        let ends = [better(goal.least?)?, better(goal.most?)?];
        let dot = Dot { median, least: ends[0].min(ends[1]), most: ends[0].max(ends[1]) };
        let label = format!("{} / {}", goal.what, goal.reference);
        let label = label.trim_end_matches(" / ").to_owned();
        Some(DotRow { label, dots: vec![Some(dot)] })
    });
    let plot = Dots {
        title: "Distance to the goals: 1 is the goal, to the right is better".into(),
        unit: "x".into(),
        series: vec!["vug".into()],
        mark: Some(1.0),
        rows: rows.collect(),
    };
    text.push_str(
        "<table>\n<thead><tr><th>what<th>reference<th class=\"n\">goal\
                   <th class=\"n\">median<th class=\"n\">least - most<th>verdict\
                   <th>remark</thead>\n",
    );
    for goal in goals {
        let class = goal.verdict.replace(' ', "-");
        let number = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
        let range = match (goal.least, goal.most) {
            (Some(least), Some(most)) if goal.rounds.len() > 1 => {
                format!("{} - {}", digits(least), digits(most))
            }
            _ => String::new(),
        };
        text.push_str(&format!(
            "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{} {}<td class=\"n\">{range}\
             <td><span class=\"{class}\">{}</span><td>{}\n",
            escaped(&goal.what),
            escaped(&goal.reference),
            escaped(&goal.goal.in_words(&goal.unit)),
            number(goal.median),
            goal.unit,
            goal.verdict,
            escaped(&goal.remark),
        ));
    }
    text.push_str("</table>\n");
    format!("{text}<div class=\"wide\">{}</div>\n", draw(&Plot::Dots(plot)))
}

fn section(section: &Section) -> String {
    let mut text = format!("<h2>{}</h2>\n", escaped(&section.title));
    section.text.iter().for_each(|told| text.push_str(&paragraph(told)));
    if !section.plots.is_empty() {
        text.push_str("<div class=\"plots\">\n");
        section.plots.iter().for_each(|plot| text.push_str(&draw(plot)));
        text.push_str("</div>\n");
    }
    section.tables.iter().for_each(|part| text.push_str(&table(part)));
    text
}

fn table(table: &Table) -> String {
    let mut text = format!("<h3>{}</h3>\n<div class=\"scroll\"><table>\n", escaped(&table.title));
    for (number, line) in table.lines.iter().enumerate() {
        let tag = if number == 0 { "th" } else { "td" };
        text.push_str("<tr>");
        for cell in line {
            // Numbers stand to the right, as columns of numbers should.
            let numeric = cell.starts_with(|first: char| first.is_ascii_digit()) || cell == "-";
            let class = if numeric { " class=\"n\"" } else { "" };
            text.push_str(&format!("<{tag}{class}>{}", escaped(cell)));
        }
        text.push('\n');
    }
    text + "</table></div>\n"
}
