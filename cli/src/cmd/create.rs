//! `vug create`

use vug::{Attributes, Expiry, Node};

use super::{Context, stdout};
use crate::args::Create;
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Create) -> Result<(), Failure> {
    let mut attributes = Attributes::default();
    attributes.data_policy = args.data_policy;
    attributes.scope = args.scope;
    attributes.concurrency_checks = !args.no_concurrency_checks;
    attributes.max_bytes = args.max_bytes;
    attributes.segment_bytes = args.segment_bytes.unwrap_or(0);
    attributes.entry_ttl = args.ttl.map(|after| Expiry { after, action: args.ttl_action });
    attributes.entry_idle = args.idle.map(|after| Expiry { after, action: args.idle_action });
    attributes.alignment = args.alignment;
    let node = Node::open(&context.home)?;
    let region = node.region(&args.region).attributes(attributes).create()?;
    let Some(format) = context.format else {
        return Ok(());
    };
    let made = region.attributes();
    let sheet = Sheet::record(vec![
        ("region", Cell::text(region.name())),
        ("path", Cell::text(region.path().display())),
        ("data_policy", Cell::text(made.data_policy)),
        ("scope", Cell::text(made.scope)),
        ("concurrency_checks", Cell::Flag(made.concurrency_checks)),
        ("max_bytes", Cell::Bytes(made.max_bytes)),
        ("segment_bytes", Cell::Bytes(made.segment_bytes)),
        ("entry_ttl", expiry(made.entry_ttl)),
        ("entry_idle", expiry(made.entry_idle)),
        ("alignment", Cell::Bytes(made.alignment)),
    ]);
    sheet.write_record(&mut stdout(), format)
}

/// Such as `10s destroy`.
pub(super) fn expiry(expiry: Option<Expiry>) -> Cell {
    expiry.map_or(Cell::Empty, |expiry| Cell::Text(format!("{:?} {}", expiry.after, expiry.action)))
}
