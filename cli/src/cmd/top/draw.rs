//! Frames of `vug top`. All text is ASCII and says what colours say.

use std::time::SystemTime;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Table, TableState};
use vug::{Counters, MemberStatistics, Statistics};

use super::app::{App, Row, Screen};
use crate::observe::{Figures, age, percent, safe, short};
use crate::render::readable_bytes;

/// What the keys do and the columns mean; fits eighty columns and twenty lines.
const HELP: [&str; 17] = [
    " j, down     next region             s         sort by the next column",
    " k, up       region before           p, space  pause, go on",
    " g, home     first region            enter     details of the region, and back",
    " G, end      last region             q, esc    back, or quit",
    "",
    " ENTRIES  visible entries; estimated where there are very many",
    " MEMORY   # records, + dead records that wait for cleaning, : index, . free",
    " USE      part of the region's bound that all of these take",
    " HIT      part of the reads since the last look that found a value",
    " EVT/S    entries evicted per second",
    " LAG      announcements that the slowest subscription, or bridge, has not read",
    " PINS     segments that are kept from being reused",
    " MEM      members that have the region open",
    " THR      threads of the member that use the region",
    " WAIT     how long its oldest wait for other nodes has lasted",
    "",
    " The figures are read from the files: this command joins and writes nothing.",
];

/// Styles, or none at all.
struct Look {
    colour: bool,
}

