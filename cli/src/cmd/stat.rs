//! `vug stat`

use vug::{Node, Region, RegionState};

use super::create::expiry;
use super::{Context, stdout};
use crate::args::Stat;
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Stat) -> Result<(), Failure> {
    let node = context.node()?;
    let sheet = match &args.region {
        Some(name) => of_region(&context.region(&node, name)?)?,
        None => of_node(&node)?,
    };
    sheet.write_record(&mut stdout(), context.format())
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

fn of_node(node: &Node) -> Result<Sheet, Failure> {
    let members = node.members();
    let alive = members.iter().filter(|member| member.alive && !member.myself).count();
    let dead = members.iter().filter(|member| !member.alive).count();
    Ok(Sheet::record(vec![
        ("home", Cell::text(node.home().display())),
        ("node_id", Cell::Text(format!("{:032x}", node.id()))),
        ("origin", Cell::Count(node.origin().into())),
        ("regions", Cell::Count(node.regions()?.len() as u64)),
        ("members", Cell::Count(alive as u64)),
        ("dead_members", Cell::Count(dead as u64)),
        ("bridge_pid", node.bridge_pid().map_or(Cell::Empty, |pid| Cell::Id(pid.into()))),
    ]))
}

fn of_region(region: &Region) -> Result<Sheet, Failure> {
    let attributes = region.attributes();
    let figures = region.statistics();
    let segments = |number: u32| Cell::Count(number.into());
    Ok(Sheet::record(vec![
        ("region", Cell::text(region.name())),
        ("path", Cell::text(region.path().display())),
        ("data_policy", Cell::text(attributes.data_policy)),
        ("scope", Cell::text(attributes.scope)),
        ("concurrency_checks", Cell::Flag(attributes.concurrency_checks)),
        ("entry_ttl", expiry(attributes.entry_ttl)),
        ("entry_idle", expiry(attributes.entry_idle)),
        ("state", Cell::text(state_name(figures.state))),
        ("entries", Cell::Count(region.len()?)),
        ("max_bytes", Cell::Bytes(attributes.max_bytes)),
        ("backed_bytes", Cell::Bytes(figures.backed_bytes)),
        ("huge_page_bytes", region.huge_page_bytes().map_or(Cell::Empty, Cell::Bytes)),
        ("live_bytes", Cell::Bytes(figures.live_bytes)),
        ("dead_bytes", Cell::Bytes(figures.dead_bytes)),
        ("segment_bytes", Cell::Bytes(figures.segment_bytes)),
        ("segments_total", segments(figures.segments_total)),
        ("segments_free", segments(figures.segments_free)),
        ("segments_active", segments(figures.segments_active)),
        ("segments_sealed", segments(figures.segments_sealed)),
        ("segments_quarantined", segments(figures.segments_quarantined)),
        ("segments_index", segments(figures.segments_index)),
        ("gets", Cell::Count(figures.counters.gets)),
        ("hits", Cell::Count(figures.counters.hits)),
        ("puts", Cell::Count(figures.counters.puts)),
        ("destroys", Cell::Count(figures.counters.destroys)),
        ("expired", Cell::Count(figures.counters.expired)),
        ("recoveries", Cell::Count(figures.recoveries)),
        ("segments_cleaned", Cell::Count(figures.segments_cleaned)),
        ("records_moved", Cell::Count(figures.records_moved)),
        ("bytes_moved", Cell::Bytes(figures.bytes_moved)),
        ("foreground_cleans", Cell::Count(figures.counters.foreground_cleans)),
        ("threads", segments(figures.threads)),
        ("pins", segments(figures.pins)),
        (
            "oldest_pin_ms",
            figures.oldest_pin.map_or(Cell::Empty, |age| Cell::Count(age.as_millis() as u64)),
        ),
        ("ring_tail", Cell::Count(figures.ring_tail)),
        ("ring_len", Cell::Count(figures.ring_len)),
        ("sent", Cell::Count(figures.sent)),
        ("received", Cell::Count(figures.received)),
        ("applied", Cell::Count(figures.applied)),
    ]))
}
