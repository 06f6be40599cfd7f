//! The data set: US airports, with values that show whether they are whole.

use xxhash_rust::xxh3::xxh3_64;

use crate::failure::Failure;
use crate::rows::{Choice, CsvRows, Row};

/// Real data from the Federal Aviation Administration, part of the program.
const AIRPORTS: &[u8] = include_bytes!("../../../tests/data/airports.csv");
const SUM_BEGIN: &[u8] = b",\"sum\":\"";
const SUM_HEX: usize = 16;
const SUM_END: &[u8] = b"\"}";

/// Keys and first values of all entries.
#[derive(Debug)]
pub(super) struct Data {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Data {
    /// The first `count` airports; when there are not so many, the rest are copies with numbers.
    pub(super) fn new(count: u32) -> Result<Self, Failure> {
        let choice = Choice {
            input: "airports.csv".into(),
            key: "iata".into(),
            value: None,
            no_header: false,
            hex: false,
        };
        let mut rows = CsvRows::open(AIRPORTS, choice).map_err(|fault| fault.failure)?;
        let mut airports = Vec::new();
        let mut row = Row::default();
        while let Some(read) = rows.next(&mut row) {
            read.map_err(|fault| fault.failure)?;
            airports.push((row.key.clone(), row.value.clone()));
        }
        let entries = (0..count as usize)
            .map(|index| {
                let (key, value) = &airports[index % airports.len()];
                let mut key = key.clone();
                if let round @ 1.. = index / airports.len() {
                    key.extend_from_slice(format!("-{round}").as_bytes());
                }
                (key, value.clone())
            })
            .collect();
        Ok(Self { entries })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn key(&self, index: usize) -> &[u8] {
        &self.entries[index].0
    }

    pub(super) fn first_value(&self, index: usize) -> &[u8] {
        &self.entries[index].1
    }

    /// A new value for an entry: its row, who wrote it, and a checksum over both.
    pub(super) fn edition(&self, index: usize, writer: u64, number: u64, out: &mut Vec<u8>) {
        out.clear();
        let row = self.first_value(index);
        out.extend_from_slice(&row[..row.len() - 1]);
        let who = format!(",\"writer\":\"{writer}\",\"edition\":\"{number}\"");
        out.extend_from_slice(who.as_bytes());
        let seal = seal(out);
        out.extend_from_slice(&seal);
    }

    /// True if `value` is the first value of the entry or a complete later edition of it.
    pub(super) fn is_whole(&self, index: usize, value: &[u8]) -> bool {
        let row = self.first_value(index);
        if value == row {
            return true;
        }
        let length = SUM_BEGIN.len() + SUM_HEX + SUM_END.len();
        let Some(at) = value.len().checked_sub(length) else {
            return false;
        };
        let (body, tail) = value.split_at(at);
        body.starts_with(&row[..row.len() - 1]) && tail == seal(body)
    }
}

/// What follows a value's body: the checksum, and the end of the object.
fn seal(body: &[u8]) -> Vec<u8> {
    let sum = format!("{:016x}", xxh3_64(body));
    [SUM_BEGIN, sum.as_bytes(), SUM_END].concat()
}

/// Small generator of numbers that look random; the demonstration needs no better one.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_airports_and_numbered_copies() {
        let data = Data::new(3376 + 1).unwrap();
        assert_eq!(data.len(), 3377);
        assert_eq!(data.key(0), b"00M");
        assert_eq!(data.key(3376), b"00M-1");
        assert_eq!(data.first_value(3376), data.first_value(0));
    }

    #[test]
    fn an_edition_shows_whether_it_is_whole() {
        let data = Data::new(2).unwrap();
        let mut value = Vec::new();
        data.edition(1, 3, 17, &mut value);
        assert!(data.is_whole(1, &value));
        assert!(data.is_whole(1, data.first_value(1)));
        assert!(!data.is_whole(0, &value));
        assert!(!data.is_whole(1, b""));
        for index in 0..value.len() {
            let mut torn = value.clone();
            torn[index] ^= 1;
            assert!(!data.is_whole(1, &torn), "byte {index}");
        }
    }

    #[test]
    fn dice_stay_below_the_limit() {
        let mut dice = Dice::new(0);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[dice.below(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
