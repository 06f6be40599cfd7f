//! Where the structures of a region file are, read from the file itself as shm/FORMAT.md says.

use std::ops::Range;

/// Header of a record, as far as a walk needs it.
const RECORD_HEADER: usize = 32;
/// State numbers of segments.
const FREE_OR_UNBACKED: [u64; 2] = [0, 1];
const INDEX: u64 = 7;

/// The parts of one file.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Bytes of the file.
    pub file_bytes: usize,
    /// Parts that are worth a blow, each as often as it should be chosen.
    pub parts: Vec<Range<usize>>,
    /// Where records begin.
    pub records: Vec<usize>,
    /// Words that are plausible in other places: sizes, counts, offsets.
    pub numbers: Vec<u64>,
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |b| b.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(8)
}

impl Layout {
    /// Reads it from a valid file.
    pub fn of(bytes: &[u8]) -> Layout {
        let at = |i: usize| word(bytes, 96 + 8 * i) as usize;
        let (segment_bytes, segments, threads, members, ring_len) =
            (at(1), at(2), at(3), at(4), at(5));
        let (words_at, attachments_at, threads_at) = (at(6), at(7), at(8));
        let (states_at, headers_at, ring_at, segments_at) = (at(9), at(10), at(11), at(12));
        let mut parts = vec![
            0..512,
            words_at..words_at + 512,
            words_at..words_at + 512,
            words_at..attachments_at,
            attachments_at..attachments_at + 512,
            attachments_at..threads_at,
            threads_at..threads_at + 6 * 512,
            threads_at..threads_at + 6 * 512,
            threads_at..states_at,
            states_at..states_at + 8 * segments,
            states_at..states_at + 8 * segments,
            headers_at..headers_at + 64 * segments,
            ring_at..ring_at + 512,
            ring_at..ring_at + 8 * ring_len,
            segments_at..bytes.len(),
            0..bytes.len(),
        ];
        let mut records = Vec::new();
        for segment in 0..segments {
            let start = segments_at + segment * segment_bytes;
            let whole = start..start + segment_bytes;
            let committed = word(bytes, headers_at + 64 * segment) as usize;
            match word(bytes, states_at + 8 * segment) >> 60 {
                INDEX => parts.extend([whole.clone(), whole]),
                state if FREE_OR_UNBACKED.contains(&state) => {}
                _ => {
                    let end = start + committed.min(segment_bytes);
                    parts.push(start..end.max(start + 8));
                    walk(bytes, start..end, &mut records);
                }
            }
        }
        let numbers = [
            segment_bytes,
            segments,
            threads,
            members,
            ring_len,
            words_at,
            attachments_at,
            threads_at,
            states_at,
            headers_at,
            ring_at,
            segments_at,
            bytes.len(),
        ];
        let numbers = numbers.iter().flat_map(|&n| [n as u64, n as u64 - 1, n as u64 + 1]);
        Layout { file_bytes: bytes.len(), parts, records, numbers: numbers.collect() }
    }
}

/// Adds where the records of one segment begin.
fn walk(bytes: &[u8], segment: Range<usize>, records: &mut Vec<usize>) {
    let mut at = segment.start;
    while at + RECORD_HEADER <= segment.end {
        records.push(at);
        let value = (word(bytes, at + 8) >> 32) as usize;
        let key = (word(bytes, at + 16) & 0xffff) as usize + 1;
        let extensions = (word(bytes, at + 24) & 0xffff) as usize;
        at += RECORD_HEADER + padded(extensions) + padded(key) + padded(value);
    }
}
