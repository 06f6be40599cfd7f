//! `vug maintain`

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use vug::{MaintainOptions, Maintenance, Node};

use super::{Context, stdout};
use crate::args::Maintain;
use crate::failure::{Failure, code};
use crate::render::{Cell, Sheet};

pub(super) fn run(context: &Context, args: &Maintain) -> Result<(), Failure> {
    let node = context.node()?;
    let mut options = MaintainOptions::default();
    if args.thorough {
        options = MaintainOptions::thorough();
    }
    match args.every {
        None => show(context, &once(context, &node, args, &options)?),
        Some(every) => repeat(every, || show(context, &once(context, &node, args, &options)?)),
    }
}

fn once(
    context: &Context,
    node: &Node,
    args: &Maintain,
    options: &MaintainOptions,
) -> Result<Maintenance, Failure> {
    match &args.region {
        Some(name) => Ok(context.region(node, name)?.maintain(options)?),
        None => Ok(node.maintain(options)?),
    }
}

fn show(context: &Context, done: &Maintenance) -> Result<(), Failure> {
    let sheet = Sheet::record(vec![
        ("members_recovered", Cell::Count(done.recovery.members.into())),
        ("threads_recovered", Cell::Count(done.recovery.threads.into())),
        ("segments_cleaned", Cell::Count(done.segments_cleaned)),
        ("records_moved", Cell::Count(done.records_moved)),
        ("bytes_moved", Cell::Bytes(done.bytes_moved)),
        ("segments_freed", Cell::Count(done.segments_freed)),
        ("bytes_released", Cell::Bytes(done.bytes_released)),
    ]);
    sheet.write_record(&mut stdout(), context.format())
}

/// Until SIGINT or SIGTERM, which end the command in order.
fn repeat(every: Duration, mut work: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
    let no_runtime = |cause: std::io::Error| {
        let text = format!("signals cannot be received: {cause}");
        Failure::new(code::RUNTIME, text, "look at the limits of this process (`ulimit -a`)")
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_runtime)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(no_runtime)?;
        loop {
            work()?;
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
            }
        }
    })
}
