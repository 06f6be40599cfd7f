//! Sorting more than memory may hold: sorted runs in a temporary file, merged at the end.
//!
//! Memory is bounded by the budget, or by the largest record where that is more. The file has no
//! name, so nothing is left of it whatever happens to the process. Equal keys keep their order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use crate::failure::{Failure, code};

/// Least and largest number of bytes that are read of a run at a time.
const SLICE: (usize, usize) = (4 << 10, 256 << 10);
/// What a record takes beside its bytes.
const OVERHEAD: usize = size_of::<Span>();
/// Lengths of key and value before each record of a run.
const HEAD: usize = 8;

/// A record in `bytes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: usize,
    key: u32,
    value: u32,
}

/// Takes records in any order.
#[derive(Debug)]
pub(crate) struct Sorter {
    memory: usize,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    spill: Option<Spill>,
}

/// The runs that were written so far.
#[derive(Debug)]
struct Spill {
    file: File,
    /// Begin and end of each run.
    runs: Vec<(u64, u64)>,
    end: u64,
}

impl Sorter {
    pub(crate) fn new(memory: usize) -> Self {
        Self { memory, bytes: Vec::new(), spans: Vec::new(), spill: None }
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let after = self.bytes.len() + key.len() + value.len();
        let used = after + (self.spans.len() + 1) * OVERHEAD;
        if used > self.memory && !self.spans.is_empty() {
            self.spill().map_err(|cause| failed(&cause))?;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.spans.push(Span { start, key: key.len() as u32, value: value.len() as u32 });
        Ok(())
    }

    fn order(&mut self) {
        let bytes = &self.bytes;
        self.spans.sort_by(|a, b| span_key(bytes, a).cmp(span_key(bytes, b)));
    }

    fn spill(&mut self) -> io::Result<()> {
        self.order();
        let mut spill = match self.spill.take() {
            Some(spill) => spill,
            None => Spill { file: tempfile::tempfile()?, runs: Vec::new(), end: 0 },
        };
        let begin = spill.end;
        let mut out = BufWriter::with_capacity(SLICE.1, &spill.file);
        for span in &self.spans {
            out.write_all(&span.key.to_le_bytes())?;
            out.write_all(&span.value.to_le_bytes())?;
            let length = (span.key + span.value) as usize;
            out.write_all(&self.bytes[span.start..span.start + length])?;
            spill.end += (HEAD + length) as u64;
        }
        out.flush()?;
        drop(out);
        spill.runs.push((begin, spill.end));
        self.spill = Some(spill);
        self.spans.clear();
        // The buffer keeps its size, unless a record beyond all bounds made it so large.
        self.bytes.clear();
        self.bytes.shrink_to(self.memory);
        Ok(())
    }

    /// All records in order.
    pub(crate) fn finish(mut self) -> Result<Sorted, Failure> {
        if self.spill.is_none() {
            self.order();
            return Ok(Sorted::Memory { bytes: self.bytes, spans: self.spans.into_iter() });
        }
        self.spill().map_err(|cause| failed(&cause))?;
        let memory = self.memory;
        let Some(spill) = self.spill.take() else { return Ok(Sorted::nothing()) };
        drop(self);
        let slice = (memory / spill.runs.len()).clamp(SLICE.0, SLICE.1);
        let mut heap = BinaryHeap::with_capacity(spill.runs.len());
        for (number, (begin, end)) in spill.runs.into_iter().enumerate() {
            let mut run = Run { number, at: begin, end, slice, ..Run::default() };
            if run.advance(&spill.file).map_err(|cause| failed(&cause))? {
                heap.push(Reverse(run));
            }
        }
        Ok(Sorted::Merge { file: spill.file, heap })
    }
}

fn span_key<'b>(bytes: &'b [u8], span: &Span) -> &'b [u8] {
    &bytes[span.start..span.start + span.key as usize]
}

/// Gives records back in order.
#[derive(Debug)]
pub(crate) enum Sorted {
    Memory { bytes: Vec<u8>, spans: std::vec::IntoIter<Span> },
    Merge { file: File, heap: BinaryHeap<Reverse<Run>> },
}

impl Sorted {
    fn nothing() -> Self {
        Self::Memory { bytes: Vec::new(), spans: Vec::new().into_iter() }
    }

