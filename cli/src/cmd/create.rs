//! `vug create`

use vug::{Expiry, Node, Region, RegionBuilder};

use super::{Context, stdout};
use crate::args::{Create, Shortcut};
use crate::failure::Failure;
use crate::render::{Cell, Format, Sheet};

pub(super) fn run(context: &Context, args: &Create) -> Result<(), Failure> {
    let node = Node::open(&context.home)?;
    let region = builder(node.region(&args.region), args).create().map_err(|error| {
        let exists = matches!(error, vug::Error::RegionExists { .. });
        let failure = Failure::from(error);
        let name = &args.region;
        if exists {
            failure.with_help(format!("`vug stat {name}` shows it, `vug rm {name}` removes it"))
        } else {
            failure
        }
    })?;
    let Some(format) = context.format else {
        return Ok(());
    };
    show(&region, format)
}

fn builder<'n>(mut builder: RegionBuilder<'n>, args: &Create) -> RegionBuilder<'n> {
    if let Some(shortcut) = args.shortcut {
        builder = builder.shortcut(match shortcut {
            Shortcut::Local => vug::Shortcut::Local,
            Shortcut::Normal => vug::Shortcut::Normal,
            Shortcut::Preloaded => vug::Shortcut::Preloaded,
            Shortcut::Replicate => vug::Shortcut::Replicate,
            Shortcut::ReplicateProxy => vug::Shortcut::ReplicateProxy,
        });
    }
    if let Some(policy) = args.data_policy {
        builder = builder.data_policy(policy);
    }
    if let Some(scope) = args.scope {
        builder = builder.scope(scope);
    }
    builder = builder
        .interest(args.interest)
        .early_ack(args.early_ack)
        .concurrency_checks(!args.no_concurrency_checks)
        .old_values(args.old_values)
        .max_bytes(args.max_bytes)
        .segment_bytes(args.segment_bytes.unwrap_or(0))
        .alignment(args.alignment)
        .eviction(args.eviction)
        .max_entries(args.max_entries.unwrap_or(0));
    if let Some(after) = args.ttl {
        builder = builder.entry_ttl(Expiry { after, action: args.ttl_action });
    }
    if let Some(after) = args.idle {
        builder = builder.entry_idle(Expiry { after, action: args.idle_action });
    }
    builder
}

/// The attributes of a region that was made or changed.
pub(super) fn show(region: &Region, format: Format) -> Result<(), Failure> {
    let made = region.attributes();
    let sheet = Sheet::record(vec![
        ("region", Cell::text(region.name())),
        ("path", Cell::text(region.path().display())),
        ("data_policy", Cell::text(made.data_policy)),
        ("scope", Cell::text(made.scope)),
        ("interest", Cell::text(made.interest)),
        ("early_ack", Cell::Flag(made.early_ack)),
        ("concurrency_checks", Cell::Flag(made.concurrency_checks)),
        ("old_values", Cell::Flag(made.old_values)),
        ("max_bytes", Cell::Bytes(made.max_bytes)),
        ("segment_bytes", Cell::Bytes(made.segment_bytes)),
        ("alignment", Cell::Bytes(made.alignment)),
        ("eviction", Cell::text(made.eviction)),
        ("max_entries", Cell::Count(made.max_entries)),
        ("entry_ttl", expiry(made.entry_ttl)),
        ("entry_idle", expiry(made.entry_idle)),
    ]);
    sheet.write_record(&mut stdout(), format)
}

/// Such as `10s destroy`.
pub(super) fn expiry(expiry: Option<Expiry>) -> Cell {
    expiry.map_or(Cell::Empty, |expiry| Cell::Text(format!("{:?} {}", expiry.after, expiry.action)))
}
