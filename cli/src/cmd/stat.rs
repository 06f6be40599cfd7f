//! `vug stat`

use std::time::Duration;

use vug::{ReadOnlyNode, ReadOnlyRegion, RegionState, Statistics};

use super::create::expiry;
use super::{Context, missing_region, stdout, watch};
use crate::args::Stat;
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Stat) -> Result<(), Failure> {
    let node = context.node_to_look_at()?;
    if let Some(interval) = args.watch {
        return watch::run(context, &node, args, interval);
    }
    let sheet = match &args.region {
        Some(name) => of_region(&open(&node, name)?)?,
        None => of_node(&node)?,
    };
    sheet.write_record(&mut stdout(), context.format())
}

pub(super) fn open(node: &ReadOnlyNode, name: &str) -> Result<ReadOnlyRegion, Failure> {
    node.region(name).map_err(|error| missing_region(error, name))
}

pub(super) fn state_name(state: RegionState) -> &'static str {
    match state {
        RegionState::Ready => "ready",
        RegionState::Initialising => "initialising",
        RegionState::Degraded => "degraded",
        // A state that a later library has and this command does not know.
        _ => "other",
    }
}

fn of_node(node: &ReadOnlyNode) -> Result<Sheet, Failure> {
    let members = node.members();
    let alive = members.iter().filter(|member| member.alive).count();
    Ok(Sheet::record(vec![
        ("home", Cell::text(node.home().display())),
        ("node_id", node.id().map_or(Cell::Empty, |id| Cell::Text(format!("{id:032x}")))),
        ("origin", Cell::Count(node.origin().into())),
        ("regions", Cell::Count(node.regions()?.len() as u64)),
        ("members", Cell::Count(alive as u64)),
        ("dead_members", Cell::Count((members.len() - alive) as u64)),
        ("bridge_pid", node.bridge_pid().map_or(Cell::Empty, |pid| Cell::Id(pid.into()))),
    ]))
}

fn of_region(region: &ReadOnlyRegion) -> Result<Sheet, Failure> {
    let attributes = region.attributes();
    let figures = region.statistics()?;
    let mut record = vec![
        ("region", Cell::text(region.name())),
        ("path", Cell::text(region.path().display())),
        ("data_policy", Cell::text(attributes.data_policy)),
        ("scope", Cell::text(attributes.scope)),
        ("concurrency_checks", Cell::Flag(attributes.concurrency_checks)),
        ("entry_ttl", expiry(attributes.entry_ttl)),
        ("entry_idle", expiry(attributes.entry_idle)),
        ("state", Cell::text(state_name(figures.state))),
        ("entries", Cell::Count(figures.entries)),
        ("tombstones", Cell::Count(figures.tombstones)),
    ];
    record.extend(sizes(&figures));
    record.push(("huge_page_bytes", region.huge_page_bytes().map_or(Cell::Empty, Cell::Bytes)));
    record.extend(segments(&figures));
    record.extend(users(&figures));
    record.extend(events(&figures));
    record.extend(maintenance(&figures));
    record.extend(ratios(&figures));
    record.extend(figures.counters.iter().map(|(name, count)| (name, Cell::Count(count))));
    Ok(Sheet::record(record))
}

type Pairs = Vec<(&'static str, Cell)>;

pub(super) fn milliseconds(age: Option<Duration>) -> Cell {
    age.map_or(Cell::Empty, |age| Cell::Count(age.as_millis() as u64))
}

pub(super) fn sizes(figures: &Statistics) -> Pairs {
    vec![
        ("max_bytes", Cell::Bytes(figures.max_bytes)),
        ("backed_bytes", Cell::Bytes(figures.backed_bytes)),
        ("index_bytes", Cell::Bytes(figures.index_bytes)),
        ("live_bytes", Cell::Bytes(figures.live_bytes)),
        ("dead_bytes", Cell::Bytes(figures.dead_bytes)),
        ("free_bytes", Cell::Bytes(figures.free_bytes)),
        ("largest_free_bytes", Cell::Bytes(figures.largest_free_bytes)),
        ("fragmentation", Cell::Part(figures.fragmentation())),
    ]
}

pub(super) fn segments(figures: &Statistics) -> Pairs {
    let count = |number: u32| Cell::Count(number.into());
    vec![
        ("segment_bytes", Cell::Bytes(figures.segment_bytes)),
        ("segments_total", count(figures.segments_total)),
        ("segments_free", count(figures.segments_free)),
        ("segments_active", count(figures.segments_active)),
        ("segments_sealed", count(figures.segments_sealed)),
        ("segments_quarantined", count(figures.segments_quarantined)),
        ("segments_index", count(figures.segments_index)),
    ]
}

fn users(figures: &Statistics) -> Pairs {
    let count = |number: u32| Cell::Count(number.into());
    vec![
        ("members", count(figures.members)),
        ("threads", count(figures.threads)),
        ("pins", count(figures.pins)),
        ("oldest_pin_ms", milliseconds(figures.oldest_pin)),
        ("subscriptions", count(figures.subscriptions)),
        ("ack_waiters", count(figures.ack_waiters)),
        ("oldest_ack_wait_ms", milliseconds(figures.oldest_ack_wait.map(|wait| wait.age))),
    ]
}

fn events(figures: &Statistics) -> Pairs {
    vec![
        ("ring_tail", Cell::Count(figures.ring_tail)),
        ("ring_len", Cell::Count(figures.ring_len)),
        ("ring_lag", Cell::Count(figures.ring_lag())),
        ("unsent", Cell::Count(figures.unsent())),
        ("sent", Cell::Count(figures.sent)),
        ("received", Cell::Count(figures.received)),
        ("applied", Cell::Count(figures.applied)),
    ]
}

pub(super) fn maintenance(figures: &Statistics) -> Pairs {
    vec![
        ("recoveries", Cell::Count(figures.recoveries)),
        ("growths", Cell::Count(figures.growths)),
        ("segments_cleaned", Cell::Count(figures.segments_cleaned)),
        ("records_moved", Cell::Count(figures.records_moved)),
        ("bytes_moved", Cell::Bytes(figures.bytes_moved)),
        ("segments_released", Cell::Count(figures.segments_released)),
    ]
}

pub(super) fn ratios(figures: &Statistics) -> Pairs {
    vec![
        ("hit_ratio", figures.hit_ratio().map_or(Cell::Empty, Cell::Part)),
        ("misses", Cell::Count(figures.misses())),
        ("updates", Cell::Count(figures.counters.updates())),
    ]
}
