//! `vug describe`

use std::time::{Duration, SystemTime};

use vug::{MemberStatistics, Pin, ReadOnlyNode, ReadOnlyRegion, Statistics};

use super::create::expiry;
use super::stat::{self, milliseconds};
use super::{Context, stdout};
use crate::args::Describe;
use crate::document::Document;
use crate::failure::Failure;
use crate::observe::{age, safe};
use crate::render::{Cell, Format, Sheet};

/// Attributes that can be changed while the region is in use.
const MUTABLE: [&str; 3] = ["max_entries", "entry_ttl", "entry_idle"];

pub(super) fn run(context: &Context, args: &Describe) -> Result<(), Failure> {
    let node = context.node_to_look_at()?;
    let region = stat::open(&node, &args.region)?;
    let format = context.format();
    if format == Format::Csv {
        return Err(Failure::usage(
            "a description is no table, so it cannot be CSV",
            "use --format json, or `vug stat REGION --format csv` for the figures alone",
        ));
    }
    document(&node, &region, format)?.write(&mut stdout(), format)
}

fn document(
    node: &ReadOnlyNode,
    region: &ReadOnlyRegion,
    format: Format,
) -> Result<Document, Failure> {
    let figures = region.statistics()?;
    let mut document = Document::new(vec![
        ("region", Cell::text(region.name())),
        ("path", Cell::text(region.path().display())),
        ("format_version", Cell::Id(vug::FORMAT_VERSION.into())),
        ("node_id", node.id().map_or(Cell::Empty, |id| Cell::Text(format!("{id:032x}")))),
        ("origin", Cell::Id(node.origin().into())),
        ("state", Cell::text(stat::state_name(figures.state))),
        ("schema", region.schema().map_or(Cell::Empty, Cell::text)),
        ("entries", Cell::Count(figures.entries)),
        ("tombstones", Cell::Count(figures.tombstones)),
    ]);
    attributes(&mut document, region, format);
    // The bound is an attribute.
    document.pairs("memory", "", stat::sizes(&figures).into_iter().skip(1).collect());
    document.pairs("index", "", index(&figures));
    document.pairs("segments", "", segments(&figures));
    document.rows("members", users(&figures), members(&region.member_statistics(), format));
    document.rows("pins", "segments that are not reused meanwhile", pins(&region.pins(), format));
    document.pairs("events", "", events(&figures));
    document.pairs("distribution", "positions of the event ring", distribution(&figures));
    document.rows("origins", "what is known of other nodes", origins(region));
    document.pairs("maintenance", "", stat::maintenance(&figures));
    let mut counters = stat::ratios(&figures);
    counters.extend(figures.counters.iter().map(|(name, count)| (name, Cell::Count(count))));
    if format == Format::Table {
        counters.retain(|(_, cell)| !matches!(cell, Cell::Count(0)));
    }
    let note = "of all members since the region was made; those that are 0 are left out";
    document.pairs("counters", note, counters);
    Ok(document)
}

fn attributes(document: &mut Document, region: &ReadOnlyRegion, format: Format) {
    let attributes = region.attributes();
    let pairs = [
        ("data_policy", Cell::text(attributes.data_policy)),
        ("scope", Cell::text(attributes.scope)),
        ("early_ack", Cell::Flag(attributes.early_ack)),
        ("concurrency_checks", Cell::Flag(attributes.concurrency_checks)),
        ("max_bytes", Cell::Bytes(attributes.max_bytes)),
        ("segment_bytes", Cell::Bytes(attributes.segment_bytes)),
        ("alignment", Cell::Bytes(attributes.alignment)),
        ("eviction", Cell::Text(attributes.eviction.to_string())),
        ("max_entries", bound(attributes.max_entries)),
        ("entry_ttl", expiry(attributes.entry_ttl)),
        ("entry_idle", expiry(attributes.entry_idle)),
    ];
    if format != Format::Table {
        document.pairs("attributes", "", pairs.into_iter().collect());
        let mutable = MUTABLE.map(serde_json::Value::from);
        document.head("mutable_attributes", Cell::Nested(mutable.to_vec().into()));
        return;
    }
    let marked = |name: &str| if MUTABLE.contains(&name) { " *" } else { "" };
    let pairs = pairs.into_iter().map(|(name, cell)| (format!("{name}{}", marked(name)), cell));
    document.pairs("attributes", "(* may be changed while in use)", pairs.collect());
}