impl Look {
    fn fg(&self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    fn bold(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn heading(&self) -> Style {
        self.bold().add_modifier(Modifier::UNDERLINED)
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let look = Look { colour: app.colour };
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    header(frame, head, app, &look);
    match app.screen {
        Screen::Help => frame.render_widget(Paragraph::new(HELP.map(Line::from).to_vec()), body),
        Screen::Details => match app.selected() {
            Some(row) => details(frame, body, app, &row, &look),
            None => frame.render_widget(Paragraph::new(" the region is gone"), body),
        },
        Screen::Regions => lists(frame, body, app, &look),
    }
    let keys = match app.screen {
        Screen::Regions => " q quit  j/k select  enter details  s sort  p pause  ? help",
        Screen::Details | Screen::Help => " q back  j/k select  p pause  ? help",
    };
    frame.render_widget(Paragraph::new(keys).style(look.fg(Color::DarkGray)), foot);
}

fn header(frame: &mut Frame<'_>, area: Rect, app: &App, look: &Look) {
    let Some(view) = app.view() else {
        return frame.render_widget(Paragraph::new(" looking ..."), area);
    };
    let mut spans = vec![Span::styled("vug top", look.bold())];
    match view.homes.as_slice() {
        [home] => {
            spans.push(Span::raw(format!("  {}", safe(&home.home.display().to_string(), 40))));
            spans.push(Span::raw(format!("  node {}", home.origin)));
            let bridge = home.bridge.map_or("no bridge".into(), |pid| format!("bridge {pid}"));
            spans.push(Span::raw(format!("  {bridge}")));
        }
        homes => spans.push(Span::raw(format!("  {} nodes", homes.len()))),
    }
    let members = view.homes.iter().flat_map(|home| &home.members);
    let dead = members.clone().filter(|member| !member.alive).count();
    spans.push(Span::raw(format!("  {} members", members.count() - dead)));
    if dead > 0 {
        spans.push(Span::styled(format!(", {dead} dead"), look.fg(Color::Red)));
    }
    let sort = format!("sorted by {}, every {:?}", app.sort.name(), app.interval);
    let mut second = vec![Span::raw(sort)];
    if app.is_paused() {
        second.push(Span::styled("  PAUSED", look.bold()));
    }
    let failed = view.homes.iter().find_map(|home| Some((home, home.failure.as_ref()?)));
    if let Some((home, failure)) = failed {
        let text = format!("  {}: {}", home.home.display(), safe(failure, 60));
        second.push(Span::styled(text, look.fg(Color::Red)));
    }
    frame.render_widget(Paragraph::new(vec![Line::from(spans), Line::from(second)]), area);
}

/// Regions above, the members of the selected one below.
fn lists(frame: &mut Frame<'_>, area: Rect, app: &App, look: &Look) {
    let rows = app.rows();
    if rows.is_empty() {
        let text = " no regions yet: `vug create NAME` makes one";
        return frame.render_widget(Paragraph::new(text), area);
    }
    let members = app.selected().and_then(|row| row.figures().map(|f| f.members.len()));
    let below = members.unwrap_or(0) + 3;
    // The list of regions has the larger part, but no more than it needs.
    let needed = rows.len() + 1;
    let above = needed.min((usize::from(area.height) * 2 / 3).max(4));
    let above = above.max(usize::from(area.height).saturating_sub(below)).min(needed);
    let [first, second] =
        Layout::vertical([Constraint::Length(above as u16), Constraint::Min(0)]).areas(area);
    regions(frame, first, app, &rows, look);
    if let Some(row) = app.selected() {
        selected(frame, second, app, &row, look);
    }
}

fn right(text: impl Into<String>) -> Cell<'static> {
    Cell::new(Line::from(text.into()).right_aligned())
}

fn regions(frame: &mut Frame<'_>, area: Rect, app: &App, rows: &[Row<'_>], look: &Look) {
    let bar_width = if area.width < 100 { 8 } else { 16 };
    let several = app.view().is_some_and(|view| view.homes.len() > 1);
    let mut widths = vec![
        Constraint::Min(12),
        Constraint::Length(7),
        Constraint::Length(bar_width),
        Constraint::Length(4),
        Constraint::Length(5),
        Constraint::Length(5),
        Constraint::Length(5),
        Constraint::Length(5),
        Constraint::Length(5),
        Constraint::Length(5),
        Constraint::Length(4),
        Constraint::Length(3),
    ];
    let names =
        ["ENTRIES", "", "USE", "GET/S", "HIT", "PUT/S", "DEL/S", "EVT/S", "LAG", "PINS", "MEM"];
    let mut head = vec![Cell::new("  REGION")];
    head.extend(names.iter().map(|name| right(*name)));
    head[2] = Cell::new("MEMORY");
    if several {
        widths.insert(0, Constraint::Max(16));
        head.insert(0, Cell::new("NODE"));
    }
    let lines = rows.iter().enumerate().map(|(place, row)| {
        let mut cells = region_cells(row, place == app.place(), bar_width, look);
        if several {
            let home = row.home.file_name().unwrap_or(row.home.as_os_str());
            cells.insert(0, Cell::new(safe(&home.to_string_lossy(), 16)));
        }
        TableRow::new(cells)
    });
    let table = Table::new(lines, widths)
        .header(TableRow::new(head).style(look.heading()))
        .row_highlight_style(look.bold())
        .column_spacing(1);
    let mut state = TableState::new().with_selected(Some(app.place()));
    frame.render_stateful_widget(table, area, &mut state);
}

fn region_cells(row: &Row<'_>, selected: bool, bar_width: u16, look: &Look) -> Vec<Cell<'static>> {
    let mark = if selected { "> " } else { "  " };
    let name = Cell::new(format!("{mark}{}", safe(&row.region.name, 40)));
    let figures = match &row.region.found {
        Ok(figures) => figures,
        Err(error) => {
            let text = Cell::new(safe(error, 10)).style(look.fg(Color::Red));
            return vec![name, right("-"), text];
        }
    };
    let statistics = &figures.statistics;
    let lag = row.lag();
    let far = lag.saturating_mul(2) > statistics.ring_len;
    let evicted = row.rate(|counters| counters.evicted);
    vec![
        name,
        right(short(statistics.entries as f64)),
        Cell::new(bar(statistics, usize::from(bar_width), look)),
        right(percent(Some(used(statistics))).replace(".0%", "%")),
        right(short(row.rate(|counters| counters.gets))),
        right(percent(row.rates.and_then(|rates| rates.hit_ratio()))),
        right(short(row.rate(|counters| counters.puts))),
        right(short(row.rate(|counters| counters.destroys))),
        right(short(evicted)),
        right(short(lag as f64)).style(if far { look.fg(Color::Red) } else { Style::new() }),
        right(statistics.pins.to_string()),
        right(statistics.members.to_string()),
    ]
}

/// Part of the bound that index and records take.
fn used(statistics: &Statistics) -> f64 {
    let bytes = statistics.index_bytes + statistics.live_bytes + statistics.dead_bytes;
    let part = bytes as f64 / statistics.max_bytes.max(1) as f64;
    // Whole percents: the column has four characters.
    (part.min(1.0) * 100.0).round() / 100.0
}

fn bar(statistics: &Statistics, width: usize, look: &Look) -> Line<'static> {
    let whole = statistics.max_bytes.max(1) as f64;
    let mut left = width;
    let mut sum = 0.0;
    let mut spans = Vec::new();
    for (bytes, sign, colour) in [
        (statistics.live_bytes, "#", Color::Green),
        (statistics.dead_bytes, "+", Color::Yellow),
        (statistics.index_bytes, ":", Color::Cyan),
    ] {
        sum += bytes as f64;
        let end = (sum / whole * width as f64).round() as usize;
        let part = end.saturating_sub(width - left).min(left);
        left -= part;
        spans.push(Span::styled(sign.repeat(part), look.fg(colour)));
    }
    spans.push(Span::styled(".".repeat(left), look.fg(Color::DarkGray)));
    Line::from(spans)
}

fn selected(frame: &mut Frame<'_>, area: Rect, app: &App, row: &Row<'_>, look: &Look) {
    let [title, body] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
    let name = format!("\nmembers of {}", safe(&row.region.name, 60));
    frame.render_widget(Paragraph::new(name).style(look.bold()), title);
    match &row.region.found {
        Err(error) => {
            let text = Paragraph::new(safe(error, 500)).style(look.fg(Color::Red));
            frame.render_widget(text.wrap(ratatui::widgets::Wrap { trim: true }), body);
        }
        Ok(figures) if figures.members.is_empty() => {
            frame.render_widget(Paragraph::new("  nobody has it open"), body);
        }
        Ok(figures) => members(frame, body, app, row, figures, look),
    }
}

fn members(
    frame: &mut Frame<'_>,
    area: Rect,
    app: &App,
    row: &Row<'_>,
    figures: &Figures,
    look: &Look,
) {
    let names = ["AGE", "THR", "GET/S", "HIT", "PUT/S", "DEL/S", "EVENT/S", "LAG", "PINS", "WAIT"];
    let mut head = vec![right("PID"), Cell::new("PROGRAM")];
    head.extend(names.iter().map(|name| right(*name)));
    let widths = [7, 0, 6, 3, 5, 5, 5, 5, 7, 5, 4, 5].map(|width| match width {
        0 => Constraint::Min(10),
        width => Constraint::Length(width),
    });
    let lines = figures.members.iter().map(|member| {
        let cells = member_cells(app, row, member);
        let dead = member.alive == Some(false);
        TableRow::new(cells).style(if dead { look.fg(Color::Red) } else { Style::new() })
    });
    let table = Table::new(lines, widths)
        .header(TableRow::new(head).style(look.heading()))
        .column_spacing(1);
    frame.render_widget(table, area);
}

fn member_cells(app: &App, row: &Row<'_>, member: &MemberStatistics) -> Vec<Cell<'static>> {
    let rates = app.member_rates(row, member);
    let rate = |counter: fn(&Counters) -> u64| {
        right(short(rates.map_or(0.0, |rates| rates.per_second(counter))))
    };
    let since = SystemTime::now().duration_since(member.since).unwrap_or_default();
    let program = match (member.alive, member.program.as_str()) {
        (Some(false), program) => format!("{} (dead)", safe(program, 16)),
        (_, "") => "-".into(),
        (_, program) => safe(program, 24),
    };
    let lag = member.oldest_consumer.map_or("-".into(), |consumer| short(consumer.lag as f64));
    let wait = member.oldest_ack_wait.map_or("-".into(), |wait| age(wait.age));
    vec![
        right(member.pid.map_or("-".into(), |pid| pid.to_string())),
        Cell::new(program),
        right(age(since)),
        right(member.threads.to_string()),
        rate(|counters| counters.gets),
        right(percent(rates.and_then(|rates| rates.hit_ratio()))),
        rate(|counters| counters.puts),
        rate(|counters| counters.destroys),
        rate(|counters| counters.events_delivered),
        right(lag),
        right(member.pins.to_string()),
        right(wait),
    ]
}

/// Sizes above, below them all counters that are not 0 with what they gained per second.
fn details(frame: &mut Frame<'_>, area: Rect, app: &App, row: &Row<'_>, look: &Look) {
    let Some(figures) = row.figures() else {
        return selected(frame, area, app, row, look);
    };
    let mut lines = vec![Line::styled(safe(&row.region.name, 78), look.bold())];
    lines.extend(facts(figures).into_iter().map(Line::from));
    let [above, below] =
        Layout::vertical([Constraint::Length(lines.len() as u16 + 1), Constraint::Min(0)])
            .areas(area);
    frame.render_widget(Paragraph::new(lines), above);
    let all = figures.statistics.counters.iter().enumerate();
    let counters: Vec<_> = all.filter(|(_, (_, total))| *total != 0).collect();
    if counters.is_empty() {
        return frame.render_widget(Paragraph::new("nothing was counted yet"), below);
    }
    let half = counters.len().div_ceil(2).max(8);
    let columns = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2);
    let [left, right] = columns.areas(below);
    for (place, part) in [left, right].into_iter().zip(counters.chunks(half)) {
        counted(frame, place, row, part, look);
    }
}

fn counted(
    frame: &mut Frame<'_>,
    area: Rect,
    row: &Row<'_>,
    counters: &[(usize, (&'static str, u64))],
    look: &Look,
) {
    let head = TableRow::new([Cell::new("COUNTER"), right("TOTAL"), right("PER S")]);
    let lines = counters.iter().map(|(place, (name, total))| {
        let nth = |counters: &Counters| counters.iter().nth(*place).map_or(0, |(_, count)| count);
        let rate = row.rates.map_or(0.0, |rates| rates.per_second(nth));
        let cells = [
            Cell::new(name.replace('_', " ")),
            right(short(*total as f64)),
            right(if rate > 0.0 { short(rate) } else { "-".into() }),
        ];
        TableRow::new(cells)
    });
    let widths = [Constraint::Min(18), Constraint::Length(7), Constraint::Length(7)];
    let table = Table::new(lines, widths).header(head.style(look.heading())).column_spacing(1);
    frame.render_widget(table, area);
}

fn facts(figures: &Figures) -> Vec<String> {
    let (attributes, statistics) = (&figures.attributes, &figures.statistics);
    let consumer = statistics.oldest_consumer.map_or("nobody listens".into(), |oldest| {
        let owner = figures.members.iter().find(|member| member.member == oldest.member);
        let pid = owner.and_then(|owner| owner.pid).map_or("?".into(), |pid| pid.to_string());
        format!("slowest of {} is process {pid}", statistics.subscriptions)
    });
    vec![
        format!(
            "{}, {}, {}: {} entries, {} buckets, {} growths",
            attributes.data_policy,
            attributes.scope,
            super::super::stat::state_name(statistics.state),
            short(statistics.entries as f64),
            short(statistics.index_buckets as f64),
            statistics.growths
        ),
        format!(
            "memory {} of {}: {} live, {} dead, {} index",
            readable_bytes(statistics.backed_bytes),
            readable_bytes(statistics.max_bytes),
            readable_bytes(statistics.live_bytes),
            readable_bytes(statistics.dead_bytes),
            readable_bytes(statistics.index_bytes)
        ),
        format!(
            "segments {}: {} free, {} active, {} sealed ({} of it dead), {} held, {} index",
            statistics.segments_total,
            statistics.segments_free,
            statistics.segments_active,
            statistics.segments_sealed,
            percent(Some(statistics.fragmentation())),
            statistics.segments_quarantined,
            statistics.segments_index
        ),
        format!(
            "events: lag {} of {}, {consumer}; pins {}, oldest {}",
            short(statistics.ring_lag() as f64),
            short(statistics.ring_len as f64),
            statistics.pins,
            statistics.oldest_pin.map_or("-".into(), age)
        ),
        format!(
            "bridge: {}, {} not sent; waits for acks {}, oldest {}; recoveries {}",
            if statistics.bridged { "seen" } else { "never" },
            short(statistics.unsent() as f64),
            statistics.ack_waiters,
            statistics.oldest_ack_wait.map_or("-".into(), |wait| age(wait.age)),
            statistics.recoveries
        ),
    ]
}
