//! `vug ls`

use vug::ReadOnlyNode;

use super::{Context, stdout};
use crate::failure::Failure;
use crate::render::{Cell, Sheet};

const COLUMNS: [&str; 9] = [
    "region",
    "data_policy",
    "scope",
    "state",
    "entries",
    "live_bytes",
    "backed_bytes",
    "max_bytes",
    "members",
];

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let node = context.node_to_look_at()?;
    let mut sheet = Sheet::new(&COLUMNS);
    let mut unreadable = None;
    for name in node.regions()? {
        match row(&node, &name) {
            Ok(row) => sheet.push(row),
            // The others are listed all the same; the first failure is the command's.
            Err(failure) => {
                sheet.push(broken(&name));
                unreadable.get_or_insert(failure);
            }
        }
    }
    sheet.write(&mut stdout(), context.format())?;
    unreadable.map_or(Ok(()), Err)
}

fn row(node: &ReadOnlyNode, name: &str) -> Result<Vec<Cell>, Failure> {
    let region = node.region(name)?;
    let attributes = region.attributes();
    let statistics = region.statistics()?;
    Ok(vec![
        Cell::text(name),
        Cell::text(attributes.data_policy),
        Cell::text(attributes.scope),
        Cell::text(super::stat::state_name(statistics.state)),
        Cell::Count(statistics.entries),
        Cell::Bytes(statistics.live_bytes),
        Cell::Bytes(statistics.backed_bytes),
        Cell::Bytes(attributes.max_bytes),
        Cell::Count(statistics.members.into()),
    ])
}

fn broken(name: &str) -> Vec<Cell> {
    let mut row = vec![Cell::Empty; COLUMNS.len()];
    row[0] = Cell::text(name);
    row[3] = Cell::text("unreadable");
    row
}
