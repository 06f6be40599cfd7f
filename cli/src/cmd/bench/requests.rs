//! What the workers of a bench ask for: drawn at random, or read from a trace.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use crate::args::{BenchWork, Distribution};
use crate::failure::{Failure, code};

/// Draws that a zipf distribution repeats; drawing anew would cost more than a read.
const DRAWS: usize = 1 << 20;

/// Kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Put,
    Del,
}

impl Kind {
    pub(super) const ALL: [(Kind, &str); 3] =
        [(Kind::Get, "get"), (Kind::Put, "put"), (Kind::Del, "del")];
}

/// The keys of a bench, one behind the other.
#[derive(Debug)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    length: usize,
}

impl Keys {
    pub(super) fn new(work: &BenchWork) -> Result<Self, Failure> {
        let digits = (work.entries - 1).to_string().len();
        let least = work.prefix.len() + digits;
        let length = work.key_bytes as usize;
        if !(least..=crate::bytes::MAX_KEY).contains(&length) || work.prefix.is_empty() {
            let text = format!("keys of {length} bytes do not hold `{}` and a number", work.prefix);
            let help = format!("choose --key-bytes between {least} and 65536, and a --prefix");
            return Err(Failure::usage(text, help));
        }
        let digits = length - work.prefix.len();
        let mut bytes = Vec::with_capacity(work.entries as usize * length);
        for number in 0..work.entries {
            bytes.extend_from_slice(format!("{}{number:0digits$}", work.prefix).as_bytes());
        }
        Ok(Self { bytes, length })
    }

    pub(super) fn key(&self, number: u32) -> &[u8] {
        let start = number as usize * self.length;
        &self.bytes[start..start + self.length]
    }
}

/// The splitmix64 generator: reproducible, and fast enough to be out of the way.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, by the high half of a product.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Numbers of entries without end.
#[derive(Debug)]
pub(super) struct Draws {
    entries: u32,
    random: Random,
    /// Repeated for ever; empty if each is drawn anew.
    lap: Arc<[u32]>,
    at: usize,
}

impl Draws {
    /// The draws of one process; its threads begin at different places.
    pub(super) fn lap(work: &BenchWork, process: u32) -> Arc<[u32]> {
        match work.distribution {
            Distribution::Uniform => Arc::default(),
            Distribution::Zipf => zipf(work.entries, &mut Random(process.into())).into(),
        }
    }

    pub(super) fn new(work: &BenchWork, lap: &Arc<[u32]>, seed: u64) -> Self {
        let mut random = Random(seed);
        let at = random.below(lap.len().max(1) as u32) as usize;
        Self { entries: work.entries, random, lap: Arc::clone(lap), at }
    }

    pub(super) fn next(&mut self) -> u32 {
        if self.lap.is_empty() {
            return self.random.below(self.entries);
        }
        self.at = if self.at + 1 < self.lap.len() { self.at + 1 } else { 0 };
        self.lap[self.at]
    }

    /// Whether the next operation is a read.
    pub(super) fn reads(&mut self, percent: u8) -> bool {
        self.random.below(100) < u32::from(percent)
    }
}

