//! A reader that stops a single row from growing without bound.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes that were read, and how many may be read before a row is complete.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    read: Rc<Cell<u64>>,
    allowed: Rc<Cell<u64>>,
    row: u64,
}

impl Meter {
    pub(super) fn new(row: u64) -> Self {
        Self { read: Rc::default(), allowed: Rc::new(Cell::new(row)), row }
    }

    /// A row is complete: the next one may take the full length again.
    pub(super) fn row_done(&self) {
        self.allowed.set(self.read.get().saturating_add(self.row));
    }

    pub(super) fn exhausted(&self) -> bool {
        self.read.get() >= self.allowed.get()
    }
}

/// Reads through to `inner` and fails once the meter is exhausted.
#[derive(Debug)]
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R> Metered<R> {
    pub(super) fn new(inner: R, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.exhausted() {
            return Err(io::Error::other("row too long"));
        }
        let length = self.inner.read(buffer)?;
        self.meter.read.set(self.meter.read.get() + length as u64);
        Ok(length)
    }
}
