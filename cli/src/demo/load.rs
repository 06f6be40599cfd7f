//! The process that loads the data set into the first node.

use std::path::Path;
use std::time::Instant;

use vug::Node;

use super::data::Data;
use super::frame::{Frame, Kind, Sender};
use super::{LOCAL, SHARED};
use crate::failure::Failure;

pub(super) fn run(home: &Path, data: &Data) -> Result<(), Failure> {
    let node = Node::open(home)?;
    let shared = node.region(SHARED).open()?;
    let local = node.region(LOCAL).open()?;
    let mut sender = Sender::new();
    for index in 0..data.len() {
        let (key, value) = (data.key(index), data.first_value(index));
        local.put(key, value)?;
        let begin = Instant::now();
        let outcome = shared.put_with(key, value, &super::write::patience())?;
        let mut frame = Frame::new(Kind::Loaded, index);
        frame.nanos = begin.elapsed().as_nanos() as u64;
        frame.version = outcome.token.version;
        frame.origin = outcome.token.origin.into();
        sender.push(&frame);
        sender.send().map_err(|cause| Failure::output(&cause))?;
    }
    Ok(())
}
