//! A process that reads entries and looks at whether each value is whole.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use vug::Node;

use super::SHARED;
use super::data::{Data, Dice};
use super::frame::{Frame, Kind, Sender};
use super::write::told_to_stop;
use crate::failure::Failure;

/// Reads at a stretch, then leaves the processor to the others: there may be two cores only.
const BURST: usize = 256;
const REST: Duration = Duration::from_millis(2);
/// Latencies are grouped this finely before they are reported, in nanoseconds.
const GRAIN: u64 = 10;

pub(super) fn run(home: &Path, data: &Data, seed: u64) -> Result<(), Failure> {
    let node = Node::open(home)?;
    let shared = node.region(SHARED).open()?;
    let stop = told_to_stop();
    let mut dice = Dice::new(seed);
    let mut times: HashMap<u64, u64> = HashMap::new();
    let (mut missing, mut torn) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..BURST {
            let index = dice.below(data.len());
            let begin = Instant::now();
            let found = shared.get(data.key(index))?;
            let nanos = begin.elapsed().as_nanos() as u64;
            *times.entry(nanos / GRAIN).or_default() += 1;
            match found {
                None => missing += 1,
                Some(guard) if data.is_whole(index, &guard) => {}
                Some(_) => torn += 1,
            }
        }
        std::thread::sleep(REST);
    }
    let mut sender = Sender::new();
    for (nanos, number) in times {
        let nanos = nanos * GRAIN;
        sender.push(&Frame { nanos, number, ..Frame::new(Kind::Gets, 0) });
    }
    for (kind, number) in [(Kind::Missing, missing), (Kind::Torn, torn)] {
        sender.push(&Frame { number, ..Frame::new(kind, 0) });
    }
    sender.send().map_err(|cause| Failure::output(&cause))
}