    /// Replaces key and value by the next record's; false at the end.
    pub(crate) fn next(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, Failure> {
        key.clear();
        value.clear();
        match self {
            Self::Memory { bytes, spans } => {
                let Some(span) = spans.next() else { return Ok(false) };
                let split = span.start + span.key as usize;
                key.extend_from_slice(&bytes[span.start..split]);
                value.extend_from_slice(&bytes[split..split + span.value as usize]);
            }
            Self::Merge { file, heap } => {
                let Some(Reverse(mut run)) = heap.pop() else { return Ok(false) };
                key.extend_from_slice(run.key());
                value.extend_from_slice(run.value());
                if run.advance(file).map_err(|cause| failed(&cause))? {
                    heap.push(Reverse(run));
                }
            }
        }
        Ok(true)
    }
}

/// One run of the file, at a record.
#[derive(Debug, Default)]
pub(crate) struct Run {
    number: usize,
    /// What is still to be read of the file.
    at: u64,
    end: u64,
    slice: usize,
    /// What was read, and where in it the record and the next one begin.
    buffer: Vec<u8>,
    record: usize,
    next: usize,
    key: usize,
}

impl Run {
    fn key(&self) -> &[u8] {
        let start = self.record + HEAD;
        &self.buffer[start..start + self.key]
    }

    fn value(&self) -> &[u8] {
        &self.buffer[self.record + HEAD + self.key..self.next]
    }

    /// Goes to the next record; false at the end of the run.
    fn advance(&mut self, file: &File) -> io::Result<bool> {
        self.record = self.next;
        if !self.fill(file, HEAD)? {
            return Ok(false);
        }
        let length = |at: usize| {
            let bytes = [0, 1, 2, 3].map(|byte| self.buffer[self.record + at + byte]);
            u32::from_le_bytes(bytes) as usize
        };
        let (key, value) = (length(0), length(4));
        if !self.fill(file, HEAD + key + value)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.key, self.next) = (key, self.record + HEAD + key + value);
        Ok(true)
    }

    /// Has at least `wanted` bytes of the record in the buffer; false if the run has no more.
    fn fill(&mut self, file: &File, wanted: usize) -> io::Result<bool> {
        let have = self.buffer.len() - self.record;
        if have >= wanted {
            return Ok(true);
        }
        // Once per slice, not once per record: what moves is the begin of one record.
        self.buffer.drain(..self.record);
        self.record = 0;
        let more = self.slice.max(wanted - have).min((self.end - self.at) as usize);
        if have + more < wanted {
            return Ok(false);
        }
        self.buffer.resize(have + more, 0);
        file.read_exact_at(&mut self.buffer[have..], self.at)?;
        self.at += more as u64;
        Ok(true)
    }
}

impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key()).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Run {}

fn failed(cause: &io::Error) -> Failure {
    let place = std::env::temp_dir();
    let text = format!("{}: sorting needs room for a file here: {cause}", place.display());
    Failure::new(code::SORT, text, "make room there, or set TMPDIR to a directory that has some")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(memory: usize, records: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut sorter = Sorter::new(memory);
        for (key, value) in records {
            sorter.push(key, value).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let (mut key, mut value, mut all) = (Vec::new(), Vec::new(), Vec::new());
        while sorted.next(&mut key, &mut value).unwrap() {
            all.push((key.clone(), value.clone()));
        }
        all
    }

    #[test]
    fn any_memory_gives_the_same_order() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        let records: Vec<_> = (0..5000_u32)
            .map(|number| {
                let key = format!("{}", random() % 900).into_bytes();
                let mut value = number.to_le_bytes().to_vec();
                value.resize(4 + random() as usize % 40, 0);
                (key, value)
            })
            .collect();
        let mut want = records.clone();
        want.sort_by(|a, b| a.0.cmp(&b.0));
        for memory in [0, 1000, 20_000, 1 << 20] {
            assert_eq!(sorted(memory, &records), want, "{memory}");
        }
    }

    #[test]
    fn records_beyond_the_budget() {
        let large = vec![1; SLICE.1 * 2];
        let records = vec![(b"b".to_vec(), large.clone()), (b"a".to_vec(), Vec::new())];
        let want = vec![(b"a".to_vec(), Vec::new()), (b"b".to_vec(), large)];
        assert_eq!(sorted(100, &records), want);
        assert!(sorted(100, &[]).is_empty());
    }
}
