//! `vug alter`

use vug::{Expiry, ExpiryAction};

use super::{Context, create};
use crate::args::{Alter, TimeOrNone};
use crate::failure::Failure;

pub(super) fn run(context: &Context, args: &Alter) -> Result<(), Failure> {
    let node = context.node()?;
    let region = context.region(&node, &args.region)?;
    let before = region.attributes();
    if let Some(ttl) = args.changes.ttl {
        region.set_entry_ttl(expiry(ttl, args.ttl_action, before.entry_ttl))?;
    }
    if let Some(idle) = args.changes.idle {
        region.set_entry_idle(expiry(idle, args.idle_action, before.entry_idle))?;
    }
    if let Some(entries) = args.changes.max_entries {
        region.set_max_entries(entries)?;
    }
    match context.format {
        Some(format) => create::show(&region, format),
        None => Ok(()),
    }
}

/// The action stays what it was unless another is given.
fn expiry(
    TimeOrNone(time): TimeOrNone,
    action: Option<ExpiryAction>,
    before: Option<Expiry>,
) -> Option<Expiry> {
    let action = action.or(before.map(|before| before.action)).unwrap_or(ExpiryAction::Destroy);
    time.map(|after| Expiry { after, action })
}
