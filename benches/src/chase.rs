//! A control: dependent loads at random places of shared memory, and nothing else.
//!
//! What it gains from a second process is what this machine lets anything gain that waits for
//! memory.

use crate::mapping::SharedFile;
use crate::peer::Peer;
use crate::store::Store;
use crate::workload::{Distribution, Load, sequence};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// Makes and opens the chase.
#[derive(Debug)]
pub struct PointerChase;

/// One node a cache line.
const WORDS: usize = 8;
/// Hops of one operation: index and record.
const HOPS: usize = 2;

impl Peer for PointerChase {
    fn name(&self) -> &'static str {
        "pointer chase"
    }

    fn configuration(&self) -> &'static str {
        "two dependent loads of random cache lines of shared memory: a control, no store"
    }

    fn create(&self, load: Load) -> Result<Box<dyn Store>, String> {
        let nodes = load.entries as usize;
        let chase = Chase::new(SharedFile::create(nodes * WORDS * 8)?, nodes);
        let order = sequence(Distribution::Laps, load.entries, 7);
        let words = chase.file.words();
        for (from, to) in order.iter().zip(order.iter().cycle().skip(1)) {
            words[*from as usize * WORDS].store(u64::from(*to), Relaxed);
        }
        Ok(Box::new(chase))
    }

    fn open(&self, place: &Path, load: Load) -> Result<Box<dyn Store>, String> {
        Ok(Box::new(Chase::new(SharedFile::open(place)?, load.entries as usize)))
    }
}

/// A cycle through all nodes in random order.
#[derive(Debug)]
struct Chase {
    file: SharedFile,
    /// Where the last operation ended: the next one starts there, so that they do not overlap.
    at: Cell<usize>,
}

impl Chase {
    fn new(file: SharedFile, nodes: usize) -> Chase {
        // Processes start at different places.
        Chase { file, at: Cell::new(std::process::id() as usize * 7919 % nodes) }
    }

    fn step(&self) -> usize {
        let words = self.file.words();
        let hop = |at: usize, _| words[at * WORDS].load(Relaxed) as usize;
        let at = (0..HOPS).fold(self.at.get(), hop);
        self.at.set(at);
        at
    }
}

impl Store for Chase {
    fn name(&self) -> &'static str {
        PointerChase.name()
    }

    fn place(&self) -> Option<&Path> {
        Some(self.file.path())
    }

    fn get(&self, _: u32, _: &mut [u8]) -> bool {
        self.step() != usize::MAX
    }

    fn put(&self, n: u32, _: &[u8]) -> Result<(), String> {
        self.file.words()[self.step() * WORDS + 1].store(u64::from(n), Relaxed);
        Ok(())
    }

    fn fill(&self, _: Load) -> Result<(), String> {
        Ok(())
    }
}
