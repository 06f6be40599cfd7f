//! The second reading of a file, or the only one of a stream: rows become entries.

use std::io::Read;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vug::{Region, WriteOptions};

use super::Job;
use super::check::{duplicate, number, was_interrupted};
use super::checkpoint::Checkpoint;
use super::faults::Faults;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::render::grouped;
use crate::rows::{Fault, Place, Row, Rows, State};
use crate::sort::Sorted;

/// So many rows, or so many bytes, are written and acknowledged together.
const BATCH: usize = 1024;
const BATCH_BYTES: usize = 1 << 20;
/// Buffers that a long row made larger than this are given back.
const KEPT: usize = 64 << 10;

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) replaced: u64,
    pub(super) skipped: u64,
    /// Entries of a dump whose time is over.
    pub(super) expired: u64,
    /// Rows that an earlier run wrote, counted above, too.
    pub(super) before: u64,
    /// Good rows of a reading that writes nothing.
    pub(super) checked: u64,
}

impl Tally {
    pub(super) fn written(&self) -> u64 {
        self.created + self.replaced
    }

    fn count(&mut self, created: bool) {
        if created {
            self.created += 1;
        } else {
            self.replaced += 1;
        }
    }
}

/// Refuses a value that the region cannot hold.
pub(super) fn too_large(job: &Job<'_>, region: &Region, row: &Row) -> Result<(), Fault> {
    let max = region.max_value_len(row.key.len());
    if row.value.len() <= max {
        return Ok(());
    }
    let error = vug::Error::ValueTooLarge { len: row.value.len(), max };
    let failure = Failure::from(error).and(format!("in the row at {}", job.choice.at(row.line)));
    Err(Fault { failure, fatal: false })
}