/// The popular entries are scattered over all: the rank is multiplied by a number that shares no
/// divisor with their count, the same in every process.
fn zipf(entries: u32, random: &mut Random) -> Vec<u32> {
    let mut sum = 0.0;
    let cumulated: Vec<f64> = (1..=entries)
        .map(|rank| {
            sum += f64::from(rank).powf(-0.99);
            sum
        })
        .collect();
    let mut step = 2_654_435_761 % u64::from(entries).max(2);
    while step == 0 || greatest_divisor(step, entries.into()) != 1 {
        step += 1;
    }
    let draw = |_| {
        let point = random.unit() * sum;
        let rank = cumulated.partition_point(|&bound| bound < point) as u64;
        (rank.min(u64::from(entries) - 1) * step % u64::from(entries)) as u32
    };
    (0..DRAWS).map(draw).collect()
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

/// Operations from a file, in memory.
#[derive(Debug, Default)]
pub(super) struct Trace {
    keys: Vec<u8>,
    steps: Vec<(Kind, u32, usize, usize)>,
}

impl Trace {
    pub(super) fn read(path: &Path, value_bytes: u64) -> Result<Self, Failure> {
        let failed = |cause| Failure::input(path, &cause);
        let file = File::open(path).map_err(failed)?;
        let mut trace = Self::default();
        for (line, number) in BufReader::new(file).split(b'\n').zip(1_u64..) {
            let line = line.map_err(failed)?;
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if !line.is_empty() {
                trace.add(line, value_bytes).map_err(|wrong| {
                    let text = format!("{}:{number}: {wrong}", path.display());
                    let help = "a line is get,KEY or put,KEY or put,KEY,SIZE or del,KEY; \
                                keys hold no comma";
                    Failure::new(code::TRACE, text, help)
                })?;
            }
        }
        if trace.steps.is_empty() {
            let text = format!("{}: there is no operation in it", path.display());
            return Err(Failure::new(code::TRACE, text, "give a file with a line per operation"));
        }
        Ok(trace)
    }

    fn add(&mut self, line: &[u8], value_bytes: u64) -> Result<(), String> {
        let mut fields = line.split(|byte| *byte == b',');
        let name = fields.next().unwrap_or_default();
        let kind = Kind::ALL.iter().find(|(_, known)| known.as_bytes() == name);
        let Some((kind, _)) = kind else {
            return Err(format!("`{}` is no operation", crate::bytes::escaped(name)));
        };
        let key = fields.next().filter(|key| !key.is_empty()).ok_or("there is no key")?;
        if key.len() > crate::bytes::MAX_KEY {
            return Err(format!("the key has {} bytes", key.len()));
        }
        let size = match fields.next() {
            None => value_bytes,
            Some(size) => {
                let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
                size.ok_or("the size is no number")?
            }
        };
        if fields.next().is_some() || (size > 1 << 30) {
            return Err("there are more than three fields, or the size is above 1 GiB".into());
        }
        self.steps.push((*kind, size as u32, self.keys.len(), key.len()));
        self.keys.extend_from_slice(key);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Operation, key, and length of the value to be written.
    pub(super) fn step(&self, number: usize) -> (Kind, &[u8], usize) {
        let (kind, size, start, length) = self.steps[number];
        (kind, &self.keys[start..start + length], size as usize)
    }

    /// The longest value.
    pub(super) fn longest(&self) -> usize {
        self.steps.iter().map(|step| step.1 as usize).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read() {
        let mut trace = Trace::default();
        for line in [&b"get,a"[..], b"put,b,10", b"put,c", b"del,a"] {
            trace.add(line, 64).unwrap();
        }
        assert_eq!(trace.step(1), (Kind::Put, &b"b"[..], 10));
        assert_eq!(trace.step(2), (Kind::Put, &b"c"[..], 64));
        assert_eq!(trace.step(3), (Kind::Del, &b"a"[..], 64));
        assert_eq!(trace.longest(), 64);
        for bad in [&b"got,a"[..], b"get", b"get,", b"put,a,x", b"put,a,1,2", b"put,a,-1"] {
            assert!(trace.add(bad, 64).is_err());
        }
    }

    #[test]
    fn zipf_has_a_favourite_and_stays_in_bounds() {
        for entries in [1_u32, 2, 1000] {
            let draws = zipf(entries, &mut Random(7));
            assert!(draws.iter().all(|draw| *draw < entries));
            let mut counts = vec![0_u32; entries as usize];
            draws.iter().for_each(|draw| counts[*draw as usize] += 1);
            let most = f64::from(*counts.iter().max().unwrap()) / draws.len() as f64;
            assert!(most > 0.1, "{entries}: {most}");
        }
    }
}