fn bound(bound: u64) -> Cell {
    if bound == 0 { Cell::Empty } else { Cell::Count(bound) }
}

fn index(figures: &Statistics) -> Vec<(&'static str, Cell)> {
    let each = figures.entries as f64 / figures.index_buckets as f64;
    vec![
        ("buckets", Cell::Count(figures.index_buckets)),
        ("entries_per_bucket", Cell::Nested(((each * 100.0).round() / 100.0).into())),
    ]
}

fn segments(figures: &Statistics) -> Vec<(&'static str, Cell)> {
    let short =
        |(name, cell): (&'static str, Cell)| (name.strip_prefix("segments_").unwrap_or(name), cell);
    stat::segments(figures).into_iter().map(short).collect()
}

fn users(figures: &Statistics) -> String {
    format!(
        "{} of {}, {} threads of {}",
        figures.members, figures.members_max, figures.threads, figures.threads_max
    )
}

/// Programs get milliseconds.
fn age_column(format: Format) -> &'static str {
    if format == Format::Table { "age" } else { "age_ms" }
}

fn age_cell(time: Option<Duration>, format: Format) -> Cell {
    match time {
        Some(time) if format == Format::Table => Cell::Text(age(time)),
        time => milliseconds(time),
    }
}

fn members(members: &[MemberStatistics], format: Format) -> Sheet {
    let mut sheet = Sheet::new(&[
        "pid",
        "program",
        "alive",
        age_column(format),
        "threads",
        "gets",
        "hits",
        "puts",
        "destroys",
        "pins",
        "subscriptions",
        "lag",
    ]);
    for member in members {
        let since = SystemTime::now().duration_since(member.since).unwrap_or_default();
        let counters = &member.counters;
        sheet.push(vec![
            member.pid.map_or(Cell::Empty, |pid| Cell::Id(pid.into())),
            Cell::Text(safe(&member.program, 32)),
            member.alive.map_or(Cell::Empty, Cell::Flag),
            age_cell(Some(since), format),
            Cell::Count(member.threads.into()),
            Cell::Count(counters.gets),
            Cell::Count(counters.hits),
            Cell::Count(counters.puts),
            Cell::Count(counters.destroys),
            Cell::Count(member.pins.into()),
            Cell::Count(member.subscriptions.into()),
            member.oldest_consumer.map_or(Cell::Empty, |consumer| Cell::Count(consumer.lag)),
        ]);
    }
    sheet
}

fn pins(pins: &[Pin], format: Format) -> Sheet {
    let mut sheet = Sheet::new(&["member", "segment", age_column(format)]);
    for pin in pins {
        sheet.push(vec![
            Cell::Text(format!("{:#x}", pin.member)),
            Cell::Id(pin.segment.into()),
            age_cell(pin.age, format),
        ]);
    }
    sheet
}

fn events(figures: &Statistics) -> Vec<(&'static str, Cell)> {
    let oldest = figures.oldest_consumer;
    vec![
        ("ring_cells", Cell::Count(figures.ring_len)),
        ("ring_tail", Cell::Count(figures.ring_tail)),
        ("subscriptions", Cell::Count(figures.subscriptions.into())),
        ("oldest_position", oldest.map_or(Cell::Empty, |oldest| Cell::Count(oldest.position))),
        ("ring_lag", Cell::Count(figures.ring_lag())),
    ]
}

fn distribution(figures: &Statistics) -> Vec<(&'static str, Cell)> {
    vec![
        ("bridged", Cell::Flag(figures.bridged)),
        ("sent", Cell::Count(figures.sent)),
        ("received", Cell::Count(figures.received)),
        ("applied", Cell::Count(figures.applied)),
        ("unsent", Cell::Count(figures.unsent())),
        ("ack_waiters", Cell::Count(figures.ack_waiters.into())),
        ("oldest_ack_wait_ms", milliseconds(figures.oldest_ack_wait.map(|wait| wait.age))),
    ]
}

fn origins(region: &ReadOnlyRegion) -> Sheet {
    let mut sheet = Sheet::new(&["origin", "position", "closed", "epoch"]);
    for state in region.origins() {
        sheet.push(vec![
            Cell::Id(state.origin.into()),
            Cell::Count(state.position),
            Cell::Id(state.closed),
            Cell::Text(format!("{:016x}", state.epoch)),
        ]);
    }
    sheet
}