/// Writes rows batch by batch.
pub(super) struct Writer<'a> {
    job: &'a Job<'a>,
    region: &'a Region,
    options: WriteOptions,
    faults: Faults<'a>,
    /// Rows of the batch are the first `filled`; the others are buffers.
    batch: Vec<Row>,
    filled: usize,
    bytes: usize,
    pub(super) tally: Tally,
    pub(super) duplicates: Option<Sorted>,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) interrupt: Option<Interrupt>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(job: &'a Job<'a>, region: &'a Region, tally: Tally) -> Result<Self, Failure> {
        let mut options = WriteOptions::ack_within(job.args.ack.ack_within);
        options.ttl = job.args.ttl;
        Ok(Self {
            job,
            region,
            options,
            faults: Faults::new(job.args, false)?,
            batch: vec![Row::default(); BATCH],
            filled: 0,
            bytes: 0,
            tally: Tally { before: tally.written(), ..tally },
            duplicates: None,
            checkpoint: None,
            interrupt: None,
        })
    }

    pub(super) fn write<R: Read>(
        &mut self,
        rows: Rows<R>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let done = self.write_rows(rows, progress);
        progress.clear();
        match (done, &mut self.checkpoint) {
            (Ok(()), Some(checkpoint)) => checkpoint.remove(),
            (Err(failure), Some(checkpoint)) if self.tally.written() > 0 => {
                let saved = checkpoint.save_now();
                let more =
                    if saved { "; the same command with --resume goes on there" } else { "" };
                return Err(failure.and(format!("{}{more}", written_before(&self.tally))));
            }
            (Err(failure), _) => return Err(failure.and(written_before(&self.tally))),
            (Ok(()), None) => {}
        }
        Ok(())
    }

    fn write_rows<R: Read>(
        &mut self,
        mut rows: Rows<R>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let mut skip = self.next_duplicate(rows.place().lines)?;
        while let Some(read) = rows.next(&mut self.batch[self.filled]) {
            let row = &self.batch[self.filled];
            let line = row.line;
            let looked = read.and_then(|()| match skip {
                Some((duplicated, first)) if duplicated == line => {
                    let failure = duplicate(self.job, &row.key, line, first);
                    Err(Fault { failure, fatal: false })
                }
                _ => too_large(self.job, self.region, row),
            });
            if skip.is_some_and(|(duplicated, _)| duplicated <= line) {
                skip = self.next_duplicate(line)?;
            }
            match looked {
                Ok(()) => {
                    let row = &self.batch[self.filled];
                    self.bytes += row.key.len() + row.value.len();
                    self.filled += 1;
                }
                Err(fault) => {
                    let taken = self.faults.take(fault, line, progress);
                    if let Err(failure) = taken {
                        // Rows before the bad one count as good.
                        self.flush(rows.place(), progress)?;
                        return Err(failure);
                    }
                    self.tally.skipped += 1;
                }
            }
            if self.filled == BATCH || self.bytes >= BATCH_BYTES {
                self.flush(rows.place(), progress)?;
                if self.interrupt.as_ref().is_some_and(Interrupt::is_raised) {
                    return Err(was_interrupted("nothing is lost; begin again, or go on"));
                }
            }
        }
        self.flush(rows.place(), progress)?;
        self.faults.finish(progress).map(|_| ())
    }

    /// The first duplicate behind a line, with the line on which its key was first.
    fn next_duplicate(&mut self, after: u64) -> Result<Option<(u64, u64)>, Failure> {
        let Some(duplicates) = &mut self.duplicates else { return Ok(None) };
        let (mut line, mut first) = (Vec::new(), Vec::new());
        while duplicates.next(&mut line, &mut first)? {
            if number(&line) > after {
                return Ok(Some((number(&line), number(&first))));
            }
        }
        Ok(None)
    }

    /// Writes the batch and waits until the other nodes have it; `place` is behind it.
    fn flush(&mut self, place: Place, progress: &Progress) -> Result<(), Failure> {
        let filled = std::mem::take(&mut self.filled);
        self.bytes = 0;
        self.put(filled)?;
        for row in &mut self.batch[..filled] {
            row.key.shrink_to(KEPT);
            row.value.shrink_to(KEPT);
        }
        progress.set(place.offset, self.tally.written() - self.tally.before);
        if let Some(checkpoint) = &mut self.checkpoint
            && let Err(failure) = checkpoint.pass(place, self.tally)
        {
            progress.say(&format!("warning: {}", failure.text()));
        }
        Ok(())
    }

    /// Entries in bulk; those with a state of their own one by one, in their place.
    fn put(&mut self, filled: usize) -> Result<(), Failure> {
        let mut begin = 0;
        for number in 0..filled {
            let state = self.batch[number].state;
            if state != State::default() {
                self.put_all(begin..number)?;
                self.put_one(number, state)?;
                begin = number + 1;
            }
        }
        self.put_all(begin..filled)
    }

    fn put_all(&mut self, rows: Range<usize>) -> Result<(), Failure> {
        let rows = &self.batch[rows];
        let entries: Vec<_> = rows.iter().map(|row| (&row.key, &row.value)).collect();
        let done = self.region.put_all_with(&entries, &self.options)?;
        for (row, result) in rows.iter().zip(done.results) {
            let outcome = result.map_err(|error| self.stopped(error, row.line))?;
            self.tally.count(outcome.created);
        }
        Ok(done.acknowledged?)
    }

    fn put_one(&mut self, number: usize, state: State) -> Result<(), Failure> {
        let row = &self.batch[number];
        let left = state.deadline.map(time_left);
        if left == Some(None) {
            self.tally.expired += 1;
            return Ok(());
        }
        let created = if state.invalid {
            match self.region.create_invalid(&row.key) {
                Err(vug::Error::EntryExists { .. }) => {
                    self.region.invalidate(&row.key).map(|_| false)
                }
                made => made.map(|_| true),
            }
        } else {
            let ttl = left.flatten().or(self.options.ttl);
            let mut options = self.options;
            options.ttl = ttl;
            let put = self.region.put_with(&row.key, &row.value, &options);
            put.map(|outcome| outcome.created)
        };
        let created = created.map_err(|error| self.stopped(error, row.line))?;
        self.tally.count(created);
        Ok(())
    }

    fn stopped(&self, error: vug::Error, line: u64) -> Failure {
        Failure::from(error).and(format!("stopped at {}", self.job.choice.at(line)))
    }
}

/// Time until a deadline, in milliseconds since 1970; `None` if it is over.
fn time_left(deadline: u64) -> Option<Duration> {
    let deadline = UNIX_EPOCH + Duration::from_millis(deadline);
    deadline.duration_since(SystemTime::now()).ok().filter(|left| !left.is_zero())
}

fn written_before(tally: &Tally) -> String {
    match tally.written() {
        0 => "nothing was written".to_owned(),
        written => format!("{} rows before it were written", grouped(written)),
    }
}
