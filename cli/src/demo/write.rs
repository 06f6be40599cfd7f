//! A process that overwrites entries until it is told to stop, or killed.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vug::{Node, WriteOptions};

use super::data::{Data, Dice};
use super::frame::{Frame, Kind, Sender};
use super::{LOCAL, SHARED};
use crate::failure::Failure;

/// Long enough for a bridge to be killed and started again meanwhile.
pub(super) fn patience() -> WriteOptions {
    WriteOptions::ack_within(Duration::from_secs(20))
}

/// True once the parent has closed this process's standard input, or is gone.
pub(super) fn told_to_stop() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    std::thread::spawn(move || {
        let mut byte = [0];
        // Whatever comes, comes from the end of the pipe: nothing is ever sent.
        let _ = std::io::stdin().read(&mut byte);
        flag.store(true, Ordering::Relaxed);
    });
    stop
}

pub(super) fn run(home: &Path, data: &Data, seed: u64) -> Result<(), Failure> {
    let node = Node::open(home)?;
    let shared = node.region(SHARED).open()?;
    let local = node.region(LOCAL).open()?;
    let stop = told_to_stop();
    let mut dice = Dice::new(seed);
    let mut sender = Sender::new();
    let mut value = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let index = dice.below(data.len());
        let key = data.key(index);
        number += 1;
        data.edition(index, seed, number, &mut value);

        let begin = Instant::now();
        local.put(key, &value)?;
        let mut frame = Frame::new(Kind::Local, index);
        frame.nanos = begin.elapsed().as_nanos() as u64;
        sender.push(&frame);

        let begin = Instant::now();
        let mut frame = match shared.put_with(key, &value, &patience()) {
            Ok(outcome) => {
                let mut frame = Frame::new(Kind::Acknowledged, index);
                frame.version = outcome.token.version;
                frame.origin = outcome.token.origin.into();
                frame
            }
            Err(vug::Error::AckTimeout { .. }) => Frame::new(Kind::Unacknowledged, index),
            Err(other) => return Err(other.into()),
        };
        frame.nanos = begin.elapsed().as_nanos() as u64;
        sender.push(&frame);
        sender.send().map_err(|cause| Failure::output(&cause))?;
    }
    Ok(())
}
