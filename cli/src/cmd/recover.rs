//! `vug recover`

use super::{Context, stdout};
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let node = context.node()?;
    let done = node.recover()?;
    let count = |number: u32| Cell::Count(number.into());
    let sheet = Sheet::record(vec![
        ("members", count(done.members)),
        ("threads", count(done.threads)),
        ("inserts_finished", count(done.inserts_finished)),
        ("events_announced", count(done.events_announced)),
        ("segments_released", count(done.segments_released)),
        ("set_aside", count(done.set_aside)),
    ]);
    sheet.write_record(&mut stdout(), context.format())
}
